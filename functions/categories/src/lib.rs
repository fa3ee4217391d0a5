//! `categories`: categories of memos (`contract/categories-tags.md`).

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use shared::{
    Result,
    dto::categories::{Category, CategoryUpdate, NewCategory},
    http::{Access, App, Body, CurrentUser, PathId, Reply, RouteTable},
    ids::CategoryId,
    services::categories,
};

/// The route table.
#[must_use]
pub fn routes<R: RouteTable>() -> R {
    R::default()
        .get("/api/v1/categories", Access::User, list, "List the categories")
        .post("/api/v1/categories", Access::User, create, "Create a category")
        .get("/api/v1/categories/{categoryId}", Access::User, get, "Get a category")
        .put("/api/v1/categories/{categoryId}", Access::User, update, "Rename or recolour a category")
        .delete("/api/v1/categories/{categoryId}", Access::User, delete, "Delete a category, not its memos")
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct CategoryList {
    message: &'static str,
    categories: Vec<Category>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct OneCategory {
    message: &'static str,
    category: Category,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct Deleted {
    message: &'static str,
}

async fn list(State(app): State<App>, CurrentUser(user): CurrentUser) -> Result<Reply<CategoryList>> {
    let categories = categories::list(&app.context, &user.uid).await?;
    Ok(Reply(CategoryList { message: "Categories fetched successfully", categories }))
}

async fn get(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<CategoryId>,
) -> Result<Reply<OneCategory>> {
    let category = categories::get(&app.context, &user.uid, &id).await?;
    Ok(Reply(OneCategory { message: "Category fetched successfully", category }))
}

async fn create(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Body<NewCategory>,
) -> Result<Reply<OneCategory>> {
    let category = categories::create(&app.context, &user.uid, body.read()?).await?;
    Ok(Reply(OneCategory { message: "Category created successfully", category }))
}

async fn update(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<CategoryId>,
    body: Body<CategoryUpdate>,
) -> Result<Reply<OneCategory>> {
    let category = categories::update(&app.context, &user.uid, &id, body.read()?).await?;
    Ok(Reply(OneCategory { message: "Category updated successfully", category }))
}

async fn delete(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<CategoryId>,
) -> Result<Reply<Deleted>> {
    categories::delete(&app.context, &user.uid, &id).await?;
    Ok(Reply(Deleted { message: "Category deleted successfully" }))
}
