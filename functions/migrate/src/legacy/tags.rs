//! The tags of an old install. Their `usageCount` is kept as it is: the report says how many differ from
//! the memos that carry them.

use shared::{
    db::Cell,
    repositories::{name_key, tables},
};

use super::{Entity, Record, Rules, Unique};
use crate::failure::Problem;

pub(super) const ENTITY: Entity = Entity {
    name: "tags",
    table: &tables::TAGS,
    columns: &["tagId", "uid", "name", "color", "usageCount", "createdAt", "updatedAt"],
    unique: Some(Unique::NameKey),
    map,
};

fn map(record: &Record<'_>, rules: &Rules) -> Result<Vec<Cell>, Problem> {
    let created_at = record.created_at(rules.now)?;
    let name = record.required("name")?;
    Ok(vec![
        record.id("tagId")?.into(),
        record.id("uid")?.into(),
        name.as_str().into(),
        name_key(&name).into(),
        record.filled("color")?.into(),
        record.integer("usageCount")?.unwrap_or(0).max(0).into(),
        created_at.into(),
        record.updated_at(created_at)?.into(),
    ])
}
