//! Memos that a machine brings (`contract/memos.md`, route 13).

use serde_json::{Value, json};
use testing::{Client, Kind, Server, on_every_database};

use crate::objects::{category, read_memo, text};

on_every_database!(
    checks_come_in_the_order_of_the_contract,
    a_category_is_found_or_created_by_name_and_wins_over_the_id,
    an_imported_memo_is_like_any_other,
    a_refused_import_creates_no_category,
);

async fn checks_come_in_the_order_of_the_contract(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let service = server.service();
    let uid = format!("?uid={}", ann.uid);
    let unknown = "?uid=u00000000000000000000000";
    for (query, body, refusal) in [
        ("", json!({}), (2, "User ID (uid) is required")),
        ("?uid=", json!({"content": "x"}), (2, "User ID (uid) is required")),
        ("?uid=%00", json!({"content": "x"}), (2, "User ID (uid) is required")),
        (unknown, json!({}), (3, "User not found")),
        (unknown, json!({"category": " "}), (3, "User not found")),
        (&uid, json!({"category": " "}), (2, "Content is required")),
        (&uid, json!({"content": " ", "category": ""}), (2, "Content is required")),
        (&uid, json!({"content": "x", "category": ""}), (2, "Category cannot be empty")),
        (&uid, json!({"content": "x", "category": "\t\u{3000}"}), (2, "Category cannot be empty")),
    ] {
        let answer = service.post(&format!("/api/v1/memos/ba/create{query}"), body).await;
        assert_eq!(answer.refusal(), refusal, "{query}");
    }
    server.execute(format!("UPDATE users SET status = 0 WHERE uid = '{}'", ann.uid)).await;
    let answer = service.post(&format!("/api/v1/memos/ba/create{uid}"), json!({"content": "x"})).await;
    assert_eq!(answer.refusal(), (3, "User not found"));
}

async fn import(server: &Server, user: &Client, body: Value) -> Value {
    let answer = server.service().post(&format!("/api/v1/memos/ba/create?uid={}", user.uid), body).await;
    assert_eq!(answer.data()["message"], "Memo created successfully via BA authentication");
    answer.data()["memo"].clone()
}

async fn a_category_is_found_or_created_by_name_and_wins_over_the_id(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let (work, home) = (category(&ann, "Work").await, category(&ann, "Home").await);
    for (body, expected) in [
        (json!({"content": "x", "category": " wORK\n"}), Some(&work)),
        (json!({"content": "x", "category": "work", "categoryId": home}), Some(&work)),
        (json!({"content": "x", "category": null, "categoryId": home}), Some(&home)),
        (json!({"content": "x", "categoryId": home}), Some(&home)),
        (json!({"content": "x", "categoryId": "unknown"}), None),
        (json!({"content": "x"}), None),
    ] {
        let memo = import(&server, &ann, body.clone()).await;
        assert_eq!(memo.get("categoryId"), expected.map(|id| json!(id)).as_ref(), "{body}");
    }
    let made = import(&server, &ann, json!({"content": "x", "category": " 导入 ", "categoryId": home})).await;
    let made = ann.get(&format!("/api/v1/categories/{}", text(&made, "categoryId"))).await;
    assert_eq!(made.data()["category"]["name"], "导入");
}

async fn an_imported_memo_is_like_any_other(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let target = import(&server, &ann, json!({"content": "target"})).await;
    let body = json!({
        "content": "x",
        "type": "video",
        "tags": ["a"],
        "relationIds": [target["memoId"]],
        "isPublic": true,
        "createdAt": -5,
        "updatedAt": 7,
        "source": "https://example.com",
    });
    let memo = import(&server, &ann, body).await;
    assert_eq!((&memo["uid"], memo.get("relations")), (&json!(ann.uid), None));
    let mut read = read_memo(&ann, &text(&memo, "memoId")).await;
    assert_eq!(read["relations"][0]["memoId"], target["memoId"]);
    read.as_object_mut().unwrap().remove("relations");
    assert_eq!(memo, read);
    assert_eq!((&read["createdAt"], &read["updatedAt"], &read["type"]), (&json!(-5), &json!(7), &json!("video")));
}

async fn a_refused_import_creates_no_category(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    for body in [
        json!({"content": "", "category": "new"}),
        json!({"content": "x", "category": "new", "type": "wrong"}),
        json!({"content": "x", "category": "new", "tags": "a"}),
    ] {
        server.service().post(&format!("/api/v1/memos/ba/create?uid={}", ann.uid), body).await.refusal();
    }
    let categories = ann.get("/api/v1/categories").await;
    assert_eq!(categories.data()["categories"].as_array().unwrap().len(), 1);
}
