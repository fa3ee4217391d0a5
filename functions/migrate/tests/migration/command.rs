//! The binary, as a stranger at a terminal and as Lambda use it.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use bench::runtime_api::{Failure, Function};
use serde_json::{Value as Json, json};
use testing::Kind;

use crate::{harness::Install, manifest::Manifest, old};

const BINARY: &str = env!("CARGO_BIN_EXE_migrate");

/// Runs the binary with the environment of the install and no other settings.
fn run(install: &Install, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).env_clear().env("APP_ENV", "development").envs(install.variables());
    command.output().expect("the binary runs")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Returns the report that a successful run printed.
fn report(output: &Output) -> Json {
    assert_eq!(output.status.code(), Some(0), "{}", err(output));
    serde_json::from_slice(&output.stdout).expect("the report is JSON")
}

/// Returns why a run failed.
fn failure(output: &Output) -> String {
    assert_eq!((output.status.code(), out(output).as_str()), (Some(1), ""), "{}", err(output));
    err(output)
}

/// Returns every file below a directory with its content.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("the directory is there") {
        let path = entry.expect("the directory can be read").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string(), fs::read(&path).expect("the file can be read"));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn help_says_what_each_command_does_and_how_options_are_called() {
    let install = Install::empty(Kind::Sqlite).await;
    let help = out(&run(&install, &["--help"]));
    for command in ["schema", "check", "run", "verify", "status", "restore"] {
        assert!(help.contains(&format!("  {command} ")), "{command}: {help}");
        let help = out(&run(&install, &[command, "--help"]));
        for option in [
            "--source <URI>",
            "MIGRATION_SOURCE_LANCEDB_URI",
            "--database-url <URL>",
            "DATABASE_URL",
            "--vectors <URI>",
            "LANCEDB_URI",
            "--backup <URI>",
            "BACKUP_URI",
            "--duplicate-emails <refuse|oldest-keeps>",
            "--legacy-tag-names <restore|report>",
            "--invalid-properties <refuse|null>",
            "--skip-backup",
            "--allow-stale-source",
        ] {
            assert!(help.contains(option), "{command} {option}: {help}");
        }
    }
    let help = out(&run(&install, &["run", "--help"]));
    assert!(["- backup: ", "- vectors: ", "- load: "].iter().all(|phase| help.contains(phase)), "{help}");
    assert!(out(&run(&install, &["restore", "--help"])).contains("--into <URI>"));
    assert!(out(&run(&install, &["--version"])).starts_with("migrate "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_migrates_an_install() {
    let (install, manifest) = (Install::fixture(Kind::Sqlite).await, Manifest::read());
    let untouched = files(Path::new(&install.source()));

    let checked = run(&install, &["check"]);
    assert_eq!(report(&checked)["tables"]["memos"]["inserted"], manifest.count("memos"));
    assert!(err(&checked).contains("Checking memos: 60 rows"), "{}", err(&checked));
    assert_eq!(install.rows("SELECT name FROM sqlite_master").await, json!([]));
    assert!(files(Path::new(&install.source())) == untouched, "check writes into the old store");
    assert!(!Path::new(&install.path("backup")).exists());

    let waiting = report(&run(&install, &["status"]));
    assert_eq!(waiting["pending"].as_array().map(Vec::len), Some(10));
    let schema = run(&install, &["schema"]);
    let notice = report(&schema)["notice"].as_str().unwrap().to_owned();
    assert!(notice.contains("has not been migrated: run `migrate run`"), "{notice}");
    let early = failure(&run(&install, &["verify"]));
    assert_eq!(early, "migrate: this database has not been migrated: run `migrate run` first\n");

    let migrated = run(&install, &["run"]);
    let first = report(&migrated);
    assert_eq!(first["status"], "migrated");
    for (table, _, rows) in manifest.database() {
        assert_eq!(first["tables"][table]["inserted"], rows.len(), "{table}");
    }
    let progress = err(&migrated);
    for line in [
        "Migrating memos: 60 rows",
        "Migrated 60 memos (skipped 0, orphans ",
        "Copied 60 memo_vectors (skipped 0, orphans 0) in ",
        "Verified 20 ai_messages (skipped 0, orphans 0) in ",
    ] {
        assert!(progress.contains(line), "{line}: {progress}");
    }
    for secret in ["alice@example.com", "$2b$", "open.feishu.example", "hello world"] {
        assert!(!progress.contains(secret) && !first.to_string().contains(secret), "{secret}");
    }
    let after = files(Path::new(&install.source()));
    assert!(untouched.iter().all(|(file, bytes)| after.get(file) == Some(bytes)), "the old tables are only read");

    let again = report(&run(&install, &["run"]));
    assert_eq!((&again["status"], &again["tables"]), (&json!("already-migrated"), &first["tables"]));
    assert_eq!(report(&run(&install, &["check"]))["status"], "already-migrated");
    let status = report(&run(&install, &["status"]));
    assert_eq!((&status["migration"]["runId"], &status["pending"]), (&first["runId"], &Json::Null));
    assert_eq!(report(&run(&install, &["schema"])).get("notice"), None);

    let verified = report(&run(&install, &["verify"]));
    let changed = |verified: &Json| {
        let tables = verified.as_object().unwrap().iter();
        let changed = tables.filter(|(_, table)| table["databaseIsUnchanged"] == false);
        changed.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(changed(&verified), [""; 0]);
    assert!(verified.as_object().unwrap().values().all(|table| table["sourceIsUnchanged"] == true));
    testing::execute(&install.database.url, "UPDATE memos SET content = 'x' WHERE is_public = 1".to_owned()).await;
    assert_eq!(changed(&report(&run(&install, &["verify"]))), ["memos"]);

    let backup = first["backup"].as_str().unwrap();
    let restored = install.path("restored");
    let answer = report(&run(&install, &["restore", "--from", backup, "--into", &restored]));
    assert_eq!(answer["restored"]["memos"], manifest.count("memos"));
    let other = old::install(Kind::Sqlite).await;
    let other = report(&run(&other, &["run", "--source", &restored, "--skip-backup"]));
    for (table, report) in first["tables"].as_object().unwrap() {
        assert_eq!(other["tables"][table]["checksum"], report["checksum"], "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_wrong_is_told_in_words() {
    let install = Install::empty(Kind::Sqlite).await;
    install.write("memos", old::MEMOS, &[old::memo("m1", json!({"content": null}))]).await;
    let bare = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(arguments).env_clear().env("DATABASE_URL", &install.database.url);
        command.output().expect("the binary runs")
    };
    let source = install.source();
    let missing = "migrate: --source is missing: the LanceDB directory or s3:// prefix of the old install\n";
    for command in ["run", "check"] {
        assert_eq!(failure(&bare(&[command])), missing);
    }
    let failed = failure(&bare(&["run", "--source", &source]));
    assert!(
        failed.ends_with("migrate: 1 problems, nothing was changed:\n  - memos m1: content is missing\n"),
        "{failed}"
    );

    let healthy = old::install(Kind::Sqlite).await;
    healthy.write("memos", old::MEMOS, &[old::memo("m1", json!({}))]).await;
    let source = healthy.source();
    let failed = failure(&bare(&["run", "--source", &source]));
    let expected =
        "migrate: --backup is missing: a directory or s3:// prefix for the backup; --skip-backup does without\n";
    assert!(failed.ends_with(expected), "{failed}");
    let failed = failure(&bare(&["run", "--source", "/no/such/store", "--skip-backup"]));
    assert!(failed.contains("there is no LanceDB store at /no/such/store"), "{failed}");
    let failed = failure(&bare(&["check", "--source", &source, "--duplicate-emails", "newest"]));
    assert!(failed.contains("MIGRATION_DUPLICATE_EMAILS"), "{failed}");
    let failed = failure(&bare(&["status", "--database-url", "oracle://x"]));
    assert!(failed.contains("DATABASE_URL"), "{failed}");
    for wrong in [&["run", "--sauce", "x"][..], &["drop-legacy"], &[]] {
        assert_eq!(bare(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let done = report(&bare(&["run", "--source", &source, "--skip-backup"]));
    assert_eq!(done["warnings"], json!(["no backup was made, as asked for by --skip-backup"]));
}

/// The time limit of a function with the longest that Lambda gives.
const QUARTER_OF_AN_HOUR: Duration = Duration::from_mins(15);

async fn start(install: &Install) -> Function {
    let variables = install.variables().into_iter();
    let variables =
        variables.chain([("APP_ENV", "development".to_owned()), ("EFS_MOUNT_PATH", install.path("backup"))]);
    let mut function = Function::start("migrate", Path::new(BINARY), variables).await.expect("the binary runs");
    function.first_poll().await.expect("the function polls");
    function
}

async fn invoked(function: &mut Function, event: Json) -> Json {
    let outcome = function.invoke_within(&event, QUARTER_OF_AN_HOUR).await;
    outcome.unwrap_or_else(|failure| panic!("{event}: {failure}\n{}", function.log()))
}

async fn refused(function: &mut Function, event: Json) -> String {
    match function.invoke(&event).await {
        Err(Failure::Invocation(error)) => error.message,
        other => panic!("{event}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_migrates_in_phases() {
    let install = Install::fixture(Kind::Sqlite).await;
    let mut function = start(&install).await;
    let schema = invoked(&mut function, json!({"command": "schema"})).await;
    assert!(schema["notice"].as_str().is_some_and(|notice| notice.contains("migrate run")), "{schema}");
    let checked = invoked(&mut function, json!({"command": "check"})).await;
    assert_eq!((&checked["status"], &checked["tables"]["memos"]["inserted"]), (&json!("phase-done"), &json!(60)));

    let early = refused(&mut function, json!({"command": "run", "phase": "load"})).await;
    assert!(early.contains("there is no finished backup of these versions"), "{early}");
    let backup = invoked(&mut function, json!({"command": "run", "phase": "backup"})).await;
    assert_eq!((&backup["status"], backup.get("vectorTables")), (&json!("phase-done"), None));
    let vectors = invoked(&mut function, json!({"command": "run", "phase": "vectors"})).await;
    assert_eq!(vectors["vectorTables"]["memos"]["copied"], 60);

    // The local stand-in gives half a minute, of which a load keeps twice as much for the way back.
    let late = refused(&mut function, json!({"command": "run", "phase": "load"})).await;
    let expected = "the time limit of the function is near; run the migration binary on a host or container; \
        database rolled back";
    assert!(late.ends_with(expected), "{late}");
    assert_eq!(install.rows("SELECT COUNT(*) FROM users").await, json!([[0]]));

    let load = invoked(&mut function, json!({"command": "run", "phase": "load"})).await;
    assert_eq!((&load["status"], &load["tables"]["memos"]["inserted"]), (&json!("migrated"), &json!(60)));
    assert_eq!(load["backup"], backup["backup"]);
    assert_eq!(load["tables"]["vector_outbox"]["inserted"], 0);
    let again = invoked(&mut function, json!({"command": "run"})).await;
    assert_eq!((&again["status"], &again["tables"]), (&json!("already-migrated"), &load["tables"]));
    let log = function.log();
    assert!(log.contains("Migrated 60 memos") && log.contains("\"table\":\"memos\""), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_refuses_events_that_mean_nothing() {
    let install = Install::empty(Kind::Sqlite).await;
    let mut function = start(&install).await;
    assert_eq!(refused(&mut function, json!({})).await, "the event has no \"command\"");
    let wrong = refused(&mut function, json!({"command": "drop-legacy"})).await;
    assert!(wrong.contains("drop-legacy"), "{wrong}");
    let wrong = refused(&mut function, json!({"command": "run", "backup": ["x"]})).await;
    assert_eq!(wrong, "\"backup\" must be a text or true");
    let elsewhere = json!({"command": "run", "source": "/no/such/store"});
    let wrong = refused(&mut function, elsewhere).await;
    assert!(wrong.contains("there is no LanceDB store at /no/such/store"), "{wrong}");
}
