//! Filters and pages of a vector search: filter first, then rank, then page (`contract/memos.md`, route 2).

use std::collections::HashSet;

use serde_json::{Value, json};
use testing::{Client, Kind, Server, on_every_database};

use super::{VECTOR, ids, search};
use crate::objects::{category, memo_id};

on_every_database!(filters_apply_before_the_ranking_is_cut, pages_hold_every_memo_once, odd_pages_are_set_right);

const DAY: i64 = 86_400_000;
const START: i64 = 1_700_000_000_000;

/// Writes 40 memos, one a day: every fourth in a category, all but equally close to "bread".
async fn write_forty(user: &Client) -> (String, Vec<String>) {
    let category = category(user, "food").await;
    let mut written = Vec::new();
    for number in 0..40 {
        let category = if number % 4 == 0 { json!(category) } else { json!(null) };
        let content = format!("bread number {number}");
        let created_at = START + number * DAY;
        let body = json!({"content": content, "createdAt": created_at, "categoryId": category});
        written.push(memo_id(user, body).await);
    }
    (category, written)
}

fn set(ids: impl IntoIterator<Item = String>) -> HashSet<String> {
    ids.into_iter().collect()
}

async fn filters_apply_before_the_ranking_is_cut(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let (category, written) = write_forty(&ann).await;
    let of = |fits: fn(usize) -> bool| {
        let fitting = written.iter().enumerate().filter(|(number, _)| fits(*number));
        fitting.map(|(_, id)| id.clone()).collect::<HashSet<_>>()
    };
    let (from, to) = (START + 10 * DAY, START + 20 * DAY);
    let filters = [
        (json!({}), of(|_| true)),
        (json!({"categoryId": "", "startDate": null, "endDate": null}), of(|_| true)),
        (json!({"categoryId": category}), of(|number| number % 4 == 0)),
        (json!({"categoryId": "__uncategorized__"}), of(|number| number % 4 != 0)),
        (json!({"categoryId": "c0"}), of(|_| false)),
        (json!({"startDate": from}), of(|number| number >= 10)),
        (json!({"endDate": to.to_string()}), of(|number| number <= 20)),
        (json!({"startDate": from, "endDate": to}), of(|number| (10..=20).contains(&number))),
        (json!({"startDate": from + 1, "endDate": to - 1}), of(|number| (11..=19).contains(&number))),
        (
            json!({"startDate": from, "endDate": to, "categoryId": category}),
            of(|number| [12, 16, 20].contains(&number)),
        ),
        (json!({"startDate": "soon", "endDate": ""}), of(|_| true)),
        (json!({"endDate": 0}), of(|_| false)),
        (json!({"startDate": to, "endDate": from}), of(|_| false)),
    ];
    for (filter, expected) in filters {
        let mut body = json!({"query": "bread number 7", "limit": 1000});
        body.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        let (items, total) = search(&ann, body).await;
        assert_eq!((set(ids(&items)), total), (expected.clone(), expected.len() as u64), "{filter}");
    }
}

async fn pages_hold_every_memo_once(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let (_, written) = write_forty(&ann).await;
    let (all, _) = search(&ann, json!({"query": "bread", "limit": 1000})).await;
    let all = ids(&all);
    assert_eq!(set(all.clone()), set(written));
    for limit in [1, 7, 20, 40, 1000] {
        let mut paged = Vec::new();
        for page in 1..=40_usize.div_ceil(limit) + 1 {
            let answer = ann.post(VECTOR, json!({"query": "bread", "page": page, "limit": limit})).await;
            let pagination =
                json!({"total": 40, "page": page, "limit": limit, "totalPages": 40_usize.div_ceil(limit)});
            assert_eq!(answer.data()["pagination"], pagination);
            paged.extend(ids(&answer.data()["items"]));
        }
        assert_eq!(paged, all, "{limit}");
    }
}

async fn odd_pages_are_set_right(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    super::write(&ann, &["bread", "butter"]).await;
    let pagination = async |page: Value, limit: Value| {
        let answer = ann.post(VECTOR, json!({"query": "bread", "page": page, "limit": limit})).await;
        let pagination = &answer.data()["pagination"];
        (pagination["page"].as_u64().unwrap(), pagination["limit"].as_u64().unwrap())
    };
    assert_eq!(pagination(json!(null), json!(null)).await, (1, 20));
    assert_eq!(pagination(json!(0), json!(0)).await, (1, 20));
    assert_eq!(pagination(json!(-2), json!(-5)).await, (1, 20));
    assert_eq!(pagination(json!(1.9), json!(1.9)).await, (1, 1));
    assert_eq!(pagination(json!(2), json!(1e9)).await, (2, 1000));
    pagination(json!(1e300), json!(1000)).await;
}
