//! The table `push_slots`: the hours whose pushes a run has begun to deliver
//! (`docs/decisions/0009-slots-of-pushes.md`).

use sea_query::{Expr, ExprTrait, OnConflict, Order, Query, SelectStatement};
use sqlx::FromRow;

use crate::{
    clock::Millis,
    db::{Executor, Result},
};

/// An hour whose pushes a run has begun to deliver.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct PushSlot {
    /// The local date and hour, such as `2026-03-05T08`.
    pub slot: String,
    /// When its run was due.
    pub scheduled_at: Millis,
    /// When nothing of it was left; `None` as long as something may be.
    pub finished_at: Option<Millis>,
}

const COLUMNS: [&str; 3] = ["slot", "scheduled_at", "finished_at"];

fn select() -> SelectStatement {
    Query::select().columns(COLUMNS).from("push_slots").to_owned()
}

/// Stores a slot as begun, unless there is one.
///
/// # Errors
/// The database fails.
pub async fn create(db: &Executor, slot: &str, scheduled_at: Millis) -> Result<()> {
    let insert = Query::insert()
        .into_table("push_slots")
        .columns(COLUMNS)
        .values_panic([slot.into(), scheduled_at.into(), Option::<Millis>::None.into()])
        .on_conflict(OnConflict::column("slot").do_nothing_on(["slot"]).to_owned())
        .to_owned();
    db.execute("push_slots.create", &insert).await.map(|_| ())
}

/// Returns a slot.
///
/// # Errors
/// The database fails.
pub async fn find_by_id(db: &Executor, slot: &str) -> Result<Option<PushSlot>> {
    let select = select().and_where(Expr::col("slot").eq(slot)).to_owned();
    db.fetch_optional("push_slots.find_by_id", &select).await
}

/// Returns the slots that were due since a time, oldest first.
///
/// # Errors
/// The database fails.
pub async fn find_since(db: &Executor, since: Millis) -> Result<Vec<PushSlot>> {
    let select = select()
        .and_where(Expr::col("scheduled_at").gte(since))
        .order_by("scheduled_at", Order::Asc)
        .order_by("slot", Order::Asc)
        .to_owned();
    db.fetch_all("push_slots.find_since", &select).await
}

/// Notes that nothing is left of a slot.
///
/// # Errors
/// The database fails.
pub async fn update_finished(db: &Executor, slot: &str, now: Millis) -> Result<()> {
    let update = Query::update()
        .table("push_slots")
        .value("finished_at", now)
        .and_where(Expr::col("slot").eq(slot))
        .to_owned();
    db.execute("push_slots.update_finished", &update).await.map(|_| ())
}

/// Forgets the slots that were due before a time, and returns how many.
///
/// # Errors
/// The database fails.
pub async fn delete_before(db: &Executor, before: Millis) -> Result<u64> {
    let delete =
        Query::delete().from_table("push_slots").and_where(Expr::col("scheduled_at").lt(before)).to_owned();
    db.execute("push_slots.delete_before", &delete).await
}
