//! The memos of an old install, and the tags that they carry.

use serde_json::Value as Json;
use shared::{
    db::Cell,
    repositories::{name_key, tables},
};

use super::{Entity, Record, Rules};
use crate::failure::Problem;

pub(super) const ENTITY: Entity = Entity {
    name: "memos",
    table: &tables::MEMOS,
    columns: &[
        "memoId",
        "uid",
        "categoryId",
        "content",
        "type",
        "source",
        "isPublic",
        "attachments",
        "tagIds",
        "tags",
        "createdAt",
        "updatedAt",
    ],
    unique: None,
    map,
};

fn map(record: &Record<'_>, rules: &Rules) -> Result<Vec<Cell>, Problem> {
    let created_at = record.created_at(rules.now)?;
    let is_public = record.integer("isPublic")?.is_some_and(|flag| flag != 0);
    let attachments = record.list("attachments", json_list, "attachmentId")?.unwrap_or_default();
    Ok(vec![
        record.id("memoId")?.into(),
        record.id("uid")?.into(),
        record.filled("categoryId")?.into(),
        record.required("content")?.into(),
        record.filled("type")?.unwrap_or_else(|| "text".to_owned()).into(),
        record.text("source")?.into(),
        i64::from(is_public).into(),
        (!attachments.is_empty()).then(|| Json::from(attachments).to_string()).into(),
        created_at.into(),
        record.updated_at(created_at)?.into(),
    ])
}

/// Reads the JSON array of texts that the first versions kept in place of a list.
fn json_list(text: &str) -> Option<Vec<String>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let elements: Vec<Json> = serde_json::from_str(text).ok()?;
    let texts = elements.into_iter().filter_map(|element| match element {
        Json::Null => None,
        Json::String(text) => Some(Some(text)),
        Json::Object(mut members) => match members.remove("attachmentId") {
            Some(Json::String(text)) => Some(Some(text)),
            _ => Some(None),
        },
        _ => Some(None),
    });
    texts.collect()
}

/// The tags that a memo carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoTags {
    /// By id, in order.
    Ids(Vec<String>),
    /// By name, in a memo of the first versions that never got ids: the key and the name of each.
    Names(Vec<(String, String)>),
}

/// Returns the tags of a memo, in order and each once. Names count only where there are no ids.
///
/// # Errors
/// A column holds something else.
pub fn tags_of(record: &Record<'_>) -> Result<MemoTags, Problem> {
    let split = |text: &str| Some(text.split(',').map(|id| id.trim().to_owned()).collect());
    let mut ids: Vec<String> = Vec::new();
    for id in record.list("tagIds", split, "")?.unwrap_or_default() {
        if !id.is_empty() && !ids.contains(&id) {
            ids.push(id);
        }
    }
    if !ids.is_empty() {
        return match ids.iter().find(|id| id.chars().count() > 64) {
            Some(id) => {
                Err(record.problem(format!("a tag id has {} characters, at most 64 fit", id.chars().count())))
            }
            None => Ok(MemoTags::Ids(ids)),
        };
    }
    let mut names: Vec<(String, String)> = Vec::new();
    // Lists of integers were only ever written empty.
    for name in record.list("tags", json_list, "")?.unwrap_or_default() {
        let (key, name) = (name_key(&name), name.trim().to_owned());
        if !key.is_empty() && names.iter().all(|(other, _)| *other != key) {
            names.push((key, name));
        }
    }
    Ok(MemoTags::Names(names))
}
