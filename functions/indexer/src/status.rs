//! How much is waiting.

use serde::Serialize;
use shared::{clock::Millis, repositories::vector_outbox};

use crate::{Index, Result};

/// How many kinds of errors are shown.
const MAX_ERRORS: u64 = 10;

/// What waits to be indexed, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Changes that are not applied.
    pub pending: i64,
    /// Those of them that may be tried now.
    pub due: i64,
    /// Those of them that have failed.
    pub failing: i64,
    /// How long the oldest has waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<Millis>,
    /// What the failing ones failed of, most of them first.
    pub errors: Vec<Failing>,
}

/// Changes that have failed alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// What went wrong.
    pub error: String,
    /// How many.
    pub entries: i64,
}

impl Index<'_> {
    /// Returns what waits to be indexed.
    ///
    /// # Errors
    /// The database fails.
    pub async fn status(&self) -> Result<Status> {
        let ctx = &self.app.context;
        let now = ctx.now();
        let depth = vector_outbox::depth(&ctx.db, now).await?;
        let errors = match depth.failing {
            0 => Vec::new(),
            _ => vector_outbox::find_errors(&ctx.db, MAX_ERRORS).await?,
        };
        Ok(Status {
            pending: depth.pending,
            due: depth.due,
            failing: depth.failing,
            oldest_ms: depth.oldest.map(|oldest| (now - oldest).max(0)),
            errors: errors.into_iter().map(|(error, entries)| Failing { error, entries }).collect(),
        })
    }
}
