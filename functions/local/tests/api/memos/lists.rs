//! The list of memos: filters, order and pages (`contract/memos.md`, route 1).

use serde_json::{Value, json};
use testing::{Client, Kind, Server, encoded, on_every_database};

use crate::objects::{category, memo, text};

on_every_database!(
    search_is_literal_and_minds_case,
    all_filters_must_hold_and_are_counted,
    tags_are_named_ignoring_case_and_reading_creates_none,
    date_bounds_are_inclusive_and_of_the_time_of_writing,
    a_category_that_is_unknown_has_no_memos,
    ties_are_ordered_by_id_in_the_same_direction,
    every_memo_is_on_exactly_one_page,
    a_page_past_the_end_is_empty_and_knows_the_total,
    a_list_shows_memos_as_a_read_does,
);

/// Returns the contents of the listed memos, and their total.
async fn list(user: &Client, query: &str) -> (Vec<String>, i64) {
    let answer = user.get(&format!("/api/v1/memos?{query}")).await;
    let items = answer.data()["items"].as_array().unwrap().iter().map(|memo| text(memo, "content")).collect();
    (items, answer.data()["pagination"]["total"].as_i64().unwrap())
}

async fn search_is_literal_and_minds_case(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let contents = [
        "Apple",
        "apple pie",
        "100% sure",
        "1000 sure",
        "a_b",
        "acb",
        "it's",
        "its",
        r"back\slash",
        "backslash",
        "tab\tand\nline",
        "café",
        "cafe\u{301}",
        "中文搜索 😀",
        "  two  blanks",
        "\"quoted\"",
        "x*y?z",
        "[a]",
    ];
    for content in contents {
        memo(&ann, json!({"content": content})).await;
    }
    let cases = [
        ("apple", vec!["apple pie"]),
        ("pple", vec!["Apple", "apple pie"]),
        ("APPLE", vec![]),
        ("%", vec!["100% sure"]),
        ("0%", vec!["100% sure"]),
        ("_", vec!["a_b"]),
        ("a_b", vec!["a_b"]),
        ("'", vec!["it's"]),
        ("' OR '1'='1", vec![]),
        ("\\", vec![r"back\slash"]),
        ("\\%", vec![]),
        ("b\ta", vec!["tab\tand\nline"]),
        ("d\nl", vec!["tab\tand\nline"]),
        ("é", vec!["café"]),
        ("e\u{301}", vec!["cafe\u{301}"]),
        ("文搜", vec!["中文搜索 😀"]),
        ("😀", vec!["中文搜索 😀"]),
        ("o  b", vec!["  two  blanks"]),
        (" sure", vec!["100% sure", "1000 sure"]),
        ("sure ", vec![]),
        ("\"", vec!["\"quoted\""]),
        ("*", vec!["x*y?z"]),
        ("x*y?z", vec!["x*y?z"]),
        ("[a]", vec!["[a]"]),
    ];
    for (search, expected) in cases {
        let (mut found, total) = list(&ann, &format!("limit=100&search={}", encoded(search))).await;
        found.sort_by_key(|content| contents.iter().position(|known| known == content));
        assert_eq!(
            (found, total),
            (expected.iter().map(ToString::to_string).collect(), i64::try_from(expected.len()).unwrap()),
            "{search:?}"
        );
    }
    for blank in ["", " ", "\t\n", "\u{3000}"] {
        assert_eq!(list(&ann, &format!("search={}", encoded(blank))).await.1, 18, "{blank:?}");
    }
}

async fn all_filters_must_hold_and_are_counted(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let work = category(&ann, "work").await;
    // Of each pair of values one passes; only one memo passes everything.
    for bits in 0_u32..32 {
        let pick =
            |bit: u32, yes: &str, no: &str| if bits & (1 << bit) == 0 { yes.to_owned() } else { no.to_owned() };
        let body = json!({
            "content": format!("{} {bits}", pick(0, "Apple", "Pear")),
            "categoryId": pick(1, &work, ""),
            "tags": [pick(2, "a", "x"), pick(3, "b", "y")],
            "createdAt": if bits & 16 == 0 { 1000 } else { 2000 },
        });
        memo(&ann, body).await;
    }
    let filters =
        ["search=Apple", &format!("categoryId={work}"), "tags=a", "tags=b", "startDate=500&endDate=1500"];
    for chosen in 0_u32..32 {
        let query: Vec<&str> = (0..5).filter(|bit| chosen & (1 << bit) != 0).map(|bit| filters[bit]).collect();
        let matching = 32_i64 >> chosen.count_ones();
        for order in ["", "&sortBy=updatedAt&sortOrder=asc"] {
            let (items, total) = list(&ann, &format!("limit=3&{}{order}", query.join("&"))).await;
            assert_eq!((total, items.len()), (matching, usize::try_from(matching.min(3)).unwrap()), "{query:?}");
        }
    }
    let (items, total) = list(&ann, &filters.join("&")).await;
    assert_eq!((items, total), (vec!["Apple 0".to_owned()], 1));
    let (_, total) = list(&ann, "categoryId=__uncategorized__&tags=a&limit=1").await;
    assert_eq!(total, 8);
}

