//! A function that answers no requests: a schedule or another function starts it, or a person on a command line.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use lambda_http::{
    LambdaEvent,
    lambda_runtime::{self, service_fn},
};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::{
    config::{Config, Runtime, Variables},
    http::{App, logging},
    ids::{Random, SystemRandom},
    invocation::Invocation,
};

/// How long a command may take where nothing limits it.
pub const UNLIMITED: Duration = Duration::from_hours(24 * 365);

/// Runs a function: as a Lambda handler when the Lambda runtime started it, else once, for the command line. This
/// is the whole `main`.
///
/// `of_event` understands an event and `of_arguments` the arguments. `perform` gets the time that is left, and its
/// answer is the function's, or is printed. `limit` is that time where nobody tells one.
#[expect(clippy::needless_pass_by_value, reason = "a main gives functions away")]
pub fn run<C>(
    name: &str,
    of_event: impl Fn(&Map<String, Value>) -> Result<C, String>,
    of_arguments: impl FnOnce() -> C,
    limit: Duration,
    perform: impl AsyncFn(&App, C, Duration) -> Result<Value, String>,
) -> ExitCode {
    let variables = Variables::from_environment([]);
    let is_lambda = variables.get("AWS_LAMBDA_RUNTIME_API").is_some();
    let runtime = if is_lambda { Runtime::Lambda } else { Runtime::Local };
    if is_lambda {
        logging::init(&variables);
    }
    // The command line first: it may ask for help only.
    let command = (!is_lambda).then(of_arguments);
    let opening = Opening::new(runtime, variables);
    let outcome = in_executor(|executor| {
        let Some(command) = command else {
            if !opening.variables.name_secrets() {
                executor.block_on(opening.app())?;
            }
            let handle = async |event: LambdaEvent<Map<String, Value>>| {
                let work = async {
                    let app = opening.app().await?;
                    let left = left(&app, event.context.deadline, limit);
                    let outcome = perform(&app, of_event(&event.payload)?, left).await;
                    outcome.inspect_err(|problem| tracing::error!(problem, "job.failed"))
                };
                Invocation::of(&event.context).measured(work).await
            };
            return executor.block_on(lambda_runtime::run(service_fn(handle))).map_err(|error| error.to_string());
        };
        let app = executor.block_on(opening.app())?;
        let answer = executor.block_on(perform(&app, command, limit))?;
        // Whoever closed the pipe has seen enough.
        let _ = writeln!(io::stdout(), "{answer:#}");
        Ok(())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{name}: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn in_executor(work: impl FnOnce(&tokio::runtime::Runtime) -> Result<(), String>) -> Result<(), String> {
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let executor = executor.map_err(|error| format!("no threads: {error}"))?;
    let _inside = executor.enter();
    work(&executor)
}

/// The state of a function that answers no requests. It is built when it is first asked for, with what lies in
/// secrets, and again after the database has refused a password, which may have been rotated.
struct Opening {
    runtime: Runtime,
    variables: Variables,
    app: Mutex<Option<App>>,
}

impl Opening {
    /// Prepares to build the state. Nothing is signed by such a function, so its secret is one that nobody knows.
    fn new(runtime: Runtime, mut variables: Variables) -> Self {
        let digit = |_| char::from_digit(u32::try_from(SystemRandom.below(16)).ok()?, 16);
        let secret: String = (0..64).filter_map(digit).collect();
        variables.set_default("JWT_SECRET", secret);
        Self { runtime, variables, app: Mutex::default() }
    }

    /// Returns the state.
    ///
    /// # Errors
    /// The configuration is wrong; the message, which is logged too, lists everything that is.
    async fn app(&self) -> Result<App, String> {
        let mut held = self.app.lock().await;
        if let Some(app) = held.as_ref().filter(|app| !app.context.db.was_refused()) {
            return Ok(app.clone());
        }
        let mut variables = self.variables.clone();
        variables.add_secrets().await;
        let config = Config::read(self.runtime, variables).map_err(|problems| problems.to_string());
        let app =
            config.and_then(App::new).inspect_err(|problem| tracing::error!(problem, "configuration.refused"))?;
        Ok(held.insert(app).clone())
    }
}

/// Returns the time until a deadline in milliseconds since 1970.
fn left(app: &App, deadline: u64, limit: Duration) -> Duration {
    let now = u64::try_from(app.context.now()).unwrap_or_default();
    let left = Duration::from_millis(deadline.saturating_sub(now));
    // A local stand-in of Lambda tells a deadline in the past.
    if left.is_zero() { limit } else { left }
}
