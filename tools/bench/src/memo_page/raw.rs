//! Statements that no builder makes: statistics, plans, settings of a session.

use sea_query::{QueryBuilder, Value, Values};
use sea_query_sqlx::{SqlxBinder, SqlxValues};

/// A statement as text, with its parameters.
pub struct Raw {
    sql: String,
    parameters: Vec<Value>,
}

impl Raw {
    /// Takes a statement without parameters.
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), parameters: Vec::new() }
    }

    /// Adds parameters, in the order of their places.
    pub fn with(self, parameters: Vec<Value>) -> Self {
        Self { parameters, ..self }
    }
}

impl SqlxBinder for Raw {
    fn build_sqlx<T: QueryBuilder>(&self, _: T) -> (String, SqlxValues) {
        (self.sql.clone(), SqlxValues(Values(self.parameters.clone())))
    }
}
