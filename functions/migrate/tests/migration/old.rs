//! Rows of an old install, as the last release left them but for the vectors: tests vary them.

use serde_json::{Value as Json, json};
use testing::Kind;

use crate::harness::Install;

/// The columns of `users`.
pub const USERS: &str = "uid:Utf8 email:Utf8 phone:Utf8 password:Utf8 salt:Utf8 nickname:Utf8 avatar:Utf8 \
    status:Int32 createdAt:Timestamp(ms) updatedAt:Timestamp(ms)";
/// The columns of `categories`.
pub const CATEGORIES: &str =
    "categoryId:Utf8 uid:Utf8 name:Utf8 color:Utf8 createdAt:Timestamp(ms) updatedAt:Timestamp(ms)";
/// The columns of `tags`.
pub const TAGS: &str = "tagId:Utf8 uid:Utf8 name:Utf8 color:Utf8 usageCount:Int32 createdAt:Timestamp(ms) \
    updatedAt:Timestamp(ms)";
/// The columns of `memos`, without the vector.
pub const MEMOS: &str = "memoId:Utf8 uid:Utf8 categoryId:Utf8 content:Utf8 type:Utf8 source:Utf8 \
    attachments:List<Utf8> tagIds:List<Utf8> createdAt:Timestamp(ms) updatedAt:Timestamp(ms) isPublic:Boolean";
/// The columns of `memo_relations`.
pub const RELATIONS: &str = "relationId:Utf8 uid:Utf8 sourceMemoId:Utf8 targetMemoId:Utf8 createdAt:Timestamp(ms)";
/// The columns of `attachments`, without the vector.
pub const ATTACHMENTS: &str = "attachmentId:Utf8 uid:Utf8 filename:Utf8 type:Utf8 size:Int32 storageType:Utf8 \
    path:Utf8 bucket:Utf8 prefix:Utf8 endpoint:Utf8 region:Utf8 isPublicBucket:Utf8 multimodalModelHash:Utf8 \
    properties:Utf8 createdAt:Timestamp(ms)";
/// The columns of `ai_conversations`.
pub const CONVERSATIONS: &str =
    "conversationId:Utf8 uid:Utf8 title:Utf8 createdAt:Timestamp(ms) updatedAt:Timestamp(ms)";
/// The columns of `ai_messages`.
pub const MESSAGES: &str = "messageId:Utf8 conversationId:Utf8 role:Utf8 content:Utf8 \
    sources:List<Struct{memoId:Utf8,content:Utf8,similarity:Float32}> createdAt:Timestamp(ms)";
/// The columns of `push_rules`.
pub const PUSH_RULES: &str = "id:Utf8 uid:Utf8 name:Utf8 pushTime:Int32 contentType:Utf8 channels:Utf8 \
    enabled:Int32 createdAt:Timestamp(ms) updatedAt:Timestamp(ms)";
/// The columns of `daily_recommendations`.
pub const RECOMMENDATIONS: &str =
    "recommendationId:Utf8 uid:Utf8 date:Utf8 memoIds:List<Utf8> createdAt:Timestamp(ms)";
/// The columns of `table_migrations`.
pub const VERSIONS: &str = "tableName:Utf8 currentVersion:Int32 lastMigratedAt:Timestamp(ms)";

/// Returns an install without any table that is migrated without a backup.
pub async fn install(kind: Kind) -> Install {
    Install::empty(kind).await.with("MIGRATION_SKIP_BACKUP", "true")
}

/// Returns a row with some members replaced, added, or (`null`) emptied.
fn row(mut usual: Json, differences: Json) -> Json {
    let (Json::Object(members), Json::Object(differences)) = (&mut usual, differences) else {
        panic!("rows are objects")
    };
    members.extend(differences);
    usual
}

pub fn user(uid: &str, differences: Json) -> Json {
    let usual =
        json!({"uid": uid, "password": "hash", "salt": "salt", "status": 1, "createdAt": 1, "updatedAt": 2});
    row(usual, differences)
}

pub fn category(id: &str, differences: Json) -> Json {
    row(json!({"categoryId": id, "uid": "u1", "name": id, "createdAt": 1, "updatedAt": 2}), differences)
}

pub fn tag(id: &str, differences: Json) -> Json {
    let usual = json!({"tagId": id, "uid": "u1", "name": id, "usageCount": 0, "createdAt": 1, "updatedAt": 2});
    row(usual, differences)
}

pub fn memo(id: &str, differences: Json) -> Json {
    let usual = json!({
        "memoId": id, "uid": "u1", "content": "记", "type": "text", "isPublic": false, "createdAt": 1, "updatedAt": 2,
    });
    row(usual, differences)
}

pub fn relation(id: &str, differences: Json) -> Json {
    let usual = json!({"relationId": id, "uid": "u1", "sourceMemoId": "m1", "targetMemoId": "m2", "createdAt": 1});
    row(usual, differences)
}

pub fn attachment(id: &str, differences: Json) -> Json {
    let usual = json!({
        "attachmentId": id, "uid": "u1", "filename": "a.png", "type": "image/png", "size": 1, "storageType": "local",
        "path": "u1/2026-01-01/a.png", "createdAt": 1,
    });
    row(usual, differences)
}

pub fn conversation(id: &str, differences: Json) -> Json {
    row(json!({"conversationId": id, "uid": "u1", "title": "新对话", "createdAt": 1, "updatedAt": 2}), differences)
}

pub fn message(id: &str, differences: Json) -> Json {
    let usual =
        json!({"messageId": id, "conversationId": "conv1", "role": "user", "content": "?", "createdAt": 1});
    row(usual, differences)
}

pub fn push_rule(id: &str, differences: Json) -> Json {
    let usual = json!({
        "id": id, "uid": "u1", "name": "早报", "pushTime": 8, "contentType": "daily_pick", "channels": "[]",
        "enabled": 1, "createdAt": 1, "updatedAt": 2,
    });
    row(usual, differences)
}

pub fn recommendation(id: &str, differences: Json) -> Json {
    let usual =
        json!({"recommendationId": id, "uid": "u1", "date": "2026-01-01", "memoIds": ["m1"], "createdAt": 1});
    row(usual, differences)
}
