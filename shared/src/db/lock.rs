//! A lock that one process holds and that ends with it, however it ends: for work that must not run twice
//! at once.

use std::{
    fs::{File, TryLockError},
    path::PathBuf,
    time::Duration,
};

use sqlx::{MySqlConnection, PgConnection, SqlitePool};

use super::{Database, Error, Result, executor::Backend};

/// A lock that is held. It ends when this is dropped, or with the process.
#[derive(Debug)]
#[must_use = "the lock ends when this is dropped"]
pub struct Lock {
    /// What holds the lock: a session of the database, or an open file.
    _holder: Holder,
}

#[derive(Debug)]
#[expect(dead_code, reason = "what it holds is only kept")]
enum Holder {
    Postgres(PgConnection),
    MySql(MySqlConnection),
    Sqlite(File),
}

impl Database {
    /// Takes the lock of data migrations, which one process at a time may hold, or returns `None` when
    /// another process has it.
    ///
    /// PostgreSQL and MySQL keep it for a connection of its own. SQLite knows no such lock that outlives a
    /// transaction: there it is a lock on the file `<database>.migration`.
    ///
    /// # Errors
    /// The database cannot be reached, or the file cannot be made.
    pub async fn lock_data_migration(&self) -> Result<Option<Lock>> {
        let holder = match &self.backend {
            Backend::PostgresPool(pool) => {
                let mut connection = pool.acquire().await.map_err(failed)?.detach();
                let statement = "SELECT pg_try_advisory_lock(4702111234474983746)";
                let mut is_locked = false;
                // The server takes a moment to notice that a process has ended.
                for attempt in 0..10 {
                    if attempt > 0 {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    (is_locked,) = sqlx::query_as(statement).fetch_one(&mut connection).await.map_err(failed)?;
                    if is_locked {
                        break;
                    }
                }
                is_locked.then_some(Holder::Postgres(connection))
            }
            Backend::MySqlPool(pool) => {
                let mut connection = pool.acquire().await.map_err(failed)?.detach();
                let statement = "SELECT GET_LOCK(CONCAT('aimo_data_', MD5(DATABASE())), 1)";
                let (locked,): (Option<i64>,) =
                    sqlx::query_as(statement).fetch_one(&mut connection).await.map_err(failed)?;
                (locked == Some(1)).then_some(Holder::MySql(connection))
            }
            Backend::SqlitePool(pool) => lock_file(pool)?.map(Holder::Sqlite),
            _ => return Err(Error::Internal("a lock is not taken inside a transaction".to_owned())),
        };
        Ok(holder.map(|holder| Lock { _holder: holder }))
    }
}

fn lock_file(pool: &SqlitePool) -> Result<Option<File>> {
    let mut path = pool.connect_options().get_filename().as_os_str().to_owned();
    path.push(".migration");
    let path = PathBuf::from(path);
    let failed = |error| Error::Internal(format!("the lock file {} cannot be used: {error}", path.display()));
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn failed(source: sqlx::Error) -> Error {
    Error::Statement { operation: "lock_data_migration", source }
}
