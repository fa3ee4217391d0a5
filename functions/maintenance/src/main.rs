//! `maintenance`: a Lambda handler when the Lambda runtime started it, a command line otherwise.

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use maintenance::Report;
use serde_json::{Map, Value};
use shared::{error::with_causes, http::App, job};

/// Keeps tables, vectors and files in order. Safe beside everything else that runs.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Do everything that is done daily, and print what became of each step
    Run,
    /// Compact the tables that should not wait for that
    Early,
    /// Print rows, versions and fragments of each table of vectors
    Status,
}

impl Command {
    /// Reads an event: `{"command": "early"}` or `{"command": "status"}`; any other is that of the night.
    fn of_event(event: &Map<String, Value>) -> Self {
        match event.get("command").and_then(Value::as_str) {
            Some("early") => Self::Early,
            Some("status") => Self::Status,
            _ => Self::Run,
        }
    }
}

fn main() -> ExitCode {
    job::run("maintenance", |event| Ok(Command::of_event(event)), || Cli::parse().command, job::UNLIMITED, perform)
}

async fn perform(app: &App, command: Command, _: Duration) -> Result<Value, String> {
    match command {
        Command::Run => outcome(&maintenance::run(app).await),
        Command::Early => outcome(&maintenance::early(app).await),
        Command::Status => {
            let tables = maintenance::status(app).await.map_err(|error| with_causes(&error))?;
            serde_json::to_value(tables).map_err(|error| error.to_string())
        }
    }
}

/// Returns what the function answers. It must fail where a step has: its alarm asks for a person.
fn outcome(report: &Report) -> Result<Value, String> {
    let answer = serde_json::to_value(report).map_err(|error| error.to_string())?;
    if report.has_failed() { Err(answer.to_string()) } else { Ok(answer) }
}
