//! The relations between memos of an old install.

use shared::{db::Cell, repositories::tables};

use super::{Entity, Record, Rules, Unique};
use crate::failure::Problem;

pub(super) const ENTITY: Entity = Entity {
    name: "memo_relations",
    table: &tables::MEMO_RELATIONS,
    columns: &["relationId", "uid", "sourceMemoId", "targetMemoId", "createdAt"],
    unique: Some(Unique::Direction),
    map,
};

fn map(record: &Record<'_>, rules: &Rules) -> Result<Vec<Cell>, Problem> {
    Ok(vec![
        record.id("relationId")?.into(),
        record.id("uid")?.into(),
        record.id("sourceMemoId")?.into(),
        record.id("targetMemoId")?.into(),
        record.created_at(rules.now)?.into(),
    ])
}
