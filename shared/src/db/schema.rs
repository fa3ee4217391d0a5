//! The schema migrations: numbered SQL files per dialect, embedded in the binary.
//!
//! Applied files are recorded in `_migrations` under `<file name>:<SHA-256 of the file>`
//! (`contract/data-model.md` section 7). Runs are serialised by a lock of the database, so that many
//! processes may start at once. On PostgreSQL and SQLite a run is one transaction. On MySQL every
//! statement commits by itself: each one can be repeated, and the next run continues where a killed
//! one stopped.

use std::fmt::Write as _;

use sea_query::{Expr, ExprTrait, Query};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, Executor as _};

use super::{Database, Dialect, Error, Executor, Result, executor::Backend};
use crate::clock::Millis;

/// A migration: the name that it has in every dialect, and its SQL in each of them.
struct Migration {
    name: &'static str,
    postgres: &'static str,
    mysql: &'static str,
    sqlite: &'static str,
}

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        &[$(Migration {
            name: $name,
            postgres: include_str!(concat!("../../../migrations/postgres/", $name)),
            mysql: include_str!(concat!("../../../migrations/mysql/", $name)),
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $name)),
        }),*]
    };
}

/// All migrations in order. The first one makes the ledger of the others and is executed on every run.
const MIGRATIONS: &[Migration] =
    migrations!["0000_ledger.sql", "0001_tables.sql", "0002_pending_files.sql", "0003_push_slots.sql"];

impl Migration {
    fn sql(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Postgres => self.postgres,
            Dialect::MySql => self.mysql,
            Dialect::Sqlite => self.sqlite,
        }
    }

    /// Returns what the ledger records.
    fn hash(&self, dialect: Dialect) -> String {
        format!("{}:{}", self.name, hex::encode(Sha256::digest(self.sql(dialect))))
    }

    /// Returns the statements of the file. A statement ends with a semicolon at the end of a line.
    fn statements(&self, dialect: Dialect) -> impl Iterator<Item = &'static str> {
        self.sql(dialect).split(";\n").map(str::trim).filter(|statement| {
            statement.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with("--"))
        })
    }
}

/// Why the schema of a database does not fit this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Migrations of this version have not been applied.
    #[error(
        "the database schema is at {found}, this version needs {expected}: run `migrate schema` with the \
         same DATABASE_URL, then try again"
    )]
    Behind {
        /// The last applied migration, or `none`.
        found: String,
        /// The last migration of this version.
        expected: String,
    },
    /// The database was migrated by a newer version.
    #[error(
        "the database has the migration {found}, which this version does not know (its last is {expected}): \
         deploy the version that made it, or a newer one"
    )]
    Ahead {
        /// The unknown migration.
        found: String,
        /// The last migration of this version.
        expected: String,
    },
    /// A migration was edited after it had been applied.
    #[error(
        "the migration {name} was applied in another form (recorded {recorded}, here {expected}): restore the \
         released file; a change of the schema goes into a new file"
    )]
    Changed {
        /// The file name.
        name: String,
        /// The recorded SHA-256.
        recorded: String,
        /// The SHA-256 of the file of this version.
        expected: String,
    },
}

/// Compares what the ledger records with what this version has. `Ok` holds the migrations that are
/// still to be applied.
fn pending(dialect: Dialect, recorded: &[String]) -> Result<Vec<&'static Migration>, Mismatch> {
    let last = MIGRATIONS.last().map(|migration| migration.name).unwrap_or_default();
    for entry in recorded {
        let (name, digest) = entry.rsplit_once(':').unwrap_or((entry, ""));
        let Some(known) = MIGRATIONS.iter().find(|migration| migration.name == name) else {
            return Err(Mismatch::Ahead { found: name.to_owned(), expected: last.to_owned() });
        };
        let expected = known.hash(dialect);
        if *entry != expected {
            let (_, expected) = expected.rsplit_once(':').unwrap_or_default();
            return Err(Mismatch::Changed {
                name: name.to_owned(),
                recorded: digest.to_owned(),
                expected: expected.to_owned(),
            });
        }
    }
    Ok(MIGRATIONS.iter().filter(|migration| !recorded.contains(&migration.hash(dialect))).collect())
}

/// Checks that the database has exactly the migrations of this version.
///
/// # Errors
/// [`Mismatch`], or a failure of the database.
pub(super) async fn check(executor: &Executor) -> Result<()> {
    let executor = executor.unchecked();
    let found = match recorded(&executor).await {
        Ok(found) => found,
        Err(error) if error.is_missing_table() => Vec::new(),
        Err(error) => return Err(error),
    };
    let pending = pending(executor.dialect(), &found)?;
    if pending.is_empty() {
        return Ok(());
    }
    let name = |entry: &String| entry.split(':').next().unwrap_or_default().to_owned();
    Err(Mismatch::Behind {
        found: found.iter().max().map_or_else(|| "none".to_owned(), name),
        expected: MIGRATIONS.last().map(|migration| migration.name).unwrap_or_default().to_owned(),
    }
    .into())
}

