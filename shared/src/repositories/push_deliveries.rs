//! The table `push_deliveries`: the ledger that lets a push go out once (`contract/push-rules-scheduler.md`,
//! required serverless design, point 5). The schedule serves all users, so its statements name none.

use std::collections::{BTreeMap, BTreeSet};

use sea_query::{Expr, ExprTrait, Func, OnConflict, Order, Query, Value};
use serde::Serialize;
use sqlx::FromRow;

use super::{MAX_INSERT_ROWS, is_one_of};
use crate::{
    clock::Millis,
    db::{Executor, Result},
    ids::{ClaimId, PushRuleId, Uid},
};

/// A channel of a rule in a slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, FromRow)]
pub struct Delivery {
    /// The rule.
    pub rule_id: PushRuleId,
    /// The place of the channel in the rule, from 0.
    pub channel_index: i32,
    /// The owner of the rule.
    pub uid: Uid,
    /// How many runs have claimed it. Above 1, one that has died may have sent it.
    pub attempts: i32,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The channel took it.
    Sent,
    /// It was not sent, or nobody knows; it is not tried again.
    Failed,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

/// A claim on deliveries: who may send them, and until when nobody else may.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The slot.
    pub slot: &'a str,
    /// The id, which no other claim has.
    pub id: ClaimId,
    /// When others may take over what is not done.
    pub lease_until: Millis,
}

const PENDING: &str = "pending";

const COLUMNS: [&str; 10] = [
    "rule_id",
    "slot",
    "channel_index",
    "uid",
    "state",
    "claim",
    "lease_until",
    "attempts",
    "created_at",
    "updated_at",
];

/// Claims deliveries that nobody has claimed. [`find_by_claim`] tells which these were.
///
/// # Errors
/// The database fails.
pub async fn create(db: &Executor, claim: &Claim<'_>, deliveries: &[Delivery], now: Millis) -> Result<()> {
    let unless_present =
        OnConflict::columns(["rule_id", "slot", "channel_index"]).do_nothing_on(["rule_id"]).to_owned();
    for deliveries in deliveries.chunks(MAX_INSERT_ROWS) {
        let mut insert = Query::insert();
        insert.into_table("push_deliveries").columns(COLUMNS).on_conflict(unless_present.clone());
        for delivery in deliveries {
            let row: [Value; COLUMNS.len()] = [
                (&delivery.rule_id).into(),
                claim.slot.into(),
                delivery.channel_index.into(),
                (&delivery.uid).into(),
                PENDING.into(),
                (&claim.id).into(),
                claim.lease_until.into(),
                1.into(),
                now.into(),
                now.into(),
            ];
            insert.values_panic(row.map(Expr::from));
        }
        db.execute("push_deliveries.create", &insert).await?;
    }
    Ok(())
}

/// Takes over what is left of the claims of others on these rules, once their lease is over.
///
/// # Errors
/// The database fails.
pub async fn update_claim(db: &Executor, claim: &Claim<'_>, rules: &[PushRuleId], now: Millis) -> Result<()> {
    let update = Query::update()
        .table("push_deliveries")
        .value("claim", Expr::val(&claim.id))
        .value("lease_until", claim.lease_until)
        .value("attempts", Expr::col("attempts").add(1))
        .value("updated_at", now)
        .and_where(is_one_of("rule_id", rules))
        .and_where(Expr::col("slot").eq(claim.slot))
        .and_where(Expr::col("state").eq(PENDING))
        .and_where(Expr::col("lease_until").lte(now))
        .to_owned();
    db.execute("push_deliveries.update_claim", &update).await.map(|_| ())
}

/// Returns the deliveries of some rules that a claim holds.
///
/// # Errors
/// The database fails.
pub async fn find_by_claim(db: &Executor, claim: &Claim<'_>, rules: &[PushRuleId]) -> Result<Vec<Delivery>> {
    let select = Query::select()
        .columns(["rule_id", "channel_index", "uid", "attempts"])
        .from("push_deliveries")
        .and_where(is_one_of("rule_id", rules))
        .and_where(Expr::col("slot").eq(claim.slot))
        .and_where(Expr::col("claim").eq(&claim.id))
        .order_by("rule_id", Order::Asc)
        .order_by("channel_index", Order::Asc)
        .to_owned();
    db.fetch_all("push_deliveries.find_by_claim", &select).await
}

/// Returns the rules of at most `limit` deliveries of a slot whose lease is over.
///
/// # Errors
/// The database fails.
pub async fn find_expired(db: &Executor, slot: &str, now: Millis, limit: u64) -> Result<Vec<PushRuleId>> {
    let select = Query::select()
        .column("rule_id")
        .from("push_deliveries")
        .and_where(Expr::col("slot").eq(slot))
        .and_where(Expr::col("state").eq(PENDING))
        .and_where(Expr::col("lease_until").lte(now))
        .limit(limit)
        .to_owned();
    let rows: Vec<(PushRuleId,)> = db.fetch_all("push_deliveries.find_expired", &select).await?;
    let rules: BTreeSet<PushRuleId> = rows.into_iter().map(|(id,)| id).collect();
    Ok(rules.into_iter().collect())
}

