//! The table `memo_relations`: directed edges between memos of one user.

use sea_query::{Expr, ExprTrait, Order, Query};

use super::insert_many;
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

/// Returns the memos to which a memo has edges, in order.
///
/// # Errors
/// The database fails.
pub async fn find_targets(db: &Executor, uid: &Uid, source: &MemoId) -> Result<Vec<MemoId>> {
    let select = Query::select()
        .column("target_memo_id")
        .from("memo_relations")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("source_memo_id").eq(source))
        .order_by("created_at", Order::Asc)
        .order_by("relation_id", Order::Asc)
        .to_owned();
    let rows: Vec<(MemoId,)> = db.fetch_all("memo_relations.find_targets", &select).await?;
    Ok(rows.into_iter().map(|(target,)| target).collect())
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
