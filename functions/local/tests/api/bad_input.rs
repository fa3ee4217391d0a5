//! Input that nobody should send: each kind gets the answer of `contract/http-conventions.md` section 3,
//! and writes nothing.

mod bodies;
mod browsers;
mod limits;
mod lists;
mod members;
mod paths;
mod queries;
mod texts;
mod writes;
