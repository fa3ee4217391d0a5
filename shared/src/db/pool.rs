//! Opens the database named by a URL, and runs transactions on it.

use std::{
    ops::Deref,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use rand::RngExt;
use sqlx::{
    AssertSqlSafe, Connection,
    mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode},
    pool::{PoolConnectionMetadata, PoolOptions},
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::Mutex;

use super::{
    Dialect, Error, Result,
    executor::{Backend, Executor, Plain},
};

/// How often a transaction is tried before its deadlock or conflict reaches the caller.
const MAX_ATTEMPTS: u32 = 12;

/// A connection that has rested longer than this is tested before it is used again: a frozen
/// execution environment does not notice that the server has hung up.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(5);

/// Whether and how a server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// No encryption.
    Disable,
    /// Encryption if the server offers it.
    Prefer,
    /// Encryption without a check of the certificate.
    Require,
    /// Encryption, and the certificate is signed by a known authority.
    VerifyCa,
    /// As `VerifyCa`, and the certificate names the host.
    VerifyFull,
}

/// The journal of a SQLite file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqliteJournal {
    /// For a local disk: readers do not wait for the writer.
    Wal,
    /// For a network file system, where WAL corrupts.
    Truncate,
}

/// How the database is opened (`contract/configuration.md` sections 2 and 9).
#[derive(Debug, Clone)]
pub struct Options {
    /// `postgres://`, `postgresql://`, `mysql://`, `sqlite://` or `sqlite:`.
    pub url: String,
    /// The most connections of this process.
    pub pool_size: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// A connection that rests this long is closed.
    pub idle_timeout: Duration,
    /// Overrides the mode in the URL.
    pub ssl_mode: Option<SslMode>,
    /// A file of certificates that are trusted beside the public ones.
    pub ssl_ca: Option<PathBuf>,
    /// The journal, when the database is SQLite.
    pub sqlite_journal: SqliteJournal,
}

impl Options {
    /// Returns options for a URL with the defaults of a single process.
    #[must_use]
    pub fn for_url(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pool_size: 10,
            acquire_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_mins(5),
            ssl_mode: None,
            ssl_ca: None,
            sqlite_journal: SqliteJournal::Wal,
        }
    }

    fn pool<DB: sqlx::Database>(&self) -> PoolOptions<DB> {
        PoolOptions::new()
            .max_connections(self.pool_size)
            .acquire_timeout(self.acquire_timeout)
            .idle_timeout(self.idle_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection: &mut DB::Connection, meta: PoolConnectionMetadata| {
                async move {
                    if meta.idle_for > TEST_AFTER_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                }
                .boxed()
            })
    }
}

/// Returns the dialect that a URL names.
///
/// # Errors
/// The scheme is none of the known ones; the message lists them.
pub(crate) fn dialect_of(url: &str) -> Result<Dialect, String> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => Ok(Dialect::Postgres),
        Some("mysql" | "mariadb") => Ok(Dialect::MySql),
        Some("sqlite") => Ok(Dialect::Sqlite),
        _ => Err("the URL must begin with postgres://, postgresql://, mysql:// or sqlite:".to_owned()),
    }
}

