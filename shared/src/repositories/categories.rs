//! The table `categories`.

use sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sqlx::FromRow;

pub use super::LabelChanges as Changes;
use super::{MAX_IN_LIST, is_one_of, name_key};
use crate::{
    clock::Millis,
    db::{Executor, Result},
    dto::categories::Category,
    ids::{CategoryId, Uid},
};

fn select(uid: &Uid) -> SelectStatement {
    Query::select()
        .columns(["category_id", "uid", "name", "color", "created_at", "updated_at"])
        .from("categories")
        .and_where(Expr::col("uid").eq(uid))
        .to_owned()
}

/// Stores a category under the key of its name.
///
/// # Errors
/// A unique violation when the user has a category of that name.
pub async fn create(db: &Executor, category: &Category) -> Result<()> {
    let insert = Query::insert()
        .into_table("categories")
        .columns(["category_id", "uid", "name", "name_key", "color", "created_at", "updated_at"])
        .values_panic([
            (&category.category_id).into(),
            (&category.uid).into(),
            category.name.as_str().into(),
            name_key(&category.name).into(),
            category.color.clone().into(),
            category.created_at.into(),
            category.updated_at.into(),
        ])
        .to_owned();
    db.execute("categories.create", &insert).await.map(|_| ())
}

/// Returns all categories of a user, in no particular order.
///
/// # Errors
/// The database fails.
pub async fn find_by_user(db: &Executor, uid: &Uid) -> Result<Vec<Category>> {
    db.fetch_all("categories.find_by_user", &select(uid)).await
}

/// Returns a category.
///
/// # Errors
/// The database fails.
pub async fn find_by_id(db: &Executor, uid: &Uid, id: &CategoryId) -> Result<Option<Category>> {
    let select = select(uid).and_where(Expr::col("category_id").eq(id)).to_owned();
    db.fetch_optional("categories.find_by_id", &select).await
}

/// Returns those of the given categories that the user has, in no particular order.
///
/// # Errors
/// The database fails.
pub async fn find_by_ids(db: &Executor, uid: &Uid, ids: &[CategoryId]) -> Result<Vec<Category>> {
    let mut found = Vec::new();
    for ids in ids.chunks(MAX_IN_LIST) {
        let select = select(uid).and_where(is_one_of("category_id", ids)).to_owned();
        found.extend(db.fetch_all::<Category>("categories.find_by_ids", &select).await?);
    }
    Ok(found)
}

/// Returns the category that owns the key of a name.
///
/// # Errors
/// The database fails.
pub async fn find_by_name(db: &Executor, uid: &Uid, name: &str) -> Result<Option<Category>> {
    let select = select(uid).and_where(Expr::col("name_key").eq(name_key(name))).to_owned();
    db.fetch_optional("categories.find_by_name", &select).await
}

/// Reports whether the user has a category, and keeps it from being deleted until the transaction ends.
///
/// # Errors
/// The database fails.
pub async fn exists_for_update(db: &Executor, uid: &Uid, id: &CategoryId) -> Result<bool> {
    #[derive(FromRow)]
    struct Found {}
    let select = Query::select()
        .column("category_id")
        .from("categories")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("category_id").eq(id))
        .lock_exclusive()
        .to_owned();
    let found: Option<Found> = db.fetch_optional("categories.exists_for_update", &select).await?;
    Ok(found.is_some())
}

/// Changes a category, and returns whether the user has it.
///
/// # Errors
/// A unique violation when another category of the user has the new name.
pub async fn update(
    db: &Executor,
    uid: &Uid,
    id: &CategoryId,
    changes: &Changes<'_>,
    now: Millis,
) -> Result<bool> {
    let update = Query::update()
        .table("categories")
        .value("updated_at", now)
        .values(changes.assignments())
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("category_id").eq(id))
        .to_owned();
    db.execute("categories.update", &update).await.map(|rows| rows > 0)
}

/// Deletes a category, and returns whether the user had it.
///
/// # Errors
/// The database fails.
pub async fn delete(db: &Executor, uid: &Uid, id: &CategoryId) -> Result<bool> {
    let delete = Query::delete()
        .from_table("categories")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("category_id").eq(id))
        .to_owned();
    db.execute("categories.delete", &delete).await.map(|rows| rows > 0)
}
