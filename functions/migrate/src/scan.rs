//! Reads the rows of an old table batch by batch, always in the same order.

use futures::{StreamExt, stream::BoxStream};
use vectors::{Rows, Snapshot};

use crate::{failure::Cause, legacy::Entity};

/// Rows of a batch.
const BATCH_ROWS: usize = 1024;

/// A scan of an old table.
pub struct Scan {
    table: &'static str,
    batches: BoxStream<'static, vectors::Result<Rows>>,
    position: u64,
}

impl Scan {
    /// Begins a scan of the given columns.
    #[must_use]
    pub fn new(entity: &Entity, snapshot: &Snapshot, columns: &[&str]) -> Self {
        Self { table: entity.name, batches: snapshot.rows(columns, BATCH_ROWS), position: 0 }
    }

    /// Returns the next rows with the position of the first; `None` at the end.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn next(&mut self) -> Result<Option<(u64, Rows)>, Cause> {
        let Some(rows) = self.batches.next().await else { return Ok(None) };
        let rows = rows.map_err(|error| Cause::from(error).at(self.table))?;
        let first = self.position;
        self.position += rows.len() as u64;
        Ok(Some((first, rows)))
    }
}
