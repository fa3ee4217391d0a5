//! Compaction and removal of old versions.

use std::time::Duration;

use serde_json::json;
use vectors::{
    CacheKey, CacheKind, EmbeddingCache, VectorKind, VectorRow, VectorTable, tables_of_ours,
    testing::{vector, write_table},
};

use crate::{empty_store, read_all, snapshot};

const MODEL: CacheKey<'_> = CacheKey { model_hash: "model", modality_type: None };

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_go_and_rows_stay() {
    let (_directory, store) = empty_store().await;
    let cache = EmbeddingCache::open_or_create(&store, CacheKind::Text, 8).await.expect("a cache");
    for n in 0..30 {
        cache.append(MODEL, &[(&format!("c{n}"), &vector(n, 8))], 1).await.expect("stored");
    }
    assert_eq!(store.state("nothing").await.expect("an answer"), None);
    let state = async || store.state("embedding_cache").await.expect("an answer").expect("it is there");
    let before = state().await;
    assert!(before.versions > 30 && (before.fragments, before.rows) == (30, 30), "{before:?}");
    // A reader who has begun keeps what it reads.
    let kept = store.upkeep("embedding_cache", Duration::from_hours(1)).await.expect("done").expect("it is ours");
    assert!(kept.versions > kept.versions_before && kept.rows == 30, "{kept:?}");
    let done = store.upkeep("embedding_cache", Duration::ZERO).await.expect("done").expect("it is ours");
    assert!(done.versions <= 2 && done.rows == 30 && done.removed_bytes > 0, "{done:?}");
    assert_eq!(state().await.fragments, 1);
    let hashes: Vec<_> = (0..30).map(|n| format!("c{n}")).collect();
    let hashes: Vec<_> = hashes.iter().map(String::as_str).collect();
    assert_eq!(cache.find(MODEL, &hashes).await.expect("hits").len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_install_is_left_alone() {
    let (_directory, store) = empty_store().await;
    let columns = [("memoId", "Utf8", false)];
    for n in 0..3 {
        write_table(&store, "memos", &columns, &[json!({"memoId": format!("m{n}")})]).await;
    }
    let before = store.state("memos").await.expect("an answer");
    assert_eq!(store.upkeep("memos", Duration::ZERO).await.expect("an answer"), None);
    assert_eq!(store.upkeep("nothing", Duration::ZERO).await.expect("an answer"), None);
    assert_eq!(store.state("memos").await.expect("an answer"), before);
    assert_eq!(read_all(&snapshot(&store, "memos").await).await.len(), 3);

    let names = ["memos", "embedding_cache", "embedding_cache_12", "embedding_cache_x", "memo_vectors", "tags"];
    let ours = tables_of_ours(&names.map(str::to_owned));
    assert_eq!(ours, ["embedding_cache", "embedding_cache_12", "memo_vectors"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_lose_nothing_beside_upkeep() {
    let (_directory, store) = empty_store().await;
    VectorTable::open_or_create(&store, VectorKind::Memo, 8).await.expect("a table");
    let writers = (0..8).map(|writer: u64| {
        let store = store.clone();
        tokio::spawn(async move {
            let cache = EmbeddingCache::open_or_create(&store, CacheKind::Text, 8).await.expect("a cache");
            let table = VectorTable::open_or_create(&store, VectorKind::Memo, 8).await.expect("a table");
            for n in 0..8 {
                let id = format!("{writer}-{n}");
                cache.append(MODEL, &[(&id, &vector(n, 8))], 1).await.expect("stored");
                let row = VectorRow { id, uid: "u".into(), vector: vector(n, 8), model_hash: None, updated_at: 1 };
                table.upsert(&[row]).await.expect("stored");
            }
        })
    });
    let writers = futures::future::join_all(writers);
    let upkeep = async {
        for _ in 0..3 {
            for name in ["embedding_cache", "memo_vectors"] {
                store.upkeep(name, Duration::from_hours(1)).await.expect("done");
            }
        }
    };
    let (writers, ()) = futures::join!(writers, upkeep);
    for writer in writers {
        writer.expect("no panic");
    }
    for name in ["embedding_cache", "memo_vectors"] {
        let done = store.upkeep(name, Duration::from_hours(1)).await.expect("done").expect("it is ours");
        assert_eq!(done.rows, 64, "{name}");
    }
}
