//! Objects of a user, made over HTTP, and everything that a user has.

use serde_json::{Value, json};
use shared::{ids::AttachmentId, repositories};
use testing::{Client, Form, Server};

/// The nouns whose objects have ids in paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Noun {
    Category,
    Tag,
    Memo,
    Conversation,
    PushRule,
    Attachment,
    User,
}

impl Noun {
    /// Returns an id of the noun's form that nothing has.
    pub fn unknown_id(self) -> String {
        let (prefix, length) = match self {
            Self::Category => ("c", 24),
            Self::Tag => ("t", 24),
            Self::Memo => ("m", 24),
            Self::Conversation => ("conv", 27),
            Self::PushRule => ("push", 27),
            Self::Attachment => ("a", 24),
            Self::User => ("u", 24),
        };
        format!("{prefix:0<length$}")
    }
}

/// Returns a text member of an object.
pub fn text(object: &Value, member: &str) -> String {
    object[member].as_str().unwrap_or_else(|| panic!("no {member}: {object}")).to_owned()
}

/// Creates a memo and returns it.
pub async fn memo(user: &Client, body: Value) -> Value {
    user.post("/api/v1/memos", body).await.data()["memo"].clone()
}

/// Creates a memo and returns its id.
pub async fn memo_id(user: &Client, body: Value) -> String {
    text(&memo(user, body).await, "memoId")
}

/// Returns a memo as its owner reads it.
pub async fn read_memo(user: &Client, id: &str) -> Value {
    user.get(&format!("/api/v1/memos/{id}")).await.data().clone()
}

/// Creates a category and returns its id.
pub async fn category(user: &Client, name: &str) -> String {
    text(&user.post("/api/v1/categories", json!({"name": name})).await.data()["category"], "categoryId")
}

/// Creates a tag and returns its id.
pub async fn tag(user: &Client, name: &str) -> String {
    text(&user.post("/api/v1/tags", json!({"name": name})).await.data()["tag"], "tagId")
}

/// Returns the usage count of a tag.
pub async fn usage(user: &Client, tag: &str) -> i64 {
    user.get(&format!("/api/v1/tags/{tag}")).await.data()["tag"]["usageCount"].as_i64().unwrap()
}

/// Begins a conversation with one message and returns its id.
pub async fn conversation(user: &Client) -> String {
    let path = "/api/v1/explore/conversations";
    let id = text(&user.post(path, json!({"title": "Ann's"})).await.data()["conversation"], "conversationId");
    let message = json!({"role": "user", "content": "Ann's question"});
    user.post(&format!("{path}/{id}/messages"), message).await.data();
    id
}

/// Returns the body of a push rule.
pub fn push_rule_body() -> Value {
    let channels = json!([{"type": "meow", "nickname": "ann"}]);
    json!({"name": "Ann's rule", "pushTime": 8, "contentType": "daily_pick", "channels": channels})
}

/// Creates a push rule and returns its id.
pub async fn push_rule(user: &Client) -> String {
    text(&user.post("/api/v1/push-rules", push_rule_body()).await.data()["pushRule"], "id")
}

/// Uploads a file and returns the attachment.
pub async fn upload(user: &Client, filename: &str, media_type: &str, content: &[u8]) -> Value {
    let form = Form::new().file("file", filename, media_type, content);
    user.post_form("/api/v1/attachments/upload", &form).await.data()["attachment"].clone()
}

/// Stores the row of a file that a user has uploaded, and returns its id.
pub async fn attachment(server: &Server, user: &Client) -> String {
    let id = AttachmentId::new(&shared::ids::SystemRandom);
    let file = repositories::attachments::AttachmentRecord {
        attachment_id: id.clone(),
        uid: user.uid.as_str().into(),
        filename: "photo 照片.jpg".to_owned(),
        media_type: "image/jpeg".to_owned(),
        size: 5_000_000_000,
        storage_type: "local".to_owned(),
        path: format!("{}/2026-01-02/{id}.jpg", user.uid),
        bucket: None,
        prefix: None,
        endpoint: None,
        region: None,
        is_public_bucket: None,
        properties: serde_json::Map::new(),
        created_at: 1_750_000_000_000,
        updated_at: 1_750_000_000_000,
    };
    repositories::attachments::create(&server.app.context.db, &file).await.unwrap();
    id.to_string()
}

/// Returns everything that a user has, as they read it; without the URLs, which differ each time.
pub async fn everything(user: &Client) -> Vec<Value> {
    let mut all = Vec::new();
    for path in [
        "user/info",
        "categories",
        "tags",
        "memos?limit=1000",
        "push-rules",
        "attachments",
        "explore/conversations",
    ] {
        all.push(user.get(&format!("/api/v1/{path}")).await.data().clone());
    }
    for file in all.iter_mut().filter_map(|list| list["items"].as_array_mut()).flatten() {
        file.as_object_mut().and_then(|file| file.remove("url"));
    }
    let conversations = all.last().and_then(|list| list["items"].as_array().cloned()).unwrap_or_default();
    for conversation in conversations {
        let path = format!("/api/v1/explore/conversations/{}", text(&conversation, "conversationId"));
        all.push(user.get(&path).await.data().clone());
    }
    all
}

/// Asserts that the usage count of every tag of a user is the number of memos that carry it.
pub async fn assert_usage_counts(user: &Client) {
    let memos = user.get("/api/v1/memos?limit=1000").await;
    let memos = memos.data()["items"].as_array().unwrap();
    for tag in user.get("/api/v1/tags").await.data()["tags"].as_array().unwrap() {
        let carriers = memos.iter().filter(|memo| memo["tagIds"].as_array().unwrap().contains(&tag["tagId"]));
        assert_eq!(tag["usageCount"], json!(carriers.count()), "{tag}");
    }
}
