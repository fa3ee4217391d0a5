//! Health, version, debugging, and a database that is not there (`contract/ai-asr-ocr-system.md`).

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use sha2::{Digest, Sha256};
use shared::services::health;
use testing::{Kind, Server, Settings, empty_database, encoded, on_every_database, s3_settings};

use crate::objects::memo;

on_every_database!(
    health_is_answered_to_everybody,
    the_version_is_that_of_the_package,
    debugging_answers_no_rows,
    the_description_is_there_for_everybody,
    the_page_of_the_description_runs_and_loads_nothing,
    a_database_without_the_schema_is_said_to_be_out_of_date,
    a_database_that_cannot_be_reached_is_a_coded_failure,
);

async fn health_is_answered_to_everybody(kind: Kind) {
    let server = Server::start(kind).await;
    assert_eq!(server.anonymous().get("/api/v1/health").await.data(), &json!({"status": "ok"}));
    let stores = server.anonymous().get("/health/db").await;
    assert_eq!((stores.status.as_u16(), stores.body), (200, json!({"drizzle": "ok", "lancedb": "ok"})));
}

async fn the_version_is_that_of_the_package(kind: Kind) {
    let server = Server::start(kind).await;
    let version = json!({"version": env!("CARGO_PKG_VERSION")});
    assert_eq!(server.anonymous().get("/api/v1/system/open/version").await.data(), &version);
    assert_eq!(server.user().await.get("/api/v1/system/version").await.data(), &version);
}

async fn debugging_answers_no_rows(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    memo(&ann, json!({"content": "secret"})).await;
    let required = (2, "Table name is required");
    let page = (2, "Page must be >= 1");
    let size = (2, "PageSize must be between 1 and 1000");
    for (path, expected) in [
        ("schema", required),
        ("schema?table=", required),
        ("data", required),
        ("data?page=0", required),
        ("data?table=users&page=0&pageSize=0", page),
        ("data?table=users&page=-1", page),
        ("data?table=users&pageSize=0", size),
        ("data?table=users&pageSize=1001", size),
    ] {
        let answer = server.service().get(&format!("/api/v1/debug/ba/{path}")).await;
        assert_eq!(answer.refusal(), expected, "{path}");
    }
    for table in ["users", "memos", "tags", "nothing", "users'; --"] {
        for route in ["schema", "data"] {
            let answer = server
                .service()
                .get(&format!("/api/v1/debug/ba/{route}?table={}&pageSize=1000", encoded(table)))
                .await;
            for hidden in ["secret", &ann.email, &ann.uid, "$2b$"] {
                assert!(!answer.body.to_string().contains(hidden), "{answer:?}");
            }
            if table == "nothing" {
                assert_eq!(answer.refusal(), (3, "Table 'nothing' not found or error: not available"));
            }
        }
    }
}

async fn the_description_is_there_for_everybody(kind: Kind) {
    let answer = Server::start(kind).await.anonymous().get("/api/v1/openapi.json").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type").as_str()), (200, "application/json"));
    assert_eq!(answer.bytes, include_bytes!("../../../system/openapi.json"));
}

async fn the_page_of_the_description_runs_and_loads_nothing(kind: Kind) {
    let answer = Server::start(kind).await.anonymous().get("/api/v1/docs").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type").as_str()),
        (200, "text/html; charset=utf-8")
    );
    let page = String::from_utf8(answer.bytes.clone()).unwrap();
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = STANDARD.encode(Sha256::digest(style));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(answer.header("content-security-policy"), policy);
    for route in local::routes().iter() {
        let path = route.path.replace("{*", "{");
        let heading = format!("<b>{}</b> <code>{path}</code>", route.method);
        assert!(page.contains(&heading), "{heading}");
    }
    for forbidden in ["<script", "style=", "src=", "url(", "@import", "http-equiv", "<iframe", "<form"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    // Every link leads to a place on the page, or to the document.
    for link in page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        let place = link.strip_prefix('#').map(|id| format!("id=\"{id}\""));
        assert!(link == "openapi.json" || place.is_some_and(|place| page.contains(&place)), "{link}");
    }
}

