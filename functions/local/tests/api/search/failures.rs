//! What search answers when the provider of embeddings or the vector store fails (`contract/requirements.md`, FR-1).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};
use shared::clock::ManualClock;
use testing::{Answering, Asked, Client, Kind, Provider, Server, Settings, on_every_database};

use super::{QUICK, VECTOR, ids, search, write};
use crate::{
    ai::{asking, said},
    explore::{EXPLORE, asking_with_local_embeddings},
    objects::{conversation, everything, memo_id, read_memo, tag},
    providers::broken,
};

on_every_database!(
    a_provider_that_fails_is_a_coded_answer_and_writes_go_on,
    a_wrong_vector_is_a_coded_answer,
    what_failed_is_found_when_the_provider_is_back,
    without_the_vector_store_everything_works_but_the_search,
);

const DIMENSIONS: usize = 8;

/// Returns the settings of a server whose embeddings come from a URL.
fn embedding_at(url: &str, timeout_ms: &str) -> Vec<(&'static str, String)> {
    let mut settings = asking(url);
    settings.push(("OPENAI_EMBEDDING_DIMENSIONS", DIMENSIONS.to_string()));
    settings.push(("HTTP_TIMEOUT_MS", timeout_ms.to_owned()));
    settings
}

/// Asserts what every route answers when nothing can be ranked.
async fn assert_unranked(user: &Client, memo: &str, name: &str) {
    let query = json!({"query": "sourdough"});
    let graph = format!("/api/v1/explore/relations/{memo}");
    let (searched, quick, explored, graph, related) = futures::join!(
        user.post(VECTOR, query.clone()),
        user.post(QUICK, query.clone()),
        user.post(EXPLORE, query.clone()),
        user.get(&graph),
        user.get("/api/v1/memos/m0/related"),
    );
    assert_eq!(searched.refusal(), (2000, "数据库错误"), "{name}");
    assert_eq!(*quick.data(), json!({"items": [], "total": 0}), "{name}");
    let nothing = json!({
        "answer": "I could not find any relevant notes in your knowledge base to answer this question.",
        "sources": [], "relatedTopics": ["No relevant memos found for this query."], "suggestedQuestions": [],
    });
    assert_eq!(*explored.data(), nothing, "{name}");
    assert_eq!(graph.data()["graph"]["analysis"], "引用了 1 条相关笔记。", "{name}");
    assert_eq!(related.refusal(), (3, "资源不存在"), "{name}");
}

async fn write_two(user: &Client) -> String {
    let target = memo_id(user, json!({"content": "sourdough"})).await;
    memo_id(user, json!({"content": "sourdough bread", "relationIds": [target]})).await
}

async fn a_provider_that_fails_is_a_coded_answer_and_writes_go_on(kind: Kind) {
    for broken in broken() {
        let variables = embedding_at(&broken.url, broken.timeout_ms);
        let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
        let ann = server.user().await;
        let memo = write_two(&ann).await;
        assert_unranked(&ann, &memo, broken.name).await;
        // The memo has no vector, so nothing is near to it.
        let related = ann.get(&format!("/api/v1/memos/{memo}/related")).await;
        assert_eq!(related.data()["pagination"]["total"], 0, "{}", broken.name);
        assert_eq!(read_memo(&ann, &memo).await["content"], "sourdough bread");
    }
}

/// Answers a request for embeddings with a vector for each text.
fn embedded(asked: &Asked, vector: &Value) -> Answering {
    let texts = asked.body["input"].as_array().map_or(1, Vec::len);
    let data: Vec<Value> = (0..texts).map(|index| json!({"index": index, "embedding": vector})).collect();
    Answering::json(&json!({ "data": data }))
}

fn right_vector() -> Value {
    json!([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
}

async fn a_wrong_vector_is_a_coded_answer(kind: Kind) {
    let too_large = json!([1e39, 0, 0, 0, 0, 0, 0, 0]);
    let no_number = json!([null, 0, 0, 0, 0, 0, 0, 0]);
    for vector in [json!([]), json!([1.0, 0.0, 0.0]), json!(vec![1.0; 9]), too_large, no_number, json!("x")] {
        let wrong = vector.clone();
        let provider = Provider::start(move |asked, _| embedded(asked, &wrong));
        let variables = embedding_at(&provider.url(), "60000");
        let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
        let ann = server.user().await;
        let memo = write_two(&ann).await;
        assert_unranked(&ann, &memo, &vector.to_string()).await;
    }
}

async fn what_failed_is_found_when_the_provider_is_back(kind: Kind) {
    const NOW: i64 = 1_750_000_000_000;
    const DAY: i64 = 86_400_000;
    let is_up = Arc::new(AtomicBool::new(false));
    let up = Arc::clone(&is_up);
    let provider = Provider::start(move |asked, _| {
        if asked.line.ends_with("/chat/completions") {
            said("Said.")
        } else if up.load(Ordering::Relaxed) {
            embedded(asked, &right_vector())
        } else {
            Answering::text("<html>").status(200)
        }
    });
    let clock = Arc::new(ManualClock::at(NOW));
    let variables = embedding_at(&provider.url(), "60000");
    let settings = Settings { variables, clock: Some(clock.clone()), ..Settings::default() };
    let ann = Server::start_with(kind, settings).await.user().await;
    let memo = write_two(&ann).await;
    assert_unranked(&ann, &memo, "down").await;
    is_up.store(true, Ordering::Relaxed);
    clock.set(NOW + DAY);
    let (items, total) = search(&ann, json!({"query": "sourdough"})).await;
    assert_eq!((ids(&items).len(), total), (2, 2));
    let explored = ann.post(EXPLORE, json!({"query": "sourdough"})).await;
    assert_eq!(
        (&explored.data()["answer"], explored.data()["sources"].as_array().unwrap().len()),
        (&json!("Said."), 2)
    );
}

async fn without_the_vector_store_everything_works_but_the_search(kind: Kind) {
    let provider = Provider::always(said("Said."));
    let mut variables = asking_with_local_embeddings(&provider.url());
    variables.extend([
        ("LANCEDB_URI", "s3://nowhere/lancedb".to_owned()),
        ("LANCEDB_S3_ENDPOINT", Provider::nowhere()),
    ]);
    let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
    let ann = server.user().await;
    let memo = write_two(&ann).await;
    assert_unranked(&ann, &memo, "unreachable").await;
    let related = ann.get(&format!("/api/v1/memos/{memo}/related")).await;
    assert_eq!(related.refusal(), (2000, "数据库错误"));
    assert!(provider.asked().is_empty());

    tag(&ann, "a").await;
    conversation(&ann).await;
    let other = write(&ann, &["四月的天气"]).await;
    ann.put(&format!("/api/v1/memos/{memo}"), json!({"content": "changed", "tags": ["a"]})).await.data();
    ann.delete(&format!("/api/v1/memos/{}", other[0])).await.data();
    let listed = ann.get("/api/v1/memos?search=changed&tags=a").await;
    assert_eq!(ids(&listed.data()["items"]), [memo]);
    everything(&ann).await;
    ann.get("/api/v1/insights/daily-recommendations").await.data();
    ann.post("/api/v1/ai/generate-tags", json!({"content": "x"})).await.data();
}
