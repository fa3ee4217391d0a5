//! Copying the embedding caches.

use serde_json::{Value as Json, json};
use vectors::{CacheCopy, Error, Store, copy_cache, testing::write_table};

use crate::{empty_store, read_all, snapshot};

type Columns = [(&'static str, &'static str, bool); 4];

const TEXT: Columns = [
    ("modelHash", "Utf8", false),
    ("contentHash", "Utf8", false),
    ("embedding", "FSL<Float32>[8]", false),
    ("createdAt", "Timestamp(ms)", false),
];

fn entry(model: &str, content: u64) -> Json {
    json!({"modelHash": model, "contentHash": format!("c{content}"), "embedding": content, "createdAt": content})
}

async fn copy(source: &Store, target: &Store, table: &str) -> Result<CacheCopy, Error> {
    let mut heard = 0;
    let copied = copy_cache(&snapshot(source, table).await, target, |rows| heard = rows).await?;
    assert_eq!(heard, copied.source);
    Ok(copied)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_is_copied_once_however_often_it_is_copied() {
    let (_source, source) = empty_store().await;
    let (_target, target) = empty_store().await;
    let entries: Vec<_> =
        (0..2500).map(|content| entry(["a", "b"][usize::from(content % 2 == 0)], content)).collect();
    write_table(&source, "embedding_cache", &TEXT, &entries).await;
    write_table(&source, "embedding_cache", &TEXT, &[entry("b", 0), entry("b", 2), entry("a", 2)]).await;

    let first = copy(&source, &target, "embedding_cache").await.expect("copied");
    assert_eq!(first, CacheCopy { source: 2503, copied: 2501, repeated: 2 });
    let again = copy(&source, &target, "embedding_cache").await.expect("copied");
    assert_eq!(again, CacheCopy { source: 2503, copied: 0, repeated: 2503 });

    let copied = snapshot(&target, "embedding_cache").await;
    assert_eq!(copied.columns(), snapshot(&source, "embedding_cache").await.columns());
    let mut rows = read_all(&copied).await;
    let mut expected = read_all(&snapshot(&source, "embedding_cache").await).await;
    expected.truncate(2500);
    expected.push(read_all(&snapshot(&source, "embedding_cache").await).await.remove(2502));
    rows.sort_by_key(ToString::to_string);
    expected.sort_by_key(ToString::to_string);
    assert_eq!(rows, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_completes_what_is_there() {
    let (_source, source) = empty_store().await;
    let (_target, target) = empty_store().await;
    write_table(&source, "embedding_cache", &TEXT, &[entry("a", 1), entry("a", 2)]).await;
    write_table(&target, "embedding_cache", &TEXT, &[entry("a", 2), entry("a", 3)]).await;
    let copied = copy(&source, &target, "embedding_cache").await.expect("copied");
    assert_eq!(copied, CacheCopy { source: 2, copied: 1, repeated: 1 });
    assert_eq!(snapshot(&target, "embedding_cache").await.count_rows().await.expect("a number"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_modality_is_part_of_the_key() {
    let columns = [
        ("modelHash", "Utf8", false),
        ("contentHash", "Utf8", false),
        ("modalityType", "Utf8", false),
        ("embedding", "FSL<Float32>[8]", false),
        ("createdAt", "Timestamp(ms)", false),
    ];
    let entry = |modality| {
        json!({"modelHash": "a", "contentHash": "c", "modalityType": modality, "embedding": [1, 2, 3, 4, 5, 6, 7, "NaN"],
            "createdAt": 1})
    };
    let (_source, source) = empty_store().await;
    let (_target, target) = empty_store().await;
    write_table(&source, "multimodal_embedding_cache", &columns, &[entry("text"), entry("image"), entry("text")])
        .await;
    let copied = copy(&source, &target, "multimodal_embedding_cache").await.expect("copied");
    assert_eq!(copied, CacheCopy { source: 3, copied: 2, repeated: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_cache_is_copied_as_a_table() {
    let (_source, source) = empty_store().await;
    let (_target, target) = empty_store().await;
    write_table(&source, "embedding_cache", &TEXT, &[]).await;
    let copied = copy(&source, &target, "embedding_cache").await.expect("copied");
    assert_eq!(copied, CacheCopy { source: 0, copied: 0, repeated: 0 });
    assert_eq!(snapshot(&target, "embedding_cache").await.count_rows().await.expect("a number"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_of_the_first_days_joins_a_newer_one() {
    let old = [
        ("id", "Int32", true),
        ("modelHash", "Utf8", false),
        ("contentHash", "Utf8", false),
        ("embedding", "FSL<Float32>[8]", false),
        ("createdAt", "Timestamp(us)", false),
    ];
    let (_source, source) = empty_store().await;
    let (_target, target) = empty_store().await;
    let row = json!({"id": 7, "modelHash": "a", "contentHash": "old", "embedding": 1, "createdAt": 1999});
    write_table(&source, "embedding_cache", &old, &[row]).await;
    write_table(&target, "embedding_cache", &TEXT, &[entry("a", 3)]).await;
    let copied = copy(&source, &target, "embedding_cache").await.expect("copied");
    assert_eq!(copied, CacheCopy { source: 1, copied: 1, repeated: 0 });
    let rows = read_all(&snapshot(&target, "embedding_cache").await).await;
    assert!(rows.iter().any(|row| row["contentHash"] == "old" && row["createdAt"] == 1), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_of_two_dimensions_are_not_mixed() {
    let (_source, source) = empty_store().await;
    let (_target, target) = empty_store().await;
    let mut other = TEXT;
    other[2].1 = "FSL<Float32>[4]";
    write_table(&source, "embedding_cache", &TEXT, &[entry("a", 1)]).await;
    write_table(&target, "embedding_cache", &other, &[entry("a", 1)]).await;
    let error = copy(&source, &target, "embedding_cache").await.expect_err("refused");
    assert!(matches!(&error, Error::Dimension { found: 4, expected: 8, .. }), "{error}");
}
