//! Stores: what is there, what is not, and what is broken.

use serde_json::json;
use tempfile::TempDir;
use vectors::{Error, Store, VectorKind, VectorTable, testing::write_table};

use crate::{empty_store, options, read, snapshot};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_must_be_there_is_not_made() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("absent");
    let error = Store::open(&options(&path.display().to_string())).await.expect_err("no store");
    assert!(matches!(&error, Error::NoStore { .. }), "{error}");
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_store_is_made_by_the_first_write() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("a/b");
    let store = Store::open_or_create(&options(&path.display().to_string())).await.expect("a store");
    assert_eq!(store.table_names().await.expect("names"), [""; 0]);
    assert!(store.snapshot("memos").await.expect("an answer").is_none());
    assert!(VectorTable::open(&store, VectorKind::Memo).await.expect("an answer").is_none());
    assert!(!path.exists(), "reading makes nothing");
    write_table(&store, "memos", &[("memoId", "Utf8", false)], &[json!({"memoId": "m"})]).await;
    assert_eq!(store.table_names().await.expect("names"), ["memos"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_the_way_is_no_empty_store() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "in the way").expect("a file");
    for path in [file.clone(), file.join("lancedb")] {
        let store = Store::open_or_create(&options(&path.display().to_string())).await.expect("a place");
        store.table_names().await.expect_err("no names");
        VectorTable::open(&store, VectorKind::Memo).await.expect_err("no table");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_directory_has_no_tables() {
    let directory = TempDir::new().expect("a directory");
    let store = Store::open(&options(&directory.path().display().to_string())).await.expect("a store");
    assert_eq!(store.table_names().await.expect("names"), [""; 0]);
    assert!(store.snapshot("memos").await.expect("an answer").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tables_are_listed_however_many() {
    let directory = TempDir::new().expect("a directory");
    let names: Vec<_> = (0..1200).map(|number| format!("t{number:04}")).collect();
    for name in &names {
        std::fs::create_dir(directory.path().join(format!("{name}.lance"))).expect("a directory");
    }
    let store = Store::open(&options(&directory.path().display().to_string())).await.expect("a store");
    assert_eq!(store.table_names().await.expect("names"), names);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_does_not_open_is_an_error() {
    for broken in ["_versions", "data"] {
        let (directory, store) = empty_store().await;
        write_table(&store, "memos", &[("memoId", "Utf8", false)], &[json!({"memoId": "m"})]).await;
        let table = directory.path().join("笔记 store/memos.lance");
        std::fs::remove_dir_all(table.join(broken)).expect("the directory is there");
        let store = Store::open(&options(store.uri())).await.expect("a store");
        let error = match store.snapshot("memos").await {
            Ok(Some(memos)) => {
                futures::TryStreamExt::try_collect::<Vec<_>>(memos.rows(&["memoId"], 10)).await.err()
            }
            Ok(None) => panic!("{broken}: an unreadable table passes for an absent one"),
            Err(error) => Some(error),
        };
        let error = error.expect("an error");
        assert!(matches!(&error, Error::Table { table, .. } if table == "memos"), "{broken}: {error}");
        assert!(!error.to_string().contains(".rs:"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_stays_what_it_was_while_others_write() {
    let (_directory, store) = empty_store().await;
    let columns = [("memoId", "Utf8", false)];
    write_table(&store, "memos", &columns, &[json!({"memoId": "old"})]).await;
    let pinned = snapshot(&store, "memos").await;

    let other = Store::open(&options(store.uri())).await.expect("a store");
    write_table(&other, "memos", &columns, &[json!({"memoId": "new"})]).await;

    assert_eq!(read(&pinned, &["memoId"]).await, [json!({"memoId": "old"})]);
    assert_eq!(pinned.count_rows().await.expect("a number"), 1);
    assert_eq!(pinned.latest_version().await.expect("a version"), pinned.version() + 1);

    let newest = snapshot(&store, "memos").await;
    assert_eq!(newest.count_rows().await.expect("a number"), 2);
    let again = store.snapshot_at("memos", pinned.version()).await.expect("an answer").expect("the version");
    assert_eq!(read(&again, &["memoId"]).await, [json!({"memoId": "old"})]);
    let error = store.snapshot_at("memos", 99).await.expect_err("no such version");
    assert!(matches!(&error, Error::Table { table, .. } if table == "memos"), "{error}");
    assert!(store.snapshot_at("tags", 1).await.expect("an answer").is_none());
}
