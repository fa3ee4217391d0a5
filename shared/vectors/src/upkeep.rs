//! Compacting tables and removing old versions (`contract/lancedb-tables.md` section 8).

use std::time::Duration;

use futures::FutureExt;
use lancedb::{
    Table,
    table::{Duration as Age, OptimizeAction},
};
use serde::Serialize;

use crate::{CacheKind, Error, Result, Store, VectorKind, cache, maintenance, snapshot::dataset};

/// The tables of the product in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owned {
    Cache,
    Vectors(VectorKind),
}

/// How a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableState {
    /// The number of rows.
    pub rows: u64,
    /// The number of versions.
    pub versions: u64,
    /// The number of parts that its rows are in: one for each write since the last upkeep, and those that it has
    /// made.
    pub fragments: u64,
}

/// What upkeep made of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableUpkeep {
    /// The number of rows.
    pub rows: u64,
    /// The number of versions before.
    pub versions_before: u64,
    /// The number of versions that are left.
    pub versions: u64,
    /// How many bytes of old versions were removed.
    pub removed_bytes: u64,
}

/// Returns those of the given tables that upkeep may touch: caches and vectors. The tables of an old install are
/// left alone, whatever they hold.
#[must_use]
pub fn tables_of_ours(names: &[String]) -> Vec<String> {
    names.iter().filter(|name| owned(name).is_some()).cloned().collect()
}

fn owned(name: &str) -> Option<Owned> {
    let vectors = [VectorKind::Memo, VectorKind::Attachment].into_iter();
    if let Some(kind) = vectors.into_iter().find(|kind| kind.tables().contains(&name)) {
        return Some(Owned::Vectors(kind));
    }
    let is_of = |kind: CacheKind| match name.strip_prefix(kind.table()) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('_').is_some_and(|length| length.parse::<usize>().is_ok()),
        None => false,
    };
    [CacheKind::Text, CacheKind::Multimodal].into_iter().any(is_of).then_some(Owned::Cache)
}

async fn state(table: &Table) -> Result<TableState> {
    let failed = |error: &(dyn std::error::Error + 'static)| Error::table(table.name(), "counted", error);
    let dataset = dataset(table).await.map_err(|error| failed(&error))?;
    let rows = dataset.count_rows(None).boxed().await.map_err(|error| failed(&error))?;
    let versions = dataset.count_versions().boxed().await.map_err(|error| failed(&error))?;
    Ok(TableState { rows: rows as u64, versions, fragments: dataset.count_fragments() as u64 })
}

impl Store {
    /// Returns how a table is, or nothing when there is no such table.
    ///
    /// # Errors
    /// The store fails.
    pub async fn state(&self, table: &str) -> Result<Option<TableState>> {
        let Some(opened) = self.table(table).await? else { return Ok(None) };
        state(&opened).await.map(Some)
    }

    /// Merges the small files of a table, brings its indexes up to date, and removes versions older than
    /// `retention`. Safe beside running writers and readers as long as none reads a version for longer than that.
    /// Returns nothing when there is no such table or it is not one of ours.
    ///
    /// # Errors
    /// Other writers keep getting in the way, or the store fails.
    pub async fn upkeep(&self, name: &str, retention: Duration) -> Result<Option<TableUpkeep>> {
        let Some(owned) = owned(name) else { return Ok(None) };
        let Some(table) = self.table(name).await? else { return Ok(None) };
        let before = state(&table).await?;
        let indexed: &[&str] = match &owned {
            Owned::Cache => &cache::INDEXED,
            Owned::Vectors(kind) => &kind.indexed(),
        };
        maintenance::ensure_indexes(&table, indexed).await?;
        maintenance::optimize(&table).await?;
        let prune = || {
            table.optimize(OptimizeAction::Prune {
                older_than: Some(Age::from_std(retention).unwrap_or(Age::MAX)),
                // Files that no version names may belong to a write that is running.
                delete_unverified: Some(false),
                error_if_tagged_old_versions: Some(false),
            })
        };
        let pruned = maintenance::retrying(name, "pruned", || prune().boxed()).await?;
        let after = state(&table).await?;
        Ok(Some(TableUpkeep {
            rows: after.rows,
            versions_before: before.versions,
            versions: after.versions,
            removed_bytes: pruned.prune.map_or(0, |removed| removed.bytes_removed),
        }))
    }
}
