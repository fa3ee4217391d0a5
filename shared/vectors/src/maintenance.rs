//! What every table of our own needs: writes that survive other writers, scalar indexes, compaction.

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use lancedb::{
    Table,
    index::{Index, scalar::BTreeIndexBuilder},
    table::{CompactionOptions, OptimizeAction, OptimizeOptions},
};

use crate::{Error, Result, scan::READ_AHEAD_BYTES};

/// How often a write is tried. LanceDB itself tries each ten times, for half a minute.
const ATTEMPTS: u32 = 5;

/// Tries a write until no other writer gets in its way.
pub(crate) async fn retrying<'a, T>(
    table: &str,
    action: &'static str,
    write: impl Fn() -> BoxFuture<'a, lancedb::Result<T>>,
) -> Result<T> {
    for attempt in 1.. {
        match write().await {
            Err(error) if attempt < ATTEMPTS && is_conflict(&error) => {
                let longest = 100 << attempt;
                tokio::time::sleep(Duration::from_millis(rand::random_range(10..longest))).await;
            }
            outcome => return outcome.map_err(|error| Error::table(table, action, &error)),
        }
    }
    unreachable!("the last attempt returns")
}

fn is_conflict(error: &lancedb::Error) -> bool {
    use lance::Error::{CommitConflict, RetryableCommitConflict, TooMuchWriteContention};
    let lancedb::Error::Lance { source } = error else { return false };
    matches!(source, CommitConflict { .. } | RetryableCommitConflict { .. } | TooMuchWriteContention { .. })
}

/// Creates the scalar indexes that a table lacks.
pub(crate) async fn ensure_indexes(table: &Table, columns: &[&str]) -> Result<()> {
    let create_missing = || async {
        let indexes = table.list_indices().await?;
        for column in columns {
            if indexes.iter().all(|index| index.columns != [*column]) {
                table.create_index(&[column], Index::BTree(BTreeIndexBuilder::default())).execute().await?;
            }
        }
        Ok(())
    };
    retrying(table.name(), "indexed", || create_missing().boxed()).await
}

/// Merges small files and brings the indexes up to date. Old versions stay.
pub(crate) async fn optimize(table: &Table) -> Result<()> {
    let options = CompactionOptions {
        num_threads: Some(1),
        batch_size: Some(1024),
        io_buffer_size: Some(READ_AHEAD_BYTES),
        ..CompactionOptions::default()
    };
    let compact = || table.optimize(OptimizeAction::Compact { options: options.clone(), remap_options: None });
    retrying(table.name(), "compacted", || compact().boxed()).await?;
    let index = || table.optimize(OptimizeAction::Index(OptimizeOptions::default()));
    retrying(table.name(), "indexed", || index().boxed()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Returns how often a write is tried that always fails.
    async fn attempts(error: impl Fn() -> lancedb::Error + Send + Sync) -> u32 {
        let attempts = Cell::new(0);
        let write = || {
            attempts.set(attempts.get() + 1);
            let failed = Err::<(), _>(error());
            async { failed }.boxed()
        };
        assert!(retrying("table", "written", write).await.is_err());
        attempts.get()
    }

    #[tokio::test]
    async fn conflicts_are_tried_again_a_few_times_and_nothing_else_is() {
        let conflict = || lance::Error::retryable_commit_conflict_source(1, "another writer".into());
        assert_eq!(attempts(|| lancedb::Error::Lance { source: conflict() }).await, ATTEMPTS);
        assert_eq!(attempts(|| lancedb::Error::InvalidInput { message: "wrong".to_owned() }).await, 1);
    }
}