/// Reports whether a delivery of a slot is claimed and not done.
///
/// # Errors
/// The database fails.
pub async fn exists_pending(db: &Executor, slot: &str) -> Result<bool> {
    let select = Query::select()
        .column("rule_id")
        .from("push_deliveries")
        .and_where(Expr::col("slot").eq(slot))
        .and_where(Expr::col("state").eq(PENDING))
        .limit(1)
        .to_owned();
    let row: Option<(PushRuleId,)> = db.fetch_optional("push_deliveries.exists_pending", &select).await?;
    Ok(row.is_some())
}

/// Returns the condition that a row is one of the deliveries, and still held by one of the claims.
fn held(slot: &str, held: &[(&ClaimId, &Delivery)]) -> Expr {
    let mut by_channel: BTreeMap<i32, Vec<&PushRuleId>> = BTreeMap::new();
    for (_, delivery) in held {
        by_channel.entry(delivery.channel_index).or_default().push(&delivery.rule_id);
    }
    let channels = by_channel.into_iter().map(|(channel, rules)| {
        let of_rules = is_one_of("rule_id", &rules);
        Expr::col("channel_index").eq(channel).and(of_rules)
    });
    let rules: Vec<&PushRuleId> = held.iter().map(|(_, delivery)| &delivery.rule_id).collect();
    let mut claims: Vec<&ClaimId> = held.iter().map(|(claim, _)| *claim).collect();
    claims.dedup();
    is_one_of("rule_id", &rules)
        .and(Expr::col("slot").eq(slot))
        .and(Expr::col("state").eq(PENDING))
        .and(is_one_of("claim", &claims))
        .and(channels.reduce(ExprTrait::or).unwrap_or_else(|| Expr::val(false)))
}

/// Notes how deliveries ended, each with the claim that holds it.
///
/// # Errors
/// The database fails.
pub async fn update_state(
    db: &Executor,
    slot: &str,
    deliveries: &[(&ClaimId, &Delivery)],
    state: State,
    error: Option<&str>,
    now: Millis,
) -> Result<()> {
    let update = Query::update()
        .table("push_deliveries")
        .value("state", state.as_str())
        .value("last_error", error.map(str::to_owned))
        .value("updated_at", now)
        .and_where(held(slot, deliveries))
        .to_owned();
    db.execute("push_deliveries.update_state", &update).await.map(|_| ())
}

/// Gives deliveries back that were claimed for the first time and not begun, as if they had not been.
///
/// # Errors
/// The database fails.
pub async fn delete(db: &Executor, slot: &str, deliveries: &[(&ClaimId, &Delivery)]) -> Result<()> {
    let delete = Query::delete()
        .from_table("push_deliveries")
        .and_where(held(slot, deliveries))
        .and_where(Expr::col("attempts").eq(1))
        .to_owned();
    db.execute("push_deliveries.delete", &delete).await.map(|_| ())
}

/// How many deliveries of a slot are in a state.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// `pending`, `sent` or `failed`.
    pub state: String,
    /// How many are.
    pub deliveries: i64,
    /// How many of them more than one run has claimed.
    pub possible_duplicates: i64,
}

/// Returns the numbers of deliveries of a slot by state.
///
/// # Errors
/// The database fails.
pub async fn count(db: &Executor, slot: &str) -> Result<Vec<Count>> {
    let doubtful: Expr =
        Expr::case(Expr::col("attempts").gt(1), Expr::col("attempts")).finally(Option::<i32>::None).into();
    let select = Query::select()
        .column("state")
        .expr_as(Func::count(Expr::col("rule_id")), "deliveries")
        .expr_as(Func::count(doubtful), "possible_duplicates")
        .from("push_deliveries")
        .and_where(Expr::col("slot").eq(slot))
        .add_group_by([Expr::col("state")])
        .order_by("state", Order::Asc)
        .to_owned();
    db.fetch_all("push_deliveries.count", &select).await
}

/// Forgets about `limit` of the deliveries that were created before a time, oldest first, and returns how many
/// those were: 0 when none is left. Deliveries of one moment go together.
///
/// # Errors
/// The database fails.
pub async fn delete_before(db: &Executor, before: Millis, limit: u64) -> Result<u64> {
    let oldest = Query::select()
        .column("created_at")
        .from("push_deliveries")
        .and_where(Expr::col("created_at").lt(before))
        .order_by("created_at", Order::Asc)
        .limit(1)
        .offset(limit.saturating_sub(1))
        .to_owned();
    let last: Option<(Millis,)> = db.fetch_optional("push_deliveries.delete_before", &oldest).await?;
    let last = last.map_or(before - 1, |(last,)| last);
    let delete =
        Query::delete().from_table("push_deliveries").and_where(Expr::col("created_at").lte(last)).to_owned();
    db.execute("push_deliveries.delete_before", &delete).await
}
