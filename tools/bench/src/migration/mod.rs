//! The migration of an old install: how fast is its transaction, compared with an insert of the same rows that
//! checks nothing, and how much memory does it take?
//!
//! The binary `migrate` migrates one generated install into each database. Its peak memory is measured for
//! that install, and the memory of a further row with installs of short vectors, one three times as large as
//! the other.

mod install;
mod raw;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use shared::{db::Cell, repositories::tables};

use crate::{
    arguments::Arguments,
    binary_directory,
    report::{PROFILE, Table, round, write_json},
    scratch::{Kind, Scratch},
};

/// The least speed of the transaction, as a part of that of the raw insert (DESIGN section 9).
const MIN_RATIO: f64 = 0.5;

/// The most memory at 200 000 rows, in MB of 1 000 000 bytes.
const MAX_PEAK_MB: f64 = 256.0;

/// The most memory of each further row.
const MAX_BYTES_PER_ROW: f64 = 64.0;

/// What `docs/MIGRATING.md` and `template.yaml` tell the allocator.
const ALLOCATOR: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "2"), ("MALLOC_MMAP_THRESHOLD_", "262144"), ("MALLOC_TRIM_THRESHOLD_", "1048576")];

/// Vectors of the installs that only measure the memory of a row.
const SHORT_VECTORS: usize = 8;

/// The options of the benchmark.
pub struct Options {
    rows: usize,
    dimensions: usize,
    bins: PathBuf,
    json: Option<PathBuf>,
}

impl Options {
    /// Reads the options.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn read(arguments: &mut Arguments) -> Result<Self, String> {
        let bins = match arguments.value("--bins")? {
            Some(bins) => bins,
            None => binary_directory()?,
        };
        Ok(Self {
            rows: arguments.count("--rows", 200_000)?,
            dimensions: arguments.count("--dimensions", 1536)?,
            bins,
            json: arguments.value("--json")?,
        })
    }
}

/// A migration that was run.
struct Run {
    report: Value,
    peak_mb: f64,
}

impl Run {
    fn phase(&self, name: &str) -> f64 {
        self.report["phasesMs"][name].as_f64().unwrap_or_default()
    }

    /// Returns the rows of the product.
    fn rows(&self) -> f64 {
        let tables = self.report["tables"].as_object().into_iter().flat_map(|tables| tables.values());
        tables.filter_map(|table| table["inserted"].as_f64()).sum()
    }
}

/// Runs the benchmark.
///
/// # Errors
/// There is no binary, or a migration fails.
pub async fn run(options: Options) -> Result<(), String> {
    let directory = std::env::temp_dir().join(format!("aimo-bench-migration-{}", std::process::id()));
    let outcome = run_in(&options, &directory).await;
    let removed = fs::remove_dir_all(&directory).map_err(|error| error.to_string());
    let results = outcome.and_then(|results| removed.map(|()| results))?;
    write_json("migration", options.json, &results)
}

