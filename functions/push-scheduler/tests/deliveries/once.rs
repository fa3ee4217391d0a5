//! The same event again and again.

use std::collections::BTreeSet;

use shared::services::push_deliveries::{self, Report};
use testing::{Kind, on_every_database};
use tokio::task::JoinSet;

use crate::harness::{DAY, HOUR, Install, LIMIT, NOW};

on_every_database!(ten_events_in_sequence_and_ten_at_once_send_each_push_once, the_ledger_forgets_after_a_month,);

const RULES: usize = 10_000;

async fn ten_events_in_sequence_and_ten_at_once_send_each_push_once(kind: Kind) {
    let install = Install::start(kind).await;
    install.rules(1000, (0..RULES).map(|number| format!("ok-{number}"))).await;
    install.memos((0..1000).map(|user| (format!("u{user:04}"), "a memo".to_owned(), NOW - HOUR))).await;
    let db = &install.app().context.db;
    let before = db.statements();
    let first = install.run(NOW).await;
    let statements = db.statements() - before;
    let all = RULES as u64;
    let slots = |day: &str| vec![format!("2026-03-{day}T08")];
    assert_eq!(first, Report { slots: slots("05"), matched: all, sent: all, ..Report::default() });
    // Per 100 rules at most 4 for the ledger and 4 for the content; those for the rules count here too.
    assert!(statements <= 8 * all / 100, "{statements} statements");
    for _ in 1..10 {
        assert_eq!(install.run(NOW).await, Report::default(), "the slot is finished");
    }
    install.clock.set(NOW + DAY);
    let app = install.app().clone();
    let run = move |_| {
        let app = app.clone();
        async move { push_scheduler::deliver(&app, NOW + DAY, LIMIT).await.unwrap() }
    };
    let reports = (0..10).map(run).collect::<JoinSet<_>>().join_all().await;
    assert_eq!(reports.iter().map(|report| report.sent).sum::<u64>(), all);
    assert!(reports.iter().all(|report| report.failed + report.possible_duplicates + report.left == 0));
    let calls = install.endpoint.calls("ok");
    assert_eq!((calls.len(), calls.values().collect::<BTreeSet<_>>()), (RULES, BTreeSet::from([&2])));
    // The last of those that ran at once, or the next one, notices that nothing is left.
    install.run_at(NOW + DAY + HOUR).await;
    assert_eq!((install.unfinished().await, install.ledger("sent").await), (0, (2 * all.cast_signed(), 0)));
}

async fn the_ledger_forgets_after_a_month(kind: Kind) {
    let install = Install::start(kind).await;
    install.rules(3, (0..30).map(|number| format!("ok-{number}"))).await;
    for day in [0, 1, 31] {
        install.run_at(NOW + day * DAY).await;
    }
    let context = &install.app().context;
    assert_eq!(push_deliveries::prune(context).await.unwrap(), 30);
    assert_eq!(push_deliveries::prune(context).await.unwrap(), 0);
    assert_eq!(install.ledger("sent").await, (60, 0));
    // What is forgotten is not delivered again, nor is what has not begun.
    for (due, ok) in [(NOW, false), (NOW + DAY, true), (NOW + 32 * DAY, false)] {
        assert_eq!(push_scheduler::deliver(install.app(), due, LIMIT).await.is_ok(), ok, "{due}");
    }
    assert_eq!(install.endpoint.calls("ok").values().sum::<usize>(), 90);
}
