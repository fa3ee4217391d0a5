//! `migrate`: brings a database to the schema of this version.
//!
//! A Lambda handler when the Lambda runtime started it, invoked with `{"command": "schema"}`; a
//! command line otherwise.

use std::{error::Error as _, process::ExitCode};

use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use shared::{
    clock::{Clock, SystemClock},
    config::{Runtime, Variables, log_filter, read_database},
    db::{Database, schema},
    http::logging,
};

const HELP: &str = "\
Brings a database to the schema of this version.

Usage: migrate schema

Reads DATABASE_URL (postgres://…, mysql://… or sqlite:…) and the other DATABASE_
settings. Safe to run twice, in several places at once, and after a run that was
killed. As a Lambda function it takes the event {\"command\": \"schema\"}.
";

/// The event of the Lambda function.
#[derive(Debug, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
enum Command {
    Schema,
}

/// What a run did.
#[derive(Debug, Serialize)]
struct Report {
    applied: Vec<&'static str>,
    version: &'static str,
}

fn main() -> ExitCode {
    let is_lambda = Variables::from_environment([]).get("AWS_LAMBDA_RUNTIME_API").is_some();
    let runtime = if is_lambda { Runtime::Lambda } else { Runtime::Local };
    let executor = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(executor) => executor,
        Err(error) => return fail(&error.to_string()),
    };
    if is_lambda {
        logging::init(&log_filter(&Variables::from_environment([])));
        let handler = service_fn(move |event: LambdaEvent<Command>| async move {
            let Command::Schema = event.payload;
            migrate_schema(runtime).await
        });
        return match executor.block_on(lambda_runtime::run(handler)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error.to_string()),
        };
    }
    match std::env::args().nth(1).as_deref() {
        Some("schema") => match executor.block_on(migrate_schema(runtime)) {
            Ok(Report { applied, version }) if applied.is_empty() => {
                println!("The schema is up to date ({version}).");
                ExitCode::SUCCESS
            }
            Ok(Report { applied, version }) => {
                println!("Applied {}; the schema is at {version}.", applied.join(", "));
                ExitCode::SUCCESS
            }
            Err(problem) => fail(&problem),
        },
        Some("--help" | "-h") => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{HELP}");
            ExitCode::from(2)
        }
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("migrate: {problem}");
    ExitCode::FAILURE
}

async fn migrate_schema(runtime: Runtime) -> Result<Report, String> {
    let options =
        read_database(runtime, Variables::from_environment([])).map_err(|problems| problems.to_string())?;
    let database = Database::open(&options)?;
    let report = schema::migrate(&database, SystemClock.now()).await.map_err(|error| {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        tracing::error!(error = %error, cause, "schema.failed");
        format!("{error}{cause}")
    })?;
    tracing::info!(applied = report.applied.join(" "), version = report.version, "schema.migrated");
    Ok(Report { applied: report.applied, version: report.version })
}
