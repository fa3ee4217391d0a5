//! `users`: the own user (`contract/auth-user.md`, routes 3 to 6).

use axum::extract::{Request, State};
use serde::Serialize;
use shared::{
    Result,
    dto::{
        Fields,
        users::{PasswordChange, UserInfo, UserUpdate},
    },
    http::{Access, App, CurrentUser, Reply, Routes, upload},
    services::{avatars, users},
};

/// The route table.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/user/info", Access::User, info)
        .put("/api/v1/user/info", Access::User, update)
        .post("/api/v1/user/password", Access::User, change_password)
        .post("/api/v1/user/avatar", Access::User, upload_avatar)
}

async fn info(State(app): State<App>, CurrentUser(user): CurrentUser) -> Result<Reply<UserInfo>> {
    Ok(Reply(users::info(&app.context, &user.uid).await?))
}

#[derive(Serialize)]
struct Updated {
    message: &'static str,
    user: UserInfo,
}

async fn update(State(app): State<App>, CurrentUser(user): CurrentUser, body: Fields) -> Result<Reply<Updated>> {
    let user = users::update(&app.context, &user.uid, UserUpdate::try_from(&body)?).await?;
    Ok(Reply(Updated { message: "User info updated successfully", user }))
}

#[derive(Serialize)]
struct PasswordChanged {
    message: &'static str,
}

async fn change_password(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Fields,
) -> Result<Reply<PasswordChanged>> {
    users::change_password(&app.context, &user.uid, PasswordChange::try_from(&body)?).await?;
    Ok(Reply(PasswordChanged { message: "密码修改成功" }))
}

#[derive(Serialize)]
struct AvatarUploaded {
    message: &'static str,
    avatar: String,
}

async fn upload_avatar(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    request: Request,
) -> Result<Reply<AvatarUploaded>> {
    let form =
        upload::receive(&app, request, "avatar", |media_type, _| avatars::require_image(media_type)).await?;
    let avatar = avatars::upload(&app.context, &user.uid, form.into_file()?).await?;
    Ok(Reply(AvatarUploaded { message: "Avatar uploaded successfully", avatar }))
}
