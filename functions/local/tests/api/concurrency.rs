//! Sixty-four requests at once: nothing is lost, nothing is doubled, and no conflict inside the database
//! reaches a client.

use serde_json::{Value, json};
use testing::{Answer, Client, Kind, Server, on_every_database};
use tokio::task::JoinSet;

use crate::objects::{assert_usage_counts, category, conversation, memo_id, read_memo, tag, text, usage};

on_every_database!(
    memos_that_name_one_new_tag_share_it,
    replacements_of_the_tags_of_different_memos_are_all_counted,
    changes_of_the_tags_of_one_memo_leave_right_counts,
    a_name_makes_one_tag,
    a_name_makes_one_category,
    an_email_makes_one_user,
    imports_that_name_one_new_category_share_it,
    messages_of_one_conversation_are_all_kept_in_order,
    a_memo_is_deleted_once,
    a_tag_is_deleted_while_memos_take_it,
    a_category_is_deleted_while_memos_take_it,
    a_request_is_served_to_the_end_when_its_client_hangs_up,
);

const MANY: usize = 64;

/// Sends many requests at once and returns the answers.
async fn at_once<F: Future<Output = Answer> + Send + 'static>(request: impl Fn(usize) -> F) -> Vec<Answer> {
    (0..MANY).map(request).collect::<JoinSet<_>>().join_all().await
}

/// Sends many POSTs at once, each as its own client.
async fn post_at_once(client: &Client, path: &str, body: impl Fn(usize) -> Value) -> Vec<Answer> {
    at_once(|number| {
        let (client, path, body) = (client.clone(), path.to_owned(), body(number));
        async move { client.post(&path, body).await }
    })
    .await
}

async fn put_at_once(client: &Client, paths: &[String], body: impl Fn(usize) -> Value) -> Vec<Answer> {
    at_once(|number| {
        let (client, path, body) = (client.clone(), paths[number % paths.len()].clone(), body(number));
        async move { client.put(&path, body).await }
    })
    .await
}

/// Returns how many answers have each of two codes; there is no other code.
fn tally(answers: &[Answer], expected: [i64; 2]) -> [usize; 2] {
    let counts = expected.map(|code| answers.iter().filter(|answer| answer.code() == code).count());
    assert_eq!(counts.iter().sum::<usize>(), answers.len(), "{answers:?}");
    counts
}

async fn tags_of(user: &Client) -> Vec<Value> {
    user.get("/api/v1/tags").await.data()["tags"].as_array().unwrap().clone()
}

async fn memos_of(user: &Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(memo_id(user, json!({"content": number.to_string()})).await);
    }
    ids
}

async fn memos_that_name_one_new_tag_share_it(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let spelling = |number: usize| if number.is_multiple_of(2) { "New 标签" } else { " nEW 标签 " };
    let answers = post_at_once(&ann, "/api/v1/memos", |n| json!({"content": "x", "tags": [spelling(n)]})).await;
    let tags = tags_of(&ann).await;
    assert_eq!((tags.len(), &tags[0]["usageCount"]), (1, &json!(MANY)), "{tags:?}");
    for answer in &answers {
        assert_eq!(answer.data()["memo"]["tagIds"], json!([tags[0]["tagId"]]));
    }
}

async fn replacements_of_the_tags_of_different_memos_are_all_counted(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let memos = memos_of(&ann, MANY).await;
    let paths: Vec<String> = memos.iter().map(|id| format!("/api/v1/memos/{id}/tags")).collect();
    for names in [["a", "b", "c"], ["c", "d", "a"]] {
        // In different orders, so that locks are not taken alike by chance.
        let rotated = |number: usize| (0..3).map(|i| names[(number + i) % 3]).collect::<Vec<_>>();
        let answers = put_at_once(&ann, &paths, |number| json!({"tags": rotated(number)})).await;
        assert_eq!(tally(&answers, [0, -1]), [MANY, 0]);
        assert_usage_counts(&ann).await;
    }
    let counts: Vec<Value> =
        tags_of(&ann).await.into_iter().map(|tag| json!([tag["name"], tag["usageCount"]])).collect();
    for expected in [json!(["a", MANY]), json!(["b", 0]), json!(["c", MANY]), json!(["d", MANY])] {
        assert!(counts.contains(&expected), "{counts:?}");
    }
}

async fn changes_of_the_tags_of_one_memo_leave_right_counts(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let memo = memo_id(&ann, json!({"content": "x", "tags": ["t0", "t1"]})).await;
    let paths = [format!("/api/v1/memos/{memo}"), format!("/api/v1/memos/{memo}/tags")];
    let names = |number: usize| [format!("t{}", number % 5), format!("t{}", (number + 2) % 7)];
    let answers = put_at_once(&ann, &paths, |number| json!({"content": "x", "tags": names(number)})).await;
    assert_eq!(tally(&answers, [0, -1]), [MANY, 0]);
    assert_usage_counts(&ann).await;
}

async fn a_name_makes_one_tag(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let answers = post_at_once(&ann, "/api/v1/tags", |_| json!({"name": "new"})).await;
    let tags = tags_of(&ann).await;
    assert_eq!(tags.len(), 1);
    for answer in &answers {
        assert_eq!(answer.data()["tag"]["tagId"], tags[0]["tagId"]);
    }
}

