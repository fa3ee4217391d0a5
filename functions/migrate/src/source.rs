//! The LanceDB of an old install, each table at the version that it had when the migration began.

use std::collections::BTreeMap;

use futures::StreamExt;
use shared::config::VectorStores;
use vectors::{CACHE_TABLES, Snapshot, Store, StoreOptions, Value};

use crate::{
    failure::{Cause, Failure, Phase},
    legacy::ENTITIES,
};

/// The highest version of `memos` that keeps its scalars in LanceDB.
const LAST_LANCEDB_VERSION: i64 = 16;

/// The table in which an old install records its versions.
const TABLE_MIGRATIONS: &str = "table_migrations";

/// Returns how a store is opened.
#[must_use]
pub fn options(stores: &VectorStores, uri: &str) -> StoreOptions {
    let (endpoint, region) = (stores.endpoint.clone(), stores.region.clone());
    StoreOptions { uri: uri.to_owned(), endpoint, region, ..StoreOptions::default() }
}

/// The old tables, pinned.
pub struct Source {
    /// The store that holds them.
    pub store: Store,
    /// The tables of an old install that are there, by name.
    pub tables: BTreeMap<String, Snapshot>,
    /// What the old install records of its versions, by table.
    pub recorded: BTreeMap<String, i64>,
}

/// Returns the names of all tables that an old install has.
fn legacy_tables() -> impl Iterator<Item = &'static str> {
    ENTITIES.iter().map(|entity| entity.name).chain(CACHE_TABLES).chain([TABLE_MIGRATIONS])
}

/// Returns which tables of an old install with somebody's data are in a store.
///
/// # Errors
/// The store cannot be read.
pub async fn entity_tables(store: &Store) -> Result<Vec<String>, vectors::Error> {
    let names = store.table_names().await?;
    Ok(names.into_iter().filter(|name| ENTITIES.iter().any(|entity| entity.name == name)).collect())
}

impl Source {
    /// Opens the tables at their newest versions, or at given ones.
    ///
    /// # Errors
    /// The store cannot be read, or a table that is there does not open.
    pub async fn open(stores: &VectorStores, versions: Option<&BTreeMap<String, u64>>) -> Result<Self, Failure> {
        let failed = |error: vectors::Error| Cause::from(error).during(Phase::Preflight);
        let store = Store::open(&options(stores, &stores.source)).await.map_err(failed)?;
        let mut tables = BTreeMap::new();
        for name in legacy_tables() {
            let snapshot = match versions {
                None => store.snapshot(name).await,
                Some(versions) => match versions.get(name) {
                    Some(version) => store.snapshot_at(name, *version).await,
                    None => Ok(None),
                },
            };
            if let Some(snapshot) = snapshot.map_err(failed)? {
                tables.insert(name.to_owned(), snapshot);
            }
        }
        let mut source = Self { store, tables, recorded: BTreeMap::new() };
        source.recorded = source.recorded_versions().await.map_err(|cause| cause.during(Phase::Preflight))?;
        Ok(source)
    }

    /// Reports whether there is nothing of an old install.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        ENTITIES.iter().all(|entity| !self.tables.contains_key(entity.name))
    }

    /// Returns the version of each table.
    #[must_use]
    pub fn versions(&self) -> BTreeMap<String, u64> {
        self.tables.iter().map(|(name, snapshot)| (name.clone(), snapshot.version())).collect()
    }

    /// Returns the tables that somebody has written to since they were opened.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn changed(&self) -> Result<Vec<String>, vectors::Error> {
        let mut changed = Vec::new();
        for (name, snapshot) in &self.tables {
            if snapshot.latest_version().await? != snapshot.version() {
                changed.push(name.clone());
            }
        }
        Ok(changed)
    }

    /// Returns why the old install must have moved on to MySQL, with its tables here out of date; `None`
    /// when it has not (`contract/lancedb-tables.md` section 3).
    #[must_use]
    pub fn moved_on(&self) -> Option<String> {
        let table = ["memo_vectors", "attachment_vectors", "_all_tables"];
        if let Some(table) = table.into_iter().find(|table| self.recorded.contains_key(*table)) {
            return Some(format!("its {TABLE_MIGRATIONS} lists {table}"));
        }
        let version = *self.recorded.get("memos")?;
        (version > LAST_LANCEDB_VERSION).then(|| {
            format!("its {TABLE_MIGRATIONS} has memos at version {version}, after {LAST_LANCEDB_VERSION}")
        })
    }

    async fn recorded_versions(&self) -> Result<BTreeMap<String, i64>, Cause> {
        let mut recorded = BTreeMap::new();
        let Some(snapshot) = self.tables.get(TABLE_MIGRATIONS) else { return Ok(recorded) };
        let mut batches = snapshot.rows(&["tableName", "currentVersion"], 1024);
        while let Some(rows) = batches.next().await {
            let rows = rows.map_err(|error| Cause::from(error).at(TABLE_MIGRATIONS))?;
            let (names, versions) = (rows.column("tableName"), rows.column("currentVersion"));
            for row in 0..rows.len() {
                if let (Value::Text(name), Value::Integer(version)) = (names.get(row), versions.get(row)) {
                    let newest = recorded.entry(name.to_owned()).or_insert(version);
                    *newest = version.max(*newest);
                }
            }
        }
        Ok(recorded)
    }
}
