//! Schema migrations (`contract/data-model.md` section 7): twice, in many processes at once, after a
//! run that was killed, and on a database that somebody else has changed.

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use shared::db::{Database, Options, schema};
use sqlx::{AssertSqlSafe, Executor as _, MySqlPool, PgPool, SqlitePool};
use testing::{Kind, Server, Settings, empty_database, on_every_database};

on_every_database!(
    a_second_run_does_nothing,
    eight_processes_may_start_at_once,
    a_changed_migration_is_refused,
    a_newer_database_is_refused,
    functions_answer_503_until_the_schema_is_there,
);

/// Runs a statement without the data layer, which would look at the schema first.
async fn execute(options: &Options, statement: &str) {
    let statement = AssertSqlSafe(statement.to_owned());
    let url = &options.url;
    let done = match url.split(':').next() {
        Some("postgres") => PgPool::connect(url).await.unwrap().execute(statement).await.map(|_| ()),
        Some("mysql") => MySqlPool::connect(url).await.unwrap().execute(statement).await.map(|_| ()),
        _ => SqlitePool::connect(url).await.unwrap().execute(statement).await.map(|_| ()),
    };
    done.unwrap();
}

/// Starts `migrate schema` as a process of its own.
fn command(options: &Options) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
    command.arg("schema").env("DATABASE_URL", &options.url).env("APP_ENV", "development");
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn a_second_run_does_nothing(kind: Kind) {
    let database = Database::open(&empty_database(kind).await).unwrap();
    let first = schema::migrate(&database, 1).await.unwrap();
    assert_eq!(first.applied.last(), Some(&first.version));
    assert!(schema::migrate(&database, 2).await.unwrap().applied.is_empty());
}

async fn eight_processes_may_start_at_once(kind: Kind) {
    let options = empty_database(kind).await;
    let start = |_| command(&options).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let processes: Vec<_> = (0..8).map(start).collect();
    let outputs: Vec<Output> = processes.into_iter().map(|process| process.wait_with_output().unwrap()).collect();
    for output in &outputs {
        assert!(output.status.success(), "{}", text(output));
    }
    let applied = |output: &&Output| {
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        !report["applied"].as_array().unwrap().is_empty()
    };
    let appliers = outputs.iter().filter(applied).count();
    assert_eq!(appliers, 1, "one of them makes the schema, the others find it");
}

async fn a_changed_migration_is_refused(kind: Kind) {
    let options = empty_database(kind).await;
    assert!(command(&options).output().unwrap().status.success());
    let digest = "0".repeat(64);
    let changed = format!(
        "UPDATE _migrations SET hash = '0001_tables.sql:{digest}' WHERE hash LIKE '0001\\_tables.sql:%' ESCAPE '\\'"
    );
    let changed = if kind == Kind::MariaDb { changed.replace('\\', "\\\\") } else { changed };
    execute(&options, &changed).await;
    let refused = command(&options).output().unwrap();
    assert!(!refused.status.success());
    let message = text(&refused);
    for part in ["0001_tables.sql", &digest, "restore the released file"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

async fn a_newer_database_is_refused(kind: Kind) {
    let options = empty_database(kind).await;
    assert!(command(&options).output().unwrap().status.success());
    let newer = "INSERT INTO _migrations (hash, kind, created_at) VALUES ('9999_future.sql:00', 'schema', 1)";
    execute(&options, newer).await;
    let refused = command(&options).output().unwrap();
    assert!(!refused.status.success());
    let message = text(&refused);
    assert!(
        message.contains("9999_future.sql") && message.contains("deploy the version that made it"),
        "{message}"
    );
}

async fn functions_answer_503_until_the_schema_is_there(kind: Kind) {
    let options = empty_database(kind).await;
    let settings = || Settings { database_url: Some(options.url.clone()), ..Settings::default() };
    let server = Server::start_with(kind, settings()).await;
    let register = || json!({"email": "a@example.com", "password": "secret"});
    let out_of_date = json!({"status": "error", "message": "Database schema is not up to date"});

    let before = server.anonymous().post("/api/v1/auth/register", register()).await;
    assert_eq!((before.status.as_u16(), &before.body), (503, &out_of_date));

    assert!(command(&options).output().unwrap().status.success());
    server.anonymous().post("/api/v1/auth/register", register()).await.data();

    let newer = "INSERT INTO _migrations (hash, kind, created_at) VALUES ('9999_future.sql:00', 'schema', 1)";
    execute(&options, newer).await;
    let cold = Server::start_with(kind, settings()).await;
    let after = cold.anonymous().post("/api/v1/auth/login", register()).await;
    assert_eq!((after.status.as_u16(), &after.body), (503, &out_of_date));
}

/// MySQL commits every statement that changes the schema. Stopping after each of them in turn is what
/// a kill does.
#[tokio::test]
async fn a_run_that_was_killed_on_mysql_is_finished_by_the_next() {
    let file = include_str!("../../../migrations/mysql/0001_tables.sql");
    let statements: Vec<&str> = file.split(";\n").filter(|statement| statement.contains("CREATE")).collect();
    let ledger = include_str!("../../../migrations/mysql/0000_ledger.sql");
    for killed_after in 0..=statements.len() {
        let options = empty_database(Kind::MariaDb).await;
        let pool = MySqlPool::connect(&options.url).await.unwrap();
        pool.execute(AssertSqlSafe(ledger.to_owned())).await.unwrap();
        for statement in &statements[..killed_after] {
            pool.execute(AssertSqlSafe((*statement).to_owned())).await.unwrap();
        }
        let database = Database::open(&options).unwrap();
        let report = schema::migrate(&database, 1).await.unwrap();
        assert_eq!(report.applied[..2], ["0000_ledger.sql", "0001_tables.sql"]);
        let tables: (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()")
                .fetch_one(&pool)
                .await
                .unwrap();
        // The ledger, and those of 0002 and 0003.
        assert_eq!(usize::try_from(tables.0).unwrap(), statements.len() + 3);
    }
}
