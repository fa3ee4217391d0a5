//! The daily recommendations of an old install.

use shared::{db::Cell, repositories::tables};

use super::{Entity, Record, Rules, Unique};
use crate::failure::Problem;

pub(super) const ENTITY: Entity = Entity {
    name: "daily_recommendations",
    table: &tables::DAILY_RECOMMENDATIONS,
    columns: &["recommendationId", "uid", "date", "memoIds", "createdAt"],
    unique: Some(Unique::Day),
    map,
};

fn map(record: &Record<'_>, rules: &Rules) -> Result<Vec<Cell>, Problem> {
    let memo_ids = record.list("memoIds", |_| None, "")?.unwrap_or_default();
    Ok(vec![
        record.id("recommendationId")?.into(),
        record.id("uid")?.into(),
        date(record)?.into(),
        serde_json::Value::from(memo_ids).to_string().into(),
        record.created_at(rules.now)?.into(),
    ])
}

fn date(record: &Record<'_>) -> Result<String, Problem> {
    let date = record.required("date")?;
    let is_digit =
        |place: usize, byte: u8| if matches!(place, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    if date.len() == 10 && date.bytes().enumerate().all(|(place, byte)| is_digit(place, byte)) {
        return Ok(date);
    }
    Err(record.problem(format!("date is {date:?}, not of the form YYYY-MM-DD")))
}
