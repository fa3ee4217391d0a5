//! The same with vectors and caches in a bucket.

use serde_json::json;
use testing::{Kind, Server, Settings, run_with_s3_credentials, s3_vector_settings};

use super::{QUICK, ids, search, write};
use crate::explore::{ask, asking_with_local_embeddings, model};

#[test]
fn every_route_of_the_search_works_on_a_bucket() {
    run_with_s3_credentials("search::bucket::finds_in_a_bucket");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by every_route_of_the_search_works_on_a_bucket"]
async fn finds_in_a_bucket() {
    tokio::join!(on(Kind::Sqlite), on(Kind::Postgres), on(Kind::MariaDb));
}

async fn on(kind: Kind) {
    let provider = model(|_| None);
    let mut variables = asking_with_local_embeddings(&provider.url());
    variables.extend(s3_vector_settings());
    let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
    let ann = server.user().await;
    let written = write(&ann, &["sourdough bread 面包", "sourdough bread recipe 🍞", "四月的天气"]).await;
    let (items, total) = search(&ann, json!({"query": "sourdough bread 面包"})).await;
    assert_eq!((ids(&items)[0].as_str(), total), (written[0].as_str(), 3));
    let related = ann.get(&format!("/api/v1/memos/{}/related", written[0])).await;
    assert_eq!(ids(&related.data()["items"])[0], written[1]);
    let quick = ann.post(QUICK, json!({"query": "sourdough bread recipe 🍞"})).await;
    assert_eq!(ids(&quick.data()["items"])[0], written[1]);
    let answer = ask(&ann, "sourdough bread").await;
    assert_eq!((&answer["answer"], ids(&answer["sources"]).len()), (&json!("The answer [1]."), 2));
    let graph = ann.get(&format!("/api/v1/explore/relations/{}?includeBacklinks=true", written[0])).await;
    assert!(graph.data()["graph"]["nodes"].as_array().unwrap().len() > 1);
    // What is deleted is gone at once.
    ann.delete(&format!("/api/v1/memos/{}", written[0])).await.data();
    assert_eq!(search(&ann, json!({"query": "sourdough bread 面包"})).await.1, 2);
    let stranger = server.user().await;
    assert_eq!(search(&stranger, json!({"query": "sourdough"})).await.1, 0);
}
