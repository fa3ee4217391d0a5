//! A gateway: an HTTP server that hands every request to its function, as an event of API Gateway.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, Uri},
    response::Response,
};
use bench::runtime_api::{HttpReply, HttpRequest};
use tokio::{net::TcpListener, sync::Mutex, task::JoinHandle};

use crate::Functions;

const MANIFEST: &str = include_str!("../../../../Cargo.toml");

/// The format of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    Version1,
    Version2,
}

/// A gateway in front of functions, each of which is a process of its own. Stops when it is dropped.
pub struct Gateway {
    pub url: String,
    pub functions: Arc<Mutex<Functions>>,
    server: JoinHandle<()>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Shared {
    functions: Arc<Mutex<Functions>>,
    payload: Payload,
    /// The routes of `make watch`, which the deployment tests prove to be those of the template.
    routes: matchit::Router<&'static str>,
}

impl Gateway {
    pub async fn start(functions: Functions, payload: Payload) -> Self {
        let functions = Arc::new(Mutex::new(functions));
        let shared = Arc::new(Shared { functions: Arc::clone(&functions), payload, routes: routes() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(forward).layer(DefaultBodyLimit::disable()).with_state(shared);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, functions, server }
    }
}

fn routes() -> matchit::Router<&'static str> {
    // Function names must outlive the processes that carry them.
    const NAMES: &[&str] = &[
        "ai",
        "attachments",
        "auth",
        "categories",
        "conversations",
        "insights",
        "media",
        "memos",
        "push-rules",
        "search",
        "system",
        "tags",
        "users",
    ];
    let manifest: toml::Table = MANIFEST.parse().unwrap();
    let watch = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].as_table().unwrap();
    let names: HashMap<&str, &'static str> = NAMES.iter().map(|name| (*name, *name)).collect();
    let mut routes = matchit::Router::new();
    for (path, function) in watch {
        routes.insert(path, names[function.as_str().unwrap()]).unwrap();
    }
    routes
}

async fn forward(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let name = shared.routes.at(uri.path()).map_or("system", |route| *route.value);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let mut request = HttpRequest::new(method.as_str(), target);
    for (name, value) in headers.iter().filter(|(name, _)| *name != "host" && *name != "content-length") {
        request = request.header(name.as_str(), String::from_utf8_lossy(value.as_bytes()));
    }
    if !body.is_empty() {
        request = request.bytes(body);
    }
    let event = match shared.payload {
        Payload::Version1 => request.into_event_of_version_1(),
        Payload::Version2 => request.into_event(),
    };
    let HttpReply { status, headers, body } = shared.functions.lock().await.invoke(name, &event).await;
    let mut response = Response::builder().status(status);
    for (name, value) in headers.into_iter().filter(|(name, _)| name != "content-length") {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).unwrap()
}
