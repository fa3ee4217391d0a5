//! Characters and lengths, which databases treat differently.

use migrate::report::Report;
use serde_json::{Value as Json, json};
use testing::{Kind, on_every_database};

use crate::{harness::Install, old};

on_every_database!(
    nul_characters_are_removed_wherever_they_are,
    every_character_and_a_long_note_arrive_as_they_are,
    times_of_any_age_arrive_as_they_are,
    texts_fit_to_the_last_character,
    texts_that_do_not_fit_are_refused,
);

/// Writes one row of every table whose texts contain `mark`.
async fn marked(install: &Install, mark: &str) {
    let text = |text: &str| format!("{text}{mark}");
    let user = json!({"email": text("e"), "phone": text("1"), "password": text("p"), "salt": text("s"),
        "nickname": text("n"), "avatar": text("a")});
    install.write("users", old::USERS, &[old::user("u1", user)]).await;
    let named = json!({"name": text("n"), "color": text("#")});
    install.write("categories", old::CATEGORIES, &[old::category("c1", named.clone())]).await;
    install.write("tags", old::TAGS, &[old::tag("t1", named)]).await;
    let memo = json!({"content": text("记"), "type": text("t"), "source": text("h"), "categoryId": text("c"),
        "attachments": [text("a")], "tagIds": [text("t")]});
    install.write("memos", old::MEMOS, &[old::memo("m1", memo)]).await;
    let relation = json!({"sourceMemoId": text("m"), "targetMemoId": text("n")});
    install.write("memo_relations", old::RELATIONS, &[old::relation("r1", relation)]).await;
    let attachment = json!({"filename": text("f"), "type": text("t"), "path": text("p"), "bucket": text("b"),
        "prefix": text("p"), "endpoint": text("e"), "region": text("r"), "isPublicBucket": text("t"),
        "multimodalModelHash": text("h"), "properties": format!(r#"{{ "a": "{mark}\u0000" }}"#)});
    install.write("attachments", old::ATTACHMENTS, &[old::attachment("a1", attachment)]).await;
    let conversation = old::conversation("conv1", json!({"title": text("t")}));
    install.write("ai_conversations", old::CONVERSATIONS, &[conversation]).await;
    let sources = json!([{"memoId": text("m"), "content": text("c"), "similarity": 1}]);
    let message = old::message("msg1", json!({"content": text("c"), "sources": sources}));
    install.write("ai_messages", old::MESSAGES, &[message]).await;
    let rule = json!({"name": text("n"), "channels": format!(r#"[ {{"type":"meow","nickname":"{mark}"}} ]"#)});
    install.write("push_rules", old::PUSH_RULES, &[old::push_rule("p1", rule)]).await;
    let recommendation = old::recommendation("rec1", json!({"memoIds": [text("m")]}));
    install.write("daily_recommendations", old::RECOMMENDATIONS, &[recommendation]).await;
}

/// Checks the rows of [`marked`] after the migration.
async fn check_marked(install: &Install, mark: &str) {
    let text = |text: &str| format!("{text}{mark}");
    let escaped = Json::from(mark).to_string();
    let escaped = escaped.trim_matches('"');
    let tables = [
        ("users", json!(["u1", text("e"), text("1"), text("p"), text("s"), text("n"), text("a"), 1, 1, 2])),
        ("categories", json!(["c1", "u1", text("n"), text("n"), text("#"), 1, 2])),
        ("tags", json!(["t1", "u1", text("n"), text("n"), text("#"), 0, 1, 2])),
        (
            "memos",
            json!([
                "m1",
                "u1",
                text("c"),
                text("记"),
                text("t"),
                text("h"),
                0,
                format!(r#"["a{escaped}"]"#),
                1,
                2
            ]),
        ),
        ("memo_tags", json!(["m1", text("t"), "u1", 0, 1])),
        ("memo_relations", json!(["r1", "u1", text("m"), text("n"), 1])),
        (
            "attachments",
            json!([
                "a1",
                "u1",
                text("f"),
                text("t"),
                1,
                "local",
                text("p"),
                text("b"),
                text("p"),
                text("e"),
                text("r"),
                text("t"),
                text("h"),
                format!(r#"{{ "a": "{mark}\u0000" }}"#),
                1,
                1
            ]),
        ),
        ("ai_conversations", json!(["conv1", "u1", text("t"), 1, 2])),
        (
            "ai_messages",
            json!([
                "msg1",
                "conv1",
                "user",
                text("c"),
                format!(r#"[{{"memoId":"m{escaped}","content":"c{escaped}","similarity":1.0}}]"#),
                1
            ]),
        ),
        (
            "push_rules",
            json!([
                "p1",
                "u1",
                text("n"),
                8,
                "daily_pick",
                format!(r#"[ {{"type":"meow","nickname":"{mark}"}} ]"#),
                1,
                1,
                2
            ]),
        ),
        ("daily_recommendations", json!(["rec1", "u1", "2026-01-01", format!(r#"["m{escaped}"]"#), 1])),
    ];
    for (table, row) in tables {
        assert_eq!(install.rows(&format!("SELECT * FROM {table}")).await, json!([row]), "{table}");
    }
}

/// Returns the tables in which U+0000 was removed, and from which rows.
fn cleaned(report: &Report) -> Json {
    let tables = report.tables.iter();
    let cleaned = tables.filter_map(|(table, report)| Some((table, report.notes.get("nulCharactersRemoved")?)));
    cleaned.map(|(table, note)| json!([table, note.count, note.ids])).collect()
}

async fn nul_characters_are_removed_wherever_they_are(kind: Kind) {
    let install = old::install(kind).await;
    marked(&install, "\0").await;
    let report = install.migrate().await.unwrap();
    check_marked(&install, "").await;
    let expected = json!([
        ["ai_conversations", 1, ["conv1"]],
        ["ai_messages", 1, ["msg1"]],
        ["attachments", 1, ["a1"]],
        ["categories", 1, ["c1"]],
        ["daily_recommendations", 1, ["rec1"]],
        ["memo_relations", 1, ["r1"]],
        ["memos", 1, ["m1"]],
        ["push_rules", 1, ["p1"]],
        ["tags", 1, ["t1"]],
        ["users", 1, ["u1"]],
    ]);
    assert_eq!(cleaned(&report), expected);
}

async fn every_character_and_a_long_note_arrive_as_they_are(kind: Kind) {
    // Four bytes, combining, right to left, a joiner, the last character; no more fit into every column.
    let mark = "😀e\u{301}ع\u{200d}\u{10ffff}x";
    let install = old::install(kind).await;
    marked(&install, mark).await;
    let long: String = "长文 😀 \\ ' \" % _ \u{1} \u{7f}\r\n\t".chars().cycle().take(150_000).collect();
    assert!(long.len() > 200_000);
    let notes =
        [old::memo("m2", json!({"content": long})), old::memo("m3", json!({"content": "x".repeat(300_000)}))];
    install.write("memos", old::MEMOS, &notes).await;
    install.write("ai_messages", old::MESSAGES, &[old::message("msg2", json!({"content": long}))]).await;
    install.migrate().await.unwrap();
    let stored = install.rows("SELECT content FROM memos WHERE memo_id <> 'm1' ORDER BY memo_id").await;
    assert!(stored == json!([[long], ["x".repeat(300_000)]]), "a long note differs");
    let stored = install.rows("SELECT content FROM ai_messages WHERE message_id = 'msg2'").await;
    assert!(stored == json!([[long]]), "a long message differs");
    testing::execute(&install.database.url, "DELETE FROM memos WHERE memo_id <> 'm1'".into()).await;
    testing::execute(&install.database.url, "DELETE FROM ai_messages WHERE message_id = 'msg2'".into()).await;
    check_marked(&install, mark).await;
}

async fn times_of_any_age_arrive_as_they_are(kind: Kind) {
    let install = old::install(kind).await;
    let times = [0, -1, -62_135_596_800_000, 253_402_300_800_000, i64::MAX, i64::MIN];
    let memo = |(number, time): (usize, i64)| {
        old::memo(&format!("m{number}"), json!({"createdAt": time, "updatedAt": time}))
    };
    let memos: Vec<_> = times.into_iter().enumerate().map(memo).collect();
    install.write("memos", old::MEMOS, &memos).await;
    install.migrate().await.unwrap();
    let stored = install.rows("SELECT created_at, updated_at FROM memos ORDER BY memo_id").await;
    assert_eq!(stored, times.into_iter().map(|time| json!([time, time])).collect::<Json>());
}

async fn texts_fit_to_the_last_character(kind: Kind) {
    let install = old::install(kind).await;
    let id = "😀".repeat(64);
    let user = json!({"email": "😀".repeat(255), "password": "é".repeat(255), "salt": "é".repeat(255),
        "nickname": "长".repeat(21_845), "phone": "x".repeat(65_535)});
    install.write("users", old::USERS, &[old::user(&id, user.clone())]).await;
    let memo = json!({"uid": id, "categoryId": id, "type": "😀".repeat(32), "tagIds": [id]});
    install.write("memos", old::MEMOS, &[old::memo(&id, memo)]).await;
    install.migrate().await.unwrap();
    let stored = install.rows("SELECT uid, email, password, salt, nickname, phone FROM users").await;
    let expected = ["email", "password", "salt", "nickname", "phone"].map(|column| user[column].clone());
    assert!(stored[0][0] == json!(id) && stored[0].as_array().unwrap()[1..] == expected, "a text differs");
    let stored = install.rows("SELECT memo_id, uid, category_id, type FROM memos").await;
    assert_eq!(stored, json!([[id, id, id, "😀".repeat(32)]]));
    assert_eq!(install.rows("SELECT memo_id, tag_id FROM memo_tags").await, json!([[id, id]]));
}

async fn texts_that_do_not_fit_are_refused(kind: Kind) {
    let install = old::install(kind).await;
    let long = "😀".repeat(65);
    let users = [
        old::user("u1", json!({"email": "x".repeat(256)})),
        old::user("u2", json!({"nickname": "长".repeat(21_846)})),
        old::user("u3", json!({"password": "x".repeat(256)})),
    ];
    install.write("users", old::USERS, &users).await;
    let memos = [old::memo(&long, json!({})), old::memo("m2", json!({"tagIds": ["t", long]}))];
    install.write("memos", old::MEMOS, &memos).await;
    let refusal = install.refusal().await;
    let expected = format!(
        "5 problems, nothing was changed:\n\
        \x20 - users u1: email has 256 characters, at most 255 fit\n\
        \x20 - users u2: nickname has 65538 bytes, at most 65535 fit\n\
        \x20 - users u3: password has 256 characters, at most 255 fit\n\
        \x20 - memos {long}: memo_id has 65 characters, at most 64 fit\n\
        \x20 - memos m2: a tag id has 65 characters, at most 64 fit"
    );
    assert_eq!(refusal, expected);
}

/// The server takes no longer statement, so no split of the rows would help.
#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_no_statement_holds_is_refused_before_anything_is_done() {
    let install = old::install(Kind::MariaDb).await;
    install.write("memos", old::MEMOS, &[old::memo("m1", json!({"content": "x".repeat(17 << 20)}))]).await;
    let refusal = install.refusal().await;
    assert!(
        refusal.contains("memos m1: it has 17825") && refusal.contains("raise max_allowed_packet"),
        "{refusal}"
    );
}
