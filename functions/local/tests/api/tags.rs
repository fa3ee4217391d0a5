//! Tags (`contract/categories-tags.md`).

use serde_json::{Value, json};
use testing::{Client, Kind, Server, on_every_database};

use crate::objects::{assert_usage_counts, memo, read_memo, tag, text, usage};

on_every_database!(
    a_known_name_answers_the_existing_tag,
    a_tag_shows_no_owner,
    a_rename_shows_on_memos_and_may_not_take_another_name,
    an_update_validates_the_name_before_it_looks_for_the_tag,
    a_colour_is_kept_as_given_and_cleared_by_null_and_empty,
    tags_are_listed_oldest_first,
    deleting_a_tag_takes_it_off_its_memos,
    a_count_that_changes_moves_the_time_of_the_tag,
    a_repeated_tag_counts_once,
);

const PATH: &str = "/api/v1/tags";

async fn a_known_name_answers_the_existing_tag(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let first = ann.post(PATH, json!({"name": " Ünï 读书 "})).await;
    assert_eq!(first.data()["tag"]["name"], "Ünï 读书");
    clock.set(1_750_000_000_001);
    let again = ann.post(PATH, json!({"name": "üNÏ 读书", "color": "#fff"})).await;
    assert_eq!(first.data()["tag"], again.data()["tag"]);
    assert_eq!(again.data()["message"], "Tag created successfully");
    // A memo that names it does not change it either.
    let memo = memo(&ann, json!({"content": "x", "tags": ["\tÜNÏ 读书"]})).await;
    assert_eq!((&memo["tags"][0]["name"], memo["tags"][0].get("color")), (&json!("Ünï 读书"), None));
}

async fn a_tag_shows_no_owner(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let tag = ann.post(PATH, json!({"name": "a", "color": "red"})).await.data()["tag"].clone();
    let members: Vec<&String> = tag.as_object().unwrap().keys().collect();
    assert_eq!(members, ["tagId", "name", "color", "usageCount", "createdAt", "updatedAt"]);
    assert_eq!((&tag["usageCount"], &tag["createdAt"]), (&json!(0), &tag["updatedAt"]));
}

async fn a_rename_shows_on_memos_and_may_not_take_another_name(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let memo = memo(&ann, json!({"content": "x", "tags": ["old", "other"]})).await;
    let id = text(&memo, "memoId");
    let path = format!("{PATH}/{}", memo["tagIds"][0].as_str().unwrap());
    let before = ann.get(&path).await;
    let taken = ann.put(&path, json!({"name": " OTHER", "color": "red"})).await;
    assert_eq!(taken.refusal(), (2, "Tag name already exists"));
    assert_eq!(ann.get(&path).await.data(), before.data());

    clock.set(1_750_000_000_500);
    let renamed = ann.put(&path, json!({"name": " OLD "})).await;
    assert_eq!(renamed.data()["tag"]["name"], "OLD");
    let renamed = ann.put(&path, json!({"name": "new"})).await.data()["tag"].clone();
    assert_eq!((&renamed["usageCount"], &renamed["updatedAt"]), (&json!(1), &json!(1_750_000_000_500_i64)));
    let shown = read_memo(&ann, &id).await;
    assert_eq!((&shown["tags"][0], &shown["updatedAt"]), (&renamed, &memo["updatedAt"]));
    let found = async |name: &str| {
        ann.get(&format!("/api/v1/memos?tags={name}")).await.data()["pagination"]["total"].clone()
    };
    assert_eq!((found("new").await, found("old").await), (json!(1), json!(0)));
    assert_ne!(tag(&ann, "old").await, text(&renamed, "tagId"));
}

async fn an_update_validates_the_name_before_it_looks_for_the_tag(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let unknown = format!("{PATH}/t00000000000000000000000");
    assert_eq!(ann.put(&unknown, json!({"name": " "})).await.refusal(), (2, "Tag name cannot be empty"));
    assert_eq!(ann.put(&unknown, json!({"name": "x"})).await.refusal(), (3, "资源不存在"));
}

async fn a_colour_is_kept_as_given_and_cleared_by_null_and_empty(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let path = format!("{PATH}/{}", tag(&ann, "a").await);
    for (color, stored) in [
        (json!(" #fff "), Some(json!(" #fff "))),
        (Value::Null, None),
        (json!(" "), Some(json!(" "))),
        (json!(""), None),
    ] {
        let updated = ann.put(&path, json!({"color": color})).await;
        assert_eq!(updated.data()["tag"].get("color"), stored.as_ref(), "{color}");
        assert_eq!(ann.get(&path).await.data()["tag"].get("color"), stored.as_ref(), "{color}");
    }
    let created = ann.post(PATH, json!({"name": "b", "color": ""})).await;
    assert_eq!(created.data()["tag"].get("color"), None);
}

