//! Embeddings: texts become vectors, so that closeness in meaning is closeness in space.

mod bedrock;
mod local;
mod openai;

use std::sync::Arc;

use futures::future::BoxFuture;
use sha2::{Digest, Sha256};

pub use self::{bedrock::BedrockEmbeddings, local::LocalEmbeddings, openai::OpenAiEmbeddings};
use super::{Failure, Http, Patience, Result};
use crate::{
    clock::Clock,
    config::{EmbeddingProvider, Models},
};

/// A model that embeds texts.
pub trait EmbeddingModel: Send + Sync {
    /// Returns what vectors of this model are stored under: the key `modelHash` of the caches and of the
    /// vector tables (`contract/lancedb-tables.md` section 5). Another model, or another size, has
    /// another one.
    fn model_hash(&self) -> &str;

    /// Returns the number of dimensions of the vectors.
    fn dimensions(&self) -> usize;

    /// Returns the vector of each text, in order: all of them, each of the right size and finite, or none.
    /// The texts are sent in as few requests as the provider takes; `patience` is for all of them
    /// together.
    ///
    /// # Errors
    /// A text is blank, or the provider fails.
    fn embed<'a>(&'a self, texts: &'a [&'a str], patience: Patience) -> BoxFuture<'a, Result<Vec<Vec<f32>>>>;
}

/// Makes the configured model. Nothing connects, and a missing key is reported when the model is asked.
#[must_use]
pub fn open(
    models: &Models,
    http: impl FnOnce() -> Arc<dyn Http>,
    clock: Arc<dyn Clock>,
) -> Arc<dyn EmbeddingModel> {
    match models.embedding {
        EmbeddingProvider::OpenAi => Arc::new(OpenAiEmbeddings::new(models, http())),
        EmbeddingProvider::Bedrock => Arc::new(BedrockEmbeddings::new(models, http(), clock)),
        EmbeddingProvider::Local => Arc::new(LocalEmbeddings::new(models.dimensions)),
    }
}

/// Returns the identity of a model: the hash of its name.
fn hash_of(name: &str) -> String {
    hex::encode(Sha256::digest(name))
}

/// Refuses blank texts (`contract/lancedb-tables.md` section 5).
fn check_texts(texts: &[&str]) -> Result<()> {
    if texts.iter().any(|text| text.trim().is_empty()) { Err(Failure::EmptyText) } else { Ok(()) }
}

/// Refuses vectors of another size, and vectors with an element that is no number.
fn check_vectors(vectors: &[Vec<f32>], dimensions: usize) -> Result<()> {
    for vector in vectors {
        if vector.len() != dimensions {
            return Err(Failure::WrongDimensions { wanted: dimensions, found: vector.len() });
        }
        if !vector.iter().all(|element| element.is_finite()) {
            return Err(Failure::NotFinite);
        }
    }
    Ok(())
}

/// Returns the beginning of a text, at most `max` characters.
fn beginning(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_of_a_model_is_that_of_the_contract() {
        assert_eq!(
            hash_of("text-embedding-3-small:1536"),
            "3e44b648974ce0560fafe08c7872bebc1307dd2cee18247d094de4727fda2395"
        );
    }

    #[test]
    fn vectors_of_another_size_or_without_numbers_are_refused() {
        assert!(check_vectors(&[vec![0.5, 1.0]], 2).is_ok());
        let wrong = check_vectors(&[vec![0.5, 1.0], vec![0.5]], 2);
        assert!(matches!(wrong, Err(Failure::WrongDimensions { wanted: 2, found: 1 })));
        for element in [f32::NAN, f32::INFINITY] {
            assert!(matches!(check_vectors(&[vec![0.5, element]], 2), Err(Failure::NotFinite)));
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(beginning("读书😀x", 3), "读书😀");
        assert_eq!(beginning("读书", 3), "读书");
    }
}
