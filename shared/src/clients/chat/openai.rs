//! The chat API of OpenAI, which many servers speak (`contract/ai-asr-ocr-system.md`, AI helper).
//!
//! The wire types are our own: compatible servers leave out members that a strict client library
//! demands (docs/decisions/0007-openai-without-a-library.md).

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ChatModel, Prompt};
use crate::{
    clients::{
        Call, Failure, Http, Patience, Result,
        counted::{count_tokens, counted},
    },
    config::{Models, Secret},
};

/// The most bytes of an answer.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// A chat model behind `{OPENAI_BASE_URL}/chat/completions`.
pub struct OpenAiChat {
    http: Arc<dyn Http>,
    url: String,
    key: Option<Secret>,
    model: String,
    timeout: Duration,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    temperature: f32,
    stream: bool,
    messages: [Message<'a>; 2],
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Deserialize)]
struct Response {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct Choice {
    message: Reply,
}

#[derive(Deserialize)]
struct Reply {
    /// What is no text counts as none (`contract/explore.md`, upstream).
    #[serde(default)]
    content: Value,
}

impl OpenAiChat {
    /// Makes the configured model.
    #[must_use]
    pub fn new(models: &Models, http: Arc<dyn Http>) -> Self {
        let openai = &models.openai;
        Self {
            http,
            url: format!("{}/chat/completions", openai.base_url),
            key: openai.key.clone(),
            model: openai.chat_model.clone(),
            timeout: models.timeout,
        }
    }
}

impl ChatModel for OpenAiChat {
    fn complete<'a>(&'a self, prompt: &'a Prompt, patience: Patience) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let key = self.key.as_ref().ok_or(Failure::NotConfigured("OPENAI_API_KEY"))?;
            let request = Request {
                model: &self.model,
                temperature: prompt.temperature,
                stream: false,
                messages: [
                    Message { role: "system", content: &prompt.system },
                    Message { role: "user", content: &prompt.user },
                ],
            };
            let call =
                Call::post(&self.url, &request, patience.within(self.timeout), MAX_ANSWER_BYTES).bearer(key);
            let response: Response = counted(self.http.send(&call).await.and_then(|answer| answer.json()))?;
            count_tokens(&response.usage);
            let choice = response.choices.into_iter().next().ok_or(Failure::Unexpected)?;
            Ok(choice.message.content.as_str().unwrap_or_default().to_owned())
        })
    }
}
