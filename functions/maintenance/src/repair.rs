//! Vectors that are missing, of another model, older than their memo, or of nothing (`contract/memos.md` section 6,
//! `contract/lancedb-tables.md` section 6).
//!
//! What is found is noted in the outbox, from which the indexer mends it: an unchanged text costs a look-up in the
//! cache. So this does no harm beside writers, however often it runs.

use std::collections::HashMap;

use indexer::{Index, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};
use shared::{
    clock::Millis,
    http::App,
    ids::{MemoId, Uid},
    repositories::{memos, vector_outbox},
};

/// How many memos are compared at a time.
const PAGE: u64 = 5000;

/// What was noted to be mended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repaired {
    /// Memos that were compared.
    pub memos: u64,
    /// Memos without a vector of the configured model.
    pub missing: u64,
    /// Memos that were changed after their vector was made. Most have other tags, and the same text.
    pub outdated: u64,
    /// Vectors without a memo.
    pub stray: u64,
}

/// Sixteen bytes in place of an id and its owner: all vectors are held in memory.
type Key = [u8; 16];

/// Compares vectors with memos, and notes what is to be mended.
///
/// # Errors
/// The database or the vector store fails.
pub async fn repair(app: &App) -> Result<Repaired> {
    let ctx = &app.context;
    let now = ctx.now();
    let index = Index::of(app);
    let table = index.table().await?;
    let model_hash = app.embeddings().model_hash();
    let mut made: HashMap<Key, Option<Millis>> = HashMap::new();
    if let Some(table) = &table {
        let note = |row: vectors::Stored<'_>| {
            let is_ours = row.model_hash.is_none_or(|hash| hash == model_hash);
            made.insert(key(row.id, row.uid), is_ours.then_some(row.updated_at));
        };
        table.for_each(note).await?;
    }

    let mut repaired = Repaired::default();
    let mut after = MemoId::from("");
    loop {
        let page = memos::find_after(&ctx.db, &after, PAGE).await?;
        let Some((last, ..)) = page.last() else { break };
        after = last.clone();
        repaired.memos += page.len() as u64;
        let mut wanted = Vec::new();
        for (memo, uid, updated_at) in page {
            match made.remove(&key(memo.as_str(), uid.as_str())) {
                // A memo may be imported with a time to come.
                Some(Some(made_at)) if made_at >= updated_at.min(now) => continue,
                Some(Some(_)) => repaired.outdated += 1,
                Some(None) | None => repaired.missing += 1,
            }
            wanted.push((uid, memo));
        }
        vector_outbox::create_missing(&ctx.db, &wanted, now).await?;
    }

    if let Some(table) = &table
        && !made.is_empty()
    {
        let mut strays = Vec::new();
        let collect = |row: vectors::Stored<'_>| {
            if made.contains_key(&key(row.id, row.uid)) {
                strays.push((Uid::from(row.uid), MemoId::from(row.id)));
            }
        };
        table.for_each(collect).await?;
        repaired.stray = strays.len() as u64;
        vector_outbox::create_missing(&ctx.db, &strays, now).await?;
    }
    Ok(repaired)
}

fn key(id: &str, uid: &str) -> Key {
    let mut digest = Sha256::new();
    digest.update((id.len() as u64).to_le_bytes());
    digest.update(id);
    digest.update(uid);
    let mut key = [0; 16];
    key.copy_from_slice(&digest.finalize()[..16]);
    key
}