async fn a_name_makes_one_category(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let answers = post_at_once(&ann, "/api/v1/categories", |_| json!({"name": "new"})).await;
    assert_eq!(tally(&answers, [0, 3001]), [1, MANY - 1]);
}

async fn an_email_makes_one_user(kind: Kind) {
    let server = Server::start(kind).await;
    let credentials = json!({"email": format!("{}@at.once", server.user().await.uid), "password": "secret"});
    let answers = post_at_once(&server.anonymous(), "/api/v1/auth/register", |_| credentials.clone()).await;
    assert_eq!(tally(&answers, [0, 1001]), [1, MANY - 1]);
    let registered = answers.iter().find(|answer| answer.code() == 0).unwrap();
    let signed_in = server.anonymous().post("/api/v1/auth/login", credentials).await;
    assert_eq!(signed_in.data()["user"]["uid"], registered.data()["user"]["uid"]);
}

async fn imports_that_name_one_new_category_share_it(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let path = format!("/api/v1/memos/ba/create?uid={}", ann.uid);
    let answers = post_at_once(&server.service(), &path, |_| json!({"content": "x", "category": "导入"})).await;
    let first = answers[0].data()["memo"]["categoryId"].clone();
    assert!(first.is_string());
    for answer in &answers {
        assert_eq!(answer.data()["memo"]["categoryId"], first);
    }
    let categories = ann.get("/api/v1/categories").await;
    assert_eq!(categories.data()["categories"].as_array().unwrap().len(), 2);
}

async fn messages_of_one_conversation_are_all_kept_in_order(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let path = format!("/api/v1/explore/conversations/{}", conversation(&ann).await);
    let body = |number: usize| json!({"role": "user", "content": number.to_string()});
    let answers = post_at_once(&ann, &format!("{path}/messages"), body).await;
    let detail = ann.get(&path).await;
    let messages = detail.data()["messages"].as_array().unwrap();
    assert_eq!((messages.len(), &detail.data()["messageCount"]), (MANY + 1, &json!(MANY + 1)));
    assert!(messages.is_sorted_by(|a, b| a["createdAt"].as_i64() < b["createdAt"].as_i64()), "{messages:?}");
    assert_eq!(detail.data()["updatedAt"], messages[MANY]["createdAt"]);
    for answer in &answers {
        assert!(messages.contains(&answer.data()["data"]));
    }
}

async fn a_memo_is_deleted_once(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let id = memo_id(&ann, json!({"content": "x", "tags": ["a"]})).await;
    memo_id(&ann, json!({"content": "y", "tags": ["a"], "relationIds": [id]})).await;
    let answers = at_once(|_| {
        let (ann, path) = (ann.clone(), format!("/api/v1/memos/{id}"));
        async move { ann.delete(&path).await }
    });
    assert_eq!(tally(&answers.await, [0, 3]), [1, MANY - 1]);
    assert_eq!(tags_of(&ann).await[0]["usageCount"], 1);
    assert_usage_counts(&ann).await;
}

async fn a_tag_is_deleted_while_memos_take_it(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let gone = tag(&ann, "gone").await;
    let stays = tag(&ann, "stays").await;
    let answers = at_once(|number| {
        let (ann, path) = (ann.clone(), format!("/api/v1/tags/{gone}"));
        let body = json!({"content": "x", "tagIds": [gone, stays]});
        async move { if number == MANY / 2 { ann.delete(&path).await } else { ann.post("/api/v1/memos", body).await } }
    });
    assert_eq!(tally(&answers.await, [0, -1]), [MANY, 0]);
    for memo in ann.get("/api/v1/memos?limit=100").await.data()["items"].as_array().unwrap() {
        assert_eq!(memo["tagIds"], json!([stays]), "{memo}");
    }
    assert_eq!(usage(&ann, &stays).await, i64::try_from(MANY).unwrap() - 1);
}

async fn a_category_is_deleted_while_memos_take_it(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let id = category(&ann, "gone").await;
    let answers = at_once(|number| {
        let (ann, path) = (ann.clone(), format!("/api/v1/categories/{id}"));
        let body = json!({"content": "x", "categoryId": id});
        async move { if number == MANY / 2 { ann.delete(&path).await } else { ann.post("/api/v1/memos", body).await } }
    });
    let answers = answers.await;
    assert_eq!(tally(&answers, [0, -1]), [MANY, 0]);
    for answer in answers.iter().filter(|answer| answer.data()["memo"].is_object()) {
        let memo = read_memo(&ann, &text(&answer.data()["memo"], "memoId")).await;
        assert_eq!(memo.get("categoryId"), None, "{memo}");
    }
}

async fn a_request_is_served_to_the_end_when_its_client_hangs_up(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let mut sent = 0;
    // On a busy machine a request may be answered before its client is able to hang up.
    loop {
        sent += 1;
        let mut request = Box::pin(ann.post("/api/v1/memos", json!({"content": "x", "tags": ["t"]})));
        tokio::select! {
            biased;
            _ = &mut request => {}
            () = tokio::task::yield_now() => break,
        }
    }
    let stored = async {
        while ann.get("/api/v1/memos").await.data()["pagination"]["total"] != sent {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), stored).await.expect("the memo is stored");
}