async fn recorded(executor: &Executor) -> Result<Vec<String>> {
    let select = Query::select()
        .column("hash")
        .from("_migrations")
        .and_where(Expr::col("kind").eq("schema"))
        .order_by("id", sea_query::Order::Asc)
        .to_owned();
    let rows: Vec<(String,)> = executor.fetch_all("_migrations.find_schema", &select).await?;
    Ok(rows.into_iter().map(|(hash,)| hash).collect())
}

/// What a run of [`migrate`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The names of the migrations that this run applied, in order.
    pub applied: Vec<&'static str>,
    /// The last migration of this version.
    pub version: &'static str,
}

/// Brings the schema of a database up to this version.
///
/// Safe when it is run twice, in many processes at once, and after a run that was killed.
///
/// # Errors
/// [`Mismatch::Ahead`] or [`Mismatch::Changed`], or a failure of the database; PostgreSQL and SQLite
/// are then as before.
pub async fn migrate(database: &Database, now: Millis) -> Result<Report> {
    let database = database.unchecked();
    let dialect = database.dialect();
    let applied = match &database.backend {
        Backend::PostgresPool(pool) => {
            let mut connection = acquire(pool).await?;
            let mut transaction = connection.begin().await.map_err(failed)?;
            transaction.execute("SELECT pg_advisory_xact_lock(4702111234474983745)").await.map_err(failed)?;
            let applied = apply(&mut *transaction, dialect, now).await?;
            transaction.commit().await.map_err(failed)?;
            applied
        }
        Backend::MySqlPool(pool) => {
            let mut connection = acquire(pool).await?;
            let lock = "SELECT GET_LOCK(CONCAT('aimo_', MD5(DATABASE())), 300)";
            connection.execute(lock).await.map_err(failed)?;
            let applied = apply(&mut *connection, dialect, now).await;
            // The lock also ends with the connection.
            let unlock = connection.execute("SELECT RELEASE_LOCK(CONCAT('aimo_', MD5(DATABASE())))").await;
            if unlock.is_err() {
                drop(connection.detach());
            }
            applied?
        }
        Backend::SqlitePool(pool) => {
            let mut connection = acquire(pool).await?;
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
            let applied = apply(&mut *transaction, dialect, now).await?;
            transaction.commit().await.map_err(failed)?;
            applied
        }
        _ => return Err(Error::Internal("migrations run on a pool".to_owned())),
    };
    let version = MIGRATIONS.last().map(|migration| migration.name).unwrap_or_default();
    Ok(Report { applied, version })
}

async fn acquire<DB: sqlx::Database>(pool: &sqlx::Pool<DB>) -> Result<sqlx::pool::PoolConnection<DB>> {
    pool.acquire().await.map_err(failed)
}

fn failed(source: sqlx::Error) -> Error {
    Error::Statement { operation: "migrate.schema", source }
}

/// Applies what is missing, on a connection that holds the lock.
async fn apply<DB, C>(connection: &mut C, dialect: Dialect, now: Millis) -> Result<Vec<&'static str>>
where
    DB: sqlx::Database,
    for<'c> &'c mut C: sqlx::Executor<'c, Database = DB>,
    for<'r> (String,): sqlx::FromRow<'r, DB::Row>,
{
    for statement in MIGRATIONS[0].statements(dialect) {
        connection.execute(AssertSqlSafe(statement)).await.map_err(failed)?;
    }
    let rows = connection.fetch_all("SELECT hash FROM _migrations WHERE kind = 'schema'").await.map_err(failed)?;
    let recorded = rows
        .iter()
        .map(|row| <(String,) as sqlx::FromRow<DB::Row>>::from_row(row).map(|(hash,)| hash))
        .collect::<sqlx::Result<Vec<_>>>()
        .map_err(failed)?;
    let mut applied = Vec::new();
    for migration in pending(dialect, &recorded)? {
        for statement in migration.statements(dialect) {
            connection.execute(AssertSqlSafe(statement)).await.map_err(failed)?;
        }
        let mut record = "INSERT INTO _migrations (hash, kind, created_at) VALUES ".to_owned();
        let _ = write!(record, "('{}', 'schema', {now})", migration.hash(dialect));
        connection.execute(AssertSqlSafe(record)).await.map_err(failed)?;
        applied.push(migration.name);
    }
    Ok(applied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_has_statements_in_every_migration() {
        for migration in MIGRATIONS {
            for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
                assert!(migration.statements(dialect).count() > 0, "{} {dialect:?}", migration.name);
            }
        }
    }

    #[test]
    fn a_changed_and_an_unknown_migration_are_told_apart() {
        let changed = vec![format!("{}:{}", MIGRATIONS[0].name, "0".repeat(64))];
        assert!(matches!(pending(Dialect::Sqlite, &changed), Err(Mismatch::Changed { .. })));
        let unknown = vec!["9999_future.sql:00".to_owned()];
        assert!(matches!(pending(Dialect::Sqlite, &unknown), Err(Mismatch::Ahead { .. })));
    }
}
