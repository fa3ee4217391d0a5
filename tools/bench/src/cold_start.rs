//! The start of the functions: what Lambda bills as initialisation, without Lambda.
//!
//! A start is measured from before `exec` to the first poll of the Runtime API. The budget is on
//! processor time, which depends less on what else the machine does than the time on the wall does.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use bench::runtime_api::{Function, HttpReply, HttpRequest};
use serde_json::{Value, json};

use crate::{
    arguments::Arguments,
    binary_directory,
    report::{PROFILE, Samples, Table, write_json},
};

/// What a function may take (DESIGN section 9). A megabyte is 1 000 000 bytes.
struct Budget {
    cpu_ms: f64,
    resident_mb: f64,
    zip_mb: f64,
}

/// The budget of a function without LanceDB.
const LIGHT: Budget = Budget { cpu_ms: 10.0, resident_mb: 10.0, zip_mb: 5.0 };

/// The budget of a function with LanceDB.
const WITH_LANCEDB: Budget = Budget { cpu_ms: 25.0, resident_mb: 40.0, zip_mb: 45.0 };

/// Invocations of each started function, for the latency of a warm one.
const WARM_INVOCATIONS: usize = 20;

const MEGABYTE: f64 = 1e6;

/// The options of the benchmark.
pub struct Options {
    bins: Vec<PathBuf>,
    runs: usize,
    json: Option<PathBuf>,
}

impl Options {
    /// Reads the options.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn read(arguments: &mut Arguments) -> Result<Self, String> {
        let bins = match arguments.value("--bins")? {
            Some(bins) => vec![bins],
            // The functions without LanceDB are built with another profile than the others and this binary.
            None => vec![binary_directory()?.with_file_name("release"), binary_directory()?],
        };
        Ok(Self { bins, runs: arguments.count("--runs", 20)?, json: arguments.value("--json")? })
    }
}

/// A function and a cheap request to it, which needs no database.
struct Subject {
    name: &'static str,
    request: Request,
    budget: Budget,
}

