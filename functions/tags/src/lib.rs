//! `tags`: tags of memos (`contract/categories-tags.md`).

use axum::extract::State;
use serde::Serialize;
use shared::{
    Result,
    dto::{
        Fields,
        tags::{NewTag, Tag, TagUpdate},
    },
    http::{Access, App, CurrentUser, PathId, Reply, Routes},
    ids::TagId,
    services::tags,
};

/// The route table.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/tags", Access::User, list)
        .post("/api/v1/tags", Access::User, create)
        .get("/api/v1/tags/{tagId}", Access::User, get)
        .put("/api/v1/tags/{tagId}", Access::User, update)
        .delete("/api/v1/tags/{tagId}", Access::User, delete)
}

#[derive(Serialize)]
struct TagList {
    message: &'static str,
    tags: Vec<Tag>,
}

#[derive(Serialize)]
struct OneTag {
    message: &'static str,
    tag: Tag,
}

#[derive(Serialize)]
struct Deleted {
    message: &'static str,
}

async fn list(State(app): State<App>, CurrentUser(user): CurrentUser) -> Result<Reply<TagList>> {
    let tags = tags::list(&app.context, &user.uid).await?;
    Ok(Reply(TagList { message: "Tags fetched successfully", tags }))
}

async fn get(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<TagId>,
) -> Result<Reply<OneTag>> {
    let tag = tags::get(&app.context, &user.uid, &id).await?;
    Ok(Reply(OneTag { message: "Tag fetched successfully", tag }))
}

async fn create(State(app): State<App>, CurrentUser(user): CurrentUser, body: Fields) -> Result<Reply<OneTag>> {
    let tag = tags::create(&app.context, &user.uid, NewTag::try_from(&body)?).await?;
    Ok(Reply(OneTag { message: "Tag created successfully", tag }))
}

async fn update(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<TagId>,
    body: Fields,
) -> Result<Reply<OneTag>> {
    let tag = tags::update(&app.context, &user.uid, &id, TagUpdate::try_from(&body)?).await?;
    Ok(Reply(OneTag { message: "Tag updated successfully", tag }))
}

async fn delete(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<TagId>,
) -> Result<Reply<Deleted>> {
    tags::delete(&app.context, &user.uid, &id).await?;
    Ok(Reply(Deleted { message: "Tag deleted successfully" }))
}
