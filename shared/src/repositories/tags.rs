//! The table `tags`.

use std::collections::HashMap;

use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};

pub use super::LabelChanges as Changes;
use super::{MAX_IN_LIST, insert_many, is_one_of, name_key};
use crate::{
    clock::Millis,
    db::{Executor, Result},
    dto::tags::Tag,
    ids::{TagId, Uid},
};

fn select(uid: &Uid) -> SelectStatement {
    Query::select()
        .columns(["tag_id", "name", "color", "usage_count", "created_at", "updated_at"])
        .from("tags")
        .and_where(Expr::col("uid").eq(uid))
        .to_owned()
}

/// Stores tags under the keys of their names.
///
/// # Errors
/// A unique violation when the user has a tag of one of the names.
pub async fn create(db: &Executor, uid: &Uid, tags: &[Tag]) -> Result<()> {
    let columns = ["tag_id", "uid", "name", "name_key", "color", "usage_count", "created_at", "updated_at"];
    let rows = tags.iter().map(|tag| {
        [
            (&tag.tag_id).into(),
            uid.into(),
            tag.name.as_str().into(),
            name_key(&tag.name).into(),
            tag.color.clone().into(),
            tag.usage_count.into(),
            tag.created_at.into(),
            tag.updated_at.into(),
        ]
    });
    insert_many(db, "tags.create", "tags", columns, rows.collect()).await
}

/// Returns all tags of a user, oldest first.
///
/// # Errors
/// The database fails.
pub async fn find_by_user(db: &Executor, uid: &Uid) -> Result<Vec<Tag>> {
    let select = select(uid).order_by("created_at", Order::Asc).order_by("tag_id", Order::Asc).to_owned();
    db.fetch_all("tags.find_by_user", &select).await
}

/// Returns a tag.
///
/// # Errors
/// The database fails.
pub async fn find_by_id(db: &Executor, uid: &Uid, id: &TagId) -> Result<Option<Tag>> {
    let select = select(uid).and_where(Expr::col("tag_id").eq(id)).to_owned();
    db.fetch_optional("tags.find_by_id", &select).await
}

/// Returns those of the given tags that the user has, in the order asked, each once per mention.
///
/// # Errors
/// The database fails.
pub async fn find_by_ids(db: &Executor, uid: &Uid, ids: &[TagId]) -> Result<Vec<Tag>> {
    find_some(db, "tags.find_by_ids", uid, ids, false).await
}

/// As [`find_by_ids`], and locks the tags until the transaction ends.
///
/// # Errors
/// The database fails.
pub async fn find_by_ids_for_update(db: &Executor, uid: &Uid, ids: &[TagId]) -> Result<Vec<Tag>> {
    find_some(db, "tags.find_by_ids_for_update", uid, ids, true).await
}

async fn find_some(
    db: &Executor,
    operation: &'static str,
    uid: &Uid,
    ids: &[TagId],
    lock: bool,
) -> Result<Vec<Tag>> {
    let mut found: HashMap<TagId, Tag> = HashMap::new();
    for ids in ids.chunks(MAX_IN_LIST) {
        let mut select = select(uid).and_where(is_one_of("tag_id", ids)).order_by("tag_id", Order::Asc).to_owned();
        if lock {
            select.lock_exclusive();
        }
        let tags: Vec<Tag> = db.fetch_all(operation, &select).await?;
        found.extend(tags.into_iter().map(|tag| (tag.tag_id.clone(), tag)));
    }
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}

/// Returns the tag that owns the key of a name.
///
/// # Errors
/// The database fails.
pub async fn find_by_name(db: &Executor, uid: &Uid, name: &str) -> Result<Option<Tag>> {
    let select = select(uid).and_where(Expr::col("name_key").eq(name_key(name))).to_owned();
    db.fetch_optional("tags.find_by_name", &select).await
}

/// Returns the tags that own the keys of names, in no particular order, and locks them until the
/// transaction ends.
///
/// # Errors
/// The database fails.
pub async fn find_by_names_for_update(db: &Executor, uid: &Uid, names: &[&str]) -> Result<Vec<Tag>> {
    let keys: Vec<String> = names.iter().map(|name| name_key(name)).collect();
    let mut found = Vec::new();
    for keys in keys.chunks(MAX_IN_LIST) {
        let select = select(uid)
            .and_where(is_one_of("name_key", keys))
            .order_by("tag_id", Order::Asc)
            .lock_exclusive()
            .to_owned();
        found.extend(db.fetch_all::<Tag>("tags.find_by_names_for_update", &select).await?);
    }
    Ok(found)
}

/// Changes a tag, and returns whether the user has it.
///
/// # Errors
/// A unique violation when another tag of the user has the new name.
pub async fn update(db: &Executor, uid: &Uid, id: &TagId, changes: &Changes<'_>, now: Millis) -> Result<bool> {
    let update = Query::update()
        .table("tags")
        .value("updated_at", now)
        .values(changes.assignments())
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("tag_id").eq(id))
        .to_owned();
    db.execute("tags.update", &update).await.map(|rows| rows > 0)
}

/// Adds one to the usage counts of tags; unknown tags are skipped.
///
/// # Errors
/// The database fails.
pub async fn increment_usage(db: &Executor, uid: &Uid, ids: &[TagId], now: Millis) -> Result<()> {
    let count = Expr::col("usage_count").add(1);
    update_usage(db, "tags.increment_usage", uid, ids, count, now).await
}

/// Takes one from the usage counts of tags, never below 0; unknown tags are skipped.
///
/// # Errors
/// The database fails.
pub async fn decrement_usage(db: &Executor, uid: &Uid, ids: &[TagId], now: Millis) -> Result<()> {
    let count = Expr::case(Expr::col("usage_count").gt(0), Expr::col("usage_count").sub(1)).finally(0);
    update_usage(db, "tags.decrement_usage", uid, ids, count.into(), now).await
}

async fn update_usage(
    db: &Executor,
    operation: &'static str,
    uid: &Uid,
    ids: &[TagId],
    count: Expr,
    now: Millis,
) -> Result<()> {
    for ids in ids.chunks(MAX_IN_LIST) {
        let update = Query::update()
            .table("tags")
            .value("usage_count", count.clone())
            .value("updated_at", now)
            .and_where(Expr::col("uid").eq(uid))
            .and_where(is_one_of("tag_id", ids))
            .to_owned();
        db.execute(operation, &update).await?;
    }
    Ok(())
}

/// Deletes a tag, and returns whether the user had it.
///
/// # Errors
/// The database fails.
pub async fn delete(db: &Executor, uid: &Uid, id: &TagId) -> Result<bool> {
    let delete = Query::delete()
        .from_table("tags")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("tag_id").eq(id))
        .to_owned();
    db.execute("tags.delete", &delete).await.map(|rows| rows > 0)
}
