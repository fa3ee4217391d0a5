//! What an old memo or message carries: attachments in three shapes, tags by id or by name, sources.

use serde_json::{Value as Json, json};
use testing::{Kind, on_every_database};

use crate::old;

on_every_database!(tag_names_of_the_first_versions_become_tags,);

/// Migrates memos that hold `values` in a column of a type, and returns what a statement finds.
async fn migrated(column: &str, data_type: &str, values: &[Json], sql: &str) -> Json {
    let install = old::install(Kind::Sqlite).await;
    let others = old::MEMOS.split_whitespace().filter(|other| !other.starts_with(&format!("{column}:")));
    let columns = others.chain([format!("{column}:{data_type}").as_str()]).collect::<Vec<_>>().join(" ");
    let rows =
        values.iter().enumerate().map(|(number, value)| old::memo(&format!("m{number}"), json!({column: value})));
    install.write("memos", &columns, &rows.collect::<Vec<_>>()).await;
    install.migrate().await.unwrap();
    install.rows(sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_of_a_memo_have_three_shapes() {
    let first_days =
        "List<Struct{attachmentId:Utf8,filename:Utf8,url:Utf8,type:Utf8,size:Int32,createdAt:Timestamp(us)}>";
    let shapes = [
        ("List<Utf8>", vec![json!(["a1", null, "a2"]), json!([]), json!([null]), json!(null)]),
        ("Utf8", vec![json!(r#" ["a1" , null,"a2"] "#), json!("[]"), json!(""), json!(null)]),
        (
            first_days,
            vec![
                json!([
                    {"attachmentId": "a1", "filename": "f", "url": "u", "type": "t", "size": 1, "createdAt": 1},
                    null,
                    {"attachmentId": "a2"}
                ]),
                json!([]),
                json!([{"filename": "no id"}]),
                json!(null),
            ],
        ),
    ];
    for (shape, values) in shapes {
        let attachments = migrated("attachments", shape, &values, "SELECT attachments FROM memos").await;
        assert_eq!(attachments, json!([[r#"["a1","a2"]"#], [null], [null], [null]]), "{shape}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tag_ids_come_in_order_and_each_once() {
    let lists = vec![json!(["t2", null, "t1", "", "t2"]), json!([]), json!(null)];
    let texts = vec![json!(" t2, ,t1,t2"), json!(""), json!(null)];
    for (shape, values) in [("List<Utf8>", lists), ("Utf8", texts)] {
        let sql = "SELECT memo_id, tag_id, uid, position, created_at FROM memo_tags ORDER BY memo_id, position";
        let expected = json!([["m0", "t2", "u1", 0, 1], ["m0", "t1", "u1", 1, 1]]);
        assert_eq!(migrated("tagIds", shape, &values, sql).await, expected, "{shape}");
    }
}

async fn tag_names_of_the_first_versions_become_tags(kind: Kind) {
    let install = old::install(kind).await;
    let tag = |id, uid: &str, name: &str, created: i64| {
        old::tag(id, json!({"uid": uid, "name": name, "createdAt": created, "usageCount": 9}))
    };
    let tags = [tag("t1", "u1", "work", 2), tag("t2", "u1", "Work", 1), tag("t3", "u2", "WORK", 1)];
    install.write("tags", old::TAGS, &tags).await;
    let memo = |id, uid: &str, created: i64, names: &[&str]| {
        old::memo(id, json!({"uid": uid, "createdAt": created, "tags": names}))
    };
    let memos = [
        memo("m1", "u1", 20, &[" WORK ", "", "读书 😀", "work"]),
        memo("m2", "u1", 10, &["读书 😀"]),
        memo("m3", "u2", 30, &["Work", "读书 😀"]),
        old::memo("m4", json!({"tagIds": ["t1"], "tags": ["ignored"]})),
        old::memo("m5", json!({"tagIds": [], "tags": ["reading"]})),
    ];
    install.write("memos", &format!("{} tags:List<Utf8>", old::MEMOS), &memos).await;

    let report = install.migrate().await.unwrap();
    let sql = "SELECT m.memo_id, t.uid, t.name, t.name_key, t.usage_count, t.created_at, t.updated_at, mt.position \
        FROM memo_tags mt JOIN tags t ON t.tag_id = mt.tag_id JOIN memos m ON m.memo_id = mt.memo_id \
        ORDER BY m.memo_id, mt.position";
    let expected = json!([
        ["m1", "u1", "Work", "work", 9, 1, 2, 0],
        ["m1", "u1", "读书 😀", "读书 😀", 2, 10, 10, 1],
        ["m2", "u1", "读书 😀", "读书 😀", 2, 10, 10, 0],
        ["m3", "u2", "WORK", "work", 9, 1, 2, 0],
        ["m3", "u2", "读书 😀", "读书 😀", 1, 30, 30, 1],
        ["m4", "u1", "work", "work#t1", 9, 2, 2, 0],
        ["m5", "u1", "reading", "reading", 1, 1, 1, 0],
    ]);
    assert_eq!(install.rows(sql).await, expected);
    let tags = &report.tables["tags"];
    assert_eq!((tags.source, tags.inserted, tags.notes["tagsMadeOfLegacyNames"].count), (6, 6, 3));
    let warning = &report.warnings[0];
    assert!(warning.contains("4 memos") && warning.contains("m1, m2, m3, m5"), "{warning}");
    let made = install.rows("SELECT tag_id FROM tags WHERE name_key = 'reading'").await[0][0].to_string();
    assert!(made.starts_with("\"t") && made.len() == 26, "{made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tag_names_are_only_listed_when_asked_for() {
    let install = old::install(Kind::Sqlite).await.with("MIGRATION_LEGACY_TAG_NAMES", "report");
    install.write("tags", old::TAGS, &[old::tag("t1", json!({"name": "work"}))]).await;
    let memos = [old::memo("m1", json!({"tags": ["work"]})), old::memo("m2", json!({"tagIds": ["t1"]}))];
    install.write("memos", &format!("{} tags:List<Utf8>", old::MEMOS), &memos).await;
    let report = install.migrate().await.unwrap();
    assert_eq!(install.rows("SELECT memo_id, tag_id FROM memo_tags").await, json!([["m2", "t1"]]));
    assert_eq!(install.rows("SELECT tag_id FROM tags").await, json!([["t1"]]));
    assert!(report.warnings.iter().any(|warning| warning.contains("1 memos") && warning.contains("m1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn tag_names_have_the_shapes_of_their_release() {
    let texts = vec![json!(r#"["work", null]"#), json!("[]"), json!(""), json!(null)];
    let shapes = [
        ("Utf8", texts, json!([["m0", "work"]])),
        ("List<Int64>", vec![json!([]), json!(null)], json!([])),
        ("List<Null>", vec![json!([]), json!([null])], json!([])),
    ];
    for (shape, values, expected) in shapes {
        let sql = "SELECT memo_id, name FROM memo_tags JOIN tags USING (tag_id)";
        assert_eq!(migrated("tags", shape, &values, sql).await, expected, "{shape}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_keep_what_the_old_api_showed() {
    let install = old::install(Kind::Sqlite).await;
    let columns = old::MESSAGES.replace(
        "similarity:Float32",
        "similarity:Float32,title:Utf8,relevanceScore:Float64,createdAt:Timestamp(ms)",
    );
    let values = [
        json!([{"memoId": "m1", "content": "c", "similarity": 0.1}, {"memoId": "m2"}]),
        json!([{"memoId": "", "content": "", "similarity": "NaN"}]),
        json!([{"similarity": "inf", "relevanceScore": "-inf"}]),
        json!([{"title": "旧", "relevanceScore": 0.25, "createdAt": 1_700_000_000_000_i64}, null]),
        json!([]),
        json!(null),
    ];
    let messages = values.iter().enumerate();
    let messages =
        messages.map(|(number, value)| old::message(&format!("msg{number}"), json!({"sources": value})));
    install.write("ai_messages", &columns, &messages.collect::<Vec<_>>()).await;
    install.migrate().await.unwrap();
    let expected = json!([
        [r#"[{"memoId":"m1","content":"c","similarity":0.10000000149011612},{"memoId":"m2"}]"#],
        [r#"[{"memoId":"","content":""}]"#],
        ["[{}]"],
        [r#"[{"title":"旧","relevanceScore":0.25,"createdAt":1700000000000}]"#],
        [null],
        [null],
    ]);
    assert_eq!(install.rows("SELECT sources FROM ai_messages ORDER BY message_id").await, expected);
}
