//! Random old installs against a model: a few lines for each table that say what must be in the database,
//! written without a look at the migration's own.
//!
//! The rows repeat ids and keys, refer to what is not there, lack values, and hold whatever text a person or
//! an import can have put there.

use std::collections::{BTreeMap, HashMap};

use migrate::report::TableReport;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Map, Value, json};
use shared::{db::Cell, repositories::tables};
use testing::Kind;
use vectors::testing::write_table;

use crate::harness::{Install, NOW};

/// How many installs.
const SEEDS: u64 = 16;

const TEXTS: [&str; 17] = [
    "",
    " ",
    "a",
    "A ",
    "null",
    "读书笔记",
    "é",
    "e\u{301}",
    "👩‍👩‍👧 出行 ✈️",
    "\u{10ffff}\u{fffd}\u{feff}",
    "a\0b\0",
    "\u{1}\u{7f}\u{85}\u{200b}",
    "line\r\nline\ttab",
    "'; DROP TABLE memos; --",
    "\"quoted\" \\ %_ ${x}",
    " İı ß ǆ",
    "𠮷野家",
];

/// How a column is filled.
#[derive(Clone, Copy)]
enum Fill {
    /// An id `<prefix><number>` out of so many.
    Id(&'static str, usize),
    /// Any text.
    Text,
    /// One of these.
    Of(&'static [&'static str]),
    /// A number from 0 to below this, or -1 where it is optional.
    Number(i64),
    /// A flag.
    Flag,
    /// Ids as [`Fill::Id`] in a list, with nulls among them.
    Ids(&'static str, usize),
    /// Structures with the members of a source.
    Sources,
    /// A time.
    Time,
}

use Fill::{Flag, Id, Ids, Number, Of, Sources, Text, Time};

/// A column: its name, whether a row needs it, and what is in it.
type Column = (&'static str, bool, Fill);

const NEEDED: bool = true;
const OPTIONAL: bool = false;

const USER: Column = ("uid", NEEDED, Id("u", 6));
const CREATED: Column = ("createdAt", OPTIONAL, Time);
const UPDATED: Column = ("updatedAt", OPTIONAL, Time);

/// The old tables.
const OLD: [(&str, &[Column]); 10] = [
    (
        "users",
        &[
            USER,
            ("email", OPTIONAL, Of(&["", "a@x.y", "A@x.y", "b@x.y"])),
            ("phone", OPTIONAL, Text),
            ("password", NEEDED, Text),
            ("salt", OPTIONAL, Text),
            ("nickname", OPTIONAL, Text),
            ("avatar", OPTIONAL, Text),
            ("status", OPTIONAL, Number(3)),
            CREATED,
            UPDATED,
        ],
    ),
    (
        "categories",
        &[
            ("categoryId", NEEDED, Id("c", 12)),
            USER,
            ("name", NEEDED, Text),
            ("color", OPTIONAL, Text),
            CREATED,
            UPDATED,
        ],
    ),
    (
        "tags",
        &[
            ("tagId", NEEDED, Id("t", 12)),
            USER,
            ("name", NEEDED, Text),
            ("color", OPTIONAL, Text),
            ("usageCount", OPTIONAL, Number(9)),
            CREATED,
            UPDATED,
        ],
    ),
    (
        "memos",
        &[
            ("memoId", NEEDED, Id("m", 20)),
            USER,
            ("categoryId", OPTIONAL, Of(&["", "c1", "c2", "c99"])),
            ("content", NEEDED, Text),
            ("type", OPTIONAL, Of(&["", "text", "audio"])),
            ("source", OPTIONAL, Text),
            ("isPublic", OPTIONAL, Flag),
            ("attachments", OPTIONAL, Ids("a", 9)),
            ("tagIds", OPTIONAL, Ids("t", 14)),
            CREATED,
            UPDATED,
        ],
    ),
    (
        "memo_relations",
        &[
            ("relationId", NEEDED, Id("r", 20)),
            USER,
            ("sourceMemoId", NEEDED, Id("m", 3)),
            ("targetMemoId", NEEDED, Id("m", 3)),
            CREATED,
        ],
    ),
    (
        "attachments",
        &[
            ("attachmentId", NEEDED, Id("a", 12)),
            USER,
            ("filename", NEEDED, Text),
            ("type", NEEDED, Text),
            ("size", OPTIONAL, Number(1 << 30)),
            ("storageType", NEEDED, Of(&["local", "s3", "oss"])),
            ("path", NEEDED, Text),
            ("bucket", OPTIONAL, Text),
            ("prefix", OPTIONAL, Text),
            ("endpoint", OPTIONAL, Text),
            ("region", OPTIONAL, Text),
            ("isPublicBucket", OPTIONAL, Of(&["true", "false"])),
            ("multimodalModelHash", OPTIONAL, Of(&["", "ab12"])),
            ("properties", OPTIONAL, Of(&["", "{}", "{ \"width\":1e3 , \"é\": \"📚\"}", "{\"a\":null}"])),
            CREATED,
        ],
    ),
    (
        "ai_conversations",
        &[("conversationId", NEEDED, Id("conv", 9)), USER, ("title", NEEDED, Text), CREATED, UPDATED],
    ),
    (
        "ai_messages",
        &[
            ("messageId", NEEDED, Id("msg", 20)),
            ("conversationId", NEEDED, Id("conv", 12)),
            ("role", NEEDED, Of(&["user", "assistant"])),
            ("content", NEEDED, Text),
            ("sources", OPTIONAL, Sources),
            CREATED,
        ],
    ),
    (
        "push_rules",
        &[
            ("id", NEEDED, Id("p", 9)),
            USER,
            ("name", NEEDED, Text),
            ("pushTime", NEEDED, Number(24)),
            ("contentType", NEEDED, Of(&["daily_pick", "daily_memos"])),
            ("channels", OPTIONAL, Of(&["", "[]", "[ {\"type\":\"feishu\",\"url\":\"https://x.y/\\u00e9\"} ]"])),
            ("enabled", OPTIONAL, Flag),
            CREATED,
            UPDATED,
        ],
    ),
    (
        "daily_recommendations",
        &[
            ("recommendationId", NEEDED, Id("rec", 20)),
            USER,
            ("date", NEEDED, Of(&["2025-01-01", "2025-01-02", "2025-12-31"])),
            ("memoIds", OPTIONAL, Ids("m", 20)),
            CREATED,
        ],
    ),
];

/// An old table as it was generated.
#[derive(Default)]
struct Old {
    columns: Vec<(&'static str, &'static str, bool)>,
    rows: Vec<Map<String, Value>>,
    /// How many units of its times are a second.
    per_second: i64,
}

/// Generates a table: its columns have one of the types that releases have given them, or are missing.
fn generate(columns: &[Column], random: &mut StdRng) -> Old {
    let (time, per_second) = *[
        ("Timestamp(s)", 1),
        ("Timestamp(ms)", 1_000),
        ("Timestamp(us)", 1_000_000),
        ("Timestamp(ns)", 1_000_000_000),
    ]
    .choose(random)
    .unwrap();
    let mut old = Old { per_second, ..Old::default() };
    let mut fills = Vec::new();
    for &(name, needed, fill) in columns {
        if !needed && random.random_bool(0.1) {
            continue;
        }
        let types: &[&str] = match fill {
            Id(..) | Text | Of(_) => &["Utf8", "LargeUtf8"],
            Number(_) => &["Int32", "Int64"],
            Flag => &["Boolean", "Int32"],
            Ids(..) => &["List<Utf8>", "LargeList<Utf8>"],
            Sources => &["List<Struct{memoId:Utf8,content:Utf8,similarity:Float32}>"],
            Time => &[time],
        };
        let data_type = *types.choose(random).unwrap();
        old.columns.push((name, data_type, !needed));
        fills.push((name, data_type, needed, fill));
    }
    let deletes = random.random_bool(0.4);
    if deletes {
        old.columns.push(("deletedAt", "Int64", true));
    }
    for _ in 0..random.random_range(0..40) {
        let mut row = Map::new();
        for &(name, data_type, needed, fill) in &fills {
            let value = if !needed && random.random_bool(0.2) {
                Value::Null
            } else {
                value(fill, data_type, needed, per_second, random)
            };
            row.insert(name.to_owned(), value);
        }
        if deletes {
            row.insert(
                "deletedAt".to_owned(),
                [json!(0), json!(0), Value::Null, json!(1)].choose(random).unwrap().clone(),
            );
        }
        old.rows.push(row);
    }
    old
}

fn value(fill: Fill, data_type: &str, needed: bool, per_second: i64, random: &mut StdRng) -> Value {
    let mut id = |prefix: &str, many: usize| {
        let end = if random.random_bool(0.05) { "\0" } else { "" };
        format!("{prefix}{}{end}", random.random_range(0..many))
    };
    match fill {
        Id(prefix, many) => id(prefix, many).into(),
        Text => (*TEXTS.choose(random).unwrap()).into(),
        Of(texts) => (*texts.choose(random).unwrap()).into(),
        Number(below) => random.random_range(if needed { 0 } else { -1 }..below).into(),
        Flag if data_type == "Boolean" => random.random_bool(0.5).into(),
        Flag => random.random_range(0..2).into(),
        Ids(prefix, many) => {
            let mut ids: Vec<Value> = (0..4).map(|_| id(prefix, many).into()).collect();
            ids[random.random_range(0..4)] = Value::Null;
            ids.truncate(random.random_range(0..=4));
            ids.into()
        }
        Sources => {
            let source = json!({"memoId": "m1", "content": "读\0 📚", "similarity": 0.75});
            let partly = json!({"memoId": "m2", "content": null, "similarity": -1.5});
            let sources =
                [source, Value::Null, partly, json!({"memoId": null, "content": "", "similarity": null})];
            Value::from(&sources[random.random_range(0..2)..random.random_range(2..=4)])
        }
        Time => {
            // Few, so that they are often equal; before the epoch, and in parts of a millisecond.
            let seconds = *[0, -1, 1_600_000_000, 1_600_000_001, 4_000_000_000_i64].choose(random).unwrap();
            (seconds * per_second + random.random_range(0..3) * per_second.min(7)).into()
        }
    }
}

/// A row of an old table, as the model reads it.
struct Row<'a> {
    old: &'a Map<String, Value>,
    per_second: i64,
}

impl Row<'_> {
    fn text(&self, column: &str) -> Option<String> {
        self.old.get(column)?.as_str().map(without_nul)
    }

