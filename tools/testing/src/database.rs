//! Databases for tests.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use shared::{
    clock::{Clock, SystemClock},
    db::{Database, Options, Row, schema},
};
use sqlx::{AssertSqlSafe, Connection, Executor as _};
use tokio::sync::OnceCell;

/// The databases that every test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// The server at `TEST_POSTGRES_URL`.
    Postgres,
    /// The server at `TEST_MYSQL_URL`.
    MariaDb,
}

impl Kind {
    fn of(url: &str) -> Self {
        match url.split(':').next() {
            Some("sqlite") => Self::Sqlite,
            Some("postgres") => Self::Postgres,
            _ => Self::MariaDb,
        }
    }
}

/// Returns a setting of the servers that `scripts/with-servers.sh` starts.
pub(crate) fn server_url(variable: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the address of a test server is no setting of the product")]
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests with `make test` or under scripts/with-servers.sh")
    })
}

/// Returns options for a URL, with more patience than the product has: many tests run at once.
fn patient(url: String) -> Options {
    Options { acquire_timeout: Duration::from_mins(1), ..Options::for_url(url) }
}

/// Makes an empty database that nobody else uses, without any table, and returns how to open it.
pub async fn empty_database(kind: Kind) -> Options {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let on_server = |url: &str| {
        let (server, _) = url.rsplit_once('/').expect("the URL ends with a database");
        format!("{server}/{name}")
    };
    let statement = format!("CREATE DATABASE {name}");
    match kind {
        Kind::Sqlite => {
            let directory = std::env::temp_dir().join("aimo-tests");
            std::fs::create_dir_all(&directory).expect("the directory for test databases can be made");
            let file = directory.join(format!("{name}.db"));
            for suffix in ["", "-wal", "-shm"] {
                // Left by an earlier process with the same number.
                let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
            }
            patient(format!("sqlite://{}", file.display()))
        }
        Kind::Postgres => {
            let url = server_url("TEST_POSTGRES_URL");
            let mut connection = sqlx::PgConnection::connect(&url).await.expect("PostgreSQL answers");
            connection.execute(AssertSqlSafe(statement)).await.expect("a database can be created");
            patient(on_server(&url))
        }
        Kind::MariaDb => {
            let url = server_url("TEST_MYSQL_URL");
            let mut connection = sqlx::MySqlConnection::connect(&url).await.expect("MariaDB answers");
            connection.execute(AssertSqlSafe(statement)).await.expect("a database can be created");
            patient(on_server(&url))
        }
    }
}

/// Runs a statement on a database behind the back of the product.
///
/// # Panics
/// The database fails or refuses the statement.
pub async fn execute(url: &str, sql: String) {
    let sql = AssertSqlSafe(sql);
    let outcome = match Kind::of(url) {
        Kind::Sqlite => connect::<sqlx::SqliteConnection>(url).await.execute(sql).await.map(|_| ()),
        Kind::Postgres => connect::<sqlx::PgConnection>(url).await.execute(sql).await.map(|_| ()),
        Kind::MariaDb => connect::<sqlx::MySqlConnection>(url).await.execute(sql).await.map(|_| ()),
    };
    outcome.expect("the statement is right");
}

/// Returns the rows that a statement finds behind the back of the product.
///
/// # Panics
/// As [`execute`], or a column does not have its type.
pub async fn fetch<T: Row>(url: &str, sql: String) -> Vec<T> {
    let sql = AssertSqlSafe(sql);
    let rows = match Kind::of(url) {
        Kind::Sqlite => sqlx::query_as(sql).fetch_all(&mut connect::<sqlx::SqliteConnection>(url).await).await,
        Kind::Postgres => sqlx::query_as(sql).fetch_all(&mut connect::<sqlx::PgConnection>(url).await).await,
        Kind::MariaDb => sqlx::query_as(sql).fetch_all(&mut connect::<sqlx::MySqlConnection>(url).await).await,
    };
    rows.expect("the statement is right")
}

async fn connect<C: Connection>(url: &str) -> C {
    C::connect(url).await.expect("the database answers")
}

/// Returns how to open the database of this process, with the schema of this version.
pub async fn shared_database(kind: Kind) -> Options {
    static SQLITE: OnceCell<Options> = OnceCell::const_new();
    static POSTGRES: OnceCell<Options> = OnceCell::const_new();
    static MARIADB: OnceCell<Options> = OnceCell::const_new();
    let cell = match kind {
        Kind::Sqlite => &SQLITE,
        Kind::Postgres => &POSTGRES,
        Kind::MariaDb => &MARIADB,
    };
    let options = cell.get_or_init(|| async {
        let options = empty_database(kind).await;
        let database = Database::open(&options).expect("the URL is right");
        schema::migrate(&database, SystemClock.now()).await.expect("the schema can be made");
        options
    });
    options.await.clone()
}
