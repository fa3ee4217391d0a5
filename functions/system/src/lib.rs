//! `system`: health, version, and what no other function answers
//! (`contract/ai-asr-ocr-system.md`, System, Health and Debug).

mod api;

use std::time::{Duration, Instant};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use shared::{
    Error, Result,
    dto::app_versions::Versions,
    http::{Access, Answer, App, Operation, Params, Query, Reply, RouteTable, json},
    services::health,
};
use tokio::sync::Mutex;

/// The route table.
#[must_use]
pub fn routes<R: RouteTable>() -> R {
    R::default()
        .get("/api/v1/health", Access::Public, health, "Tell that the server answers")
        .get("/health/db", Access::Public, health_of_stores, "Tell whether the stores answer")
        .get("/api/v1/system/version", Access::User, version, "Tell the version of the server")
        .get("/api/v1/system/open/version", Access::Public, version, "Tell the version of the server to everybody")
        .get("/api/v1/system/app-versions", Access::User, app_versions, "Tell the newest versions of the apps")
        .get("/api/v1/system/open/app-versions", Access::Public, app_versions, "Tell the newest apps to everybody")
        .get("/api/v1/debug/ba/schema", Access::Service, debug_schema, "Refuse to show the schema of a table")
        .get("/api/v1/debug/ba/data", Access::Service, debug_data, "Refuse to show the rows of a table")
        .get("/api/v1/openapi.json", Access::Public, api::document, "Get this description")
        .get("/api/v1/docs", Access::Public, api::page, "Read this description as a page")
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct Health {
    status: &'static str,
}

/// Answers without looking at anything: the browser extension tests a server address with it.
async fn health() -> Reply<Health> {
    Reply(Health { status: "ok" })
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
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
#[derive(Clone, Copy, JsonSchema, Serialize)]
#[schemars(inline)]
struct Stores {
    drizzle: &'static str,
    lancedb: &'static str,
}

/// How long an answer about the stores is given again: the route needs no token.
const REMEMBERED: Duration = Duration::from_secs(10);

impl IntoResponse for Stores {
    fn into_response(self) -> Response {
        let status = match self {
            Self { drizzle: "ok", lancedb: "ok" } => 200,
            _ => 503,
        };
        json(status, &self)
    }
}

impl Answer for Stores {
    fn describe(operation: &mut Operation<'_>) {
        operation.bare::<Self>(200, "All stores answer.");
        operation.bare::<Self>(503, "One of them fails.");
    }
}

async fn health_of_stores(State(app): State<App>) -> Stores {
    static LAST: Mutex<Option<(Instant, Stores)>> = Mutex::const_new(None);

    let mut last = LAST.lock().await;
    match *last {
        Some((at, stores)) if at.elapsed() < REMEMBERED => stores,
        _ => {
            let stores = look_at_stores(&app).await;
            last.insert((Instant::now(), stores)).1
        }
    }
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
async fn debug_schema(params: Params<Table>) -> Result<Reply<()>> {
    Err(not_available(&params.read()?.table))
}

async fn debug_data(params: Params<Rows>) -> Result<Reply<()>> {
    let Rows { table: Table { table }, page, page_size } = params.read()?;
    if page.is_some_and(|page| page < 1.0) {
        return Err(Error::params("Page must be >= 1"));
    }
    if page_size.is_some_and(|size| !(1.0..=1000.0).contains(&size)) {
        return Err(Error::params("PageSize must be between 1 and 1000"));
    }
    Err(not_available(&table))
}

/// The query of [`debug_schema`].
#[derive(JsonSchema)]
struct Table {
    /// The name of the table.
    table: String,
}

impl TryFrom<&Query> for Table {
    type Error = Error;

    fn try_from(query: &Query) -> Result<Self> {
        let table = query.text("table").filter(|table| !table.is_empty());
        Ok(Self { table: table.ok_or(Error::params("Table name is required"))?.to_owned() })
    }
}

/// The query of [`debug_data`].
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Rows {
    #[schemars(flatten)]
    table: Table,
    /// The number of the page, from 1.
    page: Option<f64>,
    /// The most rows of a page, from 1 to 1000.
    page_size: Option<f64>,
}

impl TryFrom<&Query> for Rows {
    type Error = Error;

    fn try_from(query: &Query) -> Result<Self> {
        // Numbers are read before anything is asked for.
        let (page, page_size) = (query.number("page")?, query.number("pageSize")?);
        Ok(Self { table: query.try_into()?, page, page_size })
    }
}

fn not_available(table: &str) -> Error {
    Error::not_found(format!("Table '{table}' not found or error: not available"))
}