async fn a_database_without_the_schema_is_said_to_be_out_of_date(kind: Kind) {
    let database_url = Some(empty_database(kind).await.url);
    let server = Server::start_with(kind, Settings { database_url, ..Settings::default() }).await;
    let token = server.app.tokens.issue(&"u1".into(), server.app.context.now()).unwrap();
    let mut answers = vec![
        server.anonymous().post("/api/v1/auth/login", json!({"email": "a", "password": "b"})).await,
        server.anonymous().get("/api/v1/memos/public/u1").await,
        server.service().post("/api/v1/memos/ba/create?uid=u1", json!({"content": "x"})).await,
    ];
    for path in ["/api/v1/memos", "/api/v1/explore/conversations", "/api/v1/nothing"] {
        let request = server.anonymous().request(axum::http::Method::GET, path);
        let request = request.header("authorization", format!("Bearer {token}"));
        answers.push(server.send(request.body("".into()).unwrap()).await);
    }
    for answer in answers {
        let expected = json!({"status": "error", "message": "Database schema is not up to date"});
        assert_eq!((answer.status.as_u16(), answer.body), (503, expected));
    }
    // What needs no database works.
    server.anonymous().get("/api/v1/health").await.data();
    assert_eq!(server.anonymous().get("/api/v1/memos").await.status, 401);
}

async fn a_database_that_cannot_be_reached_is_a_coded_failure(kind: Kind) {
    let url = match kind {
        Kind::Sqlite => "sqlite:///nowhere/at/all.db",
        Kind::Postgres => "postgres://nobody:topsecret@127.0.0.1:1/none",
        Kind::MariaDb => "mysql://nobody:topsecret@127.0.0.1:1/none",
    };
    let variables = vec![("DATABASE_ACQUIRE_TIMEOUT_MS", "50".to_owned())];
    let database_url = Some(url.to_owned());
    let server = Server::start_with(kind, Settings { variables, database_url, ..Settings::default() }).await;
    let token = server.app.tokens.issue(&"u1".into(), server.app.context.now()).unwrap();
    let request = server.anonymous().request(axum::http::Method::GET, "/api/v1/memos");
    let request = request.header("authorization", format!("Bearer {token}")).body("".into()).unwrap();
    let answer = server.send(request).await;
    let expected = json!({"success": false, "message": "Authentication failed"});
    assert_eq!((answer.status.as_u16(), answer.body), (500, expected));
    for answer in [
        server.anonymous().post("/api/v1/auth/login", json!({"email": "a", "password": "b"})).await,
        server.anonymous().get("/api/v1/memos/public/u1").await,
        server.service().post("/api/v1/memos/ba/create?uid=u1", json!({"content": "x"})).await,
    ] {
        assert_eq!(answer.refusal(), (2000, "数据库错误"));
    }
}

/// The store is asked itself: what `/health/db` has seen is remembered by the process.
#[tokio::test]
async fn a_vector_store_in_a_bucket_is_listed() {
    let settings = s3_settings();
    let of = |name: &str| settings.iter().find(|(known, _)| *known == name).expect("a setting").1.clone();
    let (endpoint, bucket) = (of("ATTACHMENT_S3_ENDPOINT"), of("ATTACHMENT_S3_BUCKET"));
    let secret = of("ATTACHMENT_S3_SECRET_ACCESS_KEY");
    for (endpoint, uri, secret, expected) in [
        (endpoint.as_str(), format!("s3://{bucket}/no such/lancedb"), secret.as_str(), true),
        (&endpoint, format!("s3://{bucket}"), &secret, true),
        (&endpoint, "s3://no-such-bucket-here/lancedb".to_owned(), &secret, false),
        (&endpoint, format!("s3://{bucket}/lancedb"), "wrong", false),
        ("http://127.0.0.1:1", format!("s3://{bucket}/lancedb"), &secret, false),
    ] {
        let variables = vec![
            ("LANCEDB_URI", uri.clone()),
            ("LANCEDB_S3_ENDPOINT", endpoint.to_owned()),
            ("AWS_ACCESS_KEY_ID", of("ATTACHMENT_S3_ACCESS_KEY_ID")),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ];
        let app = Server::start_with(Kind::Sqlite, Settings { variables, ..Settings::default() }).await.app;
        let now = app.context.now();
        let reached = health::vector_store(app.config.vector_store.as_ref(), || app.http(), now).await;
        assert_eq!(reached, expected, "{uri} at {endpoint}");
    }
}
