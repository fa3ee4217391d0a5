//! The memos of a user in the order of their distance from a vector.

use std::{collections::HashSet, time::Duration};

use indexer::{Index, Scored};
use shared::{
    Error, Result,
    clients::Patience,
    dto::{PageRequest, memos::MemoFilter},
    http::App,
    ids::{MemoId, Uid},
    repositories,
};
use tokio::time::timeout;

/// How long a ranking may take, from the pending vectors to the last distance. A question needs the rest of its
/// time for the models.
pub const LIMIT: Duration = Duration::from_secs(10);

/// How much embedding a text may cost.
const PATIENCE: Patience = Patience { total: Duration::from_secs(8), retries: 2 };

/// All memos of a user that have a vector and pass a filter, the nearest first, then by id.
#[derive(Debug)]
pub struct Ranking(Vec<Scored>);

impl Ranking {
    /// Ranks by the distance from a text, after what the user has just written got its vectors.
    ///
    /// # Errors
    /// The text cannot be embedded, the vector store or the database fails, or the time is over.
    pub async fn by_text(app: &App, uid: &Uid, text: &str, filter: &MemoFilter) -> Result<Self> {
        in_time(async {
            let index = Index::of(app);
            let ((), vector) = tokio::join!(index.catch_up(uid), index.embed(text, PATIENCE));
            Self::by_vector(app, uid, &vector.map_err(unforeseen)?, filter).await
        })
        .await
    }

    /// Ranks the others by the distance from a memo, as [`by_text`](Self::by_text). A memo without a vector is
    /// near to none.
    ///
    /// # Errors
    /// The vector store or the database fails, or the time is over.
    pub async fn by_memo(app: &App, uid: &Uid, memo: &MemoId) -> Result<Self> {
        in_time(async {
            let index = Index::of(app);
            index.catch_up(uid).await;
            let Some(vector) = index.vector(uid, memo).await.map_err(unforeseen)? else {
                return Ok(Self(Vec::new()));
            };
            let Self(mut ranked) = Self::by_vector(app, uid, &vector, &MemoFilter::default()).await?;
            ranked.retain(|scored| scored.memo != *memo);
            Ok(Self(ranked))
        })
        .await
    }

    async fn by_vector(app: &App, uid: &Uid, vector: &[f32], filter: &MemoFilter) -> Result<Self> {
        let index = Index::of(app);
        let nearest = async { index.nearest(uid, vector).await.map_err(unforeseen) };
        let passing = async { Ok(repositories::memos::find_ids(&app.context.db, uid, filter).await?) };
        let (mut ranked, passing) = tokio::try_join!(nearest, passing)?;
        let passing: HashSet<MemoId> = passing.into_iter().collect();
        ranked.retain(|scored| passing.contains(&scored.memo));
        Ok(Self(ranked))
    }

    /// Returns how many memos there are.
    pub fn total(&self) -> u64 {
        self.0.len() as u64
    }

    /// Returns a part of the memos.
    pub fn page(&self, page: PageRequest) -> &[Scored] {
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).min(self.0.len());
        &self.0[place(page.offset())..place(page.offset() + page.limit)]
    }

    /// Returns the nearest memos that score at least so much.
    pub fn best(&self, limit: usize, score: f64) -> &[Scored] {
        let good = self.0.iter().take(limit).take_while(|scored| scored.score >= score).count();
        &self.0[..good]
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(LIMIT, work).await.unwrap_or_else(|late| Err(Error::Unforeseen(Box::new(late))))
}

fn unforeseen(error: indexer::Error) -> Error {
    Error::Unforeseen(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranking(scores: &[f64]) -> Ranking {
        let hit = |(number, score): (usize, &f64)| Scored { memo: format!("m{number}").into(), score: *score };
        Ranking(scores.iter().enumerate().map(hit).collect())
    }

    #[test]
    fn pages_end_with_the_ranking() {
        let ranking = ranking(&[0.9, 0.8, 0.7, 0.6, 0.5]);
        let page = |page, limit| ranking.page(PageRequest { page, limit }).len();
        assert_eq!([page(1, 2), page(2, 2), page(3, 2), page(4, 2)], [2, 2, 1, 0]);
        assert_eq!((page(1, 1000), page(9_000_000_000_000_000, 1000)), (5, 0));
        assert_eq!(ranking.page(PageRequest { page: 3, limit: 2 })[0].memo.as_str(), "m4");
    }

    #[test]
    fn the_best_are_few_and_good() {
        let ranking = ranking(&[1.0, 0.5, 0.499_999, 0.4]);
        let best = |limit| ranking.best(limit, 0.5).len();
        assert_eq!([best(1), best(2), best(10)], [1, 2, 2]);
        assert!(ranking.best(10, 1.1).is_empty());
    }
}
