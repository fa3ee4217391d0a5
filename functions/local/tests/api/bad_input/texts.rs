//! What texts may hold: every character but U+0000, which is removed, in every member of every route.

use axum::http::Method;
use serde_json::{Value, json};
use testing::{Kind, Server, on_every_database};

use super::writes::World;
use crate::objects::{everything, memo_id};

on_every_database!(
    every_text_comes_back_as_it_was_written,
    u0000_is_removed_from_paths_queries_and_forms,
    a_text_of_nothing_but_u0000_is_empty,
    bytes_that_are_no_utf8_are_replaced,
);

/// Texts as they stand in JSON, and what is stored of them. None has a slash: a MeoW nickname refuses it.
const TEXTS: [(&str, &str); 6] = [
    ("表情 👨‍👩‍👧‍👦 𝄞 é e\u{301} \u{202e}rtl", "表情 👨‍👩‍👧‍👦 𝄞 é e\u{301} \u{202e}rtl"),
    (r#"\" ' \\ % _ ` ; -- $1 ? :x \n\t<b>&amp;"#, "\" ' \\ % _ ` ; -- $1 ? :x \n\t<b>&amp;"),
    (r"\ud83d\ude00", "😀"),
    (r"half \ud83d emoji \ude00", "half \u{fffd} emoji \u{fffd}"),
    (r"nul \u0000 and \\u0000", "nul  and \\u0000"),
    (r"\u001f\u007f\u0085\ufeff\uffff", "\u{1f}\u{7f}\u{85}\u{feff}\u{ffff}"),
];

/// The members that hold free text, as bodies with the text left out.
const MEMBERS: [(&str, &str, &str); 17] = [
    ("PUT", "/api/v1/user/info", r#"{"nickname":"TEXT"}"#),
    ("POST", "/api/v1/categories", r#"{"name":"TEXT"}"#),
    ("PUT", "/api/v1/categories/{categoryId}", r#"{"name":"TEXT","color":"red"}"#),
    ("PUT", "/api/v1/categories/{categoryId}", r#"{"color":"TEXT"}"#),
    ("POST", "/api/v1/tags", r#"{"name":"TEXT"}"#),
    ("PUT", "/api/v1/tags/{tagId}", r#"{"color":"TEXT"}"#),
    ("POST", "/api/v1/memos", r#"{"content":"TEXT"}"#),
    ("POST", "/api/v1/memos", r#"{"content":"x","source":"TEXT"}"#),
    ("POST", "/api/v1/memos", r#"{"content":"x","tags":["x","TEXT"]}"#),
    ("PUT", "/api/v1/memos/{memoId}/tags", r#"{"tags":["TEXT"]}"#),
    ("POST", "/api/v1/memos/ba/create", r#"{"content":"x","category":"TEXT"}"#),
    ("POST", "/api/v1/explore/conversations", r#"{"title":"TEXT"}"#),
    (
        "POST",
        "/api/v1/explore/conversations/{conversationId}/messages",
        r#"{"role":"user","content":"TEXT","sources":[]}"#,
    ),
    (
        "POST",
        "/api/v1/explore/conversations/{conversationId}/messages",
        r#"{"role":"user","content":"x","sources":[{"memoId":"m","content":"TEXT"}]}"#,
    ),
    ("PUT", "/api/v1/push-rules/{id}", r#"{"name":"TEXT"}"#),
    ("PUT", "/api/v1/push-rules/{id}", r#"{"channels":[{"type":"meow","nickname":"TEXT"}]}"#),
    (
        "PUT",
        "/api/v1/push-rules/{id}",
        r#"{"channels":[{"type":"meow","nickname":"x","unknown":{"TEXT":"TEXT"}}]}"#,
    ),
];

/// Reports whether a value holds a text, exactly.
fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(held) => held == text,
        Value::Array(list) => list.iter().any(|value| holds(value, text)),
        Value::Object(members) => members.values().any(|value| holds(value, text)),
        _ => false,
    }
}

async fn every_text_comes_back_as_it_was_written(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    for (number, (method, route, body)) in MEMBERS.into_iter().enumerate() {
        for (written, stored) in TEXTS {
            // Distinct, so that names do not clash and the text that is found is the one just written.
            let (written, stored) = (format!("{number}{written}."), format!("{number}{stored}."));
            let answer = world.find(method, route).send_json(body.replace("TEXT", &written)).await;
            // The answer to an import names the category by its id alone.
            let is_shown = route.ends_with("/ba/create") || holds(answer.data(), &stored);
            assert!(is_shown, "{method} {route} {written}: {}", answer.body);
            let all = Value::Array(everything(&world.ann).await);
            assert!(holds(&all, &stored), "{method} {route} {written}");
        }
    }
}

async fn u0000_is_removed_from_paths_queries_and_forms(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    let ann = &world.ann;
    for path in ["tags/t%00", "categories/%00", "memos/m%00x", "push-rules/%00", "explore/conversations/c%00"] {
        assert_eq!(ann.get(&format!("/api/v1/{path}")).await.code(), 3, "{path}");
    }
    memo_id(ann, json!({"content": "find me", "tags": ["tag"]})).await;
    for query in ["search=fi%00nd", "tags=ta%00g", "search=find&startDate=%001", "search=find&sortBy=%00"] {
        let page = ann.get(&format!("/api/v1/memos?{query}")).await;
        assert_eq!(page.data()["pagination"]["total"], 1, "{query}");
    }
    let form = "application/x-www-form-urlencoded";
    let memo = ann.send_raw(Method::POST, "/api/v1/memos", form, "con%00tent=a%00b&tags[]=n%00ew").await;
    assert_eq!(
        (&memo.data()["memo"]["content"], &memo.data()["memo"]["tags"][0]["name"]),
        (&json!("ab"), &json!("new"))
    );
}

async fn a_text_of_nothing_but_u0000_is_empty(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    let cases = [
        ("/api/v1/tags", "name", "Tag name is required"),
        ("/api/v1/categories", "name", "Category name is required"),
        ("/api/v1/memos", "content", "Content is required"),
        ("/api/v1/auth/login", "email", "Email and password are required"),
        ("/api/v1/auth/login", "password", "Email and password are required"),
        ("/api/v1/push-rules", "name", "Push rule name is required"),
    ];
    for (route, member, message) in cases {
        let write = world.find("POST", route);
        let answer = write.send_json(write.with(member, json!("\0\0")).to_string()).await;
        assert_eq!(answer.refusal(), (2, message), "{route}");
    }
}

async fn bytes_that_are_no_utf8_are_replaced(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    let memos = world.find("POST", "/api/v1/memos");
    let answer = memos.send_json(b"{\"content\":\"a\xff\xed\xa0\xbdb\"}".to_vec()).await;
    assert!(answer.data()["memo"]["content"].as_str().unwrap().starts_with("a\u{fffd}"));
    let answer = memos.send("application/x-www-form-urlencoded", "content=a%FFb").await;
    assert_eq!(answer.data()["memo"]["content"], "a\u{fffd}b");
    assert_eq!(world.ann.get("/api/v1/memos?search=%FF%ED%A0&tags=%FF").await.data()["items"], json!([]));
}
