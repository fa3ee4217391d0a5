//! The days on which memos were written (`contract/insights-recommendations.md` section 1).

use serde_json::{Value, json};
use testing::{Client, Kind, on_every_database};

use super::{DAY, MINUTE, start, utc, write};

on_every_database!(
    activity_counts_by_utc_day_whatever_the_zone,
    the_window_begins_and_ends_to_the_millisecond,
    the_window_is_counted_in_calendar_days_of_the_zone,
    days_are_brought_into_bounds,
);

pub async fn activity(user: &Client, query: &str) -> Value {
    user.get(&format!("/api/v1/insights/activity?{query}")).await.data().clone()
}

async fn activity_counts_by_utc_day_whatever_the_zone(kind: Kind) {
    for zone in ["Asia/Shanghai", "UTC", "America/New_York"] {
        let ann = start(kind, zone, utc(2026, 6, 10) + 4 * 60 * MINUTE).await;
        let empty = activity(&ann, "").await;
        assert_eq!(empty, json!({"items": [], "startDate": "2026-03-12", "endDate": "2026-06-10"}), "{zone}");
        let day = utc(2026, 6, 8);
        write(&ann, &[day - 1, day, day + DAY - 1, day + DAY, day + DAY + 1, day + 2 * DAY]).await;
        let items = json!([
            {"date": "2026-06-07", "count": 1},
            {"date": "2026-06-08", "count": 2},
            {"date": "2026-06-09", "count": 2},
            {"date": "2026-06-10", "count": 1},
        ]);
        assert_eq!(activity(&ann, "days=5").await["items"], items, "{zone}");
    }
}

async fn the_window_begins_and_ends_to_the_millisecond(kind: Kind) {
    let now = utc(2026, 6, 10) + 12_345_678;
    let ann = start(kind, "Asia/Shanghai", now).await;
    write(&ann, &[now - 5 * DAY - 1, now - 5 * DAY, now, now + 1]).await;
    let expected = json!({
        "items": [{"date": "2026-06-05", "count": 1}, {"date": "2026-06-10", "count": 1}],
        "startDate": "2026-06-05",
        "endDate": "2026-06-10",
    });
    assert_eq!(activity(&ann, "days=5").await, expected);
    assert_eq!(activity(&ann, "days=6").await["items"][0]["count"], 2);
}

async fn the_window_is_counted_in_calendar_days_of_the_zone(kind: Kind) {
    // On 8 March 2026 New York loses an hour, on 1 November it gains one.
    for (now, shift) in [(utc(2026, 3, 10), -60 * MINUTE), (utc(2026, 11, 3), 60 * MINUTE)] {
        let now = now + 16 * 60 * MINUTE;
        let ann = start(kind, "America/New_York", now).await;
        let start = now - 5 * DAY - shift;
        write(&ann, &[start - 1, start]).await;
        assert_eq!(activity(&ann, "days=5").await["items"][0]["count"], 1, "{now}");
        write(&ann, &[start + 1]).await;
        assert_eq!(activity(&ann, "days=5").await["items"][0]["count"], 2, "{now}");
    }
}

async fn days_are_brought_into_bounds(kind: Kind) {
    let ann = start(kind, "UTC", utc(2026, 6, 10)).await;
    for (query, start) in [
        ("", "2026-03-12"),
        ("days=1", "2026-06-09"),
        ("days=0", "2026-06-09"),
        ("days=-7", "2026-06-09"),
        ("days=0.9", "2026-06-09"),
        ("days=2.9", "2026-06-08"),
        ("days=1e1", "2026-05-31"),
        ("days=365", "2025-06-10"),
        ("days=366", "2025-06-10"),
        ("days=1e300", "2025-06-10"),
        ("days=-1e300", "2026-06-09"),
    ] {
        assert_eq!(activity(&ann, query).await["startDate"], start, "{query}");
    }
}
