//! An old install to migrate, and a database to migrate it into.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use futures::future::{BoxFuture, FutureExt};
use migrate::{
    failure::{Cause, Failure, Phase},
    load::Deadline,
    observer::{Checkpoint, Event, Observer},
    report::Report,
    run::{self, Job},
};
use shared::{
    clock::ManualClock,
    config::{Migration, Runtime, Variables},
    db::{Executor, Options},
    ids::SystemRandom,
};
use tempfile::TempDir;
use testing::{Kind, empty_database};

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
}

impl Install {
    /// Returns an install without any table, and an empty database.
    pub async fn empty(kind: Kind) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        fs::create_dir(directory.path().join("old")).expect("a directory can be made");
        Self { directory, database: empty_database(kind).await, settings: Vec::new() }
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
        Migration::read(Runtime::Local, variables).expect("the settings of tests are right")
    }

    /// Migrates.
    pub async fn migrate(&self) -> Result<Report, Failure> {
        self.migrate_watched(&Quiet, None).await
    }

    /// Migrates under somebody's eyes, all phases or one.
    pub async fn migrate_watched(&self, observer: &dyn Observer, only: Option<Phase>) -> Result<Report, Failure> {
        let (config, clock) = (self.config(), ManualClock::at(NOW));
        run::run(&Job {
            config: &config,
            clock: &clock,
            random: &SystemRandom,
            observer,
            deadline: Deadline(None),
            only,
        })
        .await
    }

    /// Returns the problems that refuse the migration.
    pub async fn refusal(&self) -> String {
        self.migrate().await.expect_err("the migration is refused").to_string()
    }

    /// Returns the rows that a statement finds in the database.
    pub async fn fetch<T: shared::db::Row>(&self, sql: impl Into<String>) -> Vec<T> {
        testing::fetch(&self.database.url, sql.into()).await
    }
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

    /// Returns an observer that fails the migration at the checkpoint of a number.
    pub fn at(number: usize) -> Self {
        Self::new(Box::new(move |seen, _, _| {
            let outcome = if seen == number { Err("interrupted by the test".to_owned()) } else { Ok(()) };
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
