//! Retrieval quality: the product finds of a labelled set exactly what a comparison of all vectors finds.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use shared::clients::{EmbeddingModel, Patience};
use testing::{Kind, Server, on_every_database};

use super::{ids, search};
use crate::objects::memo_id;

on_every_database!(the_ten_nearest_are_those_of_a_comparison_of_all_vectors);

const LABELLED: &str = include_str!("labelled.json");

const PATIENCE: Patience = Patience { total: Duration::from_mins(1), retries: 0 };

/// How many of the results count.
const DEPTH: usize = 10;

/// Below that the labels, or the embeddings, have become wrong. These know words only; a model finds more.
const LEAST_RECALL: f64 = 0.95;

/// Returns the notes by their closeness, each with its squared distance.
fn compared<'a>(query: &[f32], vectors: &'a [(String, Vec<f32>)]) -> Vec<(f64, &'a str)> {
    let distance = |vector: &[f32]| {
        let differences = vector.iter().zip(query).map(|(a, b)| f64::from(*a) - f64::from(*b));
        differences.map(|difference| difference * difference).sum::<f64>()
    };
    let mut compared: Vec<_> = vectors.iter().map(|(name, vector)| (distance(vector), name.as_str())).collect();
    compared.sort_by(|a, b| a.0.total_cmp(&b.0));
    compared
}

/// Returns the part of what is relevant that is among the first results.
fn recall(results: &[&str], relevant: &[&str]) -> f64 {
    let found = relevant.iter().filter(|name| results.iter().take(DEPTH).any(|result| result == *name)).count();
    #[expect(clippy::cast_precision_loss, reason = "these are counts of a handful")]
    let part = found as f64 / relevant.len() as f64;
    part
}

async fn embedded(model: &dyn EmbeddingModel, texts: &[&str]) -> Vec<Vec<f32>> {
    model.embed(texts, PATIENCE).await.unwrap()
}

async fn the_ten_nearest_are_those_of_a_comparison_of_all_vectors(kind: Kind) {
    let labelled: Value = serde_json::from_str(LABELLED).unwrap();
    let notes: BTreeMap<String, String> = serde_json::from_value(labelled["notes"].clone()).unwrap();
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let mut names = BTreeMap::new();
    for (name, content) in &notes {
        names.insert(memo_id(&ann, json!({ "content": content })).await, name.as_str());
    }
    let model = server.app.embeddings();
    let texts: Vec<&str> = notes.values().map(String::as_str).collect();
    let vectors: Vec<_> = notes.keys().cloned().zip(embedded(model, &texts).await).collect();

    let (mut found, mut compared_to) = (Vec::new(), Vec::new());
    for labels in labelled["queries"].as_array().unwrap() {
        let query = labels["query"].as_str().unwrap();
        let relevant: Vec<&str> =
            labels["relevant"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        assert!(relevant.iter().all(|name| notes.contains_key(*name)), "{query}");
        let (items, total) = search(&ann, json!({"query": query, "limit": DEPTH})).await;
        assert_eq!(total, notes.len() as u64);
        let results: Vec<&str> = ids(&items).iter().map(|id| names[id]).collect();
        let brute = compared(&embedded(model, &[query]).await[0], &vectors);
        // Single precision may swap those that are equally far.
        for (result, (distance, _)) in results.iter().zip(&brute) {
            let (own, _) = brute.iter().find(|(_, name)| name == result).unwrap();
            assert!((own - distance).abs() < 1e-5, "{query}: {result}");
        }
        let brute: Vec<&str> = brute.into_iter().map(|(_, name)| name).collect();
        println!("{query}: {:.2}, nearest: {}", recall(&results, &relevant), results[0]);
        found.push(recall(&results, &relevant));
        compared_to.push(recall(&brute, &relevant));
    }
    assert_eq!(found, compared_to);
    #[expect(clippy::cast_precision_loss, reason = "these are counts of a handful")]
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    println!("recall@{DEPTH}: {mean:.3}");
    assert!(mean >= LEAST_RECALL, "{mean}");
}
