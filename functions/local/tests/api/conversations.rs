//! Conversations and their messages (`contract/conversations.md`).

use axum::http::Method;
use serde_json::{Value, json};
use testing::{Client, Kind, Server, on_every_database};

use crate::objects::{conversation, text};

const PATH: &str = "/api/v1/explore/conversations";
const NOW: i64 = 1_750_000_000_000;

on_every_database!(
    a_title_is_kept_as_given_and_has_a_default,
    checks_come_in_the_order_of_the_contract,
    the_list_has_the_latest_activity_first,
    messages_keep_the_order_in_which_they_were_added,
    the_time_of_change_never_moves_back,
    sources_come_back_unchanged,
    a_form_names_sources_with_numbers,
    a_conversation_without_messages_has_an_empty_list,
    deleting_a_conversation_deletes_its_messages,
    sources_that_cannot_be_read_are_left_out,
    a_failing_database_answers_with_the_text_of_the_route,
);

async fn begin(user: &Client, body: Value) -> Value {
    user.post(PATH, body).await.data()["conversation"].clone()
}

async fn say(user: &Client, id: &str, content: &str) -> Value {
    let path = format!("{PATH}/{id}/messages");
    let answer = user.post(&path, json!({"role": "user", "content": content})).await;
    assert_eq!(answer.data()["message"], "Message added successfully");
    answer.data()["data"].clone()
}

async fn a_title_is_kept_as_given_and_has_a_default(kind: Kind) {
    let (server, clock) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    for (body, title) in [
        (json!({}), "新对话"),
        (json!({"title": ""}), "新对话"),
        (json!({"title": null}), "新对话"),
        (json!({"title": "  "}), "  "),
        (json!({"title": " a\n😀 "}), " a\n😀 "),
    ] {
        let made = begin(&ann, body).await;
        let id = text(&made, "conversationId");
        let expected =
            json!({"conversationId": id, "title": title, "createdAt": NOW, "updatedAt": NOW, "messageCount": 0});
        assert_eq!(made, expected);
        assert!(id.len() == 27 && id.starts_with("conv"), "{id}");
    }
    let id = conversation(&ann).await;
    clock.set(NOW + 5);
    let renamed = ann.put(&format!("{PATH}/{id}"), json!({"title": " new "})).await;
    let expected =
        json!({"conversationId": id, "title": " new ", "createdAt": NOW, "updatedAt": NOW + 5, "messageCount": 1});
    assert_eq!(renamed.data()["conversation"], expected);
}

async fn checks_come_in_the_order_of_the_contract(kind: Kind) {
    const ROLE: &str = "Valid role is required (user or assistant)";
    let ann = Server::start(kind).await.user().await;
    let unknown = format!("{PATH}/conv00000000000000000000000");
    let messages = format!("{unknown}/messages");
    assert_eq!(ann.put(&unknown, json!({})).await.refusal(), (2, "Title is required"));
    assert_eq!(ann.put(&unknown, json!({"title": "x"})).await.refusal(), (3, "Conversation not found"));
    assert_eq!(ann.post(&messages, json!({"content": 5})).await.refusal(), (2, ROLE));
    assert_eq!(
        ann.post(&messages, json!({"role": "user", "sources": 5})).await.refusal(),
        (2, "Content is required")
    );
    let message = json!({"role": "user", "content": "x"});
    assert_eq!(ann.post(&messages, message).await.refusal(), (3, "Conversation not found"));
    assert_eq!(ann.get(&unknown).await.refusal(), (3, "Conversation not found"));
    assert_eq!(ann.delete(&unknown).await.refusal(), (3, "Conversation not found"));
}

