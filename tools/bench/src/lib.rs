//! A stand-in for Lambda: starts a function's binary on this machine and invokes it.
//!
//! [`runtime_api`] is what the benchmarks measure cold starts with. It knows nothing of them, so that
//! tests can drive the binaries with it too:
//!
//! ```no_run
//! # use std::path::Path;
//! # use bench::runtime_api::{Function, HttpReply, HttpRequest};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let environment = [("JWT_SECRET", "x".repeat(32)), ("DATABASE_URL", "sqlite:///tmp/aimo.db".to_owned())];
//! let mut function = Function::start("system", Path::new("target/debug/system"), environment).await?;
//! let since_start = function.first_poll().await?;
//! let reply = function.invoke(&HttpRequest::get("/api/v1/health").into_event()).await?;
//! assert_eq!(HttpReply::from_payload(&reply)?.status, 200);
//! # Ok(())
//! # }
//! ```

pub mod runtime_api;
