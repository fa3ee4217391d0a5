//! Insights (`contract/insights-recommendations.md`).

use schemars::JsonSchema;
use serde::Serialize;

use super::memos::Memo;
use crate::{clock::Millis, ids::MemoId};

/// How many memos were written on a day.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct ActivityDay {
    /// The UTC day, `YYYY-MM-DD`.
    pub date: String,
    /// The number of memos, at least 1.
    pub count: i64,
}

/// The days on which memos were written.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// The days with memos, oldest first.
    pub items: Vec<ActivityDay>,
    /// The first UTC day of the window.
    pub start_date: String,
    /// The last UTC day of the window.
    pub end_date: String,
}

/// A memo of this day in another year.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OnThisDayMemo {
    /// The id.
    pub memo_id: MemoId,
    /// The full text.
    pub content: String,
    /// When it was written.
    pub created_at: Millis,
    /// The year in the configured zone.
    pub year: i16,
}

/// The memos of this day in other years.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OnThisDay {
    /// At most ten, newest first.
    pub items: Vec<OnThisDayMemo>,
    /// The number of items.
    pub total: usize,
    /// Today in the configured zone, `MM-DD`.
    pub today_month_day: String,
}

/// The memos that are recommended today.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct DailyRecommendations {
    /// Usually three, in the order of the choice; without `source` and `relations`.
    pub items: Vec<Memo>,
    /// The number of items.
    pub total: usize,
}
