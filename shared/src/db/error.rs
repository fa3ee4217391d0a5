//! What can go wrong between the product and its database.

/// A failed database operation, with the operation that failed.
///
/// The text may name tables, columns and ids, so it belongs into the log and never into an answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or failed a statement, or could not be reached.
    #[error("{operation} failed")]
    Statement {
        /// The repository method, such as `tags.find_by_user`.
        operation: &'static str,
        /// What the driver says.
        #[source]
        source: sqlx::Error,
    },
    /// A stored value does not have the form that it must have.
    #[error("{table}.{column} of {id} is corrupt")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The id of the row.
        id: String,
        /// What the decoder says.
        #[source]
        source: serde_json::Error,
    },
    /// The schema of the database is not the one that this version needs.
    #[error(transparent)]
    Schema(#[from] super::schema::Mismatch),
    /// Something else in the process failed while working for the database.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// Reports whether a unique constraint refused the statement.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Statement { source: sqlx::Error::Database(cause), .. } if cause.is_unique_violation())
    }

    /// Reports whether the statement names a table that does not exist.
    #[must_use]
    pub fn is_missing_table(&self) -> bool {
        let Self::Statement { source: sqlx::Error::Database(cause), .. } = self else { return false };
        match cause.code().as_deref() {
            // PostgreSQL undefined_table; MySQL ER_NO_SUCH_TABLE.
            Some("42P01" | "42S02") => true,
            // SQLite has no code of its own for this.
            _ => cause.message().starts_with("no such table"),
        }
    }

    /// Reports whether the server refused the user or the password.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let Self::Statement { source: sqlx::Error::Database(cause), .. } = self else { return false };
        // PostgreSQL invalid_password and invalid_authorization_specification; MySQL ER_ACCESS_DENIED_ERROR
        // has the latter too.
        matches!(cause.code().as_deref(), Some("28P01" | "28000"))
    }

    /// Reports whether the schema is older or newer than this version expects.
    #[must_use]
    pub fn is_schema_mismatch(&self) -> bool {
        matches!(self, Self::Schema(_))
    }

    /// Reports whether the same transaction may succeed when it is run again: a deadlock, a
    /// serialisation failure, a lock that was not granted in time, or a row that somebody else has
    /// just inserted under the same unique key (`contract/data-model.md` section 5).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let Self::Statement { source: sqlx::Error::Database(cause), .. } = self else { return false };
        if cause.is_unique_violation() {
            return true;
        }
        if let Some(mysql) = cause.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            // ER_LOCK_DEADLOCK, ER_LOCK_WAIT_TIMEOUT, and MariaDB's "record has changed since last read".
            return matches!(mysql.number(), 1213 | 1205 | 1020);
        }
        if let Some(postgres) = cause.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            return matches!(postgres.code(), "40001" | "40P01");
        }
        // SQLITE_BUSY and SQLITE_LOCKED with their extended codes.
        let code = cause.code().and_then(|code| code.parse::<i32>().ok());
        code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
    }
}
