//! An old install to migrate, and a database to migrate it into.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use futures::future::{BoxFuture, FutureExt};
use migrate::{
    failure::{Cause, Failure, Phase},
    load::Deadline,
    observer::{Checkpoint, Event, Observer},
    report::{MARKER, Report},
    run::{self, Job},
};
use sea_query::{QueryBuilder, Values};
use sea_query_sqlx::{SqlxBinder, SqlxValues};
use serde_json::Value as Json;
use shared::{
    clock::ManualClock,
    config::{Migration, Runtime, Variables},
    db::{Cell, Cells, Database, Executor, Options},
    ids::SystemRandom,
    repositories::{
        data_migrations,
        tables::{self, Table},
    },
};
use tempfile::TempDir;
use testing::{Kind, empty_database};
use vectors::{Store, StoreOptions, testing::write_table};

/// As [`testing::on_every_database`], for what a file cannot show: the tests run on PostgreSQL and MariaDB.
macro_rules! on_servers {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                super::$test(testing::Kind::Postgres).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn mariadb() {
                super::$test(testing::Kind::MariaDb).await;
            }
        }
    )+};
}

pub(crate) use on_servers;

/// When every migration of these tests begins.
pub const NOW: i64 = 1_795_600_000_000;

/// The directory of the fixture.
pub fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contract/fixtures/legacy-lancedb-small")
}

/// An old install in a directory of its own, and an empty database.
pub struct Install {
    directory: TempDir,
    /// The database.
    pub database: Options,
    /// Settings beyond those of every test.
    pub settings: Vec<(&'static str, String)>,
    /// Whether the migration thinks that it is a function.
    pub runtime: Runtime,
}

impl Install {
    /// Returns an install without any table, and an empty database.
    pub async fn empty(kind: Kind) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        fs::create_dir(directory.path().join("old")).expect("a directory can be made");
        Self { directory, database: empty_database(kind).await, settings: Vec::new(), runtime: Runtime::Local }
    }

    /// Returns a copy of the fixture, and an empty database.
    pub async fn fixture(kind: Kind) -> Self {
        let install = Self::empty(kind).await;
        copy(&fixture().join("lancedb"), &install.directory.path().join("old"));
        install
    }

    /// Returns the same install with another setting.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// Returns a path in the directory of the install.
    pub fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Returns the LanceDB of the install.
    pub fn source(&self) -> String {
        self.path("old")
    }

    /// Returns the LanceDB of the install, to read from and write to.
    pub async fn store(&self) -> Store {
        let options = StoreOptions { uri: self.source(), ..StoreOptions::default() };
        Store::open_or_create(&options).await.expect("the store opens")
    }

    /// Writes rows of an old table, which is created when it is not there. `columns` are names and types, such as
    /// `uid:Utf8 createdAt:Timestamp(us)`; every cell may be null.
    pub async fn write(&self, table: &str, columns: &str, rows: &[Json]) {
        let columns = columns.split_whitespace().map(|column| column.split_once(':').expect("name:type"));
        let columns: Vec<_> = columns.map(|(name, data_type)| (name, data_type, true)).collect();
        write_table(&self.store().await, table, &columns, rows).await;
    }

    /// Returns the environment variables of a migration.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("DATABASE_URL", self.database.url.clone()),
            ("DATABASE_ACQUIRE_TIMEOUT_MS", "60000".to_owned()),
            ("MIGRATION_SOURCE_LANCEDB_URI", self.source()),
            ("BACKUP_URI", self.path("backup")),
            ("OPENAI_EMBEDDING_DIMENSIONS", "64".to_owned()),
        ];
        variables.extend(self.settings.iter().cloned());
        variables
    }

    /// Returns the settings of a migration.
    pub fn config(&self) -> Migration {
        let variables: Variables =
            self.variables().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Migration::read(self.runtime, variables).expect("the settings of tests are right")
    }

    /// Migrates.
    pub async fn migrate(&self) -> Result<Report, Failure> {
        self.migrate_watched(&Quiet, None).await
    }

    /// Migrates under somebody's eyes, all phases or one.
    pub async fn migrate_watched(&self, observer: &dyn Observer, only: Option<Phase>) -> Result<Report, Failure> {
        migrate(&self.config(), observer, only).await
    }

    /// Returns the problems that refuse the migration.
    pub async fn refusal(&self) -> String {
        self.migrate().await.expect_err("the migration is refused").to_string()
    }

    /// Returns the rows that a statement finds in the database.
    pub async fn fetch<T: shared::db::Row>(&self, sql: impl Into<String>) -> Vec<T> {
        testing::fetch(&self.database.url, sql.into()).await
    }

    /// Returns the rows that a statement finds, each as the list of its values.
    pub async fn rows(&self, sql: &str) -> Json {
        let value = |cell| match cell {
            Cell::Null => Json::Null,
            Cell::Text(text) => text.into(),
            Cell::Integer(integer) => integer.into(),
        };
        let rows = self.fetch::<Cells>(sql).await;
        rows.into_iter().map(|Cells(cells)| cells.into_iter().map(value).collect::<Json>()).collect()
    }
}

