//! The conversations of an old install, and their messages.

use serde_json::{Map, Number, Value as Json};
use shared::{db::Cell, repositories::tables};
use vectors::Value;

use super::{Entity, Record, Rules};
use crate::failure::Problem;

pub(super) const CONVERSATIONS: Entity = Entity {
    name: "ai_conversations",
    table: &tables::AI_CONVERSATIONS,
    columns: &["conversationId", "uid", "title", "createdAt", "updatedAt"],
    unique: None,
    map: conversation,
};

pub(super) const MESSAGES: Entity = Entity {
    name: "ai_messages",
    table: &tables::AI_MESSAGES,
    columns: &["messageId", "conversationId", "role", "content", "sources", "createdAt"],
    unique: None,
    map: message,
};

fn conversation(record: &Record<'_>, rules: &Rules) -> Result<Vec<Cell>, Problem> {
    let created_at = record.created_at(rules.now)?;
    Ok(vec![
        record.id("conversationId")?.into(),
        record.id("uid")?.into(),
        record.required("title")?.into(),
        created_at.into(),
        record.updated_at(created_at)?.into(),
    ])
}

fn message(record: &Record<'_>, rules: &Rules) -> Result<Vec<Cell>, Problem> {
    Ok(vec![
        record.id("messageId")?.into(),
        record.id("conversationId")?.into(),
        record.one_of("role", &["user", "assistant"])?.into(),
        record.required("content")?.into(),
        sources(record)?.into(),
        record.created_at(rules.now)?.into(),
    ])
}

/// Returns the sources as JSON: members that are NULL are left out, also those that earlier versions had;
/// no sources are NULL.
fn sources(record: &Record<'_>) -> Result<Option<String>, Problem> {
    let wrong = || record.problem("sources is no list of structures");
    let elements = match record.raw("sources") {
        Value::Null => return Ok(None),
        Value::List(elements) => elements,
        _ => return Err(wrong()),
    };
    let mut sources = Vec::with_capacity(elements.len());
    for element in elements {
        match element {
            Value::Null => {}
            Value::Struct(members) => {
                let members = members.into_iter().filter_map(|(name, value)| {
                    let value = json(record, value)?;
                    Some((name.to_owned(), value))
                });
                sources.push(Json::Object(members.collect::<Map<_, _>>()));
            }
            _ => return Err(wrong()),
        }
    }
    Ok((!sources.is_empty()).then(|| Json::Array(sources).to_string()))
}

/// Returns a member as JSON. A number that is none (NaN, infinite) counts as NULL.
fn json(record: &Record<'_>, value: Value<'_>) -> Option<Json> {
    match value {
        Value::Null | Value::Vector(_) => None,
        Value::Text(text) => Some(record.cleaned(text).into_owned().into()),
        Value::Integer(integer) | Value::Millis(integer) => Some(integer.into()),
        Value::Boolean(flag) => Some(flag.into()),
        Value::Float(float) => Number::from_f64(float).map(Json::Number),
        Value::List(elements) => {
            Some(Json::Array(elements.into_iter().filter_map(|element| json(record, element)).collect()))
        }
        Value::Struct(members) => {
            let members = members.into_iter();
            let members = members.filter_map(|(name, value)| Some((name.to_owned(), json(record, value)?)));
            Some(Json::Object(members.collect()))
        }
    }
}
