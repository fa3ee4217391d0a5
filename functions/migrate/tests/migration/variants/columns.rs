//! Columns: missing, empty, wider or narrower, in another order, of a finer clock.

use serde_json::{Value as Json, json};
use testing::Kind;

use crate::{
    harness::{Install, NOW},
    old,
};

/// Migrates an install, and returns a table of SQLite whole.
async fn migrated(install: &Install, table: &str) -> Json {
    install.migrate().await.unwrap();
    install.rows(&format!("SELECT * FROM {table}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_are_missing_count_as_null() {
    let install = old::install(Kind::Sqlite).await;
    let tables = [
        ("users", "uid:Utf8 password:Utf8", json!({"uid": "u1", "password": "p"})),
        (
            "categories",
            "categoryId:Utf8 uid:Utf8 name:Utf8",
            json!({"categoryId": "c1", "uid": "u1", "name": "C"}),
        ),
        ("tags", "tagId:Utf8 uid:Utf8 name:Utf8", json!({"tagId": "tag_1", "uid": "u1", "name": "T"})),
        ("memos", "memoId:Utf8 uid:Utf8 content:Utf8", json!({"memoId": "m1", "uid": "u1", "content": ""})),
        (
            "attachments",
            "attachmentId:Utf8 uid:Utf8 filename:Utf8 type:Utf8 url:Utf8",
            json!({"attachmentId": "a1", "uid": "u1", "filename": "f", "type": "t", "url": "https://a.example/f"}),
        ),
        (
            "ai_conversations",
            "conversationId:Utf8 uid:Utf8 title:Utf8",
            json!({"conversationId": "conv1", "uid": "u1", "title": ""}),
        ),
        (
            "ai_messages",
            "messageId:Utf8 conversationId:Utf8 role:Utf8 content:Utf8",
            json!({"messageId": "msg1", "conversationId": "conv1", "role": "user", "content": ""}),
        ),
        (
            "push_rules",
            "id:Utf8 uid:Utf8 name:Utf8 pushTime:Int32 contentType:Utf8",
            json!({"id": "p1", "uid": "u1", "name": "", "pushTime": 0, "contentType": "daily_pick"}),
        ),
        (
            "daily_recommendations",
            "recommendationId:Utf8 uid:Utf8 date:Utf8",
            json!({"recommendationId": "rec1", "uid": "u1", "date": "2026-01-01"}),
        ),
    ];
    for (table, columns, row) in tables {
        install.write(table, columns, &[row]).await;
    }
    let report = install.migrate().await.unwrap();
    let expected = [
        ("users", json!(["u1", null, null, "p", "", null, null, 1, NOW, NOW])),
        ("categories", json!(["c1", "u1", "C", "c", null, NOW, NOW])),
        ("tags", json!(["tag_1", "u1", "T", "t", null, 0, NOW, NOW])),
        ("memos", json!(["m1", "u1", null, "", "text", null, 0, null, NOW, NOW])),
        (
            "attachments",
            json!([
                "a1",
                "u1",
                "f",
                "t",
                0,
                "local",
                "https://a.example/f",
                null,
                null,
                null,
                null,
                null,
                null,
                null,
                NOW,
                NOW
            ]),
        ),
        ("ai_conversations", json!(["conv1", "u1", "", NOW, NOW])),
        ("ai_messages", json!(["msg1", "conv1", "user", "", null, NOW])),
        ("push_rules", json!(["p1", "u1", "", 0, "daily_pick", "[]", 1, NOW, NOW])),
        ("daily_recommendations", json!(["rec1", "u1", "2026-01-01", "[]", NOW])),
    ];
    for (table, row) in expected {
        assert_eq!(install.rows(&format!("SELECT * FROM {table}")).await, json!([row]), "{table}");
        assert_eq!(report.tables[table].notes["createdAtMissing"].count, 1, "{table}");
    }
    assert_eq!(report.tables["attachments"].notes["pathFromUrl"].ids, ["a1"]);
    assert_eq!(report.tables["memos"].notes["updatedAtMissing"].ids, ["m1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_the_type_null_count_as_null() {
    let install = old::install(Kind::Sqlite).await;
    let columns = "memoId:Utf8 uid:Utf8 categoryId:Null content:Utf8 type:Null source:Null attachments:Null \
        tagIds:Null tags:Null createdAt:Null updatedAt:Null isPublic:Null deletedAt:Null";
    install.write("memos", columns, &[json!({"memoId": "m1", "uid": "u1", "content": "c"})]).await;
    let users = "uid:Utf8 email:Null phone:Null password:Utf8 salt:Null nickname:Null avatar:Null status:Null \
        createdAt:Timestamp(ms) updatedAt:Timestamp(ms)";
    install.write("users", users, &[json!({"uid": "u1", "password": "p", "createdAt": 1, "updatedAt": 2})]).await;
    let memo = json!(["m1", "u1", null, "c", "text", null, 0, null, NOW, NOW]);
    assert_eq!(migrated(&install, "memos").await, json!([memo]));
    let user = json!(["u1", null, null, "p", "", null, null, 1, 1, 2]);
    assert_eq!(install.rows("SELECT * FROM users").await, json!([user]));
    assert_eq!(install.rows("SELECT * FROM memo_tags").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_column_and_another_order_change_nothing() {
    let install = old::install(Kind::Sqlite).await;
    let columns = "updatedAt:Timestamp(us) isPublic:Boolean id:Int32 content:Utf8 uid:Utf8 createdAt:Timestamp(us) \
        memoId:Utf8";
    let row = json!({
        "id": 7, "memoId": "m1", "uid": "u1", "content": "c", "isPublic": true, "createdAt": 1000, "updatedAt": 2000,
    });
    install.write("memos", columns, &[row]).await;
    let memo = json!(["m1", "u1", null, "c", "text", null, 1, null, 1, 2]);
    assert_eq!(migrated(&install, "memos").await, json!([memo]));
}

#[tokio::test(flavor = "multi_thread")]
async fn integers_of_every_width_are_read() {
    let install = old::install(Kind::Sqlite).await;
    let wide = |columns: &str, from: &str, to: &str| columns.replace(from, to);
    install.write("users", &wide(old::USERS, "status:Int32", "status:Int8"), &[old::user("u1", json!({}))]).await;
    let attachments = wide(old::ATTACHMENTS, "size:Int32", "size:Int64");
    install.write("attachments", &attachments, &[old::attachment("a1", json!({"size": 1_i64 << 40}))]).await;
    let tags = wide(old::TAGS, "usageCount:Int32", "usageCount:UInt16");
    install.write("tags", &tags, &[old::tag("t1", json!({"usageCount": 65_535}))]).await;
    let rules = wide(old::PUSH_RULES, "pushTime:Int32", "pushTime:UInt8");
    let rules = wide(&rules, "enabled:Int32", "enabled:Boolean");
    let rule = |id, enabled| old::push_rule(id, json!({"pushTime": 23, "enabled": enabled}));
    let enabled = [Some(true), Some(false), None];
    let rows: Vec<_> = ["p1", "p2", "p3"].into_iter().zip(enabled).map(|(id, on)| rule(id, on)).collect();
    install.write("push_rules", &rules, &rows).await;
    let memos = format!("{} deletedAt:UInt64", wide(old::MEMOS, "isPublic:Boolean", "isPublic:Int16"));
    let memo = |id, public: i64, deleted: i64| old::memo(id, json!({"isPublic": public, "deletedAt": deleted}));
    install.write("memos", &memos, &[memo("m1", 1, 0), memo("m2", 0, 0), memo("m3", 1, 1_700_000_000_000)]).await;

    assert_eq!(migrated(&install, "memos").await.as_array().unwrap().len(), 2);
    assert_eq!(
        install.rows("SELECT memo_id, is_public FROM memos ORDER BY memo_id").await,
        json!([["m1", 1], ["m2", 0]])
    );
    assert_eq!(install.rows("SELECT status FROM users").await, json!([[1]]));
    assert_eq!(install.rows("SELECT size FROM attachments").await, json!([[1_i64 << 40]]));
    assert_eq!(install.rows("SELECT usage_count FROM tags").await, json!([[65_535]]));
    let rules = json!([["p1", 23, 1], ["p2", 23, 0], ["p3", 23, 1]]);
    assert_eq!(install.rows("SELECT id, push_time, enabled FROM push_rules ORDER BY id").await, rules);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_every_unit_become_milliseconds_rounded_down() {
    let install = old::install(Kind::Sqlite).await;
    let unit = |columns: &str, unit: &str| columns.replace("Timestamp(ms)", unit);
    let times = |created: i64, updated: i64| json!({"createdAt": created, "updatedAt": updated});
    let categories = [old::category("c1", times(1_700_000_000, -1))];
    install.write("categories", &unit(old::CATEGORIES, "Timestamp(s)"), &categories).await;
    let tags = [old::tag("t1", times(1999, -1)), old::tag("t2", times(-1000, -1001))];
    install.write("tags", &unit(old::TAGS, "Timestamp(us)"), &tags).await;
    let memos = [old::memo("m1", times(1_999_999, -1)), old::memo("m2", times(-1_000_000, -1_000_001))];
    install.write("memos", &unit(old::MEMOS, "Timestamp(ns)"), &memos).await;
    let conversations = [old::conversation("conv1", times(-5, 7))];
    install.write("ai_conversations", &unit(old::CONVERSATIONS, "Int64"), &conversations).await;

    let times = async |table: &str| {
        install.rows(&format!("SELECT created_at, updated_at FROM {table} ORDER BY 1 DESC")).await
    };
    install.migrate().await.unwrap();
    assert_eq!(times("categories").await, json!([[1_700_000_000_000_i64, -1000]]));
    assert_eq!(times("tags").await, json!([[1, -1], [-1, -2]]));
    assert_eq!(times("memos").await, json!([[1, -1], [-1, -2]]));
    assert_eq!(times("ai_conversations").await, json!([[-5, 7]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_and_lists_of_every_encoding_are_read() {
    let install = old::install(Kind::Sqlite).await;
    let large = |columns: &str| columns.replace("List<", "LargeList<").replace("Utf8", "LargeUtf8");
    let memo = old::memo("m1", json!({"content": "长 😀", "attachments": ["a1"], "tagIds": ["t1", "t2"]}));
    install.write("memos", &large(old::MEMOS), &[memo]).await;
    let source = json!([{"memoId": "m1", "content": "来源", "similarity": 0.5}]);
    install.write("ai_messages", &large(old::MESSAGES), &[old::message("msg1", json!({"sources": source}))]).await;
    install
        .write("daily_recommendations", &large(old::RECOMMENDATIONS), &[old::recommendation("rec1", json!({}))])
        .await;
    install.migrate().await.unwrap();
    assert_eq!(install.rows("SELECT content, attachments FROM memos").await, json!([["长 😀", "[\"a1\"]"]]));
    assert_eq!(install.rows("SELECT tag_id FROM memo_tags ORDER BY position").await, json!([["t1"], ["t2"]]));
    assert_eq!(install.rows("SELECT sources FROM ai_messages").await, json!([[source.to_string()]]));
    assert_eq!(install.rows("SELECT memo_ids FROM daily_recommendations").await, json!([["[\"m1\"]"]]));
}
