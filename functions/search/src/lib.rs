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
use shared::{
    Result,
    dto::{
        Fields, Page,
        explore::{Answer, Question, Relationships},
        search::{FoundMemo, QuickSearch, QuickSearchResult, VectorSearch},
    },
    http::{Access, App, CurrentUser, PathId, Query, Reply, Routes},
    ids::MemoId,
};

/// The route table.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .post("/api/v1/memos/search/vector", Access::User, vector_search)
        .get("/api/v1/memos/{memoId}/related", Access::User, related)
        .post("/api/v1/explore", Access::User, explore)
        .post("/api/v1/explore/quick-search", Access::User, quick_search)
        .get("/api/v1/explore/relations/{memoId}", Access::User, relations)
}

async fn vector_search(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Fields,
) -> Result<Reply<Page<FoundMemo>>> {
    Ok(Reply(found::by_text(&app, &user.uid, &VectorSearch::try_from(&body)?).await?))
}

async fn related(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<MemoId>,
    query: Query,
) -> Result<Reply<Page<FoundMemo>>> {
    Ok(Reply(found::related(&app, &user.uid, &id, query.page(10)?).await?))
}

async fn explore(State(app): State<App>, CurrentUser(user): CurrentUser, body: Fields) -> Result<Reply<Answer>> {
    Ok(Reply(explore::answer(&app, &user.uid, &Question::try_from(&body)?).await?))
}

async fn quick_search(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Fields,
) -> Result<Reply<QuickSearchResult>> {
    let items = found::quickly(&app, &user.uid, &QuickSearch::try_from(&body)?).await;
    Ok(Reply(QuickSearchResult { total: items.len(), items }))
}

async fn relations(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<MemoId>,
    query: Query,
) -> Result<Reply<Relationships>> {
    let backlinks = query.boolean("includeBacklinks")?.unwrap_or(true);
    // Contract: old clients name the memo in the query, and anything in the path (DESIGN section 7 no. 4).
    let id = query.text("memoId").filter(|id| !id.is_empty()).map_or(id, MemoId::from);
    Ok(Reply(graph::around(&app, &user.uid, &id, backlinks).await?))
}
