//! `push-scheduler`: a Lambda handler when the Lambda runtime started it; a command line otherwise.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use lambda_runtime::{LambdaEvent, service_fn};
use push_scheduler::{Command, LIMIT, deliver, replay};
use serde_json::{Map, Value};
use shared::{
    Error,
    config::{Config, Runtime, Variables, log_filter},
    error::with_causes,
    http::{App, logging},
    ids::{Random, SystemRandom},
    services::{push_deliveries, push_slots::Slot},
};

/// Delivers the scheduled pushes of an hour, each once, whoever runs it and how often.
///
/// Settings are environment variables, those of the functions. The function takes the event
/// {"scheduledTime": "2026-03-05T00:00:00Z"} of the schedule, or {"slot": "2026-03-05T08"}.
#[derive(Debug, Parser)]
#[command(name = "push-scheduler", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Deliver the pushes of this hour, or of another one.
    Run {
        /// The local date and hour, such as 2026-03-05T08.
        #[arg(long)]
        slot: Option<Slot>,
    },
    /// Print what was sent in the last day.
    Status,
}

fn main() -> ExitCode {
    let is_lambda = Variables::from_environment([]).get("AWS_LAMBDA_RUNTIME_API").is_some();
    let executor = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(executor) => executor,
        Err(error) => return fail(&error.to_string()),
    };
    let _inside = executor.enter();
    if is_lambda {
        logging::init(&log_filter(&Variables::from_environment([])));
        let app = match open(Runtime::Lambda) {
            Ok(app) => app,
            Err(problem) => {
                tracing::error!(problem, "configuration.refused");
                return ExitCode::FAILURE;
            }
        };
        let handler = service_fn(|event: LambdaEvent<Map<String, Value>>| handle(&app, event));
        return match executor.block_on(lambda_runtime::run(handler)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error.to_string()),
        };
    }
    let cli = Cli::parse();
    let outcome = open(Runtime::Local).and_then(|app| {
        let command = match cli.task {
            Task::Run { slot: Some(slot) } => Command::Replay(slot),
            Task::Run { slot: None } => Command::Due(app.context.now()),
            Task::Status => Command::Status,
        };
        executor.block_on(perform(&app, command, LIMIT))
    });
    match outcome {
        Ok(answer) => {
            // Whoever closed the pipe has seen enough.
            let _ = writeln!(io::stdout(), "{answer:#}");
            ExitCode::SUCCESS
        }
        Err(problem) => fail(&problem),
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("push-scheduler: {problem}");
    ExitCode::FAILURE
}

/// Builds the state. Nothing is signed here, so the secret is one that nobody knows.
fn open(runtime: Runtime) -> Result<App, String> {
    let mut variables = Variables::from_environment([]);
    let digit = |_| char::from_digit(u32::try_from(SystemRandom.below(16)).ok()?, 16);
    let secret: String = (0..64).filter_map(digit).collect();
    variables.set_default("JWT_SECRET", secret);
    App::new(Config::read(runtime, variables).map_err(|problems| problems.to_string())?)
}

/// Performs an event. The time that is left is that of the invocation.
async fn handle(app: &App, event: LambdaEvent<Map<String, Value>>) -> Result<Value, String> {
    let command = Command::of_event(&event.payload)?;
    let now = u64::try_from(app.context.now()).unwrap_or_default();
    let left = Duration::from_millis(event.context.deadline.saturating_sub(now));
    // A local stand-in of Lambda tells a deadline in the past.
    let limit = if left.is_zero() { LIMIT } else { left };
    perform(app, command, limit).await.inspect_err(|problem| tracing::error!(problem, "push.run_failed"))
}

async fn perform(app: &App, command: Command, limit: Duration) -> Result<Value, String> {
    let answer = match command {
        Command::Due(time) => deliver(app, time, limit).await.map(serde_json::to_value),
        Command::Replay(slot) => replay(app, slot, limit).await.map(serde_json::to_value),
        Command::Status => push_deliveries::status(&app.context).await.map(serde_json::to_value),
    };
    let answer = answer.map_err(|error| match error {
        Error::Refused { message: Some(message), .. } => message.into_owned(),
        other => with_causes(&other),
    });
    answer?.map_err(|error| error.to_string())
}
