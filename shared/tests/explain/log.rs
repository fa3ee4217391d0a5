//! The log of the driver, in which every statement appears.

use std::sync::{Mutex, OnceLock, PoisonError};

use sea_query::{Expr, Query};
use shared::db::Database;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
};

/// What the driver has logged, whatever the database: see [`crate::data::seeded`].
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Log;

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut statement = Statement::default();
            event.record(&mut statement);
            // A short statement is its own summary.
            let text = if statement.text.is_empty() { statement.summary } else { statement.text };
            LOG.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
    }
}

#[derive(Default)]
struct Statement {
    summary: String,
    text: String,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.trim().clone_into(&mut self.text),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// Begins a new log.
pub fn begin() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let subscriber = tracing_subscriber::registry().with(Log);
        tracing::subscriber::set_global_default(subscriber).expect("nobody else reads the log");
    });
    LOG.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// Returns the statements on tables that the log has got since it was last asked.
pub async fn take(db: &Database) -> Vec<String> {
    // The only connection logs a statement before it begins the next one.
    let last = Query::select().expr(Expr::val(1)).to_owned();
    db.fetch_one::<(i32,)>("test.last", &last).await.unwrap();
    let all = std::mem::take(&mut *LOG.lock().unwrap_or_else(PoisonError::into_inner));
    let on_tables = |text: &String| text.starts_with("UPDATE") || text.contains("FROM");
    all.into_iter().filter(|text| on_tables(text) && !text.contains("_migrations")).collect()
}
