//! The table `vector_outbox`: vector changes that are not applied yet, one row per entity, the last
//! write wins (`contract/data-model.md` section 2).

use sea_query::{CaseStatement, Cond, Expr, ExprTrait, LockBehavior, LockType, OnConflict, Order, Query};
use sqlx::FromRow;

use super::{MAX_INSERT_ROWS, is_one_of};
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

/// A change that is not applied yet.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Entry {
    /// The memo.
    pub entity_id: MemoId,
    /// Its owner.
    pub uid: Uid,
    /// When the change was made. A later change of the same memo has a later time.
    pub enqueued_at: Millis,
    /// How often it was tried to apply it, this time included.
    pub attempts: i32,
}

/// Whose changes are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Those that are due, of all users.
    Due,
    /// Those of a user that are due or have never failed, even when somebody else is applying them.
    Of(&'a Uid),
}

/// Takes at most `limit` changes, those first that have waited longest, and keeps others from taking them
/// until `lease`. Must be called in a transaction.
///
/// # Errors
/// The database fails.
pub async fn claim(db: &Executor, scope: Scope<'_>, now: Millis, lease: Millis, limit: u64) -> Result<Vec<Entry>> {
    let due = Expr::col("next_attempt_at").lte(now);
    let mut select = Query::select()
        .columns(["entity_id", "uid", "enqueued_at"])
        .expr_as(Expr::col("attempts").add(1), "attempts")
        .from("vector_outbox")
        .and_where(Expr::col("kind").eq("memo"))
        .order_by("next_attempt_at", Order::Asc)
        .order_by("entity_id", Order::Asc)
        .limit(limit)
        .to_owned();
    match scope {
        Scope::Due => select.and_where(due).lock_with_behavior(LockType::Update, LockBehavior::SkipLocked),
        Scope::Of(uid) => select
            .and_where(Expr::col("uid").eq(uid))
            .cond_where(Cond::any().add(due).add(Expr::col("last_error").is_null()))
            .lock(LockType::Update),
    };
    let entries: Vec<Entry> = db.fetch_all("vector_outbox.claim", &select).await?;
    if entries.is_empty() {
        return Ok(entries);
    }
    let ids: Vec<&MemoId> = entries.iter().map(|entry| &entry.entity_id).collect();
    let update = Query::update()
        .table("vector_outbox")
        .value("next_attempt_at", lease)
        .value("attempts", Expr::col("attempts").add(1))
        .and_where(Expr::col("kind").eq("memo"))
        .and_where(is_one_of("entity_id", &ids))
        .to_owned();
    db.execute("vector_outbox.claim", &update).await?;
    Ok(entries)
}

/// Forgets changes that were applied, and returns those that were not the last of their memo: a later one was
/// noted meanwhile, and may even have been applied before this one. Must be called in a transaction.
///
/// # Errors
/// The database fails.
pub async fn delete_unchanged(db: &Executor, applied: &[Entry]) -> Result<Vec<Entry>> {
    if applied.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&MemoId> = applied.iter().map(|entry| &entry.entity_id).collect();
    let select = Query::select()
        .columns(["entity_id", "enqueued_at"])
        .from("vector_outbox")
        .and_where(Expr::col("kind").eq("memo"))
        .and_where(is_one_of("entity_id", &ids))
        .lock(LockType::Update)
        .to_owned();
    let found: Vec<(MemoId, Millis)> = db.fetch_all("vector_outbox.delete_unchanged", &select).await?;
    let is_unchanged = |entry: &&Entry| {
        found.iter().any(|(id, enqueued_at)| *id == entry.entity_id && *enqueued_at == entry.enqueued_at)
    };
    let (unchanged, superseded): (Vec<&Entry>, Vec<&Entry>) = applied.iter().partition(is_unchanged);
    if !unchanged.is_empty() {
        let ids: Vec<&MemoId> = unchanged.iter().map(|entry| &entry.entity_id).collect();
        let delete = Query::delete()
            .from_table("vector_outbox")
            .and_where(Expr::col("kind").eq("memo"))
            .and_where(is_one_of("entity_id", &ids))
            .to_owned();
        db.execute("vector_outbox.delete_unchanged", &delete).await?;
    }
    Ok(superseded.into_iter().cloned().collect())
}

