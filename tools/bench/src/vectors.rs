//! How many requests a look-up in the cache and a vector search send to S3: from a process that has just started,
//! and from one that has asked before; with rows that were written at once, and with the same rows of which many
//! were appended one by one and then compacted. And how much longer a look-up takes among the latter.

use std::{env, path::PathBuf, process::Command, time::Duration};

use ::vectors::{
    CacheKey, CacheKind, EmbeddingCache, Store, StoreOptions, VectorKind, VectorRow, VectorTable,
    testing::{Proxy, vector},
};
use serde_json::{Value, json};

use crate::{
    arguments::Arguments,
    report::{PROFILE, Samples, Table, round, write_json},
};

/// The length of the vectors.
const DIMENSIONS: usize = 1536;

/// How many rows a batch of texts has.
const BATCH: usize = 100;

/// After how many appends the product compacts a table.
const UPKEEP_EVERY: usize = 500;

const MODEL: CacheKey<'_> = CacheKey { model_hash: "model", modality_type: None };

/// The most requests, warm and cold (DESIGN section 9); what has none is reported alone.
const BUDGETS: [(&str, usize, usize); 3] =
    [("hit of 1", 6, 12), ("hit of 100 of one batch", 6, 12), ("hit of 100 scattered", 100, 100)];

/// How many look-ups are timed, each in a process that has asked before.
const TIMED: usize = 50;

/// How many times longer a look-up may take after the appends once maintenance has run.
const MAX_SLOWDOWN: f64 = 2.0;

/// The variable that tells this program that it has the credentials.
const PREPARED: &str = "BENCH_S3_PREPARED";

/// The options of the benchmark.
pub struct Options {
    rows: usize,
    appends: usize,
    json: Option<PathBuf>,
}

impl Options {
    /// Reads the options.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn read(arguments: &mut Arguments) -> Result<Self, String> {
        Ok(Self {
            rows: arguments.count("--cached", 10_000)?,
            appends: arguments.count("--appends", 10_000)?,
            json: arguments.value("--json")?,
        })
    }
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the address of a test server is no setting of the product")]
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Runs the benchmark, in a process of its own that has the credentials of the server.
///
/// # Errors
/// The server fails, or the results cannot be written.
pub async fn run(options: Options) -> Result<(), String> {
    let Some(endpoint) = variable("TEST_S3_ENDPOINT") else {
        println!("vectors: TEST_S3_ENDPOINT names no S3 server; run this by scripts/with-servers.sh");
        return Ok(());
    };
    if variable(PREPARED).is_some() {
        return measure(&options, &endpoint).await;
    }
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(this);
    command.args(["vectors", "--cached", &options.rows.to_string(), "--appends", &options.appends.to_string()]);
    if let Some(file) = &options.json {
        command.arg("--json").arg(file);
    }
    command.env(PREPARED, "1");
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", variable("TEST_S3_ACCESS_KEY_ID")),
        ("AWS_SECRET_ACCESS_KEY", variable("TEST_S3_SECRET_ACCESS_KEY")),
    ] {
        command.env(name, value.unwrap_or_default());
    }
    let status = command.status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err("the measuring process failed".to_owned()) }
}

/// The store behind the proxy.
struct Bucket {
    proxy: Proxy,
    uri: String,
}

impl Bucket {
    /// Opens the store of vectors as a process that has just started does.
    fn store(&self) -> Result<Store, String> {
        self.open(Duration::ZERO)
    }

    /// As [`Bucket::store`], for caches, which may be a few seconds old, as in the product.
    fn cache_store(&self) -> Result<Store, String> {
        self.open(Duration::from_secs(5))
    }

    fn open(&self, read_consistency: Duration) -> Result<Store, String> {
        let options = StoreOptions {
            uri: self.uri.clone(),
            endpoint: Some(self.proxy.url()),
            region: Some("us-east-1".to_owned()),
            read_consistency,
            ..StoreOptions::default()
        };
        Store::at(&options).map_err(|error| error.to_string())
    }
}

