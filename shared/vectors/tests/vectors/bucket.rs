//! The same in a bucket of an S3 server.
//!
//! Credentials come from the environment, which a test may not change for itself. So each test here is
//! two: the one that everybody sees starts this binary again with credentials, and runs the other.

#![expect(clippy::disallowed_methods, reason = "the server of the tests is known by the environment")]

use std::{collections::HashSet, env, process::Command, slice, time::Duration};

use futures::future::join_all;
use serde_json::json;
use vectors::{
    CacheCopy, CacheKey, CacheKind, EmbeddingCache, Error, Origin, Place, Store, StoreOptions, VectorKind,
    VectorRow, VectorTable, copy_cache, find_backups, restore_backup,
    testing::{vector, write_table},
    verify_backup, write_backup,
};

use crate::{read, read_all, snapshot};

fn server(setting: &str) -> String {
    let name = format!("TEST_S3_{setting}");
    env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run this by scripts/with-servers.sh"))
}

/// Runs an ignored test of this file with credentials.
fn with_credentials(test: &str, secret: &str) {
    let binary = env::current_exe().expect("this binary");
    let output = Command::new(binary)
        .args(["--exact", &format!("bucket::{test}"), "--ignored", "--nocapture"])
        .env("AWS_ACCESS_KEY_ID", server("ACCESS_KEY_ID"))
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .output()
        .expect("this binary runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn with_secret(test: &str) {
    with_credentials(test, &server("SECRET_ACCESS_KEY"));
}

/// Returns a store that the processes of one parent share.
async fn of_parent(prefix: &str) -> Store {
    let uri = format!("s3://{}/vectors-{}/{prefix}", server("BUCKET"), std::os::unix::process::parent_id());
    Store::open_or_create(&options(uri)).await.expect("a store")
}

fn uri(prefix: &str) -> String {
    format!("s3://{}/vectors-{}/{prefix}", server("BUCKET"), std::process::id())
}

fn options(uri: String) -> StoreOptions {
    StoreOptions {
        uri,
        endpoint: Some(server("ENDPOINT")),
        region: Some("us-east-1".into()),
        ..StoreOptions::default()
    }
}

async fn store(prefix: &str) -> Store {
    Store::open_or_create(&options(uri(prefix))).await.expect("a store")
}

#[test]
fn tables_are_read_in_a_bucket() {
    with_secret("reads_tables");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by tables_are_read_in_a_bucket"]
async fn reads_tables() {
    let store = store("read").await;
    assert_eq!(store.table_names().await.expect("names"), [""; 0]);
    assert!(store.snapshot("memos").await.expect("an answer").is_none());
    let columns = [("memoId", "Utf8", false), ("content", "LargeUtf8", true)];
    write_table(&store, "memos", &columns, &[json!({"memoId": "m1", "content": "记"})]).await;
    let pinned = snapshot(&store, "memos").await;
    write_table(&store, "memos", &columns, &[json!({"memoId": "m2"})]).await;

    let store = Store::open(&options(uri("read"))).await.expect("a store");
    assert_eq!(store.table_names().await.expect("names"), ["memos"]);
    let both = [json!({"memoId": "m1", "tags": null}), json!({"memoId": "m2", "tags": null})];
    assert_eq!(read(&snapshot(&store, "memos").await, &["memoId", "tags"]).await, both);
    assert_eq!(read(&pinned, &["content"]).await, [json!({"content": "记"})]);
    assert!(pinned.latest_version().await.expect("a version") > pinned.version());
    assert!(pinned.data_bytes().await.expect("a size") > 0);
}

#[test]
fn writers_at_once_double_nothing_in_a_bucket() {
    with_secret("writes_at_once");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by writers_at_once_double_nothing_in_a_bucket"]
async fn writes_at_once() {
    let writers = (0..6).map(|writer| {
        tokio::spawn(async move {
            let store = store("writers").await;
            let table = VectorTable::open_or_create(&store, VectorKind::Memo, 16).await.expect("a table");
            for round in 0..2 {
                let row = |id: String| VectorRow {
                    id,
                    uid: "u".into(),
                    vector: vector(writer, 16),
                    model_hash: None,
                    updated_at: 1,
                };
                let rows: Vec<_> =
                    (0..20).map(|n| row(format!("m{n}"))).chain([row(format!("{writer}-{round}"))]).collect();
                table.upsert(&rows).await.expect("stored");
            }
        })
    });
    for writer in join_all(writers).await {
        writer.expect("no panic");
    }
    let store = store("writers").await;
    let table = VectorTable::open(&store, VectorKind::Memo).await.expect("an answer").expect("the table");
    assert_eq!(table.count().await.expect("a number"), 20 + 6 * 2);
    table.optimize().await.expect("compacted");
    assert_eq!(table.nearest("u", "m", &vector(1, 16), 100).await.expect("hits").len(), 32);
    table.delete(&["m1"]).await.expect("deleted");
    assert_eq!(table.find(&["m1", "m2"]).await.expect("rows").len(), 1);
}

#[test]
fn eight_processes_append_to_one_cache() {
    let writers: Vec<_> = (0..8).map(|_| std::thread::spawn(|| with_secret("appends"))).collect();
    for writer in writers {
        writer.join().expect("it appends");
    }
    with_secret("finds_all_appends");
}

const APPENDS: usize = 6;
const MODEL: CacheKey<'_> = CacheKey { model_hash: "m", modality_type: None };

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started eight times by eight_processes_append_to_one_cache"]
async fn appends() {
    let cache =
        EmbeddingCache::open_or_create(&of_parent("appends").await, CacheKind::Text, 16).await.expect("a cache");
    for n in 0..APPENDS {
        let hash = format!("{}-{n}", std::process::id());
        cache.append(MODEL, &[(&hash, &vector(1, 16))], 1).await.expect("stored");
        assert_eq!(cache.find(MODEL, &[&hash]).await.expect("hits").len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by eight_processes_append_to_one_cache"]
async fn finds_all_appends() {
    let store = of_parent("appends").await;
    let rows = read(&snapshot(&store, "embedding_cache").await, &["contentHash"]).await;
    let hashes: HashSet<_> = rows.iter().map(ToString::to_string).collect();
    assert_eq!((rows.len(), hashes.len()), (8 * APPENDS, 8 * APPENDS));
    let done = store.upkeep("embedding_cache", Duration::from_hours(1)).await.expect("done").expect("it is ours");
    assert_eq!(done.rows, 8 * APPENDS as u64);
}

#[test]
fn a_store_that_is_not_there_is_given_up_in_time() {
    with_secret("gives_up");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by a_store_that_is_not_there_is_given_up_in_time"]
async fn gives_up() {
    let nowhere = StoreOptions {
        endpoint: Some("http://127.0.0.1:1".into()),
        give_up_after: Some(Duration::from_secs(2)),
        ..options(uri("nowhere"))
    };
    let store = Store::at(&nowhere).expect("a place");
    // LanceDB itself would go on for three minutes.
    let opened = tokio::time::timeout(Duration::from_secs(30), VectorTable::open(&store, VectorKind::Memo)).await;
    opened.expect("it gives up").expect_err("nobody listens");
}

#[test]
fn backups_and_caches_are_kept_in_a_bucket() {
    with_secret("keeps_backups_and_caches");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by backups_and_caches_are_kept_in_a_bucket"]
async fn keeps_backups_and_caches() {
    let source = store("source").await;
    let columns = [
        ("modelHash", "Utf8", false),
        ("contentHash", "Utf8", false),
        ("embedding", "FSL<Float32>[1536]", false),
        ("createdAt", "Timestamp(ms)", false),
    ];
    // More than one part of an upload.
    let rows =
        (0..2500).map(|n| json!({"modelHash": "a", "contentHash": n.to_string(), "embedding": n, "createdAt": n}));
    write_table(&source, "embedding_cache", &columns, &rows.collect::<Vec<_>>()).await;
    let cache = snapshot(&source, "embedding_cache").await;

    let place = Place::parse(&uri("backups"), Some(&server("ENDPOINT")), Some("us-east-1")).expect("a place");
    assert!(!place.is_local());
    assert_eq!(find_backups(&place).await.expect("a list"), []);
    let origin =
        Origin { run_id: "r".into(), product_version: "1".into(), source_uri: "old".into(), created_at: 1 };
    let manifest =
        write_backup(slice::from_ref(&cache), &place, "first", origin, |_, _| ()).await.expect("a backup");
    assert!(manifest.tables[0].bytes > 8 << 20, "{}", manifest.tables[0].bytes);
    verify_backup(&place, "first", &manifest).await.expect("whole");
    assert_eq!(find_backups(&place).await.expect("a list"), [("first".to_owned(), manifest.clone())]);
    let mut other = manifest;
    other.tables[0].sha256 = "0".repeat(64);
    assert!(matches!(verify_backup(&place, "first", &other).await, Err(Error::Damaged { .. })));

    let restored = store("restored").await;
    restore_backup(&place, "first", &restored).await.expect("restored");
    let again = snapshot(&restored, "embedding_cache").await;
    assert_eq!(read_all(&again).await, read_all(&cache).await);

    let target = store("target").await;
    for expected in [
        CacheCopy { source: 2500, copied: 2500, repeated: 0 },
        CacheCopy { source: 2500, copied: 0, repeated: 2500 },
    ] {
        assert_eq!(copy_cache(&cache, &target, |_| ()).await.expect("copied"), expected);
    }
}

#[test]
fn a_wrong_secret_and_a_missing_bucket_are_told() {
    with_secret("tells_a_missing_bucket");
    with_credentials("tells_a_wrong_secret", "wrong-secret");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by a_wrong_secret_and_a_missing_bucket_are_told"]
async fn tells_a_missing_bucket() {
    for opened in [
        Store::open(&options("s3://no-such-bucket-here/a".into())).await,
        Store::open_or_create(&options("s3://no-such-bucket-here/a".into())).await,
    ] {
        let error = opened.expect_err("no bucket").to_string();
        assert!(error.contains("no-such-bucket-here") && error.contains("NoSuchBucket"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by a_wrong_secret_and_a_missing_bucket_are_told"]
async fn tells_a_wrong_secret() {
    let error = Store::open(&options(uri("a"))).await.expect_err("no access").to_string();
    assert!(error.contains("SignatureDoesNotMatch"), "{error}");
    for secret in ["wrong-secret", "<Error>", "Signature="] {
        assert!(!error.contains(secret), "{error}");
    }
    let place = Place::parse(&uri("b"), Some(&server("ENDPOINT")), Some("us-east-1")).expect("a place");
    let error = find_backups(&place).await.expect_err("no access").to_string();
    assert!(error.contains("SignatureDoesNotMatch"), "{error}");
}
