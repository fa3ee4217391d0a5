//! Chat models: a question with instructions goes in, a text comes out.

mod bedrock;
mod openai;

use std::sync::Arc;

use futures::future::BoxFuture;

pub use self::{bedrock::BedrockChat, openai::OpenAiChat};
use super::{Http, Patience, Result};
use crate::{
    clock::Clock,
    config::{ModelProvider, Models},
};

/// What a model is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// What the model is to do, and how.
    pub system: String,
    /// What it is to do it with.
    pub user: String,
    /// How much is left to chance, from 0 to 1.
    pub temperature: f32,
}

/// A chat model.
pub trait ChatModel: Send + Sync {
    /// Returns what the model says, which may be nothing.
    fn complete<'a>(&'a self, prompt: &'a Prompt, patience: Patience) -> BoxFuture<'a, Result<String>>;
}

/// Makes the configured chat model. Nothing connects, and a missing key is reported when the model is
/// asked.
#[must_use]
pub fn open(models: &Models, http: impl FnOnce() -> Arc<dyn Http>, clock: Arc<dyn Clock>) -> Arc<dyn ChatModel> {
    match models.chat {
        ModelProvider::OpenAi => Arc::new(OpenAiChat::new(models, http())),
        ModelProvider::Bedrock => Arc::new(BedrockChat::new(models, http(), clock)),
    }
}
