//! What is found by meaning (`contract/memos.md` routes 2 and 8, `contract/explore.md` section 2), with
//! embeddings of the process itself, which know words and no meaning.

mod bucket;
mod failures;
mod filters;
mod freshness;
mod recall;
mod related;
mod statements;
mod strangers;

use serde_json::{Value, json};
use testing::{Client, Kind, Server, on_every_database};

use crate::objects::{attachment, category, memo_id, read_memo, text};

on_every_database!(
    the_closest_memo_comes_first_and_the_same_text_scores_one,
    a_memo_is_shown_as_in_a_list_and_with_its_score,
    a_query_may_hold_anything_but_nothing,
    members_of_the_wrong_type_are_refused,
    quick_search_finds_what_is_close_enough,
    a_vector_without_a_memo_shows_nothing,
);

pub const VECTOR: &str = "/api/v1/memos/search/vector";
pub const QUICK: &str = "/api/v1/explore/quick-search";

/// Writes memos and returns their ids.
pub async fn write(user: &Client, contents: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for content in contents {
        ids.push(memo_id(user, json!({"content": content})).await);
    }
    ids
}

/// Returns the ids of the memos of a list.
pub fn ids(items: &Value) -> Vec<String> {
    items.as_array().unwrap().iter().map(|item| text(item, "memoId")).collect()
}

/// Returns what a search finds: the items, and the total.
pub async fn search(user: &Client, body: Value) -> (Value, u64) {
    let answer = user.post(VECTOR, body).await;
    let data = answer.data();
    (data["items"].clone(), data["pagination"]["total"].as_u64().unwrap())
}

fn score(item: &Value) -> f64 {
    item["relevanceScore"].as_f64().unwrap()
}

async fn the_closest_memo_comes_first_and_the_same_text_scores_one(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let contents =
        ["新鲜的面包配黄油", "rust ownership and borrowing 🦀", "四月的天气很晴朗", "the borrow checker"];
    let written = write(&ann, &contents).await;
    for (content, id) in contents.iter().zip(&written) {
        let (items, total) = search(&ann, json!({ "query": content })).await;
        assert_eq!((ids(&items)[0].as_str(), total), (id.as_str(), 4), "{content}");
        assert!(score(&items[0]) > 0.9999 && score(&items[0]) <= 1.0, "{items}");
        let scores: Vec<f64> = items.as_array().unwrap().iter().map(score).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b) && scores.iter().all(|score| *score >= 0.0), "{scores:?}");
    }
    for (query, closest) in [("天气", 2), ("面包", 0), ("borrow checker", 3), ("🦀", 1)] {
        let (items, _) = search(&ann, json!({"query": query, "limit": 1})).await;
        assert_eq!(ids(&items), [written[closest].as_str()], "{query}");
    }
}

async fn a_memo_is_shown_as_in_a_list_and_with_its_score(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let target = memo_id(&ann, json!({"content": "bread", "tags": ["food"]})).await;
    let id = memo_id(
        &ann,
        json!({
            "content": "a memo with everything", "categoryId": category(&ann, "c").await, "tags": ["b", "a"],
            "attachments": [attachment(&server, &ann).await], "relationIds": [target], "isPublic": true,
            "source": "https://example.com", "type": "audio", "createdAt": 1_600_000_000_000_i64,
        }),
    )
    .await;
    let mut expected = read_memo(&ann, &id).await;
    let without_urls = |memo: &mut Value| {
        memo["attachments"][0].as_object_mut().unwrap().remove("url").unwrap();
    };
    without_urls(&mut expected);
    for path in [VECTOR, QUICK] {
        let answer = ann.post(path, json!({"query": "a memo with everything", "limit": 1})).await;
        let mut found = answer.data()["items"][0].clone();
        without_urls(&mut found);
        let score = found.as_object_mut().unwrap().remove("relevanceScore").unwrap();
        assert!(score.as_f64().unwrap() > 0.9999, "{score}");
        assert_eq!(found, expected, "{path}");
    }
}

