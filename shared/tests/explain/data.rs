//! A database with enough in it that an index is worth its while.

use std::time::Duration;

use sea_query::{Expr, Query, Value};
use shared::{
    clock::Millis,
    db::{Database, Options, schema},
};
use testing::{Kind, empty_database, execute};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::log;

/// The user who is asked about.
pub const USER: usize = 0;

/// Somebody whom the statistics do not know, as after an import.
pub const NEWCOMER: usize = 99;

const USERS: usize = 60;

/// How many times as much of everything as each of the others the user has: a tenth of it all.
const SHARE: usize = 6;

/// The earliest time.
pub const NOW: Millis = 1_790_000_000_000;

const TABLES: &str = "users, memos, memo_tags, memo_relations, attachments, categories, tags, ai_conversations, \
                      ai_messages, push_rules, daily_recommendations, pending_files, vector_outbox, \
                      push_deliveries, push_slots";

/// Returns the id of something that a user has.
pub fn id(prefix: &str, user: usize, number: usize) -> String {
    format!("{prefix}{user:02}x{number:05}")
}

/// Returns a day.
pub fn date(number: usize) -> String {
    format!("20{:02}-01-{:02}", number / 20, number % 20 + 1)
}

/// Opens the database of a kind with a single connection, and its URL. Nobody else may open one as
/// long as the guard lives, since the log does not say which database a statement went to.
pub async fn seeded(kind: Kind) -> (MutexGuard<'static, ()>, Database, String) {
    static TURN: Mutex<()> = Mutex::const_new(());
    static SEEDED: [OnceCell<Options>; 3] = [const { OnceCell::const_new() }; 3];
    let turn = TURN.lock().await;
    let options = SEEDED[kind as usize].get_or_init(|| async {
        let options = empty_database(kind).await;
        let db = Database::open(&options).unwrap();
        schema::migrate(&db, NOW).await.unwrap();
        fill_all(&db).await;
        match kind {
            // Gathers no statistics unless it is asked to, and nobody asks it.
            Kind::Sqlite => {}
            Kind::Postgres => execute(&options.url, "ANALYZE".to_owned()).await,
            Kind::MariaDb => execute(&options.url, format!("ANALYZE TABLE {TABLES}")).await,
        }
        Options { pool_size: 1, idle_timeout: Duration::from_hours(1), ..options }
    });
    let options = options.await;
    log::begin();
    (turn, Database::open(options).unwrap(), options.url.clone())
}

