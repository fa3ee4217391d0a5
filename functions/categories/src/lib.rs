//! `categories`: categories of memos (`contract/categories-tags.md`).

use axum::extract::State;
use serde::Serialize;
use shared::{
    Result,
    dto::{
        Fields,
        categories::{Category, CategoryUpdate, NewCategory},
    },
    http::{Access, App, CurrentUser, PathId, Reply, Routes},
    ids::CategoryId,
    services::categories,
};

/// The route table.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/categories", Access::User, list)
        .post("/api/v1/categories", Access::User, create)
        .get("/api/v1/categories/{categoryId}", Access::User, get)
        .put("/api/v1/categories/{categoryId}", Access::User, update)
        .delete("/api/v1/categories/{categoryId}", Access::User, delete)
}

#[derive(Serialize)]
struct CategoryList {
    message: &'static str,
    categories: Vec<Category>,
}

#[derive(Serialize)]
struct OneCategory {
    message: &'static str,
    category: Category,
}

#[derive(Serialize)]
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
    body: Fields,
) -> Result<Reply<OneCategory>> {
    let category = categories::create(&app.context, &user.uid, NewCategory::try_from(&body)?).await?;
    Ok(Reply(OneCategory { message: "Category created successfully", category }))
}

async fn update(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<CategoryId>,
    body: Fields,
) -> Result<Reply<OneCategory>> {
    let category = categories::update(&app.context, &user.uid, &id, CategoryUpdate::try_from(&body)?).await?;
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