async fn run_in(options: &Options, directory: &Path) -> Result<Value, String> {
    let binary = options.bins.join("migrate");
    let source = directory.join("old");
    println!("migration: writing an install of {} rows ...", options.rows);
    install::write(&source, options.rows, options.dimensions).await?;
    let mut table = Table::new(&[
        "database",
        "rows",
        "raw rows/s",
        "load rows/s",
        "with verify",
        "ratio",
        "whole s",
        "peak MB",
    ]);
    let mut databases = Vec::new();
    for kind in Kind::available() {
        let name = kind.name();
        let scratch = Scratch::create(kind.clone(), "migrated").await?;
        let migrated = migrate(&binary, &source, directory, &scratch, options.dimensions).await?;
        let raw_rows_per_second = insert_again(&scratch, kind).await?;
        scratch.remove().await?;
        let rows = migrated.rows();
        let load = rows / migrated.phase("load") * 1e3;
        let verified = rows / (migrated.phase("load") + migrated.phase("verify")) * 1e3;
        let ratio = verified / raw_rows_per_second;
        let whole = migrated.report["durationMs"].as_f64().unwrap_or_default() / 1e3;
        table.row(vec![
            name.to_owned(),
            format!("{rows:.0}"),
            format!("{raw_rows_per_second:.0}"),
            format!("{load:.0}"),
            format!("{verified:.0}"),
            format!("{ratio:.2}"),
            format!("{whole:.1}"),
            format!("{:.0}", migrated.peak_mb),
        ]);
        databases.push(json!({
            "database": name,
            "rows": rows,
            "raw_rows_per_second": round(raw_rows_per_second),
            "load_rows_per_second": round(load),
            "load_and_verify_rows_per_second": round(verified),
            "ratio": round(ratio),
            "over_budget": ratio < MIN_RATIO || migrated.peak_mb > MAX_PEAK_MB,
            "phases_ms": migrated.report["phasesMs"],
            "peak_mb": round(migrated.peak_mb),
        }));
    }
    let bytes_per_row = bytes_per_row(&binary, directory, options.rows).await?;
    println!(
        "migration: {} rows, {} dimensions; budget: load and verify at least {MIN_RATIO} of the raw insert, peak \
         {MAX_PEAK_MB} MB, {MAX_BYTES_PER_ROW} bytes for each further row",
        options.rows, options.dimensions
    );
    table.print();
    println!("each further row: {bytes_per_row:.0} bytes");
    Ok(json!({
        "benchmark": "migration",
        "profile": PROFILE,
        "rows": options.rows,
        "dimensions": options.dimensions,
        "budget": {"ratio": MIN_RATIO, "peak_mb": MAX_PEAK_MB, "bytes_per_row": MAX_BYTES_PER_ROW},
        "databases": databases,
        "bytes_per_row": round(bytes_per_row),
    }))
}

/// Runs the binary; its memory is looked at every few milliseconds, and the system keeps the peak.
async fn migrate(
    binary: &Path,
    source: &Path,
    directory: &Path,
    scratch: &Scratch,
    dimensions: usize,
) -> Result<Run, String> {
    let vectors = directory.join("new");
    let mut child = Command::new(binary)
        .arg("run")
        .env("APP_ENV", "development")
        .envs(ALLOCATOR)
        .env("OPENAI_EMBEDDING_DIMENSIONS", dimensions.to_string())
        .arg("--source")
        .arg(source)
        .arg("--vectors")
        .arg(&vectors)
        .arg("--backup")
        .arg(directory.join("backup"))
        .arg("--database-url")
        .arg(scratch.url()?)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}; build it first", binary.display()))?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if let Ok(text) = fs::read_to_string(&status) {
            peak = peak.max(high_water_kilobytes(&text).unwrap_or_default());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    fs::remove_dir_all(&vectors).map_err(|error| error.to_string())?;
    let report = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("migrate run ended with {}: {error}", output.status))?;
    Ok(Run { report, peak_mb: f64::from(peak) * 1024.0 / 1e6 })
}

fn high_water_kilobytes(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Inserts all rows of a migrated database into an empty one, without any check, and returns the rows per
/// second.
async fn insert_again(migrated: &Scratch, kind: Kind) -> Result<f64, String> {
    let scratch = Scratch::create(kind, "raw").await?;
    let (from, into) = (migrated.open()?, scratch.open()?);
    let made = shared::db::schema::migrate(&into, 0).await;
    made.map_err(|error| error.to_string())?;
    let (mut seconds, mut count) = (0.0, 0_u32);
    for table in tables::ALL {
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let read = tables::for_each(&from, table, |row| rows.push(row)).await;
        read.map_err(|error| error.to_string())?;
        count += u32::try_from(rows.len()).unwrap_or(u32::MAX);
        seconds += raw::insert(&scratch.url()?, table, &rows).await?.as_secs_f64();
    }
    drop(into);
    scratch.remove().await?;
    Ok(f64::from(count) / seconds)
}

/// Returns the memory that a further row takes.
async fn bytes_per_row(binary: &Path, directory: &Path, rows: usize) -> Result<f64, String> {
    let mut peaks = Vec::new();
    for factor in [1, 3] {
        let source = directory.join(format!("old-{factor}"));
        install::write(&source, rows * factor, SHORT_VECTORS).await?;
        let scratch = Scratch::create(Kind::Sqlite, "memory").await?;
        let migrated = migrate(binary, &source, directory, &scratch, SHORT_VECTORS).await?;
        scratch.remove().await?;
        peaks.push((migrated.rows(), migrated.peak_mb * 1e6));
    }
    let [(few, small), (many, large)] = peaks[..] else { unreachable!("two installs were measured") };
    Ok((large - small) / (many - few))
}
