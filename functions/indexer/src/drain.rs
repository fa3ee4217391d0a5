//! From notes to vectors.
//!
//! A batch of notes is claimed, the texts are read, embedded and stored, and the notes are deleted: each step with
//! one statement or commit for all. Nothing is held while the model is asked. A process that is killed anywhere
//! leaves its notes, which are due again when its claim ends; applying one twice does no harm.
//!
//! A memo may be changed while an older text of it is being stored, and both may be stored in the wrong order. So
//! whoever finds, after storing, that a note is not as it was, notes the memo again: the last to store is always
//! followed by one who reads the memo afresh.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use serde::Serialize;
use shared::{
    clients::Patience,
    clock::Millis,
    ids::{MemoId, Uid},
    repositories::{
        memos,
        vector_outbox::{self, Entry, Op, Scope},
    },
};
use tokio::time::Instant;
use vectors::VectorRow;

use crate::{Index, Result, embedder, index::State};

/// How many notes are worked on together. Their texts are in memory at once, of which one has at most a megabyte.
const BATCH: u64 = 128;

/// How long a claim lasts: longer than a batch may take.
const LEASE: Millis = 120_000;

/// How long the model may take for a batch.
const PATIENCE: Patience = Patience { total: Duration::from_secs(20), retries: 2 };

/// The pauses after a failure: at first, and at most. A text that is refused may wait longer than one that the
/// provider could not be asked for.
const FIRST_PAUSE: Millis = 30_000;
const LONGEST_PAUSE: Millis = 10 * 60_000;
const LONGEST_PAUSE_OF_REFUSED: Millis = 24 * 60 * 60_000;

/// What waits longest for a search (DESIGN section 6).
const SEARCH_ENTRIES: u64 = 256;
const SEARCH_BUDGET: Duration = Duration::from_secs(5);

/// What became of the notes that were taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drained {
    /// Vectors that were stored.
    pub stored: usize,
    /// Memos that are gone, or blank, and have no vector now.
    pub removed: usize,
    /// Notes that were replaced by newer ones meanwhile, and are done again.
    pub superseded: usize,
    /// Texts that the model refused. They are tried again later and later.
    pub refused: usize,
    /// Notes that wait because the model or the store could not be asked.
    pub postponed: usize,
}

impl Drained {
    fn add(&mut self, other: &Self) {
        self.stored += other.stored;
        self.removed += other.removed;
        self.superseded += other.superseded;
        self.refused += other.refused;
        self.postponed += other.postponed;
    }
}

