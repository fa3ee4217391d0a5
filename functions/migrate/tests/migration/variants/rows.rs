//! Rows that refer to nothing, were deleted, or have odd values that are kept.

use serde_json::json;
use testing::{Kind, on_every_database};

use crate::old;

on_every_database!(messages_whose_order_is_unknown_are_counted,);

async fn messages_whose_order_is_unknown_are_counted(kind: Kind) {
    let install = old::install(kind).await;
    let message = |id, conversation: &str, created: i64| {
        old::message(id, json!({"conversationId": conversation, "createdAt": created}))
    };
    let messages = [
        message("msg1", "conv1", 5),
        message("msg2", "conv1", 5),
        message("msg3", "conv1", 5),
        message("msg4", "conv1", 6),
        message("msg5", "conv2", 5),
    ];
    install.write("ai_messages", old::MESSAGES, &messages).await;
    let report = install.migrate().await.unwrap();
    let expected = "3 messages have the time of another of their conversation: their order is a guess";
    assert!(report.warnings.contains(&expected.to_owned()), "{:?}", report.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_are_kept_and_counted() {
    let install = old::install(Kind::Sqlite).await;
    let gone = json!({"uid": "gone"});
    install.write("users", old::USERS, &[old::user("u1", json!({}))]).await;
    install.write("categories", old::CATEGORIES, &[old::category("c1", gone.clone())]).await;
    install.write("tags", old::TAGS, &[old::tag("t1", gone.clone())]).await;
    let memos = [
        old::memo("m1", json!({"uid": "gone", "categoryId": "gone", "tagIds": ["gone", "t1", "lost"]})),
        old::memo("m2", json!({"categoryId": "", "attachments": ["a1", "gone", "lost"]})),
    ];
    install.write("memos", old::MEMOS, &memos).await;
    let relations = [
        old::relation("r1", json!({"sourceMemoId": "gone", "targetMemoId": "lost"})),
        old::relation("r2", json!({"uid": "gone", "targetMemoId": "gone"})),
        old::relation("r3", json!({})),
    ];
    install.write("memo_relations", old::RELATIONS, &relations).await;
    install.write("attachments", old::ATTACHMENTS, &[old::attachment("a1", gone.clone())]).await;
    install.write("ai_conversations", old::CONVERSATIONS, &[old::conversation("conv1", gone.clone())]).await;
    let messages = [old::message("msg1", json!({"conversationId": "gone"})), old::message("msg2", json!({}))];
    install.write("ai_messages", old::MESSAGES, &messages).await;
    install.write("push_rules", old::PUSH_RULES, &[old::push_rule("p1", gone.clone())]).await;
    install.write("daily_recommendations", old::RECOMMENDATIONS, &[old::recommendation("rec1", gone)]).await;

    let report = install.migrate().await.unwrap();
    let orphans = [
        ("users", json!({}), 1),
        ("categories", json!({"uid": 1}), 1),
        ("tags", json!({"uid": 1}), 1),
        ("memos", json!({"uid": 1, "category_id": 1, "attachments": 2}), 2),
        ("memo_tags", json!({"tag_id": 2}), 3),
        ("memo_relations", json!({"uid": 1, "source_memo_id": 1, "target_memo_id": 2}), 3),
        ("attachments", json!({"uid": 1}), 1),
        ("ai_conversations", json!({"uid": 1}), 1),
        ("ai_messages", json!({"conversation_id": 1}), 2),
        ("push_rules", json!({"uid": 1}), 1),
        ("daily_recommendations", json!({"uid": 1}), 1),
    ];
    for (table, expected, rows) in orphans {
        let found = &report.tables[table];
        assert_eq!((json!(found.orphans), found.inserted), (expected, rows), "{table}");
        assert_eq!(install.rows(&format!("SELECT COUNT(*) FROM {table}")).await, json!([[rows]]), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_rows_are_left_out_and_counted() {
    let install = old::install(Kind::Sqlite).await;
    let with_mark = |columns: &str| format!("{columns} deletedAt:Int64");
    let at = |deleted: Option<i64>| json!({"deletedAt": deleted});
    let memos = [
        old::memo("m1", at(Some(0))),
        old::memo("m2", at(None)),
        old::memo("m3", json!({"deletedAt": 1_700_000_000_000_i64, "tagIds": ["t1"]})),
        // What is wrong with a deleted row is in nobody's way.
        old::memo("m4", json!({"deletedAt": 1, "content": null})),
    ];
    install.write("memos", &with_mark(old::MEMOS), &memos).await;
    install.write("tags", &with_mark(old::TAGS), &[old::tag("t1", at(Some(1)))]).await;
    let users = [
        old::user("u1", json!({"deletedAt": 1, "email": "a@example.com"})),
        old::user("u2", json!({"email": "a@example.com"})),
    ];
    install.write("users", &with_mark(old::USERS), &users).await;

    let report = install.migrate().await.unwrap();
    assert_eq!(install.rows("SELECT memo_id FROM memos ORDER BY memo_id").await, json!([["m1"], ["m2"]]));
    assert_eq!(install.rows("SELECT uid, email FROM users").await, json!([["u2", "a@example.com"]]));
    assert_eq!(install.rows("SELECT COUNT(*) FROM memo_tags").await, json!([[0]]));
    for (table, source, deleted) in [("memos", 4, 2), ("tags", 1, 1), ("users", 2, 1)] {
        let found = &report.tables[table];
        assert_eq!((found.source, found.skipped["softDeleted"]), (source, deleted), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_values_become_what_the_product_expects() {
    let install = old::install(Kind::Sqlite).await;
    let empty = json!({"email": "", "phone": "", "salt": null, "nickname": "", "avatar": "", "status": null});
    install.write("users", old::USERS, &[old::user("u1", empty), old::user("u2", json!({"status": 0}))]).await;
    install.write("categories", old::CATEGORIES, &[old::category("c1", json!({"color": ""}))]).await;
    let tags = [old::tag("t1", json!({"usageCount": -3, "color": ""})), old::tag("t2", json!({"usageCount": 3}))];
    install.write("tags", old::TAGS, &tags).await;
    let memos = [
        old::memo("m1", json!({"type": "", "isPublic": true, "source": ""})),
        old::memo("m2", json!({"type": null, "isPublic": null, "createdAt": 5, "updatedAt": null})),
        old::memo("m3", json!({"type": "video", "createdAt": null, "updatedAt": 7})),
    ];
    install.write("memos", old::MEMOS, &memos).await;
    let attachment =
        |id, properties: Option<&str>| old::attachment(id, json!({"properties": properties, "size": null}));
    let attachments = [
        attachment("a1", Some("")),
        attachment("a2", Some("{}")),
        attachment("a3", None),
        attachment("a4", Some(r#"{ "width" : 1.50, "alt":"\u00e9", "width": 2 }"#)),
    ];
    install.write("attachments", old::ATTACHMENTS, &attachments).await;
    let rules = [
        old::push_rule("p1", json!({"channels": null, "enabled": null})),
        old::push_rule("p2", json!({"channels": "", "enabled": 0})),
        old::push_rule("p3", json!({"channels": r#"[ {"type": "meow", "other": 1.0} ]"#})),
    ];
    install.write("push_rules", old::PUSH_RULES, &rules).await;

    let report = install.migrate().await.unwrap();
    let users = json!([["u1", null, null, "", null, null, 1], ["u2", null, null, "salt", null, null, 0]]);
    let sql = "SELECT uid, email, phone, salt, nickname, avatar, status FROM users ORDER BY uid";
    assert_eq!(install.rows(sql).await, users);
    assert_eq!(install.rows("SELECT color FROM categories").await, json!([[null]]));
    assert_eq!(
        install.rows("SELECT usage_count, color FROM tags ORDER BY tag_id").await,
        json!([[0, null], [3, null]])
    );
    assert!(report.warnings.iter().any(|warning| warning.starts_with("1 tags have another usageCount")));
    let memos =
        json!([["text", 1, "", 1, 2], ["text", 0, null, 5, 5], ["video", 0, null, crate::harness::NOW, 7]]);
    let sql = "SELECT type, is_public, source, created_at, updated_at FROM memos ORDER BY memo_id";
    assert_eq!(install.rows(sql).await, memos);
    let properties =
        json!([[null, 0], [null, 0], [null, 0], [r#"{ "width" : 1.50, "alt":"\u00e9", "width": 2 }"#, 0]]);
    assert_eq!(install.rows("SELECT properties, size FROM attachments ORDER BY attachment_id").await, properties);
    let rules = json!([["[]", 1], ["[]", 0], [r#"[ {"type": "meow", "other": 1.0} ]"#, 1]]);
    assert_eq!(install.rows("SELECT channels, enabled FROM push_rules ORDER BY id").await, rules);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_missing_have_no_rows() {
    let install = old::install(Kind::Sqlite).await;
    install.write("users", old::USERS, &[old::user("u1", json!({}))]).await;
    let report = install.migrate().await.unwrap();
    assert_eq!(report.tables["users"].inserted, 1);
    for (table, found) in report.tables.iter().filter(|(table, _)| *table != "users") {
        assert_eq!((found.source, found.inserted), (0, 0), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_that_are_no_object_are_dropped_when_asked_for() {
    let install = old::install(Kind::Sqlite).await.with("MIGRATION_INVALID_PROPERTIES", "null");
    let attachment = |id, properties: &str| old::attachment(id, json!({"properties": properties}));
    let rows = [attachment("a1", "{broken"), attachment("a2", "[1]"), attachment("a3", r#"{"width":1}"#)];
    install.write("attachments", old::ATTACHMENTS, &rows).await;
    let report = install.migrate().await.unwrap();
    let stored = install.rows("SELECT properties FROM attachments ORDER BY attachment_id").await;
    assert_eq!(stored, json!([[null], [null], [r#"{"width":1}"#]]));
    assert_eq!(report.tables["attachments"].notes["invalidPropertiesDropped"].ids, ["a1", "a2"]);
}
