//! A row of an old table: its values by column name, whatever the version that wrote it.

use std::{borrow::Cow, cell::RefCell, collections::BTreeMap};

use shared::clock::Millis;
use vectors::{Rows, Value, Values};

use super::{DELETED_AT, Entity};
use crate::failure::Problem;

/// The most ids that are listed of each kind of note.
const MAX_LISTED: usize = 100;

/// What was mended, by a short name: how often, and in which rows.
#[derive(Debug, Clone, Default)]
pub struct Notes(pub BTreeMap<&'static str, Note>);

/// How often something was mended.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Note {
    /// In how many rows.
    pub count: u64,
    /// Their ids, the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
}

impl Notes {
    /// Counts something that was mended in a row.
    pub fn add(&mut self, what: &'static str, id: &str) {
        let note = self.0.entry(what).or_default();
        note.count += 1;
        if note.ids.len() < MAX_LISTED {
            note.ids.push(id.to_owned());
        }
    }
}

/// The columns of a batch of rows, resolved once.
pub struct Batch<'a> {
    entity: &'static Entity,
    columns: Vec<(&'static str, &'a Values)>,
    rows: usize,
}

impl<'a> Batch<'a> {
    /// Returns the columns of an old table in a batch.
    #[must_use]
    pub fn new(entity: &'static Entity, rows: &'a Rows) -> Self {
        let columns = entity.wanted().into_iter().map(|name| (name, rows.column(name))).collect();
        Self { entity, columns, rows: rows.len() }
    }

    /// Hands out each row with its position in the table; `first` is that of the first one.
    pub fn records(&self, first: u64) -> impl Iterator<Item = Record<'_>> {
        (0..self.rows).zip(first..).map(|(row, position)| Record {
            entity: self.entity,
            columns: &self.columns,
            row,
            position,
            mended: RefCell::default(),
        })
    }
}

/// A row of an old table.
pub struct Record<'a> {
    entity: &'static Entity,
    columns: &'a [(&'static str, &'a Values)],
    row: usize,
    /// The position in the scan, the same in every scan of the version.
    pub position: u64,
    mended: RefCell<Vec<&'static str>>,
}

