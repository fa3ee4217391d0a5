//! What everybody may read (`contract/memos.md`, routes 10 to 12).

use std::collections::HashSet;

use axum::http::Method;
use serde_json::{Value, json};
use testing::{Client, Kind, Server, on_every_database};

use crate::objects::{attachment, category, memo, memo_id, text};

on_every_database!(
    only_public_memos_are_shown,
    a_public_memo_shows_its_author_without_the_email,
    a_public_memo_shows_everything_but_its_relations,
    a_token_has_no_effect,
    the_list_is_sorted_and_paged,
    a_random_memo_is_any_public_one,
    nobody_has_no_public_memos,
    a_deactivated_author_is_not_found,
    a_memo_is_not_called_random,
);

/// Asserts that an answer contains none of some texts.
fn assert_hides(answer: &Value, texts: &[&str]) {
    let answer = answer.to_string();
    for text in texts {
        assert!(!answer.contains(text), "{text} in {answer}");
    }
}

async fn only_public_memos_are_shown(kind: Kind) {
    let server = Server::start(kind).await;
    let (ann, anyone) = (server.user().await, server.anonymous());
    let public = memo_id(&ann, json!({"content": "shown", "isPublic": true})).await;
    let private = memo_id(&ann, json!({"content": "secret", "isPublic": false})).await;
    let list = format!("/api/v1/memos/public/{}", ann.uid);
    let single = |id: &str| format!("/api/v1/memos/public/memo/{id}");
    let total = async || anyone.get(&list).await.data()["pagination"]["total"].clone();

    assert_eq!(anyone.get(&single(&public)).await.data()["memo"]["memoId"], json!(public));
    assert_eq!(anyone.get(&single(&private)).await.refusal(), (3, "Public memo not found"));
    assert_eq!(total().await, 1);
    assert_hides(anyone.get(&list).await.data(), &["secret", &private]);

    // Publishing and withdrawing take effect at once.
    ann.put(&format!("/api/v1/memos/{private}"), json!({"content": "x", "isPublic": true})).await.data();
    assert_eq!(total().await, 2);
    ann.put(&format!("/api/v1/memos/{public}"), json!({"content": "shown", "isPublic": false})).await.data();
    assert_eq!(anyone.get(&single(&public)).await.refusal(), (3, "Public memo not found"));
    ann.delete(&format!("/api/v1/memos/{private}")).await.data();
    assert_eq!(total().await, 0);
    assert_eq!(anyone.get(&format!("{list}/random")).await.refusal(), (3, "No public memos found for this user"));
}

async fn a_public_memo_shows_its_author_without_the_email(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let id = memo_id(&ann, json!({"content": "x", "isPublic": true})).await;
    let path = format!("/api/v1/memos/public/memo/{id}");
    let author = async || server.anonymous().get(&path).await.data()["user"].clone();
    assert_eq!(author().await, json!({"uid": ann.uid, "avatar": ""}));
    let info = json!({"nickname": "Ann 安", "avatar": format!("avatar/{}/2026-01-02/a.png", ann.uid)});
    ann.put("/api/v1/user/info", info).await.data();
    let mut author = author().await;
    let avatar = text(&author, "avatar");
    assert!(
        avatar.starts_with(&format!("/api/v1/files/avatar/{}/2026-01-02/a.png?expires=", ann.uid)),
        "{avatar}"
    );
    author["avatar"] = json!("");
    assert_eq!(author, json!({"uid": ann.uid, "nickname": "Ann 安", "avatar": ""}));
}

async fn a_public_memo_shows_everything_but_its_relations(kind: Kind) {
    let (server, _) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let secret = memo_id(&ann, json!({"content": "secret"})).await;
    let body = json!({
        "content": "x",
        "type": "video",
        "categoryId": category(&ann, "c").await,
        "tags": ["b", "a"],
        "attachments": [attachment(&server, &ann).await],
        "relationIds": [secret],
        "source": "https://example.com",
        "isPublic": true,
    });
    let created = memo(&ann, body).await;
    let id = text(&created, "memoId");
    memo_id(&ann, json!({"content": "names it", "relationIds": [id]})).await;
    let anyone = server.anonymous();
    let owner = format!("/api/v1/memos/public/{}", ann.uid);
    let list = anyone.get(&owner).await;
    assert_eq!(list.data()["items"], json!([created]));
    let random = anyone.get(&format!("{owner}/random")).await;
    assert_eq!(random.data(), &created);
    let single = anyone.get(&format!("/api/v1/memos/public/memo/{id}")).await;
    assert_eq!(single.data()["memo"], created);
    for answer in [list, random, single] {
        assert_hides(&answer.body, &["secret", &secret, "relations", "names it", &ann.email, "password", "email"]);
    }
}

