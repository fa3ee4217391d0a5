//! `auth`: registration and sign-in (`contract/auth-user.md`, routes 1 and 2).

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use shared::{
    Result,
    dto::users::{Credentials, Registration, User},
    http::{Access, Answer, App, Body, Operation, Reply, RouteTable},
    services::{tokens, users},
};

/// The route table.
#[must_use]
pub fn routes<R: RouteTable>() -> R {
    R::default().post("/api/v1/auth/register", Access::Public, register, "Register").post(
        "/api/v1/auth/login",
        Access::Public,
        log_in,
        "Sign in: get a token, and the cookie that holds it",
    )
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct Registered {
    user: User,
}

async fn register(State(app): State<App>, body: Body<Registration>) -> Result<Reply<Registered>> {
    let user = users::register(&app.context, body.read()?).await?;
    Ok(Reply(Registered { user }))
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct SignedIn {
    token: String,
    user: User,
}

/// The token, also as a cookie.
struct WithCookie {
    payload: SignedIn,
    cookie: String,
}

impl IntoResponse for WithCookie {
    fn into_response(self) -> Response {
        ([(header::SET_COOKIE, self.cookie)], Reply(self.payload)).into_response()
    }
}

impl Answer for WithCookie {
    fn describe(operation: &mut Operation<'_>) {
        operation.payload::<SignedIn>(200);
        operation.answer_header(
            200,
            "Set-Cookie",
            "The token as a cookie, for 90 days; only when somebody signed in.",
        );
    }
}

async fn log_in(State(app): State<App>, body: Body<Credentials>) -> Result<WithCookie> {
    let user = users::sign_in(&app.context, body.read()?).await?;
    let now = app.context.now();
    let token = app.tokens.issue(&user.uid, now)?;
    let cookie = tokens::cookie(&token, now, app.config.cookie_secure);
    Ok(WithCookie { payload: SignedIn { token, user }, cookie })
}
