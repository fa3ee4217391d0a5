//! Phase 4: one transaction that loads every row, reads all of them back, and records that it did.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use shared::{
    db::{Cell, Transaction},
    repositories::tables::{self, Inserter, REFERENCES, Table},
};

use crate::{
    digest::Checksum,
    failure::Cause,
    mapping::{Sink, Tally},
    observer::{Checkpoint, Event, Observer, Verb},
};

/// The most bytes of texts of a statement (`contract/migration.md` section 7).
const MAX_STATEMENT_BYTES: usize = 4 << 20;

/// The most parameters of a statement, which SQLite sets.
const MAX_PARAMETERS: usize = 32_766;

/// Why there are rows that the migration has not written.
const NOBODY_ELSE: &str = "nobody else may write while a migration runs";

/// What must be left of the time of a function for the rest of the load.
const RESERVE: Duration = Duration::from_mins(1);

/// Ends the load in time: a function is killed at its deadline.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(pub Option<Instant>);

impl Deadline {
    /// Checks that there is time left, at least as long as twice `slowest`.
    ///
    /// # Errors
    /// There is not.
    pub fn check(self, slowest: Duration) -> Result<(), Cause> {
        let Some(deadline) = self.0 else { return Ok(()) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left >= RESERVE.max(slowest * 2) {
            return Ok(());
        }
        Err(Cause::new("the time limit of the function is near; run the migration binary on a host or container"))
    }
}

/// Writes rows into the database by statements of many rows.
pub struct Loader<'a> {
    transaction: &'a Transaction,
    observer: &'a dyn Observer,
    deadline: Deadline,
    batch_rows: usize,
    inserter: Option<(&'static Table, Inserter)>,
    pending: Vec<Vec<Cell>>,
    bytes: usize,
}

impl<'a> Loader<'a> {
    /// Returns a loader that writes `batch_rows` rows by one statement.
    #[must_use]
    pub fn new(
        transaction: &'a Transaction,
        observer: &'a dyn Observer,
        deadline: Deadline,
        batch_rows: usize,
    ) -> Self {
        Self { transaction, observer, deadline, batch_rows, inserter: None, pending: Vec::new(), bytes: 0 }
    }

    async fn flush(&mut self, table: &'static Table) -> Result<(), Cause> {
        let rows = std::mem::take(&mut self.pending);
        self.bytes = 0;
        if rows.is_empty() {
            return Ok(());
        }
        let (_, inserter) = match self.inserter.take() {
            Some((of, inserter)) if of == table => self.inserter.insert((of, inserter)),
            _ => self.inserter.insert((table, Inserter::new(table))),
        };
        inserter.create(self.transaction, rows).await.map_err(|error| {
            if error.is_unique_violation() {
                // What MySQL says holds the key, which may be an e-mail.
                return Cause::new(format!("a row with the same key is there already; {NOBODY_ELSE}"));
            }
            error.into()
        })?;
        self.deadline.check(Duration::ZERO)?;
        self.observer.may_go_on(Checkpoint::Statement, Some(self.transaction)).await
    }
}

impl Sink for Loader<'_> {
    async fn take(&mut self, table: &'static Table, row: Vec<Cell>) -> Result<(), Cause> {
        let bytes: usize = row.iter().filter_map(Cell::as_text).map(str::len).sum();
        let full = self.pending.len() >= self.batch_rows.min(MAX_PARAMETERS / table.columns.len());
        if full || self.bytes + bytes > MAX_STATEMENT_BYTES {
            self.flush(table).await?;
        }
        self.bytes += bytes;
        self.pending.push(row);
        Ok(())
    }

    async fn finish(&mut self, table: &'static Table) -> Result<(), Cause> {
        self.flush(table).await
    }
}

/// Reads every table back and compares it with what was loaded.
///
/// # Errors
/// Something differs; the cause says in which table, and the row and column where they are known.
pub async fn verify(
    transaction: &Transaction,
    tallies: &BTreeMap<&'static str, Tally>,
    deadline: Deadline,
    observer: &dyn Observer,
) -> Result<(), Cause> {
    let mut slowest = Duration::ZERO;
    for table in tables::ALL {
        let started = Instant::now();
        let outcome = async {
            verify_table(transaction, table, &tallies[table.name], observer).await?;
            slowest = slowest.max(started.elapsed());
            deadline.check(slowest)?;
            observer.may_go_on(Checkpoint::Statement, Some(transaction)).await
        };
        outcome.await.map_err(|cause| cause.at(table.name))?;
    }
    for reference in &REFERENCES {
        let table = reference.child.name;
        let before = tallies[table].orphans.get(reference.column).copied().unwrap_or_default();
        let after = tables::count_orphans(transaction, reference).await;
        let after = after.map_err(|error| Cause::from(error).at(table))?;
        if before != after {
            let Table { name: parent, .. } = reference.parent;
            let message =
                format!("{} names no row of {parent} {after} times, expected {before}", reference.column);
            return Err(Cause::new(message).at(table));
        }
    }
    Ok(())
}

async fn verify_table(
    transaction: &Transaction,
    table: &'static Table,
    expected: &Tally,
    observer: &dyn Observer,
) -> Result<(), Cause> {
    let left_out = expected.skipped_rows();
    if expected.source != expected.rows + left_out {
        let (source, rows) = (expected.source, expected.rows);
        return Err(Cause::new(format!("{source} rows became {rows}, with {left_out} left out")));
    }
    let count = tables::count(transaction, table).await?;
    if count != expected.rows {
        let rows = expected.rows;
        return Err(Cause::new(format!("it holds {count} rows, expected {rows}; {NOBODY_ELSE}")));
    }
    let started = Instant::now();
    let (mut checksum, mut done, mut difference) = (Checksum::default(), 0, None);
    observer.hear(Event::Started { verb: Verb::Verify, table: table.name, total: count });
    let each = |row: Vec<Cell>| {
        checksum.add(&row);
        done += 1;
        if let Some(sample) = expected.samples.of(table, &row)
            && difference.is_none()
        {
            difference = differing_column(table, sample, &row).map(|column| (row[0].clone(), column));
        }
        if done % 1000 == 0 {
            observer.hear(Event::Progress { verb: Verb::Verify, table: table.name, done, total: count });
        }
    };
    tables::for_each(transaction, table, each).await?;
    if let Some((id, column)) = difference {
        let id = id.as_text().unwrap_or_default();
        return Err(Cause::new(format!("the column {column} of {id} was not stored as it is")));
    }
    if checksum != expected.checksum {
        return Err(Cause::new(format!("its checksum is {checksum}, expected {}", expected.checksum)));
    }
    observer.hear(Event::Finished {
        verb: Verb::Verify,
        table: table.name,
        rows: count,
        skipped: 0,
        orphans: 0,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(())
}

fn differing_column(table: &Table, expected: &[Cell], found: &[Cell]) -> Option<&'static str> {
    let cells = expected.iter().zip(found);
    table.columns.iter().zip(cells).find(|(_, (expected, found))| expected != found).map(|(column, _)| column.name)
}