async fn a_query_may_hold_anything_but_nothing(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    write(&ann, &["it's 100% \"done\""]).await;
    let long = "很长的问题 ".repeat(20_000);
    for query in ["it's", "' OR 1=1 --", "\"", "\\", "%", "😀", " x ", &long] {
        for path in [VECTOR, QUICK] {
            ann.post(path, json!({ "query": query })).await.data();
        }
    }
    for body in [json!({}), json!({"query": null}), json!({"query": ""}), json!({"query": " \n\t\u{3000}"})] {
        for path in [VECTOR, QUICK, "/api/v1/explore"] {
            assert_eq!(ann.post(path, body.clone()).await.refusal(), (2, "Query is required"), "{path} {body}");
        }
    }
}

async fn members_of_the_wrong_type_are_refused(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let wrong = |member: &str, value: Value| {
        let mut body = json!({"query": "x"});
        body[member] = value;
        body
    };
    for value in [json!(5), json!(true), json!(["x"]), json!({"x": 1})] {
        for path in [VECTOR, QUICK, "/api/v1/explore"] {
            let body = wrong("query", value.clone());
            assert_eq!(ann.post(path, body.clone()).await.refusal(), (2, "参数错误"), "{path} {body}");
        }
        assert_eq!(ann.post("/api/v1/explore", wrong("context", value.clone())).await.refusal(), (2, "参数错误"));
        assert_eq!(ann.post(VECTOR, wrong("categoryId", value)).await.refusal(), (2, "参数错误"));
    }
    for value in [json!("1"), json!(true), json!([1])] {
        for member in ["page", "limit"] {
            let body = wrong(member, value.clone());
            assert_eq!(ann.post(VECTOR, body.clone()).await.refusal(), (2, "参数错误"), "{body}");
        }
    }
    for value in [json!(true), json!([1]), json!({"x": 1})] {
        for member in ["startDate", "endDate"] {
            let body = wrong(member, value.clone());
            assert_eq!(ann.post(VECTOR, body.clone()).await.refusal(), (2, "参数错误"), "{body}");
        }
    }
}

async fn quick_search_finds_what_is_close_enough(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let close: Vec<String> = (0..12).map(|number| format!("sourdough bread recipe {number}")).collect();
    let written = write(&ann, &close.iter().map(String::as_str).collect::<Vec<_>>()).await;
    write(&ann, &["四月的天气", "borrow checker"]).await;
    let (all, _) = search(&ann, json!({"query": "sourdough bread recipe", "limit": 1000})).await;
    let ranked = ids(&all);
    let enough = all.as_array().unwrap().iter().filter(|item| score(item) >= 0.5).count();
    assert!((11..=12).contains(&enough) && ranked[..enough].iter().all(|id| written.contains(id)), "{all}");
    for (limit, count) in [(json!(null), 5), (json!(0), 5), (json!("3"), 5), (json!(3), 3), (json!(50), enough)] {
        let answer = ann.post(QUICK, json!({"query": "sourdough bread recipe", "limit": limit})).await;
        assert_eq!(ids(&answer.data()["items"]), ranked[..count], "{limit}");
        assert_eq!(answer.data()["total"], json!(count));
    }
    let nothing = ann.post(QUICK, json!({"query": "完全不同"})).await;
    assert_eq!(*nothing.data(), json!({"items": [], "total": 0}));
}

async fn a_vector_without_a_memo_shows_nothing(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let written = write(&ann, &["sourdough bread one", "sourdough bread two", "sourdough bread three"]).await;
    assert_eq!(search(&ann, json!({"query": "sourdough bread"})).await.1, 3);
    // Behind the back of the product: nothing is noted in the outbox.
    server.execute(format!("DELETE FROM memos WHERE memo_id = '{}'", written[1])).await;
    let (items, total) = search(&ann, json!({"query": "sourdough bread two"})).await;
    assert_eq!((ids(&items).len(), total), (2, 2));
    let quick = ann.post(QUICK, json!({"query": "sourdough bread two"})).await;
    let related = ann.get(&format!("/api/v1/memos/{}/related", written[0])).await;
    assert_eq!(related.data()["pagination"]["total"], 1);
    let graph = ann.get(&format!("/api/v1/explore/relations/{}", written[0])).await;
    for answer in [quick, related, graph] {
        let body = answer.body.to_string();
        assert!(!body.contains(&written[1]) && !body.contains("bread two"), "{body}");
    }
}
