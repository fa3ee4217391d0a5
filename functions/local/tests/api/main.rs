//! The product over HTTP, one file per area: every route of every function, on all three databases.

mod tags;
