//! `auth`: registration and sign-in (`contract/auth-user.md`, routes 1 and 2).

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    Result,
    dto::{
        Fields,
        users::{Credentials, Registration, User},
    },
    http::{Access, App, Reply, Routes},
    services::{tokens, users},
};

/// The route table.
#[must_use]
pub fn routes() -> Routes {
    Routes::new().post("/api/v1/auth/register", Access::Public, register).post(
        "/api/v1/auth/login",
        Access::Public,
        log_in,
    )
}

#[derive(Serialize)]
struct Registered {
    user: User,
}

async fn register(State(app): State<App>, body: Fields) -> Result<Reply<Registered>> {
    let user = users::register(&app.context, Registration::try_from(&body)?).await?;
    Ok(Reply(Registered { user }))
}

#[derive(Serialize)]
struct SignedIn {
    token: String,
    user: User,
}

async fn log_in(State(app): State<App>, body: Fields) -> Result<Response> {
    let user = users::sign_in(&app.context, Credentials::try_from(&body)?).await?;
    let now = app.context.now();
    let token = app.tokens.issue(&user.uid, now)?;
    let cookie = tokens::cookie(&token, now, app.config.cookie_secure);
    let mut response = Reply(SignedIn { token, user }).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
