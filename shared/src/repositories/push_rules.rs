//! The table `push_rules`. `channels` holds secrets: it never appears in an error or a log.

use sea_query::{Expr, ExprTrait, Func, Order, Query, SelectStatement};
use serde_json::Value;
use sqlx::FromRow;

use super::{MAX_IN_LIST, decode, encode, is_one_of, users::ACTIVE};
use crate::{
    clock::Millis,
    db::{Executor, Result},
    dto::push_rules::{PushRule, PushRuleUpdate},
    ids::{PushRuleId, Uid},
};

#[derive(FromRow)]
struct PushRuleRow {
    id: PushRuleId,
    uid: Uid,
    name: String,
    push_time: i32,
    content_type: String,
    channels: String,
    enabled: i32,
    created_at: Millis,
    updated_at: Millis,
}

impl From<PushRuleRow> for PushRule {
    fn from(row: PushRuleRow) -> Self {
        // Contract: channels that cannot be read count as none (contract/push-rules-scheduler.md, data).
        let channels: Result<Option<Vec<Value>>> =
            decode("push_rules", "channels", row.id.as_str(), Some(&row.channels));
        let channels = channels.unwrap_or_else(|error| {
            tracing::error!(error = %error, "push_rules.corrupt");
            None
        });
        Self {
            id: row.id,
            uid: row.uid,
            name: row.name,
            push_time: row.push_time,
            content_type: row.content_type,
            channels: channels.unwrap_or_default(),
            enabled: row.enabled != 0,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

const COLUMNS: [&str; 9] =
    ["id", "uid", "name", "push_time", "content_type", "channels", "enabled", "created_at", "updated_at"];

fn select(uid: &Uid) -> SelectStatement {
    Query::select().columns(COLUMNS).from("push_rules").and_where(Expr::col("uid").eq(uid)).to_owned()
}

async fn fetch(db: &Executor, operation: &'static str, select: &SelectStatement) -> Result<Vec<PushRule>> {
    let rows: Vec<PushRuleRow> = db.fetch_all(operation, select).await?;
    Ok(rows.into_iter().map(PushRule::from).collect())
}

/// Stores a rule.
///
/// # Errors
/// The database fails.
pub async fn create(db: &Executor, rule: &PushRule) -> Result<()> {
    let insert = Query::insert()
        .into_table("push_rules")
        .columns(COLUMNS)
        .values_panic([
            (&rule.id).into(),
            (&rule.uid).into(),
            rule.name.as_str().into(),
            rule.push_time.into(),
            rule.content_type.as_str().into(),
            encode(&rule.channels)?.into(),
            i32::from(rule.enabled).into(),
            rule.created_at.into(),
            rule.updated_at.into(),
        ])
        .to_owned();
    db.execute("push_rules.create", &insert).await.map(|_| ())
}

/// Returns all rules of a user, oldest first.
///
/// # Errors
/// The database fails.
pub async fn find_by_user(db: &Executor, uid: &Uid) -> Result<Vec<PushRule>> {
    let select = select(uid).order_by("created_at", Order::Asc).order_by("id", Order::Asc).to_owned();
    fetch(db, "push_rules.find_by_user", &select).await
}

/// Returns a rule.
///
/// # Errors
/// The database fails.
pub async fn find_by_id(db: &Executor, uid: &Uid, id: &PushRuleId) -> Result<Option<PushRule>> {
    let select = select(uid).and_where(Expr::col("id").eq(id)).to_owned();
    let row: Option<PushRuleRow> = db.fetch_optional("push_rules.find_by_id", &select).await?;
    Ok(row.map(PushRule::from))
}

/// Nothing is sent for somebody who was deactivated (DESIGN section 7). The owner of each rule is looked up; with
/// `NOT EXISTS` databases go through all users.
fn owner_is_active() -> Expr {
    let status = Query::select()
        .column(("users", "status"))
        .from("users")
        .and_where(Expr::col(("users", "uid")).equals(("push_rules", "uid")))
        .to_owned();
    let status = Expr::SubQuery(None, Box::new(status.into()));
    let active = || Expr::Constant(ACTIVE.into());
    Expr::expr(Func::coalesce([status, active()])).eq(active())
}

/// Returns at most `limit` enabled rules of an hour, of all users, in the order of user and id, those after a given
/// one: the schedule has no user of its own.
///
/// # Errors
/// The database fails.
pub async fn find_enabled_by_time(
    db: &Executor,
    hour: i32,
    after: Option<(&Uid, &PushRuleId)>,
    limit: u64,
) -> Result<Vec<PushRule>> {
    let mut select = Query::select()
        .columns(COLUMNS)
        .from("push_rules")
        .and_where(Expr::col("enabled").eq(1))
        .and_where(Expr::col("push_time").eq(hour))
        .and_where(owner_is_active())
        .order_by("uid", Order::Asc)
        .order_by("id", Order::Asc)
        .limit(limit)
        .to_owned();
    if let Some((uid, id)) = after {
        // The first condition says where in the index to begin.
        select.and_where(Expr::col("uid").gte(uid)).and_where(Expr::col("uid").gt(uid).or(Expr::col("id").gt(id)));
    }
    fetch(db, "push_rules.find_enabled_by_time", &select).await
}

/// Returns those of some rules that are enabled, of all users, in no order.
///
/// # Errors
/// The database fails.
pub async fn find_enabled_by_ids(db: &Executor, ids: &[PushRuleId]) -> Result<Vec<PushRule>> {
    let mut found = Vec::new();
    for ids in ids.chunks(MAX_IN_LIST) {
        let select = Query::select()
            .columns(COLUMNS)
            .from("push_rules")
            .and_where(is_one_of("id", ids))
            .and_where(Expr::col("enabled").eq(1))
            .and_where(owner_is_active())
            .to_owned();
        found.extend(fetch(db, "push_rules.find_enabled_by_ids", &select).await?);
    }
    Ok(found)
}

/// Changes a rule, and returns whether the user has it.
///
/// # Errors
/// The database fails.
pub async fn update(
    db: &Executor,
    uid: &Uid,
    id: &PushRuleId,
    changes: &PushRuleUpdate,
    now: Millis,
) -> Result<bool> {
    let channels = changes.channels.as_ref().map(encode).transpose()?;
    let update = Query::update()
        .table("push_rules")
        .value("updated_at", now)
        .values(changes.name.as_deref().map(|name| ("name", name.into())))
        .values(changes.push_time.map(|hour| ("push_time", hour.into())))
        .values(changes.content_type.as_deref().map(|content| ("content_type", content.into())))
        .values(channels.map(|channels| ("channels", channels.into())))
        .values(changes.enabled.map(|enabled| ("enabled", i32::from(enabled).into())))
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("id").eq(id))
        .to_owned();
    db.execute("push_rules.update", &update).await.map(|rows| rows > 0)
}

/// Deletes a rule, and returns whether the user had it.
///
/// # Errors
/// The database fails.
pub async fn delete(db: &Executor, uid: &Uid, id: &PushRuleId) -> Result<bool> {
    let delete = Query::delete()
        .from_table("push_rules")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("id").eq(id))
        .to_owned();
    db.execute("push_rules.delete", &delete).await.map(|rows| rows > 0)
}
