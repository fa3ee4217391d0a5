//! The server side of the Runtime API, for one function.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State, rejection::BytesRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use serde_json::{Value, json};
use shared::clock::{Clock, SystemClock};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{Failure, FunctionError};

/// How long a function may take to poll for the first time, and for an invocation.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most bytes of a response: 6 MiB and 100 bytes, as in Lambda.
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024 + 100;

type Outcome = Result<Value, FunctionError>;

/// The Runtime API of one function, on a free port of 127.0.0.1. Stops when it is dropped.
#[derive(Debug)]
pub struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    events: mpsc::UnboundedSender<Invocation>,
    last_id: AtomicU64,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
    /// When the function polled for the first time, or why it will not.
    first_poll: watch::Sender<Option<Result<Instant, FunctionError>>>,
}

#[derive(Debug)]
struct Invocation {
    id: String,
    payload: String,
    limit: Duration,
}

impl RuntimeApi {
    /// Starts to listen.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start() -> std::io::Result<Self> {
        let (events, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            queue: tokio::sync::Mutex::new(queue),
            waiting: Mutex::default(),
            first_poll: watch::Sender::new(None),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        // Without this a reply waits 40 ms for the acknowledgement of the one before.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        let router = router(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, events, last_id: AtomicU64::new(0), server })
    }

    /// Returns where it listens: the value of `AWS_LAMBDA_RUNTIME_API`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the function has asked for an event for the first time, and returns when that was.
    ///
    /// # Errors
    /// [`Failure::Initialisation`] or [`Failure::TimedOut`].
    pub async fn first_poll(&self) -> Result<Instant, Failure> {
        let mut first_poll = self.shared.first_poll.subscribe();
        let outcome = timeout(PATIENCE, first_poll.wait_for(Option::is_some)).await;
        match outcome.map(|seen| seen.ok().and_then(|seen| seen.clone())) {
            Ok(Some(seen)) => seen.map_err(Failure::Initialisation),
            // The sender lives as long as `self`.
            Ok(None) | Err(_) => Err(Failure::TimedOut(PATIENCE)),
        }
    }

    /// Hands an event to the function and waits for its result.
    ///
    /// # Errors
    /// [`Failure::Invocation`] or [`Failure::TimedOut`].
    pub async fn invoke(&self, event: &Value) -> Result<Value, Failure> {
        self.invoke_within(event, PATIENCE).await
    }

    /// As [`Self::invoke`], for a function with a time limit of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn invoke_within(&self, event: &Value, limit: Duration) -> Result<Value, Failure> {
        let number = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("00000000-0000-4000-8000-{number:012x}");
        let (sender, receiver) = oneshot::channel();
        self.shared.waiting().insert(id.clone(), sender);
        // The receiver lives as long as `self`.
        let _ = self.events.send(Invocation { id: id.clone(), payload: event.to_string(), limit });
        let outcome = timeout(limit, receiver).await;
        self.shared.waiting().remove(&id);
        match outcome {
            Ok(Ok(outcome)) => outcome.map_err(Failure::Invocation),
            Ok(Err(_)) | Err(_) => Err(Failure::TimedOut(limit)),
        }
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<Outcome>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the first poll, or why there will be none. Only the first call counts.
    fn polled(&self, outcome: Result<Instant, FunctionError>) {
        self.first_poll.send_if_modified(|seen| {
            let is_first = seen.is_none();
            if is_first {
                *seen = Some(outcome);
            }
            is_first
        });
    }

    /// Ends an invocation, and answers the function as Lambda does.
    fn finish(&self, id: &str, status: StatusCode, outcome: Outcome) -> Response {
        let Some(caller) = self.waiting().remove(id) else {
            return refusal(StatusCode::BAD_REQUEST, "InvalidRequestID");
        };
        // Nobody listens when the caller has given up meanwhile.
        let _ = caller.send(outcome);
        if status == StatusCode::ACCEPTED { accepted() } else { refusal(status, "RequestEntityTooLarge") }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let runtime = Router::new()
        .route("/invocation/next", get(next))
        .route("/invocation/{id}/response", post(response))
        .route("/invocation/{id}/error", post(error))
        .route("/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(MAX_RESPONSE_BYTES));
    Router::new().nest("/2018-06-01/runtime", runtime).with_state(shared)
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({"status": "OK"}))).into_response()
}

fn refusal(status: StatusCode, error_type: &str) -> Response {
    (status, Json(json!({"errorType": error_type, "errorMessage": error_type}))).into_response()
}

/// Answers with the next event, however long that takes.
async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.polled(Ok(Instant::now()));
    let Some(Invocation { id, payload, limit }) = shared.queue.lock().await.recv().await else {
        return refusal(StatusCode::GONE, "Shutdown");
    };
    let limit = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-deadline-ms", (SystemClock.now() + limit).to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:function".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".to_owned(),
        ),
        ("lambda-runtime-aws-request-id", id),
    ];
    (axum::response::AppendHeaders(headers), payload).into_response()
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let failed =
        |error_type: &str, message: String| Err(FunctionError { error_type: error_type.to_owned(), message });
    let (status, outcome) = match body {
        Err(error) => (StatusCode::PAYLOAD_TOO_LARGE, failed("Function.ResponseSizeTooLarge", error.to_string())),
        Ok(body) => match serde_json::from_slice(&body) {
            Ok(payload) => (StatusCode::ACCEPTED, Ok(payload)),
            Err(error) => (StatusCode::ACCEPTED, failed("InvalidResponse", error.to_string())),
        },
    };
    shared.finish(&id, status, outcome)
}

async fn error(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> Response {
    shared.finish(&id, StatusCode::ACCEPTED, Err(report(&body)))
}

async fn init_error(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    shared.polled(Err(report(&body)));
    accepted()
}

fn report(body: &[u8]) -> FunctionError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    FunctionError { error_type: text("errorType"), message: text("errorMessage") }
}