async fn measure(options: &Options, endpoint: &str) -> Result<(), String> {
    let server = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let bucket = variable("TEST_S3_BUCKET").unwrap_or_default();
    let open = |name: &str| {
        let proxy = Proxy::start(server).map_err(|error| error.to_string())?;
        let uri = format!("s3://{bucket}/bench-vectors-{}-{name}", std::process::id());
        Ok::<_, String>(Bucket { proxy, uri })
    };
    let rows = options.rows + options.appends;
    println!("S3 requests of vectors of {DIMENSIONS} numbers ({PROFILE} build), {rows} rows");
    let at_once = open("at-once")?;
    fill(&at_once, rows, options.rows).await?;
    let appended = open("appended")?;
    let cache = fill(&appended, options.rows, options.rows).await?;
    let mut appending = Samples::default();
    for row in options.rows..rows {
        appending.time(append(&cache, row..row + 1)).await?;
        let appends = row + 1 - options.rows;
        if appends.is_multiple_of(UPKEEP_EVERY) {
            upkeep(&appended).await?;
            println!("{appends} of {} appends", options.appends);
        }
    }
    upkeep(&appended).await?;
    let results = [
        ("written at once, compacted", State::of(&at_once, rows).await?),
        ("after single appends, compacted", State::of(&appended, rows).await?),
    ];
    report(options, &results, &appending)
}

/// Writes rows of the cache and vectors of memos in large batches, and compacts them.
async fn fill(bucket: &Bucket, cached: usize, vectors: usize) -> Result<EmbeddingCache, String> {
    let failed = |error: ::vectors::Error| error.to_string();
    let cache = EmbeddingCache::open_or_create(&bucket.cache_store()?, CacheKind::Text, DIMENSIONS).await;
    let cache = cache.map_err(failed)?;
    for start in (0..cached).step_by(1000) {
        append(&cache, start..cached.min(start + 1000)).await?;
    }
    let table =
        VectorTable::open_or_create(&bucket.store()?, VectorKind::Memo, DIMENSIONS).await.map_err(failed)?;
    for start in (0..vectors).step_by(1000) {
        let rows = (start..vectors.min(start + 1000)).map(|n| VectorRow {
            id: format!("m{n}"),
            uid: format!("u{}", n % 10),
            vector: vector(n as u64, DIMENSIONS),
            model_hash: None,
            updated_at: 1,
        });
        table.append(&rows.collect::<Vec<_>>()).await.map_err(failed)?;
    }
    upkeep(bucket).await?;
    Ok(cache)
}

async fn append(cache: &EmbeddingCache, numbers: std::ops::Range<usize>) -> Result<(), String> {
    let rows: Vec<_> = numbers.map(|n| (format!("r{n}"), vector(n as u64, DIMENSIONS))).collect();
    let rows: Vec<_> = rows.iter().map(|(hash, vector)| (hash.as_str(), vector.as_slice())).collect();
    cache.append(MODEL, &rows, 1).await.map_err(|error| error.to_string())
}

