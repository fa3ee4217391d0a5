//! The command line of `push-scheduler`.

use std::process::Command;

use shared::{
    clock::{Clock, SystemClock},
    db::{Database, schema},
};
use testing::{Kind, empty_database, on_every_database};

on_every_database!(an_hour_is_delivered_by_hand);

async fn an_hour_is_delivered_by_hand(kind: Kind) {
    let options = empty_database(kind).await;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_push-scheduler"));
        command.args(arguments).env("DATABASE_URL", &options.url).env("APP_ENV", "development");
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let (is_done, _, problem) = run(&["run"]);
    assert!(!is_done && problem.contains("migrate schema"), "{problem}");
    schema::migrate(&Database::open(&options).unwrap(), SystemClock.now()).await.unwrap();
    let (is_done, report, problem) = run(&["run"]);
    assert!(is_done && report.contains("\"sent\": 0"), "{report}{problem}");
    let (is_done, status, problem) = run(&["status"]);
    assert!(is_done && status.contains("\"finished\": true"), "{status}{problem}");
    for (slot, expected) in
        [("2026-03-05", "2026-03-05T08"), ("2020-03-05T08", "too old"), ("2999-01-01T00", "not begun")]
    {
        let (is_done, _, problem) = run(&["run", "--slot", slot]);
        assert!(!is_done && problem.contains(expected), "{slot}: {problem}");
    }
}
