//! What a new memo holds (`contract/memos.md`, route 3).

use serde_json::{Value, json};
use testing::{Kind, Server, on_every_database};

use crate::objects::{attachment, category, memo, memo_id, read_memo, text};

const NOW: i64 = 1_750_000_000_000;

on_every_database!(
    a_plain_memo_has_the_defaults,
    an_empty_member_counts_as_absent,
    content_is_kept_to_the_letter,
    an_import_keeps_its_times_each_by_itself,
    attachments_are_kept_in_order_each_once,
    the_answer_shows_the_memo_as_it_is_stored_but_for_its_relations,
    a_failing_enrichment_does_not_fail_a_read,
);

async fn a_plain_memo_has_the_defaults(kind: Kind) {
    let (server, _) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let answer = ann.post("/api/v1/memos", json!({"content": "x"})).await;
    assert_eq!(answer.data()["message"], "Memo created successfully");
    let memo = &answer.data()["memo"];
    let expected = json!({
        "memoId": memo["memoId"],
        "uid": ann.uid,
        "content": "x",
        "type": "text",
        "attachments": [],
        "tags": [],
        "tagIds": [],
        "isPublic": false,
        "createdAt": NOW,
        "updatedAt": NOW,
    });
    assert_eq!(*memo, expected);
    let id = text(memo, "memoId");
    assert!(id.len() == 24 && id.starts_with('m'), "{id}");
    assert_eq!(read_memo(&ann, &id).await, expected);
}

async fn an_empty_member_counts_as_absent(kind: Kind) {
    let (server, _) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let mut plain = memo(&ann, json!({"content": "x"})).await;
    for (member, values) in [
        ("type", vec![Value::Null]),
        ("categoryId", vec![Value::Null, json!(""), json!("__uncategorized__"), json!("c-unknown")]),
        ("attachments", vec![Value::Null, json!([])]),
        ("tags", vec![Value::Null, json!([]), json!(["", " "])]),
        ("tagIds", vec![Value::Null, json!([]), json!(["unknown"])]),
        ("relationIds", vec![Value::Null, json!([]), json!(["unknown"])]),
        ("isPublic", vec![Value::Null, json!(false)]),
        ("createdAt", vec![Value::Null, json!(0)]),
        ("updatedAt", vec![Value::Null, json!(0)]),
        ("source", vec![Value::Null, json!("")]),
    ] {
        for value in values {
            let created = memo(&ann, json!({"content": "x", member: value})).await;
            plain["memoId"] = created["memoId"].clone();
            assert_eq!(created, plain, "{member}: {value}");
            assert_eq!(read_memo(&ann, &text(&created, "memoId")).await, plain, "{member}: {value}");
        }
    }
    assert_eq!(ann.get("/api/v1/tags").await.data()["tags"], json!([]));
}

async fn content_is_kept_to_the_letter(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    for content in
        ["  \n# title\n\n ", "\ttab", "ends with a space ", "\r\n", "0", "<script>", "'; DROP TABLE memos; --"]
    {
        if content.trim().is_empty() {
            continue;
        }
        let id = memo_id(&ann, json!({"content": content})).await;
        assert_eq!(read_memo(&ann, &id).await["content"], content);
    }
}

async fn an_import_keeps_its_times_each_by_itself(kind: Kind) {
    let (server, _) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    for (created, updated) in [
        (json!(1_600_000_000_123_i64), json!(1_600_000_000_456_i64)),
        (json!(1_600_000_000_123_i64), Value::Null),
        (Value::Null, json!(1_600_000_000_456_i64)),
        (json!(-5_000_000_000_000_i64), json!(-1)),
        (json!(253_402_300_799_999_i64), json!(i64::MAX)),
        (json!(i64::MIN), json!(1)),
        (json!(1.9), json!(-1.9)),
    ] {
        let expected = |value: &Value| match value.as_f64() {
            Some(time) if value.is_f64() => json!(if time > 0.0 { 1 } else { -1 }),
            Some(_) => value.clone(),
            None => json!(NOW),
        };
        let made = memo(&ann, json!({"content": "x", "createdAt": created, "updatedAt": updated})).await;
        let read = read_memo(&ann, &text(&made, "memoId")).await;
        assert_eq!((&read["createdAt"], &read["updatedAt"]), (&expected(&created), &expected(&updated)));
        assert_eq!(made, read);
    }
}

