//! The memos of this day in other years (`contract/insights-recommendations.md` section 2).

use serde_json::json;
use shared::clock::Millis;
use testing::{Client, Kind, on_every_database};

use super::{DAY, MINUTE, activity::activity, start, utc, write};
use crate::objects::text;

on_every_database!(
    a_day_begins_and_ends_at_midnight_of_the_zone,
    a_day_may_have_23_or_25_hours,
    the_29th_of_february_matches_itself_alone,
    other_years_are_shown_newest_first,
    at_most_ten_are_shown,
    times_beyond_all_years_do_no_harm,
);

/// Returns the times of the memos of this day.
async fn on_this_day(user: &Client) -> Vec<Millis> {
    let answer = user.get("/api/v1/insights/on-this-day").await;
    let items = answer.data()["items"].as_array().unwrap();
    assert_eq!(answer.data()["total"], json!(items.len()));
    items.iter().map(|item| item["createdAt"].as_i64().unwrap()).collect()
}

async fn a_day_begins_and_ends_at_midnight_of_the_zone(kind: Kind) {
    for (zone, offset) in [
        ("UTC", 0),
        ("Asia/Shanghai", 8 * 60),
        ("America/New_York", -5 * 60),
        ("Asia/Kathmandu", 5 * 60 + 45),
        ("Pacific/Kiritimati", 14 * 60),
        ("Pacific/Pago_Pago", -11 * 60),
    ] {
        let midnight = utc(2024, 1, 5) - offset * MINUTE;
        for now in [utc(2026, 1, 5) - offset * MINUTE, utc(2026, 1, 6) - offset * MINUTE - 1] {
            let ann = start(kind, zone, now).await;
            write(&ann, &[midnight - 1, midnight, midnight + DAY - 1, midnight + DAY]).await;
            assert_eq!(on_this_day(&ann).await, [midnight + DAY - 1, midnight], "{zone}");
            let answer = ann.get("/api/v1/insights/on-this-day").await;
            assert_eq!(answer.data()["todayMonthDay"], "01-05", "{zone}");
            let item = &answer.data()["items"][1];
            let expected = json!({"memoId": item["memoId"], "content": midnight.to_string(), "createdAt": midnight, "year": 2024});
            assert_eq!(*item, expected, "{zone}");
        }
    }
}

async fn a_day_may_have_23_or_25_hours(kind: Kind) {
    // In New York: 8 March 2026 has 23 hours, 1 November 2026 has 25. In Beirut the clock was moved at
    // midnight: 26 March 2017 began at one.
    for (zone, today, start, end) in [
        (
            "America/New_York",
            utc(2027, 3, 8),
            utc(2026, 3, 8) + 5 * 60 * MINUTE,
            utc(2026, 3, 9) + 4 * 60 * MINUTE,
        ),
        (
            "America/New_York",
            utc(2027, 11, 1),
            utc(2026, 11, 1) + 4 * 60 * MINUTE,
            utc(2026, 11, 2) + 5 * 60 * MINUTE,
        ),
        ("Asia/Beirut", utc(2027, 3, 26), utc(2017, 3, 26) - 2 * 60 * MINUTE, utc(2017, 3, 27) - 3 * 60 * MINUTE),
    ] {
        let ann = start_at_noon(kind, zone, today).await;
        write(&ann, &[start - 1, start, end - 1, end]).await;
        assert_eq!(on_this_day(&ann).await, [end - 1, start], "{zone} {today}");
    }
}

async fn start_at_noon(kind: Kind, zone: &str, today: Millis) -> Client {
    start(kind, zone, today + 12 * 60 * MINUTE).await
}

async fn the_29th_of_february_matches_itself_alone(kind: Kind) {
    let around = [
        utc(2020, 2, 28),
        utc(2020, 2, 29),
        utc(2020, 3, 1),
        utc(2023, 2, 28),
        utc(2023, 3, 1),
        utc(1896, 2, 29),
        utc(1900, 2, 28),
        utc(1900, 3, 1),
    ];
    for (today, expected) in [
        (utc(2024, 2, 29), vec![utc(2020, 2, 29), utc(1896, 2, 29)]),
        (utc(2024, 2, 28), vec![utc(2023, 2, 28), utc(2020, 2, 28), utc(1900, 2, 28)]),
        (utc(2026, 2, 28), vec![utc(2023, 2, 28), utc(2020, 2, 28), utc(1900, 2, 28)]),
        (utc(2026, 3, 1), vec![utc(2023, 3, 1), utc(2020, 3, 1), utc(1900, 3, 1)]),
    ] {
        let ann = start(kind, "UTC", today).await;
        write(&ann, &around).await;
        assert_eq!(on_this_day(&ann).await, expected, "{today}");
    }
}

async fn other_years_are_shown_newest_first(kind: Kind) {
    for this_year in [1970, 2026, 9998] {
        let ann = start(kind, "UTC", utc(this_year, 3, 5)).await;
        let years = [2027, 1, 2026, 1900, 9999, 1969, 9998, 1970];
        write(&ann, &years.map(|year| utc(year, 3, 5) + 1)).await;
        let mut expected: Vec<i64> = years.into_iter().filter(|year| *year != this_year).collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        let answer = ann.get("/api/v1/insights/on-this-day").await;
        let items = answer.data()["items"].as_array().unwrap();
        let shown: Vec<i64> = items.iter().map(|item| item["year"].as_i64().unwrap()).collect();
        assert_eq!(shown, expected, "{this_year}");
    }
}

async fn at_most_ten_are_shown(kind: Kind) {
    let ann = start(kind, "UTC", utc(2026, 3, 5)).await;
    // Three in each year from 2019 to 2023, two of them at one time.
    let times: Vec<Millis> =
        (2019..2024).flat_map(|year| [1, 1, 2].map(|hour| utc(year, 3, 5) + hour * 60 * MINUTE)).collect();
    write(&ann, &times).await;
    let newest: Vec<Millis> = times.iter().rev().take(10).copied().collect();
    assert_eq!(on_this_day(&ann).await, newest);
    let answer = ann.get("/api/v1/insights/on-this-day").await;
    let items = answer.data()["items"].as_array().unwrap();
    assert!(text(&items[1], "memoId") < text(&items[2], "memoId"), "one time: by id");
}

async fn times_beyond_all_years_do_no_harm(kind: Kind) {
    let ann = start(kind, "Asia/Shanghai", utc(2026, 3, 5)).await;
    write(&ann, &[i64::MIN, utc(2020, 3, 5), i64::MAX]).await;
    assert_eq!(on_this_day(&ann).await, [utc(2020, 3, 5)]);
    assert_eq!(activity(&ann, "days=365").await["items"], json!([]));
    assert_eq!(ann.get("/api/v1/memos").await.data()["pagination"]["total"], 3);
}
