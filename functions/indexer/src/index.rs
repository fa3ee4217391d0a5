//! What others ask of the vectors.

use std::time::Duration;

use shared::{
    clients::Patience,
    config,
    http::App,
    ids::{MemoId, Uid},
};
use tokio::sync::OnceCell;
use vectors::{EmbeddingCache, Store, StoreOptions, VectorKind, VectorTable};

use crate::{
    Error, Result,
    embedder::{self, Front},
};

/// How long a search in the vector store may take.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(8);

/// After how long a request to the store is given up. A search waits for it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(6);

/// How old what is known of a cache may be: a row that is not seen yet costs one call of the model.
const CACHE_CONSISTENCY: Duration = Duration::from_secs(5);

/// The most vectors of one user that are ranked (`contract/lancedb-tables.md` section 6).
const MAX_RANKED: usize = 1_000_000;

/// What a process keeps open. Nothing is opened before it is needed, and what failed to open is tried again.
#[derive(Default)]
pub(crate) struct State {
    vectors: OnceCell<Store>,
    table: OnceCell<VectorTable>,
    caches: OnceCell<Store>,
    cache: OnceCell<EmbeddingCache>,
    pub front: Front,
}

impl State {
    pub(crate) async fn cache(&self, app: &App) -> Result<&EmbeddingCache> {
        let open = async || {
            let store = open(&self.caches, app, CACHE_CONSISTENCY).await?;
            embedder::open_cache(store, app.embeddings()).await
        };
        self.cache.get_or_try_init(open).await
    }
}

async fn open<'a>(store: &'a OnceCell<Store>, app: &App, consistency: Duration) -> Result<&'a Store> {
    let settings = app.config.vector_store.as_ref().ok_or(Error::NoStore)?;
    store.get_or_try_init(async || Ok(Store::at(&options(settings, consistency))?)).await
}

/// Returns how the store is opened by what somebody waits for.
fn options(settings: &config::VectorStore, consistency: Duration) -> StoreOptions {
    StoreOptions {
        uri: settings.uri.clone(),
        endpoint: settings.endpoint.clone(),
        region: settings.region.clone(),
        read_consistency: settings.read_consistency.unwrap_or(consistency),
        give_up_after: Some(GIVE_UP_AFTER),
    }
}

/// A memo and how close it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The memo. It may be gone from SQL.
    pub memo: MemoId,
    /// `clamp(1 - distance / 2, 0, 1)` of the squared distance: the cosine similarity of unit vectors.
    pub score: f64,
}

/// The vectors of memos. Cheap to make; what is open belongs to the process.
#[derive(Clone, Copy)]
pub struct Index<'a> {
    pub(crate) app: &'a App,
}

impl<'a> Index<'a> {
    /// Returns the vectors of a process.
    #[must_use]
    pub fn of(app: &'a App) -> Self {
        Self { app }
    }

    /// Embeds a text through the caches. The vector has length 1.
    ///
    /// # Errors
    /// The text is blank, or the model brings nothing.
    pub async fn embed(&self, text: &str, patience: Patience) -> Result<Vec<f32>> {
        let state = self.app.extension::<State>();
        let mut outcomes = embedder::embed_each(self.app, &state, &[text], patience).await;
        match outcomes.pop() {
            Some(Ok(vector)) => Ok(vector.to_vec()),
            Some(Err(missing)) => Err(Error::NotEmbedded(missing.failure)),
            None => unreachable!("one text has one outcome"),
        }
    }

    /// Returns all memos of a user that have a vector of the configured model, nearest first, then by id.
    ///
    /// # Errors
    /// The vector store fails or takes too long, or its vectors have another length than the configured one.
    pub async fn nearest(&self, uid: &Uid, vector: &[f32]) -> Result<Vec<Scored>> {
        let model_hash = self.app.embeddings().model_hash();
        in_time(async {
            let Some(table) = self.table().await? else { return Ok(Vec::new()) };
            let mut hits = table.nearest(uid.as_str(), model_hash, vector, MAX_RANKED).await?;
            hits.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| a.id.cmp(&b.id)));
            Ok(hits
                .into_iter()
                .map(|hit| Scored { memo: MemoId::from(hit.id), score: score(hit.distance) })
                .collect())
        })
        .await
    }

    /// Returns the vector of a user's memo, if it has one of the configured model.
    ///
    /// # Errors
    /// As [`Index::nearest`].
    pub async fn vector(&self, uid: &Uid, memo: &MemoId) -> Result<Option<Vec<f32>>> {
        let model_hash = self.app.embeddings().model_hash();
        in_time(async {
            let Some(table) = self.table().await? else { return Ok(None) };
            let rows = table.find(&[memo.as_str()]).await?;
            let row = rows.into_iter().find(|row| {
                row.uid == uid.as_str() && row.model_hash.as_deref().is_none_or(|hash| hash == model_hash)
            });
            Ok(row.map(|row| row.vector))
        })
        .await
    }

    /// Returns the store of vectors.
    ///
    /// # Errors
    /// None is configured, or its place is not understood.
    pub async fn store(&self) -> Result<Store> {
        let state = self.app.extension::<State>();
        open(&state.vectors, self.app, Duration::ZERO).await.cloned()
    }

    /// Returns the store for work that nobody waits for: a request is tried for minutes before it fails.
    ///
    /// # Errors
    /// As [`Index::store`].
    pub fn patient_store(&self) -> Result<Store> {
        let settings = self.app.config.vector_store.as_ref().ok_or(Error::NoStore)?;
        Ok(Store::at(&StoreOptions { give_up_after: None, ..options(settings, Duration::ZERO) })?)
    }

    /// Returns the table of vectors, if it exists.
    ///
    /// # Errors
    /// Its vectors have another length than the configured one, or the vector store fails.
    pub async fn table(&self) -> Result<Option<VectorTable>> {
        let state = self.app.extension::<State>();
        if let Some(table) = state.table.get() {
            return Ok(Some(table.clone()));
        }
        let Some(table) = VectorTable::open(&self.store().await?, VectorKind::Memo).await? else {
            return Ok(None);
        };
        let (found, expected) = (table.dimension(), self.app.embeddings().dimensions());
        if found != expected {
            let table = table.name().to_owned();
            return Err(vectors::Error::Dimension { table, found, expected }.into());
        }
        // Another request may have opened it meanwhile.
        let _ = state.table.set(table.clone());
        Ok(Some(table))
    }

    /// Returns the table of vectors, which need not exist.
    pub(crate) async fn table_or_create(&self) -> Result<VectorTable> {
        if let Some(table) = self.table().await? {
            return Ok(table);
        }
        let dimensions = self.app.embeddings().dimensions();
        Ok(VectorTable::open_or_create(&self.store().await?, VectorKind::Memo, dimensions).await?)
    }
}

async fn in_time<T>(search: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(SEARCH_TIMEOUT, search).await.unwrap_or(Err(Error::StoreTimedOut))
}

fn score(distance: f32) -> f64 {
    (1.0 - f64::from(distance) / 2.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_that_of_the_contract() {
        let scores = [-1e-7, 0.0, 0.5, 1.0, 2.0, 4.0, f32::INFINITY].map(score);
        let expected = [1.0, 1.0, 0.75, 0.5, 0.0, 0.0, 0.0];
        assert!(
            scores.iter().zip(expected).all(|(found, wanted)| (found - wanted).abs() < f64::EPSILON),
            "{scores:?}"
        );
    }
}
