//! What an update changes: absent, `null`, empty and given members (`contract/memos.md`, route 5).

use serde_json::{Value, json};
use testing::{Client, Kind, Server, on_every_database};

use crate::objects::{attachment, category, memo, memo_id, read_memo, text};

const NOW: i64 = 1_750_000_000_000;
const LATER: i64 = NOW + 1234;

on_every_database!(
    absent_null_empty_and_given_members,
    an_update_moves_the_time_of_change_alone,
    content_is_required_before_the_memo_is_looked_for,
    the_answer_shows_the_memo_as_it_is_stored,
    replaced_attachments_are_not_deleted,
    deleting_a_memo_leaves_its_attachments_and_takes_its_tags,
);

/// A memo with a value in every member, and other values for them.
struct Full {
    id: String,
    body: Value,
    other: Value,
}

async fn full(server: &Server, user: &Client) -> Full {
    let things = async |name: &str| {
        json!({
            "content": name,
            "type": if name == "a" { "audio" } else { "video" },
            "categoryId": category(user, name).await,
            "attachments": [attachment(server, user).await],
            "tags": [name],
            "relationIds": [memo_id(user, json!({"content": name})).await],
            "isPublic": name == "a",
            "source": format!("https://{name}.example"),
        })
    };
    let (body, other) = (things("a").await, things("b").await);
    Full { id: memo_id(user, body.clone()).await, body, other }
}

/// What a memo shows of the members of a body.
fn shown(memo: &Value, member: &str) -> Value {
    let ids = |list: &Value, id: &str| list.as_array().into_iter().flatten().map(|it| it[id].clone()).collect();
    match member {
        "attachments" => ids(&memo["attachments"], "attachmentId"),
        "tags" => ids(&memo["tags"], "name"),
        "relationIds" => ids(&memo["relations"], "memoId"),
        // Reading an absent member gives null.
        _ => memo[member].clone(),
    }
}

async fn absent_null_empty_and_given_members(kind: Kind) {
    // The access URLs of attachments hold the time.
    let (server, _) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let Full { id, body, other } = full(&server, &ann).await;
    let path = format!("/api/v1/memos/{id}");
    let kept = |member: &str| body[member].clone();
    let cases = [
        ("type", Value::Null, json!("text")),
        ("type", other["type"].clone(), other["type"].clone()),
        ("categoryId", Value::Null, Value::Null),
        ("categoryId", json!(""), Value::Null),
        ("categoryId", json!("__uncategorized__"), Value::Null),
        ("categoryId", json!("c-unknown"), Value::Null),
        ("categoryId", other["categoryId"].clone(), other["categoryId"].clone()),
        ("attachments", Value::Null, kept("attachments")),
        ("attachments", json!([]), json!([])),
        ("attachments", json!(["unknown"]), json!([])),
        ("attachments", other["attachments"].clone(), other["attachments"].clone()),
        ("tags", Value::Null, kept("tags")),
        ("tags", json!([]), json!([])),
        ("tags", json!([" "]), json!([])),
        ("tags", other["tags"].clone(), other["tags"].clone()),
        ("relationIds", Value::Null, kept("relationIds")),
        ("relationIds", json!([]), json!([])),
        ("relationIds", json!(["unknown"]), json!([])),
        ("relationIds", other["relationIds"].clone(), other["relationIds"].clone()),
        ("isPublic", Value::Null, json!(true)),
        ("isPublic", json!(false), json!(false)),
        ("source", Value::Null, Value::Null),
        ("source", json!(""), Value::Null),
        ("source", other["source"].clone(), other["source"].clone()),
        ("uid", json!("u-other"), json!(ann.uid)),
        ("memoId", json!("m-other"), json!(id)),
    ];
    for (member, value, expected) in cases {
        ann.put(&path, body.clone()).await.data();
        let answer = ann.put(&path, json!({"content": "new", member: value})).await;
        let memo = read_memo(&ann, &id).await;
        assert_eq!(
            (&answer.data()["memo"], &answer.data()["message"]),
            (&memo, &json!("Memo updated successfully"))
        );
        assert_eq!(shown(&memo, member), expected, "{member}: {value}");
        assert_eq!(memo["content"], "new");
        for absent in body.as_object().unwrap().keys().filter(|name| *name != member && *name != "content") {
            assert_eq!(shown(&memo, absent), body[absent], "{absent} after {member}: {value}");
        }
    }
}

