//! Two users never meet in a result: random stores of several users, whose memos are alike to the letter but for
//! a mark of their owner, and every route asked by each of them.

use std::collections::HashSet;

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use testing::{Answer, Client, Kind, Provider, Server, Settings, on_every_database};

use super::{QUICK, VECTOR, ids, search};
use crate::{
    ai::said,
    explore::asking_with_local_embeddings,
    objects::{memo_id, text},
};

on_every_database!(random_stores_keep_their_users_apart);

const STORES: u64 = 3;
const USERS: usize = 3;

const WORDS: [&str; 8] = ["bread", "butter", "rust", "读书", "天气", "😀", "sourdough", "lambda"];

/// A user, the mark that all their memos bear, and the ids of these.
struct Owner {
    client: Client,
    mark: String,
    memos: Vec<String>,
}

fn sentence(rng: &mut StdRng) -> String {
    let words: Vec<&str> = (0..rng.random_range(1..6)).map(|_| *WORDS.choose(rng).unwrap()).collect();
    words.join(" ")
}

async fn fill(rng: &mut StdRng, owner: &mut Owner, foreign: &[String]) {
    for _ in 0..rng.random_range(1..12) {
        // Relations to memos of others are asked for, too.
        let known = owner.memos.choose(rng).into_iter().chain(foreign.choose(rng));
        let relations: Vec<&String> = known.collect();
        let content = format!("{} {}", sentence(rng), owner.mark);
        let body = json!({"content": content, "relationIds": relations});
        owner.memos.push(memo_id(&owner.client, body).await);
    }
    if owner.memos.len() > 3 {
        let deleted = owner.memos.remove(rng.random_range(0..owner.memos.len()));
        owner.client.delete(&format!("/api/v1/memos/{deleted}")).await.data();
    }
}

/// Asserts that an answer shows nothing of anybody else.
fn assert_own(answer: &Answer, own: &Owner, all: &[Owner]) {
    let body = answer.body.to_string();
    for other in all.iter().filter(|other| other.mark != own.mark) {
        let shown = other.memos.iter().chain([&other.mark, &other.client.uid]).find(|mark| body.contains(*mark));
        assert_eq!(shown, None, "{body}");
    }
}

async fn random_stores_keep_their_users_apart(kind: Kind) {
    for seed in 0..STORES {
        let rng = &mut StdRng::seed_from_u64(seed);
        let provider = Provider::always(said("An answer."));
        let variables = asking_with_local_embeddings(&provider.url());
        let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
        let mut owners = Vec::new();
        for number in 0..USERS {
            let client = server.user().await;
            owners.push(Owner { client, mark: format!("mark{seed}{number}"), memos: Vec::new() });
        }
        for _ in 0..2 {
            for number in 0..USERS {
                let foreign: Vec<String> = owners.iter().flat_map(|owner| owner.memos.clone()).collect();
                fill(rng, &mut owners[number], &foreign).await;
            }
        }
        for own in &owners {
            assert_meets_nobody(rng, &provider, own, &owners).await;
        }
    }
}

async fn assert_meets_nobody(rng: &mut StdRng, provider: &Provider, own: &Owner, all: &[Owner]) {
    let Owner { client, memos, .. } = own;
    let asked = provider.asked().len();
    for _ in 0..3 {
        let stranger = all.choose(rng).unwrap();
        let query = format!("{} {}", sentence(rng), stranger.mark);
        let body = json!({"query": query, "limit": 1000});
        // All of one's own memos are found, and nothing else.
        let (items, total) = search(client, body.clone()).await;
        assert_eq!(total, memos.len() as u64);
        assert_eq!(ids(&items).iter().collect::<HashSet<_>>(), memos.iter().collect::<HashSet<_>>());
        for item in items.as_array().unwrap() {
            assert_eq!(text(item, "uid"), client.uid);
        }
        let mut answers = Vec::new();
        for path in [VECTOR, QUICK, "/api/v1/explore"] {
            answers.push(client.post(path, body.clone()).await);
        }
        let memo = memos.choose(rng).unwrap();
        for path in ["memos/{}/related?limit=1000", "explore/relations/{}"] {
            answers.push(client.get(&format!("/api/v1/{}", path.replace("{}", memo))).await);
        }
        for answer in &answers {
            answer.data();
            assert_own(answer, own, all);
        }
        assert_eq!(answers[3].data()["pagination"]["total"], json!(memos.len() - 1));
    }
    // Nor does the model see anything of others, but for what was asked.
    for asked in &provider.asked()[asked..] {
        let shown: Vec<&Value> = asked.body["messages"].as_array().unwrap().iter().collect();
        let shown = shown.iter().map(|message| text(message, "content")).collect::<String>();
        for other in all.iter().filter(|other| other.mark != own.mark) {
            let of_others = shown.lines().filter(|line| line.contains(&other.mark)).count();
            assert!(of_others <= 1, "{shown}");
        }
    }
}
