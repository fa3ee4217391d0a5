//! Which writes of memos note a change of the vector (`contract/memos.md` section 6).

use serde_json::json;
use testing::{Kind, Server, on_every_database};

use crate::objects::{memo_id, text};

const NOW: i64 = 1_750_000_000_000;

on_every_database!(
    creation_changed_content_and_deletion_are_noted_and_nothing_else,
    a_later_note_is_later_even_when_the_clock_is_not,
    an_import_is_noted,
    a_refused_write_notes_nothing,
);

/// A row of the outbox: operation, time, attempts, time of the next attempt, last error.
type Note = (String, i64, i32, i64, Option<String>);

async fn notes(server: &Server, memo: &str) -> Vec<Note> {
    let columns = "op, enqueued_at, attempts, next_attempt_at, last_error";
    server.fetch(format!("SELECT {columns} FROM vector_outbox WHERE kind = 'memo' AND entity_id = '{memo}'")).await
}

fn note(op: &str, at: i64) -> Vec<Note> {
    vec![(op.to_owned(), at, 0, at, None)]
}

async fn creation_changed_content_and_deletion_are_noted_and_nothing_else(kind: Kind) {
    let (server, clock) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let id = memo_id(&ann, json!({"content": "x"})).await;
    let path = format!("/api/v1/memos/{id}");
    assert_eq!(notes(&server, &id).await, note("upsert", NOW));
    let uids: Vec<(String,)> =
        server.fetch(format!("SELECT uid FROM vector_outbox WHERE entity_id = '{id}'")).await;
    assert_eq!(uids, [(ann.uid.clone(),)]);

    clock.set(NOW + 1000);
    let category = text(&ann.get("/api/v1/categories").await.data()["categories"][0], "categoryId");
    let body = json!({"content": "x", "tags": ["a"], "isPublic": true, "source": "s", "categoryId": category});
    ann.put(&path, body).await.data();
    ann.put(&format!("{path}/tags"), json!({"tags": ["b"]})).await.data();
    let tag = text(&ann.get("/api/v1/tags").await.data()["tags"][0], "tagId");
    ann.delete(&format!("/api/v1/tags/{tag}")).await.data();
    ann.delete(&format!("/api/v1/categories/{category}")).await.data();
    assert_eq!(notes(&server, &id).await, note("upsert", NOW));

    ann.put(&path, json!({"content": "x "})).await.data();
    assert_eq!(notes(&server, &id).await, note("upsert", NOW + 1000));
    // An entry that has failed begins anew.
    let failed = "UPDATE vector_outbox SET attempts = 3, last_error = 'timeout', next_attempt_at = 9";
    server.execute(format!("{failed} WHERE entity_id = '{id}'")).await;
    clock.set(NOW + 2000);
    ann.delete(&path).await.data();
    assert_eq!(notes(&server, &id).await, note("delete", NOW + 2000));
    ann.delete(&path).await.refusal();
    assert_eq!(notes(&server, &id).await, note("delete", NOW + 2000));
}

async fn a_later_note_is_later_even_when_the_clock_is_not(kind: Kind) {
    let (server, clock) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let id = memo_id(&ann, json!({"content": "0"})).await;
    let mut last = NOW;
    for (now, content) in [(NOW, "1"), (NOW, "2"), (NOW - 5000, "3")] {
        clock.set(now);
        ann.put(&format!("/api/v1/memos/{id}"), json!({"content": content})).await.data();
        let enqueued_at = notes(&server, &id).await[0].1;
        assert!(enqueued_at > last, "{enqueued_at} after {last}");
        last = enqueued_at;
    }
    ann.delete(&format!("/api/v1/memos/{id}")).await.data();
    let notes = notes(&server, &id).await;
    assert!(notes.len() == 1 && notes[0].0 == "delete" && notes[0].1 > last, "{notes:?}");
}

async fn an_import_is_noted(kind: Kind) {
    let (server, _) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let path = format!("/api/v1/memos/ba/create?uid={}", ann.uid);
    let made = server.service().post(&path, json!({"content": "x", "createdAt": 5, "updatedAt": 6})).await;
    assert_eq!(notes(&server, &text(&made.data()["memo"], "memoId")).await, note("upsert", NOW));
}

async fn a_refused_write_notes_nothing(kind: Kind) {
    let (server, _) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    ann.post("/api/v1/memos", json!({"content": " "})).await.refusal();
    ann.put("/api/v1/memos/m00000000000000000000000", json!({"content": "x"})).await.refusal();
    ann.delete("/api/v1/memos/m00000000000000000000000").await.refusal();
    let notes: Vec<Note> = server
        .fetch(format!(
            "SELECT op, enqueued_at, attempts, next_attempt_at, last_error FROM vector_outbox WHERE uid = '{}'",
            ann.uid
        ))
        .await;
    assert_eq!(notes, []);
}
