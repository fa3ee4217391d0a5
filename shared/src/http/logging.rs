//! Logs are data: JSON in Lambda, one line of text per event for a person at a terminal.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Begins to log, to standard output. `filter` is a level or a list such as `info,sqlx=debug`; one
/// that cannot be read counts as `info`. Only the first call has an effect.
pub fn init(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    let outcome = if io::stdout().is_terminal() {
        builder.compact().try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
    if let Err(error) = outcome {
        tracing::debug!(error = %error, "logging.already_initialised");
    }
}
