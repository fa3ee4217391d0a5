//! The table `memo_relations`: directed edges between memos of one user.

use sea_query::{Expr, ExprTrait, Order, Query};
use sqlx::FromRow;

use super::{insert_many, is_one_of};
use crate::{
    clock::Millis,
    db::{Executor, Result},
    ids::{MemoId, RelationId, Uid},
};

/// Stores edges from a memo to others, in order. Their times increase by a millisecond, so that the
/// order survives (`contract/memos.md` section 4).
///
/// # Errors
/// A unique violation when an edge exists already.
pub async fn create(
    db: &Executor,
    uid: &Uid,
    source: &MemoId,
    targets: &[(RelationId, MemoId)],
    now: Millis,
) -> Result<()> {
    let columns = ["relation_id", "uid", "source_memo_id", "target_memo_id", "created_at"];
    let rows = (now..).zip(targets).map(|(created_at, (id, target))| {
        [id.into(), uid.into(), source.into(), target.into(), created_at.into()]
    });
    insert_many(db, "memo_relations.create", "memo_relations", columns, rows.collect()).await
}

/// A directed edge between two memos.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Edge {
    /// The memo that names the other one.
    #[sqlx(rename = "source_memo_id")]
    pub source: MemoId,
    /// The memo that is named.
    #[sqlx(rename = "target_memo_id")]
    pub target: MemoId,
}

/// Returns all edges that leave one of the given memos, in the order in which they were made.
///
/// # Errors
/// The database fails.
pub async fn find_by_sources(db: &Executor, uid: &Uid, sources: &[MemoId]) -> Result<Vec<Edge>> {
    find(db, "memo_relations.find_by_sources", uid, "source_memo_id", sources).await
}

/// Returns all edges that reach one of the given memos, in the order in which they were made.
///
/// # Errors
/// The database fails.
pub async fn find_by_targets(db: &Executor, uid: &Uid, targets: &[MemoId]) -> Result<Vec<Edge>> {
    find(db, "memo_relations.find_by_targets", uid, "target_memo_id", targets).await
}

async fn find(
    db: &Executor,
    operation: &'static str,
    uid: &Uid,
    end: &'static str,
    memos: &[MemoId],
) -> Result<Vec<Edge>> {
    let select = Query::select()
        .columns(["source_memo_id", "target_memo_id"])
        .from("memo_relations")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(is_one_of(end, memos))
        .order_by("created_at", Order::Asc)
        .order_by("relation_id", Order::Asc)
        .to_owned();
    db.fetch_all(operation, &select).await
}

/// Removes all edges that leave a memo.
///
/// # Errors
/// The database fails.
pub async fn delete_by_source(db: &Executor, uid: &Uid, source: &MemoId) -> Result<()> {
    delete(db, "memo_relations.delete_by_source", uid, Expr::col("source_memo_id").eq(source)).await
}

/// Removes all edges that reach a memo.
///
/// # Errors
/// The database fails.
pub async fn delete_by_target(db: &Executor, uid: &Uid, target: &MemoId) -> Result<()> {
    delete(db, "memo_relations.delete_by_target", uid, Expr::col("target_memo_id").eq(target)).await
}

async fn delete(db: &Executor, operation: &'static str, uid: &Uid, condition: Expr) -> Result<()> {
    let delete = Query::delete()
        .from_table("memo_relations")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(condition)
        .to_owned();
    db.execute(operation, &delete).await.map(|_| ())
}
