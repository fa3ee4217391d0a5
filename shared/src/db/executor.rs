//! Runs statements on a pool or inside a transaction, without the caller knowing which.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use futures::TryStreamExt;
use sea_query::{MysqlQueryBuilder, PostgresQueryBuilder, QueryBuilder, SqliteQueryBuilder, Values};
use sea_query_sqlx::{SqlxBinder, SqlxValues};
use sqlx::{
    AssertSqlSafe, FromRow, MySql, MySqlPool, PgPool, Postgres, Sqlite, SqlitePool, mysql::MySqlRow,
    postgres::PgRow, sqlite::SqliteRow,
};
use tokio::sync::{Mutex, OnceCell};

use super::{Dialect, Error, Result, schema};
use crate::metrics::{self, Metric};

/// A row type that all three databases can fill; `#[derive(sqlx::FromRow)]` gives it.
pub trait Row:
    for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, MySqlRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{
}

impl<T> Row for T where
    T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, MySqlRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{
}

/// A statement without parameters that no builder knows.
pub(super) struct Plain<'a>(pub(super) &'a str);

impl SqlxBinder for Plain<'_> {
    fn build_sqlx<T: QueryBuilder>(&self, _: T) -> (String, SqlxValues) {
        (self.0.to_owned(), SqlxValues(Values(Vec::new())))
    }
}

/// A transaction that is shared by the closure that works in it and the code that ends it. It is
/// taken out when it ends.
type Shared<DB> = Arc<Mutex<Option<sqlx::Transaction<'static, DB>>>>;

#[derive(Clone)]
pub(super) enum Backend {
    PostgresPool(PgPool),
    MySqlPool(MySqlPool),
    SqlitePool(SqlitePool),
    PostgresTransaction(Shared<Postgres>),
    MySqlTransaction(Shared<MySql>),
    SqliteTransaction(Shared<Sqlite>),
}

/// Runs statements: directly on the pool, or inside an open transaction.
///
/// Repositories take `&Executor`, so every one of their methods works in both. The `operation` of
/// each method is the name of the repository method, for errors and logs.
#[derive(Clone)]
pub struct Executor {
    pub(super) backend: Backend,
    pub(super) statements: Arc<AtomicU64>,
    pub(super) schema: Arc<OnceCell<()>>,
    /// Whether the server has refused the password.
    pub(super) refused: Arc<AtomicBool>,
}

/// Builds `$statement` in the dialect of `$self`, makes it a query with `$make`, and runs it with `$run`.
macro_rules! run {
    ($self:ident, $operation:expr, $make:ident, $statement:ident, |$query:ident, $executor:ident| $run:expr) => {{
        $self.ready().await?;
        $self.count();
        macro_rules! on {
            ($builder:expr, $on:expr) => {{
                let (sql, values) = $statement.build_sqlx($builder);
                let ($query, $executor) = (sqlx::$make(AssertSqlSafe(sql), values), $on);
                $run
            }};
            (in $builder:expr, $transaction:expr) => {{
                match $transaction.lock().await.as_mut() {
                    Some(transaction) => on!($builder, &mut **transaction),
                    None => return Err(Error::Internal(format!("{}: the transaction has ended", $operation))),
                }
            }};
        }
        match &$self.backend {
            Backend::PostgresPool(pool) => on!(PostgresQueryBuilder, pool),
            Backend::MySqlPool(pool) => on!(MysqlQueryBuilder, pool),
            Backend::SqlitePool(pool) => on!(SqliteQueryBuilder, pool),
            Backend::PostgresTransaction(tx) => on!(in PostgresQueryBuilder, tx),
            Backend::MySqlTransaction(tx) => on!(in MysqlQueryBuilder, tx),
            Backend::SqliteTransaction(tx) => on!(in SqliteQueryBuilder, tx),
        }
        .map_err(|source| $self.failed($operation, source))
    }};
}

