//! Rules that change between the hour and the push.

use serde_json::json;
use testing::{Kind, on_every_database};

use crate::harness::{HOUR, Install, NOW, rule};

on_every_database!(
    only_enabled_rules_of_the_hour_are_sent,
    nothing_is_sent_for_somebody_who_was_deactivated,
    what_is_left_is_sent_by_what_the_rule_says_now,
    a_late_run_takes_only_rules_that_were_there,
    rules_that_cannot_be_sent_are_noted_and_block_nobody,
);

fn meow(nickname: &str) -> serde_json::Value {
    json!([{"type": "meow", "nickname": nickname}])
}

async fn only_enabled_rules_of_the_hour_are_sent(kind: Kind) {
    let install = Install::start(kind).await;
    let rows = [("a", 7), ("b", 8), ("c", 8), ("d", 9)];
    let rows = rows.map(|(id, hour)| rule(id, "u1", hour, "daily_memos", &meow(&format!("ok-{id}"))));
    install.insert_rules(rows.into()).await;
    install.server.execute("UPDATE push_rules SET enabled = 0 WHERE id = 'c'").await;
    assert_eq!(install.run(NOW).await.sent, 1);
    assert_eq!(install.endpoint.calls("ok").into_keys().collect::<Vec<_>>(), ["ok-b"]);
}

async fn nothing_is_sent_for_somebody_who_was_deactivated(kind: Kind) {
    let install = Install::start(kind).await;
    let (ann, bob) = (install.server.user().await.uid, install.server.user().await.uid);
    let rules = [&ann, &bob].map(|uid| rule(uid, uid, 8, "daily_memos", &meow(&format!("ok-{uid}"))));
    install.insert_rules(rules.into()).await;
    install.server.execute(format!("UPDATE users SET status = 0 WHERE uid = '{bob}'")).await;
    assert_eq!(install.run(NOW).await.sent, 1);
    assert_eq!(install.endpoint.calls("ok").into_keys().collect::<Vec<_>>(), [format!("ok-{ann}")]);
}

async fn what_is_left_is_sent_by_what_the_rule_says_now(kind: Kind) {
    let install = Install::start(kind).await;
    let rows = ["deleted", "disabled", "moved", "shorter", "renamed"].map(|id| {
        let channels =
            json!([{"type": "meow", "nickname": "ok-old"}, {"type": "meow", "nickname": format!("ok-{id}")}]);
        rule(id, "u1", 8, "daily_memos", &channels)
    });
    install.insert_rules(rows.into()).await;
    // A run has claimed the second channel of each, and died.
    let lease = NOW + HOUR / 2;
    for id in ["deleted", "disabled", "moved", "shorter", "renamed"] {
        install.server.execute(format!(
            "INSERT INTO push_deliveries (rule_id, slot, channel_index, uid, state, claim, lease_until, attempts, created_at, updated_at)
             VALUES ('{id}', '2026-03-05T08', 1, 'u1', 'pending', 'dead', {lease}, 1, {NOW}, {NOW})"
        )).await;
    }
    install
        .server
        .execute(format!("INSERT INTO push_slots (slot, scheduled_at) VALUES ('2026-03-05T08', {NOW})"))
        .await;
    let changed = NOW + 1;
    for change in [
        "DELETE FROM push_rules WHERE id = 'deleted'".to_owned(),
        format!("UPDATE push_rules SET enabled = 0, updated_at = {changed} WHERE id = 'disabled'"),
        format!("UPDATE push_rules SET push_time = 20, updated_at = {changed} WHERE id = 'moved'"),
        format!(
            "UPDATE push_rules SET channels = '{}', updated_at = {changed} WHERE id = 'shorter'",
            meow("ok-first")
        ),
        format!("UPDATE push_rules SET name = 'x', updated_at = {changed} WHERE id = 'renamed'"),
    ] {
        install.server.execute(change).await;
    }
    let report = install.run_at(NOW + HOUR).await;
    assert_eq!((report.sent, report.possible_duplicates, report.skipped, report.failed), (1, 1, 4, 0));
    // The first channels had no row, but their rules were changed since.
    assert_eq!(install.endpoint.calls("ok").into_keys().collect::<Vec<_>>(), ["ok-renamed"]);
    assert_eq!((install.ledger("failed").await.0, install.unfinished().await), (4, 0));
}

async fn a_late_run_takes_only_rules_that_were_there(kind: Kind) {
    let install = Install::start(kind).await;
    let rows = ["old", "new"].map(|id| rule(id, "u1", 8, "daily_memos", &meow(&format!("ok-{id}"))));
    install.insert_rules(rows.into()).await;
    install.server.execute(format!("UPDATE push_rules SET updated_at = {} WHERE id = 'new'", NOW + 1)).await;
    install.clock.set(NOW + 3 * HOUR);
    let late = install.run(NOW).await;
    assert_eq!((late.sent, install.now()), (1, NOW + 3 * HOUR));
    assert_eq!(install.endpoint.calls("ok").into_keys().collect::<Vec<_>>(), ["ok-old"]);
}

async fn rules_that_cannot_be_sent_are_noted_and_block_nobody(kind: Kind) {
    let install = Install::start(kind).await;
    let rows = vec![
        rule("a", "u1", 8, "weekly", &meow("ok-a")),
        rule("b", "u1", 8, "daily_memos", &json!({})),
        rule("c", "u1", 8, "daily_memos", &json!([])),
        rule("d", "u1", 8, "daily_memos", &json!([{"type": "meow"}])),
        rule("e", "u1", 8, "daily_memos", &meow("ok-e")),
    ];
    install.insert_rules(rows).await;
    let report = install.run(NOW).await;
    assert_eq!((report.matched, report.sent, report.failed), (5, 1, 2));
    assert_eq!((install.ledger("failed").await.0, install.unfinished().await), (2, 0));
}
