//! The table `vector_outbox`: vector changes that are not applied yet, one row per entity, the last
//! write wins (`contract/data-model.md` section 2).

use sea_query::{Expr, ExprTrait, OnConflict, Query};

use crate::{
    clock::Millis,
    db::{Executor, Result},
    ids::{MemoId, Uid},
};

/// What is to be done to a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Embed the current content and store the vector.
    Upsert,
    /// Remove the vector.
    Delete,
}

impl Op {
    fn as_str(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Delete => "delete",
        }
    }
}

/// Notes a change of the vector of a memo, replacing an older note. The time of the note becomes
/// greater than before, so that whoever is applying the older one does not delete this one.
///
/// # Errors
/// The database fails.
pub async fn upsert_memo(db: &Executor, uid: &Uid, memo: &MemoId, op: Op, now: Millis) -> Result<()> {
    let before = || Expr::col(("vector_outbox", "enqueued_at"));
    let later = Expr::case(before().gte(now), before().add(1)).finally(now);
    let upsert = Query::insert()
        .into_table("vector_outbox")
        .columns(["kind", "entity_id", "uid", "op", "enqueued_at", "attempts", "next_attempt_at"])
        .values_panic([
            "memo".into(),
            memo.into(),
            uid.into(),
            op.as_str().into(),
            now.into(),
            0.into(),
            now.into(),
        ])
        .on_conflict(
            OnConflict::columns(["kind", "entity_id"])
                .update_columns(["uid", "op", "attempts", "next_attempt_at"])
                .value("enqueued_at", later)
                .value("last_error", Expr::val(Option::<String>::None))
                .to_owned(),
        )
        .to_owned();
    db.execute("vector_outbox.upsert_memo", &upsert).await.map(|_| ())
}
