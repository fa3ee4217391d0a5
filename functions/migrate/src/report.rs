//! What a migration did: printed, and kept in the marker of the database.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::{clock::Millis, config::Choices, db::Database, repositories::data_migrations};

use crate::{
    legacy::{Note, Notes},
    mapping::Tally,
};

/// The record in `_migrations` that says that the data is there (`contract/migration.md` section 3).
pub const MARKER: &str = "lancedb-to-relational-v1";

/// The record that an earlier product left when it had migrated four of the tables.
pub const PARTIAL_MARKER: &str = "lancedb-to-drizzle-v1";

/// The most bytes of a record: what a TEXT column of MySQL holds.
const MAX_DETAILS: usize = 60_000;

/// How a migration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The data is there, since now.
    Migrated,
    /// The data is there, since an earlier run.
    AlreadyMigrated,
    /// There was no old install.
    NothingToMigrate,
    /// One of the phases before the load is done.
    PhaseDone,
}

/// What happened to a table of the product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableReport {
    /// The old rows.
    pub source: u64,
    /// The rows of the product.
    pub inserted: u64,
    /// The old rows that were left out, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped: BTreeMap<String, u64>,
    /// The rows whose reference names nothing, by column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub orphans: BTreeMap<String, u64>,
    /// What was mended, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, Note>,
    /// The checksum of the rows of the product.
    pub checksum: String,
    /// How long it took.
    pub ms: u64,
}

/// What happened to the vectors of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VectorReport {
    /// The old rows that count.
    pub source: u64,
    /// The vectors that were copied.
    pub copied: u64,
    /// The rows whose vector is missing or unusable. Memos among them are embedded again.
    #[serde(default)]
    pub missing: Note,
}

/// What happened to an embedding cache.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheReport {
    /// The old rows.
    pub source: u64,
    /// The rows that were copied.
    pub copied: u64,
    /// The rows whose key was there already.
    pub repeated: u64,
}

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How it ended.
    pub status: Status,
    /// The id of the run.
    pub run_id: String,
    /// The version of the product.
    pub product_version: String,
    /// When it began.
    pub started_at: Millis,
    /// How long it took.
    pub duration_ms: u64,
    /// How long each phase took, in milliseconds; `verify` is part of the load.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub phases_ms: BTreeMap<String, u64>,
    /// The LanceDB of the old install.
    pub source: String,
    /// Where vectors and caches live.
    pub vectors: String,
    /// What somebody has chosen.
    #[serde(default)]
    pub choices: Choices,
    /// Where the backup is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
    /// What happened to each table.
    pub tables: BTreeMap<String, TableReport>,
    /// What happened to the vectors of each old table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vector_tables: BTreeMap<String, VectorReport>,
    /// What happened to the embedding caches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub caches: BTreeMap<String, CacheReport>,
    /// The version of each old table that was read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, u64>,
    /// What the old install recorded of its own migrations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub table_migrations: BTreeMap<String, i64>,
    /// What a person should look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl TableReport {
    /// Returns the report of a table, with what the plan noted of its old rows.
    #[must_use]
    pub fn of(tally: &Tally, planned: Option<&Notes>) -> Self {
        let owned = |counts: &BTreeMap<&'static str, u64>| {
            counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        let notes = planned.into_iter().flat_map(|notes| notes.0.iter()).chain(&tally.notes.0);
        Self {
            source: tally.source,
            inserted: tally.rows,
            skipped: owned(&tally.skipped),
            orphans: owned(&tally.orphans),
            notes: notes.map(|(name, note)| ((*name).to_owned(), note.clone())).collect(),
            checksum: tally.checksum.to_string(),
            ms: tally.milliseconds,
        }
    }
}

impl Report {
    /// Returns the text of the marker. Lists of ids are cut where it would be too long; counts never are.
    #[must_use]
    pub fn details(&self) -> String {
        let mut report = self.clone();
        for limit in [100, 20, 0] {
            let notes = report.tables.values_mut().flat_map(|table| table.notes.values_mut());
            let missing = report.vector_tables.values_mut().map(|table| &mut table.missing);
            notes.chain(missing).for_each(|note| note.ids.truncate(limit));
            let text = serde_json::to_string(&report).unwrap_or_default();
            if text.len() <= MAX_DETAILS {
                return text;
            }
        }
        report.warnings.clear();
        serde_json::to_string(&report).unwrap_or_default()
    }

    /// Returns the report of the committed migration of a database; `None` when there was none.
    ///
    /// # Errors
    /// The database fails, or the record is not one of ours.
    pub async fn recorded(database: &Database) -> Result<Option<Self>, String> {
        let details = data_migrations::find_by_name(&database.unchecked(), MARKER).await;
        let details = details.map_err(|error| crate::failure::chain(&error))?;
        let report = details.map(|details| serde_json::from_str(&details)).transpose();
        report.map_err(|error| format!("the record {MARKER} cannot be read: {error}"))
    }
}
