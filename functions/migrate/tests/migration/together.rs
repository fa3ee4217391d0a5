//! Not alone: two migrations at once, a second one, somebody who writes meanwhile, another schema, and a COMMIT
//! whose outcome is unknown (`contract/migration.md` sections 3 and 7).

use std::{
    collections::BTreeMap,
    process::{Command, Output, Stdio},
    str::FromStr,
    time::Duration,
};

use futures::FutureExt;
use migrate::{
    failure::{Failure, Phase},
    observer::Checkpoint,
    report::{Report, Status},
};
use serde_json::json;
use shared::db::{Database, schema};
use sqlx::{ConnectOptions, Executor as _, sqlite::SqliteConnectOptions};
use testing::{Kind, Server, Settings, on_every_database};

use crate::{
    harness::{Install, Interrupt, NOW, checksums, cut, on_servers},
    small::small,
};

on_every_database!(
    a_second_migration_in_the_same_process_is_refused,
    a_second_migration_in_another_process_is_refused,
    of_two_processes_that_start_at_once_one_migrates,
    a_second_run_changes_nothing_and_reports_what_is_recorded,
    a_user_who_takes_an_email_meanwhile_stops_the_migration,
    a_schema_of_a_newer_version_is_refused,
    a_schema_that_is_behind_is_made,
    what_became_of_a_lost_commit_is_seen_by_the_next_run,
);

on_servers!(
    a_user_who_registers_during_the_load_stops_the_migration,
    a_connection_lost_before_commit_is_unknown_until_the_next_run,
);

/// Returns `migrate run` of an install, as a process of its own.
fn command(install: &Install) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
    command.arg("run").env("APP_ENV", "development").envs(install.variables());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn a_second_migration_in_the_same_process_is_refused(kind: Kind) {
    let install = &small(kind).await;
    let observer = Interrupt::new(Box::new(move |_, checkpoint, _| {
        async move {
            if matches!(checkpoint, Checkpoint::Begin(Phase::Schema) | Checkpoint::Loaded) {
                assert_eq!(install.refusal().await, "another migration is running");
            }
            Ok(())
        }
        .boxed()
    }));
    let report = install.migrate_watched(&observer, None).await.unwrap();
    assert_eq!(report.status, Status::Migrated);
    assert!(observer.seen().contains(&Checkpoint::Loaded));
}

async fn a_second_migration_in_another_process_is_refused(kind: Kind) {
    let install = &small(kind).await;
    let observer = Interrupt::new(Box::new(move |_, checkpoint, _| {
        async move {
            if checkpoint == Checkpoint::Loaded {
                let mut command = command(install);
                let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
                assert_eq!(output.status.code(), Some(1));
                assert!(errors(&output).contains("migrate: another migration is running"), "{}", errors(&output));
            }
            Ok(())
        }
        .boxed()
    }));
    let report = install.migrate_watched(&observer, None).await.unwrap();
    assert_eq!(report.status, Status::Migrated);
}

async fn of_two_processes_that_start_at_once_one_migrates(kind: Kind) {
    let install = small(kind).await;
    let started = [(); 2].map(|()| command(&install).spawn().unwrap());
    let mut migrated = Vec::new();
    for process in started {
        let output = tokio::task::spawn_blocking(move || process.wait_with_output()).await.unwrap().unwrap();
        if output.status.success() {
            migrated.push(serde_json::from_slice::<Report>(&output.stdout).unwrap());
        } else {
            let errors = errors(&output);
            assert!(errors.contains("another migration is running"), "{errors}");
        }
    }
    // The slower one may have come after the end of the other.
    let statuses: Vec<Status> = migrated.iter().map(|report| report.status).collect();
    let once = statuses.iter().filter(|status| **status == Status::Migrated).count();
    let later = statuses.iter().filter(|status| **status == Status::AlreadyMigrated).count();
    assert_eq!((once, later), (1, statuses.len() - 1), "{statuses:?}");
    assert_eq!(checksums(&install.migrate().await.unwrap()), checksums(&migrated[0]));
}

