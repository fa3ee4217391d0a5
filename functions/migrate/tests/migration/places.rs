//! Other places: vectors and caches that move, backups that are used again and restored, and the same in a
//! bucket of an S3 server.
//!
//! Credentials come from the environment, which a test may not change for itself. So the test of the bucket is
//! two: the one that everybody sees starts this binary again with credentials, and runs the other.

#![expect(clippy::disallowed_methods, reason = "the server of the tests is known by the environment")]

use std::{collections::BTreeMap, env, process::Command};

use futures::TryStreamExt;
use migrate::{
    failure::Phase,
    observer::Checkpoint,
    report::{CacheReport, Report},
};
use serde_json::json;
use shared::config::Runtime;
use testing::Kind;
use vectors::{
    CACHE_TABLES, Place, Snapshot, Store, StoreOptions, Value, VectorKind, VectorTable, find_backups,
    restore_backup, testing::vector,
};

use crate::{
    harness::{Install, Interrupt, Quiet},
    old,
};

/// Returns what must be the same whenever the same rows are migrated.
fn checksums(report: &Report) -> BTreeMap<&str, (u64, &str)> {
    let tables = report.tables.iter();
    tables.map(|(name, table)| (name.as_str(), (table.inserted, table.checksum.as_str()))).collect()
}

/// Opens a store in a directory or in the bucket of the tests.
async fn store(uri: &str) -> Store {
    let server = uri.starts_with("s3:").then(|| server("ENDPOINT"));
    let options = StoreOptions {
        uri: uri.to_owned(),
        endpoint: server,
        region: Some("us-east-1".into()),
        ..StoreOptions::default()
    };
    Store::open_or_create(&options).await.expect("a store")
}

async fn snapshot(store: &Store, table: &str) -> Snapshot {
    store.snapshot(table).await.expect("the store opens").expect("the table is there")
}

/// Returns the vectors of a cache by their keys.
async fn cache(store: &Store, table: &str) -> BTreeMap<Vec<String>, Vec<f32>> {
    let columns = ["modelHash", "contentHash", "modalityType", "embedding"];
    let batches: Vec<_> = snapshot(store, table).await.rows(&columns, 100).try_collect().await.expect("rows");
    let mut cache = BTreeMap::new();
    for rows in &batches {
        for row in 0..rows.len() {
            let texts = columns[..3].iter().filter_map(|column| match rows.column(column).get(row) {
                Value::Text(text) => Some(text.to_owned()),
                _ => None,
            });
            let Value::Vector(vector) = rows.column("embedding").get(row) else { panic!("a vector") };
            let earlier = cache.insert(texts.collect(), vector.into_owned());
            assert_eq!(earlier, None, "a key once");
        }
    }
    cache
}

