//! `migrate verify`: compares the source, the database and what the marker recorded, after the fact.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::{
    config::Migration,
    db::{Cell, Dialect},
    repositories::tables,
};
use vectors::{Store, VectorKind};

use crate::{
    copy,
    digest::{Checksum, Keys},
    failure::{Cause, Failure, Phase},
    legacy::Rules,
    mapping::{Mapping, Nothing},
    observer::{Observer, Verb},
    preflight::{self, Options},
    report::Report,
    run::{open, stores},
    source::{self, Source},
};

/// What became of a table since the migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The rows when it was migrated.
    pub migrated: u64,
    /// The rows of the database now.
    pub now: u64,
    /// Whether the database holds exactly what was migrated. Once the product is used, it does not.
    pub database_is_unchanged: bool,
    /// Whether the old install still gives exactly what was migrated.
    pub source_is_unchanged: bool,
}

/// Compares; reads only.
///
/// # Errors
/// There was no migration, or something cannot be read.
pub async fn verify(
    config: &Migration,
    observer: &dyn Observer,
) -> Result<BTreeMap<&'static str, Comparison>, Failure> {
    let database = open(config)?;
    let recorded =
        Report::recorded(&database).await.map_err(|problem| Cause::new(problem).during(Phase::Preflight))?;
    let Some(report) = recorded else {
        return Err(Failure::Refused("this database has not been migrated: run `migrate run` first".to_owned()));
    };
    let stores = stores(config)?;
    let source = Source::open(stores, Some(&report.versions)).await?;
    let keys = Keys { ignores_trailing_spaces: database.dialect() == Dialect::MySql };
    let rules = Rules { now: report.started_at, invalid_properties: report.choices.invalid_properties, keys };
    let options = Options { choices: report.choices, dimensions: None, statement_limit: None };
    let plan = preflight::plan(&source, &rules, &options, observer).await?;
    let failed = |cause: Cause| cause.during(Phase::Preflight);
    let target = Store::open_or_create(&source::options(stores, &stores.target)).await;
    let target = target.map_err(|error| failed(error.into()))?;
    let vectors = copy::ids_with_vector(&target, VectorKind::Memo, keys).await.map_err(failed)?;
    let mapping =
        Mapping { source: &source, plan: &plan, rules: &rules, vectors: &vectors, observer, verb: Verb::Map };
    let tallies = mapping.run(&mut Nothing).await.map_err(failed)?;
    let mut comparisons = BTreeMap::new();
    // The outbox is drained, and says nothing about the data.
    for table in tables::ALL.into_iter().filter(|table| **table != tables::VECTOR_OUTBOX) {
        let expected = report.tables.get(table.name).cloned().unwrap_or_default();
        let (mut checksum, mut now) = (Checksum::default(), 0);
        let each = |row: Vec<Cell>| {
            checksum.add(&row);
            now += 1;
        };
        tables::for_each(&database, table, each)
            .await
            .map_err(|error| failed(Cause::from(error).at(table.name)))?;
        comparisons.insert(
            table.name,
            Comparison {
                migrated: expected.inserted,
                now,
                database_is_unchanged: checksum.to_string() == expected.checksum,
                source_is_unchanged: tallies[table.name].checksum.to_string() == expected.checksum,
            },
        );
    }
    Ok(comparisons)
}