async fn a_second_run_changes_nothing_and_reports_what_is_recorded(kind: Kind) {
    let install = small(kind).await;
    let first = install.migrate().await.unwrap();
    let stored = install.stored().await;
    let observer = Interrupt::never();
    let second = install.migrate_watched(&observer, None).await.unwrap();
    assert_eq!(observer.seen(), [Checkpoint::Begin(Phase::Preflight)]);
    assert_eq!(second.status, Status::AlreadyMigrated);
    assert_eq!(second, Report { status: Status::AlreadyMigrated, ..first });
    assert_eq!(install.stored().await, stored);
    // Whoever has deleted something since does not get it back.
    testing::execute(&install.database.url, "DELETE FROM memos".to_owned()).await;
    assert_eq!(install.migrate().await.unwrap(), second);
    assert!(!install.stored().await.contains_key("memos"));
}

/// Registers a user through the product.
async fn register(kind: Kind, install: &Install, email: &str) {
    let settings = Settings { database_url: Some(install.database.url.clone()), ..Settings::default() };
    let server = Server::start_with(kind, settings).await;
    let credentials = json!({"email": email, "password": "secret"});
    server.anonymous().post("/api/v1/auth/register", credentials).await.data();
}

/// On a server: the rows of the migration and those of somebody else would both be there.
async fn a_user_who_registers_during_the_load_stops_the_migration(kind: Kind) {
    let install = &small(kind).await;
    let observer = Interrupt::new(Box::new(move |_, checkpoint, _| {
        async move {
            if checkpoint == Checkpoint::Loaded {
                register(kind, install, "somebody@else.com").await;
            }
            Ok(())
        }
        .boxed()
    }));
    let message = install.migrate_watched(&observer, None).await.expect_err("there is a row too many").to_string();
    let expected = "load, users: it holds 6 rows, expected 5; nobody else may write while a migration runs; \
                    database rolled back";
    assert_eq!(message, expected);
    // Who has registered is not lost either.
    let stored = install.stored().await;
    assert_eq!(stored["users"], 1);
    assert!(!stored.contains_key("memos") && !stored.contains_key("_migrations"), "{stored:?}");
    let refused = install.refusal().await;
    assert!(refused.contains("the database holds rows already: users (1)"), "{refused}");
}

/// A file has one writer at a time: who does not wait fails, and who waits comes after the migration.
#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_others_write_before_or_after_the_load() {
    let install = std::sync::Arc::new(small(Kind::Sqlite).await);
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let in_load = &install;
    let observer = Interrupt::new(Box::new(move |_, checkpoint, _| {
        let sender = sender.lock().unwrap().take_if(|_| checkpoint == Checkpoint::Loaded);
        async move {
            let Some(sender) = sender else { return Ok(()) };
            let impatient = SqliteConnectOptions::from_str(&in_load.database.url).unwrap();
            let mut impatient = impatient.busy_timeout(Duration::ZERO).connect().await.unwrap();
            let refused = impatient.execute("DELETE FROM users").await.expect_err("the file is locked");
            assert!(refused.to_string().contains("database is locked"), "{refused}");
            let patient = std::sync::Arc::clone(in_load);
            let registered =
                tokio::spawn(async move { register(Kind::Sqlite, &patient, "somebody@else.com").await });
            sender.send(registered).unwrap();
            Ok(())
        }
        .boxed()
    }));
    let report = install.migrate_watched(&observer, None).await.unwrap();
    receiver.await.unwrap().await.unwrap();
    assert_eq!(report.tables["users"].inserted, 5);
    assert_eq!(install.stored().await["users"], 6);
}

