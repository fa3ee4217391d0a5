//! A run of the schedule with many rules that are due: how long does it take, and how many statements?

use std::{path::PathBuf, time::Instant};

use axum::Router;
use sea_query::{Expr, Query, Value as Cell};
use serde_json::{Value, json};
use shared::{
    clock::{Clock, SystemClock},
    config::{Config, Runtime, Variables},
    db::{Database, Error, schema},
    dto::push_rules::PushRule,
    http::App,
    ids::{MemoId, PushRuleId, SystemRandom, Uid},
    repositories::push_rules,
    services::push_deliveries::Report,
};
use tokio::net::TcpListener;

use crate::{
    arguments::Arguments,
    report::{PROFILE, Table, round, write_json},
    scratch::{Kind, Scratch},
};

/// The most seconds that 10 000 rules may take, and the most statements of 100 rules: half of them for the ledger,
/// half for the contents. Those that find the rules count here too.
const MAX_SECONDS: f64 = 60.0;
const MAX_STATEMENTS: f64 = 8.0;

/// Memos of each user on the day of the run.
const MEMOS: usize = 3;

/// The options of the benchmark.
pub struct Options {
    rules: usize,
    users: usize,
    json: Option<PathBuf>,
}

impl Options {
    /// Reads the options.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn read(arguments: &mut Arguments) -> Result<Self, String> {
        Ok(Self {
            rules: arguments.count("--rules", 10_000)?,
            users: arguments.count("--users", 1000)?,
            json: arguments.value("--json")?,
        })
    }
}

/// Runs the benchmark on every database.
///
/// # Errors
/// A database fails, or a push does not arrive.
pub async fn run(options: Options) -> Result<(), String> {
    println!(
        "pushes: {} rules of {} users, of the memos of the day ({PROFILE} build)",
        options.rules, options.users
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let endpoint = listener.local_addr().map_err(|error| error.to_string())?.to_string();
    let taken = || async { axum::Json(json!({"status": 200})) };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(taken)).await });

    let mut table = Table::new(&["database", "seconds", "budget", "statements per 100", "budget", "kept"]);
    let mut databases = Vec::new();
    for kind in Kind::available() {
        let name = kind.name();
        let scratch = Scratch::create(kind, "pushes").await?;
        let outcome = deliver(&scratch, &options, &endpoint).await;
        scratch.remove().await?;
        let (seconds, statements) = outcome.map_err(|problem| format!("{name}: {problem}"))?;
        let kept = seconds <= MAX_SECONDS && statements <= MAX_STATEMENTS;
        table.row(vec![
            name.to_owned(),
            format!("{seconds:.1}"),
            format!("{MAX_SECONDS}"),
            format!("{statements:.1}"),
            format!("{MAX_STATEMENTS}"),
            if kept { "yes" } else { "NO" }.to_owned(),
        ]);
        databases.push(json!({"database": name, "seconds": round(seconds), "statementsPer100": round(statements),
            "kept": kept}));
    }
    table.print();
    let results: Value = json!({"profile": PROFILE, "rules": options.rules, "users": options.users,
        "databases": databases});
    write_json("pushes", options.json, &results)
}

/// Delivers the pushes of the present hour; returns the seconds, and the statements of 100 rules.
async fn deliver(scratch: &Scratch, options: &Options, endpoint: &str) -> Result<(f64, f64), String> {
    let variables = [
        ("DATABASE_URL", scratch.url()?),
        ("JWT_SECRET", "a secret of a benchmark, of 32 bytes".to_owned()),
        ("LOCALE_TIMEZONE", "UTC".to_owned()),
        ("MEOW_BASE_URL", format!("http://{endpoint}")),
        ("OUTBOUND_TRUSTED_HOSTS", endpoint.to_owned()),
    ];
    let variables: Variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let app = App::new(Config::read(Runtime::Local, variables).map_err(|problems| problems.to_string())?)?;
    let now = app.context.now();
    fill(&app.context.db, options, now).await.map_err(|error| error.to_string())?;
    let (before, started) = (app.context.db.statements(), Instant::now());
    let report =
        push_scheduler::deliver(&app, now, push_scheduler::LIMIT).await.map_err(|error| error.to_string())?;
    let seconds = started.elapsed().as_secs_f64();
    let Report { sent, left, failed, .. } = report;
    if usize::try_from(sent) != Ok(options.rules) {
        return Err(format!("{sent} pushes were sent, {failed} failed, {left} are left"));
    }
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let statements = (app.context.db.statements() - before) as f64 / options.rules as f64 * 100.0;
    Ok((seconds, statements))
}

/// Makes rules of the present hour and memos of the present day.
async fn fill(db: &Database, options: &Options, now: i64) -> Result<(), Error> {
    schema::migrate(db, SystemClock.now()).await?;
    let users: Vec<Uid> = (0..options.users).map(|_| Uid::new(&SystemRandom)).collect();
    let hour = i32::try_from(now / 3_600_000 % 24).unwrap_or_default();
    let insert = |tx: shared::db::Executor| {
        let users = &users;
        async move {
            for number in 0..options.rules {
                let rule = PushRule {
                    id: PushRuleId::new(&SystemRandom),
                    uid: users[number % users.len()].clone(),
                    name: format!("规则 {number}"),
                    push_time: hour,
                    content_type: "daily_memos".to_owned(),
                    channels: vec![json!({"type": "meow", "nickname": format!("n{number}")})],
                    enabled: true,
                    created_at: 1,
                    updated_at: 1,
                };
                push_rules::create(&tx, &rule).await?;
            }
            for user in users {
                let mut memos = Query::insert();
                memos.into_table("memos");
                memos.columns(["memo_id", "uid", "content", "type", "is_public", "created_at", "updated_at"]);
                for _ in 0..MEMOS {
                    let row: [Cell; 7] = [
                        MemoId::new(&SystemRandom).into(),
                        user.into(),
                        "今天写的 a memo of the day 😀".into(),
                        "text".into(),
                        0_i32.into(),
                        now.into(),
                        now.into(),
                    ];
                    memos.values_panic(row.map(Expr::from));
                }
                tx.execute("bench.fill", &memos).await?;
            }
            Ok::<(), Error>(())
        }
    };
    db.transaction(insert).await
}