async fn fill<const N: usize>(
    db: &Database,
    table: &'static str,
    columns: [&'static str; N],
    rows: Vec<[Value; N]>,
) {
    for rows in rows.chunks(1000) {
        let mut insert = Query::insert().into_table(table).columns(columns).to_owned();
        for row in rows {
            insert.values_panic(row.clone().map(Expr::from));
        }
        db.execute("test.fill", &insert).await.unwrap();
    }
}

/// Makes `count` rows of every user, and more of the one who is asked about.
fn rows<const N: usize>(count: usize, row: impl Fn(usize, usize) -> [Value; N]) -> Vec<[Value; N]> {
    let mut rows = Vec::new();
    for user in 0..USERS {
        let count = if user == USER { SHARE * count } else { count };
        rows.extend((0..count).map(|number| row(user, number)));
    }
    rows
}

fn uid(user: usize) -> Value {
    id("u", user, 0).into()
}

fn time(number: usize) -> Value {
    (NOW + i64::try_from(number).unwrap()).into()
}

fn integer(number: usize) -> Value {
    i32::try_from(number).unwrap().into()
}

async fn fill_all(db: &Database) {
    let people = (0..USERS).map(|user| {
        let email = format!("{}@example.com", id("u", user, 0));
        [uid(user), email.into(), "hash".into(), "salt".into(), time(user), time(user)]
    });
    let columns = ["uid", "email", "password", "salt", "created_at", "updated_at"];
    fill(db, "users", columns, people.collect()).await;
    fill_memos(db).await;
    fill_labels(db).await;
    fill_conversations(db).await;
    let columns = ["id", "uid", "name", "push_time", "content_type", "channels", "created_at", "updated_at"];
    let rules = rows(10, |user, n| {
        let id = id("push", user, n).into();
        [id, uid(user), "a rule".into(), integer(n % 24), "daily_pick".into(), "[]".into(), time(n), time(n)]
    });
    fill(db, "push_rules", columns, rules).await;
    let columns = [
        "rule_id",
        "slot",
        "channel_index",
        "uid",
        "state",
        "claim",
        "lease_until",
        "attempts",
        "created_at",
        "updated_at",
    ];
    let deliveries = rows(200, |user, n| {
        let (rule, slot) = (id("push", user, n % 10).into(), format!("2026-03-05T{:02}", n / 10).into());
        let state = if n % 10 == 0 { "pending" } else { "sent" };
        let claim = format!("claim {n}").into();
        [rule, slot, integer(0), uid(user), state.into(), claim, time(n), integer(1), time(100 * n), time(n)]
    });
    fill(db, "push_deliveries", columns, deliveries).await;
    let slots = (0..200).map(|n| [format!("2026-03-05T{:02}", n + 8).into(), time(n), time(n)]);
    fill(db, "push_slots", ["slot", "scheduled_at", "finished_at"], slots.collect()).await;
    let columns = ["recommendation_id", "uid", "date", "memo_ids", "created_at"];
    let choices = rows(20, |user, n| [id("rec", user, n).into(), uid(user), date(n).into(), "[]".into(), time(n)]);
    fill(db, "daily_recommendations", columns, choices).await;
}

/// Memos, each with one of three common and one of many rare tags, and with a relation to another one.
async fn fill_memos(db: &Database) {
    let columns = ["memo_id", "uid", "category_id", "content", "is_public", "created_at", "updated_at"];
    let memos = rows(50, |user, n| {
        let category = (n % 3 > 0).then(|| id("c", user, n % 5));
        let content = format!("a memo of some length, number {n}; ").repeat(5);
        let public = integer(usize::from(n % 7 == 0));
        let changed = time(n * 7919 % 1009);
        [id("m", user, n).into(), uid(user), category.into(), content.into(), public, time(n), changed]
    });
    fill(db, "memos", columns, memos).await;
    let columns = ["memo_id", "tag_id", "uid", "position", "created_at"];
    for (position, tag) in [(0, common_tag as fn(usize) -> usize), (1, rare_tag)] {
        let carried = rows(50, |user, n| {
            [id("m", user, n).into(), id("t", user, tag(n)).into(), uid(user), integer(position), time(n)]
        });
        fill(db, "memo_tags", columns, carried).await;
    }
    let columns = ["relation_id", "uid", "source_memo_id", "target_memo_id", "created_at"];
    let relations = rows(50, |user, n| {
        let (source, target) = (id("m", user, n), id("m", user, n / 4));
        [id("r", user, n).into(), uid(user), source.into(), target.into(), time(n)]
    });
    fill(db, "memo_relations", columns, relations).await;
    let columns =
        ["attachment_id", "uid", "filename", "type", "size", "storage_type", "path", "created_at", "updated_at"];
    let files = rows(20, |user, n| {
        let id = id("a", user, n);
        let [name, media, store] = ["picture.png", "image/png", "local"].map(Value::from);
        [id.clone().into(), uid(user), name, media, 1_i64.into(), store, id.into(), time(n), time(n)]
    });
    fill(db, "attachments", columns, files).await;
    let columns = ["file_id", "uid", "path", "location", "collect_after"];
    let location = serde_json::to_string(&shared::clients::storage::Location::local()).unwrap();
    let pending = rows(20, |user, n| {
        let id = id("a", user, n);
        [id.clone().into(), uid(user), id.into(), location.as_str().into(), time(n)]
    });
    fill(db, "pending_files", columns, pending).await;
    let columns = ["kind", "entity_id", "uid", "op", "enqueued_at", "attempts", "next_attempt_at"];
    let notes = rows(20, |user, n| {
        let [kind, op] = ["memo", "upsert"].map(Value::from);
        [kind, id("m", user, n).into(), uid(user), op, time(n), integer(0), time(n)]
    });
    fill(db, "vector_outbox", columns, notes).await;
}

fn common_tag(memo: usize) -> usize {
    memo % 3
}

fn rare_tag(memo: usize) -> usize {
    3 + memo % 17
}

/// Categories and tags, all named `name 0`, `name 1` and so on.
async fn fill_labels(db: &Database) {
    for (table, key, prefix, count) in [("categories", "category_id", "c", 5), ("tags", "tag_id", "t", 20)] {
        let labels = rows(count, |user, n| {
            let name = Value::from(format!("name {n}"));
            [id(prefix, user, n).into(), uid(user), name.clone(), name, time(n), time(n)]
        });
        fill(db, table, [key, "uid", "name", "name_key", "created_at", "updated_at"], labels).await;
    }
}

async fn fill_conversations(db: &Database) {
    let columns = ["conversation_id", "uid", "title", "created_at", "updated_at"];
    let conversations =
        rows(5, |user, n| [id("conv", user, n).into(), uid(user), "title".into(), time(n), time(n)]);
    fill(db, "ai_conversations", columns, conversations).await;
    let columns = ["message_id", "conversation_id", "role", "content", "created_at"];
    let messages = rows(30, |user, n| {
        let conversation = id("conv", user, n / 6).into();
        [id("msg", user, n).into(), conversation, "user".into(), "a question".into(), time(n)]
    });
    fill(db, "ai_messages", columns, messages).await;
}