impl Install {
    /// Returns how many rows the database holds of each table that a migration fills, and of its record;
    /// nothing of those without rows.
    pub async fn stored(&self) -> BTreeMap<&'static str, u64> {
        let database = Database::open(&self.database).expect("the URL is right").unchecked();
        let mut stored = BTreeMap::new();
        for table in tables::ALL {
            match tables::count(&database, table).await {
                Ok(rows) => stored.insert(table.name, rows),
                Err(error) if error.is_missing_table() => None,
                Err(error) => panic!("{}: {error:?}", table.name),
            };
        }
        let marker = data_migrations::find_by_name(&database, MARKER).await.expect("the database answers");
        stored.insert("_migrations", u64::from(marker.is_some()));
        stored.retain(|_, rows| *rows > 0);
        stored
    }

    /// Returns the rows of a table, sorted.
    pub async fn cells(&self, table: &Table) -> Vec<Vec<Cell>> {
        cells(&Database::open(&self.database).expect("the URL is right"), table).await
    }
}

/// Returns the rows of a table, sorted.
pub async fn cells(db: &Executor, table: &Table) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    tables::for_each(db, table, |row| rows.push(row)).await.expect("the table can be read");
    rows.sort_unstable();
    rows
}

/// Returns what two migrations of one install have in common: the rows and the checksum of every table.
pub fn checksums(report: &Report) -> BTreeMap<&str, (u64, &str)> {
    let tables = report.tables.iter();
    tables.map(|(name, table)| (name.as_str(), (table.inserted, table.checksum.as_str()))).collect()
}

/// Migrates at [`NOW`].
pub async fn migrate(config: &Migration, observer: &dyn Observer, only: Option<Phase>) -> Result<Report, Failure> {
    let clock = ManualClock::at(NOW);
    let job = Job { config, clock: &clock, random: &SystemRandom, observer, deadline: Deadline(None), only };
    run::run(&job).await
}

/// A statement as it stands, to be run inside the transaction of a migration.
pub struct Sql(pub String);

impl SqlxBinder for Sql {
    fn build_sqlx<T: QueryBuilder>(&self, _: T) -> (String, SqlxValues) {
        (self.0.clone(), SqlxValues(Values(Vec::new())))
    }
}

/// Ends the session of a transaction, as a failover or an operator does.
pub async fn cut(kind: Kind, url: &str, transaction: &Executor) {
    let (own, end) = match kind {
        Kind::Postgres => ("CAST(pg_backend_pid() AS BIGINT)", "SELECT pg_terminate_backend({}, 10000)"),
        Kind::MariaDb => ("CAST(CONNECTION_ID() AS SIGNED)", "KILL CONNECTION {}"),
        Kind::Sqlite => unreachable!("a file has no sessions"),
    };
    let own = transaction.fetch_one("test.session", &Sql(format!("SELECT {own}"))).await;
    let (session,): (i64,) = own.expect("the session is there");
    testing::execute(url, end.replace("{}", &session.to_string())).await;
}

/// Copies a directory.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory can be made");
    for entry in fs::read_dir(from).expect("the directory is there") {
        let entry = entry.expect("the directory can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("the file can be copied");
        }
    }
}

/// Somebody who hears nothing.
pub struct Quiet;

impl Observer for Quiet {
    fn hear(&self, _: Event<'_>) {}
}

/// What an [`Interrupt`] does at a checkpoint: `Err` fails the migration there.
pub type Action<'t> =
    Box<dyn Fn(usize, Checkpoint, Option<&Executor>) -> BoxFuture<'t, Result<(), String>> + Send + Sync + 't>;

/// Somebody who does something at every checkpoint: with its number, counted from 0.
pub struct Interrupt<'t> {
    seen: Mutex<Vec<Checkpoint>>,
    action: Action<'t>,
}

impl<'t> Interrupt<'t> {
    /// Returns an observer that does `action` at every checkpoint.
    pub fn new(action: Action<'t>) -> Self {
        Self { seen: Mutex::default(), action }
    }

    /// Returns an observer that only notes the checkpoints.
    pub fn never() -> Self {
        Self::new(Box::new(|_, _, _| std::future::ready(Ok(())).boxed()))
    }

    /// Returns an observer that fails the migration at the checkpoint of a number.
    pub fn at(number: usize) -> Self {
        Self::new(Box::new(move |seen, _, _| {
            let outcome = if seen == number { Err("interrupted by the test".to_owned()) } else { Ok(()) };
            std::future::ready(outcome).boxed()
        }))
    }

    /// Returns an observer that fails the migration at the first checkpoint of a kind.
    pub fn on(stop: Checkpoint) -> Self {
        Self::new(Box::new(move |_, checkpoint, _| {
            let outcome = if checkpoint == stop { Err("interrupted by the test".to_owned()) } else { Ok(()) };
            std::future::ready(outcome).boxed()
        }))
    }

    /// Returns the checkpoints that were passed or stopped at.
    pub fn seen(&self) -> Vec<Checkpoint> {
        self.seen.lock().expect("nobody panics with the lock").clone()
    }
}

impl Observer for Interrupt<'_> {
    fn hear(&self, _: Event<'_>) {}

    fn may_go_on<'a>(
        &'a self,
        checkpoint: Checkpoint,
        transaction: Option<&'a Executor>,
    ) -> BoxFuture<'a, Result<(), Cause>> {
        let number = {
            let mut seen = self.seen.lock().expect("nobody panics with the lock");
            seen.push(checkpoint);
            seen.len() - 1
        };
        let action = (self.action)(number, checkpoint, transaction);
        async move { action.await.map_err(Cause::new) }.boxed()
    }
}
