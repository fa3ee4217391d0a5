//! What cannot be migrated: all of it is told at once, and nothing is changed.

use serde_json::json;
use testing::Kind;

use crate::old;

#[tokio::test(flavor = "multi_thread")]
async fn all_problems_are_reported_together() {
    let install = old::install(Kind::Sqlite).await;
    let users = [
        old::user("", json!({})),
        old::user("u2", json!({"password": null})),
        old::user("u3", json!({"status": 1_i64 << 40})),
    ];
    install.write("users", &old::USERS.replace("status:Int32", "status:Int64"), &users).await;
    install.write("categories", &old::CATEGORIES.replace("color:Utf8", "color:Binary"), &[]).await;
    let tags = [old::tag("t1", json!({"uid": null})), old::tag("t2", json!({"name": null}))];
    install.write("tags", old::TAGS, &tags).await;
    let attachments = [
        old::attachment("a1", json!({"storageType": "ftp"})),
        old::attachment("a2", json!({"storageType": null})),
        old::attachment("a3", json!({"properties": "{broken"})),
        old::attachment("a4", json!({"path": null, "storageType": "local"})),
        old::attachment("a5", json!({"isPublicBucket": "certainly"})),
    ];
    install.write("attachments", old::ATTACHMENTS, &attachments).await;
    let memos = [
        old::memo("m1", json!({})),
        old::memo("m1", json!({"content": null})),
        json!({"uid": "u1", "content": ""}),
    ];
    install.write("memos", old::MEMOS, &memos).await;
    install.write("memo_relations", old::RELATIONS, &[old::relation("r1", json!({"targetMemoId": ""}))]).await;
    install
        .write("ai_conversations", old::CONVERSATIONS, &[old::conversation("conv1", json!({"title": null}))])
        .await;
    install.write("ai_messages", old::MESSAGES, &[old::message("msg1", json!({"role": "system"}))]).await;
    let rule = |id, differences| old::push_rule(id, differences);
    let rules = [
        rule("p1", json!({"pushTime": 24})),
        rule("p2", json!({"pushTime": -1})),
        rule("p3", json!({"pushTime": null})),
        rule("p4", json!({"contentType": "weekly"})),
        rule("p5", json!({"channels": r#"[{"secret":"hook-secret"}"#})),
        rule("p6", json!({"channels": r#"{"secret":"hook-secret"}"#})),
    ];
    install.write("push_rules", old::PUSH_RULES, &rules).await;
    let days = [("rec1", "2026-1-1"), ("rec2", "2026-01-01 "), ("rec3", "２０２６-01-01"), ("rec4", "")];
    let days = days.map(|(id, date)| old::recommendation(id, json!({"date": date})));
    install.write("daily_recommendations", old::RECOMMENDATIONS, &days).await;

    let refusal = install.refusal().await;
    let expected = r#"25 problems, nothing was changed:
  - users row 0: uid is missing or empty
  - users u2: password is missing
  - users u3: status is 1099511627776, which is no 32-bit integer
  - categories: the column color has the type Binary, which is not known
  - tags t1: uid is missing or empty
  - tags t2: name is missing
  - attachments a1: storageType is "ftp", not one of local, s3, oss
  - attachments a2: storageType is missing
  - attachments a3: properties is no JSON object; --invalid-properties null drops it
  - attachments a4: path is missing, and there is no url
  - attachments a5: is_public_bucket has 9 characters, at most 8 fit
  - memos m1: content is missing
  - memos row 2: memoId is missing or empty
  - memo_relations r1: targetMemoId is missing or empty
  - ai_conversations conv1: title is missing
  - ai_messages msg1: role is "system", not one of user, assistant
  - push_rules p1: pushTime is 24, no hour from 0 to 23
  - push_rules p2: pushTime is -1, no hour from 0 to 23
  - push_rules p3: pushTime is missing
  - push_rules p4: contentType is "weekly", not one of daily_pick, daily_memos
  - push_rules p5: channels is no JSON array
  - push_rules p6: channels is no JSON array
  - daily_recommendations rec1: date is "2026-1-1", not of the form YYYY-MM-DD
  - daily_recommendations rec2: date is "2026-01-01 ", not of the form YYYY-MM-DD
  - daily_recommendations rec3: date is "２０２６-01-01", not of the form YYYY-MM-DD
  - daily_recommendations rec4: date is "", not of the form YYYY-MM-DD"#;
    let expected = expected.replace("25 problems", &format!("{} problems", expected.lines().count() - 1));
    assert_eq!(refusal, expected);
    assert!(!refusal.contains("hook-secret"));
    assert_eq!(install.rows("SELECT name FROM sqlite_master").await, json!([]), "not even the schema is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_a_wrong_type_are_refused_by_row() {
    let install = old::install(Kind::Sqlite).await;
    let columns =
        old::MEMOS.replace("content:Utf8", "content:Int32").replace("createdAt:Timestamp(ms)", "createdAt:Utf8");
    install.write("memos", &columns, &[old::memo("m1", json!({"content": 1, "createdAt": "today"}))]).await;
    let rules = old::PUSH_RULES.replace("pushTime:Int32", "pushTime:Utf8");
    install.write("push_rules", &rules, &[old::push_rule("p1", json!({"pushTime": "8"}))]).await;
    let messages = old::MESSAGES
        .split_whitespace()
        .map(|column| column.split_once(":List").map_or(column.to_owned(), |(name, _)| format!("{name}:Utf8")));
    let messages = messages.collect::<Vec<_>>().join(" ");
    install.write("ai_messages", &messages, &[old::message("msg1", json!({"sources": "[]"}))]).await;
    let refusal = install.refusal().await;
    for problem in [
        "memos m1: createdAt is no timestamp",
        "ai_messages msg1: sources is no list of structures",
        "push_rules p1: pushTime is no integer",
    ] {
        assert!(refusal.contains(problem), "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_problems_is_counted() {
    let install = old::install(Kind::Sqlite).await;
    let memos: Vec<_> =
        (0..300).map(|number| old::memo(&format!("m{number}"), json!({"content": null}))).collect();
    install.write("memos", old::MEMOS, &memos).await;
    let refusal = install.refusal().await;
    assert!(refusal.starts_with("300 problems") && refusal.ends_with("… and 100 more"), "{refusal}");
}
