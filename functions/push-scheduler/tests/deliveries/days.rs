//! Days as zones have them: each rule is sent once on each of them.

use jiff::{Timestamp, tz::TimeZone};
use local::timers::Every;
use serde_json::json;
use testing::{Kind, on_every_database};

use crate::harness::{HOUR, Install, rule};

on_every_database!(
    an_hour_that_is_skipped_is_sent_with_the_next,
    an_hour_that_comes_twice_is_sent_once,
    half_an_hour_is_set_forward,
    quarters_of_an_hour_and_a_leap_day_are_nothing_special,
    events_that_come_three_hours_late_send_the_same,
);

/// Delivers what is due from one time to another, each event twice, and expects a rule of each hour to be sent
/// once on each of some days.
async fn days(kind: Kind, zone: &str, from: &str, days: usize, late: i64) {
    let time = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
    let install = Install::start_in(kind, zone, time(from)).await;
    let rules = (0..24).map(|hour| {
        let channel = json!([{"type": "meow", "nickname": format!("ok-{hour:02}")}]);
        rule(&format!("push{hour}"), "u1", hour, "daily_memos", &channel)
    });
    install.insert_rules(rules.collect()).await;
    let zone = TimeZone::get(zone).unwrap();
    let local = |time| Timestamp::from_millisecond(time).unwrap().to_zoned(zone.clone());
    let first = local(time(from)).date();
    let last = first.checked_add(jiff::Span::new().days(i64::try_from(days).unwrap())).unwrap();
    let mut due = time(from) - 1;
    loop {
        due = Every::Hour.after(due, &zone).unwrap();
        if local(due).date() >= last {
            break;
        }
        install.clock.set(due + late);
        install.run(due).await;
        install.run(due).await;
    }
    let calls = install.endpoint.calls("ok");
    assert_eq!(calls.len(), 24);
    assert!(calls.values().all(|calls| *calls == days), "{calls:?}");
    assert_eq!(install.unfinished().await, 0);
}

async fn an_hour_that_is_skipped_is_sent_with_the_next(kind: Kind) {
    days(kind, "Europe/Berlin", "2026-03-27T23:00:00Z", 3, 0).await;
}

async fn an_hour_that_comes_twice_is_sent_once(kind: Kind) {
    days(kind, "America/New_York", "2026-10-31T04:00:00Z", 3, 0).await;
}

async fn half_an_hour_is_set_forward(kind: Kind) {
    days(kind, "Australia/Lord_Howe", "2026-10-02T13:30:00Z", 3, 0).await;
}

async fn quarters_of_an_hour_and_a_leap_day_are_nothing_special(kind: Kind) {
    days(kind, "Asia/Kathmandu", "2028-02-27T18:15:00Z", 3, 0).await;
}

async fn events_that_come_three_hours_late_send_the_same(kind: Kind) {
    days(kind, "Europe/Berlin", "2026-10-23T22:00:00Z", 3, 3 * HOUR).await;
}
