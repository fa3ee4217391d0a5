//! Embedding models of Amazon Bedrock: Titan, which takes one text at a time, and Cohere, which takes
//! many.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{EmbeddingModel, beginning, check_texts, check_vectors, hash_of};
use crate::{
    clients::{Failure, Http, Patience, Result, bedrock::Bedrock, counted::counted},
    clock::Clock,
    config::Models,
    metrics::{self, Metric},
};

/// Requests at one time.
const CONCURRENT: usize = 8;

/// The models that are spoken here; each wants a body of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// `amazon.titan-embed-text-v1`, which has one size.
    TitanV1,
    /// `amazon.titan-embed-text-v2:0`.
    TitanV2,
    /// `cohere.embed-english-v3`, `cohere.embed-multilingual-v3`, which have one size.
    CohereV3,
    /// `cohere.embed-v4:0`.
    CohereV4,
}

impl Dialect {
    /// Recognises a model id, also behind the prefix of an inference profile such as `eu.`.
    fn of(model: &str) -> Option<Self> {
        if model.contains("titan-embed-text-v1") {
            Some(Self::TitanV1)
        } else if model.contains("titan-embed-text") {
            Some(Self::TitanV2)
        } else if model.contains("cohere.embed-v") {
            Some(Self::CohereV4)
        } else if model.contains("cohere.embed") {
            Some(Self::CohereV3)
        } else {
            None
        }
    }

    /// Returns the most texts of a request, and the most characters of a text.
    fn limits(self) -> (usize, usize) {
        match self {
            // 8 192 tokens, of which a character of Chinese may take one and a half.
            Self::TitanV1 | Self::TitanV2 => (1, 5_400),
            Self::CohereV3 => (96, 2_048),
            Self::CohereV4 => (96, 32_000),
        }
    }

