//! Embeddings through the caches: the vectors this process has seen last, then the cache in LanceDB, then the
//! model (`contract/lancedb-tables.md` section 5).
//!
//! A cache that is broken, slow or gone costs a call of the model and a warning, never an answer.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lru::LruCache;
use sha2::{Digest, Sha256};
use shared::{
    clients::{EmbeddingModel, Failure, Patience},
    config::EmbeddingProvider,
    http::App,
    metrics::{self, Metric},
};
use tokio::time::Instant;
use vectors::{CacheKey, CacheKind, EmbeddingCache, Store, unit};

use crate::{Error, Result, index::State};

/// How long a look-up in the cache, and an append to it, may take.
const CACHE_TIMEOUT: Duration = Duration::from_secs(3);

/// What the vectors kept in memory may hold.
const FRONT_BYTES: usize = 8 << 20;

/// Vectors that this process has seen, by content hash. They are all of one model: the configured one.
pub(crate) struct Front(Mutex<LruCache<String, Arc<[f32]>>>);

impl Default for Front {
    fn default() -> Self {
        Self(Mutex::new(LruCache::unbounded()))
    }
}

impl Front {
    fn get(&self, hash: &str) -> Option<Arc<[f32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    fn put(&self, hash: &str, vector: &Arc<[f32]>) {
        let mut front = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = FRONT_BYTES / (size_of_val::<[f32]>(vector) + hash.len());
        front.resize(NonZeroUsize::new(entries).unwrap_or(NonZeroUsize::MIN));
        front.put(hash.to_owned(), Arc::clone(vector));
    }
}

/// Why a text has no vector.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    /// What the model said.
    pub failure: Arc<Failure>,
    /// Whether the text itself was refused; otherwise the model could not be asked, for this text or another.
    pub refused: bool,
}

/// A text that must be looked up.
struct Wanted<'a> {
    text: &'a str,
    hash: String,
    found: Option<Result<Arc<[f32]>, Missing>>,
}

/// Embeds texts: one look-up, as few calls of the model as it takes, and one append.
pub(crate) async fn embed_each(
    app: &App,
    state: &State,
    texts: &[&str],
    patience: Patience,
) -> Vec<Result<Arc<[f32]>, Missing>> {
    // Equal texts are embedded once.
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut wanted: Vec<Wanted<'_>> = Vec::new();
    for text in texts {
        places.entry(text).or_insert_with(|| {
            let hash = hex::encode(Sha256::digest(text));
            let found = state.front.get(&hash).map(Ok);
            wanted.push(Wanted { text, hash, found });
            wanted.len() - 1
        });
    }
    let model = app.embeddings();
    // The local model is faster than any cache.
    let cache = app.config.models.embedding != EmbeddingProvider::Local;
    if cache {
        look_up(app, state, model, &mut wanted).await;
    }
    let missing: Vec<usize> = (0..wanted.len()).filter(|place| wanted[*place].found.is_none()).collect();
    let embedded =
        ask(model, &missing.iter().map(|place| wanted[*place].text).collect::<Vec<_>>(), patience).await;
    for (place, outcome) in missing.iter().zip(embedded) {
        wanted[*place].found = Some(outcome);
    }
    if cache {
        let new: Vec<_> = missing.iter().filter_map(|place| wanted[*place].vector()).collect();
        store(app, state, model, &new).await;
    }
    for (hash, vector) in wanted.iter().filter_map(Wanted::vector) {
        state.front.put(hash, vector);
    }
    let outcomes = texts.iter().map(|text| wanted[places[text]].found.clone());
    outcomes.map(|outcome| outcome.expect("every text was looked up or asked for")).collect()
}

impl Wanted<'_> {
    fn vector(&self) -> Option<(&str, &Arc<[f32]>)> {
        match &self.found {
            Some(Ok(vector)) => Some((&self.hash, vector)),
            _ => None,
        }
    }
}

