//! The embedding caches: look-up, append, and caches that other releases and models have left.

use std::collections::HashMap;

use serde_json::json;
use vectors::{
    CacheKey, CacheKind, EmbeddingCache, Error, Store,
    testing::{vector, write_table},
};

use crate::{empty_store, read_all, snapshot};

const DIMENSION: usize = 8;
const MODEL: CacheKey<'_> = CacheKey { model_hash: "model", modality_type: None };

async fn text_cache(store: &Store) -> EmbeddingCache {
    EmbeddingCache::open_or_create(store, CacheKind::Text, DIMENSION).await.expect("a cache")
}

fn found(hits: &HashMap<String, Vec<f32>>) -> Vec<&str> {
    let mut hashes: Vec<_> = hits.keys().map(String::as_str).collect();
    hashes.sort_unstable();
    hashes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_is_found_by_model_and_content() {
    let (_directory, store) = empty_store().await;
    let cache = text_cache(&store).await;
    assert_eq!(cache.find(MODEL, &[]).await.expect("hits"), HashMap::new());
    assert_eq!(cache.find(MODEL, &["c1"]).await.expect("hits"), HashMap::new());
    let vectors: Vec<_> = (0..300).map(|n| (format!("c{n}"), vector(n, DIMENSION))).collect();
    let rows: Vec<_> = vectors.iter().map(|(hash, vector)| (hash.as_str(), vector.as_slice())).collect();
    cache.append(MODEL, &rows, 1_750_000_000_123).await.expect("stored");
    cache.append(MODEL, &[], 1).await.expect("nothing to store");
    let other = CacheKey { model_hash: "other", ..MODEL };
    cache.append(other, &[("c1", &vector(900, DIMENSION))], 1).await.expect("stored");

    let hashes: Vec<_> = rows.iter().map(|(hash, _)| *hash).chain(["unknown", "it's"]).collect();
    let hits = cache.find(MODEL, &hashes).await.expect("hits");
    assert_eq!(hits, HashMap::from_iter(vectors));
    assert_eq!(cache.find(other, &["c1", "c2"]).await.expect("hits")["c1"], vector(900, DIMENSION));
    assert_eq!(found(&cache.find(other, &["c1", "c2"]).await.expect("hits")), ["c1"]);
    assert_eq!(cache.find(CacheKey { model_hash: "none", ..MODEL }, &["c1"]).await.expect("hits").len(), 0);

    // The layout is that of old installs (`contract/lancedb-tables.md` section 2).
    let table = snapshot(&store, "embedding_cache").await;
    let columns: Vec<_> = table.columns().iter().map(|column| (column.name.as_str(), column.nullable)).collect();
    assert_eq!(
        columns,
        [("modelHash", false), ("contentHash", false), ("embedding", false), ("createdAt", false)]
    );
    assert_eq!(read_all(&table).await[0]["createdAt"], 1_750_000_000_123_i64);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_modality_is_part_of_the_key() {
    let (_directory, store) = empty_store().await;
    let cache = EmbeddingCache::open_or_create(&store, CacheKind::Multimodal, DIMENSION).await.expect("a cache");
    let of = |modality| CacheKey { modality_type: Some(modality), ..MODEL };
    cache.append(of("text"), &[("c", &vector(1, DIMENSION))], 1).await.expect("stored");
    cache.append(of("vl"), &[("c", &vector(2, DIMENSION))], 1).await.expect("stored");
    assert_eq!(cache.find(of("text"), &["c"]).await.expect("hits")["c"], vector(1, DIMENSION));
    assert_eq!(cache.find(of("vl"), &["c"]).await.expect("hits")["c"], vector(2, DIMENSION));
    assert_eq!(cache.find(of("image"), &["c"]).await.expect("hits").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_of_the_first_days_is_hit_and_goes_on() {
    let (_directory, store) = empty_store().await;
    let old = [
        ("id", "Int32", true),
        ("modelHash", "Utf8", false),
        ("contentHash", "Utf8", false),
        ("embedding", "FSL<Float32>[8]", false),
        ("createdAt", "Timestamp(us)", false),
    ];
    let row = json!({"id": 7, "modelHash": "model", "contentHash": "old", "embedding": 1, "createdAt": 1999});
    let broken: Vec<_> = (0..8).map(|_| json!("NaN")).collect();
    let damaged =
        json!({"id": 8, "modelHash": "model", "contentHash": "damaged", "embedding": broken, "createdAt": 1});
    write_table(&store, "embedding_cache", &old, &[row, damaged]).await;
    let cache = text_cache(&store).await;
    assert_eq!(cache.name(), "embedding_cache");
    assert_eq!(found(&cache.find(MODEL, &["old", "new", "damaged"]).await.expect("hits")), ["old"]);
    cache.append(MODEL, &[("new", &vector(2, DIMENSION))], 5).await.expect("stored");
    let hits = cache.find(MODEL, &["old", "new"]).await.expect("hits");
    assert_eq!((hits["old"].clone(), hits["new"].clone()), (vector(1, DIMENSION), vector(2, DIMENSION)));
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_of_another_length_have_a_table_of_their_own() {
    let (_directory, store) = empty_store().await;
    let cache = text_cache(&store).await;
    cache.append(MODEL, &[("c", &vector(1, DIMENSION))], 1).await.expect("stored");
    let longer = EmbeddingCache::open_or_create(&store, CacheKind::Text, 12).await.expect("a cache");
    assert_eq!(longer.name(), "embedding_cache_12");
    longer.append(MODEL, &[("c", &vector(1, 12))], 1).await.expect("stored");
    assert_eq!(text_cache(&store).await.find(MODEL, &["c"]).await.expect("hits")["c"].len(), DIMENSION);
    let again = EmbeddingCache::open_or_create(&store, CacheKind::Text, 12).await.expect("a cache");
    assert_eq!(again.find(MODEL, &["c"]).await.expect("hits")["c"].len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_wrong_is_cached() {
    let (_directory, store) = empty_store().await;
    let cache = text_cache(&store).await;
    for wrong in [vec![1.0; DIMENSION - 1], vec![1.0; DIMENSION + 1], vec![f32::NAN; DIMENSION]] {
        let rows: [(&str, &[f32]); 2] = [("good", &vector(1, DIMENSION)), ("bad", &wrong)];
        let error = cache.append(MODEL, &rows, 1).await.expect_err("refused");
        assert!(matches!(error, Error::Vector { .. }), "{error}");
    }
    assert_eq!(cache.find(MODEL, &["good", "bad"]).await.expect("hits").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_table_is_left_alone() {
    let (_directory, store) = empty_store().await;
    let columns = [("contentHash", "Utf8", false)];
    for name in ["embedding_cache", "embedding_cache_8"] {
        write_table(&store, name, &columns, &[json!({"contentHash": "c"})]).await;
    }
    let error = EmbeddingCache::open_or_create(&store, CacheKind::Text, DIMENSION).await.expect_err("refused");
    assert!(matches!(error, Error::Layout { .. }), "{error}");
    assert_eq!(snapshot(&store, "embedding_cache").await.count_rows().await.expect("a number"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_create_a_cache_at_once_share_it() {
    let (_directory, store) = empty_store().await;
    let writers = (0..4).map(|writer: u64| {
        let store = store.clone();
        tokio::spawn(async move {
            let cache = text_cache(&store).await;
            let (hash, vector) = (format!("c{writer}"), vector(writer, DIMENSION));
            cache.append(MODEL, &[(&hash, &vector)], 1).await.expect("stored");
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.expect("no panic");
    }
    let hits = text_cache(&store).await.find(MODEL, &["c0", "c1", "c2", "c3"]).await.expect("hits");
    assert_eq!(hits.len(), 4);
}