async fn attachments_are_kept_in_order_each_once(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let (first, second) = (attachment(&server, &ann).await, attachment(&server, &ann).await);
    let body = json!({"content": "x", "attachments": [second, "unknown", first, second]});
    let created = memo(&ann, body).await;
    let ids = |memo: &Value| -> Vec<String> {
        memo["attachments"].as_array().unwrap().iter().map(|file| text(file, "attachmentId")).collect()
    };
    assert_eq!(ids(&created), [second.clone(), first.clone()]);
    let read = read_memo(&ann, &text(&created, "memoId")).await;
    assert_eq!(ids(&read), [second.clone(), first.clone()]);
    let mut file = read["attachments"][0].clone();
    let url = text(&file, "url");
    assert!(url.starts_with(&format!("/api/v1/files/{}/2026-01-02/{second}.jpg?expires=", ann.uid)), "{url}");
    file.as_object_mut().unwrap().remove("url");
    let expected = json!({
        "attachmentId": second,
        "filename": "photo 照片.jpg",
        "type": "image/jpeg",
        "size": 5_000_000_000_i64,
        "createdAt": 1_750_000_000_000_i64,
    });
    assert_eq!(file, expected);
    // The row of a file may go while its id stays on the memo.
    server.execute(format!("DELETE FROM attachments WHERE attachment_id = '{second}'")).await;
    assert_eq!(ids(&read_memo(&ann, &text(&created, "memoId")).await), [first]);
}

async fn the_answer_shows_the_memo_as_it_is_stored_but_for_its_relations(kind: Kind) {
    let (server, _) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let target = memo_id(&ann, json!({"content": "target"})).await;
    let body = json!({
        "content": "x",
        "type": "audio",
        "categoryId": category(&ann, "c").await,
        "tags": ["a", "b"],
        "attachments": [attachment(&server, &ann).await],
        "relationIds": [target],
        "isPublic": true,
        "source": " https://example.com/a?b=c ",
    });
    let created = memo(&ann, body.clone()).await;
    for member in ["type", "categoryId", "isPublic", "source"] {
        assert_eq!(created[member], body[member], "{member}");
    }
    let mut read = read_memo(&ann, &text(&created, "memoId")).await;
    let relations = read.as_object_mut().unwrap().remove("relations").unwrap();
    assert_eq!(relations[0]["memoId"], json!(target));
    assert_eq!(created, read);
}

async fn a_failing_enrichment_does_not_fail_a_read(kind: Kind) {
    let server = Server::start_alone(kind).await;
    let ann = server.user().await;
    let target = memo_id(&ann, json!({"content": "target"})).await;
    let id = memo_id(&ann, json!({"content": "x", "tags": ["a"], "relationIds": [target]})).await;
    server.execute("DROP TABLE memo_tags").await;
    server.execute("DROP TABLE memo_relations").await;
    let memo = read_memo(&ann, &id).await;
    assert_eq!((&memo["content"], &memo["tags"], memo.get("relations")), (&json!("x"), &json!([]), None));
    let list = ann.get("/api/v1/memos").await;
    assert_eq!(list.data()["pagination"]["total"], 2);
    // A write is no read: it fails as a whole.
    assert_eq!(ann.post("/api/v1/memos", json!({"content": "x", "tags": ["b"]})).await.code(), 2000);
    assert_eq!(ann.get("/api/v1/memos").await.data()["pagination"]["total"], 2);
    assert_eq!(ann.get("/api/v1/tags").await.data()["tags"].as_array().unwrap().len(), 1);
}
