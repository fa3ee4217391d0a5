//! How long things may be (`contract/http-conventions.md` section 8).

use axum::http::Method;
use serde_json::{Value, json};
use shared::http::MAX_BODY_BYTES;
use testing::{Kind, Server, on_every_database};

use super::writes::World;
use crate::objects::{everything, memo_id, read_memo};

on_every_database!(
    a_body_has_at_most_one_mebibyte_and_one_with_files_six,
    a_declared_length_is_believed_before_the_body_is_read,
    a_memo_holds_all_that_a_body_holds,
    a_name_has_at_most_a_thousand_characters,
    a_short_text_has_at_most_65535_bytes,
    an_email_has_at_most_255_characters,
);

const FORM: &str = "application/x-www-form-urlencoded";

fn too_large() -> Value {
    json!({"status": "error", "message": "Request body too large"})
}

async fn a_body_has_at_most_one_mebibyte_and_one_with_files_six(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    for write in world.writes() {
        let padded = |content_type: &str, length: usize| {
            let body = if content_type == FORM { "pad=".to_owned() } else { r#"{"pad":""}"#.to_owned() };
            let pad = "x".repeat(length - body.len());
            if content_type == FORM { body + &pad } else { body.replace("\"\"", &format!("\"{pad}\"")) }
        };
        for content_type in ["application/json", FORM] {
            let empty = write.send(content_type, "").await;
            let largest = write.send(content_type, padded(content_type, write.max_body_bytes())).await;
            assert_eq!((largest.status, &largest.body["code"]), (empty.status, &empty.body["code"]), "{write}");
            let before = everything(&world.ann).await;
            let larger = write.send(content_type, padded(content_type, write.max_body_bytes() + 1)).await;
            assert_eq!((larger.status.as_u16(), larger.body), (413, too_large()), "{write}");
            assert_eq!(everything(&world.ann).await, before, "{write}");
        }
        // What is not read is not measured.
        let other = write.send("text/plain", "x".repeat(write.max_body_bytes() + 1)).await;
        assert_eq!(other.status, write.status(), "{write}");
    }
}

async fn a_declared_length_is_believed_before_the_body_is_read(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    for (client, status) in [(&ann, 413), (&server.anonymous(), 401)] {
        let request = client.request(Method::POST, "/api/v1/tags").header("content-type", "application/json");
        let request = request.header("content-length", MAX_BODY_BYTES + 1).body("{}".into()).unwrap();
        assert_eq!(server.send(request).await.status, status);
    }
    for length in ["99999999999999999999999", "-1", "x"] {
        let request = ann.request(Method::POST, "/api/v1/tags").header("content-type", "application/json");
        let request = request.header("content-length", length).body("{}".into()).unwrap();
        assert!(server.send(request).await.status.as_u16() < 500, "{length}");
    }
}

async fn a_memo_holds_all_that_a_body_holds(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let frame = json!({"content": ""}).to_string().len();
    let longest = "长".repeat((MAX_BODY_BYTES - frame) / 3);
    let id = memo_id(&ann, json!({"content": longest})).await;
    assert_eq!(read_memo(&ann, &id).await["content"], longest);
    let updated = ann.put(&format!("/api/v1/memos/{id}"), json!({"content": format!("x{}", &longest[3..])})).await;
    assert_eq!(updated.data()["memo"]["content"].as_str().unwrap().len(), longest.len() - 2);
    assert_eq!(ann.get("/api/v1/memos?search=x%E9%95%BF").await.data()["pagination"]["total"], 1);
    let longer = ann.post("/api/v1/memos", json!({"content": longest + "长"})).await;
    assert_eq!((longer.status.as_u16(), longer.body), (413, too_large()));
}

/// Asserts that members may have a text of one length and not of another, and that a refusal writes
/// nothing.
async fn assert_longest(kind: Kind, members: &[(&str, &str, &str)], longest: &str, longer: &str) {
    let world = World::new(Server::start(kind).await).await;
    for (method, route, member) in members {
        let write = world.find(method, route);
        let value = |text: &str| if *member == "tags" { json!([text]) } else { json!(text) };
        let before = everything(&world.ann).await;
        let refused = write.send_json(write.with(member, value(longer)).to_string()).await;
        assert_eq!(refused.refusal(), (2, "参数错误"), "{write} {member}");
        assert_eq!(everything(&world.ann).await, before, "{write} {member}");
        let accepted = write.send_json(write.with(member, value(longest)).to_string()).await;
        accepted.data();
        assert_ne!(everything(&world.ann).await, before, "{write} {member}");
    }
}

async fn a_name_has_at_most_a_thousand_characters(kind: Kind) {
    let members = [
        ("POST", "/api/v1/categories", "name"),
        ("PUT", "/api/v1/categories/{categoryId}", "name"),
        ("POST", "/api/v1/tags", "name"),
        ("PUT", "/api/v1/tags/{tagId}", "name"),
        ("POST", "/api/v1/memos", "tags"),
        ("PUT", "/api/v1/memos/{memoId}", "tags"),
        ("PUT", "/api/v1/memos/{memoId}/tags", "tags"),
        ("POST", "/api/v1/memos/ba/create", "tags"),
    ];
    for member in members {
        assert_longest(kind, &[member], &format!(" {} ", "名".repeat(1000)), &"名".repeat(1001)).await;
    }
}

async fn a_short_text_has_at_most_65535_bytes(kind: Kind) {
    let members = [
        ("PUT", "/api/v1/user/info", "nickname"),
        ("POST", "/api/v1/categories", "color"),
        ("PUT", "/api/v1/categories/{categoryId}", "color"),
        ("POST", "/api/v1/tags", "color"),
        ("PUT", "/api/v1/tags/{tagId}", "color"),
        ("POST", "/api/v1/memos", "source"),
        ("PUT", "/api/v1/memos/{memoId}", "source"),
        ("POST", "/api/v1/memos/ba/create", "source"),
        ("POST", "/api/v1/explore/conversations", "title"),
        ("PUT", "/api/v1/explore/conversations/{conversationId}", "title"),
        ("POST", "/api/v1/push-rules", "name"),
        ("PUT", "/api/v1/push-rules/{id}", "name"),
    ];
    assert_longest(kind, &members, &"字".repeat(21_845), &("字".repeat(21_845) + "x")).await;
    let url = |length: usize| format!("https://img.example/{:0>width$}", "", width = length - 20);
    assert_longest(kind, &[("PUT", "/api/v1/user/info", "avatar")], &url(65_535), &url(65_536)).await;
}

async fn an_email_has_at_most_255_characters(kind: Kind) {
    let server = Server::start(kind).await;
    let anonymous = server.anonymous();
    let unique = server.user().await.uid;
    for letter in ["x", "信", "😀"] {
        let email = |length: usize| format!(" {unique}{} ", letter.repeat(length - unique.len()));
        for path in ["register", "login"] {
            let body = json!({"email": email(256), "password": "secret"});
            assert_eq!(anonymous.post(&format!("/api/v1/auth/{path}"), body).await.refusal(), (2, "参数错误"));
            let body = json!({"email": email(255), "password": "secret"});
            anonymous.post(&format!("/api/v1/auth/{path}"), body).await.data();
        }
    }
    let phone = json!({"email": format!("p{unique}"), "password": "x", "phone": "1".repeat(65_536)});
    assert_eq!(anonymous.post("/api/v1/auth/register", phone).await.refusal(), (2, "参数错误"));
}
