//! The memos worth reading again today (`contract/insights-recommendations.md` section 3).

use std::collections::HashSet;

use futures::future::join_all;
use serde_json::{Value, json};
use shared::{
    ids::{MemoId, SystemRandom, Uid},
    repositories::{self, daily_recommendations, memos::MemoRecord},
};
use testing::{Answer, Client, Kind, Provider, Server, Settings, on_every_database};

use super::{DAY, utc};
use crate::{
    ai::{asking, asking_for, said},
    objects::{attachment, memo_id, text},
    providers::broken,
};

on_every_database!(
    the_model_chooses_three_of_ten_and_the_choice_is_kept_for_the_day,
    three_memos_or_fewer_are_all_recommended_and_nobody_is_asked,
    a_model_that_fails_is_replaced_by_chance,
    odd_answers_are_topped_up,
    a_choice_that_lost_a_memo_or_cannot_be_read_is_made_again,
    two_first_requests_at_once_get_the_same_choice,
    memos_are_shown_with_what_belongs_to_them,
    the_day_is_that_of_the_zone,
    the_number_of_statements_does_not_depend_on_the_number_of_memos,
    memos_of_others_are_never_recommended,
);

const PATH: &str = "/api/v1/insights/daily-recommendations";

async fn server(kind: Kind, url: &str) -> Server {
    Server::start_with(kind, Settings { variables: asking(url), ..Settings::default() }).await
}

/// Returns a model that names the ids in the places of the memos that it is shown.
fn choosing(places: &'static [usize]) -> Provider {
    Provider::start(move |asked, _| {
        let shown = ids_shown(&asked.body);
        let named: Vec<&String> = places.iter().map(|place| &shown[*place]).collect();
        said(&format!("Here: {}", json!(named)))
    })
}

/// Returns the ids of the memos that the model is shown.
fn ids_shown(body: &Value) -> Vec<String> {
    let user = body["messages"][1]["content"].as_str().unwrap();
    let ids = user.lines().filter_map(|line| line.split_once("ID: "));
    ids.map(|(_, id)| id.to_owned()).collect()
}

fn ids_of(answer: &Answer) -> Vec<String> {
    let data = answer.data();
    let items = data["items"].as_array().unwrap();
    assert_eq!(data["total"], json!(items.len()));
    items.iter().map(|item| text(item, "memoId")).collect()
}

async fn write_many(user: &Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(memo_id(user, json!({"content": format!("memo {number}")})).await);
    }
    ids
}

async fn the_model_chooses_three_of_ten_and_the_choice_is_kept_for_the_day(kind: Kind) {
    let provider = choosing(&[7, 0, 3, 9]);
    let ann = server(kind, &provider.url()).await.user().await;
    let written = write_many(&ann, 12).await;
    let first = ids_of(&ann.get(PATH).await);
    let asked = provider.asked();
    let shown = ids_shown(&asked[0].body);
    assert_eq!((shown.len(), shown.iter().collect::<HashSet<_>>().len()), (10, 10));
    assert!(shown.iter().all(|id| written.contains(id)));
    assert_eq!(first, [&*shown[7], &shown[0], &shown[3]]);
    assert_eq!(asked[0].body["temperature"], json!(0.7));
    write_many(&ann, 3).await;
    assert_eq!(ids_of(&ann.get(PATH).await), first);
    assert_eq!(provider.asked().len(), 1);
}

async fn three_memos_or_fewer_are_all_recommended_and_nobody_is_asked(kind: Kind) {
    let provider = choosing(&[]);
    let server = server(kind, &provider.url()).await;
    for count in 0..=3 {
        let ann = server.user().await;
        let mut written = write_many(&ann, count).await;
        let mut recommended = ids_of(&ann.get(PATH).await);
        written.sort_unstable();
        recommended.sort_unstable();
        assert_eq!(recommended, written);
        write_many(&ann, 1).await;
        // An empty choice is not kept, a small one is.
        assert_eq!(ids_of(&ann.get(PATH).await).len(), count.max(1));
    }
    assert!(provider.asked().is_empty());
}

