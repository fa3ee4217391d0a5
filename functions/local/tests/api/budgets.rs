//! How many statements a request may cost (DESIGN section 9): authentication, BEGIN and COMMIT included.
//! Every test has a server of its own, and with it a counter of its own.

use serde_json::{Value, json};
use shared::{
    ids::{MemoId, RelationId, SystemRandom, TagId, Uid},
    repositories::{self, memos::MemoRecord},
};
use testing::{Answer, Client, Kind, Server, on_every_database};

use crate::objects::{attachment, category, conversation, memo, memo_id, push_rule, tag, text};

on_every_database!(
    getting_a_category_a_tag_or_a_rule_takes_two_statements,
    getting_a_memo_takes_at_most_five,
    a_page_of_memos_takes_at_most_six_whatever_its_size,
    creating_a_plain_memo_takes_at_most_six,
    creating_a_memo_with_everything_takes_at_most_fourteen,
    conversations_take_two,
);

/// Returns how many statements a request costs that succeeds.
async fn cost(server: &Server, request: impl Future<Output = Answer>) -> u64 {
    let before = server.app.context.db.statements();
    request.await.data();
    server.app.context.db.statements() - before
}

async fn getting_a_category_a_tag_or_a_rule_takes_two_statements(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let paths = [
        format!("/api/v1/categories/{}", category(&ann, "c").await),
        format!("/api/v1/tags/{}", tag(&ann, "t").await),
        format!("/api/v1/push-rules/{}", push_rule(&ann).await),
    ];
    for path in paths {
        assert_eq!(cost(&server, ann.get(&path)).await, 2, "{path}");
    }
}

async fn getting_a_memo_takes_at_most_five(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let file = attachment(&server, &ann).await;
    let target = memo_id(&ann, json!({"content": "x", "tags": ["b"], "attachments": [file]})).await;
    let body = json!({"content": "x", "tags": ["a", "b"], "attachments": [file], "relationIds": [target]});
    let path = format!("/api/v1/memos/{}", memo_id(&ann, body).await);
    let cost = cost(&server, ann.get(&path)).await;
    assert!(cost <= 5, "{cost}");
}

/// Stores a thousand memos, each with two tags and a relation to the one before.
async fn a_thousand_memos(server: &Server, user: &Client) {
    let uid = Uid::from(user.uid.as_str());
    let tags: [TagId; 2] = [tag(user, "a").await.as_str().into(), tag(user, "b").await.as_str().into()];
    let ids: Vec<MemoId> = (0..1000).map(|_| MemoId::new(&SystemRandom)).collect();
    let (uid, tags, ids) = (&uid, &tags, &ids);
    let stored: shared::db::Result<()> = server
        .app
        .context
        .db
        .transaction(|tx| async move {
            let mut previous: Option<&MemoId> = None;
            for (created_at, id) in (1_750_000_000_000..).zip(ids) {
                let memo = MemoRecord {
                    memo_id: id.clone(),
                    uid: uid.clone(),
                    category_id: None,
                    content: "x".to_owned(),
                    memo_type: "text".to_owned(),
                    source: None,
                    is_public: true,
                    attachments: Vec::new(),
                    created_at,
                    updated_at: created_at,
                };
                repositories::memos::create(&tx, &memo).await?;
                repositories::memo_tags::create(&tx, uid, id, tags, created_at).await?;
                if let Some(target) = previous.replace(id) {
                    let edge = [(RelationId::new(&SystemRandom), target.clone())];
                    repositories::memo_relations::create(&tx, uid, id, &edge, created_at).await?;
                }
            }
            Ok(())
        })
        .await;
    stored.unwrap();
}

async fn a_page_of_memos_takes_at_most_six_whatever_its_size(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    a_thousand_memos(&server, &ann).await;
    for limit in [10, 100, 1000] {
        for path in [
            format!("/api/v1/memos?limit={limit}"),
            format!("/api/v1/memos?limit={limit}&tags=a&tags=b"),
            format!("/api/v1/memos?limit={limit}&tags=a&tags=b&search=x&sortBy=updatedAt"),
            format!("/api/v1/memos/public/{}?limit={limit}", ann.uid),
        ] {
            let page = ann.get(&path).await;
            let items = page.data()["items"].as_array().unwrap();
            assert_eq!((items.len(), items[0]["tags"].as_array().unwrap().len()), (limit, 2), "{path}");
            let cost = cost(&server, ann.get(&path)).await;
            assert!(cost <= 6, "{path}: {cost}");
        }
    }
}

async fn creating_a_plain_memo_takes_at_most_six(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let cost = cost(&server, ann.post("/api/v1/memos", json!({"content": "x"}))).await;
    assert!(cost <= 6, "{cost}");
}

async fn creating_a_memo_with_everything_takes_at_most_fourteen(kind: Kind) {
    const MANY: usize = 50;
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let (mut attachments, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..MANY {
        attachments.push(attachment(&server, &ann).await);
        targets.push(memo_id(&ann, json!({"content": "x"})).await);
    }
    let body = |tags: Vec<String>, category: &str| {
        let lists = json!({"tags": tags, "attachments": attachments, "relationIds": targets});
        let Value::Object(mut body) = lists else { unreachable!() };
        body.insert("content".to_owned(), json!("x"));
        body.insert("categoryId".to_owned(), json!(category));
        Value::Object(body)
    };
    let category = category(&ann, "c").await;
    let new = |from: usize| (from..from + MANY).map(|number| format!("tag {number}")).collect::<Vec<_>>();
    // Tags that are all new, half new, and all known.
    for from in [0, MANY / 2, 0] {
        let before = server.app.context.db.statements();
        let created = memo(&ann, body(new(from), &category)).await;
        let cost = server.app.context.db.statements() - before;
        assert!(cost <= 14, "{cost}");
        assert_eq!(created["tags"].as_array().unwrap().len(), MANY);
        assert_eq!(created["attachments"].as_array().unwrap().len(), MANY);
        let read = ann.get(&format!("/api/v1/memos/{}", text(&created, "memoId"))).await;
        assert_eq!(read.data()["relations"].as_array().unwrap().len(), MANY);
    }
}

async fn conversations_take_two(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let path = "/api/v1/explore/conversations";
    let id = conversation(&ann).await;
    for _ in 0..100 {
        ann.post(path, json!({})).await.data();
        ann.post(&format!("{path}/{id}/messages"), json!({"role": "user", "content": "x"})).await.data();
    }
    assert_eq!(cost(&server, ann.get(&format!("{path}/{id}"))).await, 2);
    assert_eq!(cost(&server, ann.get(path)).await, 2);
    assert_eq!(ann.get(path).await.data()["total"], 101);
}
