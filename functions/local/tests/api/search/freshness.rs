//! What a user has written is found by the next search, and what they have deleted is not
//! (`contract/memos.md` section 6).

use futures::future::{join, join_all};
use serde_json::json;
use testing::{Client, Kind, Server, on_every_database};

use super::{QUICK, VECTOR, ids, search, write};
use crate::objects::memo_id;

on_every_database!(
    what_was_just_written_is_found_by_every_route,
    a_changed_memo_is_ranked_by_its_new_text,
    a_deleted_memo_is_gone_within_the_same_millisecond,
    deletion_and_search_at_once_never_bring_a_memo_back,
);

async fn what_was_just_written_is_found_by_every_route(kind: Kind) {
    let server = Server::start(kind).await;
    // Each route is the first one to be asked after the memos were written.
    for route in 0..4 {
        let ann = server.user().await;
        let written = write(&ann, &["the sourdough starter", "the sourdough starter again"]).await;
        let query = json!({"query": "the sourdough starter again"});
        let answer = match route {
            0 => ann.post(VECTOR, query).await,
            1 => ann.post(QUICK, query).await,
            2 => ann.get(&format!("/api/v1/memos/{}/related", written[0])).await,
            _ => ann.get(&format!("/api/v1/explore/relations/{}", written[0])).await,
        };
        answer.data();
        assert!(answer.body.to_string().contains(&written[1]), "{route}: {answer:?}");
    }
}

async fn a_changed_memo_is_ranked_by_its_new_text(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let written = write(&ann, &["sourdough bread", "四月的天气"]).await;
    assert_eq!(ids(&search(&ann, json!({"query": "sourdough bread"})).await.0)[0], written[0]);
    for (memo, content) in [(0, "晴朗"), (1, "sourdough bread")] {
        ann.put(&format!("/api/v1/memos/{}", written[memo]), json!({ "content": content })).await.data();
    }
    let (items, total) = search(&ann, json!({"query": "sourdough bread"})).await;
    assert_eq!((ids(&items)[0].as_str(), total), (written[1].as_str(), 2));
    assert!(items[0]["relevanceScore"].as_f64().unwrap() > 0.9999);
    assert!(items[1]["relevanceScore"].as_f64().unwrap() < 0.2, "{items}");
}

/// Asserts that no route finds a memo, or what it says.
async fn assert_gone(user: &Client, other: &str, memo: &str, content: &str) {
    let query = json!({"query": content, "limit": 50});
    let answers = [
        user.post(VECTOR, query.clone()).await,
        user.post(QUICK, query.clone()).await,
        user.post("/api/v1/explore", query).await,
        user.get(&format!("/api/v1/memos/{other}/related")).await,
        user.get(&format!("/api/v1/explore/relations/{other}")).await,
    ];
    for answer in answers {
        answer.data();
        let body = answer.body.to_string();
        assert!(!body.contains(memo) && !body.contains(content), "{body}");
    }
}

async fn a_deleted_memo_is_gone_within_the_same_millisecond(kind: Kind) {
    let (server, _) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let other = memo_id(&ann, json!({"content": "sourdough"})).await;
    for indexed in [true, false] {
        let content = format!("sourdough secret {indexed}");
        let body = json!({"content": content, "relationIds": [other]});
        let memo = memo_id(&ann, body).await;
        if indexed {
            assert_eq!(ids(&search(&ann, json!({ "query": content })).await.0)[0], memo);
        }
        ann.delete(&format!("/api/v1/memos/{memo}")).await.data();
        assert_gone(&ann, &other, &memo, &content).await;
    }
}

async fn deletion_and_search_at_once_never_bring_a_memo_back(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let other = memo_id(&ann, json!({"content": "sourdough"})).await;
    for round in 0..5 {
        let content = format!("sourdough secret {round}");
        let memo = memo_id(&ann, json!({ "content": content })).await;
        let searches = join_all((0..4).map(|_| ann.post(VECTOR, json!({ "query": content }))));
        let (answers, deleted) = join(searches, ann.delete(&format!("/api/v1/memos/{memo}"))).await;
        deleted.data();
        for answer in answers {
            answer.data();
        }
        assert_gone(&ann, &other, &memo, &content).await;
    }
}
