//! A page of memos: does it take longer for somebody who has a hundred times as many?
//!
//! Two users share a database. For each filter the statement that cuts the page is measured for one and
//! for the other, in turn; the budget is on the ratio. The count behind `total` must look at every
//! match, so it is reported apart and has no budget.

mod explain;
mod raw;
mod rows;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use shared::{
    db::{Database, Dialect, Error},
    dto::{
        PageRequest,
        memos::{CategoryFilter, MemoFilter, Sort, SortBy},
    },
    ids::Uid,
    repositories,
};
use tokio::time::timeout;

use self::{explain::Explainer, raw::Raw, rows::Owner};
use crate::{
    arguments::Arguments,
    report::{PROFILE, Samples, Table, round, write_json},
    scratch::{self, Scratch},
};

/// The most that the page of the large user may take, in times of the small one's (DESIGN section 9).
const MAX_RATIO: f64 = 2.0;

const PAGE: PageRequest = PageRequest { page: 1, limit: 20 };

/// Runs of each statement before the measurement: PostgreSQL decides after five runs whether it keeps
/// a plan.
const WARM_UP: usize = 8;

/// After this time the measurement of a list ends with what there is.
const MAX_DURATION: Duration = Duration::from_secs(20);

/// After this time it is given up: a bad plan can take hours.
const PATIENCE: Duration = Duration::from_mins(1);

/// The options of the benchmark.
pub struct Options {
    rows: usize,
    small: usize,
    runs: usize,
    explain: bool,
    json: Option<PathBuf>,
}

impl Options {
    /// Reads the options.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn read(arguments: &mut Arguments) -> Result<Self, String> {
        Ok(Self {
            rows: arguments.count("--rows", 100_000)?,
            small: arguments.count("--small", 1000)?,
            runs: arguments.count("--runs", 50)?,
            explain: arguments.flag("--explain"),
            json: arguments.value("--json")?,
        })
    }
}

/// Says what failed, with its cause.
fn describe(error: &Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

/// A list that a user looks at.
struct Case {
    name: &'static str,
    tags: &'static [&'static str],
    category: Category,
    by: SortBy,
}

#[derive(Clone, Copy)]
enum Category {
    Any,
    None,
    Own,
}

/// Newest first, all of them.
const CASES: &[Case] = &{
    use Category::{Any, None, Own};
    use SortBy::{CreatedAt, UpdatedAt};
    use rows::{COMMON, RARE};
    [
        Case { name: "all", tags: &[], category: Any, by: CreatedAt },
        Case { name: "common tag", tags: &[COMMON], category: Any, by: CreatedAt },
        Case { name: "rare tag", tags: &[RARE], category: Any, by: CreatedAt },
        Case { name: "both tags", tags: &[COMMON, RARE], category: Any, by: CreatedAt },
        Case { name: "category", tags: &[], category: Own, by: CreatedAt },
        Case { name: "no category", tags: &[], category: None, by: CreatedAt },
        Case { name: "category, common tag", tags: &[COMMON], category: Own, by: CreatedAt },
        Case { name: "all by update", tags: &[], category: Any, by: UpdatedAt },
        Case { name: "category by update", tags: &[], category: Own, by: UpdatedAt },
        Case { name: "common tag by update", tags: &[COMMON], category: Any, by: UpdatedAt },
        Case { name: "rare tag by update", tags: &[RARE], category: Any, by: UpdatedAt },
    ]
};

impl Case {
    fn query(&self, owner: &Owner) -> ListQuery {
        let filter = MemoFilter {
            tags: self.tags.iter().map(|&name| name.to_owned()).collect(),
            category: match self.category {
                Category::Any => CategoryFilter::Any,
                Category::None => CategoryFilter::Uncategorized,
                Category::Own => CategoryFilter::Of(owner.category.clone()),
            },
            ..MemoFilter::default()
        };
        ListQuery { uid: owner.uid.clone(), filter, sort: Sort { by: self.by, ascending: false } }
    }
}

/// A [`Case`] for one user.
struct ListQuery {
    uid: Uid,
    filter: MemoFilter,
    sort: Sort,
}

