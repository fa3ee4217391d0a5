//! The data layer: one pool type over PostgreSQL, MySQL/MariaDB and SQLite, chosen by URL.
//!
//! [`Database`] opens the pool and owns transactions; [`Executor`] is what both a pool and an open
//! transaction are, and all that a repository sees. [`dialect`] holds every difference between the
//! three databases, [`schema`] the migrations. Nothing here knows a table of the product.

mod cells;
pub mod dialect;
mod error;
mod executor;
mod lock;
mod pool;
pub mod schema;

pub use cells::{Cell, Cells};
pub use dialect::Dialect;
pub use error::Error;
pub use executor::{Executor, Row};
pub use lock::Lock;
pub(crate) use pool::dialect_of;
pub use pool::{Database, Options, SqliteJournal, SslMode, Transaction, Transient};

/// The result of a database operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;
