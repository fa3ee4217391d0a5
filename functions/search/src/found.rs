//! Memos that are found by a text or by another memo, with how close they are.

use std::collections::HashMap;

use indexer::Scored;
use shared::{
    Context, Result,
    dto::{
        Page, PageRequest,
        memos::MemoFilter,
        search::{FoundMemo, QuickSearch, VectorSearch},
    },
    error::{Code, with_causes},
    http::App,
    ids::{MemoId, Uid},
    repositories,
    services::memos::{self, Relations},
};

use crate::ranking::Ranking;

/// The lowest score of what quick search and questions find.
pub const RELEVANT: f64 = 0.5;

/// Returns a page of the memos that pass the filters, the closest to a text first. There is no lowest score: the
/// client cuts where it likes.
///
/// # Errors
/// The text cannot be embedded, the vector store or the database fails.
pub async fn by_text(app: &App, uid: &Uid, search: &VectorSearch) -> Result<Page<FoundMemo>> {
    let ranking = Ranking::by_text(app, uid, &search.query, &search.filter).await?;
    let items = load(&app.context, uid, ranking.page(search.page), Relations::Shown).await?;
    Ok(Page::new(items, ranking.total(), search.page))
}

/// Returns a page of the other memos of a user, the closest to a memo first.
///
/// # Errors
/// Code 3 when the user has no such memo; the vector store or the database fails.
pub async fn related(app: &App, uid: &Uid, memo: &MemoId, page: PageRequest) -> Result<Page<FoundMemo>> {
    if repositories::memos::exists(&app.context.db, uid, std::slice::from_ref(memo)).await?.is_empty() {
        return Err(Code::NotFound.into());
    }
    let ranking = Ranking::by_memo(app, uid, memo).await?;
    let items = load(&app.context, uid, ranking.page(page), Relations::Hidden).await?;
    Ok(Page::new(items, ranking.total(), page))
}

/// Returns the memos that are close to a text, the closest first; none when anything fails
/// (`contract/explore.md` section 2).
pub async fn quickly(app: &App, uid: &Uid, search: &QuickSearch) -> Vec<FoundMemo> {
    let found = async {
        let ranking = Ranking::by_text(app, uid, &search.query, &MemoFilter::default()).await?;
        load(&app.context, uid, ranking.best(search.limit, RELEVANT), Relations::Shown).await
    };
    found.await.unwrap_or_else(|error| {
        tracing::error!(error = with_causes(&error), "quick_search.failed");
        Vec::new()
    })
}

/// Reads ranked memos, without those that are gone by now.
async fn load(ctx: &Context, uid: &Uid, ranked: &[Scored], relations: Relations) -> Result<Vec<FoundMemo>> {
    let scores: HashMap<&MemoId, f64> = ranked.iter().map(|scored| (&scored.memo, scored.score)).collect();
    let ids: Vec<MemoId> = ranked.iter().map(|scored| scored.memo.clone()).collect();
    let memos = memos::find_by_ids(ctx, uid, &ids, relations).await?;
    let found = memos.into_iter().map(|memo| {
        let relevance_score = scores.get(&memo.memo_id).copied().unwrap_or_default();
        FoundMemo { memo, relevance_score }
    });
    Ok(found.collect())
}