/// The two statements of a list.
#[derive(Debug, Clone, Copy)]
enum Statement {
    Page,
    Count,
}

impl ListQuery {
    /// Runs a statement; returns how many memos the page has, or what the count says.
    async fn run(&self, db: &Database, statement: Statement) -> Result<u64, String> {
        let outcome = match statement {
            Statement::Page => {
                let page = repositories::memos::find_page(db, &self.uid, &self.filter, self.sort, PAGE).await;
                page.map(|memos| memos.len() as u64)
            }
            Statement::Count => repositories::memos::count(db, &self.uid, &self.filter).await,
        };
        outcome.map_err(|error| describe(&error))
    }
}

/// What one list takes.
#[derive(Default)]
struct Measured {
    matches: u64,
    page: Samples,
    small_page: Samples,
    count: Samples,
    small_count: Samples,
}

impl Measured {
    fn page_ratio(&self) -> f64 {
        self.page.median() / self.small_page.median()
    }

    fn count_ratio(&self) -> f64 {
        self.count.median() / self.small_count.median()
    }

    fn is_within_budget(&self) -> bool {
        self.page_ratio() <= MAX_RATIO
    }
}

/// Runs the benchmark.
///
/// # Errors
/// A database fails, or a list is not what it must be.
pub async fn run(options: Options) -> Result<(), String> {
    let Options { rows, small, runs, .. } = options;
    println!(
        "memo-page: medians of {runs} runs, {rows} memos against {small}; budget: the page of the many takes at \
         most {MAX_RATIO:.1} times as long"
    );
    if options.explain {
        explain::install()?;
    }
    let mut databases = Vec::new();
    for kind in scratch::Kind::available() {
        let name = kind.name();
        let scratch = Scratch::create(kind, "memo_page").await.map_err(|problem| format!("{name}: {problem}"))?;
        let outcome = run_on(name, &scratch, &options).await;
        let removed = scratch.remove().await;
        databases.extend(outcome.map_err(|problem| format!("{name}: {problem}"))?);
        removed.map_err(|problem| format!("{name}: {problem}"))?;
    }
    let results = json!({
        "benchmark": "memo-page",
        "profile": PROFILE,
        "rows": rows,
        "small": small,
        "runs": runs,
        "budget": {"page_ratio": MAX_RATIO},
        "databases": databases,
    });
    write_json("memo-page", options.json, &results)
}

/// Measures on one database, before and after its statistics are brought up to date. SQLite keeps none
/// by itself; PostgreSQL and MySQL do, some time after many rows have come.
async fn run_on(name: &str, scratch: &Scratch, options: &Options) -> Result<Vec<Value>, String> {
    let failed = |error: Error| describe(&error);
    let db = scratch.open()?;
    rows::migrate(&db).await.map_err(failed)?;
    let large = rows::fill(&db, options.rows).await.map_err(failed)?;
    let small = rows::fill(&db, options.small).await.map_err(failed)?;
    let mut results = Vec::new();
    for analyzed in [false, true] {
        if analyzed {
            analyze(&db).await.map_err(failed)?;
        }
        let title = format!("{name}, {}", if analyzed { "analyzed" } else { "as filled" });
        // A connection that has seen nothing of the other state.
        let cases = measure_all(&title, &scratch.open()?, &large, &small, options.runs).await;
        let cases = cases.map_err(|problem| format!("{title}: {problem}"))?;
        results.push(json!({"database": name, "analyzed": analyzed, "cases": cases}));
        if options.explain {
            explain_all(&title, scratch.open()?, &large).await?;
        }
    }
    Ok(results)
}

/// Measures all lists of two users, and prints their table.
async fn measure_all(
    title: &str,
    db: &Database,
    large: &Owner,
    small: &Owner,
    runs: usize,
) -> Result<Vec<Value>, String> {
    let mut table =
        Table::new(&[title, "page ms", "small ms", "ratio", "budget", "matches", "count ms", "small ms", "ratio"]);
    let mut results = Vec::new();
    for case in CASES {
        let (of_large, of_small) = (case.query(large), case.query(small));
        let Ok(measured) = timeout(PATIENCE, measure(db, &of_large, &of_small, runs)).await else {
            let patience = PATIENCE.as_millis();
            table.row(vec![case.name.to_owned(), format!("> {patience}")]);
            results.push(json!({"case": case.name, "gave_up_after_ms": patience, "within_budget": false}));
            // The database works on when nobody listens any more; the next list would measure that.
            break;
        };
        let measured = measured.map_err(|problem| format!("{}: {problem}", case.name))?;
        table.row(row(case, &measured));
        results.push(result(case, &measured));
    }
    println!();
    table.print();
    Ok(results)
}

