//! `local`: every function in one process, behind one port.
//!
//! The development server, the target of the tests, and the product for a single machine.

use axum::Router;
use shared::http::{App, Routes};

pub mod timers;
mod web;

/// The route tables of all functions, by name.
#[must_use]
pub fn functions() -> Vec<(&'static str, Routes)> {
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
    functions().into_iter().fold(Routes::new(), |all, (_, routes)| all.merge(routes))
}

/// Makes the router of the whole product: the functions, and the web client if there is one.
pub fn router(app: &App) -> Router {
    let router = routes().into_router(app);
    match &app.config.web_dir {
        Some(directory) => web::beside(router, directory),
        None => router,
    }
}
