//! The push rules of an old install. Their channels hold secrets: no message repeats them.

use serde_json::Value as Json;
use shared::{db::Cell, repositories::tables};

use super::{Entity, Record, Rules};
use crate::failure::Problem;

pub(super) const ENTITY: Entity = Entity {
    name: "push_rules",
    table: &tables::PUSH_RULES,
    columns: &["id", "uid", "name", "pushTime", "contentType", "channels", "enabled", "createdAt", "updatedAt"],
    unique: None,
    map,
};

fn map(record: &Record<'_>, rules: &Rules) -> Result<Vec<Cell>, Problem> {
    let created_at = record.created_at(rules.now)?;
    Ok(vec![
        record.id("id")?.into(),
        record.id("uid")?.into(),
        record.required("name")?.into(),
        push_time(record)?.into(),
        record.one_of("contentType", &["daily_pick", "daily_memos"])?.into(),
        channels(record)?.into(),
        record.integer("enabled")?.unwrap_or(1).into(),
        created_at.into(),
        record.updated_at(created_at)?.into(),
    ])
}

fn push_time(record: &Record<'_>) -> Result<i64, Problem> {
    match record.integer("pushTime")? {
        Some(hour @ 0..=23) => Ok(hour),
        Some(hour) => Err(record.problem(format!("pushTime is {hour}, no hour from 0 to 23"))),
        None => Err(record.problem("pushTime is missing")),
    }
}

fn channels(record: &Record<'_>) -> Result<String, Problem> {
    let Some(text) = record.filled("channels")? else { return Ok("[]".to_owned()) };
    match serde_json::from_str(&text) {
        Ok(Json::Array(_)) => Ok(text),
        _ => Err(record.problem("channels is no JSON array")),
    }
}
