//! What the old store and the database look like as a whole.

use std::collections::BTreeMap;

use futures::future::FutureExt;
use migrate::{failure::Phase, observer::Checkpoint, report::Status};
use serde_json::json;
use shared::{
    config::Migration,
    db::{Database, schema},
    repositories::tables,
};
use testing::{Kind, on_every_database};

use crate::{
    harness::{Interrupt, NOW, Quiet, migrate},
    old,
};

on_every_database!(
    an_install_without_tables_is_migrated_with_zero_counts,
    a_run_that_found_nothing_does_not_stand_in_the_way,
    nothing_is_made_where_there_is_no_place_for_the_backup,
    a_database_in_use_is_refused,
    a_database_of_the_half_migrated_product_is_refused,
    a_store_that_changes_meanwhile_is_not_migrated,
);

async fn an_install_without_tables_is_migrated_with_zero_counts(kind: Kind) {
    let install = old::install(kind).await;
    // Not data: what the old server writes at its first start.
    install.write("table_migrations", old::VERSIONS, &[json!({"tableName": "memos", "currentVersion": 16})]).await;
    let report = install.migrate().await.unwrap();
    assert_eq!(report.status, Status::NothingToMigrate);
    assert_eq!(report.tables.len(), 12);
    assert!(report.tables.values().all(|table| (table.source, table.inserted) == (0, 0)));
    let again = install.migrate().await.unwrap();
    assert_eq!((again.status, &again.tables), (Status::AlreadyMigrated, &report.tables));

    let comparisons = migrate::verify::verify(&install.config(), &Quiet).await.unwrap();
    assert!(comparisons.values().all(|table| table.database_is_unchanged && table.source_is_unchanged));
}

async fn a_run_that_found_nothing_does_not_stand_in_the_way(kind: Kind) {
    let install = old::install(kind).await;
    install.write("table_migrations", old::VERSIONS, &[json!({"tableName": "memos", "currentVersion": 16})]).await;
    // A phase alone says nothing about the others.
    for only in [Phase::Backup, Phase::Vectors] {
        let report = install.migrate_watched(&Quiet, Some(only)).await.unwrap();
        assert_eq!((report.status, install.stored().await), (Status::NothingToMigrate, BTreeMap::new()));
    }
    assert_eq!(install.migrate().await.unwrap().status, Status::NothingToMigrate);
    // It was the wrong place, or the data came later.
    install.write("users", old::USERS, &[old::user("u1", json!({}))]).await;
    install.write("memos", old::MEMOS, &[old::memo("m1", json!({}))]).await;
    let database = Database::open(&install.database).unwrap();
    let pending =
        async || migrate::status::status(&database, install.config().stores.as_ref()).await.unwrap().pending;
    assert_eq!(pending().await, ["memos", "users"]);
    let report = install.migrate().await.unwrap();
    assert_eq!((report.status, report.tables["memos"].inserted), (Status::Migrated, 1));
    assert_eq!((install.migrate().await.unwrap().status, pending().await.len()), (Status::AlreadyMigrated, 0));
}