async fn a_user_who_takes_an_email_meanwhile_stops_the_migration(kind: Kind) {
    let install = &small(kind).await;
    let observer = Interrupt::new(Box::new(move |_, checkpoint, _| {
        async move {
            if checkpoint == Checkpoint::Begin(Phase::Load) {
                register(kind, install, "user1@example.com").await;
            }
            Ok(())
        }
        .boxed()
    }));
    let message = install.migrate_watched(&observer, None).await.expect_err("the e-mail is taken").to_string();
    assert!(message.starts_with("load, users: "), "{message}");
    assert!(message.contains("nobody else may write while a migration runs; database rolled back"), "{message}");
    // MySQL says which value is there twice.
    assert!(!message.contains("user1@"), "{message}");
    assert_eq!(install.stored().await["users"], 1);
}

async fn a_schema_of_a_newer_version_is_refused(kind: Kind) {
    let install = small(kind).await;
    schema::migrate(&Database::open(&install.database).unwrap(), NOW).await.unwrap();
    let newer = "INSERT INTO _migrations (hash, kind, created_at) VALUES ('9999_future.sql:00', 'schema', 1)";
    testing::execute(&install.database.url, newer.to_owned()).await;
    let message = install.refusal().await;
    assert!(message.starts_with("schema: the database has the migration 9999_future.sql"), "{message}");
    assert!(message.contains("no data was loaded"), "{message}");
    assert_eq!(install.stored().await, BTreeMap::new());
}

async fn a_schema_that_is_behind_is_made(kind: Kind) {
    let install = small(kind).await;
    schema::migrate(&Database::open(&install.database).unwrap(), NOW).await.unwrap();
    for table in shared::repositories::tables::ALL {
        testing::execute(&install.database.url, format!("DROP TABLE {}", table.name)).await;
    }
    testing::execute(&install.database.url, "DROP TABLE push_deliveries".to_owned()).await;
    let forget = "DELETE FROM _migrations WHERE hash LIKE '0001%'";
    testing::execute(&install.database.url, forget.to_owned()).await;
    let report = install.migrate().await.unwrap();
    assert_eq!(report.status, Status::Migrated);
    assert_eq!(install.stored().await["memos"], report.tables["memos"].inserted);
}

/// The process is told nothing, and everything is there.
async fn what_became_of_a_lost_commit_is_seen_by_the_next_run(kind: Kind) {
    let install = small(kind).await;
    let undisturbed = Interrupt::never();
    let expected = small(kind).await.migrate_watched(&undisturbed, None).await.unwrap();
    let last = undisturbed.seen().len() - 1;
    let observer = Interrupt::at(last);
    let failure = install.migrate_watched(&observer, None).await.expect_err("the answer is lost");
    assert_eq!(observer.seen()[last], Checkpoint::Committed);
    let message = failure.to_string();
    assert!(matches!(failure, Failure::Unknown(_)), "{message}");
    let expected_message = "the connection was lost while committing: interrupted by the test; run `migrate status` \
                            to see whether the data is there";
    assert_eq!(message, expected_message);
    let report = install.migrate().await.unwrap();
    assert_eq!(report.status, Status::AlreadyMigrated);
    assert_eq!(checksums(&report), checksums(&expected));
}

/// The process is told nothing either, and nothing is there.
async fn a_connection_lost_before_commit_is_unknown_until_the_next_run(kind: Kind) {
    let install = &small(kind).await;
    let observer = Interrupt::new(Box::new(move |_, checkpoint, transaction| {
        let transaction = transaction.cloned().filter(|_| checkpoint == Checkpoint::Verified);
        async move {
            if let Some(transaction) = transaction {
                cut(kind, &install.database.url, &transaction).await;
            }
            Ok(())
        }
        .boxed()
    }));
    let failure = install.migrate_watched(&observer, None).await.expect_err("COMMIT gets no answer");
    let message = failure.to_string();
    assert!(matches!(failure, Failure::Unknown(_)) && message.contains("run `migrate status`"), "{message}");
    assert_eq!(install.stored().await, BTreeMap::new());
    assert_eq!(install.migrate().await.unwrap().status, Status::Migrated);
}
