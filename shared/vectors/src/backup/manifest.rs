//! What a backup holds, and which backups there are.

use object_store::{ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};

use super::{Place, place::Folder};
use crate::{Column, Error, Result};

const FILE: &str = "manifest.json";

/// Where the tables of a backup come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The run of the migration that made the backup.
    pub run_id: String,
    /// The version of the program that made it.
    pub product_version: String,
    /// The store that was backed up.
    pub source_uri: String,
    /// When it was made, in milliseconds.
    pub created_at: i64,
}

/// The content of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Where the tables come from.
    #[serde(flatten)]
    pub origin: Origin,
    /// The tables, in the order in which they were written.
    pub tables: Vec<BackedUpTable>,
}

/// A table of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUpTable {
    /// The name of the table.
    pub table: String,
    /// The version that was read.
    pub version: u64,
    /// Its columns.
    pub schema: Vec<Column>,
    /// The number of its rows.
    pub rows: u64,
    /// The length of the file.
    pub bytes: u64,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The name of the file.
    pub file: String,
}

impl Manifest {
    pub(super) async fn write(&self, folder: &Folder) -> Result<()> {
        let failed = |error: &(dyn std::error::Error + 'static)| Error::backup(FILE, "written", error);
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(&error))?;
        let written = folder.store.put(&folder.path(FILE), PutPayload::from(text)).await;
        written.map_err(|error| failed(&error))?;
        Ok(())
    }

    /// Returns nothing where there is no manifest, or one that was cut off.
    pub(super) async fn read(folder: &Folder) -> Result<Option<Self>> {
        let failed = |error| Error::backup(FILE, "read", &error);
        match folder.store.get(&folder.path(FILE)).await {
            Ok(file) => Ok(serde_json::from_slice(&file.bytes().await.map_err(failed)?).ok()),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Returns the complete backups of a place with the names of their folders, newest first.
///
/// # Errors
/// The place cannot be read. A directory that does not exist holds no backups.
pub async fn find_backups(place: &Place) -> Result<Vec<(String, Manifest)>> {
    let root = place.folder("").await?;
    let listed = root.store.list_with_delimiter(Some(&root.at)).await;
    let folders = match listed {
        Ok(listed) => listed.common_prefixes,
        Err(object_store::Error::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(Error::backup(place.uri(), "listed", &error)),
    };
    let mut backups = Vec::new();
    for name in folders.iter().filter_map(|folder| folder.filename()) {
        if let Some(manifest) = Manifest::read(&root.below(name)).await? {
            backups.push((name.to_owned(), manifest));
        }
    }
    backups.sort_by_key(|(_, manifest)| std::cmp::Reverse(manifest.origin.created_at));
    Ok(backups)
}
