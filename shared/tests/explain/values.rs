//! Values for the parameters of a statement, which the log does not have.

use crate::data::{NOW, date, id};

/// Puts values that a user has in place of the parameters, each by the column that it is compared with.
pub fn with_values(statement: &str, user: usize) -> String {
    let mut text = String::new();
    let mut rest = statement;
    let mut number = 0;
    while let Some(at) = rest.find(['?', '$']) {
        text.push_str(&rest[..at]);
        rest = rest[at + 1..].trim_start_matches(|c: char| c.is_ascii_digit());
        text.push_str(&value(&text, rest, user, number));
        number += 1;
    }
    text + rest
}

/// Returns the value of the parameter between two parts of a statement.
fn value(before: &str, after: &str, user: usize, number: usize) -> String {
    let column = before.rsplit(['"', '`']).nth(1).unwrap_or_default();
    let ends_with = |ends: &[&str]| ends.iter().any(|end| before.ends_with(end));
    let id_of = |prefix| format!("'{}'", id(prefix, user, number));
    match column {
        _ if ends_with(&["OFFSET "]) => "0".to_owned(),
        // A page; what is limited without an offset is one tag.
        _ if ends_with(&["LIMIT "]) && after.starts_with(" OFFSET") => "20".to_owned(),
        _ if ends_with(&["LIMIT ", ") = ", ") > ", "+ ", "- "]) => "1".to_owned(),
        "created_at" | "updated_at" if ends_with(&["< ", "<= "]) => (NOW + 100).to_string(),
        // The last hours of many.
        "scheduled_at" if ends_with(&[">= "]) => (NOW + 190).to_string(),
        "created_at" | "updated_at" | "scheduled_at" | "finished_at" => NOW.to_string(),
        "lease_until" => (NOW + 50).to_string(),
        "slot" => "'2026-03-05T08'".to_owned(),
        "state" => "'pending'".to_owned(),
        "claim" => format!("'claim {number}'"),
        _ if ends_with(&["THEN "]) => NOW.to_string(),
        "kind" => "'memo'".to_owned(),
        "enqueued_at" | "next_attempt_at" => NOW.to_string(),
        "collect_after" => (NOW + 5).to_string(),
        "place" | "usage_count" | "is_public" | "enabled" | "status" | "channel_index" | "attempts" => {
            "1".to_owned()
        }
        "push_time" => "8".to_owned(),
        "uid" => format!("'{}'", id("u", user, 0)),
        "email" => format!("'{}@example.com'", id("u", user, 0)),
        "entity_id" | "memo_id" | "source_memo_id" | "target_memo_id" => id_of("m"),
        "tag_id" => id_of("t"),
        "category_id" => id_of("c"),
        "attachment_id" | "file_id" => id_of("a"),
        "conversation_id" => id_of("conv"),
        "message_id" => id_of("msg"),
        "id" => id_of("push"),
        // One, since the same rules are named twice.
        "rule_id" => format!("'{}'", id("push", user, 1)),
        "date" => format!("'{}'", date(number)),
        "name_key" => format!("'name {number}'"),
        // A text that is stored, or looked for in a content.
        _ => "'x'".to_owned(),
    }
}
