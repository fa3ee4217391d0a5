//! An install with a database of its own, since the schedule sees the rules of everybody, and an endpoint that
//! counts what it gets.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use shared::{
    clock::{Clock, ManualClock, Millis},
    db::schema,
    http::App,
    services::push_deliveries::Report,
};
use testing::{Kind, Server, Settings, empty_database};
use tokio::{net::TcpListener, sync::Notify};

/// 2026-03-05T08:00 in Shanghai, the zone of these tests unless they say otherwise.
pub const NOW: Millis = 1_772_668_800_000;

pub const HOUR: Millis = 3_600_000;
pub const DAY: Millis = 24 * HOUR;

/// The limit of a run that has nothing to wait for.
pub const LIMIT: Duration = Duration::from_mins(10);

/// A push service. What it answers depends on the word before the first `-` of the nickname.
#[derive(Clone, Default)]
pub struct Endpoint {
    got: Arc<Mutex<BTreeMap<String, Vec<Value>>>>,
    /// `wait` is answered when so many `ok` have come.
    wanted: Arc<AtomicUsize>,
    came: Arc<Notify>,
    /// How often `busy` refuses before it takes a message.
    refusals: Arc<AtomicU64>,
    pub host: String,
}

impl Endpoint {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let host = listener.local_addr().expect("it has an address").to_string();
        let endpoint = Self { host, ..Self::default() };
        let router = Router::new().fallback(answer).with_state(endpoint.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        endpoint
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    /// Lets `wait` be answered when so many `ok` have come.
    pub fn answer_after(&self, ok: usize) {
        self.wanted.store(ok, Ordering::SeqCst);
    }

    /// Lets `busy` refuse so many messages.
    pub fn refuse(&self, times: u64) {
        self.refusals.store(times, Ordering::SeqCst);
    }

    /// Returns how often each nickname that begins with a word was called.
    pub fn calls(&self, word: &str) -> BTreeMap<String, usize> {
        let got = self.got.lock().expect("no thread panicked");
        got.iter()
            .filter(|(name, _)| name.starts_with(word))
            .map(|(name, got)| (name.clone(), got.len()))
            .collect()
    }

    /// Returns the bodies that a nickname got.
    pub fn bodies(&self, name: &str) -> Vec<Value> {
        self.got.lock().expect("no thread panicked").get(name).cloned().unwrap_or_default()
    }

    fn ok(&self) -> usize {
        self.calls("ok").values().sum()
    }
}

async fn answer(State(endpoint): State<Endpoint>, uri: Uri, body: Bytes) -> Response {
    let name = uri.path().trim_start_matches('/').to_owned();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    endpoint.got.lock().expect("no thread panicked").entry(name.clone()).or_default().push(body);
    endpoint.came.notify_waiters();
    match name.split('-').next().unwrap_or_default() {
        "hang" => std::future::pending().await,
        "drip" => {
            let drops = futures::stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
            });
            Body::from_stream(drops).into_response()
        }
        "wait" => {
            loop {
                let came = endpoint.came.notified();
                if endpoint.ok() >= endpoint.wanted.load(Ordering::SeqCst) {
                    break taken();
                }
                // Another call may have come before this one listened.
                let _ = tokio::time::timeout(Duration::from_millis(50), came).await;
            }
        }
        "redirect" => (StatusCode::FOUND, [(header::LOCATION, "/redirected")]).into_response(),
        "fail" => (StatusCode::BAD_GATEWAY, "no").into_response(),
        "refuse" => StatusCode::BAD_REQUEST.into_response(),
        "large" => vec![b' '; 70_000].into_response(),
        "break" => Body::from_stream(futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("broken"))]))
            .into_response(),
        "busy" => {
            let left =
                endpoint.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if left.is_ok() { StatusCode::TOO_MANY_REQUESTS.into_response() } else { taken() }
        }
        _ => taken(),
    }
}

fn taken() -> Response {
    axum::Json(json!({"status": 200, "code": 0})).into_response()
}

