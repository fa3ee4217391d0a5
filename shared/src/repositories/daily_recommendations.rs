//! The table `daily_recommendations`: the memos chosen for a user on a day.

use sea_query::{Expr, ExprTrait, OnConflict, Order, Query};
use sqlx::FromRow;

use super::{MAX_INSERT_ROWS, decode, encode, is_one_of};
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

/// Stores choices of a day, each unless there is one: the first writer wins.
///
/// # Errors
/// The database fails.
pub async fn create(db: &Executor, recommendations: &[Recommendation]) -> Result<()> {
    let unless_present = OnConflict::columns(["uid", "date"]).do_nothing_on(["recommendation_id"]).to_owned();
    insert(db, "daily_recommendations.create", recommendations, unless_present).await
}

/// Stores choices of a day, replacing the memos of earlier ones; the id and the time of the first choice
/// stay.
///
/// # Errors
/// The database fails.
pub async fn upsert(db: &Executor, recommendations: &[Recommendation]) -> Result<()> {
    let replace = OnConflict::columns(["uid", "date"]).update_column("memo_ids").to_owned();
    insert(db, "daily_recommendations.upsert", recommendations, replace).await
}

async fn insert(
    db: &Executor,
    operation: &'static str,
    recommendations: &[Recommendation],
    on_conflict: OnConflict,
) -> Result<()> {
    for recommendations in recommendations.chunks(MAX_INSERT_ROWS) {
        let mut insert = Query::insert();
        insert.into_table("daily_recommendations").columns(COLUMNS).on_conflict(on_conflict.clone());
        for recommendation in recommendations {
            insert.values_panic([
                (&recommendation.recommendation_id).into(),
                (&recommendation.uid).into(),
                recommendation.date.as_str().into(),
                encode(&recommendation.memo_ids)?.into(),
                recommendation.created_at.into(),
            ]);
        }
        db.execute(operation, &insert).await?;
    }
    Ok(())
}

/// Returns the choices of a day of some users, those that there are. Each is an error of its own when its list
/// is corrupt.
///
/// # Errors
/// The database fails.
pub async fn find_by_date(db: &Executor, uids: &[Uid], date: &str) -> Result<Vec<(Uid, Result<Recommendation>)>> {
    let select = Query::select()
        .columns(COLUMNS)
        .from("daily_recommendations")
        .and_where(is_one_of("uid", uids))
        .and_where(Expr::col("date").eq(date))
        .to_owned();
    let rows: Vec<RecommendationRow> = db.fetch_all("daily_recommendations.find_by_date", &select).await?;
    Ok(rows.into_iter().map(|row| (row.uid.clone(), row.try_into())).collect())
}

/// Returns all choices of a user, newest day first.
///
/// # Errors
/// The database fails, or a stored list is corrupt.
pub async fn find_by_user(db: &Executor, uid: &Uid) -> Result<Vec<Recommendation>> {
    let select = Query::select()
        .columns(COLUMNS)
        .from("daily_recommendations")
        .and_where(Expr::col("uid").eq(uid))
        .order_by("date", Order::Desc)
        .to_owned();
    let rows: Vec<RecommendationRow> = db.fetch_all("daily_recommendations.find_by_user", &select).await?;
    rows.into_iter().map(Recommendation::try_from).collect()
}

/// Deletes the choices of all days before one, of all users, and returns how many those were.
///
/// # Errors
/// The database fails.
pub async fn delete_before(db: &Executor, date: &str) -> Result<u64> {
    let delete =
        Query::delete().from_table("daily_recommendations").and_where(Expr::col("date").lt(date)).to_owned();
    db.execute("daily_recommendations.delete_before", &delete).await
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
