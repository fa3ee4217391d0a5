//! Tags (`contract/categories-tags.md`).

use serde_json::json;
use testing::{Kind, Server, on_every_database};

on_every_database!(a_known_name_answers_the_existing_tag, deleting_a_tag_takes_it_off_its_memos);

async fn a_known_name_answers_the_existing_tag(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let first = ann.post("/api/v1/tags", json!({"name": " Ünï 读书 "})).await;
    let again = ann.post("/api/v1/tags", json!({"name": "üNÏ 读书", "color": "#fff"})).await;
    assert_eq!(first.data()["tag"], again.data()["tag"]);
}

async fn deleting_a_tag_takes_it_off_its_memos(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let memo = ann.post("/api/v1/memos", json!({"content": "x", "tags": ["a", "b", "c"]})).await;
    let memo = &memo.data()["memo"];
    let path = format!("/api/v1/tags/{}", memo["tagIds"][1].as_str().unwrap());
    ann.delete(&path).await.data();
    let after = ann.get(&format!("/api/v1/memos/{}", memo["memoId"].as_str().unwrap())).await;
    assert_eq!(after.data()["tagIds"], json!([memo["tagIds"][0], memo["tagIds"][2]]));
    assert!(after.data()["updatedAt"].as_i64() >= memo["updatedAt"].as_i64());
    assert_eq!(ann.get(&path).await.refusal(), (3, "资源不存在"));
}
