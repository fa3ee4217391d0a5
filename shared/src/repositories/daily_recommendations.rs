//! The table `daily_recommendations`: the memos chosen for a user on a day.

use sea_query::{Expr, ExprTrait, OnConflict, Order, Query, SelectStatement};
use sqlx::FromRow;

use super::{decode, encode};
use crate::{
    clock::Millis,
    db::{Executor, Result},
    ids::{MemoId, RecommendationId, Uid},
};

/// The choice of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recommendation {
    /// The id.
    pub recommendation_id: RecommendationId,
    /// The user.
    pub uid: Uid,
    /// The day in the configured zone, `YYYY-MM-DD`.
    pub date: String,
    /// The memos, in the order in which they are shown.
    pub memo_ids: Vec<MemoId>,
    /// When the first choice of the day was made.
    pub created_at: Millis,
}

#[derive(FromRow)]
struct RecommendationRow {
    recommendation_id: RecommendationId,
    uid: Uid,
    date: String,
    memo_ids: String,
    created_at: Millis,
}

impl TryFrom<RecommendationRow> for Recommendation {
    type Error = crate::db::Error;

    fn try_from(row: RecommendationRow) -> Result<Self> {
        let memo_ids =
            decode("daily_recommendations", "memo_ids", row.recommendation_id.as_str(), Some(&row.memo_ids))?;
        Ok(Self {
            recommendation_id: row.recommendation_id,
            uid: row.uid,
            date: row.date,
            memo_ids: memo_ids.unwrap_or_default(),
            created_at: row.created_at,
        })
    }
}

const COLUMNS: [&str; 5] = ["recommendation_id", "uid", "date", "memo_ids", "created_at"];

fn select(uid: &Uid) -> SelectStatement {
    Query::select().columns(COLUMNS).from("daily_recommendations").and_where(Expr::col("uid").eq(uid)).to_owned()
}

/// Stores the choice of a day unless there is one: the first writer wins.
///
/// # Errors
/// The database fails.
pub async fn create(db: &Executor, recommendation: &Recommendation) -> Result<()> {
    let unless_present = OnConflict::columns(["uid", "date"]).do_nothing_on(["recommendation_id"]).to_owned();
    insert(db, "daily_recommendations.create", recommendation, unless_present).await
}

/// Stores the choice of a day, replacing the memos of an earlier one; the id and the time of the
/// first choice stay.
///
/// # Errors
/// The database fails.
pub async fn upsert(db: &Executor, recommendation: &Recommendation) -> Result<()> {
    let replace = OnConflict::columns(["uid", "date"]).update_column("memo_ids").to_owned();
    insert(db, "daily_recommendations.upsert", recommendation, replace).await
}

async fn insert(
    db: &Executor,
    operation: &'static str,
    recommendation: &Recommendation,
    on_conflict: OnConflict,
) -> Result<()> {
    let insert = Query::insert()
        .into_table("daily_recommendations")
        .columns(COLUMNS)
        .values_panic([
            (&recommendation.recommendation_id).into(),
            (&recommendation.uid).into(),
            recommendation.date.as_str().into(),
            encode(&recommendation.memo_ids)?.into(),
            recommendation.created_at.into(),
        ])
        .on_conflict(on_conflict)
        .to_owned();
    db.execute(operation, &insert).await.map(|_| ())
}

/// Returns the choice of a day.
///
/// # Errors
/// The database fails, or the stored list is corrupt.
pub async fn find_by_date(db: &Executor, uid: &Uid, date: &str) -> Result<Option<Recommendation>> {
    let select = select(uid).and_where(Expr::col("date").eq(date)).to_owned();
    let row: Option<RecommendationRow> = db.fetch_optional("daily_recommendations.find_by_date", &select).await?;
    row.map(Recommendation::try_from).transpose()
}

/// Returns all choices of a user, newest day first.
///
/// # Errors
/// As [`find_by_date`].
pub async fn find_by_user(db: &Executor, uid: &Uid) -> Result<Vec<Recommendation>> {
    let select = select(uid).order_by("date", Order::Desc).to_owned();
    let rows: Vec<RecommendationRow> = db.fetch_all("daily_recommendations.find_by_user", &select).await?;
    rows.into_iter().map(Recommendation::try_from).collect()
}

/// Deletes the choice of a day, and returns whether there was one.
///
/// # Errors
/// The database fails.
pub async fn delete(db: &Executor, uid: &Uid, date: &str) -> Result<bool> {
    let delete = Query::delete()
        .from_table("daily_recommendations")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("date").eq(date))
        .to_owned();
    db.execute("daily_recommendations.delete", &delete).await.map(|rows| rows > 0)
}
