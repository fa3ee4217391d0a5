//! `memos`: memos, their relations, and public sharing (`contract/memos.md`).

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use shared::{
    Error, Result,
    dto::{
        Page,
        memos::{CategoryFilter, ImportedMemo, Memo, MemoFilter, MemoUpdate, NewMemo, NewTags, Sort},
    },
    http::{Access, App, Body, CurrentUser, Owner, Paging, Params, PathId, Query, Reply, RouteTable},
    ids::{MemoId, Uid},
    repositories,
    services::memos::{self, PublicMemo},
};

/// The route table.
#[must_use]
pub fn routes<R: RouteTable>() -> R {
    R::default()
        .get("/api/v1/memos", Access::User, list, "List the memos")
        .post("/api/v1/memos", Access::User, create, "Create a memo")
        .get("/api/v1/memos/{memoId}", Access::User, get, "Get a memo")
        .put("/api/v1/memos/{memoId}", Access::User, update, "Change a memo")
        .delete("/api/v1/memos/{memoId}", Access::User, delete, "Delete a memo")
        .put("/api/v1/memos/{memoId}/tags", Access::User, update_tags, "Replace the tags of a memo")
        .get("/api/v1/memos/{memoId}/backlinks", Access::User, backlinks, "List the memos that relate to a memo")
        .get("/api/v1/memos/public/{uid}", Access::Public, list_public, "List the public memos of a user")
        .get("/api/v1/memos/public/{uid}/random", Access::Public, random_public, "Get a random public memo")
        .get("/api/v1/memos/public/memo/{memoId}", Access::Public, get_public, "Get a public memo and its author")
        .post("/api/v1/memos/ba/create", Access::Service, import, "Create a memo for a user, as a machine")
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct OneMemo {
    message: &'static str,
    memo: Memo,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct Deleted {
    message: &'static str,
}

/// The query of a list of memos.
#[derive(JsonSchema)]
struct ListQuery {
    #[schemars(flatten)]
    filter: MemoFilter,
    #[schemars(flatten)]
    sort: Sort,
    #[schemars(flatten)]
    paging: Paging<10>,
}

impl TryFrom<&Query> for ListQuery {
    type Error = Error;

    fn try_from(query: &Query) -> Result<Self> {
        let filter = MemoFilter {
            search: query.text("search").map(str::to_owned),
            category: CategoryFilter::read(query.text("categoryId")),
            tags: query.texts("tags"),
            created_from: query.time("startDate"),
            created_to: query.time("endDate"),
            public_only: false,
        };
        Ok(Self { filter, sort: query.try_into()?, paging: query.try_into()? })
    }
}

/// The query of a list of public memos.
#[derive(JsonSchema)]
struct PublicListQuery {
    #[schemars(flatten)]
    sort: Sort,
    #[schemars(flatten)]
    paging: Paging<20>,
}

impl TryFrom<&Query> for PublicListQuery {
    type Error = Error;

    fn try_from(query: &Query) -> Result<Self> {
        Ok(Self { sort: query.try_into()?, paging: query.try_into()? })
    }
}

async fn list(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    params: Params<ListQuery>,
) -> Result<Reply<Page<Memo>>> {
    let ListQuery { filter, sort, paging: Paging(page) } = params.read()?;
    Ok(Reply(memos::list(&app.context, &user.uid, filter, sort, page).await?))
}

async fn get(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<MemoId>,
) -> Result<Reply<Memo>> {
    Ok(Reply(memos::get(&app.context, &user.uid, &id).await?))
}

async fn create(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Body<NewMemo>,
) -> Result<Reply<OneMemo>> {
    let memo = memos::create(&app.context, &user.uid, body.read()?).await?;
    Ok(Reply(OneMemo { message: "Memo created successfully", memo }))
}

async fn update(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<MemoId>,
    body: Body<MemoUpdate>,
) -> Result<Reply<OneMemo>> {
    let memo = memos::update(&app.context, &user.uid, &id, body.read()?).await?;
    Ok(Reply(OneMemo { message: "Memo updated successfully", memo }))
}

async fn update_tags(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<MemoId>,
    body: Body<NewTags>,
) -> Result<Reply<OneMemo>> {
    let NewTags { tags } = body.read()?;
    let memo = memos::update_tags(&app.context, &user.uid, &id, tags).await?;
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
    params: Params<Paging<20>>,
) -> Result<Reply<Page<Memo>>> {
    let Paging(page) = params.read()?;
    Ok(Reply(memos::backlinks(&app.context, &user.uid, &id, page).await?))
}

async fn list_public(
    State(app): State<App>,
    PathId(owner): PathId<Uid>,
    params: Params<PublicListQuery>,
) -> Result<Reply<Page<Memo>>> {
    let PublicListQuery { sort, paging: Paging(page) } = params.read()?;
    Ok(Reply(memos::list_public(&app.context, &owner, sort, page).await?))
}

async fn random_public(State(app): State<App>, PathId(owner): PathId<Uid>) -> Result<Reply<Memo>> {
    Ok(Reply(memos::random_public(&app.context, &owner).await?))
}

async fn get_public(State(app): State<App>, PathId(id): PathId<MemoId>) -> Result<Reply<PublicMemo>> {
    Ok(Reply(memos::get_public(&app.context, &id).await?))
}

async fn import(State(app): State<App>, owner: Params<Owner>, body: Body<ImportedMemo>) -> Result<Reply<OneMemo>> {
    let Owner { uid } = owner.read()?;
    let user = repositories::users::find_by_id(&app.context.db, &uid).await?;
    user.ok_or(Error::not_found("User not found"))?;
    let ImportedMemo { memo, category } = body.read()?;
    let memo = memos::import(&app.context, &uid, memo, category.as_deref()).await?;
    Ok(Reply(OneMemo { message: "Memo created successfully via BA authentication", memo }))
}
