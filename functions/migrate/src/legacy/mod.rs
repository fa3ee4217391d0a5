//! The tables of an old install, and how their rows become rows of the product
//! (`contract/migration.md` section 4, `contract/lancedb-tables.md` section 3).
//!
//! One file per noun. Each maps a [`Record`], the values of an old row by column name, to the cells of the
//! row of its [`Table`] in order. What cannot be mapped is a [`Problem`]; what is mended on the way is
//! counted in [`Notes`].

mod attachments;
mod categories;
mod conversations;
mod memos;
mod push_rules;
mod recommendations;
mod record;
mod relations;
mod tags;
mod users;

use shared::{
    clock::Millis,
    config::InvalidProperties,
    db::Cell,
    repositories::tables::{self, Table, Type},
};

pub use memos::{MemoTags, tags_of};
pub use record::{Batch, Note, Notes, Record};

use crate::{
    digest::{Digest, Keys},
    failure::Problem,
};

/// The column that marks soft-deleted rows of later versions.
const DELETED_AT: &str = "deletedAt";

/// What the mapping must know beside the row.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// When the migration began: the time of rows that have none.
    pub now: Millis,
    /// What happens to attachment properties that are no JSON object.
    pub invalid_properties: InvalidProperties,
    /// How the database compares texts.
    pub keys: Keys,
}

/// What must be unique beside the id, and who wins (`contract/migration.md` sections 4 and 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    /// The e-mail of a user.
    Email,
    /// The key of a name, for each user.
    NameKey,
    /// The direction between two memos, for each user: the oldest wins.
    Direction,
    /// The day of a recommendation, for each user: the newest that recommends something wins.
    Day,
}

impl Unique {
    /// Returns the columns that make the key.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Email => &["email"],
            Self::NameKey => &["uid", "name_key"],
            Self::Direction => &["uid", "source_memo_id", "target_memo_id"],
            Self::Day => &["uid", "date"],
        }
    }
}

/// One table of an old install.
pub struct Entity {
    /// Its name in LanceDB.
    pub name: &'static str,
    /// The table that takes its rows.
    pub table: &'static Table,
    /// The columns that are read.
    pub columns: &'static [&'static str],
    /// What must be unique beside the id.
    pub unique: Option<Unique>,
    /// Maps a row.
    map: fn(&Record<'_>, &Rules) -> Result<Vec<Cell>, Problem>,
}

/// The ten tables of an old install, each after those that its rows refer to.
pub static ENTITIES: [Entity; 10] = [
    users::ENTITY,
    categories::ENTITY,
    tags::ENTITY,
    attachments::ENTITY,
    memos::ENTITY,
    relations::ENTITY,
    conversations::CONVERSATIONS,
    conversations::MESSAGES,
    push_rules::ENTITY,
    recommendations::ENTITY,
];

/// Returns the old table of a name.
///
/// # Panics
/// There is none.
#[must_use]
pub fn entity(name: &str) -> &'static Entity {
    ENTITIES.iter().find(|entity| entity.name == name).unwrap_or_else(|| unreachable!("no entity {name}"))
}

impl Entity {
    /// Returns every column that is read of the table.
    #[must_use]
    pub fn wanted(&self) -> Vec<&'static str> {
        self.columns.iter().copied().chain([DELETED_AT]).collect()
    }

    /// Maps a row; `None` when it was deleted.
    ///
    /// # Errors
    /// The row cannot be stored.
    pub fn row(&self, record: &Record<'_>, rules: &Rules) -> Result<Option<Vec<Cell>>, Problem> {
        if record.is_deleted()? {
            return Ok(None);
        }
        let row = (self.map)(record, rules)?;
        check(self.table, &row, record)?;
        Ok(Some(row))
    }

    /// Returns the digest of the id of a row.
    #[must_use]
    pub fn id(&self, row: &[Cell], keys: Keys) -> Digest {
        keys.digest(&[row[0].as_text().unwrap_or_default()])
    }

    /// Returns the digest of what must be unique beside the id; `None` when nothing must, or it is NULL.
    #[must_use]
    pub fn unique_key(&self, row: &[Cell], keys: Keys) -> Option<Digest> {
        let parts = self.unique?.columns().iter().map(|column| row[self.table.place(column)].as_text());
        parts.collect::<Option<Vec<&str>>>().map(|parts| keys.digest(&parts))
    }
}

/// Checks that every value fits its column; nothing is ever cut.
fn check(table: &Table, row: &[Cell], record: &Record<'_>) -> Result<(), Problem> {
    for (column, cell) in table.columns.iter().zip(row) {
        let problem = match (column.data_type, cell) {
            (Type::Varchar(most), Cell::Text(text)) => {
                let length = text.chars().count();
                (length > most).then(|| format!("{} has {length} characters, at most {most} fit", column.name))
            }
            (Type::Text, Cell::Text(text)) => (text.len() > tables::TEXT_BYTES)
                .then(|| format!("{} has {} bytes, at most {} fit", column.name, text.len(), tables::TEXT_BYTES)),
            (Type::Integer, Cell::Integer(integer)) => i32::try_from(*integer)
                .is_err()
                .then(|| format!("{} is {integer}, which is no 32-bit integer", column.name)),
            (_, Cell::Null) if !column.nullable => Some(format!("{} is missing", column.name)),
            _ => None,
        };
        if let Some(message) = problem {
            return Err(record.problem(message));
        }
    }
    Ok(())
}
