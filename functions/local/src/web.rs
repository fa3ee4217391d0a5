//! A built web client beside the API (`contract/attachments.md` section 7): its files, and `index.html` for every
//! other page. Paths below `/api` stay with the functions.

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use shared::clients::storage::{Error, LocalStore, ObjectStore};

const INDEX: &str = "index.html";

/// What the pages of the web client may load (`contract/http-conventions.md` section 7).
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; \
    style-src 'self' https: 'unsafe-inline'; img-src 'self' data: https: http: blob:; font-src 'self' https: data:; \
    connect-src 'self' http: https:; media-src 'self' https: http: blob:; object-src 'none'; base-uri 'self'; \
    form-action 'self'; frame-ancestors 'self'";

/// The content types of a web build, by extension.
const TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("json", "application/json; charset=utf-8"),
    ("map", "application/json; charset=utf-8"),
    ("webmanifest", "application/manifest+json"),
    ("txt", "text/plain; charset=utf-8"),
    ("xml", "application/xml"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("ico", "image/x-icon"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("ttf", "font/ttf"),
    ("wasm", "application/wasm"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("pdf", "application/pdf"),
];

/// Adds the files of a directory to a router.
pub fn beside(router: Router, directory: &Path) -> Router {
    router.layer(from_fn_with_state(Arc::new(LocalStore::new(directory)), serve))
}

async fn serve(State(files): State<Arc<LocalStore>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || path == "/api" || path.starts_with("/api/") || path.starts_with("/health/") {
        return next.run(request).await;
    }
    let path = percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy();
    match page(&files, &path).await {
        Ok(Some(response)) => response,
        Ok(None) => {
            let message = "Not Found: index.html not found. Make sure web application is built.";
            (StatusCode::NOT_FOUND, message).into_response()
        }
        Err(error) => {
            tracing::error!(error = %error, "web.unreadable");
            (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response()
        }
    }
}

/// Returns a file, or the page that finds its own way from the path.
async fn page(files: &LocalStore, path: &str) -> Result<Option<Response>, Error> {
    match file(files, path).await {
        Ok(None) | Err(Error::BadPath) => file(files, INDEX).await,
        found => found,
    }
}

async fn file(files: &LocalStore, path: &str) -> Result<Option<Response>, Error> {
    let Some(metadata) = files.metadata(path).await? else { return Ok(None) };
    let Some(content) = files.get(path, None).await? else { return Ok(None) };
    let extension = path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension);
    let content_type = TYPES.iter().find(|(known, _)| Some(*known) == extension);
    let cache_control = match extension {
        // The names of these change with what they hold; that of the page does not.
        Some("js" | "css") => "public, max-age=31536000, immutable",
        _ if path == INDEX => "no-cache",
        _ => "public, max-age=86400",
    };
    let mut response = Body::from_stream(content).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, metadata.size.into());
    for (name, value) in [
        (header::CONTENT_TYPE, content_type.map_or("application/octet-stream", |(_, content_type)| content_type)),
        (header::CACHE_CONTROL, cache_control),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(Some(response))
}
