//! `push-scheduler`: a Lambda handler when the Lambda runtime started it; a command line otherwise.

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use push_scheduler::{Command, LIMIT, deliver, replay};
use serde_json::Value;
use shared::{
    Error,
    clock::{Clock, SystemClock},
    error::with_causes,
    http::App,
    job,
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

impl Cli {
    fn command(self) -> Command {
        match self.task {
            Task::Run { slot: Some(slot) } => Command::Replay(slot),
            Task::Run { slot: None } => Command::Due(SystemClock.now()),
            Task::Status => Command::Status,
        }
    }
}

fn main() -> ExitCode {
    job::run("push-scheduler", Command::of_event, || Cli::parse().command(), LIMIT, perform)
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
