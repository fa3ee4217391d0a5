//! Insights (`contract/insights-recommendations.md`).

use jiff::{Span, Timestamp, Zoned, civil::Date};

use crate::{
    Context, Result,
    clock::Millis,
    dto::insights::{Activity, ActivityDay, OnThisDay, OnThisDayMemo},
    ids::Uid,
    repositories,
};

/// The most memos of "on this day".
const MAX_MEMOS: usize = 10;

/// How many years one statement looks at.
const YEARS_PER_STATEMENT: usize = 64;

/// Returns how many memos a user wrote on each UTC day since `days` calendar days ago. `days` is cut
/// to an integer from 1 to 365.
///
/// # Errors
/// The database fails.
pub async fn activity(ctx: &Context, uid: &Uid, days: Option<f64>) -> Result<Activity> {
    // The cast saturates.
    #[expect(clippy::cast_possible_truncation, reason = "the value is brought into bounds")]
    let days = days.map_or(90, |days| days as i64).clamp(1, 365);
    let now = zoned(ctx, ctx.now());
    let start = now.checked_sub(Span::new().days(days)).unwrap_or_else(|_| now.clone());
    let (from, to) = (start.timestamp(), now.timestamp());
    let counts =
        repositories::memos::count_by_day(&ctx.db, uid, from.as_millisecond(), to.as_millisecond()).await?;
    let items = counts.into_iter().map(|(day, count)| ActivityDay { date: utc_date(day * MILLIS_PER_DAY), count });
    Ok(Activity {
        items: items.collect(),
        start_date: utc_date(from.as_millisecond()),
        end_date: utc_date(to.as_millisecond()),
    })
}

const MILLIS_PER_DAY: i64 = 86_400_000;

/// Returns the memos that a user wrote on this day of other years.
///
/// # Errors
/// The database fails.
pub async fn on_this_day(ctx: &Context, uid: &Uid) -> Result<OnThisDay> {
    let today = zoned(ctx, ctx.now()).date();
    let mut items = Vec::new();
    if let Some((first, last)) = repositories::memos::find_time_range(&ctx.db, uid).await? {
        let ranges = same_days(ctx, today, zoned(ctx, first).year(), zoned(ctx, last).year());
        for ranges in ranges.chunks(YEARS_PER_STATEMENT) {
            let left = MAX_MEMOS - items.len();
            if left == 0 {
                break;
            }
            items.extend(repositories::memos::find_in_ranges(&ctx.db, uid, ranges, left as u64).await?);
        }
    }
    let items: Vec<OnThisDayMemo> = items
        .into_iter()
        .map(|memo| OnThisDayMemo {
            year: zoned(ctx, memo.created_at).year(),
            memo_id: memo.memo_id,
            content: memo.content,
            created_at: memo.created_at,
        })
        .collect();
    let today_month_day = format!("{:02}-{:02}", today.month(), today.day());
    Ok(OnThisDay { total: items.len(), items, today_month_day })
}

/// Returns the day in each of the years but its own, newest first, as time ranges. A year without the
/// day (29 February) has none.
fn same_days(ctx: &Context, today: Date, first_year: i16, last_year: i16) -> Vec<(Millis, Millis)> {
    let years = (first_year..=last_year).rev().filter(|year| *year != today.year());
    let range = |year: i16| {
        let day = Date::new(year, today.month(), today.day()).ok()?;
        let start = day.to_zoned(ctx.zone.clone()).ok()?.timestamp().as_millisecond();
        let end = day.tomorrow().ok()?.to_zoned(ctx.zone.clone()).ok()?.timestamp().as_millisecond();
        Some((start, end))
    };
    years.filter_map(range).collect()
}

/// Returns a time in the configured zone; times beyond the years -9999 to 9999 are brought there.
pub(super) fn zoned(ctx: &Context, time: Millis) -> Zoned {
    timestamp(time).to_zoned(ctx.zone.clone())
}

pub(super) fn timestamp(time: Millis) -> Timestamp {
    let nearest = if time < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(time).unwrap_or(nearest)
}

pub(super) fn utc_date(time: Millis) -> String {
    timestamp(time).to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}