fn row(case: &Case, measured: &Measured) -> Vec<String> {
    vec![
        case.name.to_owned(),
        format!("{:.2}", measured.page.median()),
        format!("{:.2}", measured.small_page.median()),
        format!("{:.1}", measured.page_ratio()),
        if measured.is_within_budget() { "within" } else { "over" }.to_owned(),
        measured.matches.to_string(),
        format!("{:.2}", measured.count.median()),
        format!("{:.2}", measured.small_count.median()),
        format!("{:.1}", measured.count_ratio()),
    ]
}

fn result(case: &Case, measured: &Measured) -> Value {
    json!({
        "case": case.name,
        "matches": measured.matches,
        "page_ms": measured.page.to_json(),
        "small_page_ms": measured.small_page.to_json(),
        "page_ratio": round(measured.page_ratio()),
        "within_budget": measured.is_within_budget(),
        "count_ms": measured.count.to_json(),
        "small_count_ms": measured.small_count.to_json(),
        "count_ratio": round(measured.count_ratio()),
    })
}

/// Measures a list of two users, in turn, so that a slow moment of the machine hits both.
async fn measure(db: &Database, large: &ListQuery, small: &ListQuery, runs: usize) -> Result<Measured, String> {
    use Statement::{Count, Page};
    let mut measured = Measured { matches: check(db, large).await?, ..Measured::default() };
    check(db, small).await?;
    let start = Instant::now();
    for run in 0..WARM_UP + runs {
        let is_warm = run >= WARM_UP || start.elapsed() > MAX_DURATION;
        let mut cold = Measured::default();
        let samples = if is_warm { &mut measured } else { &mut cold };
        samples.page.time(large.run(db, Page)).await?;
        samples.small_page.time(small.run(db, Page)).await?;
        samples.count.time(large.run(db, Count)).await?;
        samples.small_count.time(small.run(db, Count)).await?;
        if is_warm && start.elapsed() > MAX_DURATION {
            break;
        }
    }
    Ok(measured)
}

/// Checks that the page and the count agree, so that nothing else than a list is measured.
async fn check(db: &Database, query: &ListQuery) -> Result<u64, String> {
    let (count, page) = (query.run(db, Statement::Count).await?, query.run(db, Statement::Page).await?);
    if count == 0 || page != count.min(PAGE.limit) {
        return Err(format!("a page of {page} memos, but {count} match"));
    }
    Ok(count)
}

/// Brings the statistics of the tables up to date.
async fn analyze(db: &Database) -> Result<(), Error> {
    let statement = match db.dialect() {
        // What autovacuum does too: without it an index alone does not tell which rows exist.
        Dialect::Postgres => "VACUUM (ANALYZE)",
        Dialect::MySql => "ANALYZE TABLE memos, memo_tags, tags",
        Dialect::Sqlite => "ANALYZE",
    };
    db.execute("bench.analyze", &Raw::new(statement)).await.map(|_| ())
}

async fn explain_all(title: &str, db: Database, owner: &Owner) -> Result<(), String> {
    let explainer = Explainer::new(db).await?;
    let mut outcome = Ok(());
    for case in CASES {
        for statement in [Statement::Page, Statement::Count] {
            if outcome.is_ok() {
                let query = case.query(owner);
                let plan = timeout(PATIENCE, explainer.explain(&query, statement)).await;
                let plan =
                    plan.unwrap_or_else(|_| Err("a plan cannot be found in time: try fewer --rows".to_owned()));
                outcome = plan.map(|plan| println!("\n{title}, {}, {statement:?}:\n{plan}", case.name));
            }
        }
    }
    explainer.finish().await.and(outcome)
}
