//! What the manifest of the fixture says that a database must hold: written from `contract/migration.md`
//! sections 4 and 5, without the code of the product.

use std::fs;

use serde_json::{Value as Json, json};

use crate::harness::fixture;

/// The manifest.
pub struct Manifest(Json);

impl Manifest {
    /// Reads it.
    pub fn read() -> Self {
        let text = fs::read_to_string(fixture().join("manifest.json")).expect("the manifest");
        Self(serde_json::from_str(&text).expect("the manifest is JSON"))
    }

    /// Returns the e-mails and passwords of those who could log in.
    pub fn logins(&self) -> impl Iterator<Item = (&str, &str)> {
        let logins = self.0["logins"].as_object().expect("logins");
        logins.iter().map(|(email, password)| (email.as_str(), password.as_str().expect("a password")))
    }

    /// Returns the number of rows of an old table.
    pub fn count(&self, table: &str) -> u64 {
        self.0["rowCounts"][table].as_u64().expect("a number")
    }

    /// Returns the rows of an old table.
    pub fn rows(&self, table: &str) -> &[Json] {
        self.0["tables"][table]["rows"].as_array().expect("rows")
    }

    /// Returns the only row of an old table that has a value in a column.
    pub fn find(&self, table: &str, column: &str, value: &str) -> &Json {
        self.rows(table).iter().find(|row| row[column] == value).expect("the row")
    }

    /// Returns each table of the database with its columns and its rows, in the order of the key.
    pub fn database(&self) -> Vec<(&'static str, &'static str, Vec<Json>)> {
        let mapped = TABLES.iter().map(|(table, columns, map)| {
            let mut rows: Vec<Json> = self.rows(table).iter().map(map).collect();
            rows.sort_by_key(|row| row[0].as_str().expect("an id").to_owned());
            (*table, *columns, rows)
        });
        let mut memo_tags = Vec::new();
        for memo in self.rows("memos") {
            for (position, tag) in memo["tagIds"].as_array().into_iter().flatten().enumerate() {
                memo_tags.push(json!([memo["memoId"], tag, memo["uid"], position, memo["createdAt"]]));
            }
        }
        let others = [
            ("memo_tags", "memo_id, tag_id, uid, position, created_at", memo_tags),
            ("vector_outbox", "entity_id", Vec::new()),
        ];
        mapped.chain(others).collect()
    }
}

/// A table, its columns, and how an old row becomes one of it.
type Mapped = (&'static str, &'static str, fn(&Json) -> Json);

static TABLES: [Mapped; 10] = [
    ("users", "uid, email, phone, password, salt, nickname, avatar, status, created_at, updated_at", |row| {
        json!([
            row["uid"],
            filled(&row["email"]),
            filled(&row["phone"]),
            row["password"],
            row["salt"],
            filled(&row["nickname"]),
            filled(&row["avatar"]),
            row["status"],
            row["createdAt"],
            row["updatedAt"]
        ])
    }),
    ("categories", "category_id, uid, name, name_key, color, created_at, updated_at", |row| {
        json!([
            row["categoryId"],
            row["uid"],
            row["name"],
            key(&row["name"]),
            filled(&row["color"]),
            row["createdAt"],
            row["updatedAt"]
        ])
    }),
    ("tags", "tag_id, uid, name, name_key, color, usage_count, created_at, updated_at", |row| {
        json!([
            row["tagId"],
            row["uid"],
            row["name"],
            key(&row["name"]),
            filled(&row["color"]),
            row["usageCount"],
            row["createdAt"],
            row["updatedAt"]
        ])
    }),
    (
        "memos",
        "memo_id, uid, category_id, content, type, source, is_public, attachments, created_at, updated_at",
        |row| {
            let memo_type = if filled(&row["type"]).is_null() { json!("text") } else { row["type"].clone() };
            let is_public = i32::from(row["isPublic"] == true);
            json!([
                row["memoId"],
                row["uid"],
                filled(&row["categoryId"]),
                row["content"],
                memo_type,
                row["source"],
                is_public,
                list(&row["attachments"]),
                row["createdAt"],
                row["updatedAt"]
            ])
        },
    ),
    ("memo_relations", "relation_id, uid, source_memo_id, target_memo_id, created_at", |row| {
        json!([row["relationId"], row["uid"], row["sourceMemoId"], row["targetMemoId"], row["createdAt"]])
    }),
    (
        "attachments",
        "attachment_id, uid, filename, type, size, storage_type, path, bucket, prefix, endpoint, region, \
                 is_public_bucket, multimodal_model_hash, properties, created_at, updated_at",
        |row| {
            let properties = if row["properties"] == "{}" { Json::Null } else { filled(&row["properties"]) };
            json!([
                row["attachmentId"],
                row["uid"],
                row["filename"],
                row["type"],
                row["size"],
                row["storageType"],
                row["path"],
                row["bucket"],
                row["prefix"],
                row["endpoint"],
                row["region"],
                row["isPublicBucket"],
                row["multimodalModelHash"],
                properties,
                row["createdAt"],
                row["createdAt"]
            ])
        },
    ),
    ("ai_conversations", "conversation_id, uid, title, created_at, updated_at", |row| {
        json!([row["conversationId"], row["uid"], row["title"], row["createdAt"], row["updatedAt"]])
    }),
    ("ai_messages", "message_id, conversation_id, role, content, sources, created_at", |row| {
        let sources = sources(row);
        let sources = if sources == json!([]) { Json::Null } else { sources.to_string().into() };
        json!([row["messageId"], row["conversationId"], row["role"], row["content"], sources, row["createdAt"]])
    }),
    ("push_rules", "id, uid, name, push_time, content_type, channels, enabled, created_at, updated_at", |row| {
        let channels = if row["channels"].is_null() { json!("[]") } else { row["channels"].clone() };
        json!([
            row["id"],
            row["uid"],
            row["name"],
            row["pushTime"],
            row["contentType"],
            channels,
            row["enabled"],
            row["createdAt"],
            row["updatedAt"]
        ])
    }),
    ("daily_recommendations", "recommendation_id, uid, date, memo_ids, created_at", |row| {
        json!([row["recommendationId"], row["uid"], row["date"], row["memoIds"].to_string(), row["createdAt"]])
    }),
];

/// Returns a text; an empty one is NULL.
fn filled(text: &Json) -> Json {
    if text == "" { Json::Null } else { text.clone() }
}

/// Returns what a name is compared by.
fn key(name: &Json) -> String {
    name.as_str().expect("a name").trim().to_lowercase()
}

/// Returns a list as JSON text; an empty one is NULL.
fn list(list: &Json) -> Json {
    match list.as_array() {
        Some(items) if !items.is_empty() => list.to_string().into(),
        _ => Json::Null,
    }
}

/// Returns the sources of a message: without members that are null or no number.
pub fn sources(message: &Json) -> Json {
    let sources = message["sources"].as_array().into_iter().flatten();
    let sources = sources.map(|source| {
        let mut members = source.as_object().expect("an object").clone();
        members.retain(|name, value| !(value.is_null() || name == "similarity" && value.is_string()));
        Json::Object(members)
    });
    sources.collect()
}
