//! Ids of somebody else's objects inside bodies and queries count as unknown (DESIGN section 10).

use serde_json::{Value, json};
use testing::{Client, Kind, Server, on_every_database};

use crate::objects::{attachment, category, everything, memo_id, read_memo, tag, text};

on_every_database!(
    foreign_ids_in_the_body_of_a_memo_count_as_unknown,
    a_filter_by_something_foreign_finds_nothing,
    a_service_names_its_user_to_the_letter,
    an_id_in_a_body_is_compared_to_the_letter,
);

/// One object of a user for each member of a memo that takes ids.
struct Things {
    category: String,
    tag: String,
    attachment: String,
    memo: String,
}

async fn things_of(server: &Server, user: &Client) -> Things {
    Things {
        category: category(user, &format!("category of {}", user.uid)).await,
        tag: tag(user, &format!("tag of {}", user.uid)).await,
        attachment: attachment(server, user).await,
        memo: memo_id(user, json!({"content": format!("memo of {}", user.uid)})).await,
    }
}

async fn foreign_ids_in_the_body_of_a_memo_count_as_unknown(kind: Kind) {
    let server = Server::start(kind).await;
    let (ann, bob, service) = (server.user().await, server.user().await, server.service());
    let (hers, his) = (things_of(&server, &ann).await, things_of(&server, &bob).await);
    let target = memo_id(&bob, json!({"content": "x", "categoryId": his.category})).await;
    let mixed = |own: &str, foreign: &str| json!([foreign, own, "unknown"]);
    let body = json!({
        "content": "x",
        "categoryId": hers.category,
        "tagIds": mixed(&his.tag, &hers.tag),
        "attachments": mixed(&his.attachment, &hers.attachment),
        "relationIds": mixed(&his.memo, &hers.memo),
    });
    let before = everything(&ann).await;

    let answers = [
        bob.post("/api/v1/memos", body.clone()).await,
        bob.put(&format!("/api/v1/memos/{target}"), body.clone()).await,
        bob.put(&format!("/api/v1/memos/{target}/tags"), json!({"tagIds": body["tagIds"]})).await,
        service.post(&format!("/api/v1/memos/ba/create?uid={}", bob.uid), body).await,
    ];
    for answer in answers {
        let id = text(&answer.data()["memo"], "memoId");
        let memo = read_memo(&bob, &id).await;
        assert_eq!(memo.get("categoryId"), None, "{memo}");
        assert_eq!(memo["tagIds"], json!([his.tag]));
        assert_eq!(memo["attachments"][0]["attachmentId"], json!(his.attachment));
        assert_eq!(memo["attachments"].as_array().unwrap().len(), 1);
        assert_eq!(memo["relations"][0]["memoId"], json!(his.memo));
        assert_eq!(memo["relations"].as_array().unwrap().len(), 1);
        for id in [&hers.category, &hers.tag, &hers.attachment, &hers.memo, &ann.uid] {
            assert!(!format!("{}{memo}", answer.body).contains(id.as_str()), "{memo}");
        }
        assert_eq!(stored(&server, &id).await, json!([his.attachment]));
    }
    assert_eq!(everything(&ann).await, before);
    let backlinks = ann.get(&format!("/api/v1/memos/{}/backlinks", hers.memo)).await;
    assert_eq!(backlinks.data()["items"], json!([]));
}

/// Returns the attachments of a memo as they are stored, also those that are never shown.
async fn stored(server: &Server, memo: &str) -> Value {
    let sql = format!("SELECT attachments FROM memos WHERE memo_id = '{memo}'");
    let rows: Vec<(String,)> = server.fetch(sql).await;
    serde_json::from_str(&rows[0].0).unwrap()
}

async fn a_filter_by_something_foreign_finds_nothing(kind: Kind) {
    let server = Server::start(kind).await;
    let (ann, bob) = (server.user().await, server.user().await);
    let hers = things_of(&server, &ann).await;
    let body = json!({"content": "x", "categoryId": hers.category, "tags": ["secret"]});
    memo_id(&ann, body).await;
    memo_id(&bob, json!({"content": "x"})).await;
    let before = everything(&bob).await;
    for filter in [format!("categoryId={}", hers.category), "tags=secret".to_owned()] {
        assert_eq!(ann.get(&format!("/api/v1/memos?{filter}")).await.data()["pagination"]["total"], 1);
        let page = bob.get(&format!("/api/v1/memos?{filter}")).await;
        assert_eq!((&page.data()["items"], &page.data()["pagination"]["total"]), (&json!([]), &json!(0)));
    }
    assert_eq!(everything(&bob).await, before);
}

async fn a_service_names_its_user_to_the_letter(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    for uid in [format!("{}%20", ann.uid), format!("%20{}", ann.uid), ann.uid.to_uppercase()] {
        let answer =
            server.service().post(&format!("/api/v1/memos/ba/create?uid={uid}"), json!({"content": "x"})).await;
        assert_eq!(answer.refusal(), (3, "User not found"), "{uid}");
    }
    assert_eq!(ann.get("/api/v1/memos").await.data()["items"], json!([]));
}

async fn an_id_in_a_body_is_compared_to_the_letter(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let things = things_of(&server, &ann).await;
    for near in [|id: &str| format!("{id} "), |id: &str| id.to_uppercase() + "X", |id: &str| format!(" {id}")] {
        let body = json!({
            "content": "x",
            "categoryId": near(&things.category),
            "tagIds": [near(&things.tag)],
            "attachments": [near(&things.attachment)],
            "relationIds": [near(&things.memo)],
        });
        let memo = read_memo(&ann, &memo_id(&ann, body).await).await;
        assert_eq!((memo.get("categoryId"), memo.get("relations")), (None, None), "{memo}");
        assert_eq!((&memo["tagIds"], &memo["attachments"]), (&json!([]), &json!([])), "{memo}");
    }
}