async fn upkeep(bucket: &Bucket) -> Result<(), String> {
    for table in ["embedding_cache", "memo_vectors"] {
        bucket.store()?.upkeep(table, Duration::from_hours(24)).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What one kind of request takes.
struct Scenario {
    name: &'static str,
    cold: usize,
    warm: usize,
    cold_ms: Samples,
    warm_ms: Samples,
}

/// What was measured of one store.
struct State {
    scenarios: Vec<Scenario>,
    /// Look-ups of one text.
    looking_up: Samples,
}

impl State {
    async fn of(bucket: &Bucket, rows: usize) -> Result<Self, String> {
        Ok(Self { scenarios: scenarios(bucket, rows).await?, looking_up: look_ups(bucket, rows).await? })
    }
}

/// Times look-ups of one text each, of different ones, since the cache remembers what it has found.
async fn look_ups(bucket: &Bucket, rows: usize) -> Result<Samples, String> {
    let failed = |error: ::vectors::Error| error.to_string();
    let cache = EmbeddingCache::open_or_create(&bucket.cache_store()?, CacheKind::Text, DIMENSIONS).await;
    let cache = cache.map_err(failed)?;
    let mut samples = Samples::default();
    for number in 0..=TIMED {
        let hash = format!("r{}", number * (rows / (TIMED + 1)));
        let wanted = [hash.as_str()];
        let found = cache.find(MODEL, &wanted);
        // The first one opens the table.
        let found = if number == 0 { found.await } else { samples.time(found).await };
        if found.map_err(failed)?.len() != 1 {
            return Err(format!("{hash} is not found"));
        }
    }
    Ok(samples)
}

/// Measures every kind of request, each from a process that has just started and from one that has asked for
/// something else before.
async fn scenarios(bucket: &Bucket, rows: usize) -> Result<Vec<Scenario>, String> {
    let failed = |error: ::vectors::Error| error.to_string();
    let hashes = |numbers: Vec<usize>| numbers.into_iter().map(|n| format!("r{n}")).collect::<Vec<_>>();
    let scattered = |offset: usize| (0..BATCH).map(|n| n * (rows / BATCH) + offset).collect();
    let mut scenarios = Vec::new();
    for (name, first, second, hits) in [
        ("hit of 1", hashes(vec![17]), hashes(vec![rows - 5]), 1),
        (
            "hit of 100 of one batch",
            hashes((200..300).collect()),
            hashes((rows / 2..rows / 2 + 100).collect()),
            BATCH,
        ),
        ("hit of 100 scattered", hashes(scattered(3)), hashes(scattered(7)), BATCH),
        ("miss of 100", hashes((rows + 1..=rows + 100).collect()), hashes((rows + 200..rows + 300).collect()), 0),
    ] {
        let mut scenario = Scenario::new(name);
        bucket.proxy.take();
        let find = async |cache: &EmbeddingCache, hashes: &[String]| {
            let hashes: Vec<_> = hashes.iter().map(String::as_str).collect();
            let found = cache.find(MODEL, &hashes).await.map_err(failed)?;
            if found.len() == hits { Ok(()) } else { Err(format!("{name}: {} hits", found.len())) }
        };
        let store = bucket.cache_store()?;
        let cold = async {
            let cache =
                EmbeddingCache::open_or_create(&store, CacheKind::Text, DIMENSIONS).await.map_err(failed)?;
            find(&cache, &first).await.map(|()| cache)
        };
        let cache = scenario.cold_ms.time(cold).await?;
        scenario.cold = bucket.proxy.take();
        scenario.warm_ms.time(find(&cache, &second)).await?;
        scenario.warm = bucket.proxy.take();
        scenarios.push(scenario);
    }

    let mut scenario = Scenario::new("vector search of one user of ten");
    bucket.proxy.take();
    let search = async |table: &VectorTable, seed| {
        let hits = table.nearest("u3", "model", &vector(seed, DIMENSIONS), 1_000_000).await.map_err(failed)?;
        if hits.is_empty() { Err("no hits".to_owned()) } else { Ok(()) }
    };
    let store = bucket.store()?;
    let cold = async {
        let table = VectorTable::open(&store, VectorKind::Memo).await.map_err(failed)?.ok_or("no table")?;
        search(&table, 1).await.map(|()| table)
    };
    let table = scenario.cold_ms.time(cold).await?;
    scenario.cold = bucket.proxy.take();
    scenario.warm_ms.time(search(&table, 2)).await?;
    scenario.warm = bucket.proxy.take();
    scenarios.push(scenario);
    Ok(scenarios)
}

impl Scenario {
    fn new(name: &'static str) -> Self {
        Self { name, cold: 0, warm: 0, cold_ms: Samples::default(), warm_ms: Samples::default() }
    }
}

fn report(options: &Options, results: &[(&'static str, State); 2], appending: &Samples) -> Result<(), String> {
    let mut table = Table::new(&["requests", "warm", "cold", "budget", "warm ms", "cold ms", "kept"]);
    let mut rows = Vec::new();
    for (state, measured) in results {
        for Scenario { name, cold, warm, cold_ms, warm_ms } in &measured.scenarios {
            let budget = BUDGETS.iter().find(|(budgeted, ..)| budgeted == name);
            let kept = budget.map(|(_, most_warm, most_cold)| warm <= most_warm && cold <= most_cold);
            table.row(vec![
                format!("{name}, {state}"),
                warm.to_string(),
                cold.to_string(),
                budget.map_or("–".to_owned(), |(_, warm, cold)| format!("{warm} / {cold}")),
                format!("{:.0}", warm_ms.median()),
                format!("{:.0}", cold_ms.median()),
                kept.map_or("–", |kept| if kept { "yes" } else { "NO" }).to_owned(),
            ]);
            rows.push(json!({"requests": name, "state": state, "warm": warm, "cold": cold, "kept": kept,
                "warmMs": warm_ms.to_json(), "coldMs": cold_ms.to_json()}));
        }
    }
    table.print();
    println!("an append of one row takes {:.0} ms (median of {})", appending.median(), options.appends);
    let [at_once, appended] = results.each_ref().map(|(_, measured)| &measured.looking_up);
    let slowdown = appended.median() / at_once.median();
    println!(
        "a look-up takes {:.1} ms, after single appends {:.1} ms (medians of {TIMED}): {slowdown:.2} times as long, \
         budget {MAX_SLOWDOWN}",
        at_once.median(),
        appended.median(),
    );
    let look_ups = json!({"atOnceMs": at_once.to_json(), "appendedMs": appended.to_json(),
        "slowdown": round(slowdown), "kept": slowdown <= MAX_SLOWDOWN});
    let results: Value = json!({"profile": PROFILE, "rows": options.rows, "appends": options.appends,
        "appendMs": appending.to_json(), "lookUps": look_ups, "results": rows});
    write_json("vectors", options.json.clone(), &results)
}
