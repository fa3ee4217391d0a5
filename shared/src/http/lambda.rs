//! Runs a route table as a Lambda function.

use std::sync::Arc;

use axum::Router;
pub use lambda_http::Error;
use lambda_http::{Request, service_fn, tower::ServiceExt};
use tokio::sync::Mutex;

use super::{App, Routes, envelope::json, logging};
use crate::config::{Config, Runtime, Variables};

type Response = axum::response::Response;

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
    if variables.name_secrets() {
        let product = Arc::new(Product { variables, routes, open: Mutex::default() });
        return runtime.block_on(lambda_http::run(service_fn(move |request| serve_one(product.clone(), request))));
    }
    let app = open(variables)?;
    runtime.block_on(lambda_http::run(routes.into_router(&app)))
}

fn open(variables: Variables) -> Result<App, String> {
    let config = Config::read(Runtime::Lambda, variables).map_err(|problems| problems.to_string());
    config.and_then(App::new).inspect_err(|problem| tracing::error!(problem, "configuration.refused"))
}

/// A function some of whose settings lie in secrets: it is opened by its first request, and again after the
/// database has refused a password, which may have been rotated.
struct Product {
    variables: Variables,
    routes: Routes,
    open: Mutex<Option<(App, Router)>>,
}

impl Product {
    /// Returns the state and the router of the function, opened if they are not.
    async fn opened(&self) -> Result<(App, Router), String> {
        let mut opened = self.open.lock().await;
        if let Some((app, _)) = &*opened
            && app.context.db.was_refused()
        {
            *opened = None;
        }
        if let Some(open) = &*opened {
            return Ok(open.clone());
        }
        let mut variables = self.variables.clone();
        variables.add_secrets().await;
        let app = open(variables)?;
        let router = self.routes.clone().into_router(&app);
        Ok(opened.insert((app, router)).clone())
    }
}

async fn serve_one(product: Arc<Product>, request: Request) -> Result<Response, Error> {
    match product.opened().await {
        Ok((_, router)) => Ok(router.oneshot(request).await?),
        // What is wrong is in the log.
        Err(_) => Ok(json(503, &serde_json::json!({"status": "error", "message": "Service is not configured"}))),
    }
}
