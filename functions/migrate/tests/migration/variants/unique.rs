//! Rows that share what must be unique, as each database compares it.

use serde_json::{Value as Json, json};
use testing::{Kind, on_every_database};

use crate::{harness::Install, old};

on_every_database!(
    the_newest_of_rows_with_one_id_is_kept,
    ids_that_differ_in_case_are_different,
    one_recommendation_of_a_day_is_kept,
    the_oldest_of_equal_relations_is_kept,
    users_with_one_email_are_refused_and_named,
    the_oldest_user_keeps_the_email_when_asked_for,
    names_that_collide_keep_their_text,
);

async fn the_newest_of_rows_with_one_id_is_kept(kind: Kind) {
    let install = old::install(kind).await;
    let memo = |id: &str, content: &str, created: i64, updated: i64| {
        old::memo(id, json!({"content": content, "createdAt": created, "updatedAt": updated, "tagIds": [content]}))
    };
    let memos = [
        memo("m1", "old", 9, 3),
        memo("m1", "new", 1, 5),
        memo("m1", "older", 9, 4),
        memo("m2", "later", 2, 5),
        memo("m2", "earlier", 1, 5),
        memo("m3", "first", 1, 1),
        memo("m3", "last", 1, 1),
    ];
    // Two files, so that the order of the scan is more than that of one.
    install.write("memos", old::MEMOS, &memos[..2]).await;
    install.write("memos", old::MEMOS, &memos[2..]).await;
    let message =
        |content: &str, created: i64| old::message("msg1", json!({"content": content, "createdAt": created}));
    install.write("ai_messages", old::MESSAGES, &[message("new", 2), message("old", 1)]).await;

    let report = install.migrate().await.unwrap();
    let kept = json!([["m1", "new"], ["m2", "later"], ["m3", "last"]]);
    assert_eq!(install.rows("SELECT memo_id, content FROM memos ORDER BY memo_id").await, kept);
    assert_eq!(install.rows("SELECT memo_id, tag_id FROM memo_tags ORDER BY memo_id").await, kept);
    assert_eq!(install.rows("SELECT content FROM ai_messages").await, json!([["new"]]));
    let memos = &report.tables["memos"];
    assert_eq!((memos.source, memos.inserted, memos.skipped["duplicateId"]), (7, 3, 4));
    let mut listed = memos.notes["duplicateId"].ids.clone();
    listed.sort();
    assert_eq!(listed, ["m1", "m1", "m2", "m3"]);
}

async fn ids_that_differ_in_case_are_different(kind: Kind) {
    let install = old::install(kind).await;
    let row = |id: &str, created: i64| old::attachment(id, json!({"filename": id, "createdAt": created}));
    install.write("attachments", old::ATTACHMENTS, &[row("aB", 1), row("ab", 1), row("ab ", 2)]).await;
    install.migrate().await.unwrap();
    // MySQL ignores spaces at the end of a key.
    let expected = if kind == Kind::MariaDb { json!([["aB"], ["ab "]]) } else { json!([["aB"], ["ab"], ["ab "]]) };
    assert_eq!(install.rows("SELECT filename FROM attachments ORDER BY attachment_id").await, expected);
}

async fn one_recommendation_of_a_day_is_kept(kind: Kind) {
    let install = old::install(kind).await;
    let row = |id: &str, uid: &str, date: &str, memos: &[&str], created: i64| {
        old::recommendation(id, json!({"uid": uid, "date": date, "memoIds": memos, "createdAt": created}))
    };
    let rows = [
        row("rec1", "u1", "2026-01-01", &["m1"], 1),
        row("rec2", "u1", "2026-01-01", &["m2"], 2),
        row("rec3", "u1", "2026-01-01", &[], 3),
        row("rec4", "u1", "2026-01-02", &["m4"], 1),
        row("rec5", "u2", "2026-01-01", &[], 2),
        row("rec6", "u2", "2026-01-01", &[], 1),
    ];
    install.write("daily_recommendations", old::RECOMMENDATIONS, &rows).await;
    let report = install.migrate().await.unwrap();
    let kept =
        install.rows("SELECT recommendation_id FROM daily_recommendations ORDER BY recommendation_id").await;
    assert_eq!(kept, json!([["rec2"], ["rec4"], ["rec5"]]));
    let table = &report.tables["daily_recommendations"];
    assert_eq!((table.source, table.inserted, table.skipped["duplicateDay"]), (6, 3, 3));
    let mut listed = table.notes["duplicateDay"].ids.clone();
    listed.sort();
    assert_eq!(listed, ["rec1", "rec3", "rec6"]);
}

