//! A small Runtime API, the HTTP interface between Lambda and a function: `next`, `response` and
//! `error` of version 2018-06-01.
//!
//! [`RuntimeApi`] is the server, [`Function`] a bootstrap that runs against one of its own,
//! [`HttpRequest`] and [`HttpReply`] are the payloads of an API Gateway HTTP API. Extensions, response
//! streaming and `SnapStart` are left out; functions here use none of them.

mod function;
mod http;
mod server;

use std::time::Duration;

pub use self::{
    function::{Function, Usage},
    http::{HttpReply, HttpRequest},
    server::RuntimeApi,
};

/// What a function reports when it fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct FunctionError {
    /// `errorType` of the report.
    pub error_type: String,
    /// `errorMessage` of the report.
    pub message: String,
}

/// Why a function did not poll, or an invocation has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The function reported that it cannot start.
    #[error("the function cannot start: {0}")]
    Initialisation(FunctionError),
    /// The function reported that the invocation failed.
    #[error("the invocation failed: {0}")]
    Invocation(FunctionError),
    /// The process ended.
    #[error("the function ended with {status}; its log:\n{log}")]
    Exited {
        /// How it ended.
        status: String,
        /// What it wrote to standard output and standard error.
        log: String,
    },
    /// Nothing came.
    #[error("nothing within {0:?}")]
    TimedOut(Duration),
}