async fn an_update_moves_the_time_of_change_alone(kind: Kind) {
    let (server, clock) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let created = memo(&ann, json!({"content": "x", "createdAt": 5, "updatedAt": 6})).await;
    let path = format!("/api/v1/memos/{}", text(&created, "memoId"));
    clock.set(LATER);
    let updated = ann.put(&path, json!({"content": "x", "createdAt": 7, "updatedAt": 8})).await;
    let mut expected = created;
    expected["updatedAt"] = json!(LATER);
    assert_eq!(updated.data()["memo"], expected);
}

async fn content_is_required_before_the_memo_is_looked_for(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let unknown = "/api/v1/memos/m00000000000000000000000";
    for body in [json!({}), json!({"content": null}), json!({"content": " \u{3000}"}), json!({"isPublic": true})] {
        assert_eq!(ann.put(unknown, body).await.refusal(), (2, "Content is required"));
    }
    assert_eq!(ann.put(unknown, json!({"content": "x", "tags": ["new"]})).await.refusal(), (3, "资源不存在"));
    assert_eq!(ann.delete(unknown).await.refusal(), (3, "资源不存在"));
    assert_eq!(ann.get("/api/v1/tags").await.data()["tags"], json!([]));
}

async fn the_answer_shows_the_memo_as_it_is_stored(kind: Kind) {
    let (server, clock) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let Full { id, other, .. } = full(&server, &ann).await;
    clock.set(LATER);
    let path = format!("/api/v1/memos/{id}");
    for (path, body) in [(path.clone(), other), (format!("{path}/tags"), json!({"tags": ["a", "c"]}))] {
        let answer = ann.put(&path, body).await;
        let read = read_memo(&ann, &id).await;
        assert_eq!(answer.data()["memo"], read, "{path}");
        assert_eq!(read["updatedAt"], LATER);
        assert_eq!(
            ann.get("/api/v1/memos?tags=a&tags=c").await.data()["items"].as_array().unwrap().len(),
            usize::from(path.ends_with("tags"))
        );
    }
}

async fn replaced_attachments_are_not_deleted(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let file = attachment(&server, &ann).await;
    let id = memo_id(&ann, json!({"content": "x", "attachments": [file]})).await;
    let path = format!("/api/v1/memos/{id}");
    ann.put(&path, json!({"content": "x", "attachments": []})).await.data();
    let again = ann.put(&path, json!({"content": "x", "attachments": [file]})).await;
    assert_eq!(again.data()["memo"]["attachments"][0]["attachmentId"], json!(file));
}

async fn deleting_a_memo_leaves_its_attachments_and_takes_its_tags(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let Full { id, body, .. } = full(&server, &ann).await;
    let path = format!("/api/v1/memos/{id}");
    assert_eq!(ann.delete(&path).await.data(), &json!({"message": "Memo deleted successfully"}));
    assert_eq!(ann.get(&path).await.refusal(), (3, "资源不存在"));
    assert_eq!(ann.get("/api/v1/tags").await.data()["tags"][0]["usageCount"], 0);
    let other = memo(&ann, json!({"content": "y", "attachments": body["attachments"]})).await;
    assert_eq!(other["attachments"][0]["attachmentId"], body["attachments"][0]);
    for table in ["memo_tags WHERE memo_id", "memo_relations WHERE source_memo_id"] {
        let left: Vec<(String,)> = server.fetch(format!("SELECT uid FROM {table} = '{id}'")).await;
        assert_eq!(left.len(), 0, "{table}");
    }
}
