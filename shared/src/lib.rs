//! What the AIMO functions share: wire types, the data layer, the rules of each noun, and the HTTP
//! conventions.
//!
//! A request passes through these modules in this order, and each knows only those after it:
//!
//! | module | owns |
//! |---|---|
//! | [`http`] | routes, authentication, envelope, body and query parsing |
//! | [`services`] | the rules of a noun, and its transactions |
//! | [`repositories`] | SQL, and nothing else |
//! | [`db`] | connections, transactions, dialects, the schema |
//!
//! [`dto`] holds the wire types that all of them speak. [`clients`] reaches what lies outside: language models,
//! speech, pictures, storage of files. [`config`], [`clock`] and [`ids`] bring the
//! outside world in as arguments, so that a test can replace it. [`invocation`] and [`metrics`] say what was done,
//! for those who operate the product.

pub mod clients;
pub mod clock;
pub mod config;
pub mod context;
pub mod db;
pub mod dto;
pub mod error;
pub mod http;
pub mod ids;
pub mod invocation;
pub mod job;
pub mod metrics;
pub mod repositories;
pub mod services;

pub use context::Context;
pub use error::{Error, Result};
