//! Migrations that are killed, as by a lack of memory or a power cut: no row is there, the lock is free, and
//! the next run migrates the same rows.

use std::{
    collections::BTreeMap,
    future,
    os::unix::process::ExitStatusExt,
    process::Command,
    time::{Duration, Instant},
};

use futures::FutureExt;
use migrate::{failure::Phase, observer::Checkpoint, report::Status};
use shared::{
    config::{Migration, Runtime, Variables},
    db::Database,
    repositories::tables,
};
use testing::{Kind, empty_database, on_every_database};

use crate::{
    harness::{Install, Interrupt, checksums, migrate},
    small::{small, small_with_vectors},
};

on_every_database!(
    a_migration_killed_before_the_load_leaves_no_row_and_no_lock,
    a_migration_killed_in_the_load_leaves_no_row_and_no_lock,
);

/// The variable that holds the number of the checkpoint at which [`victim`] kills itself.
const KILLED_AT: &str = "TEST_KILLED_AT";

/// How long a server may take to notice that a client is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// The process that [`killed`] starts. Without the variable it has nothing to do.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of the other tests of this file"]
async fn victim() {
    let variables = Variables::from_environment([]);
    let Some(number) = variables.get(KILLED_AT) else { return };
    let number: usize = number.parse().expect("the number of a checkpoint");
    let config = Migration::read(Runtime::Local, variables).expect("the settings of tests are right");
    let observer = Interrupt::new(Box::new(move |seen, _, _| {
        if seen == number {
            let killed = Command::new("sh").args(["-c", "kill -9 $PPID"]).status();
            unreachable!("killed, but {killed:?}");
        }
        future::ready(Ok(())).boxed()
    }));
    let report = migrate(&config, &observer, None).await;
    unreachable!("there is no checkpoint {number}: {report:?}");
}

/// Migrates in a process that kills itself at a checkpoint.
async fn killed(install: &Install, number: usize) {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.args(["kill::victim", "--exact", "--ignored", "--nocapture"]);
    command.envs(install.variables()).env(KILLED_AT, number.to_string());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it does not panic");
    let output = output.expect("the process can be started");
    assert_eq!(output.status.signal(), Some(9), "{number}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until the database has noticed that the process is gone, and gives the lock to another.
async fn lock_is_free(install: &Install) {
    let database = Database::open(&install.database).unwrap();
    let end = Instant::now() + PATIENCE;
    while database.lock_data_migration().await.unwrap().is_none() {
        assert!(Instant::now() < end, "the lock outlives its holder");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Kills a migration at each of some checkpoints, every time with another database, backup and vector store,
/// and lets the next run finish.
async fn recovers(kind: Kind, mut install: Install, chosen: impl FnOnce(&[Checkpoint]) -> Vec<usize>) {
    let undisturbed = Interrupt::never();
    let expected = install.migrate_watched(&undisturbed, None).await.unwrap();
    let passed = undisturbed.seen();
    for number in chosen(&passed) {
        install.database = empty_database(kind).await;
        for variable in ["BACKUP_URI", "LANCEDB_URI"] {
            let place = install.path(&format!("{variable}-{number}"));
            install.settings.push((variable, place));
        }
        killed(&install, number).await;
        lock_is_free(&install).await;
        let stored = install.stored().await;
        let report = install.migrate().await.unwrap_or_else(|failure| panic!("killed at {number}: {failure}"));
        if passed[number] == Checkpoint::Committed {
            assert_eq!(report.status, Status::AlreadyMigrated);
            assert_eq!(stored, install.stored().await);
        } else {
            assert_eq!(report.status, Status::Migrated);
            assert_eq!(stored, BTreeMap::new(), "killed at {number}, {:?}", passed[number]);
        }
        assert_eq!(checksums(&report), checksums(&expected), "killed at {number}");
        for table in tables::ALL {
            let rows = install.cells(table).await.len() as u64;
            assert_eq!(rows, expected.tables[table.name].inserted, "{}, killed at {number}", table.name);
        }
    }
}

fn place(passed: &[Checkpoint], wanted: Checkpoint) -> usize {
    passed.iter().position(|checkpoint| *checkpoint == wanted).expect("it is passed")
}

async fn a_migration_killed_before_the_load_leaves_no_row_and_no_lock(kind: Kind) {
    let chosen = |passed: &[Checkpoint]| {
        let begin = |phase| place(passed, Checkpoint::Begin(phase));
        let vectors = begin(Phase::Vectors);
        assert_eq!(passed[vectors + 1], Checkpoint::Statement, "there are vectors");
        vec![begin(Phase::Preflight), begin(Phase::Schema), begin(Phase::Backup), vectors, vectors + 1]
    };
    recovers(kind, small_with_vectors(kind).await, chosen).await;
}

async fn a_migration_killed_in_the_load_leaves_no_row_and_no_lock(kind: Kind) {
    let chosen = |passed: &[Checkpoint]| {
        let load = place(passed, Checkpoint::Begin(Phase::Load));
        let loaded = place(passed, Checkpoint::Loaded);
        let ends = [Checkpoint::Verified, Checkpoint::Committed].map(|end| place(passed, end));
        let mut chosen = vec![load, load + 1, usize::midpoint(load, loaded), loaded, loaded + 5];
        chosen.extend(ends);
        chosen
    };
    recovers(kind, small(kind).await, chosen).await;
}
