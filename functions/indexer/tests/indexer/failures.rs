//! The provider or the store is away, slow or wrong: writes go on, nothing wrong is stored, and the outbox catches
//! up by itself.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use indexer::{Drained, Index};
use serde_json::{Value, json};
use shared::clients::Patience;
use testing::{Answering, Asked, Kind, on_every_database};

use crate::{DIMENSIONS, Desk, NOW, embeddings};

on_every_database!(
    a_provider_that_answers_wrongly_spoils_nothing,
    a_store_that_is_away_delays_vectors_only,
    a_cache_that_is_broken_costs_a_call,
    a_table_of_another_length_is_told,
);

fn spoilt(asked: &Asked, how: usize) -> Option<Answering> {
    let each = |embedding: &Value| {
        let count = asked.body["input"].as_array().map_or(0, Vec::len);
        let data: Vec<_> = (0..count).map(|index| json!({"index": index, "embedding": embedding})).collect();
        json!({"data": data})
    };
    let ones = |length: usize| json!(vec![1.0; length]);
    let answer = match how {
        0 => Answering::text("down").status(503),
        1 => Answering::text("slow down").status(429).header("retry-after", "3600"),
        2 => Answering::json(&each(&ones(DIMENSIONS - 1))),
        3 => Answering::text(each(&ones(DIMENSIONS)).to_string().replace("1.0", "NaN")),
        4 => Answering::json(&each(&json!(vec![1e39; DIMENSIONS]))),
        5 => Answering::text("<html>please log in</html>").header("content-type", "text/html"),
        6 => embeddings(asked).broken_off(40),
        7 => Answering::json(&json!({"data": []})),
        8 => Answering::text("denied").status(401),
        _ => return None,
    };
    Some(answer)
}

async fn a_provider_that_answers_wrongly_spoils_nothing(kind: Kind) {
    let how = Arc::new(AtomicUsize::new(0));
    let desk = {
        let how = Arc::clone(&how);
        Desk::start_with(kind, move |asked, _| {
            spoilt(asked, how.load(Ordering::Relaxed)).unwrap_or_else(|| embeddings(asked))
        })
        .await
    };
    let mut ids = Vec::new();
    for way in 0..9 {
        how.store(way, Ordering::Relaxed);
        // Writing does not notice.
        ids.push(desk.write(&format!("memo {way}")).await);
        let drained = desk.drain().await;
        assert_eq!((drained.stored, drained.refused + drained.postponed), (0, ids.len()), "{way}: {drained:?}");
        assert_eq!(desk.pending().await, i64::try_from(ids.len()).unwrap(), "{way}");
        desk.clock.set(NOW + 3_600_000 * (i64::try_from(way).unwrap() + 1));
    }
    how.store(usize::MAX, Ordering::Relaxed);
    desk.clock.set(NOW + 100 * 3_600_000);
    assert_eq!(desk.drain().await, Drained { stored: 9, ..Drained::default() });
    for (way, id) in ids.iter().enumerate() {
        desk.assert_vector(id, Some(&format!("memo {way}"))).await;
    }
    // Nothing wrong is in the cache either.
    let another = desk.another(kind).await;
    let patience = Patience { total: Duration::from_secs(5), retries: 0 };
    let asked = desk.provider.asked().len();
    let cached = Index::of(&another.app).embed("memo 3", patience).await.expect("a vector");
    assert_eq!((cached, desk.provider.asked().len()), (crate::vector("memo 3"), asked));
}

async fn a_store_that_is_away_delays_vectors_only(kind: Kind) {
    let desk = Desk::start(kind).await;
    // A file where the directory should be.
    fs::create_dir_all(desk.store.parent().expect("a parent")).expect("a directory");
    fs::write(&desk.store, "in the way").expect("a file");
    let id = desk.write("a").await;
    assert_eq!(desk.drain().await, Drained { postponed: 1, ..Drained::default() });
    let index = Index::of(&desk.server.app);
    assert_eq!(index.status().await.expect("the status").failing, 1);
    let _ = index.nearest(&desk.uid(), &crate::vector("a")).await;
    fs::remove_file(&desk.store).expect("gone");
    desk.clock.set(NOW + 3_600_000);
    assert_eq!(desk.drain().await, Drained { stored: 1, ..Drained::default() });
    desk.assert_vector(&id, Some("a")).await;
}

async fn a_cache_that_is_broken_costs_a_call(kind: Kind) {
    let desk = Desk::start(kind).await;
    // Not a table.
    for name in ["embedding_cache.lance", "embedding_cache_16.lance"] {
        let versions = desk.store.join(name).join("_versions");
        fs::create_dir_all(&versions).expect("a directory");
        fs::write(versions.join("1.manifest"), "garbage").expect("a file");
    }
    let id = desk.write("a").await;
    assert_eq!(desk.drain().await, Drained { stored: 1, ..Drained::default() });
    desk.assert_vector(&id, Some("a")).await;
    let patience = Patience { total: Duration::from_secs(5), retries: 0 };
    let another = desk.another(kind).await;
    Index::of(&another.app).embed("a", patience).await.expect("a vector");
    assert_eq!(desk.texts_asked(), ["a", "a"]);
}

async fn a_table_of_another_length_is_told(kind: Kind) {
    let desk = Desk::start(kind).await;
    desk.write("a").await;
    desk.drain().await;
    let mut variables = desk.settings();
    variables.retain(|(name, _)| *name != "OPENAI_EMBEDDING_DIMENSIONS");
    variables.push(("OPENAI_EMBEDDING_DIMENSIONS", "8".to_owned()));
    let settings = testing::Settings {
        variables,
        database_url: Some(desk.database_url.clone()),
        ..testing::Settings::default()
    };
    let other = testing::Server::start_with(kind, settings).await;
    let error = Index::of(&other.app).nearest(&desk.uid(), &[1.0; 8]).await.expect_err("refused").to_string();
    assert!(error.contains("holds vectors of 16 numbers, not of 8"), "{error}");
}
