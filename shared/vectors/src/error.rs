//! The one error of this crate.
//!
//! Every message names the table or file and says what to do where something can be done. A message is
//! fit for a log and a terminal: it holds no content, no credentials and no answer of a server, for which
//! reason causes are kept as text that went through [`cause`], never as a source.

use std::error::Error as StdError;

use crate::cause::cause;

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something with LanceDB failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A place is written in a way that nobody understands.
    #[error("{uri:?} is neither a directory nor s3://bucket/prefix")]
    Location {
        /// The place as given.
        uri: String,
    },
    /// There is no store where one must be.
    #[error("there is no LanceDB store at {uri}: the directory does not exist or cannot be read")]
    NoStore {
        /// The place of the store.
        uri: String,
    },
    /// A store as a whole fails.
    #[error("the LanceDB store {uri} cannot be {action}: {cause}")]
    Store {
        /// The place of the store.
        uri: String,
        /// What was tried, as a participle.
        action: &'static str,
        /// What went wrong.
        cause: String,
    },
    /// A table fails.
    #[error("table {table} cannot be {action}: {cause}")]
    Table {
        /// The table.
        table: String,
        /// What was tried, as a participle.
        action: &'static str,
        /// What went wrong.
        cause: String,
    },
    /// A column has a type that no release of the product wrote.
    #[error("table {table}, column {column}: nobody knows how to read the type {data_type}")]
    UnknownType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type in Arrow's words.
        data_type: String,
    },
    /// A number or time does not fit.
    #[error("table {table}, column {column}: a number is too large for 64 bits, or a time too far away")]
    OutOfRange {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A table holds vectors of another length than the configured one.
    #[error(
        "table {table} holds vectors of {found} numbers, not of {expected}: configure {found} dimensions, \
         or another place for the vectors"
    )]
    Dimension {
        /// The table.
        table: String,
        /// The length of its vectors.
        found: usize,
        /// The length asked for.
        expected: usize,
    },
    /// A vector cannot be stored or searched.
    #[error("table {table}: the vector of {id:?} {problem}")]
    Vector {
        /// The table.
        table: String,
        /// Whose vector it is.
        id: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A table that should be ours has other columns.
    #[error("table {table} has other columns than expected: name another place, or move that table away")]
    Layout {
        /// The table.
        table: String,
    },
    /// A restore would mix with what is there.
    #[error("the LanceDB store {uri} holds {tables} already: restore into an empty place")]
    NotEmpty {
        /// The place of the store.
        uri: String,
        /// The tables that are in the way.
        tables: String,
    },
    /// A file of a backup cannot be written or read.
    #[error("{file} of the backup cannot be {action}: {cause}")]
    Backup {
        /// The file, below the place of the backups.
        file: String,
        /// What was tried, as a participle.
        action: &'static str,
        /// What went wrong.
        cause: String,
    },
    /// A file of a backup is not what the manifest says.
    #[error("{file} of the backup is damaged: {problem}; use another backup")]
    Damaged {
        /// The file, below the place of the backups.
        file: String,
        /// What differs.
        problem: &'static str,
    },
}

impl Error {
    pub(crate) fn table(table: &str, action: &'static str, error: &(dyn StdError + 'static)) -> Self {
        Self::Table { table: table.to_owned(), action, cause: cause(error) }
    }

    pub(crate) fn store(uri: &str, action: &'static str, error: &(dyn StdError + 'static)) -> Self {
        Self::Store { uri: uri.to_owned(), action, cause: cause(error) }
    }

    pub(crate) fn backup(file: &str, action: &'static str, error: &(dyn StdError + 'static)) -> Self {
        Self::Backup { file: file.to_owned(), action, cause: cause(error) }
    }
}
