//! Who is asking: login tokens of users, and the service token of machines.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq;

use super::App;
use crate::{Error, Result, dto::users::User, repositories, services::tokens::COOKIE};

/// The user of a request, on routes of [`Access::User`](super::Access::User).
#[derive(Debug, Clone)]
pub struct CurrentUser(pub User);

impl<S: Sync> FromRequestParts<S> for CurrentUser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        // Only missing when a handler asks for a user on a route that is open to everybody.
        parts.extensions.get::<Self>().cloned().ok_or(Error::from(crate::error::Code::Unauthorized))
    }
}

/// Lets a request through that names an existing user (`contract/http-conventions.md` section 4).
pub(super) async fn require_user(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match authenticate(&app, request.headers()).await {
        Ok(user) => {
            request.extensions_mut().insert(CurrentUser(user));
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Finds the user whom the token of a request names.
pub(super) async fn authenticate(app: &App, headers: &HeaderMap) -> Result<User> {
    let token = token_of(headers).ok_or(Error::Unauthenticated("Authentication required"))?;
    let uid = app.tokens.verify(&token, app.context.now()).ok_or(Error::Unauthenticated("Invalid token"))?;
    let user = match uid {
        Some(uid) => repositories::users::find_by_id(&app.context.db, &uid).await,
        None => Ok(None),
    };
    user.map_err(Error::AuthenticationFailed)?.ok_or(Error::Unauthenticated("User not found"))
}

/// Returns the token: a cookie that is not empty wins, even if it is wrong.
fn token_of(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookie = cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE && !value.is_empty());
    if let Some((_, token)) = cookie {
        return Some(token.trim_matches('"').to_owned());
    }
    let authorization = headers.get(header::AUTHORIZATION).filter(|value| !value.is_empty())?;
    let authorization = authorization.to_str().unwrap_or_default();
    Some(authorization.strip_prefix("Bearer ").unwrap_or(authorization).to_owned())
}

/// Lets a request through that carries the service token (`contract/http-conventions.md` section 6).
pub(super) async fn require_service(State(app): State<App>, request: Request, next: Next) -> Response {
    match check_service_token(&app, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check_service_token(app: &App, headers: &HeaderMap) -> Result<()> {
    let expected = app.config.ba_token.as_ref();
    let expected = expected.ok_or(Error::Unauthenticated("BA authentication is not configured"))?;
    let header = headers.get(header::AUTHORIZATION);
    let header = header.ok_or(Error::Unauthenticated("Authorization header is required"))?;
    let mut parts = header.to_str().unwrap_or_default().split(' ');
    let (Some("Bearer"), Some(token), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Error::Unauthenticated("Invalid authorization format. Expected: Bearer <token>"));
    };
    if bool::from(token.as_bytes().ct_eq(expected.expose().as_bytes())) {
        Ok(())
    } else {
        Err(Error::Unauthenticated("Invalid BA token"))
    }
}