impl Index<'_> {
    /// Applies what is due, of all users, until nothing is left, time is up, or the model or the store cannot be
    /// asked. Several may do so at once: they share the work.
    ///
    /// # Errors
    /// The database fails.
    pub async fn drain(&self, budget: Duration) -> Result<Drained> {
        self.drain_some(Scope::Due, u64::MAX, budget, PATIENCE).await
    }

    /// Applies what a user has written just now, as far as that goes in a few seconds. Whatever goes wrong is
    /// logged: a search answers with what is there.
    pub async fn catch_up(&self, uid: &Uid) {
        let patience = Patience { retries: 1, ..PATIENCE }.within(SEARCH_BUDGET);
        let drain = self.drain_some(Scope::Of(uid), SEARCH_ENTRIES, SEARCH_BUDGET, patience);
        match tokio::time::timeout(SEARCH_BUDGET, drain).await {
            Ok(Ok(drained)) if drained == Drained::default() => {}
            Ok(Ok(drained)) => tracing::info!(?drained, "search.caught_up"),
            Ok(Err(error)) => tracing::warn!(%error, "search.catch_up_failed"),
            Err(_) => tracing::warn!("search.catch_up_timed_out"),
        }
    }

    async fn drain_some(
        &self,
        scope: Scope<'_>,
        mut limit: u64,
        budget: Duration,
        patience: Patience,
    ) -> Result<Drained> {
        let deadline = Instant::now() + budget;
        let mut all = Drained::default();
        while limit > 0 && Instant::now() < deadline {
            let entries = self.claim(scope, limit.min(BATCH)).await?;
            if entries.is_empty() {
                break;
            }
            limit = limit.saturating_sub(entries.len() as u64);
            let left = deadline.saturating_duration_since(Instant::now());
            let drained = self.apply(&entries, patience.within(left)).await?;
            all.add(&drained);
            if drained.postponed > 0 {
                break;
            }
        }
        Ok(all)
    }

    async fn claim(&self, scope: Scope<'_>, limit: u64) -> Result<Vec<Entry>> {
        let ctx = &self.app.context;
        let now = ctx.now();
        let claim = |tx| async move { vector_outbox::claim(&tx, scope, now, now + LEASE, limit).await };
        Ok(ctx.db.transaction(claim).await?)
    }

    /// Applies a batch of notes.
    async fn apply(&self, entries: &[Entry], patience: Patience) -> Result<Drained> {
        let ctx = &self.app.context;
        let read_at = ctx.now();
        let memos: Vec<(Uid, MemoId)> =
            entries.iter().map(|entry| (entry.uid.clone(), entry.entity_id.clone())).collect();
        let contents = memos::find_contents(&ctx.db, &memos).await?;
        let contents: HashMap<(&MemoId, &Uid), &str> = contents
            .iter()
            .filter(|(.., content)| !content.trim().is_empty())
            .map(|(memo, uid, content)| ((memo, uid), content.as_str()))
            .collect();
        let (present, gone): (Vec<&Entry>, Vec<&Entry>) =
            entries.iter().partition(|entry| contents.contains_key(&(&entry.entity_id, &entry.uid)));

        let texts: Vec<&str> = present.iter().map(|entry| contents[&(&entry.entity_id, &entry.uid)]).collect();
        let state = self.app.extension::<State>();
        let outcomes = embedder::embed_each(self.app, &state, &texts, patience).await;
        let mut outcome = Outcome::default();
        let mut rows = Vec::new();
        for (entry, embedded) in present.into_iter().zip(outcomes) {
            match embedded {
                Ok(vector) => {
                    rows.push(self.row(entry, vector.to_vec(), read_at));
                    outcome.stored.push(entry);
                }
                Err(missing) if missing.refused => outcome.refused.push((entry, missing.failure.to_string())),
                Err(missing) => outcome.postponed.push((entry, missing.failure.to_string())),
            }
        }
        outcome.removed = gone;
        if let Err(error) = self.store_vectors(&rows, &outcome.removed).await {
            tracing::warn!(%error, "indexer.store_failed");
            let stored = outcome.stored.drain(..).chain(outcome.removed.drain(..));
            outcome.postponed.extend(stored.map(|entry| (entry, error.to_string())));
        }
        self.settle(&outcome).await
    }

    fn row(self, entry: &Entry, vector: Vec<f32>, updated_at: Millis) -> VectorRow {
        VectorRow {
            id: entry.entity_id.as_str().to_owned(),
            uid: entry.uid.as_str().to_owned(),
            vector,
            model_hash: Some(self.app.embeddings().model_hash().to_owned()),
            updated_at,
        }
    }

    async fn store_vectors(&self, rows: &[VectorRow], gone: &[&Entry]) -> Result<()> {
        if !rows.is_empty() {
            self.table_or_create().await?.upsert(rows).await?;
        }
        if !gone.is_empty()
            && let Some(table) = self.table().await?
        {
            table.delete(&gone.iter().map(|entry| entry.entity_id.as_str()).collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// Writes down what became of a batch.
    async fn settle(&self, outcome: &Outcome<'_>) -> Result<Drained> {
        let ctx = &self.app.context;
        let now = ctx.now();
        let applied: Vec<Entry> = outcome.stored.iter().chain(&outcome.removed).copied().cloned().collect();
        let mut failures: HashMap<&str, Vec<(&Entry, Millis)>> = HashMap::new();
        for (failed, longest) in
            [(&outcome.refused, LONGEST_PAUSE_OF_REFUSED), (&outcome.postponed, LONGEST_PAUSE)]
        {
            for (entry, error) in failed {
                let next_attempt_at = now + self.pause(entry.attempts, longest);
                failures.entry(error).or_default().push((entry, next_attempt_at));
            }
        }
        for (error, entries) in &failures {
            tracing::warn!(entries = entries.len(), error, "indexer.entries_failed");
        }
        let (applied, failures) = (&applied, &failures);
        let settle = |tx| async move {
            let superseded = vector_outbox::delete_unchanged(&tx, applied).await?;
            for entry in &superseded {
                vector_outbox::upsert_memo(&tx, &entry.uid, &entry.entity_id, Op::Upsert, now).await?;
            }
            for (error, entries) in failures {
                vector_outbox::postpone(&tx, entries, error).await?;
            }
            Ok::<_, shared::db::Error>(superseded)
        };
        let superseded = ctx.db.transaction(settle).await?;
        let superseded: HashSet<&MemoId> = superseded.iter().map(|entry| &entry.entity_id).collect();
        let last =
            |entries: &[&Entry]| entries.iter().filter(|entry| !superseded.contains(&entry.entity_id)).count();
        Ok(Drained {
            stored: last(&outcome.stored),
            removed: last(&outcome.removed),
            superseded: superseded.len(),
            refused: outcome.refused.len(),
            postponed: outcome.postponed.len(),
        })
    }

    /// Returns how long to wait after so many attempts: twice as long each time, half of it by chance.
    fn pause(self, attempts: i32, longest: Millis) -> Millis {
        let doublings = u32::try_from(attempts.clamp(1, 20) - 1).unwrap_or_default();
        let whole = (FIRST_PAUSE << doublings).min(longest);
        let half = u64::try_from(whole / 2).unwrap_or_default();
        whole / 2 + i64::try_from(self.app.context.random.below(half + 1)).unwrap_or_default()
    }
}

/// What became of the notes of a batch.
#[derive(Default)]
struct Outcome<'a> {
    stored: Vec<&'a Entry>,
    removed: Vec<&'a Entry>,
    refused: Vec<(&'a Entry, String)>,
    postponed: Vec<(&'a Entry, String)>,
}