async fn nothing_is_made_where_there_is_no_place_for_the_backup(kind: Kind) {
    let install = old::install(kind).await;
    install.write("users", old::USERS, &[old::user("u1", json!({}))]).await;
    let config = Migration { backup: None, skip_backup: false, ..install.config() };
    let refusal = migrate(&config, &Quiet, None).await.unwrap_err().to_string();
    assert!(refusal.contains("--backup is missing"), "{refusal}");
    assert_eq!(install.stored().await, BTreeMap::new());
    let database = Database::open(&install.database).unwrap().unchecked();
    assert!(tables::count(&database, tables::ALL[0]).await.unwrap_err().is_missing_table());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_does_not_exist_is_an_error() {
    let install = old::install(Kind::Sqlite).await;
    let install = {
        let missing = install.path("nowhere");
        install.with("MIGRATION_SOURCE_LANCEDB_URI", missing)
    };
    let refusal = install.refusal().await;
    assert!(
        refusal.contains("there is no LanceDB store at") && refusal.ends_with("nothing was changed"),
        "{refusal}"
    );
    assert_eq!(install.rows("SELECT name FROM sqlite_master").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_does_not_open_is_no_empty_table() {
    let install = old::install(Kind::Sqlite).await;
    install.write("users", old::USERS, &[old::user("u1", json!({}))]).await;
    install.write("memos", old::MEMOS, &[old::memo("m1", json!({}))]).await;
    std::fs::remove_dir_all(format!("{}/memos.lance/_versions", install.source())).unwrap();
    let refusal = install.refusal().await;
    assert!(refusal.contains("memos") && refusal.ends_with("nothing was changed"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_that_moved_on_to_mysql_is_refused_unless_told_otherwise() {
    for (table, version) in
        [("memo_vectors", 17), ("attachment_vectors", 18), ("_all_tables", 19), ("memos", 20), ("memos", 17)]
    {
        let install = old::install(Kind::Sqlite).await;
        install.write("users", old::USERS, &[old::user("u1", json!({}))]).await;
        let versions = [("users", 5), ("memos", 16), (table, version)];
        let versions = versions.map(|(table, version)| json!({"tableName": table, "currentVersion": version}));
        install.write("table_migrations", old::VERSIONS, &versions).await;
        let refusal = install.refusal().await;
        assert!(refusal.contains(table) && refusal.contains("--allow-stale-source"), "{refusal}");

        let report = install.with("MIGRATION_ALLOW_STALE_SOURCE", "true").migrate().await.unwrap();
        assert_eq!(report.tables["users"].inserted, 1);
        assert_eq!(report.table_migrations[table], version);
    }
}

async fn a_database_in_use_is_refused(kind: Kind) {
    let install = old::install(kind).await;
    install.write("memos", old::MEMOS, &[old::memo("m1", json!({}))]).await;
    schema::migrate(&Database::open(&install.database).unwrap(), NOW).await.unwrap();
    let execute = async |sql: &str| testing::execute(&install.database.url, sql.to_owned()).await;
    execute("INSERT INTO users VALUES ('u1', NULL, NULL, 'p', 's', NULL, NULL, 1, 1, 1)").await;
    execute("INSERT INTO memo_tags VALUES ('m1', 't1', 'u1', 0, 1), ('m1', 't2', 'u1', 1, 1)").await;
    let refusal = install.refusal().await;
    let expected = "the database holds rows already: users (1), memo_tags (2); migrate into an empty database";
    assert_eq!(refusal, expected);
    assert_eq!(install.rows("SELECT COUNT(*) FROM memos").await, json!([[0]]));
}

async fn a_database_of_the_half_migrated_product_is_refused(kind: Kind) {
    let install = old::install(kind).await;
    install.write("memos", old::MEMOS, &[old::memo("m1", json!({}))]).await;
    schema::migrate(&Database::open(&install.database).unwrap(), NOW).await.unwrap();
    let marker = "INSERT INTO _migrations (hash, kind, created_at) VALUES ('lancedb-to-drizzle-v1', 'data', 1)";
    testing::execute(&install.database.url, marker.to_owned()).await;
    let expected = "partially migrated by an earlier version; restore an empty database and run again";
    assert_eq!(install.refusal().await, expected);
}

async fn a_store_that_changes_meanwhile_is_not_migrated(kind: Kind) {
    let install = old::install(kind).await;
    install.write("memos", old::MEMOS, &[old::memo("m1", json!({}))]).await;
    install.write("users", old::USERS, &[old::user("u1", json!({}))]).await;
    let (old_server, install) = (&install, &install);
    let writer = Interrupt::new(Box::new(move |_, checkpoint, _| {
        async move {
            if checkpoint == Checkpoint::Loaded {
                old_server.write("memos", old::MEMOS, &[old::memo("m2", json!({}))]).await;
            }
            Ok(())
        }
        .boxed()
    }));
    let failure = install.migrate_watched(&writer, None).await.unwrap_err().to_string();
    let expected = "load: legacy store changed during migration: memos; stop the old server; database rolled back";
    assert_eq!(failure, expected);
    assert_eq!(install.rows("SELECT COUNT(*) FROM users").await, json!([[0]]));
    let marker = "SELECT COUNT(*) FROM _migrations WHERE kind = 'data'";
    assert_eq!(install.rows(marker).await, json!([[0]]));

    let report = install.migrate().await.unwrap();
    assert_eq!(report.tables["memos"].inserted, 2);
}
