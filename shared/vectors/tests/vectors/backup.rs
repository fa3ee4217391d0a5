//! Backups: written, verified, damaged, restored.

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use vectors::{
    Error, Manifest, Origin, Place, Snapshot, Store, VectorKind, VectorRow, VectorTable, find_backups,
    restore_backup,
    testing::{delete_rows, write_table},
    verify_backup, write_backup,
};

use crate::{empty_store, read_all, snapshot};

fn origin(created_at: i64) -> Origin {
    Origin { run_id: "run".into(), product_version: "1".into(), source_uri: "old".into(), created_at }
}

fn place(directory: &TempDir) -> Place {
    Place::parse(&directory.path().join("备份 place").display().to_string(), None, None).expect("a place")
}

async fn snapshots(store: &Store) -> Vec<Snapshot> {
    let mut snapshots = Vec::new();
    for table in store.table_names().await.expect("names") {
        snapshots.push(snapshot(store, &table).await);
    }
    snapshots
}

/// A store with every kind of column, files, deletions, an empty table, and a table of our own.
async fn filled_store() -> (TempDir, Store) {
    let (directory, store) = empty_store().await;
    let memos = [
        ("memoId", "Utf8", false),
        ("content", "Utf8", false),
        ("nothing", "Null", true),
        ("isPublic", "Boolean", true),
        ("tagIds", "List<Utf8>", true),
        ("sources", "List<Struct{memoId:Utf8,similarity:Float32}>", true),
        ("embedding", "FSL<Float32>[32]", true),
        ("createdAt", "Timestamp(us)", false),
    ];
    for start in [0, 1500] {
        let rows = (start..start + 1500).map(|n| {
            let public = [json!(true), json!(null)][n % 2].clone();
            let tags = [json!(["a", null]), json!(null), json!([])][n % 3].clone();
            let embedding = if n % 10 == 0 { json!(null) } else { json!(n) };
            json!({
                "memoId": format!("m{n}"), "content": "记 😀\u{0}".repeat(n % 50), "isPublic": public, "tagIds": tags,
                "sources": [{"memoId": "m", "similarity": "NaN"}], "embedding": embedding, "createdAt": n,
            })
        });
        write_table(&store, "memos", &memos, &rows.collect::<Vec<_>>()).await;
    }
    delete_rows(&store, "memos", "memoId IN ('m3', 'm1503')").await;
    write_table(&store, "tags", &[("tagId", "Utf8", false)], &[]).await;
    let table = VectorTable::open_or_create(&store, VectorKind::Memo, 4).await.expect("a table");
    let row = VectorRow { id: "m".into(), uid: "u".into(), vector: vec![1.0; 4], model_hash: None, updated_at: 1 };
    table.upsert(&[row]).await.expect("stored");
    (directory, store)
}

