//! From notes to vectors, with a real store, real databases and a stand-in for the provider.

mod drain;
mod failures;
mod kill;
mod steps;
mod together;

use std::{path::PathBuf, sync::Arc, time::Duration};

use indexer::{Drained, Index};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::{
    clock::ManualClock,
    db::{Database, schema},
    ids::Uid,
};
use testing::{Answering, Asked, Client, Kind, Provider, Server, Settings, directory, empty_database};
use vectors::{Store, StoreOptions, VectorKind, VectorRow, VectorTable};

/// The length of the vectors.
const DIMENSIONS: usize = 16;

const NOW: i64 = 1_750_000_000_000;

/// A product with a database, a vector store and a provider of its own.
struct Desk {
    server: Server,
    clock: Arc<ManualClock>,
    ann: Client,
    database_url: String,
    store: PathBuf,
    provider: Arc<Provider>,
}

impl Desk {
    /// Starts a product whose provider answers well.
    async fn start(kind: Kind) -> Self {
        Self::start_with(kind, |asked, _| embeddings(asked)).await
    }

    async fn start_with(kind: Kind, answer: impl Fn(&Asked, usize) -> Answering + Send + Sync + 'static) -> Self {
        let options = empty_database(kind).await;
        let database = Database::open(&options).expect("the URL is right");
        schema::migrate(&database, NOW).await.expect("the schema can be made");
        let (store, provider) = (directory("lancedb"), Arc::new(Provider::start(answer)));
        let clock = Arc::new(ManualClock::at(NOW));
        let server = open(kind, &options.url, &store, &provider, &clock).await;
        let ann = server.user().await;
        Self { server, clock, ann, database_url: options.url, store, provider }
    }

    /// Returns another process on the same data.
    async fn another(&self, kind: Kind) -> Server {
        open(kind, &self.database_url, &self.store, &self.provider, &self.clock).await
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        settings(&self.store, &self.provider)
    }

    async fn drain(&self) -> Drained {
        drain(&self.server).await
    }

    /// Writes a memo and returns its id.
    async fn write(&self, content: &str) -> String {
        let made = self.ann.post("/api/v1/memos", json!({"content": content})).await;
        made.data()["memo"]["memoId"].as_str().expect("an id").to_owned()
    }

    async fn edit(&self, id: &str, content: &str) {
        self.ann.put(&format!("/api/v1/memos/{id}"), json!({"content": content})).await.data();
    }

    async fn delete(&self, id: &str) {
        self.ann.delete(&format!("/api/v1/memos/{id}")).await.data();
    }

    fn uid(&self) -> Uid {
        Uid::from(self.ann.uid.as_str())
    }

    /// Returns the rows of the vector table that some memos have.
    async fn rows(&self, ids: &[&str]) -> Vec<VectorRow> {
        match self.table().await {
            Some(table) => table.find(ids).await.expect("rows"),
            None => Vec::new(),
        }
    }

    async fn table(&self) -> Option<VectorTable> {
        let uri = self.store.display().to_string();
        let store =
            Store::open_or_create(&StoreOptions { uri, ..StoreOptions::default() }).await.expect("a store");
        VectorTable::open(&store, VectorKind::Memo).await.expect("an answer")
    }

    /// Asserts that a memo has just the vector of a text, or none.
    async fn assert_vector(&self, id: &str, text: Option<&str>) {
        let vectors: Vec<_> = self.rows(&[id]).await.into_iter().map(|row| row.vector).collect();
        assert_eq!(vectors, Vec::from_iter(text.map(vector)), "{id}");
    }

    /// Returns how many notes wait.
    async fn pending(&self) -> i64 {
        Index::of(&self.server.app).status().await.expect("the status").pending
    }

    /// Returns every text that the provider was asked for.
    fn texts_asked(&self) -> Vec<String> {
        self.provider.asked().iter().flat_map(texts).collect()
    }
}

async fn open(
    kind: Kind,
    database_url: &str,
    store: &std::path::Path,
    provider: &Provider,
    clock: &Arc<ManualClock>,
) -> Server {
    let variables = settings(store, provider);
    let database_url = Some(database_url.to_owned());
    let settings = Settings { clock: Some(clock.clone()), variables, database_url, ..Settings::default() };
    Server::start_with(kind, settings).await
}

fn settings(store: &std::path::Path, provider: &Provider) -> Vec<(&'static str, String)> {
    vec![
        ("LANCEDB_URI", store.display().to_string()),
        ("OPENAI_BASE_URL", provider.url()),
        ("OPENAI_API_KEY", "sk-of-the-tests".to_owned()),
        ("OPENAI_EMBEDDING_DIMENSIONS", DIMENSIONS.to_string()),
    ]
}

async fn drain(server: &Server) -> Drained {
    Index::of(&server.app).drain(Duration::from_mins(1)).await.expect("the database answers")
}

/// Returns the texts of a request for embeddings.
fn texts(asked: &Asked) -> Vec<String> {
    let texts = asked.body["input"].as_array().cloned().unwrap_or_default();
    texts.iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// Returns the unit vector that the provider gives a text.
fn vector(text: &str) -> Vec<f32> {
    let digest = Sha256::digest(text);
    let numbers: Vec<f32> = digest.iter().take(DIMENSIONS).map(|byte| f32::from(*byte) - 127.5).collect();
    let length = numbers.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    #[expect(clippy::cast_possible_truncation, reason = "the numbers of a unit vector")]
    numbers.into_iter().map(|number| (f64::from(number) / length) as f32).collect()
}

/// Answers a request for embeddings as it should be answered.
fn embeddings(asked: &Asked) -> Answering {
    let data: Vec<Value> = texts(asked)
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": vector(text)}))
        .collect();
    Answering::json(&json!({"object": "list", "data": data, "model": "m", "usage": {"total_tokens": 1}}))
}
