//! `indexer`: a Lambda handler when the Lambda runtime started it, a command line otherwise.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use indexer::{
    Index,
    command::{Cli, Command},
};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use shared::{
    clock::{Clock, SystemClock},
    config::{Config, Runtime, Variables, log_filter},
    http::{App, logging},
};

/// How much of its time a function uses: what it has begun must end too.
const USED: f64 = 0.8;

/// How long the command line goes on: until nothing is left.
const UNLIMITED: Duration = Duration::from_hours(24 * 365);

fn main() -> ExitCode {
    let is_lambda = Variables::from_environment([]).get("AWS_LAMBDA_RUNTIME_API").is_some();
    let executor = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(executor) => executor,
        Err(error) => return fail(&error.to_string()),
    };
    let outcome = if is_lambda {
        logging::init(&log_filter(&Variables::from_environment([])));
        executor.block_on(async {
            let app = app(Runtime::Lambda)?;
            lambda_runtime::run(service_fn(|event| handle(&app, event))).await.map_err(|error| error.to_string())
        })
    } else {
        let cli = Cli::parse();
        executor.block_on(async {
            let answer = perform(&app(Runtime::Local)?, cli.command, UNLIMITED).await?;
            // Whoever closed the pipe has seen enough.
            let _ = writeln!(io::stdout(), "{answer:#}");
            Ok(())
        })
    };
    outcome.map_or_else(|problem| fail(&problem), |()| ExitCode::SUCCESS)
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("indexer: {problem}");
    ExitCode::FAILURE
}

fn app(runtime: Runtime) -> Result<App, String> {
    let config =
        Config::read(runtime, Variables::from_environment([])).map_err(|problems| problems.to_string())?;
    App::new(config)
}

/// Drains the outbox, whatever the event says: the schedule sends one each minute.
async fn handle(app: &App, event: LambdaEvent<Value>) -> Result<Value, String> {
    let now = u64::try_from(SystemClock.now()).unwrap_or_default();
    let left = Duration::from_millis(event.context.deadline.saturating_sub(now)).mul_f64(USED);
    perform(app, Command::Run, left).await.inspect_err(|error| tracing::error!(error, "indexer.failed"))
}

async fn perform(app: &App, command: Command, budget: Duration) -> Result<Value, String> {
    let index = Index::of(app);
    let answer = match command {
        Command::Run => serde_json::to_value(index.drain(budget).await.map_err(|error| error.to_string())?),
        Command::Status => serde_json::to_value(index.status().await.map_err(|error| error.to_string())?),
    };
    answer.map_err(|error| error.to_string())
}
