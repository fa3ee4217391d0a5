//! Query parameters (`contract/http-conventions.md` sections 12 and 13).

use serde_json::{Value, json};
use testing::{Client, Kind, Server, encoded, on_every_database};

use crate::objects::memo;

on_every_database!(
    a_number_that_is_none_is_refused,
    page_and_limit_are_brought_into_bounds,
    the_first_of_repeated_parameters_counts,
    unknown_values_of_sort_parameters_are_the_defaults,
    date_bounds_are_the_digits_at_the_beginning,
    tags_have_three_notations,
    queries_of_any_length_find_nothing_rather_than_fail,
);

async fn a_number_that_is_none_is_refused(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let id = memo(&ann, json!({"content": "x"})).await["memoId"].as_str().unwrap().to_owned();
    let service = server.service();
    let routes: [(&Client, String, &[&str]); 5] = [
        (&ann, "/api/v1/memos?".to_owned(), &["page", "limit"]),
        (&ann, format!("/api/v1/memos/{id}/backlinks?"), &["page", "limit"]),
        (&server.anonymous(), format!("/api/v1/memos/public/{}?", ann.uid), &["page", "limit"]),
        (&ann, "/api/v1/insights/activity?".to_owned(), &["days"]),
        (&service, "/api/v1/debug/ba/data?table=memos&".to_owned(), &["page", "pageSize"]),
    ];
    let values =
        ["", "abc", "NaN", "Infinity", "0x10", "1_000", "1,5", " ", "1 2", "--1", "e", ".", "一", "a\"b\\"];
    for (client, path, names) in routes {
        for name in names {
            for value in values {
                let answer = client.get(&format!("{path}{name}={}", encoded(value))).await;
                let message = format!(
                    "Given parameter {name} is invalid. Value ({}) cannot be parsed into number.",
                    Value::from(value)
                );
                assert_eq!(answer.status, 400, "{path}{name}={value}");
                assert_eq!(answer.body, json!({"status": "error", "message": message}));
            }
        }
    }
}

async fn page_and_limit_are_brought_into_bounds(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let id = memo(&ann, json!({"content": "x", "isPublic": true})).await["memoId"].as_str().unwrap().to_owned();
    let routes = [
        ("/api/v1/memos".to_owned(), 10),
        (format!("/api/v1/memos/{id}/backlinks"), 20),
        (format!("/api/v1/memos/public/{}", ann.uid), 20),
    ];
    for (path, default) in routes {
        let cases = [
            ("", 1, default),
            ("page=0&limit=0", 1, default),
            ("page=-3&limit=-1", 1, default),
            ("page=2.9&limit=2.9", 2, 2),
            ("page=.5&limit=.5", 1, default),
            ("page=%2B2&limit=1e2", 2, 100),
            ("page=1&limit=1000", 1, 1000),
            ("page=1&limit=1001", 1, 1000),
            ("page=1&limit=1e300", 1, 1000),
        ];
        for (query, page, limit) in cases {
            let answer = ann.get(&format!("{path}?{query}")).await;
            let pagination = &answer.data()["pagination"];
            assert_eq!(
                (&pagination["page"], &pagination["limit"]),
                (&json!(page), &json!(limit)),
                "{path}?{query}"
            );
        }
        let beyond = ann.get(&format!("{path}?page=1e300&limit=1000")).await;
        assert_eq!(beyond.data()["items"], json!([]));
    }
}

async fn the_first_of_repeated_parameters_counts(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    memo(&ann, json!({"content": "apple"})).await;
    let answer = ann.get("/api/v1/memos?search=apple&search=pear&page=1&page=abc&limit=5&limit=7").await;
    assert_eq!(answer.data()["pagination"], json!({"total": 1, "page": 1, "limit": 5, "totalPages": 1}));
}

async fn unknown_values_of_sort_parameters_are_the_defaults(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    for (content, created, updated) in [("a", 1000, 3000), ("b", 2000, 2000), ("c", 3000, 1000)] {
        memo(&ann, json!({"content": content, "createdAt": created, "updatedAt": updated})).await;
    }
    for (query, order) in [
        ("", "cba"),
        ("sortBy=content&sortOrder=up", "cba"),
        ("sortBy=created_at&sortOrder=ASC", "cba"),
        ("sortBy=&sortOrder=asc", "abc"),
        ("sortBy=updatedAt", "abc"),
        ("sortBy=updatedAt&sortOrder=asc", "cba"),
    ] {
        assert_eq!(contents(&ann, query).await, order, "{query}");
    }
}

/// Returns the one-letter contents of the listed memos.
async fn contents(user: &Client, query: &str) -> String {
    let answer = user.get(&format!("/api/v1/memos?{query}")).await;
    answer.data()["items"].as_array().unwrap().iter().map(|memo| memo["content"].as_str().unwrap()).collect()
}

async fn date_bounds_are_the_digits_at_the_beginning(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    for (content, created) in [("a", -1000), ("b", 1), ("c", 1000)] {
        memo(&ann, json!({"content": content, "createdAt": created})).await;
    }
    for (query, found) in [
        ("startDate=-1000&endDate=1000", "cba"),
        ("startDate=-999&endDate=999", "b"),
        ("startDate=1000", "c"),
        ("endDate=-1000", "a"),
        ("startDate=%2B1", "cb"),
        ("startDate=1.9", "cb"),
        ("startDate=1x", "cb"),
        ("startDate=2024-01-01", ""),
        ("startDate=abc&endDate=", "cba"),
        ("startDate=1000&endDate=-1000", ""),
        ("startDate=-99999999999999999999&endDate=99999999999999999999", "cba"),
        ("startDate=99999999999999999999", ""),
    ] {
        assert_eq!(contents(&ann, query).await, found, "{query}");
    }
}

async fn tags_have_three_notations(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    memo(&ann, json!({"content": "a", "tags": ["x", "y"]})).await;
    memo(&ann, json!({"content": "b", "tags": ["x", "x,y"]})).await;
    for (query, found) in [
        ("tags=x&tags=y", "a"),
        ("tags[]=x&tags[]=y", "a"),
        ("tags[0]=x&tags[1]=y", "a"),
        ("tags%5B%5D=y", "a"),
        ("tags=y", "a"),
        ("tags=x,y", "b"),
        ("tag=y", "ba"),
        ("tagsx=y&tags[x]=y", "ba"),
    ] {
        assert_eq!(contents(&ann, query).await, found, "{query}");
    }
}

async fn queries_of_any_length_find_nothing_rather_than_fail(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    memo(&ann, json!({"content": "a", "tags": ["t0"]})).await;
    let many: Vec<String> = (0..5000).map(|number| format!("tags=t{number}")).collect();
    let long = encoded(&"長".repeat(6000));
    for query in [many.join("&"), format!("search={long}"), format!("categoryId={long}"), format!("tags={long}")] {
        assert_eq!(contents(&ann, &query).await, "", "{query:.20}");
    }
    assert_eq!(ann.get(&format!("/api/v1/memos/{long}")).await.code(), 3);
}
