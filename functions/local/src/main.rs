//! The process `local`. Needs no account, key, container or network service.

use std::{
    fs, io,
    io::{IsTerminal, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use indexer::Index;
use local::timers::{self, Every};
use migrate::status;
use rand::Rng;
use shared::{
    clock::{Clock, Millis, SystemClock},
    config::{Config, Runtime, Variables, VectorStores, env_example},
    db::{Database, schema},
    error::with_causes,
    http::{App, logging},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// How long the indexer works before it looks again for what came meanwhile.
const INDEXING: Duration = Duration::from_secs(50);

/// When maintenance runs, in the configured zone (`contract/lancedb-tables.md` section 8).
const MAINTENANCE_HOUR: i8 = 2;

const HELP: &str = "\
Serves the whole product on one port: SQLite, vectors and files in a directory.

Usage: local [--help | --version | --env-example]

Settings are environment variables or lines of .env in the working directory;
--env-example prints all of them. The most important ones:

  PORT          9000
  DATA_DIR      .data
  DATABASE_URL  aimo.db in DATA_DIR, or postgres://… or mysql://…
";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--env-example") => return print(&env_example()),
        Some("--version") => return print(concat!("local ", env!("CARGO_PKG_VERSION"), "\n")),
        Some("--help" | "-h") => return print(HELP),
        Some(other) => {
            eprintln!("local: unknown argument {other}; see local --help");
            return ExitCode::from(2);
        }
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("local: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> ExitCode {
    // Whoever closed the pipe has seen enough.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn run() -> Result<(), String> {
    let file = dotenvy::dotenv_iter().into_iter().flatten().filter_map(Result::ok);
    let mut variables = Variables::from_environment(file);
    logging::init(&variables);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no threads: {error}"))?;
    runtime.block_on(variables.add_secrets());
    if variables.get("JWT_SECRET").is_none() {
        let secret = own_secret(Path::new(variables.get("DATA_DIR").unwrap_or(".data")))?;
        variables.set_default("JWT_SECRET", secret);
    }
    let own_store = Path::new(variables.get("DATA_DIR").unwrap_or(".data")).join("lancedb");
    let stores = VectorStores::read(&mut variables, Some(own_store.display().to_string()));
    let config = Config::read(Runtime::Local, variables).map_err(|problems| problems.to_string())?;
    create_data_dir(&config.data_dir)?;
    runtime.block_on(serve(config, stores))
}

fn create_data_dir(directory: &Path) -> Result<(), String> {
    fs::create_dir_all(directory).map_err(|error| {
        format!("the data directory {} cannot be made: {error}. Set DATA_DIR to another one.", directory.display())
    })
}

/// Returns the secret of this installation, which is made at the first start and kept for the owner's
/// eyes only.
fn own_secret(directory: &Path) -> Result<String, String> {
    use std::os::unix::fs::OpenOptionsExt;

    create_data_dir(directory)?;
    let path = directory.join("jwt-secret");
    let failed = |error: io::Error| {
        format!("the login secret {} cannot be kept: {error}. Set JWT_SECRET or DATA_DIR.", path.display())
    };
    if !path.exists() {
        let mut bytes = [0_u8; 32];
        rand::rng().fill_bytes(&mut bytes);
        // Written beside its place and linked there: nobody ever reads half a secret, and of two
        // processes that start at once the first one wins.
        let draft = directory.join(format!("jwt-secret.{}", std::process::id()));
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
        let mut file = file.map_err(failed)?;
        file.write_all(hex::encode(bytes).as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        let linked = fs::hard_link(&draft, &path);
        fs::remove_file(&draft).map_err(failed)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(fs::read_to_string(&path).map_err(failed)?.trim().to_owned())
}

async fn serve(config: Config, stores: Option<VectorStores>) -> Result<(), String> {
    let address = (config.host.clone(), config.port);
    let listener = TcpListener::bind(&address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("port {} of {} is taken by another process. Set PORT to another one.", address.1, address.0)
        }
        _ => format!("cannot listen on {}:{}: {error}", address.0, address.1),
    })?;
    let app = App::new(config)?;
    let migrated = schema::migrate(&app.context.db, SystemClock.now()).await;
    let report = migrated.map_err(|error| explain(&error, &app.config))?;
    if !report.applied.is_empty() {
        tracing::info!(applied = report.applied.join(" "), "schema.migrated");
    }
    tokio::spawn(tell_of_old_install(app.context.db.clone(), stores));
    let bound = listener.local_addr().map_err(|error| error.to_string())?;
    // Before it says that it is there: whoever reads that may want it to stop.
    let stop = stop_requested()?;
    let ready = format!("AIMO {} listens on http://{bound}", env!("CARGO_PKG_VERSION"));
    if io::stdout().is_terminal() {
        println!("{ready}");
    } else {
        tracing::info!(url = format!("http://{bound}"), "{ready}");
    }
    if let Some(missing) = app.config.models.what_is_missing() {
        if io::stdout().is_terminal() {
            println!("{missing}");
        } else {
            tracing::warn!("{missing}");
        }
    }
    if app.config.schedules {
        begin_schedules(&app);
    }
    let router = local::router(&app);
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
        .map_err(|error| format!("the server failed: {error}"))
}

/// Does the work of the schedules in this process, as long as it runs. An hour that has just begun is delivered
/// too, for a process that was restarted at its minute 0.
fn begin_schedules(app: &App) {
    const HOUR: Millis = 3_600_000;
    let now = app.context.now();
    begin(app, Every::Hour, now - HOUR, |app, due| {
        async move {
            let delivered = push_scheduler::deliver(&app, due, push_scheduler::LIMIT).await;
            delivered.map(|_| ()).map_err(|error| with_causes(&error))
        }
        .boxed()
    });
    begin(app, Every::Minute, now, |app, _| {
        async move {
            let drained = Index::of(&app).drain(INDEXING).await;
            drained.map(|_| ()).map_err(|error| with_causes(&error))
        }
        .boxed()
    });
    // It logs what became of each step, as at night.
    begin(app, Every::Hour, now, |app, _| async move { maintenance::early(&app).map(|_| Ok(())).await }.boxed());
    begin(app, Every::Day { hour: MAINTENANCE_HOUR }, now, |app, _| {
        async move { maintenance::run(&app).map(|_| Ok(())).await }.boxed()
    });
}

fn begin(
    app: &App,
    every: Every,
    since: Millis,
    work: impl Fn(App, Millis) -> BoxFuture<'static, Result<(), String>> + Send + 'static,
) {
    let (zone, clock, app) = (app.config.zone.clone(), app.context.clock.clone(), app.clone());
    tokio::spawn(timers::run(every, zone, clock, since, move |due| {
        let work = work(app.clone(), due);
        async move {
            if let Err(error) = work.await {
                tracing::error!(?every, error, "schedule.failed");
            }
        }
    }));
}

/// Says that the data of an old install waits to be migrated: it must not look lost.
async fn tell_of_old_install(database: Database, stores: Option<VectorStores>) {
    let Some(stores) = stores else { return };
    match status::status(&database, Some(&stores)).await {
        Ok(found) => {
            if let Some(notice) = status::pending_notice(&stores, &found.pending) {
                tracing::warn!("{notice}");
            }
        }
        Err(problem) => tracing::warn!(problem, "migration.pending_unknown"),
    }
}

/// Says what a person can do about a database that does not open.
fn explain(error: &shared::db::Error, config: &Config) -> String {
    use std::error::Error as _;

    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    let place = config.database.url.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//"));
    match place {
        Some(path) => format!("the database {path} cannot be used: {error}{cause}. Is the directory writable?"),
        None => format!("the database cannot be used: {error}{cause}. Check DATABASE_URL."),
    }
}

/// Begins to listen for Ctrl-C and SIGTERM, and returns what ends with the first of them. Requests that are being
/// served are finished.
///
/// # Errors
/// The operating system refuses.
fn stop_requested() -> Result<impl Future<Output = ()>, String> {
    let listen = |kind| signal(kind).map_err(|error| format!("signals cannot be listened to: {error}"));
    let (mut terminated, mut interrupted) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        tracing::info!("server.stopping");
    })
}
