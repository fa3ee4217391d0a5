//! What a benchmark says: statistics, a table, a JSON file.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::binary_directory;

/// How this binary, and with it the code that it measures in process, was compiled.
pub const PROFILE: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

/// Measurements of one thing.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Adds a measurement.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Adds the milliseconds of a duration.
    pub fn push_ms(&mut self, duration: Duration) {
        self.push(duration.as_secs_f64() * 1e3);
    }

    /// Adds the milliseconds that some work takes.
    pub async fn time<T>(&mut self, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let outcome = work.await;
        self.push_ms(start.elapsed());
        outcome
    }

    /// Returns the middle measurement, the upper one of two; 0 without measurements.
    pub fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    /// Returns least, median and most.
    pub fn to_json(&self) -> Value {
        let sorted = self.sorted();
        json!({"p50": round(self.median()), "min": sorted.first().map(|v| round(*v)),
            "max": sorted.last().map(|v| round(*v))})
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// Rounds to what a measurement can tell.
pub fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// Rows of text, aligned when printed: the first column to the left, the others to the right.
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// Returns a table with a head.
    pub fn new(head: &[&str]) -> Self {
        Self(vec![head.iter().map(|&cell| cell.to_owned()).collect()])
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.0.push(cells);
    }

    /// Prints the table.
    pub fn print(&self) {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| self.0.iter().filter_map(|row| row.get(column)).map(String::len).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        for row in &self.0 {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            println!("{}", cells.collect::<Vec<_>>().join("  "));
        }
    }
}

/// Writes the results of a benchmark to `file`, by default `bench/<name>.json` in the target directory
/// that this binary lies in, and says where.
///
/// # Errors
/// The file cannot be written.
pub fn write_json(name: &str, file: Option<PathBuf>, results: &Value) -> Result<(), String> {
    let file = match file {
        Some(file) => file,
        None => binary_directory()?.with_file_name("bench").join(format!("{name}.json")),
    };
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    fs::write(&file, format!("{results:#}\n")).map_err(failed)?;
    println!("JSON: {}", file.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        let mut samples = Samples::default();
        assert!(samples.median().abs() < f64::EPSILON);
        for value in [5.0, 1.0, 9.0] {
            samples.push(value);
        }
        assert_eq!(samples.to_json(), json!({"p50": 5.0, "min": 1.0, "max": 9.0}));
    }
}
