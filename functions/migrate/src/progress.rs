//! Two who hear of a migration: the log of a function, and a person at a terminal. Both print the same
//! lines (`contract/migration.md` section 7): `Migrated 100/500 categories...`.

use std::{
    io::{self, IsTerminal},
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    failure::Phase,
    observer::{Event, Observer},
};

/// How long a table may be silent.
const SILENCE: Duration = Duration::from_secs(2);

/// After how many rows a small table says something.
const STEP: u64 = 100;

/// Tables of at most so many rows are small.
const SMALL_TABLE: u64 = 10_000;

/// Returns the line for an event.
fn line(event: &Event<'_>) -> String {
    match event {
        Event::Phase(phase) => match phase {
            Phase::Preflight => "Looking at the old install".to_owned(),
            Phase::Schema => "Bringing the schema up to date".to_owned(),
            Phase::Backup => "Backing up the old tables".to_owned(),
            Phase::Vectors => "Copying vectors".to_owned(),
            Phase::Load => "Loading the database in one transaction".to_owned(),
        },
        Event::Started { verb, table, total } => format!("{} {table}: {total} rows", verb.present()),
        Event::Progress { verb, table, done, total } => format!("{} {done}/{total} {table}...", verb.past()),
        Event::Finished { verb, table, rows, skipped, orphans, milliseconds } => {
            let seconds = Duration::from_millis(*milliseconds).as_secs_f64();
            format!("{} {rows} {table} (skipped {skipped}, orphans {orphans}) in {seconds:.1}s", verb.past())
        }
        Event::Warning(warning) => format!("Warning: {warning}"),
    }
}

/// Lets through what is worth a line: of a small table every hundred rows, of any a step every two seconds.
#[derive(Debug, Default)]
struct Throttle(Mutex<Option<(u64, Instant)>>);

impl Throttle {
    fn passes(&self, event: &Event<'_>) -> bool {
        let Ok(mut last) = self.0.lock() else { return false };
        let Event::Progress { done, total, .. } = event else {
            *last = None;
            return true;
        };
        let now = Instant::now();
        let (said, at) = *last.get_or_insert((0, now));
        let is_due = *total <= SMALL_TABLE && done.saturating_sub(said) >= STEP || now - at >= SILENCE;
        if is_due && done < total {
            *last = Some((*done, now));
        }
        is_due && done < total
    }
}

/// The log of a function.
#[derive(Debug, Default)]
pub struct Log(Throttle);

impl Observer for Log {
    fn hear(&self, event: Event<'_>) {
        if !self.0.passes(&event) {
            return;
        }
        let line = line(&event);
        match event {
            Event::Phase(phase) => tracing::info!(phase = phase.as_str(), "{line}"),
            Event::Started { table, total, .. } => tracing::info!(table, total, "{line}"),
            Event::Progress { table, done, total, .. } => tracing::info!(table, done, total, "{line}"),
            Event::Finished { table, rows, skipped, orphans, milliseconds, .. } => {
                tracing::info!(table, rows, skipped, orphans, duration_ms = milliseconds, "{line}");
            }
            Event::Warning(_) => tracing::warn!("{line}"),
        }
    }
}

/// A person: lines on standard error, and below them a bar where that is a terminal.
#[derive(Debug)]
pub struct Terminal {
    throttle: Throttle,
    bar: ProgressBar,
}

impl Default for Terminal {
    fn default() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { throttle: Throttle::default(), bar }
    }
}

impl Observer for Terminal {
    fn hear(&self, event: Event<'_>) {
        let has_bar = io::stderr().is_terminal();
        match event {
            Event::Started { verb, table, total } if has_bar => {
                self.bar.set_message(format!("{} {table}", verb.present()));
                self.bar.set_length(total);
                self.bar.set_position(0);
                return;
            }
            Event::Progress { verb, table, done, total } if has_bar => {
                self.bar.set_message(format!("{} {table}", verb.present()));
                self.bar.set_length(total);
                self.bar.set_position(done);
                return;
            }
            _ => {}
        }
        if self.throttle.passes(&event) {
            self.bar.suspend(|| eprintln!("{}", line(&event)));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Verb;

    fn progress(done: u64, total: u64) -> Event<'static> {
        Event::Progress { verb: Verb::Migrate, table: "categories", done, total }
    }

    #[test]
    fn lines_have_the_form_of_the_contract() {
        assert_eq!(line(&progress(100, 500)), "Migrated 100/500 categories...");
        let started = Event::Started { verb: Verb::Migrate, table: "categories", total: 500 };
        assert_eq!(line(&started), "Migrating categories: 500 rows");
        let finished = Event::Finished {
            verb: Verb::Migrate,
            table: "categories",
            rows: 500,
            skipped: 3,
            orphans: 1,
            milliseconds: 812,
        };
        assert_eq!(line(&finished), "Migrated 500 categories (skipped 3, orphans 1) in 0.8s");
    }

    #[test]
    fn a_small_table_speaks_every_hundred_rows_and_a_large_one_is_not_chatty() {
        let spoken = |total: u64| {
            let throttle = Throttle::default();
            (1..=total).filter(|done| throttle.passes(&progress(*done, total))).count()
        };
        assert_eq!(spoken(500), 4);
        assert!(spoken(20_000) < 10);
    }
}