impl<'a> Record<'a> {
    fn value(&self, column: &str) -> Value<'a> {
        let found = self.columns.iter().find(|(name, _)| *name == column);
        found.map_or(Value::Null, |(_, values)| values.get(self.row))
    }

    /// Returns how to name the row to a person: its id where it has one.
    #[must_use]
    pub fn name(&self) -> String {
        match self.value(self.entity.columns[0]) {
            Value::Text(id) if !id.is_empty() => id.to_owned(),
            _ => format!("row {}", self.position),
        }
    }

    /// Returns a problem of this row.
    #[must_use]
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { table: self.entity.name.to_owned(), row: Some(self.name()), message: message.into() }
    }

    fn unexpected(&self, column: &str, expected: &str) -> Problem {
        self.problem(format!("{column} is no {expected}"))
    }

    /// Notes that something was mended in this row.
    pub fn mend(&self, what: &'static str) {
        self.mended.borrow_mut().push(what);
    }

    /// Moves what was mended into the notes of the table.
    pub fn note(self, notes: &mut Notes) {
        let name = self.name();
        let mut mended = self.mended.into_inner();
        mended.sort_unstable();
        mended.dedup();
        for what in mended {
            notes.add(what, &name);
        }
    }

    /// Reports whether the row was deleted without being removed.
    ///
    /// # Errors
    /// The mark is no number.
    pub fn is_deleted(&self) -> Result<bool, Problem> {
        match self.value(DELETED_AT) {
            Value::Null => Ok(false),
            Value::Integer(at) | Value::Millis(at) => Ok(at != 0),
            _ => Err(self.unexpected(DELETED_AT, "integer")),
        }
    }

    /// Removes U+0000, which PostgreSQL does not store.
    fn clean(&self, text: &str) -> String {
        if !text.contains('\0') {
            return text.to_owned();
        }
        self.mend("nulCharactersRemoved");
        text.replace('\0', "")
    }

    /// Returns a text.
    ///
    /// # Errors
    /// The column holds something else.
    pub fn text(&self, column: &str) -> Result<Option<String>, Problem> {
        match self.value(column) {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(self.clean(text))),
            _ => Err(self.unexpected(column, "text")),
        }
    }

    /// Returns a text; an empty one counts as NULL.
    ///
    /// # Errors
    /// The column holds something else.
    pub fn filled(&self, column: &str) -> Result<Option<String>, Problem> {
        Ok(self.text(column)?.filter(|text| !text.is_empty()))
    }

    /// Returns a text that may be empty and must not be NULL.
    ///
    /// # Errors
    /// It is NULL, or something else.
    pub fn required(&self, column: &str) -> Result<String, Problem> {
        self.text(column)?.ok_or_else(|| self.problem(format!("{column} is missing")))
    }

    /// Returns an id.
    ///
    /// # Errors
    /// It is missing, empty, or something else.
    pub fn id(&self, column: &str) -> Result<String, Problem> {
        self.filled(column)?.ok_or_else(|| self.problem(format!("{column} is missing or empty")))
    }

    /// Returns a text that must be one of a few.
    ///
    /// # Errors
    /// It is none of them.
    pub fn one_of(&self, column: &str, choices: &[&str]) -> Result<String, Problem> {
        let text = self.required(column)?;
        if choices.contains(&text.as_str()) {
            return Ok(text);
        }
        Err(self.problem(format!("{column} is {text:?}, not one of {}", choices.join(", "))))
    }

    /// Returns an integer; a flag counts as 1 or 0.
    ///
    /// # Errors
    /// The column holds something else.
    pub fn integer(&self, column: &str) -> Result<Option<i64>, Problem> {
        match self.value(column) {
            Value::Null => Ok(None),
            Value::Integer(integer) => Ok(Some(integer)),
            Value::Boolean(flag) => Ok(Some(i64::from(flag))),
            _ => Err(self.unexpected(column, "integer")),
        }
    }

    /// Returns when the row was created: when that is unknown, the time of `rules`, which is counted.
    ///
    /// # Errors
    /// The column holds no time.
    pub fn created_at(&self, now: Millis) -> Result<Millis, Problem> {
        let time = self.time("createdAt")?;
        if time.is_none() {
            self.mend("createdAtMissing");
        }
        Ok(time.unwrap_or(now))
    }

    /// Returns when the row was changed: when that is unknown, when it was created, which is counted.
    ///
    /// # Errors
    /// The column holds no time.
    pub fn updated_at(&self, created_at: Millis) -> Result<Millis, Problem> {
        let time = self.time("updatedAt")?;
        if time.is_none() {
            self.mend("updatedAtMissing");
        }
        Ok(time.unwrap_or(created_at))
    }

    fn time(&self, column: &str) -> Result<Option<Millis>, Problem> {
        match self.value(column) {
            Value::Null => Ok(None),
            Value::Millis(time) | Value::Integer(time) => Ok(Some(time)),
            _ => Err(self.unexpected(column, "timestamp")),
        }
    }

    /// Returns a list as its elements; `None` for NULL.
    ///
    /// # Errors
    /// The column holds something that is neither list nor text. A text is handed to `of_text`.
    pub fn list(
        &self,
        column: &str,
        of_text: impl FnOnce(&str) -> Option<Vec<String>>,
        of_struct: &str,
    ) -> Result<Option<Vec<String>>, Problem> {
        let elements = match self.value(column) {
            Value::Null => return Ok(None),
            Value::Text(text) => {
                let list = of_text(text).ok_or_else(|| self.unexpected(column, "list"))?;
                return Ok(Some(list.iter().map(|text| self.clean(text)).collect()));
            }
            Value::List(elements) => elements,
            _ => return Err(self.unexpected(column, "list")),
        };
        let texts = elements.into_iter().filter_map(|element| match element {
            Value::Null => None,
            Value::Text(text) => Some(Ok(self.clean(text))),
            Value::Struct(members) => {
                let member = members.into_iter().find(|(name, _)| *name == of_struct);
                match member.map(|(_, value)| value) {
                    Some(Value::Text(text)) => Some(Ok(self.clean(text))),
                    None | Some(Value::Null) => None,
                    Some(_) => Some(Err(self.unexpected(column, "list of texts"))),
                }
            }
            _ => Some(Err(self.unexpected(column, "list of texts"))),
        });
        texts.collect::<Result<Vec<String>, Problem>>().map(Some)
    }

    /// Returns the value of a column as it is.
    #[must_use]
    pub fn raw(&self, column: &str) -> Value<'a> {
        self.value(column)
    }

    /// Returns a text of a list or structure without U+0000.
    #[must_use]
    pub fn cleaned<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if text.contains('\0') { self.clean(text).into() } else { text.into() }
    }
}
