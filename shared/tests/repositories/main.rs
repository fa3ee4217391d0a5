//! The repositories on SQLite, PostgreSQL and MariaDB: one module per table, one for the pages of
//! memos, and one for the transactions that statements run in (`contract/requirements.md`, US-004 to
//! US-006).

mod ai_conversations;
mod ai_messages;
mod attachments;
mod categories;
mod daily_recommendations;
mod memo_pages;
mod memo_relations;
mod memo_tags;
mod memos;
mod pending_files;
mod push_deliveries;
mod push_rules;
mod tags;
mod transactions;
mod users;
mod vector_outbox;

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use sea_query::{Expr, ExprTrait, Query, Value};
use shared::{
    clock::Millis,
    db::{Database, Error, Executor},
    ids::{SystemRandom, Uid},
};
use testing::{Kind, shared_database};

/// When the rows of these tests are written, unless a test says otherwise.
const NOW: Millis = 1_790_000_000_000;

/// How many ids a batch has: none, one, more than a page, and more than one `IN` list holds.
const BATCHES: [usize; 4] = [0, 1, 1001, 5000];

/// How many of the ids of the longest batches exist.
const KNOWN: usize = 1001;

/// Times that a column of milliseconds must hold: the epoch, before it, and the ends of 64 bits.
const TIMES: [Millis; 6] = [0, -1, -62_135_596_800_000, 253_402_300_799_999, i64::MAX, i64::MIN];

/// Texts that must come back as they went in.
const TEXTS: [&str; 8] = [
    "😀 👩‍👩‍👧‍👦 𝕏 Ünï 读书",
    r#"'single' "double" `back` \ \\ \' \" \0 \n"#,
    "100% of_it; DROP TABLE memos; -- $1 ? :a @b {} /* */",
    "trailing   ",
    "  leading",
    "line\nline\r\nline\ttab",
    "e\u{301} is not é",
    "",
];

/// Opens the database of this process, and makes up two users whom no other test knows.
async fn open(kind: Kind) -> (Database, Uid, Uid) {
    let database = Database::open(&shared_database(kind).await).unwrap();
    (database, Uid::new(&SystemRandom), Uid::new(&SystemRandom))
}

/// Returns a batch: `size` ids in a random order, the known ones first when there are not enough of
/// them, and the rest unknown.
fn batch<T: Clone + From<String>>(known: &[T], size: usize) -> Vec<T> {
    let unknown = (0..).map(|number| T::from(format!("unknown-{number}")));
    let mut ids: Vec<T> = known.iter().cloned().chain(unknown).take(size).collect();
    ids.shuffle(&mut StdRng::seed_from_u64(size as u64));
    ids
}

/// Returns those of some ids that are known, in their order: what a look-up in the order asked gives.
fn only_known<T: Clone + PartialEq>(ids: &[T], known: &[T]) -> Vec<T> {
    ids.iter().filter(|id| known.contains(id)).cloned().collect()
}

/// Writes a value into a row behind the back of its repository.
async fn overwrite(
    db: &Executor,
    (table, column): (&'static str, &'static str),
    (key, id): (&'static str, &str),
    value: impl Into<Value>,
) {
    let update =
        Query::update().table(table).value(column, value.into()).and_where(Expr::col(key).eq(id)).to_owned();
    assert_eq!(db.execute("test.overwrite", &update).await.unwrap(), 1);
}

/// Asserts that an error names the corrupt value, for whoever must repair it.
fn assert_corrupt<T>(outcome: Result<T, Error>, value: &str) {
    match outcome {
        Err(error @ Error::Corrupt { .. }) => assert_eq!(error.to_string(), format!("{value} is corrupt")),
        Err(other) => panic!("another error: {other:?}"),
        Ok(_) => panic!("{value} was read"),
    }
}
