//! The route table of a function.

use axum::{
    Router,
    extract::{Request, State},
    http::Method,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};

use super::{App, Endpoint, auth, conventions};
use crate::Error;

/// Who may use a route (`contract/http-conventions.md` section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A signed-in user.
    User,
    /// Everybody.
    Public,
    /// A machine with the service token ("BA").
    Service,
}

/// A route: what a request must look like to reach a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        fn $name<H: Endpoint<T>, T: 'static>(
            self,
            path: &'static str,
            access: Access,
            handler: H,
            summary: &'static str,
        ) -> Self {
            self.add(Route { method: Method::$method, path, access }, MethodFilter::$method, handler, summary)
        }
    )*};
}

/// What a function fills with its routes: [`Routes`] serves them, [`Description`](super::Description) describes them.
///
/// A function is generic over its table, so that what serves holds nothing of the description.
pub trait RouteTable: Default {
    /// Adds a route. `summary` says what it does, in the imperative and without a full stop.
    #[must_use]
    fn add<H: Endpoint<T>, T: 'static>(
        self,
        route: Route,
        filter: MethodFilter,
        handler: H,
        summary: &'static str,
    ) -> Self;

    methods! {
        /// Adds a route that answers `GET` and `HEAD`.
        get GET;
        /// Adds a route that answers `POST`.
        post POST;
        /// Adds a route that answers `PUT`.
        put PUT;
        /// Adds a route that answers `PATCH`.
        patch PATCH;
        /// Adds a route that answers `DELETE`.
        delete DELETE;
    }
}

/// The route table of a function, and with [`Routes::merge`] of several.
#[derive(Clone, Default)]
pub struct Routes(Vec<(Route, MethodRouter<App>)>);

impl RouteTable for Routes {
    fn add<H: Endpoint<T>, T: 'static>(
        mut self,
        route: Route,
        filter: MethodFilter,
        handler: H,
        _: &'static str,
    ) -> Self {
        self.0.push((route, on(filter, handler)));
        self
    }
}

impl Routes {
    /// Adds all routes of another table.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Returns what the table holds.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter().map(|(route, _)| route)
    }

    /// Makes the router: each route behind the check of its access, with and without a slash at its
    /// end, and everything else behind the answers for unknown paths.
    pub fn into_router(self, app: &App) -> Router {
        let mut router = Router::new();
        for (route, handler) in self.0 {
            let handler = match route.access {
                Access::User => handler.layer(from_fn_with_state(app.clone(), auth::require_user)),
                Access::Service => handler.layer(from_fn_with_state(app.clone(), auth::require_service)),
                Access::Public => handler,
            };
            // A wildcard takes the slash too.
            if !route.path.contains("{*") {
                router = router.route(&format!("{}/", route.path), handler.clone());
            }
            router = router.route(route.path, handler);
        }
        router
            .fallback(unknown_route)
            .method_not_allowed_fallback(unknown_route)
            .layer(from_fn_with_state(app.clone(), conventions::cors))
            .layer(from_fn(conventions::secure))
            .layer(from_fn_with_state(app.clone(), conventions::observe))
            .with_state(app.clone())
    }
}

/// Answers what no route answers: below `/api` a token is needed to learn that a path is unknown.
async fn unknown_route(State(app): State<App>, request: Request) -> Response {
    let path = request.uri().path();
    if path != "/api" && !path.starts_with("/api/") {
        return axum::http::StatusCode::NOT_FOUND.into_response();
    }
    match auth::authenticate(&app, request.headers()).await {
        Ok(_) => Error::NoRoute.into_response(),
        Err(error) => error.into_response(),
    }
}
