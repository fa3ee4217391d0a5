//! The insert that a migration is compared with: the same rows, a hundred a statement, in one transaction, and
//! nothing else.

use std::time::{Duration, Instant};

use shared::{db::Cell, repositories::tables::Table};
use sqlx::{Connection, MySql, Postgres, QueryBuilder, Sqlite};

/// Rows of a statement.
const BATCH_ROWS: usize = 100;

/// Inserts rows with `$connection`, and takes the time.
macro_rules! insert {
    ($database:ty, $url:expr, $quote:literal, $table:expr, $rows:expr) => {{
        let mut connection = <$database as sqlx::Database>::Connection::connect($url).await?;
        let quoted = |name: &str| format!("{}{name}{}", $quote, $quote);
        let columns: Vec<String> = $table.columns.iter().map(|column| quoted(column.name)).collect();
        let head = format!("INSERT INTO {} ({}) ", quoted($table.name), columns.join(", "));
        let started = Instant::now();
        let mut transaction = connection.begin().await?;
        for rows in $rows.chunks(BATCH_ROWS) {
            let mut statement = QueryBuilder::<$database>::new(head.as_str());
            statement.push_values(rows, |mut values, row| {
                for cell in row {
                    match cell {
                        Cell::Null => values.push_bind(None::<String>),
                        Cell::Text(text) => values.push_bind(text.as_str()),
                        Cell::Integer(integer) => values.push_bind(*integer),
                    };
                }
            });
            statement.build().execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(started.elapsed())
    }};
}

/// Inserts rows into a table, and returns how long it took.
///
/// # Errors
/// The database fails.
pub async fn insert(url: &str, table: &Table, rows: &[Vec<Cell>]) -> Result<Duration, String> {
    let outcome: Result<Duration, sqlx::Error> = async {
        match url.split(':').next() {
            Some("sqlite") => insert!(Sqlite, url, '"', table, rows),
            Some("mysql") => insert!(MySql, url, '`', table, rows),
            _ => insert!(Postgres, url, '"', table, rows),
        }
    }
    .await;
    outcome.map_err(|error| error.to_string())
}