impl Executor {
    /// Returns the dialect of the database.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.backend {
            Backend::PostgresPool(_) | Backend::PostgresTransaction(_) => Dialect::Postgres,
            Backend::MySqlPool(_) | Backend::MySqlTransaction(_) => Dialect::MySql,
            Backend::SqlitePool(_) | Backend::SqliteTransaction(_) => Dialect::Sqlite,
        }
    }

    /// Reports whether statements run inside an open transaction.
    #[must_use]
    pub fn is_transaction(&self) -> bool {
        match self.backend {
            Backend::PostgresPool(_) | Backend::MySqlPool(_) | Backend::SqlitePool(_) => false,
            Backend::PostgresTransaction(_) | Backend::MySqlTransaction(_) | Backend::SqliteTransaction(_) => true,
        }
    }

    /// Runs a statement and returns how many rows it found. Not meaningful for upserts: MySQL counts
    /// them differently.
    ///
    /// # Errors
    /// The database fails or refuses the statement.
    pub async fn execute(&self, operation: &'static str, statement: &impl SqlxBinder) -> Result<u64> {
        run!(self, operation, query_with, statement, |query, db| query
            .execute(db)
            .await
            .map(|done| done.rows_affected()))
    }

    /// Returns all rows of a query.
    ///
    /// # Errors
    /// The database fails or refuses the statement, or a column does not have its type.
    pub async fn fetch_all<T: Row>(&self, operation: &'static str, statement: &impl SqlxBinder) -> Result<Vec<T>> {
        run!(self, operation, query_as_with, statement, |query, db| query.fetch_all(db).await)
    }

    /// Returns the first row of a query, if there is one.
    ///
    /// # Errors
    /// As [`Executor::fetch_all`].
    pub async fn fetch_optional<T: Row>(
        &self,
        operation: &'static str,
        statement: &impl SqlxBinder,
    ) -> Result<Option<T>> {
        run!(self, operation, query_as_with, statement, |query, db| query.fetch_optional(db).await)
    }

    /// Returns the only row of a query.
    ///
    /// # Errors
    /// As [`Executor::fetch_all`]; also when there is no row.
    pub async fn fetch_one<T: Row>(&self, operation: &'static str, statement: &impl SqlxBinder) -> Result<T> {
        run!(self, operation, query_as_with, statement, |query, db| query.fetch_one(db).await)
    }

    /// Hands every row of a query to `each`, one by one: for results that do not fit into memory.
    ///
    /// # Errors
    /// As [`Executor::fetch_all`].
    pub async fn for_each<T: Row>(
        &self,
        operation: &'static str,
        statement: &impl SqlxBinder,
        mut each: impl FnMut(T) + Send,
    ) -> Result<()> {
        run!(self, operation, query_as_with, statement, |query, db| {
            let mut rows = query.fetch(db);
            loop {
                match rows.try_next().await {
                    Ok(Some(row)) => each(row),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            }
        })
    }

    /// Returns the longest statement that the server takes, in bytes; `None` where there is no limit that
    /// matters.
    ///
    /// # Errors
    /// The database fails.
    pub async fn statement_limit(&self) -> Result<Option<u64>> {
        let Some(select) = self.dialect().statement_limit() else { return Ok(None) };
        let (limit,): (i64,) = self.fetch_one("statement_limit", &Plain(select)).await?;
        Ok(Some(limit.unsigned_abs()))
    }

    /// Gathers the statistics of a table that was just filled.
    ///
    /// # Errors
    /// The database fails.
    pub async fn analyze(&self, table: &str) -> Result<()> {
        let Some(statement) = self.dialect().analyze(table) else { return Ok(()) };
        self.execute("analyze", &Plain(&statement)).await.map(|_| ())
    }

    /// Compares the schema of the database with the one that this version needs, once per process.
    pub(super) async fn ready(&self) -> Result<()> {
        // Boxed, since the check itself runs statements.
        self.schema.get_or_try_init(|| Box::pin(schema::check(self))).await.copied()
    }

    /// Returns an executor that takes the schema as it is.
    pub(super) fn unchecked(&self) -> Self {
        let schema = Arc::new(OnceCell::new_with(Some(())));
        Self { schema, statements: Arc::default(), ..self.clone() }
    }

    /// Makes an error of what the driver says.
    pub(super) fn failed(&self, operation: &'static str, source: sqlx::Error) -> Error {
        let error = Error::Statement { operation, source };
        if error.is_refusal() {
            self.refused.store(true, Ordering::Relaxed);
        }
        error
    }

    /// Counts a statement.
    pub(super) fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        metrics::add(Metric::SqlStatements, 1);
    }
}
