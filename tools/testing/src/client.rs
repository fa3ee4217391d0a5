//! Drives the whole product in process: every route of every function, without a socket.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header, request},
};
use serde_json::{Value, json};
use shared::{
    clock::{Clock, ManualClock, Millis, SystemClock},
    config::{Config, Runtime, Variables},
    db::{Row, schema},
    http::App,
    ids::{Random, SystemRandom},
};
use tower::ServiceExt;

use crate::{Description, Form, Kind, Provider, database, directory, empty_database, shared_database};

/// The service token of every test server.
pub const SERVICE_TOKEN: &str = "test-service-token";

/// The password of every test user.
pub const PASSWORD: &str = "Passw0rd 密码";

/// How a [`Server`] differs from the usual one.
#[derive(Default)]
pub struct Settings {
    /// The time; by default that of the operating system.
    pub clock: Option<Arc<dyn Clock>>,
    /// The randomness; by default that of the operating system.
    pub random: Option<Arc<dyn Random>>,
    /// Environment variables.
    pub variables: Vec<(&'static str, String)>,
    /// The database; by default that of the process.
    pub database_url: Option<String>,
}

/// The product on one database.
#[derive(Clone)]
pub struct Server {
    /// Its state, for tests that look behind the routes.
    pub app: App,
    router: Router,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `null` when it is empty or no JSON.
    pub body: Value,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// Returns the code of the envelope.
    ///
    /// # Panics
    /// The answer has no envelope.
    #[must_use]
    pub fn code(&self) -> i64 {
        self.body["code"].as_i64().unwrap_or_else(|| panic!("no envelope: {self:?}"))
    }

    /// Returns the payload of a successful answer.
    ///
    /// # Panics
    /// The answer is not successful.
    #[expect(clippy::must_use_candidate, reason = "also called to assert success")]
    pub fn data(&self) -> &Value {
        assert_eq!((self.status, self.code()), (StatusCode::OK, 0), "{self:?}");
        &self.body["data"]
    }

    /// Returns the code and message of a refusal in the envelope.
    ///
    /// # Panics
    /// The answer is no refusal.
    #[expect(clippy::must_use_candidate, reason = "also called to assert refusal")]
    pub fn refusal(&self) -> (i64, &str) {
        assert!(self.status == StatusCode::OK && self.code() != 0, "{self:?}");
        assert_eq!(self.body["data"], Value::Null, "{self:?}");
        (self.code(), self.body["msg"].as_str().unwrap_or_default())
    }

    /// Returns a header; empty when it is absent. Repeated ones are joined by commas.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        let values = self.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect::<Vec<_>>().join(", ")
    }
}

impl Server {
    /// Starts the product on the database of the process.
    pub async fn start(kind: Kind) -> Self {
        Self::start_with(kind, Settings::default()).await
    }