enum Request {
    /// `GET` of a path, and the status that must come back.
    Get(&'static str, u16),
    /// Any other event.
    Event(&'static str),
}

/// Where a function has no public route, one of its own is asked for without a token.
const SUBJECTS: &[Subject] = &[
    Subject { name: "auth", request: Request::Get("/api/v1/auth/login", 401), budget: LIGHT },
    Subject { name: "users", request: Request::Get("/api/v1/user/info", 401), budget: LIGHT },
    Subject { name: "categories", request: Request::Get("/api/v1/categories", 401), budget: LIGHT },
    Subject { name: "tags", request: Request::Get("/api/v1/tags", 401), budget: LIGHT },
    Subject { name: "memos", request: Request::Get("/api/v1/memos", 401), budget: LIGHT },
    Subject { name: "attachments", request: Request::Get("/api/v1/attachments", 401), budget: LIGHT },
    Subject { name: "conversations", request: Request::Get("/api/v1/explore/conversations", 401), budget: LIGHT },
    Subject { name: "push-rules", request: Request::Get("/api/v1/push-rules", 401), budget: LIGHT },
    Subject { name: "insights", request: Request::Get("/api/v1/insights/activity", 401), budget: LIGHT },
    Subject { name: "ai", request: Request::Get("/api/v1/ai/tools", 401), budget: LIGHT },
    Subject { name: "media", request: Request::Get("/api/v1/ocr/status", 401), budget: LIGHT },
    Subject { name: "system", request: Request::Get("/api/v1/health", 200), budget: LIGHT },
    // The first of these makes the tables of a SQLite file, the others find them.
    Subject { name: "search", request: Request::Get("/api/v1/memos/x/related", 401), budget: WITH_LANCEDB },
    Subject { name: "migrate", request: Request::Event(r#"{"command": "schema"}"#), budget: WITH_LANCEDB },
];

#[derive(Default)]
struct Measured {
    first_poll_ms: Samples,
    cpu_ms: Samples,
    resident_mb: Samples,
    peak_mb: Samples,
    first_invocation_ms: Samples,
    warm_ms: Samples,
}

/// Runs the benchmark.
///
/// # Errors
/// There is no binary, or one does not start or answers wrongly.
pub async fn run(options: Options) -> Result<(), String> {
    let mut table = Table::new(&[
        "function",
        "poll ms",
        "CPU ms",
        "RSS MB",
        "first ms",
        "warm ms",
        "binary MB",
        "gzip MB",
        "budget",
    ]);
    let mut functions = Vec::new();
    for subject in SUBJECTS {
        let binaries = options.bins.iter().map(|directory| directory.join(subject.name));
        let Some(binary) = binaries.into_iter().find(|binary| binary.is_file()) else { continue };
        let measured = measure(subject, &binary, options.runs).await;
        let measured = measured.map_err(|problem| format!("{}: {problem}", subject.name))?;
        let size = megabytes(fs::metadata(&binary).map_err(|error| error.to_string())?.len());
        let gzip = gzip_size(&binary).map(megabytes);
        let over = over_budget(&subject.budget, &measured, gzip);
        let verdict = if over.is_empty() { "within".to_owned() } else { format!("over: {}", over.join(", ")) };
        table.row(vec![
            subject.name.to_owned(),
            format!("{:.1}", measured.first_poll_ms.median()),
            format!("{:.1}", measured.cpu_ms.median()),
            format!("{:.1}", measured.resident_mb.median()),
            format!("{:.2}", measured.first_invocation_ms.median()),
            format!("{:.2}", measured.warm_ms.median()),
            format!("{size:.2}"),
            gzip.map_or("-".to_owned(), |gzip| format!("{gzip:.2}")),
            verdict,
        ]);
        functions.push(json!({
            "function": subject.name,
            "first_poll_ms": measured.first_poll_ms.to_json(),
            "cpu_ms": measured.cpu_ms.to_json(),
            "resident_mb": measured.resident_mb.to_json(),
            "peak_mb": measured.peak_mb.to_json(),
            "first_invocation_ms": measured.first_invocation_ms.to_json(),
            "warm_ms": measured.warm_ms.to_json(),
            "binary_mb": size,
            "gzip_mb": gzip,
            "over_budget": over,
        }));
    }
    if functions.is_empty() {
        return Err("no function was found; see --bins".to_owned());
    }
    let runs = options.runs;
    println!("cold-start: medians of {runs} starts; budget: {LIGHT}, with LanceDB {WITH_LANCEDB}");
    table.print();
    let results = json!({
        "benchmark": "cold-start",
        "profile": PROFILE,
        "runs": runs,
        "budget": {"without_lancedb": LIGHT.to_json(), "with_lancedb": WITH_LANCEDB.to_json()},
        "functions": functions,
    });
    write_json("cold-start", options.json, &results)
}

async fn measure(subject: &Subject, binary: &Path, runs: usize) -> Result<Measured, String> {
    let directory = env::temp_dir().join(format!("aimo-bench-cold-start-{}", std::process::id()));
    let mut measured = Measured::default();
    // The first start reads the binary from the disk and is not counted.
    for run in 0..=runs {
        fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        let mut discarded = Measured::default();
        let outcome =
            start(subject, binary, &directory, if run == 0 { &mut discarded } else { &mut measured }).await;
        fs::remove_dir_all(&directory).map_err(|error| error.to_string())?;
        outcome?;
    }
    Ok(measured)
}

async fn start(subject: &Subject, binary: &Path, directory: &Path, measured: &mut Measured) -> Result<(), String> {
    let environment = [
        ("APP_ENV", "development".to_owned()),
        ("EFS_MOUNT_PATH", directory.display().to_string()),
        ("JWT_SECRET", "0123456789abcdef0123456789abcdef".to_owned()),
        ("DATABASE_URL", format!("sqlite://{}", directory.join("aimo.db").display())),
    ];
    let event = subject.request.event()?;
    let mut function =
        Function::start(subject.name, binary, environment).await.map_err(|error| error.to_string())?;
    let first_poll = function.first_poll().await.map_err(|failure| failure.to_string())?;
    let usage = function.usage().map_err(|error| error.to_string())?;
    measured.first_poll_ms.push_ms(first_poll);
    measured.cpu_ms.push_ms(usage.cpu);
    measured.resident_mb.push(megabytes(usage.resident));
    measured.peak_mb.push(megabytes(usage.peak));
    for number in 0..=WARM_INVOCATIONS {
        let samples = if number == 0 { &mut measured.first_invocation_ms } else { &mut measured.warm_ms };
        let payload = samples.time(function.invoke(&event)).await.map_err(|failure| failure.to_string())?;
        subject.request.check(&payload)?;
    }
    Ok(())
}

impl Request {
    fn event(&self) -> Result<Value, String> {
        match self {
            Self::Get(path, _) => Ok(HttpRequest::get(path).into_event()),
            Self::Event(text) => serde_json::from_str(text).map_err(|error| error.to_string()),
        }
    }

    /// Refuses to measure how fast a function fails.
    fn check(&self, payload: &Value) -> Result<(), String> {
        match self {
            Self::Get(path, expected) => match HttpReply::from_payload(payload)?.status {
                status if status == *expected => Ok(()),
                status => Err(format!("GET {path} answers {status}, expected {expected}")),
            },
            Self::Event(_) => Ok(()),
        }
    }
}

impl Budget {
    fn to_json(&self) -> Value {
        json!({"cpu_ms": self.cpu_ms, "resident_mb": self.resident_mb, "gzip_mb": self.zip_mb})
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CPU {} ms, RSS {} MB, zip {} MB", self.cpu_ms, self.resident_mb, self.zip_mb)
    }
}

fn over_budget(budget: &Budget, measured: &Measured, gzip_mb: Option<f64>) -> Vec<&'static str> {
    let checks = [
        ("CPU", measured.cpu_ms.median() > budget.cpu_ms),
        ("RSS", measured.resident_mb.median() > budget.resident_mb),
        ("zip", gzip_mb.is_some_and(|size| size > budget.zip_mb)),
    ];
    checks.iter().filter(|(_, over)| *over).map(|(name, _)| *name).collect()
}

#[expect(clippy::cast_precision_loss, reason = "sizes here are far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / MEGABYTE
}

/// Returns the size of the binary when it is compressed as in a zip, which adds some 150 bytes; `None`
/// without the program `gzip`.
fn gzip_size(binary: &Path) -> Option<u64> {
    let gzip = Command::new("gzip").arg("-6c").arg(binary).stderr(Stdio::null()).output().ok()?;
    gzip.status.success().then_some(gzip.stdout.len() as u64)
}