    fn filled(&self, column: &str) -> Option<String> {
        self.text(column).filter(|text| !text.is_empty())
    }

    fn integer(&self, column: &str) -> Option<i64> {
        let value = self.old.get(column)?;
        value.as_i64().or(value.as_bool().map(i64::from))
    }

    fn time(&self, column: &str) -> Option<i64> {
        let time = i128::from(self.integer(column)?) * 1000;
        Some(i64::try_from(time.div_euclid(i128::from(self.per_second))).unwrap())
    }

    fn texts(&self, column: &str) -> Vec<String> {
        let list = self.old.get(column).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(without_nul).collect()
    }

    fn sources(&self) -> Option<String> {
        let list = self.old.get("sources")?.as_array()?;
        let mut sources: Vec<Map<String, Value>> = list.iter().filter_map(Value::as_object).cloned().collect();
        for source in &mut sources {
            source.retain(|_, member| !member.is_null());
            for member in source.values_mut() {
                if let Value::String(text) = member {
                    *text = without_nul(text);
                }
            }
        }
        (!sources.is_empty()).then(|| serde_json::to_string(&sources).unwrap())
    }

    /// The row that must be stored.
    fn stored(&self, table: &str) -> Vec<Cell> {
        let text = |column| Cell::from(self.text(column));
        let filled = |column| Cell::from(self.filled(column));
        let integer = |column, default| Cell::Integer(self.integer(column).unwrap_or(default));
        let list = |column| serde_json::to_string(&self.texts(column)).unwrap();
        let created = self.time("createdAt").unwrap_or(NOW);
        let (created_at, updated_at) =
            (Cell::Integer(created), Cell::Integer(self.time("updatedAt").unwrap_or(created)));
        let key = || Cell::from(self.text("name").unwrap().trim().to_lowercase());
        let or = |cell: Cell, default: &str| if cell == Cell::Null { default.into() } else { cell };
        match table {
            "users" => vec![
                text("uid"),
                filled("email"),
                filled("phone"),
                text("password"),
                or(text("salt"), ""),
                filled("nickname"),
                filled("avatar"),
                integer("status", 1),
                created_at,
                updated_at,
            ],
            "categories" => {
                vec![text("categoryId"), text("uid"), text("name"), key(), filled("color"), created_at, updated_at]
            }
            "tags" => vec![
                text("tagId"),
                text("uid"),
                text("name"),
                key(),
                filled("color"),
                Cell::Integer(self.integer("usageCount").unwrap_or(0).max(0)),
                created_at,
                updated_at,
            ],
            "memos" => vec![
                text("memoId"),
                text("uid"),
                filled("categoryId"),
                text("content"),
                or(filled("type"), "text"),
                text("source"),
                integer("isPublic", 0),
                if self.texts("attachments").is_empty() { Cell::Null } else { list("attachments").into() },
                created_at,
                updated_at,
            ],
            "memo_relations" => {
                vec![text("relationId"), text("uid"), text("sourceMemoId"), text("targetMemoId"), created_at]
            }
            "attachments" => vec![
                text("attachmentId"),
                text("uid"),
                text("filename"),
                text("type"),
                integer("size", 0),
                text("storageType"),
                text("path"),
                text("bucket"),
                text("prefix"),
                text("endpoint"),
                text("region"),
                text("isPublicBucket"),
                filled("multimodalModelHash"),
                self.filled("properties").filter(|text| text != "{}").into(),
                created_at.clone(),
                created_at,
            ],
            "ai_conversations" => vec![text("conversationId"), text("uid"), text("title"), created_at, updated_at],
            "ai_messages" => vec![
                text("messageId"),
                text("conversationId"),
                text("role"),
                text("content"),
                self.sources().into(),
                created_at,
            ],
            "push_rules" => vec![
                text("id"),
                text("uid"),
                text("name"),
                integer("pushTime", 0),
                text("contentType"),
                or(filled("channels"), "[]"),
                integer("enabled", 1),
                created_at,
                updated_at,
            ],
            "daily_recommendations" => {
                vec![text("recommendationId"), text("uid"), text("date"), list("memoIds").into(), created_at]
            }
            _ => unreachable!("{table}"),
        }
    }
}

fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}

/// A row that is kept: its position in the old table, and as it must be stored.
type Kept = (usize, Vec<Cell>);

/// Returns the rows in groups that have the same values in some columns, none of which is NULL.
fn groups(rows: &[Kept], places: &[usize]) -> Vec<Vec<Kept>> {
    let mut groups: HashMap<Vec<&Cell>, Vec<Kept>> = HashMap::new();
    for kept in rows {
        let key: Vec<&Cell> = places.iter().map(|place| &kept.1[*place]).collect();
        if !key.contains(&&Cell::Null) {
            groups.entry(key).or_default().push(kept.clone());
        }
    }
    groups.into_values().collect()
}

/// Returns what must be stored of an old table, and how many rows are left out, by reason.
fn model(name: &str, old: &Old) -> (Vec<Kept>, BTreeMap<String, u64>) {
    let table = tables::ALL.into_iter().find(|table| table.name == name).unwrap();
    let place = |column| table.place(column);
    let time = |(_, row): &Kept, column: &str| {
        let column = table.columns.iter().position(|found| found.name == column);
        row[column.unwrap_or_else(|| place("created_at"))].clone()
    };
    let age = |kept: &Kept| (time(kept, "created_at"), kept.1[0].clone());
    let mut live: Vec<Kept> = Vec::new();
    for (position, row) in old.rows.iter().enumerate() {
        let row = Row { old: row, per_second: old.per_second };
        if row.integer("deletedAt").unwrap_or(0) == 0 {
            live.push((position, row.stored(name)));
        }
    }
    let newest = |group: Vec<Kept>| {
        let newness = |kept: &Kept| (time(kept, "updated_at"), time(kept, "created_at"), kept.0);
        group.into_iter().max_by_key(newness).unwrap()
    };
    let mut kept: Vec<Kept> = groups(&live, &[0]).into_iter().map(newest).collect();
    let mut left_out =
        vec![("softDeleted", old.rows.len() - live.len()), ("duplicateId", live.len() - kept.len())];
    let one_each = |kept: &mut Vec<Kept>, places: &[usize], wins: &dyn Fn(Vec<Kept>) -> Kept| {
        let before = kept.len();
        *kept = groups(kept, places).into_iter().map(wins).collect();
        before - kept.len()
    };
    match name {
        "users" | "categories" | "tags" => {
            let unique =
                if name == "users" { vec![place("email")] } else { vec![place("uid"), place("name_key")] };
            for mut group in groups(&kept, &unique) {
                group.sort_by_key(age);
                for (loser, _) in &group[1..] {
                    let (_, row) = kept.iter_mut().find(|(position, _)| position == loser).unwrap();
                    let id = row[0].as_text().unwrap().to_owned();
                    let changed = unique.last().copied().unwrap();
                    row[changed] = match &row[changed] {
                        Cell::Text(key) if name != "users" => format!("{key}#{id}").into(),
                        _ => Cell::Null,
                    };
                }
            }
        }
        "memo_relations" => {
            let oldest = |group: Vec<Kept>| group.into_iter().min_by_key(age).unwrap();
            left_out.push(("duplicateRelation", one_each(&mut kept, &[1, 2, 3], &oldest)));
        }
        "daily_recommendations" => {
            let best = |group: Vec<Kept>| {
                let goodness = |kept: &Kept| (kept.1[3] != Cell::from("[]"), time(kept, "created_at"), kept.0);
                group.into_iter().max_by_key(goodness).unwrap()
            };
            left_out.push(("duplicateDay", one_each(&mut kept, &[1, 2], &best)));
        }
        _ => {}
    }
    let left_out = left_out.into_iter().filter(|(_, rows)| *rows > 0);
    (kept, left_out.map(|(reason, rows)| (reason.to_owned(), rows as u64)).collect())
}