async fn the_oldest_of_equal_relations_is_kept(kind: Kind) {
    let install = old::install(kind).await;
    let row = |id: &str, uid: &str, target: &str, created: i64| {
        old::relation(id, json!({"uid": uid, "targetMemoId": target, "createdAt": created}))
    };
    let rows =
        [row("r1", "u1", "m2", 2), row("r2", "u1", "m2", 1), row("r3", "u2", "m2", 3), row("r4", "u1", "m3", 4)];
    install.write("memo_relations", old::RELATIONS, &rows).await;
    let report = install.migrate().await.unwrap();
    let kept = install.rows("SELECT relation_id FROM memo_relations ORDER BY relation_id").await;
    assert_eq!(kept, json!([["r2"], ["r3"], ["r4"]]));
    let table = &report.tables["memo_relations"];
    assert_eq!(
        (table.skipped["duplicateRelation"], table.notes["duplicateRelation"].ids.as_slice()),
        (1, &["r1".to_owned()][..])
    );
}

async fn users(install: &Install) {
    let user =
        |uid: &str, email: Json, created: i64| old::user(uid, json!({"email": email, "createdAt": created}));
    let rows = [
        user("u1", json!("a@example.com"), 2),
        user("u2", json!("a@example.com"), 1),
        user("u3", json!("A@example.com"), 1),
        user("u4", json!("b@example.com"), 1),
        user("u5", json!("b@example.com "), 2),
        user("u6", json!(null), 1),
        user("u7", json!(null), 1),
        user("u8", json!(""), 1),
    ];
    install.write("users", old::USERS, &rows).await;
}

async fn users_with_one_email_are_refused_and_named(kind: Kind) {
    let install = old::install(kind).await;
    users(&install).await;
    let refusal = install.refusal().await;
    assert!(
        refusal.contains("these users have the same e-mail: u2, u1; --duplicate-emails oldest-keeps"),
        "{refusal}"
    );
    assert_eq!(refusal.contains("u4, u5"), kind == Kind::MariaDb, "MySQL ignores spaces at the end: {refusal}");
    assert!(!refusal.contains("example.com"), "{refusal}");
}

async fn the_oldest_user_keeps_the_email_when_asked_for(kind: Kind) {
    let install = old::install(kind).await.with("MIGRATION_DUPLICATE_EMAILS", "oldest-keeps");
    users(&install).await;
    let report = install.migrate().await.unwrap();
    let fifth = if kind == Kind::MariaDb { json!(null) } else { json!("b@example.com ") };
    let expected = json!([
        ["u1", null, "hash"],
        ["u2", "a@example.com", "hash"],
        ["u3", "A@example.com", "hash"],
        ["u4", "b@example.com", "hash"],
        ["u5", fifth, "hash"],
        ["u6", null, "hash"],
        ["u7", null, "hash"],
        ["u8", null, "hash"],
    ]);
    assert_eq!(install.rows("SELECT uid, email, password FROM users ORDER BY uid").await, expected);
    let mut listed = report.tables["users"].notes["duplicateEmailsRemoved"].ids.clone();
    listed.sort();
    let both = ["u1".to_owned(), "u5".to_owned()];
    assert_eq!(listed, if kind == Kind::MariaDb { &both[..] } else { &both[..1] });
}

async fn names_that_collide_keep_their_text(kind: Kind) {
    let install = old::install(kind).await;
    let long = "长".repeat(300);
    let names = [
        ("1", "u1", "Work", 2),
        ("2", "u1", " work ", 1),
        ("3", "u1", "WORK", 2),
        ("4", "u2", "work", 5),
        ("5", "u1", "ÄÖ", 1),
        ("6", "u1", "äö", 1),
        ("7", "u1", &long, 1),
        ("8", "u1", &long, 2),
        // What the third gets, unless somebody has it.
        ("9", "u1", "work#3", 9),
    ];
    let rows = names.map(|(id, uid, name, created)| {
        (id, json!({"uid": uid, "name": name, "createdAt": created, "updatedAt": 1}))
    });
    let categories = rows.clone().map(|(id, row)| old::category(id, row));
    install.write("categories", old::CATEGORIES, &categories).await;
    install.write("tags", old::TAGS, &rows.map(|(id, row)| old::tag(id, row))).await;

    let report = install.migrate().await.unwrap();
    for (table, id) in [("categories", "category_id"), ("tags", "tag_id")] {
        let stored = install.rows(&format!("SELECT {id}, name, name_key FROM {table} ORDER BY {id}")).await;
        let hash = stored[6][2].as_str().unwrap().to_owned();
        assert!(hash.starts_with("sha256:") && hash.len() == 7 + 64, "{hash}");
        let expected = json!([
            ["1", "Work", "work#1"],
            ["2", " work ", "work"],
            ["3", "WORK", "work#3#3"],
            ["4", "work", "work"],
            ["5", "ÄÖ", "äö"],
            ["6", "äö", "äö#6"],
            ["7", long, hash],
            ["8", long, format!("{hash}#8")],
            ["9", "work#3", "work#3"],
        ]);
        assert_eq!(stored, expected, "{table}");
        assert_eq!(report.tables[table].notes["duplicateNames"].count, 4, "{table}");
    }
}
