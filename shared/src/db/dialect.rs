//! Every difference between PostgreSQL, MySQL/MariaDB and SQLite, each as one small function.

use sea_query::{Expr, ExprTrait, Func};

/// The SQL dialect of an open database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL 13 or newer.
    Postgres,
    /// MySQL 8 or MariaDB 10.6, or newer.
    MySql,
    /// SQLite 3.35 or newer.
    Sqlite,
}

impl Dialect {
    /// Returns the statement that opens a write transaction.
    ///
    /// SQLite must take its write lock at once: a transaction that reads first and writes later is
    /// refused without waiting when another has written in between.
    #[must_use]
    pub fn begin(self) -> &'static str {
        match self {
            Self::Postgres => "BEGIN",
            Self::MySql => "START TRANSACTION",
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// Returns the condition "`column` contains `text`", literally and minding case.
    ///
    /// `LIKE` ignores ASCII case on SQLite and has wildcards; PostgreSQL has no `INSTR`.
    #[must_use]
    pub fn contains(self, column: Expr, text: &str) -> Expr {
        let position = match self {
            Self::Postgres => Func::cust("STRPOS"),
            Self::MySql | Self::Sqlite => Func::cust("INSTR"),
        };
        Expr::expr(position.arg(column).arg(text)).gt(0)
    }

    /// Returns the integer quotient of a column and a constant.
    ///
    /// `/` of two integers is an integer on PostgreSQL and SQLite, and a decimal on MySQL.
    #[must_use]
    pub fn quotient(self, column: &'static str, divisor: i64) -> Expr {
        match self {
            Self::Postgres | Self::Sqlite => Expr::col(column).div(Expr::cust(divisor.to_string())),
            Self::MySql => Expr::cust(format!("`{column}` DIV {divisor}")),
        }
    }

    /// Reports whether the rows of a column that is NULL must be sorted by that column too, to come in the
    /// order of an index.
    ///
    /// PostgreSQL does not take `IS NULL` for one value, and sorts what the index has in order. The others
    /// do, and MySQL sorts when the column is named.
    #[must_use]
    pub fn sorts_by_null(self) -> bool {
        self == Self::Postgres
    }

    /// Returns the statements that let a transaction take its time, and its session rest between them.
    #[must_use]
    pub fn unlimited(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => {
                &["SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0"]
            }
            Self::MySql | Self::Sqlite => &[],
        }
    }

    /// Returns the query of the longest statement that the server takes, in bytes; `None` where there is no
    /// limit that matters.
    #[must_use]
    pub fn statement_limit(self) -> Option<&'static str> {
        match self {
            Self::MySql => Some("SELECT CAST(@@max_allowed_packet AS SIGNED)"),
            Self::Postgres | Self::Sqlite => None,
        }
    }

    /// Returns the statement that gathers statistics of a table that was just filled. SQLite keeps those that
    /// the schema migration has written.
    #[must_use]
    pub fn analyze(self, table: &str) -> Option<String> {
        match self {
            Self::Postgres => Some(format!("ANALYZE \"{table}\"")),
            Self::MySql => Some(format!("ANALYZE TABLE `{table}`")),
            Self::Sqlite => None,
        }
    }
}
