//! `migrate`: the schema of the database, and the data of an old install.
//!
//! A Lambda handler when the Lambda runtime started it; a command line otherwise.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use lambda_runtime::{LambdaEvent, service_fn};
use migrate::{
    attachments,
    command::{Cli, Command},
    failure::{Failure, chain},
    load::Deadline,
    observer::Observer,
    progress::{Log, Terminal},
    run::{self, Job},
    source,
    status::{self, pending_notice},
    verify,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use shared::{
    clock::{Clock, SystemClock},
    config::{Migration, Runtime, Variables},
    db::{Database, schema},
    http::logging,
    ids::SystemRandom,
    invocation::Invocation,
};
use vectors::{Place, Store};

fn main() -> ExitCode {
    let is_lambda = Variables::from_environment([]).get("AWS_LAMBDA_RUNTIME_API").is_some();
    let executor = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(executor) => executor,
        Err(error) => return fail(&error.to_string()),
    };
    if is_lambda {
        logging::init(&Variables::from_environment([]));
        return match executor.block_on(lambda_runtime::run(service_fn(handle))) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error.to_string()),
        };
    }
    let cli = Cli::parse();
    let observer = Terminal::default();
    let outcome = executor.block_on(perform(&cli.command, Runtime::Local, &observer, Deadline(None)));
    drop(observer);
    match outcome {
        Ok(answer) => {
            // Whoever closed the pipe has seen enough.
            let _ = writeln!(io::stdout(), "{answer:#}");
            ExitCode::SUCCESS
        }
        Err(failure) => fail(&failure.to_string()),
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("migrate: {problem}");
    ExitCode::FAILURE
}

/// Performs the command of an event.
async fn handle(event: LambdaEvent<Map<String, Value>>) -> Result<Value, String> {
    let cli = Cli::of_event(&event.payload)?;
    let left = u64::try_from(SystemClock.now()).unwrap_or_default();
    let left = Duration::from_millis(event.context.deadline.saturating_sub(left));
    // A local stand-in of Lambda tells a deadline in the past.
    let deadline = Deadline((!left.is_zero()).then(|| Instant::now() + left));
    let work = Box::pin(async {
        let outcome = perform(&cli.command, Runtime::Lambda, &Log::default(), deadline).await;
        outcome.map_err(|failure| {
            tracing::error!(failure = %failure, "migration.failed");
            failure.to_string()
        })
    });
    Invocation::of(&event.context).measured(work).await
}

async fn perform(
    command: &Command,
    runtime: Runtime,
    observer: &dyn Observer,
    deadline: Deadline,
) -> Result<Value, Failure> {
    let mut variables = Variables::from_environment([]);
    command.settings().apply(&mut variables);
    variables.add_secrets().await;
    if let Command::Restore { into, .. } = command {
        variables.set("LANCEDB_URI", into.clone());
    }
    let config =
        Migration::read(runtime, variables.clone()).map_err(|problems| Failure::Refused(problems.to_string()))?;
    let job = |only| Job { config: &config, clock: &SystemClock, random: &SystemRandom, observer, deadline, only };
    match command {
        Command::Schema(_) => migrate_schema(&config).await,
        Command::Check(_) => answer(&run::check(&job(None)).await?),
        Command::Run { phase, .. } => answer(&run::run(&job(phase.map(Into::into))).await?),
        Command::Verify(_) => {
            let comparisons = verify::verify(&config, observer).await?;
            let compared = answer(&comparisons)?;
            if comparisons.values().all(|table| table.source_is_unchanged) {
                return Ok(compared);
            }
            Err(Failure::Refused(format!("the old install does not give what was migrated: {compared:#}")))
        }
        Command::Status(_) => {
            let status = status::status(&run::open(&config)?, config.stores.as_ref()).await;
            answer(&status.map_err(Failure::Refused)?)
        }
        Command::Attachments { from, .. } => {
            answer(&attachments::run(&config, variables, from.clone(), observer, deadline).await?)
        }
        Command::Restore { from, .. } => restore(&config, from).await,
    }
}

fn answer(report: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(report).map_err(|error| Failure::Refused(error.to_string()))
}

async fn migrate_schema(config: &Migration) -> Result<Value, Failure> {
    let database = Database::open(&config.database).map_err(Failure::Refused)?;
    let report = schema::migrate(&database, SystemClock.now()).await;
    let report = report.map_err(|error| Failure::Refused(chain(&error)))?;
    tracing::info!(applied = report.applied.join(" "), version = report.version, "schema.migrated");
    let mut answer = json!({"applied": report.applied, "version": report.version});
    if let Some(stores) = &config.stores {
        match status::status(&database, Some(stores)).await {
            Ok(found) => {
                if let Some(notice) = pending_notice(stores, &found.pending) {
                    tracing::warn!("{notice}");
                    answer["notice"] = notice.into();
                }
            }
            // The schema is there; the store is not needed for it.
            Err(problem) => tracing::warn!(problem, "migration.pending_unknown"),
        }
    }
    Ok(answer)
}

/// Makes the tables of a backup again in the configured store.
async fn restore(config: &Migration, from: &str) -> Result<Value, Failure> {
    let refused = |error: vectors::Error| Failure::Refused(chain(&error));
    let (place, folder) = from.trim_end_matches('/').rsplit_once('/').ok_or_else(|| {
        Failure::Refused(
            "--from must name the folder of a backup, such as backups/20261125T134500Z-0a1b2c3d".to_owned(),
        )
    })?;
    let stores = run::stores(config)?;
    let place = Place::parse(place, stores.endpoint.as_deref(), stores.region.as_deref()).map_err(refused)?;
    let target = Store::open_or_create(&source::options(stores, &stores.target)).await.map_err(refused)?;
    let tables = vectors::restore_backup(&place, folder, &target).await.map_err(refused)?;
    Ok(
        json!({"restored": tables.into_iter().map(|(table, rows)| (table, rows.into())).collect::<Map<_, Value>>()}),
    )
}
