//! `maintenance`: a Lambda handler when the Lambda runtime started it, a command line otherwise.

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use serde_json::Value;
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
    /// Print rows and versions of each table of vectors
    Status,
}

fn main() -> ExitCode {
    job::run("maintenance", |_| Ok(Command::Run), || Cli::parse().command, job::UNLIMITED, perform)
}

async fn perform(app: &App, command: Command, _: Duration) -> Result<Value, String> {
    match command {
        Command::Run => {
            let report = maintenance::run(app).await;
            let answer = serde_json::to_value(&report).map_err(|error| error.to_string())?;
            // The function must fail where a step has: its alarm asks for a person.
            if report.has_failed() { Err(answer.to_string()) } else { Ok(answer) }
        }
        Command::Status => {
            let tables = maintenance::status(app).await.map_err(|error| with_causes(&error))?;
            serde_json::to_value(tables).map_err(|error| error.to_string())
        }
    }
}
