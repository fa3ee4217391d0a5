//! `local`: every function in one process, behind one port.
//!
//! The development server, the target of the tests, and the product for a single machine.

use axum::Router;
use serde_json::Value;
use shared::http::{App, Document, RouteTable, Routes};

pub mod timers;
mod web;

/// The route tables of all functions, by name.
#[must_use]
pub fn functions<R: RouteTable>() -> Vec<(&'static str, R)> {
    vec![
        ("auth", auth::routes()),
        ("users", users::routes()),
        ("categories", categories::routes()),
        ("tags", tags::routes()),
        ("memos", memos::routes()),
        ("attachments", attachments::routes()),
        ("conversations", conversations::routes()),
        ("push-rules", push_rules::routes()),
        ("insights", insights::routes()),
        ("ai", ai::routes()),
        ("media", media::routes()),
        ("search", search::routes()),
        ("system", system::routes()),
    ]
}

/// The route table of the whole product.
#[must_use]
pub fn routes() -> Routes {
    functions().into_iter().fold(Routes::default(), |all, (_, routes)| all.merge(routes))
}

/// The description of the whole product in OpenAPI 3.1, without examples.
#[must_use]
pub fn description() -> Value {
    let mut document = Document::new();
    for (function, description) in functions() {
        document.add(function, description);
    }
    document.into_value(env!("CARGO_PKG_VERSION"))
}

/// Makes the router of the whole product: the functions, and the web client if there is one.
pub fn router(app: &App) -> Router {
    let router = routes().into_router(app);
    match &app.config.web_dir {
        Some(directory) => web::beside(router, directory),
        None => router,
    }
}
