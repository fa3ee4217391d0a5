//! `users`: the own user (`contract/auth-user.md`, routes 3 to 6).

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use shared::{
    Result,
    dto::{
        attachments::AvatarForm,
        users::{PasswordChange, UserInfo, UserUpdate},
    },
    http::{
        Access, App, Body, CurrentUser, Reply, RouteTable,
        upload::{self, Form},
    },
    services::{avatars, users},
};

/// The route table.
#[must_use]
pub fn routes<R: RouteTable>() -> R {
    R::default()
        .get("/api/v1/user/info", Access::User, info, "Get the own user")
        .put("/api/v1/user/info", Access::User, update, "Change the own name or picture")
        .post("/api/v1/user/password", Access::User, change_password, "Change the own password")
        .post("/api/v1/user/avatar", Access::User, upload_avatar, "Upload a picture of oneself")
}

async fn info(State(app): State<App>, CurrentUser(user): CurrentUser) -> Result<Reply<UserInfo>> {
    Ok(Reply(users::info(&app.context, &user.uid).await?))
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct Updated {
    message: &'static str,
    user: UserInfo,
}

async fn update(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Body<UserUpdate>,
) -> Result<Reply<Updated>> {
    let user = users::update(&app.context, &user.uid, body.read()?).await?;
    Ok(Reply(Updated { message: "User info updated successfully", user }))
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct PasswordChanged {
    message: &'static str,
}

async fn change_password(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Body<PasswordChange>,
) -> Result<Reply<PasswordChanged>> {
    users::change_password(&app.context, &user.uid, body.read()?).await?;
    Ok(Reply(PasswordChanged { message: "密码修改成功" }))
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct AvatarUploaded {
    message: &'static str,
    avatar: String,
}

async fn upload_avatar(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    form: Form<AvatarForm>,
) -> Result<Reply<AvatarUploaded>> {
    let form = upload::receive(&app, form, "avatar", |media_type, _| avatars::require_image(media_type)).await?;
    let avatar = avatars::upload(&app.context, &user.uid, form.into_file()?).await?;
    Ok(Reply(AvatarUploaded { message: "Avatar uploaded successfully", avatar }))
}
