//! Rows as they are stored, whatever their table: for code that moves whole tables.

use sea_query::Value;
use sqlx::{
    Column, ColumnIndex, Decode, Error, FromRow, Row, Type, TypeInfo, mysql::MySqlRow, postgres::PgRow,
    sqlite::SqliteRow,
};

/// One stored value. The tables of the product hold texts and integers only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// NULL.
    Null,
    /// A text of any length.
    Text(String),
    /// An integer of any width.
    Integer(i64),
}

impl Cell {
    /// Returns the text of a text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Integer(_) => None,
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Cell {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row in the order of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cells(pub Vec<Cell>);

/// Reads a row of a database whose types are `$integers` (the 32-bit ones, which PostgreSQL does not hand
/// out as 64-bit integers) and others.
macro_rules! from_row {
    ($($row:ty, $($narrow:literal)|+;)*) => {$(
        impl FromRow<'_, $row> for Cells {
            fn from_row(row: &$row) -> Result<Self, Error> {
                let cells = row.columns().iter().map(|column| {
                    let index = column.ordinal();
                    match column.type_info().name() {
                        $($narrow)|+ => get::<i32, _>(row, index).map(|value| value.map(i64::from).into()),
                        // A text of MySQL whose collation is binary calls itself so.
                        name if ["TEXT", "CHAR", "BLOB", "BINARY"].iter().any(|text| name.contains(text)) => {
                            get::<String, _>(row, index).map(Into::into)
                        }
                        _ => get::<i64, _>(row, index).map(Into::into),
                    }
                });
                cells.collect::<Result<_, _>>().map(Self)
            }
        }
    )*};
}

from_row! {
    PgRow, "INT4";
    MySqlRow, "INT";
    // SQLite has one type of integer.
    SqliteRow, "INT4";
}

fn get<'r, T, R: Row>(row: &'r R, index: usize) -> Result<Option<T>, Error>
where
    T: Decode<'r, R::Database> + Type<R::Database>,
    usize: ColumnIndex<R>,
{
    row.try_get(index)
}

impl From<Cell> for Value {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Null => Self::String(None),
            Cell::Text(text) => text.into(),
            Cell::Integer(integer) => integer.into(),
        }
    }
}
