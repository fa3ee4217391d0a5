//! The rows of `_migrations` with `kind` = `data`: which data migrations have been committed
//! (`contract/data-model.md` section 7). Those of the schema are in [`crate::db::schema`].

use sea_query::{Expr, ExprTrait, Query};

use crate::{
    clock::Millis,
    db::{Executor, Result},
};

/// Records a data migration; in the transaction that it describes.
///
/// # Errors
/// A unique violation when it is recorded already.
pub async fn create(db: &Executor, name: &str, details: &str, now: Millis) -> Result<()> {
    let insert = Query::insert()
        .into_table("_migrations")
        .columns(["hash", "kind", "details", "created_at"])
        .values_panic([name.into(), "data".into(), details.into(), now.into()])
        .to_owned();
    db.execute("data_migrations.create", &insert).await.map(|_| ())
}

/// Removes the record of a data migration, if there is one.
///
/// # Errors
/// The database fails.
pub async fn delete(db: &Executor, name: &str) -> Result<()> {
    let delete = Query::delete().from_table("_migrations").and_where(Expr::col("hash").eq(name)).to_owned();
    db.execute("data_migrations.delete", &delete).await.map(|_| ())
}

/// Returns what is recorded of a data migration: the details of the record, which are empty when it has
/// none. `None`: it has not been committed, or the database has no schema yet.
///
/// # Errors
/// The database fails.
pub async fn find_by_name(db: &Executor, name: &str) -> Result<Option<String>> {
    let select =
        Query::select().column("details").from("_migrations").and_where(Expr::col("hash").eq(name)).to_owned();
    let found: Result<Option<(Option<String>,)>> =
        db.fetch_optional("data_migrations.find_by_name", &select).await;
    match found {
        Ok(row) => Ok(row.map(|(details,)| details.unwrap_or_default())),
        Err(error) if error.is_missing_table() => Ok(None),
        Err(error) => Err(error),
    }
}
