//! The plans of the statements that the repository sends.
//!
//! The repository does not show its statements, and a plan must be that of the statement as it is sent,
//! prepared and with its parameters. So each database is asked in its own way: SQLite explains the text
//! that the driver logs, PostgreSQL reports the plan that it used (`auto_explain`), and MySQL and MariaDB
//! explain the statement of their general log, which has the parameters filled in.

use std::{
    fmt::{self, Write as _},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use sea_query::Value;
use shared::{
    db::{Database, Dialect, Error},
    dto::memos::CategoryFilter,
    repositories::name_key,
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::{ListQuery, PAGE, Statement, WARM_UP, describe, raw::Raw};

/// Begins to listen to what the driver logs. To be called once, before the first [`Explainer`].
///
/// # Errors
/// Somebody else listens.
pub fn install() -> Result<(), String> {
    tracing::subscriber::set_global_default(Recorder).map_err(|error| error.to_string())
}

/// A connection on which plans are looked for.
pub struct Explainer {
    db: Database,
    /// What undoes the changes to the settings of the server.
    undo: Vec<String>,
}

impl Explainer {
    /// Takes a fresh connection, and prepares it and its server.
    ///
    /// # Errors
    /// The database refuses: the user must be an administrator of a server.
    pub async fn new(db: Database) -> Result<Self, String> {
        let mut undo = Vec::new();
        match db.dialect() {
            Dialect::Sqlite => {}
            Dialect::Postgres => {
                for statement in [
                    "LOAD 'auto_explain'",
                    "SET auto_explain.log_min_duration = 0",
                    "SET auto_explain.log_analyze = on",
                    "SET auto_explain.log_buffers = on",
                    "SET client_min_messages = log",
                ] {
                    execute(&db, statement).await?;
                }
            }
            Dialect::MySql => {
                let output = text(&db, "SELECT @@GLOBAL.log_output").await?;
                let log = text(&db, "SELECT CAST(@@GLOBAL.general_log AS CHAR)").await?;
                undo.push(format!("SET GLOBAL general_log = {log}"));
                undo.push(format!("SET GLOBAL log_output = '{output}'"));
                execute(&db, "SET GLOBAL log_output = 'TABLE'").await?;
                execute(&db, "SET GLOBAL general_log = 1").await?;
            }
        }
        Ok(Self { db, undo })
    }

    /// Returns the plan of a statement.
    ///
    /// # Errors
    /// The statement fails, or the database does not tell.
    pub async fn explain(&self, query: &ListQuery, statement: Statement) -> Result<String, String> {
        match self.db.dialect() {
            Dialect::Sqlite => self.explain_sqlite(query, statement).await,
            Dialect::Postgres => self.explain_postgres(query, statement).await,
            Dialect::MySql => self.explain_mysql(query, statement).await,
        }
    }

    /// Restores the settings of the server.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn finish(self) -> Result<(), String> {
        for statement in &self.undo {
            execute(&self.db, statement).await?;
        }
        Ok(())
    }

    async fn explain_sqlite(&self, query: &ListQuery, statement: Statement) -> Result<String, String> {
        let recorded = record(async {
            query.run(&self.db, statement).await?;
            // The driver logs a statement when it turns to the next one, at the latest.
            execute(&self.db, "SELECT 1").await
        });
        let sql = recorded.await?.into_iter().rfind(|text| text.contains("FROM"));
        let sql = sql.ok_or("the driver has logged no statement")?.trim().to_owned();
        let explain = Raw::new(format!("EXPLAIN QUERY PLAN {sql}")).with(parameters(&sql, query)?);
        let rows: Result<Vec<(i64, i64, i64, String)>, Error> = self.db.fetch_all("bench.explain", &explain).await;
        let mut depths = vec![(0, 0)];
        let mut plan = sql;
        for (id, parent, _, detail) in rows.map_err(|error| describe(&error))? {
            let depth = depths.iter().find(|(known, _)| *known == parent).map_or(0, |(_, depth)| depth + 1);
            depths.push((id, depth));
            let _ = write!(plan, "\n{:indent$}{detail}", "", indent = 2 * depth);
        }
        Ok(plan)
    }

    async fn explain_postgres(&self, query: &ListQuery, statement: Statement) -> Result<String, String> {
        for _ in 0..WARM_UP {
            query.run(&self.db, statement).await?;
        }
        let recorded = record(query.run(&self.db, statement)).await?;
        let plan = recorded.into_iter().find(|text| text.contains("plan:"));
        plan.ok_or("auto_explain has reported nothing".to_owned())
    }

    async fn explain_mysql(&self, query: &ListQuery, statement: Statement) -> Result<String, String> {
        query.run(&self.db, statement).await?;
        let last = "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log \
             WHERE command_type = 'Execute' AND thread_id = CONNECTION_ID() \
             AND argument LIKE '%FROM `memo%' AND argument NOT LIKE '%general_log%' \
             AND argument NOT LIKE 'EXPLAIN%' \
             ORDER BY event_time DESC LIMIT 1";
        let sql = text(&self.db, last).await?;
        let plan = text(&self.db, &format!("EXPLAIN FORMAT=JSON {sql}")).await?;
        Ok(format!("{sql}\n{plan}"))
    }
}

async fn execute(db: &Database, statement: &str) -> Result<(), String> {
    db.execute("bench.explain", &Raw::new(statement)).await.map(|_| ()).map_err(|error| describe(&error))
}

async fn text(db: &Database, statement: &str) -> Result<String, String> {
    let row: Result<(String,), Error> = db.fetch_one("bench.explain", &Raw::new(statement)).await;
    row.map(|(text,)| text).map_err(|error| describe(&error))
}

/// Returns the parameters of a statement, told by what stands before each: SQLite plans by their values.
fn parameters(sql: &str, query: &ListQuery) -> Result<Vec<Value>, String> {
    let mut keys: Vec<String> = query.filter.tags.iter().map(|name| name_key(name)).collect();
    keys.sort_unstable();
    let mut next_keys = keys.iter().cycle();
    let number = |number: usize| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
    let mut parameters = Vec::new();
    for (at, _) in sql.match_indices('?') {
        let (before, behind) = (sql[..at].trim_end(), &sql[at + 1..]);
        let parameter = match (before, &query.filter.category) {
            (before, _) if before.ends_with("\"uid\" =") => Some((&query.uid).into()),
            (before, CategoryFilter::Of(id)) if before.ends_with("\"category_id\" =") => Some(id.into()),
            (before, _) if before.ends_with("OFFSET") => Some(number(0)),
            (before, _) if before.ends_with("LIMIT") && behind.starts_with(" OFFSET") => Some(PAGE.limit.into()),
            (before, _) if before.ends_with("LIMIT") => Some(number(1)),
            (before, _) if before.ends_with(") =") => Some(number(keys.len())),
            (before, _) if before.ends_with("IN (") || before.ends_with(',') => {
                next_keys.next().map(|key| key.as_str().into())
            }
            _ => None,
        };
        parameters.push(parameter.ok_or_else(|| format!("no parameter is known behind {before}"))?);
    }
    Ok(parameters)
}

/// What the driver logs while [`record`] runs.
static RECORDING: AtomicBool = AtomicBool::new(false);
static RECORDED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs some work, and returns what the driver logged.
async fn record<T>(work: impl Future<Output = Result<T, String>>) -> Result<Vec<String>, String> {
    RECORDING.store(true, Ordering::SeqCst);
    let outcome = work.await;
    RECORDING.store(false, Ordering::SeqCst);
    let recorded = std::mem::take(&mut *RECORDED.lock().unwrap_or_else(PoisonError::into_inner));
    outcome.map(|_| recorded)
}

/// Keeps the statements and notices that the driver logs.
struct Recorder;

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.is_span() && metadata.target().starts_with("sqlx::") && RECORDING.load(Ordering::SeqCst)
    }

    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Text);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Takes the text out of an event: the message of a notice, or a whole statement.
struct Text;

impl Text {
    fn keep(field: &Field, text: &str) {
        if matches!(field.name(), "message" | "db.statement") {
            RECORDED.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
        }
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        Self::keep(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        Self::keep(field, &format!("{value:?}"));
    }
}