async fn a_model_that_fails_is_replaced_by_chance(kind: Kind) {
    for broken in broken() {
        let variables = asking_for(&broken.url, broken.timeout_ms);
        let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
        let ann = server.user().await;
        write_many(&ann, 5).await;
        let chosen = ids_of(&ann.get(PATH).await);
        assert_eq!(chosen.iter().collect::<HashSet<_>>().len(), 3, "{}", broken.name);
        // What chance has chosen is kept as well.
        assert_eq!(ids_of(&ann.get(PATH).await), chosen, "{}", broken.name);
        let asked = broken.provider.map_or(0, |provider| provider.asked().len());
        assert!(asked <= 2, "{}: asked {asked} times", broken.name);
    }
}

async fn odd_answers_are_topped_up(kind: Kind) {
    for places in [&[1][..], &[2, 2, 2, 1], &[]] {
        let places: &'static [usize] = places;
        let provider = choosing(places);
        let ann = server(kind, &provider.url()).await.user().await;
        write_many(&ann, 4).await;
        let chosen = ids_of(&ann.get(PATH).await);
        let shown = ids_shown(&provider.asked()[0].body);
        assert_eq!(chosen.iter().collect::<HashSet<_>>().len(), 3);
        if let Some(favourite) = places.first() {
            assert_eq!(chosen[0], shown[*favourite]);
        }
    }
}

async fn a_choice_that_lost_a_memo_or_cannot_be_read_is_made_again(kind: Kind) {
    let provider = choosing(&[0, 1, 2]);
    let server = server(kind, &provider.url()).await;
    let ann = server.user().await;
    write_many(&ann, 6).await;
    let first = ids_of(&ann.get(PATH).await);
    ann.delete(&format!("/api/v1/memos/{}", first[1])).await.data();
    let second = ids_of(&ann.get(PATH).await);
    assert!(second.len() == 3 && !second.contains(&first[1]));
    assert_eq!(ids_of(&ann.get(PATH).await), second);
    for corrupt in ["[", "{}", "[]", "[7]"] {
        server
            .execute(format!("UPDATE daily_recommendations SET memo_ids = '{corrupt}' WHERE uid = '{}'", ann.uid))
            .await;
        let made = ids_of(&ann.get(PATH).await);
        assert_eq!((made.len(), &ids_of(&ann.get(PATH).await)), (3, &made), "{corrupt}");
    }
    let rows = daily_recommendations::find_by_user(&server.app.context.db, &Uid::from(&*ann.uid)).await.unwrap();
    assert_eq!(rows.len(), 1);
}

async fn two_first_requests_at_once_get_the_same_choice(kind: Kind) {
    let provider = Provider::start(|asked, before| {
        let shown = ids_shown(&asked.body);
        said(&json!(shown[before % 5..][..3]).to_string())
    });
    let server = server(kind, &provider.url()).await;
    for _ in 0..5 {
        let ann = server.user().await;
        write_many(&ann, 8).await;
        let answers = join_all((0..6).map(|_| ann.get(PATH))).await;
        let chosen: HashSet<Vec<String>> = answers.iter().map(ids_of).collect();
        assert_eq!(chosen.len(), 1, "{chosen:?}");
    }
}

