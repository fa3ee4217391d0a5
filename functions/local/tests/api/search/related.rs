//! The memos related to a memo (`contract/memos.md`, route 8).

use serde_json::{Value, json};
use testing::{Answer, Client, Kind, Server, on_every_database};

use super::{ids, search, write};
use crate::objects::{memo_id, read_memo};

on_every_database!(
    the_other_memos_are_ranked_by_their_closeness,
    related_memos_are_shown_without_their_relations,
    pages_count_all_other_memos,
);

async fn related(user: &Client, memo: &str, query: &str) -> Answer {
    user.get(&format!("/api/v1/memos/{memo}/related{query}")).await
}

async fn the_other_memos_are_ranked_by_their_closeness(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let contents = ["rust borrow checker", "rust borrow checker errors", "the borrow", "四月的天气", "四月"];
    let written = write(&ann, &contents).await;
    for (content, id) in contents.iter().zip(&written) {
        let answer = related(&ann, id, "").await;
        let (searched, _) = search(&ann, json!({ "query": content })).await;
        let others: Vec<String> = ids(&searched).into_iter().filter(|other| other != id).collect();
        assert_eq!(ids(&answer.data()["items"]), others);
        for item in answer.data()["items"].as_array().unwrap() {
            let same =
                searched.as_array().unwrap().iter().find(|other| other["memoId"] == item["memoId"]).unwrap();
            let difference = item["relevanceScore"].as_f64().unwrap() - same["relevanceScore"].as_f64().unwrap();
            assert!(difference.abs() < 1e-6, "{item} {same}");
        }
    }
    assert_eq!(ids(&related(&ann, &written[0], "").await.data()["items"])[0], written[1]);
}

async fn related_memos_are_shown_without_their_relations(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let seed = memo_id(&ann, json!({"content": "bread"})).await;
    let body = json!({"content": "bread and butter", "tags": ["food"], "relationIds": [seed], "source": "s"});
    let other = memo_id(&ann, body).await;
    let mut expected = read_memo(&ann, &other).await;
    expected.as_object_mut().unwrap().remove("relations").unwrap();
    let answer = related(&ann, &seed, "").await;
    let mut found = answer.data()["items"][0].clone();
    found.as_object_mut().unwrap().remove("relevanceScore").unwrap();
    assert_eq!(found, expected);
}

async fn pages_count_all_other_memos(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let contents: Vec<String> = (0..25).map(|number| format!("bread {number}")).collect();
    let written = write(&ann, &contents.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (page, all) = (related(&ann, &written[0], "").await, related(&ann, &written[0], "?limit=1000").await);
    assert_eq!(page.data()["pagination"], json!({"total": 24, "page": 1, "limit": 10, "totalPages": 3}));
    let all = ids(&all.data()["items"]);
    assert_eq!((all.len(), all.contains(&written[0])), (24, false));
    let mut paged = Vec::new();
    for page in 1..=4 {
        let answer = related(&ann, &written[0], &format!("?page={page}&limit=7")).await;
        paged.extend(ids(&answer.data()["items"]));
    }
    assert_eq!(paged, all);
    let lonely = Server::start(kind).await.user().await;
    let memo = memo_id(&lonely, json!({"content": "alone"})).await;
    let nothing = json!({"items": [], "pagination": {"total": 0, "page": 1, "limit": 10, "totalPages": 0}});
    assert_eq!(*related(&lonely, &memo, "").await.data(), nothing);
    let refused = related(&ann, &written[0], "?page=x").await;
    assert_eq!((refused.status.as_u16(), &refused.body["status"]), (400, &Value::from("error")));
}
