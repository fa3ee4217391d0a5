//! The store of an old install, as the old server left it.

use serde_json::Value as Json;
use vectors::Store;

use crate::{options, read_all, snapshot};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contract/fixtures/legacy-lancedb-small");

/// Returns the value of a row's key. Its parts are texts and numbers.
fn key(row: &Json, columns: &[Json]) -> Vec<String> {
    columns.iter().map(|column| row[column.as_str().expect("a name")].to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_and_column_reads_as_the_manifest_says() {
    let manifest = std::fs::read_to_string(format!("{FIXTURE}/manifest.json")).expect("the manifest");
    let manifest: Json = serde_json::from_str(&manifest).expect("JSON");
    let tables = manifest["tables"].as_object().expect("tables");
    let store = Store::open(&options(&format!("{FIXTURE}/lancedb"))).await.expect("a store");

    let mut names: Vec<_> = tables.keys().cloned().collect();
    names.sort();
    assert_eq!(store.table_names().await.expect("names"), names);

    for (name, expected) in tables {
        let snapshot = snapshot(&store, name).await;
        let columns: Vec<_> =
            snapshot.columns().iter().map(|column| (column.name.as_str(), column.nullable)).collect();
        let listed = expected["columns"].as_array().expect("columns").iter();
        let listed = listed.map(|column| {
            (column["name"].as_str().expect("a name"), column["nullable"].as_bool().expect("a flag"))
        });
        assert_eq!(columns, listed.collect::<Vec<_>>(), "{name}");

        let keys = expected["primaryKey"].as_array().expect("a key");
        let mut rows = read_all(&snapshot).await;
        rows.sort_by_key(|row| key(row, keys));
        let mut wanted = expected["rows"].as_array().expect("rows").clone();
        wanted.sort_by_key(|row| key(row, keys));
        assert_eq!(snapshot.count_rows().await.expect("a number"), wanted.len() as u64, "{name}");
        assert_eq!(rows, wanted, "{name}");
        assert_eq!(snapshot.data_bytes().await.expect("a size") == 0, wanted.is_empty(), "{name}");
        assert_eq!(snapshot.latest_version().await.expect("a version"), snapshot.version(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dimension_of_vectors_comes_from_the_table() {
    let store = Store::open(&options(&format!("{FIXTURE}/lancedb"))).await.expect("a store");
    let memos = snapshot(&store, "memos").await;
    assert_eq!(memos.vector_dimension("embedding"), Some(64));
    for column in ["content", "tagIds", "absent"] {
        assert_eq!(memos.vector_dimension(column), None, "{column}");
    }
    assert_eq!(memos.unknown_columns(&["embedding", "content", "absent"]), []);
}
