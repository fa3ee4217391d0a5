//! Databases that exist for the length of a benchmark.

use std::{env, fs, path::PathBuf};

use shared::db::{Database, Options};
use sqlx::{AssertSqlSafe, Connection, Executor as _};

/// Where a database is made.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// The server of a URL.
    Postgres(String),
    /// The server of a URL.
    MySql(String),
}

impl Kind {
    /// Returns SQLite and the servers that the environment names.
    pub fn available() -> Vec<Self> {
        #[expect(clippy::disallowed_methods, reason = "the address of a test server is no setting of the product")]
        let url = |variable| env::var(variable).ok().filter(|url| !url.is_empty());
        let postgres = url("TEST_POSTGRES_URL").map(Self::Postgres);
        let mysql = url("TEST_MYSQL_URL").map(Self::MySql);
        [Some(Self::Sqlite), postgres, mysql].into_iter().flatten().collect()
    }

    /// Returns the name of the kind.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
            Self::MySql(_) => "MySQL/MariaDB",
        }
    }

    /// Runs a statement on the server.
    async fn execute(&self, statement: String) -> Result<(), sqlx::Error> {
        let statement = AssertSqlSafe(statement);
        match self {
            Self::Sqlite => Ok(()),
            Self::Postgres(url) => sqlx::PgConnection::connect(url).await?.execute(statement).await.map(|_| ()),
            Self::MySql(url) => sqlx::MySqlConnection::connect(url).await?.execute(statement).await.map(|_| ()),
        }
    }
}

/// An empty database that nobody else uses.
pub struct Scratch {
    kind: Kind,
    name: String,
    /// Where a file is.
    directory: PathBuf,
}

impl Scratch {
    /// Makes a database for a purpose; one at a time for each.
    ///
    /// # Errors
    /// The server or the file system refuses.
    pub async fn create(kind: Kind, purpose: &str) -> Result<Self, String> {
        let name = format!("aimo_bench_{}_{purpose}", std::process::id());
        let directory = env::temp_dir().join(&name);
        match &kind {
            Kind::Sqlite => fs::create_dir_all(&directory).map_err(|error| error.to_string())?,
            server => {
                let created = server.execute(format!("CREATE DATABASE {name}")).await;
                created.map_err(|error| error.to_string())?;
            }
        }
        Ok(Self { kind, name, directory })
    }

    /// Returns the URL of the database.
    ///
    /// # Errors
    /// The URL of the server cannot be read.
    pub fn url(&self) -> Result<String, String> {
        Ok(match &self.kind {
            Kind::Sqlite => format!("sqlite://{}", self.directory.join("aimo.db").display()),
            Kind::Postgres(url) | Kind::MySql(url) => {
                let (server, _) = url.rsplit_once('/').ok_or("the URL of a server ends with a database")?;
                format!("{server}/{}", self.name)
            }
        })
    }

    /// Opens the database with one connection, as a function does.
    ///
    /// # Errors
    /// The URL cannot be read.
    pub fn open(&self) -> Result<Database, String> {
        let url = self.url()?;
        Database::open(&Options { pool_size: 1, ..Options::for_url(url) })
    }

    /// Removes the database, whoever still has it open.
    ///
    /// # Errors
    /// The server or the file system refuses.
    pub async fn remove(self) -> Result<(), String> {
        let name = &self.name;
        let removed = match &self.kind {
            Kind::Sqlite => return fs::remove_dir_all(&self.directory).map_err(|error| error.to_string()),
            Kind::Postgres(_) => self.kind.execute(format!("DROP DATABASE {name} WITH (FORCE)")).await,
            Kind::MySql(_) => self.kind.execute(format!("DROP DATABASE {name}")).await,
        };
        removed.map_err(|error| error.to_string())
    }
}
