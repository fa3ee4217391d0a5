//! An old install of any size, as people leave it: mostly memos and messages.

use std::path::Path;

use serde_json::{Value, json};
use vectors::{
    Store, StoreOptions,
    testing::{Columns, write_many},
};

/// Milliseconds of the first row; each later one is a second younger.
const START: u64 = 1_700_000_000_000;

/// What each table has of a thousand rows.
const PER_MILLE: [(&str, usize); 10] = [
    ("users", 2),
    ("categories", 8),
    ("tags", 10),
    ("memos", 500),
    ("memo_relations", 100),
    ("attachments", 80),
    ("ai_conversations", 40),
    ("ai_messages", 205),
    ("push_rules", 5),
    ("daily_recommendations", 50),
];

const TEXT: &str =
    "今天读了《三体》的第一章，想起小时候在院子里看星星的夜晚。The quick brown fox jumps over the lazy dog. 🦀🌟 ";

/// Writes an install.
///
/// # Errors
/// The store cannot be opened.
pub async fn write(directory: &Path, rows: usize, dimensions: usize) -> Result<(), String> {
    let options = StoreOptions { uri: directory.display().to_string(), ..StoreOptions::default() };
    let store = Store::open_or_create(&options).await.map_err(|error| error.to_string())?;
    let vector = format!("FSL<Float32>[{dimensions}]");
    let count = |table: &str| {
        let share = PER_MILLE.iter().find(|(name, _)| *name == table).map_or(0, |(_, share)| *share);
        (rows * share / 1000).max(1)
    };
    let (users, categories, tags, memos) = (count("users"), count("categories"), count("tags"), count("memos"));
    let conversations = count("ai_conversations");
    let uid = move |number: usize| id('u', number % users);
    for (table, _) in PER_MILLE {
        let columns: Vec<(&str, &str, bool)> = columns(table, &vector);
        let row = |number: usize| -> Value {
            let time = START + 1000 * number as u64;
            let mut row = match table {
                "users" => json!({"uid": uid(number), "email": format!("user{number}@example.com"),
                    "password": "$2b$10$av4U4/BtWog2537GZyoovuAjbrGT89SNgDa0bjNfHyjliu86Om/7K", "salt": "", "status": 1}),
                "categories" => {
                    json!({"categoryId": id('c', number), "uid": uid(number), "name": format!("分类 {number}")})
                }
                "tags" => {
                    json!({"tagId": id('t', number), "uid": uid(number), "name": format!("tag {number}"), "usageCount": 50})
                }
                "memos" => json!({"memoId": id('m', number), "uid": uid(number),
                    "categoryId": (number.is_multiple_of(2)).then(|| id('c', number % categories)),
                    "content": TEXT.repeat(1 + number % 5), "type": "text", "isPublic": number.is_multiple_of(50),
                    "tagIds": (0..number % 4).map(|place| id('t', (number + place) % tags)).collect::<Vec<_>>(),
                    "embedding": number}),
                "memo_relations" => json!({"relationId": id('r', number), "uid": uid(number),
                    "sourceMemoId": id('m', number % memos), "targetMemoId": id('m', (number + 1) % memos)}),
                "attachments" => {
                    json!({"attachmentId": id('a', number), "uid": uid(number), "filename": "照片.png",
                    "type": "image/png", "size": 123_456, "storageType": "local", "path": format!("x/{number}.png"),
                    "properties": r#"{"width":640,"height":480}"#})
                }
                "ai_conversations" => {
                    json!({"conversationId": id('v', number), "uid": uid(number), "title": "新对话"})
                }
                "ai_messages" => {
                    json!({"messageId": id('s', number), "conversationId": id('v', number % conversations),
                    "role": if number.is_multiple_of(2) { "user" } else { "assistant" }, "content": TEXT.repeat(2),
                    "sources": (!number.is_multiple_of(2)).then(|| json!([{"memoId": id('m', number % memos), "content": TEXT, "similarity": 0.75}]))})
                }
                "push_rules" => {
                    json!({"id": id('p', number), "uid": uid(number), "name": "早上", "pushTime": number % 24,
                    "contentType": "daily_pick", "channels": "[]", "enabled": 1})
                }
                _ => json!({"recommendationId": id('d', number), "uid": uid(number),
                    "date": format!("{:04}-{:02}-{:02}", 1000 + number / 336, 1 + number / 28 % 12, 1 + number % 28),
                    "memoIds": [id('m', number % memos)]}),
            };
            row["createdAt"] = time.into();
            row["updatedAt"] = time.into();
            row
        };
        write_many(&store, table, &columns, count(table), row).await;
    }
    Ok(())
}

fn id(kind: char, number: usize) -> String {
    format!("{kind}{number:023}")
}

fn columns<'a>(table: &str, vector: &'a str) -> Vec<(&'a str, &'a str, bool)> {
    const TIME: &str = "Timestamp(ms)";
    let own: Columns<'a> = match table {
        "users" => &[
            ("uid", "Utf8", false),
            ("email", "Utf8", true),
            ("phone", "Utf8", true),
            ("password", "Utf8", false),
            ("salt", "Utf8", false),
            ("nickname", "Utf8", true),
            ("avatar", "Utf8", true),
            ("status", "Int32", false),
        ],
        "categories" => &[
            ("categoryId", "Utf8", false),
            ("uid", "Utf8", false),
            ("name", "Utf8", false),
            ("color", "Utf8", true),
        ],
        "tags" => &[
            ("tagId", "Utf8", false),
            ("uid", "Utf8", false),
            ("name", "Utf8", false),
            ("color", "Utf8", true),
            ("usageCount", "Int32", false),
        ],
        "memos" => &[
            ("memoId", "Utf8", false),
            ("uid", "Utf8", false),
            ("categoryId", "Utf8", true),
            ("content", "Utf8", false),
            ("type", "Utf8", true),
            ("source", "Utf8", true),
            ("attachments", "List<Utf8>", true),
            ("tagIds", "List<Utf8>", true),
            ("isPublic", "Boolean", true),
        ],
        "memo_relations" => &[
            ("relationId", "Utf8", false),
            ("uid", "Utf8", false),
            ("sourceMemoId", "Utf8", false),
            ("targetMemoId", "Utf8", false),
        ],
        "attachments" => &[
            ("attachmentId", "Utf8", false),
            ("uid", "Utf8", false),
            ("filename", "Utf8", false),
            ("type", "Utf8", false),
            ("size", "Int32", false),
            ("storageType", "Utf8", false),
            ("path", "Utf8", false),
            ("properties", "Utf8", true),
        ],
        "ai_conversations" => {
            &[("conversationId", "Utf8", false), ("uid", "Utf8", false), ("title", "Utf8", false)]
        }
        "ai_messages" => &[
            ("messageId", "Utf8", false),
            ("conversationId", "Utf8", false),
            ("role", "Utf8", false),
            ("content", "Utf8", false),
            ("sources", "List<Struct{memoId:Utf8,content:Utf8,similarity:Float32}>", true),
        ],
        "push_rules" => &[
            ("id", "Utf8", false),
            ("uid", "Utf8", false),
            ("name", "Utf8", false),
            ("pushTime", "Int32", false),
            ("contentType", "Utf8", false),
            ("channels", "Utf8", true),
            ("enabled", "Int32", false),
        ],
        _ => &[
            ("recommendationId", "Utf8", false),
            ("uid", "Utf8", false),
            ("date", "Utf8", false),
            ("memoIds", "List<Utf8>", false),
        ],
    };
    let embedding = (table == "memos").then_some(("embedding", vector, false));
    let times = [("createdAt", TIME, false), ("updatedAt", TIME, false)];
    own.iter().copied().chain(embedding).chain(times).collect()
}