/// The product with an empty database, a clock that stands still and an endpoint.
pub struct Install {
    pub server: Server,
    pub clock: Arc<ManualClock>,
    pub endpoint: Endpoint,
    pub database_url: String,
}

impl Install {
    pub async fn start(kind: Kind) -> Self {
        Self::start_in(kind, "Asia/Shanghai", NOW).await
    }

    pub async fn start_in(kind: Kind, zone: &str, now: Millis) -> Self {
        let endpoint = Endpoint::start().await;
        let clock = Arc::new(ManualClock::at(now));
        let database_url = empty_database(kind).await.url;
        let settings = Settings {
            clock: Some(clock.clone()),
            variables: vec![
                ("LOCALE_TIMEZONE", zone.to_owned()),
                ("MEOW_BASE_URL", endpoint.url()),
                ("OUTBOUND_TRUSTED_HOSTS", endpoint.host.clone()),
            ],
            database_url: Some(database_url.clone()),
            ..Settings::default()
        };
        let server = Server::start_with(kind, settings).await;
        schema::migrate(&server.app.context.db, now).await.expect("the schema can be made");
        Self { server, clock, endpoint, database_url }
    }

    pub fn app(&self) -> &App {
        &self.server.app
    }

    /// Runs what was due at a time, without waiting for anything.
    pub async fn run(&self, due: Millis) -> Report {
        push_scheduler::deliver(self.app(), due, LIMIT).await.expect("the database answers")
    }

    /// Moves the clock to a time and runs what was due then.
    pub async fn run_at(&self, due: Millis) -> Report {
        self.clock.set(due);
        self.run(due).await
    }

    /// Makes rules for the hour 8, each with one channel, `users` users in turn.
    pub async fn rules(&self, users: usize, nicknames: impl IntoIterator<Item = String>) {
        let rows = nicknames.into_iter().enumerate().map(|(number, nickname)| {
            let channel = json!([{"type": "meow", "nickname": nickname}]);
            rule(&format!("push{number:05}"), &format!("u{:04}", number % users), 8, "daily_memos", &channel)
        });
        self.insert_rules(rows.collect()).await;
    }

    pub async fn insert_rules(&self, rows: Vec<String>) {
        let columns = "id, uid, name, push_time, content_type, channels, enabled, created_at, updated_at";
        self.insert("push_rules", columns, &rows).await;
    }

    /// Makes memos: owner, text and time.
    pub async fn memos(&self, memos: impl IntoIterator<Item = (String, String, Millis)>) {
        let rows = memos.into_iter().enumerate().map(|(number, (uid, text, time))| {
            format!("('m{number:05}', '{uid}', '{text}', 'text', 0, {time}, {time})")
        });
        let columns = "memo_id, uid, content, type, is_public, created_at, updated_at";
        self.insert("memos", columns, &rows.collect::<Vec<_>>()).await;
    }

    async fn insert(&self, table: &str, columns: &str, rows: &[String]) {
        for rows in rows.chunks(1000) {
            self.server.execute(format!("INSERT INTO {table} ({columns}) VALUES {}", rows.join(", "))).await;
        }
    }

    /// Returns what the ledger says of a state: how many deliveries, and how many of them are doubtful.
    pub async fn ledger(&self, state: &str) -> (i64, i64) {
        let doubtful = "COUNT(CASE WHEN attempts > 1 THEN 1 END)";
        let sql = format!("SELECT COUNT(*), {doubtful} FROM push_deliveries WHERE state = '{state}'");
        self.server.fetch(sql).await[0]
    }

    /// Returns how many slots are not finished.
    pub async fn unfinished(&self) -> i64 {
        let rows: Vec<(i64,)> =
            self.server.fetch("SELECT COUNT(*) FROM push_slots WHERE finished_at IS NULL").await;
        rows[0].0
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }
}

/// Returns the row of a rule that was made long ago.
pub fn rule(id: &str, uid: &str, hour: i32, content: &str, channels: &Value) -> String {
    format!("('{id}', '{uid}', 'a rule', {hour}, '{content}', '{channels}', 1, 1000, 1000)")
}
