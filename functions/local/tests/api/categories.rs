//! Categories (`contract/categories-tags.md`).

use serde_json::{Value, json};
use testing::{Client, Kind, Server, on_every_database};

use crate::objects::{category, memo, read_memo, text};

on_every_database!(
    a_name_is_taken_whatever_its_case_and_blanks,
    another_user_may_have_the_same_name,
    a_rename_may_change_the_case_but_not_take_another_name,
    an_update_keeps_what_is_absent_and_always_moves_its_time,
    a_colour_is_trimmed_and_cleared_by_null_and_blanks,
    categories_are_listed_by_name_ignoring_case_and_accents,
    categories_of_one_sorting_name_are_listed_oldest_first,
    deleting_a_category_uncategorises_its_memos,
    the_default_category_is_like_any_other,
);

const PATH: &str = "/api/v1/categories";
const TAKEN: (i64, &str) = (3001, "类别已存在");

async fn names(user: &Client) -> Vec<String> {
    let answer = user.get(PATH).await;
    answer.data()["categories"].as_array().unwrap().iter().map(|category| text(category, "name")).collect()
}

async fn a_name_is_taken_whatever_its_case_and_blanks(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    for (name, same) in
        [("Work", " wORK\n"), ("ÄÖ Ünï", "äö üNÏ"), ("Σ", "σ"), ("Ǆ", "ǆ"), ("日記", "\u{3000}日記 ")]
    {
        let created = ann.post(PATH, json!({"name": format!(" {name} ")})).await;
        assert_eq!(created.data()["category"]["name"], name);
        assert_eq!(ann.post(PATH, json!({"name": same})).await.refusal(), TAKEN, "{same}");
    }
    // Neither accents nor width nor trailing dots are letter case.
    for different in ["Wörk", "Ｗork", "Work.", "W ork", "AO Uni"] {
        category(&ann, different).await;
    }
    let long = "长".repeat(999);
    category(&ann, &format!("{long}A")).await;
    assert_eq!(ann.post(PATH, json!({"name": format!("{long}a")})).await.refusal(), TAKEN);
    category(&ann, &format!("{long}b")).await;
}

async fn another_user_may_have_the_same_name(kind: Kind) {
    let server = Server::start(kind).await;
    let (ann, bob) = (server.user().await, server.user().await);
    let (hers, his) = (category(&ann, "Work").await, category(&bob, "work").await);
    assert_ne!(hers, his);
    assert_eq!(ann.delete(&format!("{PATH}/{hers}")).await.data()["message"], "Category deleted successfully");
    assert!(names(&bob).await.contains(&"work".to_owned()));
}

async fn a_rename_may_change_the_case_but_not_take_another_name(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let path = format!("{PATH}/{}", category(&ann, "Work").await);
    category(&ann, "Home").await;
    for name in ["WORK", " Work ", "Work"] {
        assert_eq!(ann.put(&path, json!({"name": name})).await.data()["category"]["name"], name.trim());
    }
    let before = ann.get(&path).await;
    assert_eq!(ann.put(&path, json!({"name": "hOME ", "color": "red"})).await.refusal(), TAKEN);
    assert_eq!(ann.get(&path).await.data(), before.data());
    ann.put(&path, json!({"name": "Office"})).await.data();
    // The former name is free again, the new one is not.
    category(&ann, "work").await;
    assert_eq!(ann.post(PATH, json!({"name": "OFFICE"})).await.refusal(), TAKEN);
}

async fn an_update_keeps_what_is_absent_and_always_moves_its_time(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let created = ann.post(PATH, json!({"name": "Work", "color": "red"})).await.data()["category"].clone();
    assert_eq!(created["createdAt"], created["updatedAt"]);
    let path = format!("{PATH}/{}", text(&created, "categoryId"));
    clock.set(1_750_000_001_234);
    let updated = ann.put(&path, json!({})).await.data()["category"].clone();
    let mut expected = created;
    expected["updatedAt"] = json!(1_750_000_001_234_i64);
    assert_eq!(updated, expected);
    assert_eq!(ann.get(&path).await.data()["category"], expected);
}

async fn a_colour_is_trimmed_and_cleared_by_null_and_blanks(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let path = format!("{PATH}/{}", category(&ann, "Work").await);
    for (color, stored) in [
        (json!(" #fff "), Some(json!("#fff"))),
        (Value::Null, None),
        (json!("red"), Some(json!("red"))),
        (json!(""), None),
        (json!("rgb(1, 2, 3)"), Some(json!("rgb(1, 2, 3)"))),
        (json!(" \t"), None),
    ] {
        let updated = ann.put(&path, json!({"color": color})).await;
        assert_eq!(updated.data()["category"].get("color"), stored.as_ref(), "{color}");
        assert_eq!(ann.get(&path).await.data()["category"].get("color"), stored.as_ref(), "{color}");
    }
    for (number, blank) in [json!(""), json!("  "), Value::Null].into_iter().enumerate() {
        let created = ann.post(PATH, json!({"name": number.to_string(), "color": blank})).await;
        assert_eq!(created.data()["category"].get("color"), None);
    }
}

async fn categories_are_listed_by_name_ignoring_case_and_accents(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let sorted = ["_", "10", "2", "apple", "Äpple pie", "Banana", "éclair", "Eclipse", "zebra", "Ωmega", "日记"];
    for name in sorted.iter().rev().filter(|name| **name != "日记") {
        category(&ann, name).await;
    }
    assert_eq!(names(&ann).await, sorted);
}

async fn categories_of_one_sorting_name_are_listed_oldest_first(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    for (now, name) in (1_750_000_000_001..).zip(["résumé", "Resume", "resumé"]) {
        clock.set(now);
        category(&ann, name).await;
    }
    assert_eq!(names(&ann).await, ["résumé", "Resume", "resumé", "日记"]);
}

async fn deleting_a_category_uncategorises_its_memos(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let (gone, stays) = (category(&ann, "gone").await, category(&ann, "stays").await);
    let inside = memo(&ann, json!({"content": "x", "categoryId": gone})).await;
    let outside = memo(&ann, json!({"content": "y", "categoryId": stays})).await;
    assert_eq!(inside["categoryId"], json!(gone));
    clock.set(1_750_000_009_999);
    ann.delete(&format!("{PATH}/{gone}")).await.data();

    let after = read_memo(&ann, &text(&inside, "memoId")).await;
    let mut expected = inside;
    expected.as_object_mut().unwrap().remove("categoryId");
    assert_eq!(after, expected);
    assert_eq!(read_memo(&ann, &text(&outside, "memoId")).await, outside);
    let uncategorised = ann.get("/api/v1/memos?categoryId=__uncategorized__").await;
    assert_eq!(uncategorised.data()["items"], json!([after]));
    assert_eq!(ann.get(&format!("/api/v1/memos?categoryId={gone}")).await.data()["pagination"]["total"], 0);
    assert_eq!(ann.delete(&format!("{PATH}/{gone}")).await.refusal(), (3, "资源不存在"));
}

async fn the_default_category_is_like_any_other(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let listed = ann.get(PATH).await.data()["categories"].clone();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["name"]), (1, &json!("日记")));
    assert_eq!(listed[0]["uid"], json!(ann.uid));
    assert_eq!(listed[0].get("color"), None);
    let path = format!("{PATH}/{}", text(&listed[0], "categoryId"));
    ann.put(&path, json!({"name": "Diary"})).await.data();
    ann.delete(&path).await.data();
    assert_eq!(names(&ann).await, Vec::<String>::new());
    category(&ann, "日记").await;
}
