//! `system`: health, version, and what no other function answers
//! (`contract/ai-asr-ocr-system.md`, System, Health and Debug).

use std::time::{Duration, Instant};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    Error, Result,
    dto::app_versions::Versions,
    http::{Access, App, Query, Reply, Routes},
    services::health,
};
use tokio::sync::Mutex;

/// The route table.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/health", Access::Public, health)
        .get("/health/db", Access::Public, health_of_stores)
        .get("/api/v1/system/version", Access::User, version)
        .get("/api/v1/system/open/version", Access::Public, version)
        .get("/api/v1/system/app-versions", Access::User, app_versions)
        .get("/api/v1/system/open/app-versions", Access::Public, app_versions)
        .get("/api/v1/debug/ba/schema", Access::Service, debug_schema)
        .get("/api/v1/debug/ba/data", Access::Service, debug_data)
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// Answers without looking at anything: the browser extension tests a server address with it.
async fn health() -> Reply<Health> {
    Reply(Health { status: "ok" })
}

#[derive(Serialize)]
struct Version {
    version: &'static str,
}

async fn version() -> Reply<Version> {
    Reply(Version { version: env!("CARGO_PKG_VERSION") })
}

async fn app_versions(State(app): State<App>) -> Reply<Versions> {
    Reply(app.app_versions.latest(&app.context, app.http(), &app.config.releases).await)
}

/// The states of the stores, under the names that monitors know.
#[derive(Clone, Copy, Serialize)]
struct Stores {
    drizzle: &'static str,
    lancedb: &'static str,
}

/// How long an answer about the stores is given again: the route needs no token.
const REMEMBERED: Duration = Duration::from_secs(10);

async fn health_of_stores(State(app): State<App>) -> Response {
    static LAST: Mutex<Option<(Instant, Stores)>> = Mutex::const_new(None);

    let mut last = LAST.lock().await;
    let stores = match *last {
        Some((at, stores)) if at.elapsed() < REMEMBERED => stores,
        _ => {
            let stores = look_at_stores(&app).await;
            last.insert((Instant::now(), stores)).1
        }
    };
    drop(last);
    let status = match stores {
        Stores { drizzle: "ok", lancedb: "ok" } => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(stores)).into_response()
}

async fn look_at_stores(app: &App) -> Stores {
    let word = |is_ok: bool| if is_ok { "ok" } else { "failed" };
    let (database, vectors) = tokio::join!(
        health::database(&app.context),
        health::vector_store(app.config.vector_store.as_ref(), || app.http(), app.context.now())
    );
    Stores { drizzle: word(database), lancedb: word(vectors) }
}

/// Contract: the tables are those of the vector store, which this function cannot read; refusing all of
/// them is allowed (contract/ai-asr-ocr-system.md D1 and D3).
async fn debug_schema(query: Query) -> Result<Reply<()>> {
    Err(not_available(table(&query)?))
}

async fn debug_data(query: Query) -> Result<Reply<()>> {
    let table = table(&query)?;
    if query.number("page")?.is_some_and(|page| page < 1.0) {
        return Err(Error::params("Page must be >= 1"));
    }
    if query.number("pageSize")?.is_some_and(|size| !(1.0..=1000.0).contains(&size)) {
        return Err(Error::params("PageSize must be between 1 and 1000"));
    }
    Err(not_available(table))
}

fn table(query: &Query) -> Result<&str> {
    query.text("table").filter(|table| !table.is_empty()).ok_or(Error::params("Table name is required"))
}

fn not_available(table: &str) -> Error {
    Error::not_found(format!("Table '{table}' not found or error: not available"))
}