async fn the_list_has_the_latest_activity_first(kind: Kind) {
    let (server, clock) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let mut ids = Vec::new();
    for title in ["a", "b", "c", "d"] {
        ids.push(text(&begin(&ann, json!({"title": title})).await, "conversationId"));
        clock.set(NOW + i64::try_from(ids.len()).unwrap());
    }
    clock.set(NOW + 100);
    say(&ann, &ids[1], "x").await;
    clock.set(NOW + 200);
    ann.put(&format!("{PATH}/{}", ids[0]), json!({"title": "renamed"})).await.data();
    ann.get(&format!("{PATH}/{}", ids[2])).await.data();
    let titles = async |query: &str| -> Vec<String> {
        let answer = ann.get(&format!("{PATH}{query}")).await;
        assert_eq!(answer.data()["total"], 4);
        answer.data()["items"].as_array().unwrap().iter().map(|item| text(item, "title")).collect()
    };
    assert_eq!(titles("").await, ["renamed", "b", "d", "c"]);
    // Paging is not for this list.
    assert_eq!(titles("?page=2&limit=1").await.len(), 4);
    assert_eq!(titles("?page=x&limit=").await.len(), 4);
    // Equal times: the younger conversation first, then the id.
    clock.set(NOW + 200);
    ann.put(&format!("{PATH}/{}", ids[3]), json!({"title": "d"})).await.data();
    assert_eq!(titles("").await[..2], ["d", "renamed"]);
}

async fn messages_keep_the_order_in_which_they_were_added(kind: Kind) {
    let (server, clock) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let id = text(&begin(&ann, json!({})).await, "conversationId");
    let mut added = Vec::new();
    // The clock stands still, then goes back, then jumps.
    for (number, now) in [NOW, NOW, NOW, NOW - 5000, NOW + 9000].into_iter().enumerate() {
        clock.set(now);
        added.push(say(&ann, &id, &number.to_string()).await);
    }
    let times: Vec<i64> = added.iter().map(|message| message["createdAt"].as_i64().unwrap()).collect();
    assert_eq!(times, [NOW, NOW + 1, NOW + 2, NOW + 3, NOW + 9000]);
    let detail = ann.get(&format!("{PATH}/{id}")).await;
    assert_eq!(detail.data()["messages"], json!(added));
    assert_eq!((&detail.data()["messageCount"], &detail.data()["updatedAt"]), (&json!(5), &json!(NOW + 9000)));
    let first = &added[0];
    let message_id = text(first, "messageId");
    assert!(message_id.len() == 26 && message_id.starts_with("msg"), "{message_id}");
    let expected =
        json!({"messageId": message_id, "conversationId": id, "role": "user", "content": "0", "createdAt": NOW});
    assert_eq!(*first, expected);
}

async fn the_time_of_change_never_moves_back(kind: Kind) {
    let (server, clock) = Server::start_at(kind, NOW).await;
    let ann = server.user().await;
    let id = conversation(&ann).await;
    clock.set(NOW - 5000);
    let renamed = ann.put(&format!("{PATH}/{id}"), json!({"title": "x"})).await;
    assert_eq!(renamed.data()["conversation"]["updatedAt"], NOW);
    say(&ann, &id, "x").await;
    assert_eq!(ann.get(&format!("{PATH}/{id}")).await.data()["updatedAt"], NOW + 1);
}

async fn a_form_names_sources_with_numbers(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let id = text(&begin(&ann, json!({})).await, "conversationId");
    let form = "role=user&content=x&sources[0][memoId]=m1&sources[0][similarity]=0.5&sources[0][createdAt]=17";
    let content_type = "application/x-www-form-urlencoded";
    let added = ann.send_raw(Method::POST, &format!("{PATH}/{id}/messages"), content_type, form).await;
    assert_eq!(added.data()["data"]["sources"], json!([{"memoId": "m1", "similarity": 0.5, "createdAt": 17}]));
}

