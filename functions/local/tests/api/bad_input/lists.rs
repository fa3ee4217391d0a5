//! Lists in bodies have at most 1000 elements (`contract/memos.md`, defect 20).

use serde_json::{Value, json};
use testing::{Kind, Server, on_every_database};

use super::writes::World;
use crate::objects::everything;

on_every_database!(a_list_has_at_most_a_thousand_elements, a_memo_carries_a_thousand_tags);

/// Makes an element of a list from its number.
type Element = fn(usize) -> Value;

async fn a_list_has_at_most_a_thousand_elements(kind: Kind) {
    const MESSAGES: &str = "/api/v1/explore/conversations/{conversationId}/messages";
    let world = World::new(Server::start(kind).await).await;
    let text = |number: usize| json!(format!("unknown {}", number % 3));
    let source = |number: usize| json!({"memoId": number.to_string(), "similarity": 0.1});
    let channel = |number: usize| json!({"type": "meow", "nickname": number.to_string()});
    let lists: [(&str, &str, &[&str], Element); 7] = [
        ("POST", "/api/v1/memos", &["tags", "tagIds", "attachments", "relationIds"], text),
        ("PUT", "/api/v1/memos/{memoId}", &["tags", "tagIds", "attachments", "relationIds"], text),
        ("PUT", "/api/v1/memos/{memoId}/tags", &["tags", "tagIds"], text),
        ("POST", "/api/v1/memos/ba/create", &["tags", "tagIds", "attachments", "relationIds"], text),
        ("POST", MESSAGES, &["sources"], source),
        ("POST", "/api/v1/push-rules", &["channels"], channel),
        ("PUT", "/api/v1/push-rules/{id}", &["channels"], channel),
    ];
    for (method, route, members, element) in lists {
        let write = world.find(method, route);
        for member in members {
            let list = |length: usize| write.with(member, (0..length).map(element).collect()).to_string();
            let before = everything(&world.ann).await;
            assert_eq!(write.send_json(list(1001)).await.refusal(), (2, "参数错误"), "{write} {member}");
            assert_eq!(everything(&world.ann).await, before, "{write} {member}");
            write.send_json(list(1000)).await.data();
        }
    }
}

async fn a_memo_carries_a_thousand_tags(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let names: Vec<String> = (0..1000).map(|number| format!("标签 {number}")).collect();
    let created = ann.post("/api/v1/memos", json!({"content": "x", "tags": names})).await;
    let tags = created.data()["memo"]["tags"].as_array().unwrap().clone();
    assert_eq!(tags.iter().map(|tag| tag["name"].as_str().unwrap()).collect::<Vec<_>>(), names);

    let ids: Vec<&Value> = tags.iter().rev().map(|tag| &tag["tagId"]).collect();
    let again = ann.post("/api/v1/memos", json!({"content": "y", "tagIds": ids})).await;
    assert_eq!(again.data()["memo"]["tagIds"], json!(ids));
    assert!(again.data()["memo"]["tags"].as_array().unwrap().iter().all(|tag| tag["usageCount"] == 2));
}
