//! `maintenance`: keeps tables, vectors and files in order, once a day (DESIGN section 2), and looks each hour for
//! tables that should not wait so long (`docs/decisions/0012-upkeep-by-the-hour.md`).
//!
//! Each step is reported, and one that fails does not stop the others. All of it is safe beside running writers,
//! and beside another maintenance, which would only do the work twice.

mod repair;

use std::{collections::BTreeMap, fmt::Display};

use indexer::Index;
use serde::Serialize;
use serde_json::Value;
use shared::{
    error::with_causes,
    http::App,
    services::{pending_files, push_deliveries, recommendations},
};
use vectors::TableState;

pub use repair::{Repaired, repair};

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What was done, such as `upkeep memo_vectors`.
    pub step: String,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why nothing came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of all steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The steps in their order.
    pub steps: Vec<Step>,
}

impl Report {
    /// Reports whether a step has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.steps.iter().any(|step| step.error.is_some())
    }

    fn add<T: Serialize, E: Display>(&mut self, step: impl Into<String>, outcome: Result<T, E>) {
        let step = step.into();
        let (result, error) = match outcome.map(|done| serde_json::to_value(done)) {
            Ok(Ok(result)) => (Some(result), None),
            Ok(Err(error)) => (None, Some(error.to_string())),
            Err(error) => (None, Some(error.to_string())),
        };
        match (&result, &error) {
            (_, Some(error)) => tracing::error!(step, error, "maintenance.step_failed"),
            (result, None) => tracing::info!(step, ?result, "maintenance.step_done"),
        }
        self.steps.push(Step { step, result, error });
    }
}

/// A table with more fragments is compacted before the day is over: each makes every write and look-up slower.
const MAX_FRAGMENTS: u64 = 500;

/// Compacts the tables that should not wait for the night.
pub async fn early(app: &App) -> Report {
    let mut report = Report::default();
    upkeep(app, &mut report, Some(MAX_FRAGMENTS)).await;
    report
}

/// Does everything that is done daily.
pub async fn run(app: &App) -> Report {
    let mut report = Report::default();
    upkeep(app, &mut report, None).await;
    report.add("repair vectors", repair(app).await.map_err(|error| with_causes(&error)));
    let collected = pending_files::collect(&app.context).await;
    report.add("collect files", collected.map_err(|error| with_causes(&error)));
    let pruned = push_deliveries::prune(&app.context).await;
    report.add("prune push deliveries", pruned.map_err(|error| with_causes(&error)));
    let pruned = recommendations::prune(&app.context).await;
    report.add("prune recommendations", pruned.map_err(|error| with_causes(&error)));
    report
}

/// Compacts every table of vectors and caches, and removes their old versions. With a number, only of the tables
/// that have more fragments.
async fn upkeep(app: &App, report: &mut Report, more_than: Option<u64>) {
    let Some(settings) = &app.config.vector_store else { return };
    let opened = async {
        let store = Index::of(app).patient_store()?;
        let names = store.table_names().await?;
        Ok::<_, indexer::Error>((store, names))
    };
    let (store, names) = match opened.await {
        Ok(opened) => opened,
        Err(error) => return report.add("open the vector store", Err::<(), _>(with_causes(&error))),
    };
    for name in vectors::tables_of_ours(&names) {
        let done = async {
            if let Some(fragments) = more_than
                && store.state(&name).await?.is_none_or(|state| state.fragments <= fragments)
            {
                return Ok(None);
            }
            store.upkeep(&name, settings.retention).await
        };
        report.add(format!("upkeep {name}"), done.await);
    }
}

/// Returns how each table of vectors and caches is.
///
/// # Errors
/// The vector store fails.
pub async fn status(app: &App) -> indexer::Result<BTreeMap<String, TableState>> {
    let store = Index::of(app).store().await?;
    let mut tables = BTreeMap::new();
    for name in vectors::tables_of_ours(&store.table_names().await?) {
        if let Some(state) = store.state(&name).await? {
            tables.insert(name, state);
        }
    }
    Ok(tables)
}
