//! `search`: what is found by meaning (`contract/memos.md` routes 2 and 8, `contract/explore.md`).
//!
//! | module | owns |
//! |---|---|
//! | `ranking` | the memos of a user by their distance from a text or a memo |
//! | `found` | search by a text, quick search, and the memos related to a memo |
//! | `explore` | the answer to a question, from one's own notes |
//! | `graph` | the memos around a memo |
//!
//! Vectors only rank. Whatever is shown was read from SQL, with the owner's `uid`, after the ranking: a vector
//! that outlived its memo shows nothing.

mod explore;
#[cfg(test)]
mod fixtures;
mod found;
mod graph;
mod ranking;

use axum::extract::State;
use schemars::JsonSchema;
use shared::{
    Error, Result,
    dto::{
        Page,
        explore::{Answer, Question, Relationships},
        search::{FoundMemo, QuickSearch, QuickSearchResult, VectorSearch},
    },
    http::{Access, App, Body, CurrentUser, Paging, Params, PathId, Query, Reply, RouteTable},
    ids::MemoId,
};

/// The route table.
#[must_use]
pub fn routes<R: RouteTable>() -> R {
    R::default()
        .post("/api/v1/memos/search/vector", Access::User, vector_search, "Search the memos by meaning")
        .get("/api/v1/memos/{memoId}/related", Access::User, related, "List the memos that are close to a memo")
        .post("/api/v1/explore", Access::User, explore, "Ask a question about one's own notes")
        .post("/api/v1/explore/quick-search", Access::User, quick_search, "Find the few closest memos")
        .get("/api/v1/explore/relations/{memoId}", Access::User, relations, "Draw what is around a memo")
}

async fn vector_search(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Body<VectorSearch>,
) -> Result<Reply<Page<FoundMemo>>> {
    Ok(Reply(found::by_text(&app, &user.uid, &body.read()?).await?))
}

async fn related(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<MemoId>,
    params: Params<Paging<10>>,
) -> Result<Reply<Page<FoundMemo>>> {
    let Paging(page) = params.read()?;
    Ok(Reply(found::related(&app, &user.uid, &id, page).await?))
}

async fn explore(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Body<Question>,
) -> Result<Reply<Answer>> {
    Ok(Reply(explore::answer(&app, &user.uid, &body.read()?).await?))
}

async fn quick_search(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Body<QuickSearch>,
) -> Result<Reply<QuickSearchResult>> {
    let items = found::quickly(&app, &user.uid, &body.read()?).await;
    Ok(Reply(QuickSearchResult { total: items.len(), items }))
}

/// The query of [`relations`].
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Around {
    /// Whether the memos that name the one in the centre are shown; `true` unless given.
    include_backlinks: Option<bool>,
    /// The memo in the centre, in place of the one in the path.
    memo_id: Option<MemoId>,
}

impl TryFrom<&Query> for Around {
    type Error = Error;

    fn try_from(query: &Query) -> Result<Self> {
        let memo_id = query.text("memoId").filter(|id| !id.is_empty());
        Ok(Self { include_backlinks: query.boolean("includeBacklinks")?, memo_id: memo_id.map(MemoId::from) })
    }
}

async fn relations(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<MemoId>,
    params: Params<Around>,
) -> Result<Reply<Relationships>> {
    let Around { include_backlinks, memo_id } = params.read()?;
    // Contract: old clients name the memo in the query, and anything in the path (DESIGN section 7 no. 4).
    let id = memo_id.unwrap_or(id);
    Ok(Reply(graph::around(&app, &user.uid, &id, include_backlinks.unwrap_or(true)).await?))
}