async fn back_up(store: &Store, place: &Place, folder: &str) -> Result<Manifest, Error> {
    write_backup(&snapshots(store).await, place, folder, origin(1), |_, _| ()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_restores_every_table_as_it_was() {
    let (directory, store) = filled_store().await;
    let place = place(&directory);
    assert_eq!(find_backups(&place).await.expect("a list"), []);

    let mut heard = Vec::new();
    let tables = snapshots(&store).await;
    let manifest =
        write_backup(&tables, &place, "first", origin(1), |table, rows| heard.push((table.to_owned(), rows)));
    let manifest = manifest.await.expect("a backup");
    assert!(heard.contains(&("memos".to_owned(), 2998)), "{heard:?}");
    assert_eq!(manifest.tables.iter().map(|table| table.rows).collect::<Vec<_>>(), [1, 2998, 0]);
    assert_eq!(manifest.tables[1].version, tables[1].version());
    assert_eq!(manifest.tables[1].schema, tables[1].columns());
    verify_backup(&place, "first", &manifest).await.expect("whole");
    assert_eq!(find_backups(&place).await.expect("a list"), [("first".to_owned(), manifest)]);

    let (_target, target) = empty_store().await;
    let restored = restore_backup(&place, "first", &target).await.expect("restored");
    assert_eq!(restored, [("memo_vectors".to_owned(), 1), ("memos".to_owned(), 2998), ("tags".to_owned(), 0)]);
    for table in &tables {
        let copy = snapshot(&target, table.table()).await;
        assert_eq!(copy.columns(), table.columns());
        assert_eq!(read_all(&copy).await, read_all(table).await, "{}", table.table());
    }
    // The primary key came along.
    let table = VectorTable::open(&target, VectorKind::Memo).await.expect("an answer").expect("our layout");
    assert_eq!(table.find(&["m"]).await.expect("rows").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_does_not_mix_with_what_is_there() {
    let (directory, store) = filled_store().await;
    let place = place(&directory);
    back_up(&store, &place, "first").await.expect("a backup");
    let (_target, target) = empty_store().await;
    write_table(&target, "tags", &[("tagId", "Utf8", false)], &[]).await;
    let error = restore_backup(&place, "first", &target).await.expect_err("refused");
    assert!(matches!(&error, Error::NotEmpty { tables, .. } if tables == "tags"), "{error}");
    assert_eq!(target.table_names().await.expect("names"), ["tags"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_a_cut_and_a_lost_file_are_found() {
    type Damage = fn(&Path);
    let flip: Damage = |file| {
        let mut bytes = std::fs::read(file).expect("the file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(file, bytes).expect("written");
    };
    let cut: Damage = |file| {
        let bytes = std::fs::read(file).expect("the file");
        std::fs::write(file, &bytes[..bytes.len() - 1]).expect("written");
    };
    let lose: Damage = |file| std::fs::remove_file(file).expect("removed");
    for (damage, expected) in
        [(flip, "its SHA-256 is another"), (cut, "its length is another"), (lose, "cannot be read")]
    {
        let (directory, store) = filled_store().await;
        let place = place(&directory);
        let manifest = back_up(&store, &place, "first").await.expect("a backup");
        damage(&directory.path().join("备份 place/first/memos.arrow"));

        let error = verify_backup(&place, "first", &manifest).await.expect_err("damaged").to_string();
        assert!(error.contains("memos.arrow") && error.contains(expected), "{error}");
        let (_target, target) = empty_store().await;
        restore_backup(&place, "first", &target).await.expect_err("damaged");
        assert_eq!(target.table_names().await.expect("names"), [""; 0], "nothing is written of a damaged backup");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_a_whole_manifest_is_no_backup() {
    let (directory, store) = filled_store().await;
    let place = place(&directory);
    for (folder, created_at) in [("old", 1), ("new", 3), ("cut", 5), ("left", 4)] {
        let tables = snapshots(&store).await;
        write_backup(&tables, &place, folder, origin(created_at), |_, _| ()).await.expect("a backup");
    }
    let root = directory.path().join("备份 place");
    let manifest = std::fs::read(root.join("cut/manifest.json")).expect("the manifest");
    std::fs::write(root.join("cut/manifest.json"), &manifest[..manifest.len() - 2]).expect("written");
    std::fs::remove_file(root.join("left/manifest.json")).expect("removed");
    std::fs::write(root.join("notes.txt"), "not a folder").expect("written");

    let found = find_backups(&place).await.expect("a list");
    assert_eq!(found.iter().map(|(folder, _)| folder.as_str()).collect::<Vec<_>>(), ["new", "old"]);
    let (_target, target) = empty_store().await;
    for folder in ["cut", "left", "absent"] {
        let error = restore_backup(&place, folder, &target).await.expect_err("no backup");
        assert!(error.to_string().contains("no complete backup"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_never_overwritten() {
    let (directory, store) = filled_store().await;
    let place = place(&directory);
    let manifest = back_up(&store, &place, "first").await.expect("a backup");
    let error = back_up(&store, &place, "first").await.expect_err("refused");
    assert!(error.to_string().contains("holds a backup already"), "{error}");
    verify_backup(&place, "first", &manifest).await.expect("whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_fails_leaves_no_manifest() {
    let (directory, store) = filled_store().await;
    let place = place(&directory);
    let tables = snapshots(&store).await;
    std::fs::remove_dir_all(directory.path().join("笔记 store/memos.lance/data")).expect("removed");
    write_backup(&tables, &place, "first", origin(1), |_, _| ()).await.expect_err("a table is gone");
    assert_eq!(find_backups(&place).await.expect("a list"), []);
    assert!(!directory.path().join("备份 place/first/memos.arrow").exists(), "half a file is no file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_takes_no_files_is_an_error() {
    let (directory, store) = filled_store().await;
    std::fs::write(directory.path().join("file"), "").expect("written");
    let place =
        Place::parse(&directory.path().join("file/below").display().to_string(), None, None).expect("a place");
    let error = back_up(&store, &place, "first").await.expect_err("not a directory").to_string();
    assert!(error.contains("cannot be"), "{error}");
}

#[test]
fn directories_and_buckets_are_told_apart() {
    for (uri, local) in [
        ("/srv/笔记 store", true),
        ("file:///srv/store", true),
        ("data", true),
        ("s3://bucket", false),
        ("s3://bucket/a/", false),
    ] {
        assert_eq!(Place::parse(uri, None, None).map(|place| place.is_local()).expect("a place"), local, "{uri}");
    }
    for uri in ["", "s3://", "s3:///a", "gs://bucket", "https://example.org", "s3://key@bucket"] {
        let error = Place::parse(uri, None, None).expect_err("no place");
        assert!(matches!(&error, Error::Location { .. }), "{error}");
    }
}
