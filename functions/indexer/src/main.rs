//! `indexer`: a Lambda handler when the Lambda runtime started it, a command line otherwise.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use indexer::{
    Error, Index,
    command::{Cli, Command},
};
use serde_json::{Value, json};
use shared::{
    error::with_causes,
    http::App,
    job,
    metrics::{self, Metric},
};

/// How much of its time a function uses: what it has begun must end too.
const USED: f64 = 0.7;

fn main() -> ExitCode {
    // The schedule sends an event each minute, whatever it holds.
    job::run("indexer", |_| Ok(Command::Run), || Cli::parse().command, job::UNLIMITED, perform)
}

async fn perform(app: &App, command: Command, left: Duration) -> Result<Value, String> {
    let index = Index::of(app);
    let answer = match command {
        Command::Run => match index.drain(left.mul_f64(USED)).await {
            // Between a deployment and its migration. Requests raise the alarm, and the next minute tries again.
            Err(Error::Database(error)) if error.is_schema_mismatch() => {
                tracing::warn!(error = with_causes(&error), "indexer.skipped");
                return Ok(json!({"skipped": error.to_string()}));
            }
            drained => {
                measure(&index).await;
                drained.map(serde_json::to_value)
            }
        },
        Command::Status => index.status().await.map(serde_json::to_value),
    };
    answer.map_err(|error| with_causes(&error))?.map_err(|error| error.to_string())
}

/// Counts what waits after a run.
async fn measure(index: &Index<'_>) {
    match index.status().await {
        Ok(status) => {
            metrics::set(Metric::OutboxDepth, status.pending.unsigned_abs());
            metrics::set(Metric::OutboxAge, status.oldest_ms.unwrap_or_default().unsigned_abs() / 1000);
        }
        // A database that is down has failed the run already.
        Err(error) => tracing::warn!(error = with_causes(&error), "outbox.unmeasured"),
    }
}
