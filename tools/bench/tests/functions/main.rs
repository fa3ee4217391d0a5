//! Every function as Lambda runs it: its binary, against the Runtime API, with events of API Gateway.
//!
//! The binaries must have been built (`cargo build --workspace --bins`, as `make test` does).

mod gateway;
mod observability;
mod recordings;
mod secrets;

use std::path::PathBuf;

use bench::runtime_api::{Function, HttpReply, HttpRequest};
use serde_json::{Value, json};
use testing::{Kind, empty_database, on_every_database};

on_every_database!(a_memo_is_written_and_read_through_the_functions);

/// The functions on one database. Each is started when it is first called.
struct Functions {
    environment: Vec<(&'static str, String)>,
    running: Vec<(&'static str, Function)>,
    /// What no answer and no line of a log may hold.
    secrets: Vec<String>,
}

impl Drop for Functions {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_discreet();
        }
    }
}

impl Functions {
    /// Makes the functions of an installation whose tables are there.
    async fn on(kind: Kind) -> Self {
        let environment = vec![
            ("APP_ENV", "development".to_owned()),
            // A file outside of it would be refused.
            ("EFS_MOUNT_PATH", "/".to_owned()),
            ("DATABASE_URL", empty_database(kind).await.url),
            ("JWT_SECRET", "a test secret of thirty-two bytes".to_owned()),
        ];
        let secrets = vec!["a test secret of thirty-two bytes".to_owned(), "sk-secret".to_owned()];
        let mut functions = Self { environment, running: Vec::new(), secrets };
        let migrated = functions.function("migrate").await.invoke(&json!({"command": "schema"})).await.unwrap();
        assert!(!migrated["applied"].as_array().unwrap().is_empty());
        functions
    }

    /// No log gives a secret away.
    fn assert_discreet(&self) {
        for (_, function) in &self.running {
            secrets::assert_none(&self.secrets, &function.log());
        }
    }

    async fn function(&mut self, name: &'static str) -> &mut Function {
        if let Some(index) = self.running.iter().position(|(running, _)| *running == name) {
            return &mut self.running[index].1;
        }
        let test = std::env::current_exe().unwrap();
        let binary: PathBuf = test.ancestors().nth(2).unwrap().join(name);
        assert!(binary.exists(), "{} is missing: build it with cargo build --workspace --bins", binary.display());
        let mut function = Function::start(name, &binary, self.environment.clone()).await.unwrap();
        function.first_poll().await.unwrap();
        self.running.push((name, function));
        &mut self.running.last_mut().unwrap().1
    }

    async fn call(&mut self, name: &'static str, request: HttpRequest) -> HttpReply {
        self.invoke(name, &request.into_event()).await
    }

    /// Hands an event to a function. No answer gives a secret away.
    async fn invoke(&mut self, name: &'static str, event: &Value) -> HttpReply {
        let function = self.function(name).await;
        let answer = function.invoke(event).await;
        let answer = answer.unwrap_or_else(|failure| panic!("{name}: {failure}\n{}", function.log()));
        secrets::assert_none(&self.secrets, &answer.to_string());
        HttpReply::from_payload(&answer).unwrap()
    }

    /// Registers a user and answers with the login.
    async fn sign_in(&mut self) -> HttpReply {
        let credentials = json!({"email": "ann@example.com", "password": "密码 secret"});
        self.data("auth", "", post("/api/v1/auth/register", &credentials)).await;
        self.call("auth", post("/api/v1/auth/login", &credentials)).await
    }

    /// Calls as a user, and returns the payload of the envelope.
    async fn data(&mut self, name: &'static str, token: &str, request: HttpRequest) -> Value {
        let reply = self.call(name, request.header("Authorization", format!("Bearer {token}"))).await;
        let body = reply.json();
        assert_eq!((reply.status, &body["code"]), (200, &json!(0)), "{name}: {body}");
        body["data"].clone()
    }
}

fn post(target: &str, body: &Value) -> HttpRequest {
    HttpRequest::new("POST", target).json(body)
}

async fn a_memo_is_written_and_read_through_the_functions(kind: Kind) {
    let mut functions = Functions::on(kind).await;
    let login = functions.sign_in().await;
    let token = login.json()["data"]["token"].as_str().unwrap().to_owned();
    // API Gateway takes cookies out of the headers.
    assert!(login.header("set-cookie").is_some_and(|cookie| cookie.starts_with(&format!("aimo_token={token};"))));

    let category = post("/api/v1/categories", &json!({"name": "工作"}));
    let category = functions.data("categories", &token, category).await["category"]["categoryId"].clone();
    let memo = json!({"content": "所有权 🦀 ".repeat(10_000), "tags": ["读书"], "categoryId": category});
    let memo = functions.data("memos", &token, post("/api/v1/memos", &memo)).await["memo"].clone();
    let page = HttpRequest::get("/api/v1/memos?tags=%E8%AF%BB%E4%B9%A6&search=%F0%9F%A6%80");
    assert_eq!(functions.data("memos", &token, page).await["items"][0], memo);

    let tags = functions.data("tags", &token, HttpRequest::get("/api/v1/tags/")).await;
    assert_eq!(tags["tags"][0]["usageCount"], 1);
    let conversation = post("/api/v1/explore/conversations", &json!({}));
    functions.data("conversations", &token, conversation).await;
    let channel = json!({"type": "meow", "nickname": "ann"});
    let rule = json!({"name": "x", "pushTime": 8, "contentType": "daily_pick", "channels": [channel]});
    functions.data("push-rules", &token, post("/api/v1/push-rules", &rule)).await;
    let activity = functions.data("insights", &token, HttpRequest::get("/api/v1/insights/activity")).await;
    assert_eq!(activity["items"][0]["count"], 1);
    let info = functions.data("users", &token, HttpRequest::get("/api/v1/user/info")).await;
    assert_eq!(info["email"], "ann@example.com");
    assert_eq!(functions.call("system", HttpRequest::get("/health/db")).await.status, 200);
    assert_eq!(functions.call("system", HttpRequest::get("/api/v1/nothing")).await.status, 401);
    assert_eq!(functions.call("tags", HttpRequest::new("PATCH", "/api/v1/tags")).await.status, 401);
}