async fn look_up(app: &App, state: &State, model: &dyn EmbeddingModel, wanted: &mut [Wanted<'_>]) {
    let hashes: Vec<&str> =
        wanted.iter().filter(|wanted| wanted.found.is_none()).map(|wanted| wanted.hash.as_str()).collect();
    if hashes.is_empty() {
        return;
    }
    let find = async {
        let cache = state.cache(app).await?;
        Ok::<_, Error>(cache.find(key(model), &hashes).await?)
    };
    match tokio::time::timeout(CACHE_TIMEOUT, find).await.unwrap_or(Err(Error::StoreTimedOut)) {
        Ok(mut found) => {
            tracing::debug!(hits = found.len(), texts = hashes.len(), "embedding_cache.read");
            metrics::add(Metric::CacheHits, found.len() as u64);
            metrics::add(Metric::CacheMisses, hashes.len().saturating_sub(found.len()) as u64);
            for wanted in wanted {
                if let Some(vector) = found.remove(&wanted.hash) {
                    wanted.found = Some(Ok(unit(vector).into()));
                }
            }
        }
        Err(error) => tracing::warn!(%error, "embedding_cache.read_failed"),
    }
}

async fn store(app: &App, state: &State, model: &dyn EmbeddingModel, new: &[(&str, &Arc<[f32]>)]) {
    if new.is_empty() {
        return;
    }
    let rows: Vec<(&str, &[f32])> = new.iter().map(|(hash, vector)| (*hash, &***vector)).collect();
    let append = async {
        let cache = state.cache(app).await?;
        Ok::<_, Error>(cache.append(key(model), &rows, app.context.now()).await?)
    };
    if let Err(error) = tokio::time::timeout(CACHE_TIMEOUT, append).await.unwrap_or(Err(Error::StoreTimedOut)) {
        tracing::warn!(%error, "embedding_cache.write_failed");
    }
}

fn key(model: &dyn EmbeddingModel) -> CacheKey<'_> {
    CacheKey { model_hash: model.model_hash(), modality_type: None }
}

/// Opens the cache of texts.
pub(crate) async fn open_cache(store: &Store, model: &dyn EmbeddingModel) -> Result<EmbeddingCache> {
    Ok(EmbeddingCache::open_or_create(store, CacheKind::Text, model.dimensions()).await?)
}

/// Asks the model. A text that it refuses does not hold up the others: the texts are halved until it is found
/// (`contract/memos.md` section 6). Once the model cannot be asked at all, it is left alone.
async fn ask(model: &dyn EmbeddingModel, texts: &[&str], patience: Patience) -> Vec<Result<Arc<[f32]>, Missing>> {
    let deadline = Instant::now() + patience.total;
    let mut outcomes = vec![None; texts.len()];
    let mut open: Vec<Range<usize>> = Vec::from_iter((!texts.is_empty()).then_some(0..texts.len()));
    while let Some(range) = open.pop() {
        let left = deadline.saturating_duration_since(Instant::now());
        match model.embed(&texts[range.clone()], patience.within(left)).await {
            Ok(vectors) => {
                for (outcome, vector) in outcomes[range].iter_mut().zip(vectors) {
                    *outcome = Some(Ok(unit(vector).into()));
                }
            }
            Err(failure) if failure.is_refusal() && range.len() > 1 => {
                let middle = range.start + range.len() / 2;
                open.extend([middle..range.end, range.start..middle]);
            }
            Err(failure) if failure.is_refusal() => {
                outcomes[range.start] = Some(Err(Missing { failure: Arc::new(failure), refused: true }));
            }
            Err(failure) => {
                let missing = Missing { failure: Arc::new(failure), refused: false };
                return outcomes
                    .into_iter()
                    .map(|outcome| outcome.unwrap_or_else(|| Err(missing.clone())))
                    .collect();
            }
        }
    }
    outcomes.into_iter().map(|outcome| outcome.expect("every range was asked for")).collect()
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::BoxFuture};

    use super::*;

    /// Refuses texts that hold `bad`, and is gone when one holds `gone`.
    struct Picky;

    impl EmbeddingModel for Picky {
        fn model_hash(&self) -> &'static str {
            "picky"
        }

        fn dimensions(&self) -> usize {
            2
        }

        fn embed<'a>(
            &'a self,
            texts: &'a [&'a str],
            _: Patience,
        ) -> BoxFuture<'a, shared::clients::Result<Vec<Vec<f32>>>> {
            let any = |word| texts.iter().any(|text| text.contains(word));
            let outcome = if any("gone") {
                Err(Failure::TimedOut)
            } else if any("bad") {
                Err(Failure::Refused { status: 400 })
            } else {
                Ok(texts.iter().map(|_| vec![3.0, 4.0]).collect())
            };
            std::future::ready(outcome).boxed()
        }
    }

    async fn outcomes(texts: &[&str]) -> Vec<Option<bool>> {
        let patience = Patience { total: Duration::from_secs(1), retries: 0 };
        let outcomes = ask(&Picky, texts, patience).await;
        outcomes.into_iter().map(|outcome| outcome.err().map(|missing| missing.refused)).collect()
    }

    #[tokio::test]
    async fn a_text_that_is_refused_does_not_hold_up_the_others() {
        assert_eq!(outcomes(&[]).await, []);
        assert_eq!(outcomes(&["bad"]).await, [Some(true)]);
        let texts = ["a", "bad", "c", "d", "bad", "f", "g"];
        let expected = texts.map(|text| (text == "bad").then_some(true));
        assert_eq!(outcomes(&texts).await, expected);
    }

    #[tokio::test]
    async fn a_model_that_is_gone_is_left_alone() {
        assert_eq!(outcomes(&["a", "gone", "c"]).await, [Some(false); 3]);
    }
}