/// Returns the tags of the memos that are kept, and the memos that wait for a vector: all of them.
fn of_memos(kept: &[Kept], old: &Old) -> [(&'static str, Vec<Vec<Cell>>); 2] {
    let (mut tagged, mut waiting) = (Vec::new(), Vec::new());
    for (position, row) in kept {
        let (memo, uid) = (&row[0], &row[1]);
        let created_at = &row[tables::MEMOS.place("created_at")];
        let mut tags: Vec<String> = Vec::new();
        for tag in (Row { old: &old.rows[*position], per_second: old.per_second }).texts("tagIds") {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        for (place, tag) in (0_i64..).zip(tags) {
            tagged.push(vec![memo.clone(), tag.into(), uid.clone(), place.into(), created_at.clone()]);
        }
        let now = Cell::Integer(NOW);
        waiting.push(vec![
            "memo".into(),
            memo.clone(),
            uid.clone(),
            "upsert".into(),
            now.clone(),
            0.into(),
            now,
            Cell::Null,
        ]);
    }
    [("memo_tags", tagged), ("vector_outbox", waiting)]
}

async fn check(name: &str, install: &Install, report: &TableReport, mut expected: Vec<Vec<Cell>>, seed: u64) {
    let table = tables::ALL.into_iter().find(|table| table.name == name).unwrap();
    expected.sort_unstable();
    let stored = install.cells(table).await;
    for (stored, expected) in stored.iter().zip(&expected) {
        assert_eq!(stored, expected, "{name} of seed {seed}");
    }
    assert_eq!(stored.len(), expected.len(), "{name} of seed {seed}");
    assert_eq!(report.inserted, expected.len() as u64, "{name} of seed {seed}");
    assert_eq!(report.source, report.inserted + report.skipped.values().sum::<u64>(), "{name} of seed {seed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_an_old_install_holds_is_migrated_as_the_model_says() {
    let mut left_out = BTreeMap::<String, u64>::new();
    for seed in 0..SEEDS {
        let mut random = StdRng::seed_from_u64(seed);
        let install = Install::empty(Kind::Sqlite).await;
        let install = install.with("MIGRATION_SKIP_BACKUP", "true").with("MIGRATION_BATCH_ROWS", "7");
        let install = install.with("MIGRATION_DUPLICATE_EMAILS", "oldest-keeps");
        let store = install.store().await;
        let mut written = BTreeMap::new();
        for (name, columns) in OLD {
            let mut old = Old { per_second: 1, ..Old::default() };
            // Some installs are older than some tables.
            if random.random_bool(0.95) {
                old = generate(columns, &mut random);
                let rows: Vec<Value> = old.rows.iter().cloned().map(Value::Object).collect();
                let (first, second) = rows.split_at(rows.len() / 2);
                write_table(&store, name, &old.columns, first).await;
                write_table(&store, name, &old.columns, second).await;
            }
            written.insert(name, old);
        }
        let report = install.migrate().await.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        for (name, old) in &written {
            let (kept, skipped) = model(name, old);
            let table = &report.tables[*name];
            assert_eq!(table.source, old.rows.len() as u64, "{name} of seed {seed}");
            assert_eq!(table.skipped, skipped, "{name} of seed {seed}");
            for (reason, rows) in skipped {
                *left_out.entry(reason).or_default() += rows;
            }
            if *name == "memos" {
                for (derived, rows) in of_memos(&kept, old) {
                    check(derived, &install, &report.tables[derived], rows, seed).await;
                }
            }
            check(name, &install, table, kept.into_iter().map(|(_, row)| row).collect(), seed).await;
        }
    }
    let reasons: Vec<&str> = left_out.keys().map(String::as_str).collect();
    assert_eq!(reasons, ["duplicateDay", "duplicateId", "duplicateRelation", "softDeleted"]);
}
