//! What every answer has in common: cross-origin headers, security headers, a line in the log
//! (`contract/http-conventions.md` section 7).

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{App, envelope::json};
use crate::{
    config::CorsPolicy,
    invocation::{Invocation, TRACE_HEADER},
    metrics::{self, Metric},
};

/// Answers preflight requests, and tells browsers who may read the other answers.
pub(super) async fn cors(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let requested = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response =
        if request.method() == Method::OPTIONS { preflight(requested) } else { next.run(request).await };
    allow(&app.config.cors, origin, response.headers_mut());
    response
}

fn preflight(requested: Option<HeaderValue>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.append(header::VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    if let Some(requested) = requested {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, requested);
    }
    response
}

fn allow(policy: &CorsPolicy, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
    let CorsPolicy::Origins { origins, credentials } = policy else {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        return;
    };
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin.filter(|origin| origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes()))
    else {
        return;
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if *credentials {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

/// Serves a request as one invocation and to the end, also when the client hangs up: a statement that is
/// abandoned half-way can leave its connection unusable. Says in one line of the log what became of it, and
/// in one of metrics.
pub(super) async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let invocation = invocation_of(&app, &request);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let served = tokio::spawn(invocation.clone().run(next.run(request))).await;
    invocation.enter(|| {
        let response = served.unwrap_or_else(|error| {
            tracing::error!(error = %error, "request.panicked");
            metrics::add(Metric::Failures, 1);
            json(500, &serde_json::json!({"status": "error", "message": "Internal server error"}))
        });
        let duration_ms = metrics::milliseconds(started.elapsed());
        tracing::info!(
            http.method = %method,
            http.route = route.as_ref().map_or("unknown", MatchedPath::as_str),
            http.status = response.status().as_u16(),
            duration_ms,
            cold_start = invocation.is_cold(),
            "request.served"
        );
        metrics::add(Metric::Requests, 1);
        metrics::set(Metric::Latency, duration_ms);
        metrics::write();
        response
    })
}

fn invocation_of(app: &App, request: &Request) -> Invocation {
    if let Some(context) = request.extensions().get::<lambda_http::Context>() {
        return Invocation::of(context);
    }
    let trace = request.headers().get(TRACE_HEADER).and_then(|trace| trace.to_str().ok());
    Invocation::local(&*app.context.random, trace)
}

/// Adds the security headers.
pub(super) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let hsts = HeaderValue::from_static("max-age=31536000; includeSubDomains");
    headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts);
    response
}
