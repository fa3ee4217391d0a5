//! Failures at every step: the database is as before, and the next run migrates the same rows
//! (`contract/migration.md` sections 7 and 11).

use std::collections::BTreeMap;

use futures::FutureExt;
use migrate::{
    failure::{Failure, Phase},
    observer::Checkpoint,
    report::Report,
};
use shared::repositories::tables;
use testing::{Kind, empty_database, on_every_database};

use crate::{
    harness::{Install, Interrupt, Sql, checksums, cut, on_servers},
    small::{small, small_with_vectors},
};

on_every_database!(
    a_failure_after_any_statement_leaves_no_row,
    a_failure_around_backup_and_vectors_is_made_up_for,
);

on_servers!(a_lost_connection_leaves_no_row);

/// Asserts that a migration that fails at a checkpoint says where, and leaves no row. Returns the table that it
/// names.
async fn fails_at(install: &Install, number: usize, passed: &[Checkpoint]) -> Option<String> {
    let observer = Interrupt::at(number);
    let failure = install.migrate_watched(&observer, None).await.expect_err("it is interrupted");
    assert_eq!(observer.seen(), passed[..=number], "at checkpoint {number}");
    let message = failure.to_string();
    let Failure::Failed { phase, table, .. } = failure else { panic!("at checkpoint {number}: {message}") };
    let begins = match &table {
        Some(table) => format!("{}, {table}: interrupted by the test; ", phase.as_str()),
        None => format!("{}: interrupted by the test; ", phase.as_str()),
    };
    let ends = match phase {
        Phase::Preflight => "nothing was changed",
        Phase::Schema | Phase::Backup | Phase::Vectors => "no data was loaded",
        Phase::Load => "database rolled back",
    };
    let expected = passed[..=number].iter().rev().find_map(|checkpoint| match checkpoint {
        Checkpoint::Begin(phase) => Some(*phase),
        _ => None,
    });
    assert_eq!(Some(phase), expected, "at checkpoint {number}");
    let rest = message.strip_prefix(&begins);
    assert!(rest.is_some_and(|rest| rest.starts_with(ends)), "at checkpoint {number}: {message}");
    assert_eq!(install.stored().await, BTreeMap::new(), "at checkpoint {number}, {:?}", passed[number]);
    table
}

/// Returns an install, what its migration reports when nothing disturbs it, and the checkpoints that it passes.
async fn prepared(kind: Kind) -> (Install, Report, Vec<Checkpoint>) {
    let mut install = small(kind).await;
    let undisturbed = Interrupt::never();
    let report = install.migrate_watched(&undisturbed, None).await.unwrap();
    install.database = empty_database(kind).await;
    (install, report, undisturbed.seen())
}

async fn a_failure_after_any_statement_leaves_no_row(kind: Kind) {
    let (install, expected, passed) = prepared(kind).await;
    let (last, may_fail) = passed.split_last().unwrap();
    assert_eq!(*last, Checkpoint::Committed);
    // In the order of the checkpoints: each failure finds what the one before has left.
    let mut tables: Vec<_> = Vec::new();
    for number in 0..may_fail.len() {
        tables.push(fails_at(&install, number, &passed).await);
    }
    // Each statement names its table: those that load, and those that read back.
    let loaded = passed.iter().position(|checkpoint| *checkpoint == Checkpoint::Loaded).unwrap();
    for named in [&tables[..loaded], &tables[loaded..]] {
        let mut named: Vec<&str> = named.iter().flatten().map(String::as_str).collect();
        named.dedup();
        assert_eq!(named, tables::ALL.map(|table| table.name));
    }
    let statements = tables[..loaded].iter().flatten().count();
    assert!(statements >= 3 * tables::ALL.len(), "{statements} statements");

    let report = install.migrate().await.unwrap();
    assert_eq!(checksums(&report), checksums(&expected));
    for table in tables::ALL {
        assert_eq!(install.cells(table).await.len() as u64, report.tables[table.name].inserted, "{}", table.name);
    }
}

async fn a_failure_around_backup_and_vectors_is_made_up_for(kind: Kind) {
    let install = small_with_vectors(kind).await;
    let undisturbed = Interrupt::never();
    let expected = install.migrate_watched(&undisturbed, None).await.unwrap();
    let passed = undisturbed.seen();
    let begin = |phase| passed.iter().position(|checkpoint| *checkpoint == Checkpoint::Begin(phase)).unwrap();
    let (backup, load) = (begin(Phase::Backup), begin(Phase::Load));

    let mut again = small_with_vectors(kind).await;
    for number in backup..=load {
        // A backup that was finished is not made again.
        let place = again.path(&format!("backup-{number}"));
        again = again.with("BACKUP_URI", place);
        fails_at(&again, number, &passed[..]).await;
    }
    let report = again.migrate().await.unwrap();
    assert_eq!(checksums(&report), checksums(&expected));
    assert_eq!(report.vector_tables, expected.vector_tables);
    assert_eq!(report.vector_tables["memos"].missing.ids, ["m3"]);
    assert_eq!(report.tables["vector_outbox"].inserted, 1);
    // What the failed runs have copied is there already.
    assert_eq!(report.caches["embedding_cache"].repeated, 1);
}

/// A real loss of the connection: while loading, before anything is read back, and between two tables that are.
async fn a_lost_connection_leaves_no_row(kind: Kind) {
    let (install, expected, passed) = prepared(kind).await;
    let place = |wanted| passed.iter().position(|checkpoint| *checkpoint == wanted).unwrap();
    let (begins, loaded) = (place(Checkpoint::Begin(Phase::Load)), place(Checkpoint::Loaded));
    for number in [begins + 1, usize::midpoint(begins, loaded), loaded, loaded + 4] {
        let url = install.database.url.clone();
        let observer = Interrupt::new(Box::new(move |seen, _, transaction| {
            let (url, transaction) = (url.clone(), transaction.cloned().filter(|_| seen == number));
            async move {
                if let Some(transaction) = transaction {
                    cut(kind, &url, &transaction).await;
                }
                Ok(())
            }
            .boxed()
        }));
        let failure = install.migrate_watched(&observer, None).await.expect_err("the connection is lost");
        assert_eq!(observer.seen().len(), number + 1, "{failure}");
        let message = failure.to_string();
        let Failure::Failed { phase: Phase::Load, table: Some(_), .. } = failure else { panic!("{message}") };
        assert!(message.ends_with("; database rolled back"), "{message}");
        assert_eq!(install.stored().await, BTreeMap::new(), "{message}");
    }
    assert_eq!(checksums(&install.migrate().await.unwrap()), checksums(&expected));
}

/// A real lack of space, which SQLite reports by the statement that needs it.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_no_row() {
    let (install, expected, _) = prepared(Kind::Sqlite).await;
    let observer = Interrupt::new(Box::new(|_, checkpoint, transaction| {
        let transaction = transaction.cloned().filter(|_| checkpoint == Checkpoint::Statement);
        async move {
            if let Some(transaction) = transaction {
                // Not less than there are, so: not one more.
                let limit = Sql("PRAGMA max_page_count = 1".to_owned());
                transaction.execute("test.limit", &limit).await.expect("SQLite answers");
            }
            Ok(())
        }
        .boxed()
    }));
    let message = install.migrate_watched(&observer, None).await.expect_err("the disk is full").to_string();
    assert!(message.starts_with("load, memos: "), "{message}");
    assert!(message.contains("disk is full") && message.ends_with("; database rolled back"), "{message}");
    assert_eq!(install.stored().await, BTreeMap::new());
    assert_eq!(checksums(&install.migrate().await.unwrap()), checksums(&expected));
}
