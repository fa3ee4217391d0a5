//! Why a migration did not happen, and what it left behind (`contract/migration.md` section 11).

use std::fmt;

use serde::Serialize;
use shared::db;

/// The most problems that are printed; more are counted.
const MAX_SHOWN: usize = 200;

/// Something in the old install that cannot be migrated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The old table.
    pub table: String,
    /// The row by its id, or by its position where it has no id; `None` when it is about the whole table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// What is wrong. Never content or secrets.
    pub message: String,
}

impl Problem {
    /// Returns a problem of a whole table.
    #[must_use]
    pub fn of_table(table: &str, message: impl Into<String>) -> Self {
        Self { table: table.to_owned(), row: None, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.row {
            Some(row) => write!(f, "{} {row}: {}", self.table, self.message),
            None => write!(f, "{}: {}", self.table, self.message),
        }
    }
}

/// The phases of a migration (`contract/migration.md` section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Lock, and a look at everything; nothing is written.
    Preflight,
    /// The schema of the database.
    Schema,
    /// The backup of the old tables.
    Backup,
    /// The copy of vectors and caches.
    Vectors,
    /// The one transaction that loads and verifies.
    Load,
}

impl Phase {
    /// Returns the name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Schema => "schema",
            Self::Backup => "backup",
            Self::Vectors => "vectors",
            Self::Load => "load",
        }
    }

    /// Returns what a failure in this phase leaves behind.
    fn remains(self) -> &'static str {
        match self {
            Self::Preflight => "nothing was changed",
            Self::Schema => "no data was loaded; run `migrate schema` to see how far the schema is",
            Self::Backup => "no data was loaded; the unfinished backup has no manifest.json and can be deleted",
            Self::Vectors => "no data was loaded; vectors that were copied are found again by the next run",
            Self::Load => "database rolled back",
        }
    }
}

/// Why a migration did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The old install cannot be migrated as it is. Nothing was changed.
    #[error("{}", listed(.0))]
    Problems(Vec<Problem>),
    /// The migration may not run now, or not like this. Nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// Something failed on the way.
    #[error("{}: {cause}; {}", place(*.phase, .table.as_deref()), .phase.remains())]
    Failed {
        /// In which phase.
        phase: Phase,
        /// At which table.
        table: Option<String>,
        /// What failed, with its causes.
        cause: String,
    },
    /// The connection was lost during COMMIT: the transaction was committed, or rolled back.
    #[error(
        "the connection was lost while committing: {0}; run `migrate status` to see whether the data is there"
    )]
    Unknown(String),
}

fn place(phase: Phase, table: Option<&str>) -> String {
    table.map_or_else(|| phase.as_str().to_owned(), |table| format!("{}, {table}", phase.as_str()))
}

fn listed(problems: &[Problem]) -> String {
    let heading = format!("{} problems, nothing was changed:", problems.len());
    let shown = problems.iter().take(MAX_SHOWN).map(|problem| format!("  - {problem}"));
    let more = problems.len().saturating_sub(MAX_SHOWN);
    let more = (more > 0).then(|| format!("  … and {more} more"));
    std::iter::once(heading).chain(shown).chain(more).collect::<Vec<_>>().join("\n")
}

/// A cause, before it is known in which phase it stopped the migration.
#[derive(Debug)]
pub struct Cause {
    table: Option<String>,
    message: String,
}

impl Cause {
    /// Returns a cause that is about no table.
    pub fn new(message: impl Into<String>) -> Self {
        Self { table: None, message: message.into() }
    }

    /// Says which table it is about, unless that is known.
    #[must_use]
    pub fn at(mut self, table: &str) -> Self {
        self.table.get_or_insert_with(|| table.to_owned());
        self
    }

    /// Says in which phase it was.
    #[must_use]
    pub fn during(self, phase: Phase) -> Failure {
        Failure::Failed { phase, table: self.table, cause: self.message }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Returns an error with its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

impl From<db::Error> for Cause {
    fn from(error: db::Error) -> Self {
        Self::new(chain(&error))
    }
}

impl From<vectors::Error> for Cause {
    fn from(error: vectors::Error) -> Self {
        Self::new(chain(&error))
    }
}

impl From<Problem> for Cause {
    fn from(problem: Problem) -> Self {
        Self::new(problem.to_string()).at(&problem.table)
    }
}
