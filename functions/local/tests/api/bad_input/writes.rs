//! Every route that takes a JSON body, with a body that it accepts.

use std::collections::HashMap;

use axum::http::Method;
use serde_json::{Map, Value, json};
use shared::http::{MAX_BODY_BYTES, MAX_LARGE_BODY_BYTES};
use testing::{Answer, Client, PASSWORD, Server};

use crate::objects::{category, conversation, memo_id, push_rule, push_rule_body, tag, text, upload};

/// A user with an object of every noun.
pub struct World {
    pub server: Server,
    pub ann: Client,
    ids: HashMap<&'static str, String>,
}

/// A route that takes a body.
pub struct Write {
    pub method: Method,
    /// The path as in the route table.
    pub route: &'static str,
    /// A path that names objects of the user.
    pub path: String,
    /// Who is let in.
    pub client: Client,
    /// What the route accepts.
    pub body: Map<String, Value>,
}

impl World {
    pub async fn new(server: Server) -> Self {
        let ann = server.user().await;
        let ids = HashMap::from([
            ("categoryId", category(&ann, "c").await),
            ("tagId", tag(&ann, "t").await),
            ("memoId", memo_id(&ann, json!({"content": "m", "tags": ["t"]})).await),
            ("conversationId", conversation(&ann).await),
            ("id", push_rule(&ann).await),
            ("attachmentId", text(&upload(&ann, "a.txt", "text/plain", b"x").await, "attachmentId")),
            ("*key", "a/b.png".to_owned()),
            ("uid", ann.uid.clone()),
            ("taskId", "task".to_owned()),
        ]);
        Self { server, ann, ids }
    }

    /// Returns all routes with bodies.
    pub fn writes(&self) -> Vec<Write> {
        let credentials = json!({"email": self.ann.email, "password": PASSWORD});
        let passwords = json!({"oldPassword": PASSWORD, "newPassword": PASSWORD});
        let message = json!({"role": "assistant", "content": "x", "sources": [{"memoId": "m"}]});
        let put = Method::PUT;
        let post = Method::POST;
        let patch = Method::PATCH;
        vec![
            self.write(&post, "/api/v1/auth/register", credentials.clone()),
            self.write(&post, "/api/v1/auth/login", credentials),
            self.write(&put, "/api/v1/user/info", json!({"nickname": "Ann"})),
            self.write(&post, "/api/v1/user/password", passwords),
            self.write(&post, "/api/v1/categories", json!({"name": "new"})),
            self.write(&put, "/api/v1/categories/{categoryId}", json!({"name": "c"})),
            self.write(&post, "/api/v1/tags", json!({"name": "new"})),
            self.write(&put, "/api/v1/tags/{tagId}", json!({"name": "t"})),
            self.write(&post, "/api/v1/memos", json!({"content": "x"})),
            self.write(&put, "/api/v1/memos/{memoId}", json!({"content": "x"})),
            self.write(&put, "/api/v1/memos/{memoId}/tags", json!({"tags": ["t"]})),
            self.write(&post, "/api/v1/memos/ba/create", json!({"content": "x"})),
            self.write(&post, "/api/v1/attachments/uploads", json!({"filename": "a.png", "size": 1})),
            self.write(&patch, "/api/v1/attachments/{attachmentId}/properties", json!({"properties": {"a": "1"}})),
            self.write(&post, "/api/v1/memos/search/vector", json!({"query": "x"})),
            self.write(&post, "/api/v1/explore", json!({"query": "x"})),
            self.write(&post, "/api/v1/explore/quick-search", json!({"query": "x"})),
            self.write(&post, "/api/v1/explore/conversations", json!({"title": "x"})),
            self.write(&put, "/api/v1/explore/conversations/{conversationId}", json!({"title": "x"})),
            self.write(&post, "/api/v1/explore/conversations/{conversationId}/messages", message),
            self.write(&post, "/api/v1/push-rules", push_rule_body()),
            self.write(&put, "/api/v1/push-rules/{id}", push_rule_body()),
            self.write(&post, "/api/v1/ai/generate-tags", json!({"content": "x"})),
            self.write(&post, "/api/v1/asr/transcribe", json!({"fileUrls": ["https://files.example/a.mp3"]})),
            self.write(&post, "/api/v1/asr/transcribe-and-wait", json!({"fileUrls": ["oss://bucket/a.mp3"]})),
            self.write(&post, "/api/v1/ocr/parse", json!({"files": ["https://files.example/a.png"]})),
            self.write(&post, "/api/v1/ocr/parse-full", json!({"files": "https://files.example/a.png"})),
        ]
    }

    /// Returns one of [`World::writes`].
    pub fn find(&self, method: &str, route: &str) -> Write {
        let found = self.writes().into_iter().find(|write| write.method == method && write.route == route);
        found.unwrap_or_else(|| panic!("{method} {route}"))
    }

    /// Puts the id of an object of the user into the path of a route.
    pub fn path(&self, route: &str) -> String {
        let mut path = route.to_owned();
        for (name, id) in &self.ids {
            path = path.replace(&format!("{{{name}}}"), id);
        }
        path
    }

    fn write(&self, method: &Method, route: &'static str, body: Value) -> Write {
        let mut path = self.path(route);
        let is_service = route.contains("/ba/");
        if is_service {
            path = format!("{path}?uid={}", self.ann.uid);
        }
        let client = if is_service { self.server.service() } else { self.ann.clone() };
        let Value::Object(body) = body else { panic!("{route}: a body is an object") };
        Write { method: method.clone(), route, path, client, body }
    }
}

impl Write {
    /// Returns the HTTP status of an answer in the envelope: 202 where files are handed over.
    pub fn status(&self) -> u16 {
        if self.route.starts_with("/api/v1/asr/") { 202 } else { 200 }
    }

    /// Returns the most bytes of a body: more where files come as text.
    pub fn max_body_bytes(&self) -> usize {
        if self.route.starts_with("/api/v1/ocr/") { MAX_LARGE_BODY_BYTES } else { MAX_BODY_BYTES }
    }

    /// Sends a body of any kind.
    pub async fn send(&self, content_type: &str, body: impl Into<axum::body::Body>) -> Answer {
        self.client.send_raw(self.method.clone(), &self.path, content_type, body).await
    }

    /// Sends JSON text.
    pub async fn send_json(&self, text: impl Into<axum::body::Body>) -> Answer {
        self.send("application/json", text).await
    }

    /// Returns the accepted body with one more or another member.
    pub fn with(&self, member: &str, value: Value) -> Value {
        let mut body = self.body.clone();
        body.insert(member.to_owned(), value);
        Value::Object(body)
    }
}

impl std::fmt::Display for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.route)
    }
}
