//! Counts calls to providers, and the tokens that they bill.

use serde_json::Value;

use crate::metrics::{self, Metric};

/// Counts a call to a provider by its outcome. Retries are part of it.
pub(super) fn counted<T, E>(outcome: Result<T, E>) -> Result<T, E> {
    metrics::add(Metric::ProviderCalls, 1);
    if outcome.is_err() {
        metrics::add(Metric::ProviderFailures, 1);
    }
    outcome
}

/// Counts the tokens of an answer of an OpenAI-compatible API, many of which leave them out.
pub(super) fn count_tokens(usage: &Value) {
    metrics::add(Metric::ProviderTokens, usage["total_tokens"].as_u64().unwrap_or_default());
}
