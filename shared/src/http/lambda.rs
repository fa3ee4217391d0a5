//! Runs a route table as a Lambda function.

pub use lambda_http::Error;

use super::{App, Routes, logging};
use crate::config::{Config, Runtime, Variables};

/// Serves the routes until the environment is shut down. This is the whole `main` of a function.
///
/// # Errors
/// The configuration is wrong; the message lists everything that is. Or the Runtime API fails.
pub fn serve(routes: Routes) -> Result<(), Error> {
    let variables = Variables::from_environment([]);
    logging::init(&variables);
    // One request at a time: more threads would only cost memory and start-up time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    let app = Config::read(Runtime::Lambda, variables).map_err(|problems| problems.to_string());
    let app = app.and_then(App::new).inspect_err(|problem| tracing::error!(problem, "configuration.refused"))?;
    runtime.block_on(lambda_http::run(routes.into_router(&app)))
}