async fn tags_are_listed_oldest_first(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let mut ids = Vec::new();
    for (now, name) in (1_750_000_000_000..).zip(["c", "a", "b"]) {
        clock.set(now);
        ids.push(tag(&ann, name).await);
    }
    // An update moves nothing.
    ann.put(&format!("{PATH}/{}", ids[0]), json!({"name": "z"})).await.data();
    assert_eq!(listed(&ann).await, ids);
    // Tags that a memo makes at once have one time, so their ids decide.
    memo(&ann, json!({"content": "x", "tags": ["1", "2", "3", "4", "5"]})).await;
    let made = listed(&ann).await.split_off(3);
    assert!(made.len() == 5 && made.is_sorted(), "{made:?}");
}

async fn listed(user: &Client) -> Vec<String> {
    user.get(PATH).await.data()["tags"].as_array().unwrap().iter().map(|tag| text(tag, "tagId")).collect()
}

async fn deleting_a_tag_takes_it_off_its_memos(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let carrier = memo(&ann, json!({"content": "x", "tags": ["a", "b", "c"]})).await;
    let other = memo(&ann, json!({"content": "y", "tags": ["a", "c"]})).await;
    clock.set(1_750_000_000_777);
    let path = format!("{PATH}/{}", carrier["tagIds"][1].as_str().unwrap());
    assert_eq!(ann.delete(&path).await.data()["message"], "Tag deleted successfully");

    let after = read_memo(&ann, &text(&carrier, "memoId")).await;
    assert_eq!(after["tagIds"], json!([carrier["tagIds"][0], carrier["tagIds"][2]]));
    assert_eq!(after["tags"].as_array().unwrap().len(), 2);
    assert_eq!(after["updatedAt"], 1_750_000_000_777_i64);
    assert_eq!(read_memo(&ann, &text(&other, "memoId")).await["updatedAt"], other["updatedAt"]);
    assert_eq!(ann.get(&path).await.refusal(), (3, "资源不存在"));
    assert_eq!(ann.delete(&path).await.refusal(), (3, "资源不存在"));
    assert_eq!(ann.get("/api/v1/memos?tags=b").await.data()["items"], json!([]));
    assert_usage_counts(&ann).await;
}

async fn a_count_that_changes_moves_the_time_of_the_tag(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let (counted, kept) = (tag(&ann, "counted").await, tag(&ann, "kept").await);
    clock.set(1_750_000_000_001);
    let memo = memo(&ann, json!({"content": "x", "tagIds": [counted, kept]})).await;
    // What the answer shows is what is stored.
    assert_eq!(memo["tags"], read_memo(&ann, &text(&memo, "memoId")).await["tags"]);
    assert_eq!(memo["tags"][0]["updatedAt"], 1_750_000_000_001_i64);
    clock.set(1_750_000_000_002);
    ann.put(&format!("/api/v1/memos/{}/tags", text(&memo, "memoId")), json!({"tagIds": [kept]})).await.data();
    let updated_at = async |id: &str| ann.get(&format!("{PATH}/{id}")).await.data()["tag"]["updatedAt"].clone();
    assert_eq!(updated_at(&counted).await, 1_750_000_000_002_i64);
    assert_eq!(updated_at(&kept).await, 1_750_000_000_001_i64);
}

async fn a_repeated_tag_counts_once(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let id = tag(&ann, "a").await;
    for body in [
        json!({"content": "x", "tagIds": [id, id]}),
        json!({"content": "x", "tags": ["a", " A ", "", "  ", "a"]}),
        json!({"content": "x", "tagIds": [id], "tags": ["a", "not made"]}),
    ] {
        let memo = memo(&ann, body).await;
        assert_eq!((&memo["tagIds"], memo["tags"].as_array().unwrap().len()), (&json!([id]), 1));
        let path = format!("/api/v1/memos/{}", text(&memo, "memoId"));
        assert_eq!(usage(&ann, &id).await, 1);
        ann.put(&format!("{path}/tags"), json!({"tagIds": [id, id]})).await.data();
        assert_eq!(usage(&ann, &id).await, 1);
        ann.delete(&path).await.data();
        assert_eq!(usage(&ann, &id).await, 0);
    }
    assert_eq!(listed(&ann).await, [id]);
}