    fn body(self, texts: &[&str], dimensions: usize) -> Value {
        match self {
            Self::TitanV1 => json!({"inputText": texts[0]}),
            Self::TitanV2 => json!({"inputText": texts[0], "dimensions": dimensions, "normalize": true}),
            // Questions are embedded like texts: their vectors share one cache.
            Self::CohereV3 => json!({"texts": texts, "input_type": "search_document", "truncate": "END"}),
            Self::CohereV4 => json!({
                "texts": texts, "input_type": "search_document", "truncate": "RIGHT",
                "embedding_types": ["float"], "output_dimension": dimensions,
            }),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Response {
    #[serde(rename_all = "camelCase")]
    Titan {
        embedding: Vec<f32>,
        #[serde(default)]
        input_text_token_count: u64,
    },
    Cohere {
        embeddings: Vec<Vec<f32>>,
    },
    CohereTyped {
        embeddings: Typed,
    },
}

#[derive(Deserialize)]
struct Typed {
    float: Vec<Vec<f32>>,
}

/// An embedding model of Bedrock.
pub struct BedrockEmbeddings {
    bedrock: Bedrock,
    model: Option<String>,
    model_hash: String,
    dimensions: usize,
    timeout: Duration,
}

impl BedrockEmbeddings {
    /// Makes the configured model.
    #[must_use]
    pub fn new(models: &Models, http: Arc<dyn Http>, clock: Arc<dyn Clock>) -> Self {
        let bedrock = Bedrock::new(&models.bedrock, http, clock);
        Self::with(bedrock, models.bedrock.embedding_model.clone(), models.dimensions, models.timeout)
    }

    fn with(bedrock: Bedrock, model: Option<String>, dimensions: usize, timeout: Duration) -> Self {
        let model_hash = hash_of(&format!("bedrock:{}:{dimensions}", model.as_deref().unwrap_or_default()));
        Self { bedrock, model, model_hash, dimensions, timeout }
    }

    async fn embed_all(&self, texts: &[&str], patience: Patience) -> Result<Vec<Vec<f32>>> {
        check_texts(texts)?;
        let missing = Failure::NotConfigured("BEDROCK_EMBEDDING_MODEL");
        let Some(model) = self.model.as_deref() else { return Err(missing) };
        let dialect = Dialect::of(model).ok_or(missing)?;
        let (most, max_characters) = dialect.limits();
        let texts: Vec<&str> = texts.iter().map(|text| beginning(text, max_characters)).collect();
        let patience = patience.within(self.timeout);
        let requests: Vec<_> =
            texts.chunks(most).map(|batch| self.request(model, dialect, batch, patience)).collect();
        let answers = stream::iter(requests).buffered(CONCURRENT).try_collect();
        let answers: Vec<Vec<Vec<f32>>> =
            tokio::time::timeout(patience.total, answers).await.map_err(|_| Failure::TimedOut)??;
        Ok(answers.into_iter().flatten().collect())
    }

    async fn request(
        &self,
        model: &str,
        dialect: Dialect,
        texts: &[&str],
        patience: Patience,
    ) -> Result<Vec<Vec<f32>>> {
        let body = dialect.body(texts, self.dimensions);
        let response = counted(self.bedrock.ask(model, "invoke", &body, patience).await)?;
        let vectors = match response {
            Response::Titan { embedding, input_text_token_count } => {
                metrics::add(Metric::ProviderTokens, input_text_token_count);
                vec![embedding]
            }
            Response::Cohere { embeddings }
            | Response::CohereTyped { embeddings: Typed { float: embeddings } } => embeddings,
        };
        if vectors.len() != texts.len() {
            return Err(Failure::Unexpected);
        }
        check_vectors(&vectors, self.dimensions)?;
        Ok(vectors)
    }
}

impl EmbeddingModel for BedrockEmbeddings {
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
    use testing::{Answering, Asked, Provider};

    use super::*;

    const PATIENCE: Patience = Patience { total: Duration::from_secs(30), retries: 1 };

    fn model(url: &str, name: &str) -> BedrockEmbeddings {
        BedrockEmbeddings::with(Bedrock::of_stand_in(url), Some(name.to_owned()), 2, Duration::from_mins(1))
    }

    fn length(text: &Value) -> usize {
        text.as_str().unwrap().chars().count()
    }

    /// Answers each model in its own way; a vector begins with the number of characters.
    fn embedded(asked: &Asked) -> Answering {
        let vectors = |texts: &Value| -> Vec<Value> {
            texts.as_array().unwrap().iter().map(|text| json!([length(text), 1])).collect()
        };
        Answering::json(&if asked.line.contains("titan") {
            json!({"embedding": [length(&asked.body["inputText"]), 1], "inputTextTokenCount": 1})
        } else if asked.line.contains("embed-v4") {
            json!({"id": "x", "embeddings": {"float": vectors(&asked.body["texts"])}, "texts": []})
        } else {
            json!({"id": "x", "embeddings": vectors(&asked.body["texts"]), "texts": []})
        })
    }

    #[tokio::test]
    async fn every_model_is_asked_in_its_own_way_and_the_vectors_keep_their_order() {
        let texts: Vec<String> = (1..=100).map(|length| "读".repeat(length)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for (name, requests, body) in [
            ("amazon.titan-embed-text-v1", 100, json!({"inputText": "读"})),
            ("amazon.titan-embed-text-v2:0", 100, json!({"inputText": "读", "dimensions": 2, "normalize": true})),
            ("cohere.embed-multilingual-v3", 2, json!({"input_type": "search_document", "truncate": "END"})),
            (
                "eu.cohere.embed-v4:0",
                2,
                json!({"input_type": "search_document", "truncate": "RIGHT", "embedding_types": ["float"],
                    "output_dimension": 2}),
            ),
        ] {
            let provider = Provider::start(|asked, _| embedded(asked));
            let vectors = model(&provider.url(), name).embed(&texts, PATIENCE).await.unwrap();
            let lengths: Vec<f32> = vectors.iter().map(|vector| vector[0]).collect();
            assert_eq!(lengths, (1_u8..=100).map(f32::from).collect::<Vec<_>>(), "{name}");
            let asked = provider.asked();
            assert_eq!(asked.len(), requests, "{name}");
            let mut first = asked
                .into_iter()
                .find(|asked| asked.raw.ends_with("\"读\"}") || asked.raw.contains("\"读\","))
                .unwrap();
            first.body.as_object_mut().unwrap().remove("texts");
            assert_eq!(first.body, body, "{name}");
        }
    }

    #[tokio::test]
    async fn long_texts_are_embedded_by_their_beginning() {
        let long = "读".repeat(100_000);
        for (name, most) in [("amazon.titan-embed-text-v2:0", 5400.0), ("cohere.embed-english-v3", 2048.0)] {
            let provider = Provider::start(|asked, _| embedded(asked));
            let vectors = model(&provider.url(), name).embed(&[&long], PATIENCE).await.unwrap();
            assert_eq!(vectors, [[most, 1.0]], "{name}");
        }
    }

    #[tokio::test]
    async fn vectors_that_are_wrong_are_never_returned() {
        for (answer, expected) in [
            (json!({"embedding": [1.0, 2.0, 3.0]}), "the provider sent vectors of 3 dimensions instead of 2"),
            (json!({"embedding": [1.0, 1e300]}), "the provider sent a vector that is not finite"),
            (json!({"embedding": [1.0, null]}), "the answer of the provider has another form than expected"),
            (json!({"message": "?"}), "the answer of the provider has another form than expected"),
        ] {
            let provider = Provider::always(Answering::json(&answer));
            let titan = model(&provider.url(), "amazon.titan-embed-text-v2:0");
            assert_eq!(titan.embed(&["a"], PATIENCE).await.unwrap_err().to_string(), expected);
        }
        let provider = Provider::always(Answering::json(&json!({"embeddings": [[1.0, 2.0]]})));
        let failure = model(&provider.url(), "cohere.embed-english-v3").embed(&["a", "b"], PATIENCE).await;
        assert!(matches!(failure, Err(Failure::Unexpected)));
    }

    #[tokio::test]
    async fn a_model_that_is_not_spoken_here_and_a_blank_text_are_refused() {
        let provider = Provider::start(|asked, _| embedded(asked));
        let failure = model(&provider.url(), "meta.llama3").embed(&["a"], PATIENCE).await.unwrap_err();
        assert_eq!(failure.to_string(), "BEDROCK_EMBEDDING_MODEL is not set");
        let failure = model(&provider.url(), "cohere.embed-english-v3").embed(&[" "], PATIENCE).await.unwrap_err();
        assert_eq!(failure.to_string(), "Text cannot be empty");
        assert!(provider.asked().is_empty());
    }

    #[test]
    fn the_identity_names_provider_model_and_size() {
        let titan = model("http://x", "amazon.titan-embed-text-v2:0");
        assert_eq!(titan.model_hash(), hash_of("bedrock:amazon.titan-embed-text-v2:0:2"));
    }
}
