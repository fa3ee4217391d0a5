//! Speech recognition (`contract/ai-asr-ocr-system.md`, Speech recognition).

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Fields;
use crate::{Error, Result, clock::Millis};

/// The body that hands files over.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct NewTranscription {
    /// At least one URL, as given.
    pub file_urls: Vec<String>,
    /// Languages to expect.
    #[schemars(with = "Option<Vec<String>>")]
    pub language_hints: Vec<String>,
}

impl TryFrom<&Fields> for NewTranscription {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let file_urls = fields.texts("fileUrls")?.unwrap_or_default();
        if file_urls.is_empty() {
            return Err(Error::params("At least one file URL is required"));
        }
        Ok(Self { file_urls, language_hints: fields.texts("languageHints")?.unwrap_or_default() })
    }
}

/// A task that has begun.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Submitted {
    /// The task.
    pub task_id: String,
    /// The request to the provider.
    pub request_id: String,
    /// As the provider says.
    pub status: String,
}

/// How a task is doing.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    /// The task.
    pub task_id: String,
    /// The request to the provider.
    pub request_id: String,
    /// As the provider says.
    pub status: String,
    /// Why it failed; absent unless it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it was done; absent unless it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_time: Option<Millis>,
}

/// What a task found.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transcription {
    /// The provider's documents, unchanged.
    pub results: Vec<Value>,
    /// `SUCCEEDED` or `FAILED`.
    pub status: &'static str,
    /// The request to the provider.
    pub request_id: String,
}
