//! The HTTP conventions that every function shares (`contract/http-conventions.md`).
//!
//! A function is a table of [`Routes`]; [`Routes::into_router`] adds what all have in common:
//! authentication per matched route, unknown paths, headers, the request log. The same router runs in
//! Lambda ([`lambda::serve`]), in the local server and in tests.

mod app;
mod auth;
mod body;
mod conventions;
mod description;
pub mod download;
mod endpoint;
mod envelope;
pub mod lambda;
pub mod logging;
mod multipart;
mod path;
mod query;
mod routes;
pub mod upload;

pub use app::App;
pub use auth::CurrentUser;
pub use body::{Body, LargeBody, MAX_BODY_BYTES, MAX_LARGE_BODY_BYTES};
pub use description::{Description, Document, Operation};
pub use endpoint::{Answer, Endpoint, Input};
pub use envelope::{Reply, json};
pub use path::PathId;
pub use query::{Owner, Paging, Params, Query};
pub use routes::{Access, Route, RouteTable, Routes};
