//! How the tags of a memo are chosen (`contract/memos.md`, routes 3, 5 and 6).

use serde_json::{Value, json};
use testing::{Client, Kind, Server, on_every_database};

use crate::objects::{assert_usage_counts, memo, memo_id, read_memo, tag, text};

on_every_database!(
    ids_win_over_names_and_an_empty_list_clears,
    the_tags_route_takes_what_it_understands,
    the_tags_route_changes_nothing_but_tags_and_time,
    counts_follow_every_change,
    tags_keep_the_order_of_the_body,
);

fn names(memo: &Value) -> Vec<String> {
    memo["tags"].as_array().unwrap().iter().map(|tag| text(tag, "name")).collect()
}

async fn ids_win_over_names_and_an_empty_list_clears(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let a = tag(&ann, "a").await;
    let id = memo_id(&ann, json!({"content": "x"})).await;
    let path = format!("/api/v1/memos/{id}");
    let cases = [
        (json!({"tagIds": [a], "tags": ["b"]}), vec!["a"]),
        (json!({"tagIds": [], "tags": ["b"]}), vec!["b"]),
        (json!({"tagIds": null, "tags": ["b"]}), vec!["b"]),
        (json!({"tagIds": [], "tags": []}), vec![]),
        (json!({"tagIds": [a], "tags": []}), vec!["a"]),
        (json!({"tagIds": []}), vec![]),
        (json!({"tags": []}), vec![]),
        (json!({"tagIds": ["unknown"], "tags": ["b"]}), vec![]),
        (json!({"tagIds": ["unknown", a]}), vec!["a"]),
    ];
    for (body, expected) in cases {
        let start = json!({"content": "x", "tags": ["start"]});
        ann.put(&path, start.clone()).await.data();
        let mut update = body.clone();
        update["content"] = json!("x");
        ann.put(&path, update).await.data();
        assert_eq!(names(&read_memo(&ann, &id).await), expected, "{body}");

        ann.put(&path, start).await.data();
        ann.put(&format!("{path}/tags"), body.clone()).await.data();
        assert_eq!(names(&read_memo(&ann, &id).await), expected, "{body} on the tags route");
    }
    assert_usage_counts(&ann).await;
}

async fn the_tags_route_takes_what_it_understands(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let a = tag(&ann, "a").await;
    let id = memo_id(&ann, json!({"content": "x"})).await;
    let path = format!("/api/v1/memos/{id}/tags");
    let cases = [
        (json!({}), vec![]),
        (json!({"tags": null, "tagIds": null}), vec![]),
        (json!({"tags": "", "tagIds": 0}), vec![]),
        (json!({"tags": false}), vec![]),
        (json!({"tags": ["b", 5, null, "", " ", {}, ["c"], " d "]}), vec!["b", "d"]),
        (json!({"tagIds": [5, null, "", a, " "], "tags": ["b"]}), vec!["a"]),
        (json!({"tagIds": ["", 5], "tags": ["b"]}), vec!["b"]),
    ];
    for (body, expected) in cases {
        ann.put(&path, json!({"tags": ["start"]})).await.data();
        let answer = ann.put(&path, body.clone()).await;
        assert_eq!(answer.data()["message"], "Tags updated successfully");
        assert_eq!(names(&answer.data()["memo"]), expected, "{body}");
    }
    let unknown = "/api/v1/memos/m00000000000000000000000/tags";
    assert_eq!(ann.put(unknown, json!({"tags": "x"})).await.refusal(), (2, "Tags must be an array"));
    assert_eq!(ann.put(unknown, json!({"tags": {}, "tagIds": 5})).await.refusal(), (2, "Tags must be an array"));
    assert_eq!(ann.put(unknown, json!({"tags": ["new"]})).await.refusal(), (3, "资源不存在"));
}

async fn the_tags_route_changes_nothing_but_tags_and_time(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let target = memo_id(&ann, json!({"content": "target"})).await;
    let body =
        json!({"content": " x ", "type": "video", "isPublic": true, "source": "s", "relationIds": [target]});
    let id = memo_id(&ann, body).await;
    let mut expected = read_memo(&ann, &id).await;
    clock.set(1_750_000_000_001);
    let body = json!({"tags": ["a"], "content": "ignored", "isPublic": false, "relationIds": []});
    ann.put(&format!("/api/v1/memos/{id}/tags"), body).await.data();
    let after = read_memo(&ann, &id).await;
    expected["updatedAt"] = json!(1_750_000_000_001_i64);
    expected["tags"] = after["tags"].clone();
    expected["tagIds"] = json!([after["tags"][0]["tagId"]]);
    assert_eq!(after, expected);
}

async fn counts_follow_every_change(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let first = memo(&ann, json!({"content": "1", "tags": ["a", "b"]})).await;
    let second = memo(&ann, json!({"content": "2", "tags": ["B", "c"]})).await;
    assert_counts(&ann, &[("a", 1), ("b", 2), ("c", 1)]).await;
    let first = format!("/api/v1/memos/{}", text(&first, "memoId"));
    let second = format!("/api/v1/memos/{}", text(&second, "memoId"));
    ann.put(&first, json!({"content": "1", "tags": ["c", "b"]})).await.data();
    assert_counts(&ann, &[("a", 0), ("b", 2), ("c", 2)]).await;
    ann.put(&first, json!({"content": "1"})).await.data();
    assert_counts(&ann, &[("a", 0), ("b", 2), ("c", 2)]).await;
    ann.put(&format!("{second}/tags"), json!({"tags": ["a"]})).await.data();
    assert_counts(&ann, &[("a", 1), ("b", 1), ("c", 1)]).await;
    ann.put(&first, json!({"content": "1", "tags": []})).await.data();
    assert_counts(&ann, &[("a", 1), ("b", 0), ("c", 0)]).await;
    ann.put(&first, json!({"content": "1", "isPublic": 5, "tags": ["a"]})).await.refusal();
    ann.delete(&second).await.data();
    assert_counts(&ann, &[("a", 0), ("b", 0), ("c", 0)]).await;
}

async fn assert_counts(user: &Client, expected: &[(&str, i64)]) {
    let tags = user.get("/api/v1/tags").await;
    let mut counts: Vec<(String, i64)> = Vec::new();
    for tag in tags.data()["tags"].as_array().unwrap() {
        counts.push((text(tag, "name"), tag["usageCount"].as_i64().unwrap()));
    }
    counts.sort_unstable();
    let expected: Vec<(String, i64)> = expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    assert_eq!(counts, expected);
    assert_usage_counts(user).await;
}

async fn tags_keep_the_order_of_the_body(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let id = memo_id(&ann, json!({"content": "x", "tags": ["c", "a", "b"]})).await;
    let path = format!("/api/v1/memos/{id}/tags");
    assert_eq!(names(&read_memo(&ann, &id).await), ["c", "a", "b"]);
    for order in [["b", "c", "a"], ["a", "b", "c"]] {
        ann.put(&path, json!({"tags": order})).await.data();
        let memo = read_memo(&ann, &id).await;
        assert_eq!(names(&memo), order);
        let ids: Vec<&Value> = memo["tags"].as_array().unwrap().iter().map(|tag| &tag["tagId"]).collect();
        assert_eq!(memo["tagIds"], json!(ids));
    }
}
