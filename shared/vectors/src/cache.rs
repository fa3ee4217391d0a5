//! Copying the embedding caches to another store. What was paid for once is not paid for again
//! (`contract/lancedb-tables.md` section 5, `contract/migration.md` section 9).

use std::{collections::HashSet, sync::Arc};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use futures::{FutureExt, TryStreamExt};
use lancedb::{Table, table::NaNVectorBehavior};
use sha2::{Digest, Sha256};

use crate::{Error, Result, Rows, Snapshot, Store, Value, maintenance};

/// The caches.
pub const CACHE_TABLES: [&str; 2] = ["embedding_cache", "multimodal_embedding_cache"];

const KEY: [&str; 3] = ["modelHash", "contentHash", "modalityType"];
/// Only the hash of the content: nearly all rows have the same model.
pub(crate) const INDEXED: [&str; 1] = ["contentHash"];

const BATCH_ROWS: usize = 1024;

/// How much goes into one commit. Each makes a version, and its rows one file until they are compacted.
const COMMIT_BYTES: usize = 16 << 20;

/// What became of the rows of a cache. `source` is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCopy {
    /// Rows of the source.
    pub source: u64,
    /// Rows that the target has now and had not before.
    pub copied: u64,
    /// Rows whose key the target had, or the source held before.
    pub repeated: u64,
}

/// Adds to a cache of another store what it lacks, so that a copy that was interrupted is completed by
/// the next. `progress` hears how many rows of the source are done.
///
/// # Errors
/// The cache of the target holds vectors of another length or has other columns, or a store fails.
pub async fn copy_cache(source: &Snapshot, target: &Store, mut progress: impl FnMut(u64)) -> Result<CacheCopy> {
    let name = source.table();
    let table = target.table_or_create(name, Arc::clone(source.schema())).await?;
    let existing = Snapshot::of(name, &table).await?;
    let columns = shared_columns(source, &existing)?;

    let mut keys = HashSet::new();
    let mut rows = existing.rows(&KEY, BATCH_ROWS);
    while let Some(rows) = rows.try_next().await? {
        keys.extend((0..rows.len()).map(|row| key(&rows, row)));
    }

    let mut copy = CacheCopy::default();
    let mut pending = Vec::new();
    let mut batches = source.batches(columns, BATCH_ROWS);
    while let Some(batch) = batches.try_next().await? {
        let rows = Rows::new(name, &batch)?;
        let new: BooleanArray = (0..rows.len()).map(|row| Some(keys.insert(key(&rows, row)))).collect();
        let kept = filter_record_batch(&batch, &new).map_err(|error| Error::table(name, "copied", &error))?;
        copy.source += rows.len() as u64;
        copy.copied += kept.num_rows() as u64;
        if kept.num_rows() > 0 {
            pending.push(kept);
        }
        if pending.iter().map(RecordBatch::get_array_memory_size).sum::<usize>() >= COMMIT_BYTES {
            append(&table, std::mem::take(&mut pending)).await?;
        }
        progress(copy.source);
    }
    append(&table, pending).await?;
    copy.repeated = copy.source - copy.copied;

    maintenance::ensure_indexes(&table, &INDEXED).await?;
    maintenance::optimize(&table).await?;
    Ok(copy)
}

/// Returns the columns of the source that the target has. Their types may differ in what LanceDB
/// converts, such as the unit of a time; vectors must have one length.
fn shared_columns(source: &Snapshot, target: &Snapshot) -> Result<Vec<String>> {
    let table = source.table().to_owned();
    let (found, expected) = (target.vector_dimension("embedding"), source.vector_dimension("embedding"));
    let (Some(found), Some(expected)) = (found, expected) else { return Err(Error::Layout { table }) };
    if found != expected {
        return Err(Error::Dimension { table, found, expected });
    }
    let names = source.columns().iter().map(|column| &column.name);
    let shared = names.filter(|name| target.columns().iter().any(|column| column.name == **name));
    Ok(shared.cloned().collect())
}

/// Sixteen bytes in place of two or three hashes of sixty-four characters: the keys of all rows are held
/// in memory.
fn key(rows: &Rows, row: usize) -> [u8; 16] {
    let mut digest = Sha256::new();
    for column in KEY {
        if let Value::Text(text) = rows.column(column).get(row) {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        } else {
            digest.update(u64::MAX.to_le_bytes());
        }
    }
    let mut key = [0; 16];
    key.copy_from_slice(&digest.finalize()[..16]);
    key
}

async fn append(table: &Table, batches: Vec<RecordBatch>) -> Result<()> {
    if batches.is_empty() {
        return Ok(());
    }
    let add = || table.add(batches.clone()).on_nan_vectors(NaNVectorBehavior::Keep).execute();
    maintenance::retrying(table.name(), "written", || add().boxed()).await?;
    Ok(())
}