/// Puts off changes that could not be applied, each to a time of its own, unless a later one was noted
/// meanwhile. `error` is shown to operators and must not hold content.
///
/// # Errors
/// The database fails.
pub async fn postpone(db: &Executor, entries: &[(&Entry, Millis)], error: &str) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut next_attempt_at = CaseStatement::new();
    let mut these = Cond::any();
    for (entry, time) in entries {
        let is_entry = Expr::col("entity_id").eq(&entry.entity_id);
        next_attempt_at = next_attempt_at.case(is_entry.clone(), *time);
        these = these.add(is_entry.and(Expr::col("enqueued_at").eq(entry.enqueued_at)));
    }
    let update = Query::update()
        .table("vector_outbox")
        .value("next_attempt_at", next_attempt_at.finally(Expr::col("next_attempt_at")))
        .value("last_error", error)
        .and_where(Expr::col("kind").eq("memo"))
        .cond_where(these)
        .to_owned();
    db.execute("vector_outbox.postpone", &update).await.map(|_| ())
}

/// Notes that vectors of memos are to be made again, unless something is noted of them already.
///
/// # Errors
/// The database fails.
pub async fn create_missing(db: &Executor, memos: &[(Uid, MemoId)], now: Millis) -> Result<()> {
    for memos in memos.chunks(MAX_INSERT_ROWS) {
        let mut insert = Query::insert()
            .into_table("vector_outbox")
            .columns(["kind", "entity_id", "uid", "op", "enqueued_at", "attempts", "next_attempt_at"])
            .on_conflict(
                OnConflict::columns(["kind", "entity_id"]).do_nothing_on(["kind", "entity_id"]).to_owned(),
            )
            .to_owned();
        for (uid, memo) in memos {
            insert.values_panic([
                "memo".into(),
                memo.into(),
                uid.into(),
                Op::Upsert.as_str().into(),
                now.into(),
                0.into(),
                now.into(),
            ]);
        }
        db.execute("vector_outbox.create_missing", &insert).await?;
    }
    Ok(())
}

/// How much is waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromRow)]
pub struct Depth {
    /// Changes that are not applied.
    pub pending: i64,
    /// Those of them that may be tried now.
    pub due: i64,
    /// Those of them that have failed.
    pub failing: i64,
    /// When the oldest was noted.
    pub oldest: Option<Millis>,
}

/// Counts what is waiting, of all users.
///
/// # Errors
/// The database fails.
pub async fn depth(db: &Executor, now: Millis) -> Result<Depth> {
    let count = |condition: Expr| Expr::case(condition, 1).finally(Option::<i32>::None);
    let select = Query::select()
        .expr_as(Expr::col("entity_id").count(), "pending")
        .expr_as(Expr::expr(count(Expr::col("next_attempt_at").lte(now))).count(), "due")
        .expr_as(Expr::expr(count(Expr::col("last_error").is_not_null())).count(), "failing")
        .expr_as(Expr::col("enqueued_at").min(), "oldest")
        .from("vector_outbox")
        .to_owned();
    db.fetch_one("vector_outbox.depth", &select).await
}

/// Returns the errors that most changes have, with their numbers.
///
/// # Errors
/// The database fails.
pub async fn find_errors(db: &Executor, limit: u64) -> Result<Vec<(String, i64)>> {
    let select = Query::select()
        .column("last_error")
        .expr_as(Expr::col("entity_id").count(), "number")
        .from("vector_outbox")
        .and_where(Expr::col("last_error").is_not_null())
        .group_by_col("last_error")
        .order_by("number", Order::Desc)
        .order_by("last_error", Order::Asc)
        .limit(limit)
        .to_owned();
    db.fetch_all("vector_outbox.find_errors", &select).await
}
