//! The description of the API: the document, and a page that shows it.

mod page;

use std::sync::LazyLock;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::json;
use shared::http::{Answer, Operation};

/// Written by `make openapi`, and a test proves that it is what the routes say (`functions/local/tests/openapi`).
const DOCUMENT: &str = include_str!("../openapi.json");

/// Browsers and gateways may keep either for an hour: they change with the version only.
const CACHE_CONTROL: &str = "public, max-age=3600";

/// The page needs its style and nothing else. The hash is that of [`page::STYLE`].
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
    style-src 'sha256-I8eMom8qbAzWO+nBcSXE8+7Lly6iNzd0PSBlHk72wM0='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The description in OpenAPI 3.1.
pub struct Document;

pub async fn document() -> Document {
    Document
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, CACHE_CONTROL)];
        (headers, DOCUMENT).into_response()
    }
}

impl Answer for Document {
    fn describe(operation: &mut Operation<'_>) {
        operation.answer(200, "The description in OpenAPI 3.1.");
        operation.content(200, "application/json", json!({"type": "object"}));
    }
}

/// The same for people: one page without scripts, which loads nothing.
pub struct Page;

pub async fn page() -> Page {
    Page
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        static HTML: LazyLock<String> = LazyLock::new(|| page::render(DOCUMENT));

        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, CACHE_CONTROL),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        ];
        (headers, HTML.as_str()).into_response()
    }
}

impl Answer for Page {
    fn describe(operation: &mut Operation<'_>) {
        operation.answer(200, "The description as a page.");
        operation.content(200, "text/html", json!({"type": "string"}));
    }
}