/// Tries work again when the database reports a deadlock or a conflict with another writer.
async fn again<T, E: Transient, F: Future<Output = Result<T, E>>>(work: impl Fn() -> F) -> Result<T, E> {
    let mut attempt = 1;
    loop {
        match work().await {
            Err(error) if error.is_transient() && attempt < MAX_ATTEMPTS => {
                let pause = rand::rng().random_range(1..=10 * u64::from(attempt));
                tracing::debug!(attempt, pause_ms = pause, "transaction.retried");
                tokio::time::sleep(Duration::from_millis(pause)).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// What [`Database::transaction`] must know of an error: whether to run the transaction again.
pub trait Transient {
    /// Reports whether the same transaction may succeed when it is run again.
    fn is_transient(&self) -> bool;
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        Error::is_transient(self)
    }
}

/// An open database. Cheap to clone; connects when it is first used.
///
/// It is an [`Executor`] itself: statements outside a transaction run on the pool.
#[derive(Clone)]
pub struct Database(Executor);

impl Deref for Database {
    type Target = Executor;

    fn deref(&self) -> &Executor {
        &self.0
    }
}

impl Database {
    /// Opens the database without connecting to it. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// The URL cannot be read; the message does not repeat it, since it holds a password.
    pub fn open(options: &Options) -> Result<Self, String> {
        let backend = match dialect_of(&options.url)? {
            Dialect::Postgres => Backend::PostgresPool(open_postgres(options)?),
            Dialect::MySql => Backend::MySqlPool(open_mysql(options)?),
            Dialect::Sqlite => Backend::SqlitePool(open_sqlite(options)?),
        };
        Ok(Self(Executor { backend, statements: Arc::default(), schema: Arc::default(), refused: Arc::default() }))
    }

    /// Returns a database that is used whatever the version of its schema: for those who look at it before
    /// they make or fill it.
    #[must_use]
    pub fn unchecked(&self) -> Self {
        Self(self.0.unchecked())
    }

    /// Returns how many statements this process has sent, `BEGIN` and `COMMIT` included.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.0.statements.load(Ordering::Relaxed)
    }

    /// Reports whether the server has refused the user or the password: they may have been changed.
    #[must_use]
    pub fn was_refused(&self) -> bool {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Runs `work` in a transaction: committed when it succeeds, rolled back when it fails, and run
    /// again when the database reports a deadlock or a conflict with another writer. `work` must
    /// therefore have no effect outside the transaction.
    ///
    /// # Errors
    /// What `work` fails with, or the failure to begin or commit.
    pub fn transaction<'a, T, E, W, F>(&'a self, work: W) -> BoxFuture<'a, Result<T, E>>
    where
        T: Send + 'a,
        E: From<Error> + Transient + Send + 'a,
        W: Fn(Executor) -> F + Send + Sync + 'a,
        F: Future<Output = Result<T, E>> + Send + 'a,
    {
        async move {
            again(|| async {
                let transaction = self.begin().await?;
                match work((*transaction).clone()).await {
                    Ok(value) => transaction.commit().await.map(|()| value).map_err(E::from),
                    Err(error) => {
                        transaction.rollback().await;
                        Err(error)
                    }
                }
            })
            .await
        }
        .boxed()
    }

    /// Runs one statement that means the same when it is run twice, and runs it again as
    /// [`Database::transaction`] does.
    ///
    /// # Errors
    /// What the statement fails with.
    pub async fn repeat<T, F: Future<Output = Result<T>>>(&self, statement: impl Fn() -> F) -> Result<T> {
        again(statement).await
    }

    /// Begins a transaction that its owner ends, and that nobody runs again: for work that is too long, or
    /// tells too much about its progress, for [`Database::transaction`].
    ///
    /// # Errors
    /// The database cannot be reached, or fails.
    pub async fn begin(&self) -> Result<Transaction> {
        self.ready().await?;
        self.count();
        let statement = AssertSqlSafe(self.dialect().begin());
        let backend = match &self.backend {
            Backend::PostgresPool(pool) => {
                pool.begin_with(statement).await.map(|tx| Backend::PostgresTransaction(shared(tx)))
            }
            Backend::MySqlPool(pool) => {
                pool.begin_with(statement).await.map(|tx| Backend::MySqlTransaction(shared(tx)))
            }
            Backend::SqlitePool(pool) => {
                pool.begin_with(statement).await.map(|tx| Backend::SqliteTransaction(shared(tx)))
            }
            _ => return Err(Error::Internal("a transaction inside a transaction".to_owned())),
        };
        let backend = backend.map_err(|source| self.failed("begin", source))?;
        Ok(Transaction(Executor { backend, ..self.0.clone() }))
    }
}

/// An open transaction, which is an [`Executor`] itself. Dropped without an end, it is rolled back.
pub struct Transaction(Executor);

impl Deref for Transaction {
    type Target = Executor;

    fn deref(&self) -> &Executor {
        &self.0
    }
}

fn shared<T>(transaction: T) -> Arc<Mutex<Option<T>>> {
    Arc::new(Mutex::new(Some(transaction)))
}

impl Transaction {
    /// Lets this transaction take its time, and its session rest, whatever the limits of the database.
    ///
    /// # Errors
    /// The database fails.
    pub async fn take_time(&self) -> Result<()> {
        for statement in self.dialect().unlimited() {
            self.execute("take_time", &Plain(statement)).await?;
        }
        Ok(())
    }

    /// Makes what was written last.
    ///
    /// # Errors
    /// The database fails. When the connection was lost, the transaction may have been committed or not.
    pub async fn commit(self) -> Result<()> {
        self.count();
        let outcome = match &self.backend {
            Backend::PostgresTransaction(tx) => commit(tx).await,
            Backend::MySqlTransaction(tx) => commit(tx).await,
            Backend::SqliteTransaction(tx) => commit(tx).await,
            _ => Ok(()),
        };
        outcome.map_err(|source| Error::Statement { operation: "commit", source })
    }

    /// Takes back what was written. A failure to do so is only logged: the connection is closed, which rolls
    /// back too.
    pub async fn rollback(self) {
        self.count();
        let outcome = match &self.backend {
            Backend::PostgresTransaction(tx) => rollback(tx).await,
            Backend::MySqlTransaction(tx) => rollback(tx).await,
            Backend::SqliteTransaction(tx) => rollback(tx).await,
            _ => Ok(()),
        };
        if let Err(error) = outcome {
            tracing::warn!(error = %error, "transaction.rollback_failed");
        }
    }
}

type Slot<DB> = Mutex<Option<sqlx::Transaction<'static, DB>>>;

async fn commit<DB: sqlx::Database>(slot: &Slot<DB>) -> sqlx::Result<()> {
    let transaction = slot.lock().await.take();
    match transaction {
        Some(transaction) => transaction.commit().await,
        None => Ok(()),
    }
}

async fn rollback<DB: sqlx::Database>(slot: &Slot<DB>) -> sqlx::Result<()> {
    let transaction = slot.lock().await.take();
    match transaction {
        Some(transaction) => transaction.rollback().await,
        None => Ok(()),
    }
}

fn unreadable(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(cause) => format!("the database URL cannot be read: {cause}"),
        _ => "the database URL cannot be read".to_owned(),
    }
}

fn open_postgres(options: &Options) -> Result<sqlx::PgPool, String> {
    let mut connect =
        PgConnectOptions::from_str(&options.url).map_err(|error| unreadable(&error))?.application_name("aimo");
    if let Some(mode) = options.ssl_mode {
        connect = connect.ssl_mode(match mode {
            SslMode::Disable => PgSslMode::Disable,
            SslMode::Prefer => PgSslMode::Prefer,
            SslMode::Require => PgSslMode::Require,
            SslMode::VerifyCa => PgSslMode::VerifyCa,
            SslMode::VerifyFull => PgSslMode::VerifyFull,
        });
    }
    if let Some(file) = &options.ssl_ca {
        connect = connect.ssl_root_cert(file);
    }
    let pool: PgPoolOptions = options.pool();
    Ok(pool.connect_lazy_with(connect))
}

fn open_mysql(options: &Options) -> Result<sqlx::MySqlPool, String> {
    let url = options.url.replacen("mariadb:", "mysql:", 1);
    let mut connect = MySqlConnectOptions::from_str(&url).map_err(|error| unreadable(&error))?;
    if let Some(mode) = options.ssl_mode {
        connect = connect.ssl_mode(match mode {
            SslMode::Disable => MySqlSslMode::Disabled,
            SslMode::Prefer => MySqlSslMode::Preferred,
            SslMode::Require => MySqlSslMode::Required,
            SslMode::VerifyCa => MySqlSslMode::VerifyCa,
            SslMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
    }
    if let Some(file) = &options.ssl_ca {
        connect = connect.ssl_ca(file);
    }
    let pool: MySqlPoolOptions = options.pool();
    // As on PostgreSQL: a statement sees what others have committed before it, and no gap is locked.
    let pool = pool.after_connect(|connection, _| {
        async move {
            let statement = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
            sqlx::query(statement).execute(connection).await.map(|_| ())
        }
        .boxed()
    });
    Ok(pool.connect_lazy_with(connect))
}

fn open_sqlite(options: &Options) -> Result<sqlx::SqlitePool, String> {
    let connect = SqliteConnectOptions::from_str(&options.url)
        .map_err(|error| unreadable(&error))?
        .create_if_missing(true)
        .busy_timeout(Duration::from_secs(10))
        .journal_mode(match options.sqlite_journal {
            SqliteJournal::Wal => SqliteJournalMode::Wal,
            SqliteJournal::Truncate => SqliteJournalMode::Truncate,
        })
        // An acknowledged write survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .pragma("temp_store", "MEMORY")
        .pragma("mmap_size", "0");
    let pool: SqlitePoolOptions = options.pool();
    Ok(pool.connect_lazy_with(connect))
}
