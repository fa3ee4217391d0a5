//! Scans whose memory does not grow with the table.
//!
//! Left alone, a scan reads two gigabytes ahead.

use std::sync::Arc;

use lance::{Dataset, dataset::scanner::Scanner};

/// How much is read from the store before it is decoded.
pub(crate) const READ_AHEAD_BYTES: u64 = 16 << 20;

/// About how much a batch holds, whatever the number of its rows.
const BATCH_BYTES: u64 = 4 << 20;

/// Returns a scan in the order of the table, of batches of at most `batch_rows` rows and some megabytes.
pub(crate) fn bounded(dataset: &Arc<Dataset>, batch_rows: usize) -> Scanner {
    let mut scanner = Scanner::new(Arc::clone(dataset));
    scanner
        .batch_size(batch_rows)
        .batch_size_bytes(BATCH_BYTES)
        .io_buffer_size(READ_AHEAD_BYTES)
        .batch_readahead(2)
        .fragment_readahead(1)
        .scan_in_order(true);
    scanner
}

/// Returns a filter that a text column equals one of the given texts.
pub(crate) fn is_one_of(column: &str, texts: &[&str]) -> String {
    let quoted = texts.iter().map(|text| format!("'{}'", text.replace('\'', "''")));
    format!("{column} IN ({})", quoted.collect::<Vec<_>>().join(", "))
}