async fn sources_come_back_unchanged(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let id = text(&begin(&ann, json!({})).await, "conversationId");
    let path = format!("{PATH}/{id}/messages");
    let full = json!({
        "memoId": "m-gone",
        "content": "引用 😀",
        "similarity": 0.300_000_000_000_000_04,
        "relevanceScore": 0.123_456_789_012_345_68,
        "createdAt": 1_750_000_000_123_i64,
    });
    let cases = [
        (json!([full]), Some(json!([full]))),
        (json!([{}]), Some(json!([{}]))),
        (
            json!([{"memoId": "m", "unknown": 5}, {"memoId": null, "similarity": 1}]),
            Some(json!([{"memoId": "m"}, {"similarity": 1}])),
        ),
        (
            json!([{"similarity": 0, "relevanceScore": -1.5e-300, "createdAt": 0}]),
            Some(json!([{"similarity": 0, "relevanceScore": -1.5e-300, "createdAt": 0}])),
        ),
        (json!([]), None),
        (Value::Null, None),
    ];
    for (number, (sources, expected)) in cases.into_iter().enumerate() {
        let role = if number % 2 == 0 { "assistant" } else { "user" };
        let body = json!({"role": role, "content": "x", "sources": sources});
        let added = ann.post(&path, body).await.data()["data"].clone();
        assert_eq!((added.get("sources"), &added["role"]), (expected.as_ref(), &json!(role)));
        let detail = ann.get(&format!("{PATH}/{id}")).await;
        assert_eq!(detail.data()["messages"].as_array().unwrap().last(), Some(&added));
    }
}

async fn a_conversation_without_messages_has_an_empty_list(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let made = begin(&ann, json!({"title": "x"})).await;
    let mut expected = made.clone();
    expected["messages"] = json!([]);
    assert_eq!(*ann.get(&format!("{PATH}/{}", text(&made, "conversationId"))).await.data(), expected);
}

async fn deleting_a_conversation_deletes_its_messages(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let (gone, stays) = (conversation(&ann).await, conversation(&ann).await);
    let answer = ann.delete(&format!("{PATH}/{gone}")).await;
    assert_eq!(answer.data(), &json!({"message": "Conversation deleted successfully"}));
    assert_eq!(ann.delete(&format!("{PATH}/{gone}")).await.refusal(), (3, "Conversation not found"));
    for (id, count) in [(&gone, 0), (&stays, 1)] {
        let sql = format!("SELECT message_id FROM ai_messages WHERE conversation_id = '{id}'");
        assert_eq!(server.fetch::<(String,)>(sql).await.len(), count);
    }
    assert_eq!(ann.get(PATH).await.data()["total"], 1);
}

async fn sources_that_cannot_be_read_are_left_out(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let id = conversation(&ann).await;
    server.execute(format!("UPDATE ai_messages SET sources = '[{{' WHERE conversation_id = '{id}'")).await;
    let detail = ann.get(&format!("{PATH}/{id}")).await;
    let message = &detail.data()["messages"][0];
    assert_eq!((&message["content"], message.get("sources")), (&json!("Ann's question"), None));
    server.execute(format!("UPDATE ai_messages SET sources = NULL WHERE conversation_id = '{id}'")).await;
    assert_eq!(ann.get(&format!("{PATH}/{id}")).await.data()["messages"][0].get("sources"), None);
}

async fn a_failing_database_answers_with_the_text_of_the_route(kind: Kind) {
    let server = Server::start_alone(kind).await;
    let ann = server.user().await;
    let path = format!("{PATH}/{}", conversation(&ann).await);
    server.execute("DROP TABLE ai_messages").await;
    server.execute("DROP TABLE ai_conversations").await;
    let message = json!({"role": "user", "content": "x"});
    for (answer, text) in [
        (ann.get(PATH).await, "Failed to get conversations"),
        (ann.get(&path).await, "Failed to get conversation"),
        (ann.post(PATH, json!({})).await, "Failed to create conversation"),
        (ann.put(&path, json!({"title": "x"})).await, "Failed to update conversation"),
        (ann.delete(&path).await, "Failed to delete conversation"),
        (ann.post(&format!("{path}/messages"), message).await, "Failed to add message"),
    ] {
        assert_eq!(answer.refusal(), (2000, text));
    }
    // A refusal needs no database.
    assert_eq!(ann.put(&path, json!({})).await.refusal(), (2, "Title is required"));
}