async fn a_token_has_no_effect(kind: Kind) {
    let server = Server::start(kind).await;
    let (ann, bob) = (server.user().await, server.user().await);
    let id = memo_id(&ann, json!({"content": "x", "isPublic": true})).await;
    memo_id(&ann, json!({"content": "secret"})).await;
    for path in [format!("/api/v1/memos/public/{}", ann.uid), format!("/api/v1/memos/public/memo/{id}")] {
        let expected = server.anonymous().get(&path).await;
        for client in [&ann, &bob, &server.service()] {
            assert_eq!(client.get(&path).await.data(), expected.data(), "{path}");
        }
        let request = server.anonymous().request(Method::GET, &path).header("authorization", "Bearer garbage");
        let answer = server.send(request.header("cookie", "aimo_token=garbage").body("".into()).unwrap()).await;
        assert_eq!(answer.data(), expected.data(), "{path}");
    }
}

async fn the_list_is_sorted_and_paged(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    for number in 0..21 {
        let body = json!({"content": format!("{number:02}"), "isPublic": true, "createdAt": 1 + number, "updatedAt": 100 - number});
        memo(&ann, body).await;
        memo(&ann, json!({"content": "secret", "createdAt": 1 + number})).await;
    }
    let contents = async |query: &str| -> Vec<String> {
        let answer = server.anonymous().get(&format!("/api/v1/memos/public/{}?{query}", ann.uid)).await;
        assert_eq!(answer.data()["pagination"]["total"], 21, "{query}");
        answer.data()["items"].as_array().unwrap().iter().map(|memo| text(memo, "content")).collect()
    };
    let newest = contents("").await;
    assert_eq!((newest.len(), newest[0].as_str(), newest[19].as_str()), (20, "20", "01"));
    assert_eq!(contents("page=2").await, ["00"]);
    assert_eq!(contents("limit=2&sortOrder=asc").await, ["00", "01"]);
    assert_eq!(contents("limit=2&sortBy=updatedAt").await, ["00", "01"]);
    assert_eq!(contents("limit=2&sortBy=updatedAt&sortOrder=asc").await, ["20", "19"]);
    assert_eq!(contents("page=3").await, Vec::<String>::new());
    // The filters of the own list are none here.
    assert_eq!(contents("limit=1&search=secret&tags=a&categoryId=__uncategorized__&startDate=999").await, ["20"]);
}

async fn a_random_memo_is_any_public_one(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let mut public = HashSet::new();
    for _ in 0..3 {
        public.insert(memo_id(&ann, json!({"content": "x", "isPublic": true})).await);
        memo_id(&ann, json!({"content": "secret"})).await;
    }
    let mut drawn = HashSet::new();
    // To miss one of three in so many draws is as likely as to guess a key.
    for _ in 0..200 {
        let answer = server.anonymous().get(&format!("/api/v1/memos/public/{}/random", ann.uid)).await;
        drawn.insert(text(answer.data(), "memoId"));
        if drawn == public {
            return;
        }
    }
    panic!("{drawn:?} of {public:?}");
}

async fn nobody_has_no_public_memos(kind: Kind) {
    let anyone: Client = Server::start(kind).await.anonymous();
    let nobody = "/api/v1/memos/public/u00000000000000000000000";
    let pagination = json!({"total": 0, "page": 1, "limit": 20, "totalPages": 0});
    assert_eq!(anyone.get(nobody).await.data(), &json!({"items": [], "pagination": pagination}));
    assert_eq!(
        anyone.get(&format!("{nobody}/random")).await.refusal(),
        (3, "No public memos found for this user")
    );
}

async fn a_deactivated_author_is_not_found(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let id = memo_id(&ann, json!({"content": "x", "isPublic": true})).await;
    server.execute(format!("UPDATE users SET status = 0 WHERE uid = '{}'", ann.uid)).await;
    let anyone = server.anonymous();
    let answer = anyone.get(&format!("/api/v1/memos/public/memo/{id}")).await;
    assert_eq!(answer.refusal(), (3, "User not found"));
    let list = format!("/api/v1/memos/public/{}", ann.uid);
    assert_eq!(anyone.get(&list).await.data()["items"], json!([]));
    assert_eq!(anyone.get(&format!("{list}/random")).await.refusal(), (3, "No public memos found for this user"));
}

async fn a_memo_is_not_called_random(kind: Kind) {
    let answer = Server::start(kind).await.anonymous().get("/api/v1/memos/public/memo/random").await;
    assert_eq!(answer.refusal(), (3, "No public memos found for this user"));
}
