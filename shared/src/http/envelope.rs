//! The envelope of every JSON answer, and what an error becomes on the wire
//! (`contract/http-conventions.md` sections 1 to 3).

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    Error,
    error::{Code, Outcome, with_causes},
    metrics::{self, Metric},
};

/// The message of every success.
pub(super) const SUCCESS: &str = "操作成功";

#[derive(Serialize)]
struct Envelope<'a, T> {
    code: i32,
    msg: &'a str,
    data: Option<T>,
}

/// A successful answer: the payload in the envelope, HTTP 200.
#[derive(Debug, Clone)]
pub struct Reply<T>(pub T);

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        json(200, &Envelope { code: 0, msg: SUCCESS, data: Some(self.0) })
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        match self.outcome() {
            Outcome::Envelope { status, code, message } => {
                json(status, &Envelope { code: code.number(), msg: &message, data: None::<()> })
            }
            Outcome::Authentication { status, message } => {
                json(status, &serde_json::json!({"success": false, "message": message}))
            }
            Outcome::Plain { status, message } => {
                json(status, &serde_json::json!({"status": "error", "message": message}))
            }
        }
    }
}

impl Error {
    /// Logs a failure with its causes, once, here at the boundary. A refused request is no failure.
    fn log(&self) {
        let causes = match self {
            Self::Database(cause)
            | Self::Failed { source: cause, .. }
            | Self::NotStored(cause)
            | Self::AuthenticationFailed(cause) => with_causes(cause),
            Self::Storage(cause) => with_causes(cause),
            Self::Provider { source, .. } => with_causes(source),
            Self::Unforeseen(cause) => with_causes(&**cause),
            Self::NoDownload(cause) => return cause.log(),
            Self::Refused { .. } | Self::Unauthenticated(_) | Self::Unreadable { .. } | Self::NoRoute => return,
        };
        metrics::add(Metric::Failures, 1);
        tracing::error!(error = causes, "request.failed");
    }
}

/// Makes a JSON answer.
pub fn json<T: Serialize>(status: u16, body: &T) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], bytes).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "response.unencodable");
            Error::from(Code::System).into_response()
        }
    }
}