/// An install with vectors of both kinds, and both caches.
async fn install_with_vectors() -> Install {
    let install = old::install(Kind::Sqlite).await.with("OPENAI_EMBEDDING_DIMENSIONS", "4");
    let memos = format!("{} embedding:FSL<Float32>[4]", old::MEMOS);
    let rows: Vec<_> = (0..7).map(|seed| old::memo(&format!("m{seed}"), json!({"embedding": seed}))).collect();
    install.write("memos", &memos, &rows).await;
    let attachments = format!("{} multimodalEmbedding:FSL<Float32>[1024]", old::ATTACHMENTS);
    let hashed = json!({"multimodalEmbedding": 3, "multimodalModelHash": "h1", "createdAt": 9});
    let rows = [old::attachment("a1", hashed), old::attachment("a2", json!({"multimodalEmbedding": null}))];
    install.write("attachments", &attachments, &rows).await;
    let key = |model: &str, content: &str, seed: u64| json!({"modelHash": model, "contentHash": content, "modalityType": "text", "embedding": seed, "createdAt": 1});
    let text = "modelHash:Utf8 contentHash:Utf8 embedding:FSL<Float32>[4] createdAt:Timestamp(us)";
    let rows = [key("a", "x", 1), key("a", "y", 2), key("b", "x", 3), key("a", "x", 4)];
    install.write("embedding_cache", text, &rows).await;
    let multimodal =
        "modelHash:Utf8 contentHash:Utf8 modalityType:Utf8 embedding:FSL<Float32>[1024] createdAt:Timestamp(ms)";
    install.write("multimodal_embedding_cache", multimodal, &[key("a", "x", 5)]).await;
    install
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_and_caches_move_to_another_place() {
    let install = install_with_vectors().await;
    let target = install.path("new");
    let install = install.with("LANCEDB_URI", target.clone());
    let before = install.store().await.table_names().await.unwrap();
    let report = install.migrate().await.unwrap();

    let target = store(&target).await;
    let tables = ["attachment_vectors", "embedding_cache", "memo_vectors", "multimodal_embedding_cache"];
    assert_eq!(target.table_names().await.unwrap(), tables);
    assert_eq!(install.store().await.table_names().await.unwrap(), before, "the source is only read");

    let memos = VectorTable::open(&target, VectorKind::Memo).await.unwrap().unwrap();
    for seed in 0..7 {
        let found = memos.find(&[&format!("m{seed}")]).await.unwrap().remove(0);
        assert_eq!((found.vector, found.updated_at), (vector(seed, 4), 2));
    }
    let attachments = VectorTable::open(&target, VectorKind::Attachment).await.unwrap().unwrap();
    assert_eq!((attachments.count().await.unwrap(), attachments.dimension()), (1, 1024));
    let found = attachments.find(&["a1"]).await.unwrap().remove(0);
    let owner = (found.uid.as_str(), found.model_hash.as_deref(), found.updated_at);
    assert_eq!((found.vector, owner), (vector(3, 1024), ("u1", Some("h1"), 9)));
    assert_eq!(report.vector_tables["attachments"].missing.ids, ["a2"]);

    let keys = |key: &[&str]| key.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let expected = [(["a", "x"], 1), (["a", "y"], 2), (["b", "x"], 3)];
    let expected = expected.into_iter().map(|(key, seed)| (keys(&key), vector(seed, 4)));
    assert_eq!(cache(&target, CACHE_TABLES[0]).await, expected.collect());
    let expected = BTreeMap::from([(keys(&["a", "x", "text"]), vector(5, 1024))]);
    assert_eq!(cache(&target, CACHE_TABLES[1]).await, expected);
    assert_eq!(report.caches[CACHE_TABLES[0]], CacheReport { source: 4, copied: 3, repeated: 1 });
    assert_eq!(report.caches[CACHE_TABLES[1]], CacheReport { source: 1, copied: 1, repeated: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_repeated_doubles_nothing() {
    let install = install_with_vectors().await;
    let target = install.path("new");
    let install = install.with("LANCEDB_URI", target.clone());
    install.migrate_watched(&Quiet, Some(Phase::Vectors)).await.unwrap();
    let report = install.migrate().await.unwrap();
    let target = store(&target).await;
    assert_eq!(VectorTable::open(&target, VectorKind::Memo).await.unwrap().unwrap().count().await.unwrap(), 7);
    assert_eq!(report.caches[CACHE_TABLES[0]], CacheReport { source: 4, copied: 0, repeated: 4 });
    assert_eq!(cache(&target, CACHE_TABLES[0]).await.len(), 3);
}

/// Returns an install of a few rows that is backed up.
async fn small_install() -> Install {
    let install = Install::empty(Kind::Sqlite).await;
    install.write("users", old::USERS, &[old::user("u1", json!({"nickname": "陈 🐼"}))]).await;
    let memos = [old::memo("m1", json!({"tagIds": ["t1", "t2"]})), old::memo("m2", json!({"content": "\0长"}))];
    install.write("memos", old::MEMOS, &memos[..1]).await;
    install.write("memos", old::MEMOS, &memos[1..]).await;
    let message = old::message("msg1", json!({"sources": [{"memoId": "m1", "similarity": "NaN"}]}));
    install.write("ai_messages", old::MESSAGES, &[message]).await;
    install
}

async fn backups(place: &str) -> Vec<String> {
    let endpoint = place.starts_with("s3:").then(|| server("ENDPOINT"));
    let place = Place::parse(place, endpoint.as_deref(), Some("us-east-1")).expect("a place");
    find_backups(&place).await.expect("a list").into_iter().map(|(folder, _)| folder).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_used_again_until_the_store_changes() {
    let install = small_install().await;
    let failure = install.migrate_watched(&Interrupt::on(Checkpoint::Loaded), None).await.unwrap_err();
    assert!(failure.to_string().ends_with("database rolled back"), "{failure}");
    let first = backups(&install.path("backup")).await;
    assert_eq!(first.len(), 1);
    assert!(first[0].starts_with("20261125T") && first[0].len() == "20261125T134500Z-0a1b2c3d".len(), "{first:?}");

    install.migrate_watched(&Interrupt::on(Checkpoint::Loaded), None).await.unwrap_err();
    assert_eq!(backups(&install.path("backup")).await, first);

    install.write("users", old::USERS, &[old::user("u2", json!({}))]).await;
    let report = install.migrate().await.unwrap();
    assert_eq!(backups(&install.path("backup")).await.len(), 2);
    assert!(!report.backup.unwrap().ends_with(&first[0]));
    assert_eq!(report.tables["users"].inserted, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_stops_the_migration_before_the_load() {
    let install = small_install().await;
    install.migrate_watched(&Quiet, Some(Phase::Backup)).await.unwrap();
    let folder = backups(&install.path("backup")).await.remove(0);
    let file = install.path(&format!("backup/{folder}/memos.arrow"));
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let failure = install.migrate().await.unwrap_err().to_string();
    assert!(failure.starts_with("backup: ") && failure.contains("memos.arrow"), "{failure}");
    assert_eq!(install.rows("SELECT COUNT(*) FROM users").await, json!([[0]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_takes_too_long_is_refused_before_the_backup() {
    let install = Install::empty(Kind::Sqlite).await.with("MIGRATION_TIME_BUDGET_S", "1");
    let memos: Vec<_> = (0..4000).map(|number| old::memo(&format!("m{number}"), json!({}))).collect();
    install.write("memos", old::MEMOS, &memos).await;
    let expected = "estimated 1 min exceeds the function limit; run the migration binary on a host or container";
    assert_eq!(install.refusal().await, expected);
    assert_eq!(backups(&install.path("backup")).await, [""; 0]);
    assert_eq!(install.rows("SELECT name FROM sqlite_master").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_alone_needs_a_backup() {
    let install = small_install().await;
    let failure = install.migrate_watched(&Quiet, Some(Phase::Load)).await.unwrap_err().to_string();
    assert!(
        failure.contains("there is no finished backup of these versions: run the phase backup first"),
        "{failure}"
    );
    for phase in [Phase::Backup, Phase::Vectors, Phase::Load] {
        install.migrate_watched(&Quiet, Some(phase)).await.unwrap();
    }
    assert_eq!(install.rows("SELECT COUNT(*) FROM memos").await, json!([[2]]));
    assert_eq!(backups(&install.path("backup")).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_alone_gives_an_install_that_migrates_to_the_same_rows() {
    let install = small_install().await;
    let report = install.migrate().await.unwrap();
    let folder = backups(&install.path("backup")).await.remove(0);
    std::fs::remove_dir_all(install.source()).unwrap();

    let other = old::install(Kind::Sqlite).await;
    let place = Place::parse(&install.path("backup"), None, None).unwrap();
    restore_backup(&place, &folder, &other.store().await).await.unwrap();
    assert_eq!(checksums(&other.migrate().await.unwrap()), checksums(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_keeps_no_backup_in_a_directory_that_is_lost_with_it() {
    let mut install = small_install().await;
    install.runtime = Runtime::Lambda;
    let refused = "--backup must be an s3:// prefix: the directories of a function are lost with it";
    assert_eq!(install.refusal().await, refused);
    let elsewhere = install.path("mounted");
    let install = install.with("EFS_MOUNT_PATH", elsewhere.clone());
    assert_eq!(install.refusal().await, refused);
    let report = install.with("BACKUP_URI", format!("{elsewhere}/backup")).migrate().await.unwrap();
    assert!(report.backup.unwrap().starts_with(&elsewhere));
}

fn server(setting: &str) -> String {
    let name = format!("TEST_S3_{setting}");
    env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run this by scripts/with-servers.sh"))
}

#[test]
fn everything_may_be_in_a_bucket() {
    let output = Command::new(env::current_exe().expect("this binary"))
        .args(["--exact", "places::migrates_in_a_bucket", "--ignored", "--nocapture"])
        .env("AWS_ACCESS_KEY_ID", server("ACCESS_KEY_ID"))
        .env("AWS_SECRET_ACCESS_KEY", server("SECRET_ACCESS_KEY"))
        .output()
        .expect("this binary runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by everything_may_be_in_a_bucket"]
async fn migrates_in_a_bucket() {
    let uri = |name: &str| format!("s3://{}/migration-{}/{name}", server("BUCKET"), std::process::id());
    let in_bucket = |install: Install| {
        install
            .with("LANCEDB_S3_ENDPOINT", server("ENDPOINT"))
            .with("AWS_REGION", "us-east-1")
            .with("BACKUP_URI", uri("backups"))
    };
    // The fixture gets there by its backup.
    let local = in_bucket(Install::fixture(Kind::Sqlite).await);
    let expected = local.migrate().await.unwrap();
    let folder = backups(&uri("backups")).await.remove(0);
    assert_eq!(expected.backup.as_deref(), Some(format!("{}/{folder}", uri("backups")).as_str()));
    let place = Place::parse(&uri("backups"), Some(&server("ENDPOINT")), Some("us-east-1")).unwrap();
    let source = store(&uri("old")).await;
    restore_backup(&place, &folder, &source).await.unwrap();
    let old_tables = source.table_names().await.unwrap();

    let install = in_bucket(Install::empty(Kind::Sqlite).await)
        .with("MIGRATION_SOURCE_LANCEDB_URI", uri("old"))
        .with("LANCEDB_URI", uri("new"));
    let failure = install.migrate_watched(&Interrupt::on(Checkpoint::Loaded), None).await.unwrap_err();
    assert!(failure.to_string().ends_with("database rolled back"), "{failure}");
    assert_eq!(backups(&uri("backups")).await.len(), 2);
    let report = install.migrate().await.unwrap();
    assert_eq!(backups(&uri("backups")).await.len(), 2, "the backup of the run that failed is used again");

    assert_eq!(checksums(&report), checksums(&expected));
    assert_eq!(report.vector_tables, expected.vector_tables);
    assert_eq!(source.table_names().await.unwrap(), old_tables);
    let target = store(&uri("new")).await;
    let moved = VectorTable::open(&target, VectorKind::Memo).await.unwrap().unwrap();
    assert_eq!(moved.count().await.unwrap(), 60);
    let report = &report.caches[CACHE_TABLES[0]];
    assert_eq!(report.source, 69);
    // The first run copied them.
    assert_eq!((report.copied, report.repeated), (0, 69));
    let in_target = snapshot(&target, CACHE_TABLES[0]).await.count_rows().await.unwrap();
    assert_eq!(cache(&target, CACHE_TABLES[0]).await.len() as u64, in_target);
}
