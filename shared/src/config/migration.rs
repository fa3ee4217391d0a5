//! The settings of `migrate` (`contract/configuration.md` section 9).

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Problems, Runtime, Variables, database, is_production, providers::dimensions, vectors::configured_lancedb,
};
use crate::db;

/// What happens to users who share an e-mail (`contract/migration.md` section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DuplicateEmails {
    /// Nothing is migrated, and they are listed.
    #[default]
    Refuse,
    /// The oldest keeps it; the others keep everything else.
    OldestKeeps,
}

/// What happens to the names in memos that never got tag ids (`contract/migration.md` section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LegacyTagNames {
    /// They become tags of their memo.
    #[default]
    Restore,
    /// They are counted and listed.
    Report,
}

/// What happens to attachment properties that are no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvalidProperties {
    /// Nothing is migrated, and they are listed.
    #[default]
    Refuse,
    /// They are dropped, and listed.
    Null,
}

/// What somebody has chosen about rows that have no obvious place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Choices {
    /// What happens to users who share an e-mail.
    pub duplicate_emails: DuplicateEmails,
    /// What happens to the names in memos that never got tag ids.
    pub legacy_tag_names: LegacyTagNames,
    /// What happens to attachment properties that are no JSON object.
    pub invalid_properties: InvalidProperties,
}

/// The two places of a migration in LanceDB. They may be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorStores {
    /// The LanceDB of the old install.
    pub source: String,
    /// Where vectors and caches live afterwards.
    pub target: String,
    /// The address of an S3 server that is not AWS.
    pub endpoint: Option<String>,
    /// The region of the buckets.
    pub region: Option<String>,
}

impl VectorStores {
    /// Reads the two places; where none is configured, both are `default`.
    #[must_use]
    pub fn read(vars: &mut Variables, default: Option<String>) -> Option<Self> {
        let target = configured_lancedb(vars).or(default);
        let source = vars.get("MIGRATION_SOURCE_LANCEDB_URI").map(str::to_owned).or_else(|| target.clone())?;
        Some(Self {
            target: target.unwrap_or_else(|| source.clone()),
            source,
            endpoint: vars.get("LANCEDB_S3_ENDPOINT").map(str::to_owned),
            region: vars.get("AWS_REGION").map(str::to_owned),
        })
    }
}

/// The configuration of `migrate`.
#[derive(Debug, Clone)]
pub struct Migration {
    /// Function or command line.
    pub runtime: Runtime,
    /// The relational database.
    pub database: db::Options,
    /// The old and the new place in LanceDB; `None` when neither is configured.
    pub stores: Option<VectorStores>,
    /// Where the backup goes.
    pub backup: Option<String>,
    /// Whether to migrate without a backup.
    pub skip_backup: bool,
    /// What somebody has chosen about rows that have no obvious place.
    pub choices: Choices,
    /// Whether to migrate a LanceDB whose install has moved on to MySQL.
    pub allow_stale_source: bool,
    /// The longest that the load may be estimated to take.
    pub time_budget: Option<Duration>,
    /// Rows of a statement.
    pub batch_rows: usize,
    /// The size of the vectors that the product will look for.
    pub dimensions: usize,
    /// The only directory of a function that outlives it.
    pub persistent_directory: Option<PathBuf>,
}

impl Migration {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`Problems`] lists everything that is missing or wrong.
    pub fn read(runtime: Runtime, mut variables: Variables) -> Result<Self, Problems> {
        let vars = &mut variables;
        let production = is_production(vars, runtime);
        let data_dir = PathBuf::from(vars.text("DATA_DIR", ".data"));
        let mut options = database(vars, runtime, production, &data_dir);
        // One connection holds the lock, another loads.
        options.pool_size = options.pool_size.max(2);
        let budget = match vars.number("MIGRATION_TIME_BUDGET_S", 0) {
            0 => (runtime == Runtime::Lambda).then_some(480),
            seconds => Some(seconds),
        };
        let emails = [("refuse", DuplicateEmails::Refuse), ("oldest-keeps", DuplicateEmails::OldestKeeps)];
        let names = [("restore", LegacyTagNames::Restore), ("report", LegacyTagNames::Report)];
        let properties = [("refuse", InvalidProperties::Refuse), ("null", InvalidProperties::Null)];
        let config = Self {
            runtime,
            database: options,
            stores: VectorStores::read(vars, None),
            backup: vars.get("BACKUP_URI").map(str::to_owned),
            skip_backup: vars.enabled("MIGRATION_SKIP_BACKUP"),
            choices: Choices {
                duplicate_emails: vars.one_of("MIGRATION_DUPLICATE_EMAILS", &emails).unwrap_or_default(),
                legacy_tag_names: vars.one_of("MIGRATION_LEGACY_TAG_NAMES", &names).unwrap_or_default(),
                invalid_properties: vars.one_of("MIGRATION_INVALID_PROPERTIES", &properties).unwrap_or_default(),
            },
            allow_stale_source: vars.enabled("MIGRATION_ALLOW_STALE_SOURCE"),
            time_budget: budget.map(Duration::from_secs),
            batch_rows: vars.number("MIGRATION_BATCH_ROWS", 100).clamp(1, 1000),
            dimensions: dimensions(vars),
            persistent_directory: vars.get("EFS_MOUNT_PATH").map(PathBuf::from),
        };
        if variables.problems.is_empty() { Ok(config) } else { Err(Problems(variables.problems)) }
    }
}
