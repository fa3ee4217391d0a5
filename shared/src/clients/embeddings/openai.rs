//! The embeddings API of OpenAI, which many servers speak (`contract/lancedb-tables.md` section 5).

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::{EmbeddingModel, beginning, check_texts, check_vectors, hash_of};
use crate::{
    clients::{
        Call, Failure, Http, Patience, Result,
        counted::{count_tokens, counted},
    },
    config::{Models, Secret},
};

/// The most texts of a request. Servers that take fewer say so, and are asked for fewer from then on.
const MAX_TEXTS: usize = 256;

/// The most characters of a request, of which OpenAI takes about 300 000 tokens.
const MAX_REQUEST_CHARACTERS: usize = 200_000;

/// The most characters of a text. OpenAI takes 8 191 tokens, which are about 32 000 English characters;
/// a text of others that is refused is cut in half until it is this short.
const MAX_CHARACTERS: usize = 32_000;
const MIN_CHARACTERS: usize = 4_000;

/// An embedding model behind `{OPENAI_BASE_URL}/embeddings`.
pub struct OpenAiEmbeddings {
    http: Arc<dyn Http>,
    url: String,
    key: Option<Secret>,
    model: String,
    model_hash: String,
    dimensions: usize,
    timeout: Duration,
    max_texts: AtomicUsize,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [&'a str],
    encoding_format: &'static str,
    dimensions: usize,
}

#[derive(Deserialize)]
struct Response {
    data: Vec<Embedded>,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct Embedded {
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl OpenAiEmbeddings {
    /// Makes the configured model.
    #[must_use]
    pub fn new(models: &Models, http: Arc<dyn Http>) -> Self {
        let openai = &models.openai;
        Self {
            http,
            url: format!("{}/embeddings", openai.base_url),
            key: openai.key.clone(),
            model_hash: hash_of(&format!("{}:{}", openai.embedding_model, models.dimensions)),
            model: openai.embedding_model.clone(),
            dimensions: models.dimensions,
            timeout: models.timeout,
            max_texts: AtomicUsize::new(MAX_TEXTS),
        }
    }

    async fn embed_all(&self, texts: &[&str], patience: Patience) -> Result<Vec<Vec<f32>>> {
        check_texts(texts)?;
        let deadline = Instant::now() + patience.total.min(self.timeout);
        let mut texts: Vec<&str> = texts.iter().map(|text| beginning(text, MAX_CHARACTERS)).collect();
        let mut vectors = Vec::with_capacity(texts.len());
        let mut most = self.max_texts.load(Ordering::Relaxed);
        let mut was_cut = false;
        while vectors.len() < texts.len() {
            let batch = next_batch(&texts, vectors.len(), most);
            let left = deadline.saturating_duration_since(Instant::now());
            match self.request(&texts[batch.clone()], patience.within(left)).await {
                Ok(more) => vectors.extend(more),
                Err(Failure::Refused { status: 400 | 413 | 422 }) if batch.len() > 1 => {
                    most = batch.len().div_ceil(2);
                }
                Err(Failure::Refused { status: 400 | 413 | 422 }) if is_long(texts[batch.start]) => {
                    let text = &mut texts[batch.start];
                    *text = beginning(text, text.chars().count() / 2);
                    was_cut = true;
                }
                Err(failure) => return Err(failure),
            }
        }
        // Every text passed as it was: it was their number that the server refused.
        if !was_cut {
            self.max_texts.store(most, Ordering::Relaxed);
        }
        Ok(vectors)
    }

    async fn request(&self, texts: &[&str], patience: Patience) -> Result<Vec<Vec<f32>>> {
        let key = self.key.as_ref().ok_or(Failure::NotConfigured("OPENAI_API_KEY"))?;
        let request =
            Request { model: &self.model, input: texts, encoding_format: "float", dimensions: self.dimensions };
        // A number takes up to 24 bytes and what separates it from the next.
        let max_bytes = 64 * 1024 + texts.len() * self.dimensions * 32;
        let call = Call::post(&self.url, &request, patience, max_bytes).bearer(key);
        let response: Response = counted(self.http.send(&call).await.and_then(|answer| answer.json()))?;
        count_tokens(&response.usage);
        let vectors = in_order(response.data, texts.len())?;
        check_vectors(&vectors, self.dimensions)?;
        Ok(vectors)
    }
}

/// Returns which texts the next request takes: one at least, then as many as fit.
fn next_batch(texts: &[&str], start: usize, most: usize) -> Range<usize> {
    let mut characters = 0;
    let fitting = texts[start..].iter().take(most).take_while(|text| {
        characters += text.chars().count();
        characters <= MAX_REQUEST_CHARACTERS
    });
    start..start + fitting.count().max(1)
}

fn is_long(text: &str) -> bool {
    text.chars().nth(MIN_CHARACTERS).is_some()
}

/// Puts the vectors into the order of the texts. One for each text, no more and no less.
fn in_order(data: Vec<Embedded>, count: usize) -> Result<Vec<Vec<f32>>> {
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; count];
    for (position, Embedded { index, embedding }) in data.into_iter().enumerate() {
        let place = vectors.get_mut(index.unwrap_or(position)).ok_or(Failure::Unexpected)?;
        if place.replace(embedding).is_some() {
            return Err(Failure::Unexpected);
        }
    }
    vectors.into_iter().collect::<Option<_>>().ok_or(Failure::Unexpected)
}

impl EmbeddingModel for OpenAiEmbeddings {
    fn model_hash(&self) -> &str {
        &self.model_hash
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn embed<'a>(&'a self, texts: &'a [&'a str], patience: Patience) -> BoxFuture<'a, Result<Vec<Vec<f32>>>> {
        Box::pin(self.embed_all(texts, patience))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded(index: Option<usize>, value: f32) -> Embedded {
        Embedded { index, embedding: vec![value] }
    }

    #[test]
    fn vectors_come_in_the_order_of_the_texts_one_for_each() {
        let data = vec![embedded(Some(1), 1.0), embedded(Some(0), 0.0)];
        assert_eq!(in_order(data, 2).unwrap(), [[0.0], [1.0]]);
        let data = vec![embedded(None, 0.0), embedded(None, 1.0)];
        assert_eq!(in_order(data, 2).unwrap(), [[0.0], [1.0]]);
        for wrong in [
            vec![embedded(Some(0), 0.0)],
            vec![embedded(Some(0), 0.0), embedded(Some(0), 1.0)],
            vec![embedded(Some(0), 0.0), embedded(Some(2), 1.0)],
            vec![embedded(None, 0.0), embedded(None, 1.0), embedded(None, 2.0)],
        ] {
            assert!(matches!(in_order(wrong, 2), Err(Failure::Unexpected)));
        }
    }

    #[test]
    fn a_request_has_a_bounded_number_of_texts_and_characters() {
        let texts = vec!["x"; 1000];
        assert_eq!(next_batch(&texts, 0, 256), 0..256);
        assert_eq!(next_batch(&texts, 990, 256), 990..1000);
        let long = "读".repeat(32_000);
        assert_eq!(next_batch(&[long.as_str(); 20], 0, 256), 0..6);
    }
}
