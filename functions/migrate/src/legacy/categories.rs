//! The categories of an old install.

use shared::{
    db::Cell,
    repositories::{name_key, tables},
};

use super::{Entity, Record, Rules, Unique};
use crate::failure::Problem;

pub(super) const ENTITY: Entity = Entity {
    name: "categories",
    table: &tables::CATEGORIES,
    columns: &["categoryId", "uid", "name", "color", "createdAt", "updatedAt"],
    unique: Some(Unique::NameKey),
    map,
};

fn map(record: &Record<'_>, rules: &Rules) -> Result<Vec<Cell>, Problem> {
    let created_at = record.created_at(rules.now)?;
    let name = record.required("name")?;
    Ok(vec![
        record.id("categoryId")?.into(),
        record.id("uid")?.into(),
        name.as_str().into(),
        name_key(&name).into(),
        record.filled("color")?.into(),
        created_at.into(),
        record.updated_at(created_at)?.into(),
    ])
}