    /// Starts the product with a clock that stands still until the test moves it.
    pub async fn start_at(kind: Kind, now: Millis) -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(now));
        let settings = Settings { clock: Some(clock.clone()), ..Settings::default() };
        (Self::start_with(kind, settings).await, clock)
    }

    /// Starts the product on a database of its own, for tests that break it.
    ///
    /// # Panics
    /// The schema cannot be made.
    pub async fn start_alone(kind: Kind) -> Self {
        let database_url = Some(empty_database(kind).await.url);
        let server = Self::start_with(kind, Settings { database_url, ..Settings::default() }).await;
        let context = &server.app.context;
        schema::migrate(&context.db, context.now()).await.expect("the schema can be made");
        server
    }

    /// Starts the product with other settings.
    ///
    /// # Panics
    /// The settings are wrong.
    pub async fn start_with(kind: Kind, settings: Settings) -> Self {
        let url = match settings.database_url {
            Some(url) => url,
            None => shared_database(kind).await.url,
        };
        let defaults = [
            ("DATABASE_URL", url),
            ("DATABASE_ACQUIRE_TIMEOUT_MS", "60000".to_owned()),
            ("JWT_SECRET", "a test secret of thirty-two bytes".to_owned()),
            ("BA_AUTH_ENABLED", "true".to_owned()),
            ("BA_AUTH_TOKEN", SERVICE_TOKEN.to_owned()),
            ("ATTACHMENT_LOCAL_PATH", directory("files").display().to_string()),
            ("LANCEDB_URI", directory("lancedb").display().to_string()),
            // No test asks the real one.
            ("GITHUB_API_BASE_URL", Provider::nowhere()),
        ];
        let variables = defaults.into_iter().chain(settings.variables);
        let variables: Variables = variables.map(|(name, value)| (name.to_owned(), value)).collect();
        let config = Config::read(Runtime::Local, variables).expect("the settings of tests are right");
        let clock = settings.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let random = settings.random.unwrap_or_else(|| Arc::new(SystemRandom));
        let app = App::with(config, clock, random).expect("the database URL is right");
        Self { router: local::router(&app), app }
    }

    /// Sends a request.
    ///
    /// # Panics
    /// The body of the answer cannot be read, or the answer is not as the description of the API says.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("the body can be read");
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let answer = Answer { status: parts.status, headers: parts.headers, body, bytes: bytes.into() };
        self.assert_discreet(&answer);
        Description::get().check(&method, &path, &answer);
        answer
    }

    /// Whatever the test is about, no answer gives a secret of the configuration away.
    fn assert_discreet(&self, answer: &Answer) {
        let config = &self.app.config;
        let keys = [&config.files.s3_credentials, &config.files.oss_credentials].into_iter().flatten();
        let secrets = [
            Some(&config.jwt_secret),
            config.ba_token.as_ref(),
            config.models.openai.key.as_ref(),
            config.speech.key.as_ref(),
            config.ocr.key.as_ref(),
            config.releases.token.as_ref(),
        ];
        for secret in secrets.into_iter().flatten().chain(keys.map(|keys| &keys.secret_access_key)) {
            let secret = secret.expose().as_bytes();
            let is_told = answer.bytes.windows(secret.len()).any(|part| part == secret);
            assert!(!is_told, "{answer:?} tells a secret");
        }
    }

    /// Runs a statement behind the back of the product: for states that no route brings about.
    pub async fn execute(&self, sql: impl Into<String>) {
        database::execute(&self.app.config.database.url, sql.into()).await;
    }

    /// Returns the rows that a statement finds: for what no route shows.
    pub async fn fetch<T: Row>(&self, sql: impl Into<String>) -> Vec<T> {
        database::fetch(&self.app.config.database.url, sql.into()).await
    }

    /// Returns somebody who is not signed in.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        Client { server: self.clone(), authorization: None, uid: String::new(), email: String::new() }
    }

    /// Returns a machine with the service token.
    #[must_use]
    pub fn service(&self) -> Client {
        Client { authorization: Some(format!("Bearer {SERVICE_TOKEN}")), ..self.anonymous() }
    }

    /// Returns a user with a token of this server, who may have registered at another.
    #[must_use]
    pub fn signed_in(&self, uid: &str, token: &str) -> Client {
        Client { authorization: Some(format!("Bearer {token}")), uid: uid.to_owned(), ..self.anonymous() }
    }

    /// Registers somebody new and signs them in.
    ///
    /// # Panics
    /// Registration or sign-in fails.
    pub async fn user(&self) -> Client {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let email = format!("user-{}-{number}@example.com", std::process::id());
        let credentials = json!({"email": email, "password": PASSWORD});
        self.anonymous().post("/api/v1/auth/register", credentials).await.data();
        self.log_in(&email, PASSWORD).await
    }

    /// Signs somebody in who has an account.
    ///
    /// # Panics
    /// The sign-in fails.
    pub async fn log_in(&self, email: &str, password: &str) -> Client {
        let anonymous = self.anonymous();
        let credentials = json!({"email": email, "password": password});
        let signed_in = anonymous.post("/api/v1/auth/login", credentials).await;
        let token = signed_in.data()["token"].as_str().expect("a token");
        let uid = signed_in.data()["user"]["uid"].as_str().expect("a uid").to_owned();
        Client { authorization: Some(format!("Bearer {token}")), uid, email: email.to_owned(), ..anonymous }
    }
}

/// Somebody who uses a [`Server`].
#[derive(Clone)]
pub struct Client {
    server: Server,
    authorization: Option<String>,
    /// The id of the user; empty for others.
    pub uid: String,
    /// The e-mail of the user; empty for others.
    pub email: String,
}

impl Client {
    /// Reads a path.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// Sends a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Sends a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Begins a request to which the test adds headers of its own; [`Server::send`] sends it.
    pub fn request(&self, method: Method, path: &str) -> request::Builder {
        let request = Request::builder().method(method).uri(path);
        match &self.authorization {
            Some(authorization) => request.header(header::AUTHORIZATION, authorization),
            None => request,
        }
    }

    /// Sends a form.
    pub async fn post_form(&self, path: &str, form: &Form) -> Answer {
        self.send_raw(Method::POST, path, &form.content_type(), form.body()).await
    }

    /// Sends a request with an optional JSON body.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        match body {
            Some(body) => self.send_raw(method, path, "application/json", body.to_string()).await,
            None => self.send_raw(method, path, "", String::new()).await,
        }
    }

    /// Sends a request with a body of any kind.
    ///
    /// # Panics
    /// The path is no URI.
    pub async fn send_raw(&self, method: Method, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let mut request = self.request(method, path);
        if !content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        self.server.send(request.body(body.into()).expect("the request is right")).await
    }
}
