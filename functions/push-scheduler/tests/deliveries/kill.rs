//! Runs that are killed: whatever they had claimed is sent by a later run, at most once more, and marked.

use std::{
    os::unix::process::ExitStatusExt,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use shared::{
    clients::{self, Answer, Call, Http},
    clock::ManualClock,
    config::{Config, Runtime, Variables},
    http::App,
    ids::SystemRandom,
    services::{
        push_deliveries::{self, Outlet},
        push_slots::Slot,
    },
};
use testing::{Kind, on_every_database};

use crate::harness::{HOUR, Install, LIMIT, NOW};

on_every_database!(
    a_run_killed_between_claim_and_send_is_made_up_for,
    a_run_killed_between_send_and_mark_is_made_up_for,
);

const RULES: usize = 40;

/// At which request the victim dies.
const SENT: usize = 5;

/// The variable that says whether [`victim`] kills itself before or after a request.
const KILLED: &str = "TEST_KILLED";

/// Sends some requests, and then kills the process: before it sends the last of them, or after that. Nobody
/// learns how any of them ended.
struct Killing {
    http: Arc<dyn Http>,
    begun: AtomicUsize,
    answered: AtomicUsize,
    after: bool,
}

impl Http for Killing {
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, clients::Result<Answer>> {
        Box::pin(async move {
            let place = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            if place < SENT || place == SENT && self.after {
                self.http.send(call).await.expect("the endpoint answers");
                self.answered.fetch_add(1, Ordering::SeqCst);
            }
            if place == SENT {
                while self.answered.load(Ordering::SeqCst) < SENT - usize::from(!self.after) {
                    tokio::task::yield_now().await;
                }
                kill();
            }
            std::future::pending().await
        })
    }
}

fn kill() {
    let killed = Command::new("sh").args(["-c", "kill -9 $PPID"]).status();
    unreachable!("killed, but {killed:?}");
}

/// The process that [`killed`] starts. Without the variable it has nothing to do.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of the other tests of this file"]
async fn victim() {
    let variables = Variables::from_environment([]);
    let Some(after) = variables.get(KILLED).map(|when| when == "after") else { return };
    let config = Config::read(Runtime::Local, variables).expect("the settings of tests are right");
    let app = App::with(config, Arc::new(ManualClock::at(NOW)), Arc::new(SystemRandom)).expect("the URL is right");
    let http = Arc::new(Killing {
        http: app.guarded_http().clone(),
        begun: AtomicUsize::default(),
        answered: AtomicUsize::default(),
        after,
    });
    let outlet = Outlet { http, policy: &app.config.outbound, chat: app.chat() };
    let slot = Slot::at(NOW, &app.config.zone);
    let report = push_deliveries::run(&app.context, &outlet, slot, NOW, LIMIT).await;
    unreachable!("it ends: {report:?}");
}

async fn killed(install: &Install, when: &str) {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command
        .args(["kill::victim", "--exact", "--ignored", "--nocapture"])
        .env(KILLED, when)
        .env("JWT_SECRET", "a test secret of thirty-two bytes")
        .env("DATABASE_URL", &install.database_url)
        .env("MEOW_BASE_URL", install.endpoint.url())
        .env("OUTBOUND_TRUSTED_HOSTS", &install.endpoint.host);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it does not panic");
    let output = output.expect("the process can be started");
    assert_eq!(output.status.signal(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn recovers(kind: Kind, when: &str) {
    let install = Install::start(kind).await;
    install.rules(7, (0..RULES).map(|number| format!("ok-{number}"))).await;
    killed(&install, when).await;
    let before = install.endpoint.calls("ok");
    assert_eq!(before.len(), SENT - usize::from(when == "before"));
    // Whoever comes before the lease is over leaves everything alone: the victim might be alive.
    let too_early = install.run(NOW).await;
    assert_eq!((too_early.sent, too_early.skipped), (0, RULES as u64));
    assert_eq!((install.unfinished().await, install.endpoint.calls("ok")), (1, before.clone()));
    // The next run by the clock finishes it. That its lease is over by then is what makes it the next one.
    assert!(LIMIT + Duration::from_mins(1) < Duration::from_hours(1));
    let next = install.run_at(NOW + HOUR).await;
    assert_eq!(next.slots, ["2026-03-05T08", "2026-03-05T09"]);
    assert_eq!((next.sent, next.possible_duplicates, next.left), (RULES as u64, RULES as u64, 0));
    let calls = install.endpoint.calls("ok");
    assert_eq!(calls.len(), RULES);
    for (name, calls) in calls {
        assert_eq!(calls, 1 + usize::from(before.contains_key(&name)), "{name}");
    }
    let all = i64::try_from(RULES).unwrap();
    assert_eq!((install.ledger("sent").await, install.unfinished().await), ((all, all), 0));
}

async fn a_run_killed_between_claim_and_send_is_made_up_for(kind: Kind) {
    recovers(kind, "before").await;
}

async fn a_run_killed_between_send_and_mark_is_made_up_for(kind: Kind) {
    recovers(kind, "after").await;
}
