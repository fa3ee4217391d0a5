//! The users of an old install.

use shared::{db::Cell, repositories::tables};

use super::{Entity, Record, Rules, Unique};
use crate::failure::Problem;

pub(super) const ENTITY: Entity = Entity {
    name: "users",
    table: &tables::USERS,
    columns: &[
        "uid",
        "email",
        "phone",
        "password",
        "salt",
        "nickname",
        "avatar",
        "status",
        "createdAt",
        "updatedAt",
    ],
    unique: Some(Unique::Email),
    map,
};

fn map(record: &Record<'_>, rules: &Rules) -> Result<Vec<Cell>, Problem> {
    let created_at = record.created_at(rules.now)?;
    Ok(vec![
        record.id("uid")?.into(),
        record.filled("email")?.into(),
        record.filled("phone")?.into(),
        record.required("password")?.into(),
        record.text("salt")?.unwrap_or_default().into(),
        record.filled("nickname")?.into(),
        record.filled("avatar")?.into(),
        record.integer("status")?.unwrap_or(1).into(),
        created_at.into(),
        record.updated_at(created_at)?.into(),
    ])
}
