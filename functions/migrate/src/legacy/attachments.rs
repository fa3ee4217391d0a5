//! The attachments of an old install. Files stay where they are: the row says where.

use serde_json::Value as Json;
use shared::{config::InvalidProperties, db::Cell, repositories::tables};

use super::{Entity, Record, Rules};
use crate::failure::Problem;

pub(super) const ENTITY: Entity = Entity {
    name: "attachments",
    table: &tables::ATTACHMENTS,
    columns: &[
        "attachmentId",
        "uid",
        "filename",
        "type",
        "size",
        "storageType",
        "path",
        "url",
        "bucket",
        "prefix",
        "endpoint",
        "region",
        "isPublicBucket",
        "multimodalModelHash",
        "properties",
        "createdAt",
    ],
    unique: None,
    map,
};

fn map(record: &Record<'_>, rules: &Rules) -> Result<Vec<Cell>, Problem> {
    let created_at = record.created_at(rules.now)?;
    Ok(vec![
        record.id("attachmentId")?.into(),
        record.id("uid")?.into(),
        record.required("filename")?.into(),
        record.required("type")?.into(),
        record.integer("size")?.unwrap_or(0).into(),
        storage_type(record)?.into(),
        path(record)?.into(),
        record.text("bucket")?.into(),
        record.text("prefix")?.into(),
        record.text("endpoint")?.into(),
        record.text("region")?.into(),
        record.text("isPublicBucket")?.into(),
        record.filled("multimodalModelHash")?.into(),
        properties(record, rules)?.into(),
        created_at.into(),
        created_at.into(),
    ])
}

/// Rows of the first days have no storage type: all files were local.
fn storage_type(record: &Record<'_>) -> Result<String, Problem> {
    match record.text("storageType")? {
        None if record.text("path")?.is_none() => Ok("local".to_owned()),
        _ => record.one_of("storageType", &["local", "s3", "oss"]),
    }
}

/// Rows of the first days have a URL in place of a path.
fn path(record: &Record<'_>) -> Result<String, Problem> {
    if let Some(path) = record.text("path")? {
        return Ok(path);
    }
    let url = record.text("url")?.ok_or_else(|| record.problem("path is missing, and there is no url"))?;
    record.mend("pathFromUrl");
    Ok(url)
}

fn properties(record: &Record<'_>, rules: &Rules) -> Result<Option<String>, Problem> {
    let Some(text) = record.filled("properties")?.filter(|text| text != "{}") else { return Ok(None) };
    match serde_json::from_str(&text) {
        Ok(Json::Object(_)) => Ok(Some(text)),
        _ if rules.invalid_properties == InvalidProperties::Null => {
            record.mend("invalidPropertiesDropped");
            Ok(None)
        }
        _ => Err(record.problem("properties is no JSON object; --invalid-properties null drops it")),
    }
}
