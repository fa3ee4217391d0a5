//! The table `memo_tags`: which memo carries which tags, in which order.

use std::collections::HashMap;

use sea_query::{Expr, ExprTrait, JoinType, Order, Query};
use sqlx::FromRow;

use super::{MAX_IN_LIST, insert_many, is_one_of};
use crate::{
    clock::Millis,
    db::{Executor, Result},
    dto::tags::Tag,
    ids::{MemoId, TagId, Uid},
};

/// The tags of a memo, in order.
#[derive(Debug, Clone, Default)]
pub struct MemoTags {
    /// All ids, also of migrated tags that are gone.
    pub ids: Vec<TagId>,
    /// The tags that exist.
    pub tags: Vec<Tag>,
}

#[derive(FromRow)]
struct MemoTagRow {
    memo_id: MemoId,
    tag_id: TagId,
    name: Option<String>,
    color: Option<String>,
    usage_count: Option<i32>,
    created_at: Option<Millis>,
    updated_at: Option<Millis>,
}

/// Puts tags on a memo, in order. `created_at` is that of the memo.
///
/// # Errors
/// A unique violation when the memo has one of the tags already.
pub async fn create(db: &Executor, uid: &Uid, memo: &MemoId, tags: &[TagId], created_at: Millis) -> Result<()> {
    let columns = ["memo_id", "tag_id", "uid", "position", "created_at"];
    let rows = (0_i32..)
        .zip(tags)
        .map(|(position, tag)| [memo.into(), tag.into(), uid.into(), position.into(), created_at.into()]);
    insert_many(db, "memo_tags.create", "memo_tags", columns, rows.collect()).await
}

/// Returns the tags of memos. A memo without tags has no entry.
///
/// # Errors
/// The database fails.
pub async fn find_by_memos(db: &Executor, uid: &Uid, memos: &[MemoId]) -> Result<HashMap<MemoId, MemoTags>> {
    let mut found: HashMap<MemoId, MemoTags> = HashMap::new();
    for memos in memos.chunks(MAX_IN_LIST) {
        let select = Query::select()
            .columns([("mt", "memo_id"), ("mt", "tag_id")])
            .columns([
                ("t", "name"),
                ("t", "color"),
                ("t", "usage_count"),
                ("t", "created_at"),
                ("t", "updated_at"),
            ])
            .from_as("memo_tags", "mt")
            .join_as(
                JoinType::LeftJoin,
                "tags",
                "t",
                Expr::col(("t", "tag_id"))
                    .equals(("mt", "tag_id"))
                    .and(Expr::col(("t", "uid")).equals(("mt", "uid"))),
            )
            .and_where(Expr::col(("mt", "uid")).eq(uid))
            .and_where(is_one_of(("mt", "memo_id"), memos))
            .order_by(("mt", "memo_id"), Order::Asc)
            .order_by(("mt", "position"), Order::Asc)
            .to_owned();
        let rows: Vec<MemoTagRow> = db.fetch_all("memo_tags.find_by_memos", &select).await?;
        for row in rows {
            let entry = found.entry(row.memo_id).or_default();
            entry.ids.push(row.tag_id.clone());
            if let (Some(name), Some(usage_count), Some(created_at), Some(updated_at)) =
                (row.name, row.usage_count, row.created_at, row.updated_at)
            {
                let (tag_id, color) = (row.tag_id, row.color);
                entry.tags.push(Tag { tag_id, name, color, usage_count, created_at, updated_at });
            }
        }
    }
    Ok(found)
}

/// Takes all tags off a memo.
///
/// # Errors
/// The database fails.
pub async fn delete_by_memo(db: &Executor, uid: &Uid, memo: &MemoId) -> Result<()> {
    delete(db, "memo_tags.delete_by_memo", uid, Expr::col("memo_id").eq(memo)).await
}

/// Takes a tag off all memos of a user.
///
/// # Errors
/// The database fails.
pub async fn delete_by_tag(db: &Executor, uid: &Uid, tag: &TagId) -> Result<()> {
    delete(db, "memo_tags.delete_by_tag", uid, Expr::col("tag_id").eq(tag)).await
}

async fn delete(db: &Executor, operation: &'static str, uid: &Uid, condition: Expr) -> Result<()> {
    let delete = Query::delete()
        .from_table("memo_tags")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(condition)
        .to_owned();
    db.execute(operation, &delete).await.map(|_| ())
}
