//! What the memos of a user tell about time (`contract/insights-recommendations.md`).

use std::sync::Arc;

use serde_json::json;
use shared::clock::{ManualClock, Millis};
use testing::{Client, Kind, Server, Settings};

use crate::objects::memo;

mod activity;
mod on_this_day;
mod recommendations;

const MINUTE: Millis = 60_000;
const DAY: Millis = 24 * 60 * MINUTE;

/// Returns midnight (UTC) of a day of the Gregorian calendar.
fn utc(year: i64, month: i64, day: i64) -> Millis {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    (365 * year + leap_days + day_of_year - 719_468) * DAY
}

/// Returns a user of a server that stands at a time in a zone.
async fn start(kind: Kind, zone: &str, now: Millis) -> Client {
    let variables = vec![("LOCALE_TIMEZONE", zone.to_owned())];
    let clock = Some(Arc::new(ManualClock::at(now)) as Arc<_>);
    Server::start_with(kind, Settings { clock, variables, ..Settings::default() }).await.user().await
}

/// Writes memos at times.
async fn write(user: &Client, times: &[Millis]) {
    for time in times {
        memo(user, json!({"content": time.to_string(), "createdAt": time})).await;
    }
}

#[test]
fn the_calendar_of_these_tests_is_right() {
    assert_eq!(utc(1970, 1, 1), 0);
    assert_eq!(utc(2000, 2, 29), 951_782_400_000);
    assert_eq!(utc(1969, 12, 31), -DAY);
    assert_eq!(utc(9999, 12, 31), 253_402_214_400_000);
}