async fn tags_are_named_ignoring_case_and_reading_creates_none(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    memo(&ann, json!({"content": "1", "tags": ["Ünï", "读书"]})).await;
    memo(&ann, json!({"content": "2", "tags": ["ünï"]})).await;
    let cases: [(&[&str], i64); 11] = [
        (&["Ünï"], 2),
        (&[" üNÏ "], 2),
        (&["Ünï", "ünï", ""], 2),
        (&["Ünï", "读书"], 1),
        (&["读书", "ÜNÏ", "读书 "], 1),
        (&["Uni"], 0),
        (&["unknown"], 0),
        (&["Ünï", "unknown"], 0),
        (&["", " "], 2),
        (&["Ünï,读书"], 0),
        (&["%"], 0),
    ];
    for (names, total) in cases {
        let query: Vec<String> = names.iter().map(|name| format!("tags={}", encoded(name))).collect();
        for sort in ["", "&sortBy=updatedAt", "&search=1&search=2"] {
            let (items, found) = list(&ann, &format!("{}{sort}", query.join("&"))).await;
            assert_eq!(items.len(), usize::try_from(found).unwrap());
            let expected = if sort.contains("search") { total.min(1) } else { total };
            assert_eq!(found, expected, "{names:?}{sort}");
        }
    }
    assert_eq!(ann.get("/api/v1/tags").await.data()["tags"].as_array().unwrap().len(), 2);
}

async fn date_bounds_are_inclusive_and_of_the_time_of_writing(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    for (content, created, updated) in [("a", -1, 3000), ("b", 1000, 2000), ("c", 2000, 1000)] {
        memo(&ann, json!({"content": content, "createdAt": created, "updatedAt": updated, "tags": ["t"]})).await;
    }
    for (query, expected) in [
        ("startDate=1000&endDate=2000", ["c", "b"].as_slice()),
        ("startDate=1001", &["c"]),
        ("endDate=1999", &["b", "a"]),
        ("startDate=-1&endDate=-1", &["a"]),
        ("startDate=1000&sortBy=updatedAt", &["b", "c"]),
        ("startDate=1000&tags=t", &["c", "b"]),
        ("endDate=1000&tags=t&sortBy=updatedAt&sortOrder=asc", &["b", "a"]),
        ("startDate=2001", &[]),
        ("startDate=2000&endDate=1000", &[]),
    ] {
        assert_eq!(list(&ann, query).await.0, expected, "{query}");
    }
}

async fn a_category_that_is_unknown_has_no_memos(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    memo(&ann, json!({"content": "x"})).await;
    for (category, total) in
        [("c00000000000000000000000", 0), ("%27%20OR%201=1", 0), ("", 1), ("__uncategorized__", 1)]
    {
        assert_eq!(list(&ann, &format!("categoryId={category}")).await.1, total, "{category}");
    }
}

async fn ties_are_ordered_by_id_in_the_same_direction(kind: Kind) {
    let (server, _) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(text(&memo(&ann, json!({"content": "x", "tags": ["a", "b"]})).await, "memoId"));
    }
    ids.sort_unstable();
    let backwards: Vec<String> = ids.iter().rev().cloned().collect();
    for filter in ["", "&tags=a", "&tags=a&tags=b", "&search=x", "&tags=a&search=x"] {
        for by in ["createdAt", "updatedAt"] {
            for (order, expected) in [("asc", &ids), ("desc", &backwards)] {
                let mut found = Vec::new();
                for page in 1..=3 {
                    let path = format!("/api/v1/memos?sortBy={by}&sortOrder={order}&limit=5&page={page}{filter}");
                    let answer = ann.get(&path).await;
                    found.extend(
                        answer.data()["items"].as_array().unwrap().iter().map(|memo| text(memo, "memoId")),
                    );
                }
                assert_eq!(&found, expected, "{by} {order} {filter}");
            }
        }
    }
}

async fn every_memo_is_on_exactly_one_page(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    for number in 0..23 {
        let tags: &[&str] = if number % 2 == 0 { &["even"] } else { &["odd"] };
        memo(&ann, json!({"content": format!("{number:02}"), "tags": tags, "createdAt": 100 + number / 3})).await;
    }
    for (filter, total) in [("", 23), ("&tags=even", 12), ("&search=1", 12)] {
        let mut found = Vec::new();
        for page in 1..=6 {
            let (items, counted) = list(&ann, &format!("limit=5&page={page}{filter}")).await;
            assert_eq!(counted, total, "{filter}");
            found.extend(items);
        }
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), usize::try_from(total).unwrap(), "{filter}");
    }
}

async fn a_page_past_the_end_is_empty_and_knows_the_total(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let pagination = async |query: &str| {
        let answer = ann.get(&format!("/api/v1/memos?{query}")).await;
        assert_eq!(answer.data()["items"], json!([]), "{query}");
        answer.data()["pagination"].clone()
    };
    assert_eq!(pagination("").await, json!({"total": 0, "page": 1, "limit": 10, "totalPages": 0}));
    for _ in 0..11 {
        memo(&ann, json!({"content": "x"})).await;
    }
    let expected = |page: u64, limit: u64, pages: u64| json!({"total": 11, "page": page, "limit": limit, "totalPages": pages});
    assert_eq!(pagination("page=3").await, expected(3, 10, 2));
    assert_eq!(pagination("page=12&limit=1").await, expected(12, 1, 11));
    assert_eq!(pagination("page=2&limit=11").await, expected(2, 11, 1));
    assert_eq!(pagination("page=1000000000").await, expected(1_000_000_000, 10, 2));
}

async fn a_list_shows_memos_as_a_read_does(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let target = text(&memo(&ann, json!({"content": "target", "createdAt": 1})).await, "memoId");
    let body = json!({"content": "x", "type": "audio", "tags": ["a"], "relationIds": [target], "source": "s"});
    let id = text(&memo(&ann, body).await, "memoId");
    let answer = ann.get("/api/v1/memos?limit=2").await;
    let mut read: Vec<Value> = Vec::new();
    for id in [id, target] {
        read.push(ann.get(&format!("/api/v1/memos/{id}")).await.data().clone());
    }
    assert_eq!(answer.data()["items"], json!(read));
}
