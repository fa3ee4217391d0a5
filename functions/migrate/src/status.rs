//! `migrate status`, and what others say about an old install whose data has not been migrated.

use serde::Serialize;
use shared::{config::VectorStores, db::Database};
use vectors::Store;

use crate::{
    failure::chain,
    report::{Report, Status},
    source,
};

/// How far an installation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Installation {
    /// The report of the migration of the data; `None` when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migration: Option<Report>,
    /// The tables of an old install that wait to be migrated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
}

/// Looks at an installation.
///
/// # Errors
/// The database or the store cannot be read.
pub async fn status(database: &Database, stores: Option<&VectorStores>) -> Result<Installation, String> {
    let migration = Report::recorded(database).await?;
    let pending = match stores {
        Some(stores) if !migration.as_ref().is_some_and(|report| report.status == Status::Migrated) => {
            let options = source::options(stores, &stores.source);
            let store = Store::open_or_create(&options).await.map_err(|error| chain(&error))?;
            source::entity_tables(&store).await.map_err(|error| chain(&error))?
        }
        _ => Vec::new(),
    };
    Ok(Installation { migration, pending })
}

/// Returns the sentence that tells a person about data that waits; `None` when none does. A half-empty
/// account must not look like data loss (`contract/migration.md` section 8).
#[must_use]
pub fn pending_notice(stores: &VectorStores, pending: &[String]) -> Option<String> {
    (!pending.is_empty()).then(|| {
        format!(
            "{} holds the data of an old install ({}) that has not been migrated: run `migrate run`, see docs/MIGRATING.md",
            stores.source,
            pending.join(", ")
        )
    })
}
