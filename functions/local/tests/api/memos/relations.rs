//! Relations and backlinks (`contract/memos.md` section 4 and route 9).

use serde_json::{Value, json};
use testing::{Client, Kind, Server, on_every_database};

use crate::objects::{memo_id, read_memo, text};

on_every_database!(
    relations_keep_the_order_of_the_body_each_once_and_never_to_itself,
    a_related_memo_is_shown_one_level_deep,
    a_relation_has_one_direction,
    backlinks_come_in_the_order_in_which_they_were_made,
    backlinks_are_paged,
    deleting_a_memo_removes_its_relations_in_both_directions,
);

async fn memos(user: &Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(memo_id(user, json!({"content": number.to_string()})).await);
    }
    ids
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|memo| text(memo, "memoId")).collect()
}

async fn relations_keep_the_order_of_the_body_each_once_and_never_to_itself(kind: Kind) {
    let (server, _) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let m = memos(&ann, 6).await;
    let path = format!("/api/v1/memos/{}", m[0]);
    for (given, kept) in [
        (json!([m[3], m[1], m[2]]), vec![&m[3], &m[1], &m[2]]),
        (json!([m[0]]), vec![]),
        (json!([m[5], m[0], m[4], m[5], "unknown", m[4], m[1], ""]), vec![&m[5], &m[4], &m[1]]),
        (json!([m[1], m[2], m[3], m[4], m[5]]), vec![&m[1], &m[2], &m[3], &m[4], &m[5]]),
        (json!([m[5], m[4], m[3], m[2], m[1]]), vec![&m[5], &m[4], &m[3], &m[2], &m[1]]),
        (json!([]), vec![]),
    ] {
        let updated = ann.put(&path, json!({"content": "0", "relationIds": given})).await;
        let read = read_memo(&ann, &m[0]).await;
        assert_eq!(ids(&updated.data()["memo"]["relations"]), ids(&read["relations"]));
        assert_eq!(ids(&read["relations"]).iter().collect::<Vec<_>>(), kept, "{given}");
        assert_eq!(read.get("relations").is_some(), !kept.is_empty());
    }
    let created = memo_id(&ann, json!({"content": "x", "relationIds": [m[2], m[1], m[2]]})).await;
    assert_eq!(ids(&read_memo(&ann, &created).await["relations"]), [m[2].as_str(), m[1].as_str()]);
}

async fn a_related_memo_is_shown_one_level_deep(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let last = memo_id(&ann, json!({"content": "last"})).await;
    let body = json!({"content": "middle", "tags": ["a"], "source": "s", "isPublic": true, "relationIds": [last]});
    let middle = memo_id(&ann, body).await;
    let first = memo_id(&ann, json!({"content": "first", "relationIds": [middle]})).await;
    let mut expected = read_memo(&ann, &middle).await;
    expected.as_object_mut().unwrap().remove("relations");
    assert_eq!(read_memo(&ann, &first).await["relations"], json!([expected]));
    let listed = ann.get("/api/v1/memos?search=first").await;
    assert_eq!(listed.data()["items"][0]["relations"], json!([expected]));
}

async fn a_relation_has_one_direction(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let target = memo_id(&ann, json!({"content": "target"})).await;
    let source = memo_id(&ann, json!({"content": "source", "relationIds": [target]})).await;
    assert_eq!(read_memo(&ann, &target).await.get("relations"), None);
    // The opposite one is another relation.
    ann.put(&format!("/api/v1/memos/{target}"), json!({"content": "target", "relationIds": [source]}))
        .await
        .data();
    for (id, other) in [(&target, &source), (&source, &target)] {
        assert_eq!(ids(&read_memo(&ann, id).await["relations"]), [other.as_str()]);
        let backlinks = ann.get(&format!("/api/v1/memos/{id}/backlinks")).await;
        assert_eq!(ids(&backlinks.data()["items"]), [other.as_str()]);
    }
}

async fn backlinks_come_in_the_order_in_which_they_were_made(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let m = memos(&ann, 5).await;
    let path = format!("/api/v1/memos/{}/backlinks", m[0]);
    for (now, source) in (1_750_000_000_001..).zip([3, 1, 4, 2]) {
        clock.set(now);
        ann.put(&format!("/api/v1/memos/{}", m[source]), json!({"content": "x", "relationIds": [m[0]]}))
            .await
            .data();
    }
    let page = ann.get(&path).await;
    assert_eq!(ids(&page.data()["items"]), [3, 1, 4, 2].map(|source: usize| m[source].clone()));
    for memo in page.data()["items"].as_array().unwrap() {
        assert_eq!(memo.get("relations"), None);
    }
    // To name it again is a new relation.
    clock.set(1_750_000_000_999);
    ann.put(&format!("/api/v1/memos/{}", m[3]), json!({"content": "x", "relationIds": [m[0]]})).await.data();
    ann.put(&format!("/api/v1/memos/{}", m[1]), json!({"content": "changed"})).await.data();
    assert_eq!(ids(&ann.get(&path).await.data()["items"]), [1, 4, 2, 3].map(|source: usize| m[source].clone()));
}

async fn backlinks_are_paged(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let target = memo_id(&ann, json!({"content": "target"})).await;
    let mut sources = Vec::new();
    for now in 1_750_000_000_001..=1_750_000_000_021 {
        clock.set(now);
        sources.push(memo_id(&ann, json!({"content": "x", "relationIds": [target]})).await);
    }
    let path = format!("/api/v1/memos/{target}/backlinks");
    for (query, page, limit, pages, range) in [
        ("", 1, 20, 2, 0..20),
        ("?page=2", 2, 20, 2, 20..21),
        ("?page=3&limit=4", 3, 4, 6, 8..12),
        ("?page=9", 9, 20, 2, 0..0),
    ] {
        let answer = ann.get(&format!("{path}{query}")).await;
        assert_eq!(ids(&answer.data()["items"]), sources[range], "{query}");
        let pagination = json!({"total": 21, "page": page, "limit": limit, "totalPages": pages});
        assert_eq!(answer.data()["pagination"], pagination, "{query}");
    }
}

async fn deleting_a_memo_removes_its_relations_in_both_directions(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let last = memo_id(&ann, json!({"content": "last"})).await;
    let middle = memo_id(&ann, json!({"content": "middle", "relationIds": [last]})).await;
    let first = memo_id(&ann, json!({"content": "first", "relationIds": [middle, last]})).await;
    ann.delete(&format!("/api/v1/memos/{middle}")).await.data();
    assert_eq!(ids(&read_memo(&ann, &first).await["relations"]), [last.as_str()]);
    let backlinks = ann.get(&format!("/api/v1/memos/{last}/backlinks")).await;
    assert_eq!(
        (ids(&backlinks.data()["items"]), &backlinks.data()["pagination"]["total"]),
        (vec![first.clone()], &json!(1))
    );
    let left: Vec<(String, String)> = server
        .fetch(format!("SELECT source_memo_id, target_memo_id FROM memo_relations WHERE uid = '{}'", ann.uid))
        .await;
    assert_eq!(left, [(first, last)]);
}
