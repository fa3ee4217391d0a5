//! Chat models of Amazon Bedrock, by its Converse operation, which is the same for all of them.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{ChatModel, Prompt};
use crate::{
    clients::{Failure, Http, Patience, Result, bedrock::Bedrock, counted::counted},
    clock::Clock,
    config::Models,
    metrics::{self, Metric},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    system: [Text<'a>; 1],
    messages: [Message<'a>; 1],
    inference_config: InferenceConfig,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: [Text<'a>; 1],
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct InferenceConfig {
    temperature: f32,
}

#[derive(Deserialize)]
struct Response {
    output: Output,
    #[serde(default)]
    usage: Usage,
}

#[derive(Deserialize)]
struct Output {
    message: Reply,
}

#[derive(Deserialize)]
struct Reply {
    content: Vec<Block>,
}

/// Beside texts there may be blocks of reasoning, which are no part of the answer.
#[derive(Deserialize)]
struct Block {
    text: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Usage {
    total_tokens: u64,
}

/// A chat model of Bedrock.
pub struct BedrockChat {
    bedrock: Bedrock,
    model: Option<String>,
    timeout: Duration,
}

impl BedrockChat {
    /// Makes the configured model.
    #[must_use]
    pub fn new(models: &Models, http: Arc<dyn Http>, clock: Arc<dyn Clock>) -> Self {
        let bedrock = Bedrock::new(&models.bedrock, http, clock);
        Self { bedrock, model: models.bedrock.chat_model.clone(), timeout: models.timeout }
    }

    #[cfg(test)]
    fn of_stand_in(url: &str) -> Self {
        let model = Some("eu.amazon.nova-lite-v1:0".to_owned());
        Self { bedrock: Bedrock::of_stand_in(url), model, timeout: Duration::from_mins(1) }
    }
}

impl ChatModel for BedrockChat {
    fn complete<'a>(&'a self, prompt: &'a Prompt, patience: Patience) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let model = self.model.as_deref().ok_or(Failure::NotConfigured("BEDROCK_CHAT_MODEL"))?;
            let request = Request {
                system: [Text { text: &prompt.system }],
                messages: [Message { role: "user", content: [Text { text: &prompt.user }] }],
                inference_config: InferenceConfig { temperature: prompt.temperature },
            };
            let sent = self.bedrock.ask(model, "converse", &request, patience.within(self.timeout)).await;
            let response: Response = counted(sent)?;
            metrics::add(Metric::ProviderTokens, response.usage.total_tokens);
            Ok(response.output.message.content.into_iter().filter_map(|block| block.text).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use testing::{Answering, Provider};

    use super::*;
    use crate::error::with_causes;

    const PATIENCE: Patience = Patience { total: Duration::from_secs(30), retries: 1 };

    type Expected = fn(&Failure) -> bool;

    fn prompt() -> Prompt {
        Prompt { system: "be brief".to_owned(), user: "问题".to_owned(), temperature: 0.5 }
    }

    fn said(content: &serde_json::Value) -> Answering {
        Answering::json(&json!({"output": {"message": {"role": "assistant", "content": content}},
            "stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
            "metrics": {"latencyMs": 1}}))
    }

    #[tokio::test]
    async fn the_texts_of_the_answer_are_put_together() {
        for (content, expected) in [
            (json!([{"text": "好"}, {"text": "的"}]), "好的"),
            (json!([{"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": "ok"}]), "ok"),
            (json!([]), ""),
        ] {
            let provider = Provider::always(said(&content));
            let answer = BedrockChat::of_stand_in(&provider.url()).complete(&prompt(), PATIENCE).await;
            assert_eq!(answer.unwrap(), expected);
            let asked = &provider.asked()[0];
            assert_eq!(asked.line, "POST /model/eu.amazon.nova-lite-v1%3A0/converse");
            let expected = json!({"system": [{"text": "be brief"}], "inferenceConfig": {"temperature": 0.5},
                "messages": [{"role": "user", "content": [{"text": "问题"}]}]});
            assert_eq!(asked.body, expected);
            assert!(asked.raw.contains("AWS4-HMAC-SHA256") && !asked.raw.contains("aws-secret"));
        }
    }

    #[tokio::test]
    async fn what_fails_once_is_asked_again() {
        let throttled = Answering::json(&json!({})).header("x-amzn-errortype", "ThrottlingException").status(429);
        let provider =
            Provider::start(
                move |_, before| {
                    if before == 0 { throttled.clone() } else { said(&json!([{"text": "ok"}])) }
                },
            );
        let answer = BedrockChat::of_stand_in(&provider.url()).complete(&prompt(), PATIENCE).await;
        assert_eq!(answer.unwrap(), "ok");
    }

    #[tokio::test]
    async fn every_failure_has_its_kind_and_gives_nothing_away() {
        let error =
            |kind: &str| Answering::json(&json!({"message": "aws-secret"})).header("x-amzn-errortype", kind);
        let cases: [(&str, Answering, Expected, usize); 9] = [
            ("throttled", error("ThrottlingException").status(429), |f| matches!(f, Failure::RateLimited), 2),
            (
                "throttled for long",
                error("ThrottlingException").status(429).header("retry-after", "60"),
                |f| matches!(f, Failure::RateLimited),
                1,
            ),
            (
                "denied",
                error("AccessDeniedException").status(403),
                |f| matches!(f, Failure::Refused { status: 403 }),
                1,
            ),
            (
                "down",
                error("ServiceUnavailableException").status(503),
                |f| matches!(f, Failure::Refused { status: 503 }),
                2,
            ),
            ("a page", Answering::text("<html>"), |f| matches!(f, Failure::NotJson), 1),
            ("half an answer", Answering::text("{\"output\": {"), |f| matches!(f, Failure::Incomplete), 1),
            (
                "broken off",
                Answering::text("{\"output\": {}}").broken_off(2),
                |f| matches!(f, Failure::Incomplete | Failure::Unreachable(_)),
                2,
            ),
            ("nothing useful", Answering::text("{}"), |f| matches!(f, Failure::Unexpected), 1),
            ("slow", Answering::text("{}").after(Duration::from_secs(4)), |f| matches!(f, Failure::TimedOut), 1),
        ];
        for (name, answer, expected, times) in cases {
            let provider = Provider::always(answer);
            let patience = if name == "slow" { PATIENCE.within(Duration::from_millis(300)) } else { PATIENCE };
            let failure =
                BedrockChat::of_stand_in(&provider.url()).complete(&prompt(), patience).await.unwrap_err();
            assert!(expected(&failure), "{name}: {failure:?}");
            assert_eq!(provider.asked().len(), times, "{name}");
            let said = format!("{} {failure:?}", with_causes(&failure));
            assert!(!said.contains("aws-secret") && !said.contains("问题"), "{said}");
        }
        let failure =
            BedrockChat::of_stand_in(&Provider::nowhere()).complete(&prompt(), PATIENCE).await.unwrap_err();
        assert!(matches!(failure, Failure::Unreachable(_)), "{failure:?}");
    }
}