async fn memos_are_shown_with_what_belongs_to_them(kind: Kind) {
    let server = server(kind, &Provider::nowhere()).await;
    let ann = server.user().await;
    let file = attachment(&server, &ann).await;
    let target = memo_id(&ann, json!({"content": "target"})).await;
    let body = json!({"content": "x", "tags": ["a"], "attachments": [file], "relationIds": [target],
        "source": "https://example.com", "isPublic": true});
    let id = memo_id(&ann, body).await;
    let answer = ann.get(PATH).await;
    let items = answer.data()["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["memoId"] == json!(id)).unwrap();
    assert_eq!((&item["tags"][0]["name"], &item["tagIds"][0]), (&json!("a"), &item["tags"][0]["tagId"]));
    assert_eq!((&item["attachments"][0]["attachmentId"], &item["isPublic"]), (&json!(file), &json!(true)));
    assert!(item.get("source").is_none() && item.get("relations").is_none());
    let members: Vec<&String> = items[0].as_object().unwrap().keys().collect();
    assert!(
        ["attachments", "tags", "tagIds", "isPublic"]
            .iter()
            .all(|name| members.iter().any(|member| member == name))
    );
}

async fn the_day_is_that_of_the_zone(kind: Kind) {
    // Midnight in Shanghai is four in the afternoon in UTC.
    let midnight = utc(2026, 3, 5) - 8 * 60 * super::MINUTE;
    let (server, clock) = Server::start_at(kind, midnight - 1).await;
    let ann = server.user().await;
    write_many(&ann, 2).await;
    for (now, date) in [(midnight - 1, "2026-03-04"), (midnight, "2026-03-05"), (midnight + DAY - 1, "2026-03-05")]
    {
        clock.set(now);
        ids_of(&ann.get(PATH).await);
        let rows =
            daily_recommendations::find_by_user(&server.app.context.db, &Uid::from(&*ann.uid)).await.unwrap();
        assert_eq!(rows[0].date, date);
    }
}

/// Stores memos past the routes, for there are many.
async fn store(server: &Server, user: &Client, count: i64) {
    let uid = &Uid::from(user.uid.as_str());
    let stored: shared::db::Result<()> = server
        .app
        .context
        .db
        .transaction(|tx| async move {
            for created_at in 1_750_000_000_000..1_750_000_000_000 + count {
                let memo = MemoRecord {
                    memo_id: MemoId::new(&SystemRandom),
                    uid: uid.clone(),
                    category_id: None,
                    content: "x".to_owned(),
                    memo_type: "text".to_owned(),
                    source: None,
                    is_public: false,
                    attachments: Vec::new(),
                    created_at,
                    updated_at: created_at,
                };
                repositories::memos::create(&tx, &memo).await?;
            }
            Ok(())
        })
        .await;
    stored.unwrap();
}

async fn the_number_of_statements_does_not_depend_on_the_number_of_memos(kind: Kind) {
    let provider = choosing(&[0, 1, 2]);
    let server = server(kind, &provider.url()).await;
    let mut costs = HashSet::new();
    for count in [4, 11, 2000] {
        let ann = server.user().await;
        store(&server, &ann, count).await;
        let mut cost = Vec::new();
        for _ in 0..2 {
            let before = server.app.context.db.statements();
            assert_eq!(ids_of(&ann.get(PATH).await).len(), 3);
            cost.push(server.app.context.db.statements() - before);
        }
        costs.insert(cost);
    }
    // Authentication; today's row, count, places, memos, insertion, today's row again, tags. Then from the row:
    // memos, tags.
    assert_eq!(costs, HashSet::from([vec![8, 4]]));
}

async fn memos_of_others_are_never_recommended(kind: Kind) {
    let server = server(kind, &Provider::nowhere()).await;
    let (ann, bob) = (server.user().await, server.user().await);
    let foreign = write_many(&bob, 5).await;
    let own = write_many(&ann, 5).await;
    let chosen = ids_of(&ann.get(PATH).await);
    assert!(chosen.iter().all(|id| own.contains(id)));
    // Not even when somebody else's ids stand in the row.
    let ids = json!([foreign[0], foreign[1], own[0]]).to_string();
    server.execute(format!("UPDATE daily_recommendations SET memo_ids = '{ids}' WHERE uid = '{}'", ann.uid)).await;
    let chosen = ids_of(&ann.get(PATH).await);
    assert!(chosen.len() == 3 && chosen.iter().all(|id| own.contains(id)));
}
