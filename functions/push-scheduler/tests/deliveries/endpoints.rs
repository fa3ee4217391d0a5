//! Endpoints that answer late, badly or not at all, and what that costs the others.

use std::time::Duration;

use serde_json::json;
use testing::{Kind, on_every_database};
use tokio::time::Instant;

use crate::harness::{Endpoint, HOUR, Install, NOW, rule};

on_every_database!(
    who_answers_late_delays_nobody_else,
    each_kind_of_failure_is_tried_as_often_as_it_may_be,
    a_host_that_does_not_answer_is_left_to_the_next_run,
);

async fn who_answers_late_delays_nobody_else(kind: Kind) {
    let install = Install::start(kind).await;
    // More than are begun at once, and in the ledger's order before all others. They are answered when all
    // others have come: if these waited for them, they would time out.
    let late = (0..40).map(|number| format!("wait-{number}"));
    let others = (0..400).map(|number| format!("ok-{number}"));
    install.rules(10, late.chain(others)).await;
    install.endpoint.answer_after(400);
    let report = install.run(NOW).await;
    assert_eq!((report.sent, report.failed, report.left), (440, 0, 0));
}

async fn each_kind_of_failure_is_tried_as_often_as_it_may_be(kind: Kind) {
    let install = Install::start(kind).await;
    install.endpoint.refuse(2);
    let names = ["ok-0", "fail-0", "refuse-0", "redirect-0", "large-0", "break-0", "busy-0", "hang-0", "drip-0"];
    install.rules(2, names.map(str::to_owned)).await;
    // Whatever stands before it in the same rule, a channel is sent to.
    let channels = json!([
        {"type": "meow", "nickname": "fail-1"},
        {"type": "feishu", "webhookUrl": "https://127.0.0.1/x"},
        {"type": "sms"},
        "text",
        {"type": "meow", "nickname": "ok-1"},
    ]);
    install.insert_rules(vec![rule("push-many", "u0000", 8, "daily_memos", &channels)]).await;
    let report = install.run(NOW).await;
    assert_eq!((report.sent, report.failed, report.left), (3, 11, 0));
    let calls = |name| install.endpoint.calls(name).values().copied().collect::<Vec<_>>();
    for (name, times) in [("ok", &[1, 1][..]), ("fail", &[3, 3]), ("busy", &[3])] {
        assert_eq!(calls(name), times, "{name}");
    }
    // These may have been taken, or would be refused again.
    for name in ["refuse", "redirect", "large", "break", "hang", "drip"] {
        assert_eq!(calls(name), [1], "{name}");
    }
    assert!(calls("redirected").is_empty(), "a redirect is not followed");
    // What failed is not sent again.
    assert_eq!((install.ledger("failed").await.0, install.unfinished().await), (11, 0));
    assert_eq!(install.run_at(NOW + HOUR).await.sent, 0);
    let causes: Vec<(String,)> =
        install.server.fetch("SELECT DISTINCT last_error FROM push_deliveries WHERE state = 'failed'").await;
    for cause in &causes {
        assert!(!cause.0.contains("127.0.0.1") && !cause.0.contains("-0"), "{causes:?}");
    }
}

async fn a_host_that_does_not_answer_is_left_to_the_next_run(kind: Kind) {
    let install = Install::start(kind).await;
    let dead = Endpoint::start().await;
    let mut config = install.app().config.clone();
    config.outbound.trusted_hosts.push(dead.host.clone());
    let context = &install.app().context;
    let app = shared::http::App::with(config, context.clock.clone(), context.random.clone()).unwrap();
    let hook = |number| json!([{"type": "feishu", "webhookUrl": format!("{}/hang-{number}", dead.url())}]);
    let hooks = (0..300).map(|number| rule(&format!("dead{number}"), "a user", 8, "daily_memos", &hook(number)));
    install.insert_rules(hooks.collect()).await;
    install.rules(10, (0..100).map(|number| format!("ok-{number}"))).await;
    let limit = Duration::from_secs(20);
    let begun = Instant::now();
    let report = push_scheduler::deliver(&app, NOW, limit).await.unwrap();
    assert!(begun.elapsed() < limit, "the run ends in time");
    assert_eq!(report.sent, 100);
    assert!(report.failed > 0 && report.left > 0 && report.failed + report.left == 300, "{report:?}");
    // What was sent, nobody knows; it is not sent again. What was left is, and without a doubt.
    let asked = dead.calls("hang").len();
    assert_eq!(asked as u64, report.failed);
    assert_eq!((install.ledger("pending").await, install.unfinished().await), ((0, 0), 1));
    install
        .server
        .execute(format!(
            "UPDATE push_rules SET channels = '{}' WHERE uid = 'a user'",
            json!([{"type": "meow", "nickname": "ok-now"}])
        ))
        .await;
    let next = install.run_at(NOW + HOUR).await;
    assert_eq!((next.sent, next.possible_duplicates, next.left), (report.left, 0, 0));
    assert_eq!(install.unfinished().await, 0);
}
