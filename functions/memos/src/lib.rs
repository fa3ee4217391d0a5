//! `memos`: memos, their relations, and public sharing (`contract/memos.md`).

use axum::extract::State;
use serde::Serialize;
use shared::{
    Error, Result,
    dto::{
        Fields, Page,
        memos::{CategoryFilter, Memo, MemoFilter, MemoUpdate, NewMemo, TagChoice},
    },
    http::{Access, App, CurrentUser, PathId, Query, Reply, Routes},
    ids::{MemoId, Uid},
    repositories,
    services::memos::{self, PublicMemo},
};

/// The route table.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/memos", Access::User, list)
        .post("/api/v1/memos", Access::User, create)
        .get("/api/v1/memos/{memoId}", Access::User, get)
        .put("/api/v1/memos/{memoId}", Access::User, update)
        .delete("/api/v1/memos/{memoId}", Access::User, delete)
        .put("/api/v1/memos/{memoId}/tags", Access::User, update_tags)
        .get("/api/v1/memos/{memoId}/backlinks", Access::User, backlinks)
        .get("/api/v1/memos/public/{uid}", Access::Public, list_public)
        .get("/api/v1/memos/public/{uid}/random", Access::Public, random_public)
        .get("/api/v1/memos/public/memo/{memoId}", Access::Public, get_public)
        .post("/api/v1/memos/ba/create", Access::Service, import)
}

#[derive(Serialize)]
struct OneMemo {
    message: &'static str,
    memo: Memo,
}

#[derive(Serialize)]
struct Deleted {
    message: &'static str,
}

async fn list(State(app): State<App>, CurrentUser(user): CurrentUser, query: Query) -> Result<Reply<Page<Memo>>> {
    let filter = MemoFilter {
        search: query.text("search").map(str::to_owned),
        category: CategoryFilter::read(query.text("categoryId")),
        tags: query.texts("tags"),
        created_from: query.time("startDate"),
        created_to: query.time("endDate"),
        public_only: false,
    };
    Ok(Reply(memos::list(&app.context, &user.uid, filter, query.sort(), query.page(10)?).await?))
}

async fn get(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<MemoId>,
) -> Result<Reply<Memo>> {
    Ok(Reply(memos::get(&app.context, &user.uid, &id).await?))
}

async fn create(State(app): State<App>, CurrentUser(user): CurrentUser, body: Fields) -> Result<Reply<OneMemo>> {
    let memo = memos::create(&app.context, &user.uid, NewMemo::try_from(&body)?).await?;
    Ok(Reply(OneMemo { message: "Memo created successfully", memo }))
}

async fn update(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<MemoId>,
    body: Fields,
) -> Result<Reply<OneMemo>> {
    let memo = memos::update(&app.context, &user.uid, &id, MemoUpdate::try_from(&body)?).await?;
    Ok(Reply(OneMemo { message: "Memo updated successfully", memo }))
}

async fn update_tags(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<MemoId>,
    body: Fields,
) -> Result<Reply<OneMemo>> {
    let memo = memos::update_tags(&app.context, &user.uid, &id, TagChoice::of_tags_route(&body)?).await?;
    Ok(Reply(OneMemo { message: "Tags updated successfully", memo }))
}

async fn delete(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<MemoId>,
) -> Result<Reply<Deleted>> {
    memos::delete(&app.context, &user.uid, &id).await?;
    Ok(Reply(Deleted { message: "Memo deleted successfully" }))
}

async fn backlinks(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<MemoId>,
    query: Query,
) -> Result<Reply<Page<Memo>>> {
    Ok(Reply(memos::backlinks(&app.context, &user.uid, &id, query.page(20)?).await?))
}

async fn list_public(
    State(app): State<App>,
    PathId(owner): PathId<Uid>,
    query: Query,
) -> Result<Reply<Page<Memo>>> {
    Ok(Reply(memos::list_public(&app.context, &owner, query.sort(), query.page(20)?).await?))
}

async fn random_public(State(app): State<App>, PathId(owner): PathId<Uid>) -> Result<Reply<Memo>> {
    Ok(Reply(memos::random_public(&app.context, &owner).await?))
}

async fn get_public(State(app): State<App>, PathId(id): PathId<MemoId>) -> Result<Reply<PublicMemo>> {
    Ok(Reply(memos::get_public(&app.context, &id).await?))
}

async fn import(State(app): State<App>, query: Query, body: Fields) -> Result<Reply<OneMemo>> {
    let uid = query.text("uid").filter(|uid| !uid.is_empty());
    let uid = Uid::from(uid.ok_or(Error::params("User ID (uid) is required"))?);
    let user = repositories::users::find_by_id(&app.context.db, &uid).await?;
    user.ok_or(Error::not_found("User not found"))?;
    let new = NewMemo::try_from(&body)?;
    let category = body.short_text("category")?;
    if category.as_deref().is_some_and(|name| name.trim().is_empty()) {
        return Err(Error::params("Category cannot be empty"));
    }
    let memo = memos::import(&app.context, &uid, new, category.as_deref()).await?;
    Ok(Reply(OneMemo { message: "Memo created successfully via BA authentication", memo }))
}
