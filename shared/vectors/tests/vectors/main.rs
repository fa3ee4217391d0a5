//! The crate against real stores. One binary: each that links LanceDB is large.

mod backup;
mod bucket;
mod cache;
mod columns;
mod embedding_caches;
mod fixture;
mod stores;
mod upkeep;
mod vector_tables;

use futures::TryStreamExt;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use vectors::{
    CacheKey, CacheKind, EmbeddingCache, Origin, Place, Snapshot, Store, StoreOptions, Value, VectorKind,
    VectorRow, VectorTable, copy_cache, find_backups, restore_backup, write_backup,
};

fn options(uri: &str) -> StoreOptions {
    StoreOptions { uri: uri.to_owned(), ..StoreOptions::default() }
}

/// Returns an empty store, and what deletes it.
async fn empty_store() -> (TempDir, Store) {
    let directory = TempDir::new().expect("a directory");
    let uri = directory.path().join("笔记 store").display().to_string();
    let store = Store::open_or_create(&options(&uri)).await.expect("a store");
    (directory, store)
}

async fn snapshot(store: &Store, table: &str) -> Snapshot {
    store.snapshot(table).await.expect("the store opens").expect("the table is there")
}

/// Reads a table whole, each row as the manifest of the fixture writes it.
async fn read(snapshot: &Snapshot, columns: &[&str]) -> Vec<Json> {
    let batches: Vec<_> = snapshot.rows(columns, 7).try_collect().await.expect("the table is readable");
    let rows = batches.iter().flat_map(|rows| {
        assert!(rows.len() <= 7, "batches are as small as asked");
        (0..rows.len()).map(|row| {
            let cells = columns.iter().map(|name| ((*name).to_owned(), to_json(&rows.column(name).get(row))));
            Json::Object(cells.collect::<Map<_, _>>())
        })
    });
    rows.collect()
}

async fn read_all(snapshot: &Snapshot) -> Vec<Json> {
    let columns: Vec<_> = snapshot.columns().iter().map(|column| column.name.as_str()).collect();
    read(snapshot, &columns).await
}

fn to_json(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => json!(text),
        Value::Integer(number) | Value::Millis(number) => json!(number),
        Value::Boolean(flag) => json!(flag),
        Value::Float(number) if number.is_nan() => json!("NaN"),
        Value::Float(number) => json!(number),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Struct(members) => {
            members.iter().map(|(name, value)| ((*name).to_owned(), to_json(value))).collect()
        }
        Value::Vector(numbers) => {
            let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
            json!({"dim": numbers.len(), "sha256": hex::encode(Sha256::digest(bytes.collect::<Vec<_>>()))})
        }
    }
}

/// Whatever takes a reference gives a future that may go to another thread: this compiles or not.
#[expect(dead_code, reason = "compiling it is the test")]
fn futures_are_send(
    store: &Store,
    snapshots: &[Snapshot],
    table: &VectorTable,
    rows: &[VectorRow],
    cache: &EmbeddingCache,
    place: &Place,
) {
    const KEY: CacheKey<'_> = CacheKey { model_hash: "m", modality_type: None };
    fn is_send(_: impl Send) {}
    is_send(store.table_names());
    is_send(store.snapshot("memos"));
    is_send(store.snapshot_at("memos", 1));
    is_send(snapshots[0].rows(&["memoId"], 1));
    is_send(snapshots[0].count_rows());
    is_send(snapshots[0].latest_version());
    is_send(snapshots[0].data_bytes());
    is_send(VectorTable::open(store, VectorKind::Memo));
    is_send(VectorTable::open_or_create(store, VectorKind::Memo, 8));
    is_send(table.upsert(rows));
    is_send(table.delete(&["m"]));
    is_send(table.count());
    is_send(table.find(&["m"]));
    is_send(table.nearest("u", "m", &[1.0], 1));
    is_send(table.optimize());
    is_send(table.for_each(|_| ()));
    is_send(store.upkeep("memo_vectors", std::time::Duration::ZERO));
    is_send(EmbeddingCache::open_or_create(store, CacheKind::Text, 8));
    is_send(cache.find(KEY, &["c"]));
    is_send(cache.append(KEY, &[("c", &[1.0])], 1));
    is_send(copy_cache(&snapshots[0], store, |_| ()));
    let origin =
        Origin { run_id: String::new(), product_version: String::new(), source_uri: String::new(), created_at: 0 };
    is_send(write_backup(snapshots, place, "folder", origin, |_, _| ()));
    is_send(find_backups(place));
    is_send(restore_backup(place, "folder", store));
}
