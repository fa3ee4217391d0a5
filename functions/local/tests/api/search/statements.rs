//! How many statements a search, a question and a graph cost: as many whatever the number of memos.

use serde_json::{Value, json};
use testing::{Client, Kind, Provider, Server, Settings, on_every_database};

use super::{QUICK, VECTOR};
use crate::{
    ai::said,
    explore::asking_with_local_embeddings,
    objects::{attachment, memo_id},
};

on_every_database!(the_number_of_statements_does_not_depend_on_the_number_of_memos);

/// Writes memos that are all close to "sourdough", each related to the first one and related to by it, each with a
/// file and a tag. Returns the first one.
async fn write_related(server: &Server, user: &Client, count: usize) -> String {
    let content = |number: usize| format!("sourdough {number}");
    let first = memo_id(user, json!({"content": content(0)})).await;
    let mut others = Vec::new();
    for number in 1..count {
        let file = attachment(server, user).await;
        let body =
            json!({"content": content(number), "relationIds": [first], "attachments": [file], "tags": ["a"]});
        others.push(memo_id(user, body).await);
    }
    user.put(&format!("/api/v1/memos/{first}"), json!({"content": content(0), "relationIds": others}))
        .await
        .data();
    first
}

async fn the_number_of_statements_does_not_depend_on_the_number_of_memos(kind: Kind) {
    let provider = Provider::always(said("Said."));
    let variables = asking_with_local_embeddings(&provider.url());
    let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
    let mut costs = Vec::new();
    for count in [3, 150] {
        let ann = server.user().await;
        let first = write_related(&server, &ann, count).await;
        // Writes the pending vectors, which takes statements of its own.
        ann.post(VECTOR, json!({"query": "x"})).await.data();
        let cost = async |path: String, body: Option<Value>| {
            let before = server.app.context.db.statements();
            let answer = match body {
                Some(body) => ann.post(&path, body).await,
                None => ann.get(&path).await,
            };
            answer.data();
            server.app.context.db.statements() - before
        };
        let query = |limit: usize| Some(json!({"query": "sourdough", "limit": limit}));
        costs.push([
            cost(VECTOR.to_owned(), query(1000)).await,
            cost(QUICK.to_owned(), query(50)).await,
            cost(format!("/api/v1/memos/{first}/related?limit=1000"), None).await,
            cost("/api/v1/explore".to_owned(), query(0)).await,
            cost(format!("/api/v1/explore/relations/{first}"), None).await,
        ]);
    }
    assert_eq!(costs[0], costs[1]);
    println!("vector search, quick search, related, explore, graph: {:?}", costs[0]);
    assert!(costs[0].iter().all(|cost| *cost <= 10), "{costs:?}");
}
