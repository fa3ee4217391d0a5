//! The only place with SQL: one file per table, one method per statement.
//!
//! A repository is a module of functions. Each takes an [`Executor`](crate::db::Executor), so that it runs on the pool or
//! inside a transaction alike, and the owner's `uid`, which every statement carries. Their names come
//! from a closed list: `create`, `find_by_id`, `find_by_ids`, `find_by_user`, `update`, `delete`,
//! `count`, `exists`, `upsert`. Absence is an `Option` or a row count, not an error. JSON columns are
//! encoded and decoded here.

pub mod ai_conversations;
pub mod ai_messages;
pub mod attachments;
pub mod categories;
pub mod daily_recommendations;
pub mod data_migrations;
pub mod memo_relations;
pub mod memo_tags;
pub mod memos;
pub mod pending_files;
pub mod push_deliveries;
pub mod push_rules;
pub mod push_slots;
pub mod tables;
pub mod tags;
pub mod users;
pub mod vector_outbox;

use sea_query::{Expr, ExprTrait, InsertStatement, IntoColumnRef, Query, Value};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    db::{Error, Executor, Result},
    dto::Patch,
};

/// The most ids of one `IN` list; longer lists are looked up in several statements.
const MAX_IN_LIST: usize = 4096;

/// The most rows of one `INSERT`: with ten columns this stays below SQLite's 32 766 parameters.
const MAX_INSERT_ROWS: usize = 1000;

/// Returns `column IN (ids)`.
///
/// The list is filled up with its last id to a power of two, or above 64 to a multiple of 64, so
/// that lists of different lengths share a few prepared statements.
fn is_one_of<C: IntoColumnRef, T: Clone + Into<Value>>(column: C, ids: &[T]) -> Expr {
    let length = match ids.len() {
        length @ 0..=64 => length.next_power_of_two(),
        length => length.next_multiple_of(64),
    };
    let padding = ids.last().into_iter().cycle().take(length - ids.len());
    let padded: Vec<Value> = ids.iter().chain(padding).cloned().map(Into::into).collect();
    Expr::col(column).is_in(padded)
}

/// Runs one `INSERT` for every [`MAX_INSERT_ROWS`] rows, and none for no rows.
async fn insert_many<const N: usize>(
    db: &Executor,
    operation: &'static str,
    table: &'static str,
    columns: [&'static str; N],
    rows: Vec<[Value; N]>,
) -> Result<()> {
    for rows in rows.chunks(MAX_INSERT_ROWS) {
        let mut insert: InsertStatement = Query::insert().into_table(table).columns(columns).to_owned();
        for row in rows {
            insert.values_panic(row.clone().map(Expr::from));
        }
        db.execute(operation, &insert).await?;
    }
    Ok(())
}

/// Encodes a value for a JSON column: compact, without a trailing newline.
fn encode<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Internal(format!("a value cannot be encoded: {error}")))
}

/// Decodes a JSON column; NULL is `None`.
///
/// # Errors
/// The text is not of the type; the error names table, column and row.
fn decode<T: DeserializeOwned>(
    table: &'static str,
    column: &'static str,
    id: &str,
    text: Option<&str>,
) -> Result<Option<T>> {
    text.map(serde_json::from_str).transpose().map_err(|source| Error::Corrupt {
        table,
        column,
        id: id.to_owned(),
        source,
    })
}

/// Returns what an `UPDATE` sets a nullable column to, if anything.
fn patched<T: Clone + Into<Value> + sea_query::Nullable>(patch: &Patch<T>) -> Option<Expr> {
    match patch {
        Patch::Keep => None,
        Patch::Clear => Some(Expr::val(T::null())),
        Patch::Set(value) => Some(Expr::val(value.clone())),
    }
}

/// What an update changes of a category or tag.
pub struct LabelChanges<'a> {
    /// The new name; `None` keeps it.
    pub name: Option<&'a str>,
    /// Whether the key follows the new name. It does not when only the letter case changes, so that a
    /// migrated row without a key of its own keeps what it has.
    pub new_key: bool,
    /// The new colour.
    pub color: &'a Patch<String>,
}

impl<'a> LabelChanges<'a> {
    /// Returns what a body changes of a row that was called `before`.
    #[must_use]
    pub fn of(before: &str, name: Option<&'a str>, color: &'a Patch<String>) -> Self {
        Self { name, new_key: name.is_some_and(|name| name_key(name) != name_key(before)), color }
    }

    /// Returns the columns that an `UPDATE` sets.
    fn assignments(&self) -> Vec<(&'static str, Expr)> {
        let name = self.name.map(|name| ("name", name.into()));
        let key = self.name.filter(|_| self.new_key).map(|name| ("name_key", name_key(name).into()));
        let color = patched(self.color).map(|color| ("color", color));
        [name, key, color].into_iter().flatten().collect()
    }
}

/// Returns the key under which the name of a category or tag is unique: trimmed and in lower case
/// (`contract/data-model.md`, categories).
#[must_use]
pub fn name_key(name: &str) -> String {
    let key = name.trim().to_lowercase();
    if key.chars().count() <= 190 { key } else { format!("sha256:{}", hex::encode(Sha256::digest(&key))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_keys_ignore_case_beyond_ascii_and_stay_short() {
        assert_eq!(name_key("  ÄÖ Ünï 读书 "), "äö ünï 读书");
        assert_eq!(name_key(&"x".repeat(190)).len(), 190);
        let long = name_key(&"X".repeat(191));
        assert!(long.starts_with("sha256:") && long.len() == 71);
    }

    #[test]
    fn in_lists_come_in_few_lengths() {
        let binds = |n: usize| {
            let ids: Vec<i64> = (0..n).map(|i| i64::try_from(i).unwrap()).collect();
            let select = Query::select().column("x").from("t").and_where(is_one_of("x", &ids)).to_owned();
            select.build(sea_query::SqliteQueryBuilder).1.0.len()
        };
        assert_eq!([1, 3, 20, 64, 65, 1000].map(binds), [1, 4, 32, 64, 128, 1024]);
    }
}
