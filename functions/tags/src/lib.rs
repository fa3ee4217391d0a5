//! `tags`: tags of memos (`contract/categories-tags.md`).

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use shared::{
    Result,
    dto::tags::{NewTag, Tag, TagUpdate},
    http::{Access, App, Body, CurrentUser, PathId, Reply, RouteTable},
    ids::TagId,
    services::tags,
};

/// The route table.
#[must_use]
pub fn routes<R: RouteTable>() -> R {
    R::default()
        .get("/api/v1/tags", Access::User, list, "List the tags")
        .post("/api/v1/tags", Access::User, create, "Create a tag, or find the one of that name")
        .get("/api/v1/tags/{tagId}", Access::User, get, "Get a tag")
        .put("/api/v1/tags/{tagId}", Access::User, update, "Rename or recolour a tag")
        .delete("/api/v1/tags/{tagId}", Access::User, delete, "Delete a tag and take it off its memos")
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct TagList {
    message: &'static str,
    tags: Vec<Tag>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct OneTag {
    message: &'static str,
    tag: Tag,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
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

async fn create(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Body<NewTag>,
) -> Result<Reply<OneTag>> {
    let tag = tags::create(&app.context, &user.uid, body.read()?).await?;
    Ok(Reply(OneTag { message: "Tag created successfully", tag }))
}

async fn update(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<TagId>,
    body: Body<TagUpdate>,
) -> Result<Reply<OneTag>> {
    let tag = tags::update(&app.context, &user.uid, &id, body.read()?).await?;
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
