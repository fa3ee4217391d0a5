//! A small old install with rows in every table, for tests that migrate it many times.

use serde_json::{Value, json};
use testing::Kind;
use vectors::testing::write_table;

use crate::harness::Install;

const TIME: i64 = 1_795_000_000_000;

/// Returns an install with three statements in every table, and without vectors: every memo waits to be
/// embedded. No backup is made of it.
pub async fn small(kind: Kind) -> Install {
    written(kind, "").await.with("MIGRATION_SKIP_BACKUP", "true")
}

/// As [`small`], with a backup, vectors and a cache, which go to another place. One memo has no vector.
pub async fn small_with_vectors(kind: Kind) -> Install {
    let install = written(kind, " embedding:FSL<Float32>[8]").await;
    let cached = json!({"modelHash": "m", "contentHash": "c", "embedding": 1, "createdAt": TIME});
    let columns = columns("modelHash contentHash embedding:FSL<Float32>[8] createdAt");
    write_table(&install.store().await, "embedding_cache", &columns, &[cached]).await;
    let new = install.path("new");
    install.with("LANCEDB_URI", new).with("OPENAI_EMBEDDING_DIMENSIONS", "8")
}

async fn written(kind: Kind, more_of_memos: &str) -> Install {
    let install = Install::empty(kind).await.with("MIGRATION_BATCH_ROWS", "2");
    let store = install.store().await;
    for (table, text, row) in TABLES {
        let text = if table == "memos" { format!("{text}{more_of_memos}") } else { text.to_owned() };
        let rows: Vec<Value> = (0..5).map(|n| row(n, TIME + i64::try_from(n).unwrap())).collect();
        write_table(&store, table, &columns(&text), &rows).await;
    }
    install
}

/// Returns the columns that a text names: texts unless it says otherwise, and times.
fn columns(text: &str) -> Vec<(&str, &str, bool)> {
    let columns = text.split_whitespace().map(|column| {
        let default = if column.ends_with("At") { "Timestamp(ms)" } else { "Utf8" };
        let (name, data_type) = column.split_once(':').unwrap_or((column, default));
        (name, data_type, true)
    });
    columns.collect()
}

/// A table: its name, its columns, and its row of a number and a time.
type Table = (&'static str, &'static str, fn(usize, i64) -> Value);

/// The old tables: texts that databases and encodings are known to spoil, references to what is not there,
/// and nulls beside empty texts.
const TABLES: [Table; 10] = [
    ("users", "uid email phone password salt nickname status:Int32 createdAt updatedAt", |n, time| {
        let email = (n != 2).then(|| format!("user{n}@example.com"));
        json!({
            "uid": format!("u{n}"), "email": email, "password": format!("$2a$10$hash{n}"), "salt": pick(n, &["", "s"]),
            "nickname": "Zoé 🙂", "status": 1, "createdAt": time, "updatedAt": time,
        })
    }),
    (
        "categories",
        "categoryId uid name color createdAt updatedAt",
        // The last two names are one to a person.
        |n, time| {
            json!({
                "categoryId": format!("c{n}"), "uid": format!("u{}", n / 3), "color": "#FF0000",
                "name": pick(n, &["日记", "Work", "Idées", "Home", "HOME "]), "createdAt": time, "updatedAt": time,
            })
        },
    ),
    ("tags", "tagId uid name usageCount:Int32 createdAt updatedAt", |n, time| {
        json!({
            "tagId": format!("t{n}"), "uid": format!("u{}", n % 3), "usageCount": n,
            "name": pick(n, &["Rust", "旅行", "é", "Ok 👍", "x"]), "createdAt": time, "updatedAt": time,
        })
    }),
    (
        "memos",
        "memoId uid categoryId content type source isPublic:Boolean attachments:List<Utf8> tagIds:List<Utf8> \
         createdAt updatedAt",
        |n, time| {
            let long = "长".repeat(5000);
            json!({
                "memoId": format!("m{n}"), "uid": format!("u{}", n % 3), "categoryId": pick(n, &["c0", "c1", "gone", ""]),
                "content": pick(n, &["Café 👩‍👩‍👧 出行", "", "One\nTwo ", &long, "e\u{301} 📚"]), "type": "text",
                "source": (n % 3 != 0).then(|| pick(n, &["https://x.y", ""])), "isPublic": n % 2 == 0,
                "attachments": ["a1", "a0"], "tagIds": ["t2", pick(n, &["t0", "t1", "gone"])],
                "createdAt": time, "updatedAt": time + 500, "embedding": (n != 3).then_some(n),
            })
        },
    ),
    ("memo_relations", "relationId uid sourceMemoId targetMemoId createdAt", |n, time| {
        json!({
            "relationId": format!("r{n}"), "uid": format!("u{}", n % 3), "sourceMemoId": format!("m{n}"),
            "targetMemoId": format!("m{}", n + 2), "createdAt": time,
        })
    }),
    (
        "attachments",
        "attachmentId uid filename type size:Int32 storageType path bucket prefix properties createdAt",
        |n, time| {
            json!({
                "attachmentId": format!("a{n}"), "uid": format!("u{}", n % 3), "filename": format!("照片 {n}.JPG"),
                "type": "image/jpeg", "size": 1000 + n, "storageType": "s3", "path": format!("p/{n}.jpg"), "bucket": "b",
                "prefix": "", "properties": "{\"width\": 640, \"height\": 480}", "createdAt": time,
            })
        },
    ),
    ("ai_conversations", "conversationId uid title createdAt updatedAt", |n, time| {
        json!({
            "conversationId": format!("conv{n}"), "uid": format!("u{}", n % 3), "title": format!("对话 {n} ✈️"),
            "createdAt": time, "updatedAt": time,
        })
    }),
    (
        "ai_messages",
        "messageId conversationId role content sources:List<Struct{memoId:Utf8,content:Utf8,similarity:Float32}> \
         createdAt",
        |n, time| {
            let sources = [json!({"memoId": "m0", "content": "Café", "similarity": 0.5})];
            json!({
                "messageId": format!("msg{n}"), "conversationId": format!("conv{}", n % 3),
                "role": pick(n, &["user", "assistant"]), "content": format!("Answer {n} 🤖"),
                "sources": sources[..n % 2], "createdAt": time,
            })
        },
    ),
    (
        "push_rules",
        "id uid name pushTime:Int32 contentType channels enabled:Int32 createdAt updatedAt",
        |n, time| {
            json!({
                "id": format!("push{n}"), "uid": format!("u{}", n % 3), "name": format!("Daily {n}"), "pushTime": 8 + n,
                "contentType": "daily_pick", "channels": "[{\"type\": \"meow\", \"nickname\": \"陈\"}]", "enabled": 1,
                "createdAt": time, "updatedAt": time,
            })
        },
    ),
    ("daily_recommendations", "recommendationId uid date memoIds:List<Utf8> createdAt", |n, time| {
        json!({
            "recommendationId": format!("rec{n}"), "uid": format!("u{}", n % 3), "date": format!("2026-11-0{}", n + 1),
            "memoIds": ["m0", "m1"], "createdAt": time,
        })
    }),
];

/// Returns one of a few texts, in turn.
fn pick<'a>(n: usize, texts: &[&'a str]) -> &'a str {
    texts[n % texts.len()]
}
