//! Chat models.

use serde_json::json;
use shared::clients::{ChatModel, Failure, Prompt, chat::OpenAiChat};
use testing::{Answering, Provider};

use crate::{IMPATIENCE, PATIENCE, assert_discreet, failing_once, failures, http, models, slow};

fn prompt() -> Prompt {
    Prompt { system: "be brief".to_owned(), user: "问题".to_owned(), temperature: 0.7 }
}

fn chat(url: &str) -> OpenAiChat {
    OpenAiChat::new(&models(url, &[("OPENAI_MODEL", "qwen-plus")]), http())
}

fn said(content: &serde_json::Value) -> Answering {
    Answering::json(&json!({"choices": [{"message": {"content": content}}]}))
}

#[tokio::test]
async fn the_first_choice_is_the_answer_and_it_may_be_empty() {
    for (content, expected) in [(json!("好的"), "好的"), (json!(""), ""), (json!(null), "")] {
        let provider = Provider::always(said(&content));
        assert_eq!(chat(&provider.url()).complete(&prompt(), PATIENCE).await.unwrap(), expected);
        let asked = provider.asked();
        let expected = json!({"model": "qwen-plus", "temperature": 0.7, "stream": false, "messages": [
            {"role": "system", "content": "be brief"}, {"role": "user", "content": "问题"}]});
        // The temperature is a float of 32 bits, and reads as it was written.
        assert_eq!(
            (&asked[0].line[..], asked[0].body.to_string()),
            ("POST /chat/completions", expected.to_string())
        );
    }
}

#[tokio::test]
async fn every_failure_has_its_kind_and_gives_nothing_away() {
    for (name, answer, expected, times) in failures() {
        let provider = Provider::always(answer);
        let failure = chat(&provider.url()).complete(&prompt(), PATIENCE).await.unwrap_err();
        assert!(expected(&failure), "{name}: {failure:?}");
        assert_eq!(provider.asked().len(), times, "{name}");
        assert_discreet(&failure);
    }
    let failure = chat(&slow().url()).complete(&prompt(), IMPATIENCE).await.unwrap_err();
    assert!(matches!(failure, Failure::TimedOut), "{failure:?}");
    let failure = chat(&Provider::nowhere()).complete(&prompt(), PATIENCE).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable(_)), "{failure:?}");
    assert_discreet(&failure);
    let provider = Provider::always(Answering::json(&json!({"choices": []})));
    let failure = chat(&provider.url()).complete(&prompt(), PATIENCE).await.unwrap_err();
    assert!(matches!(failure, Failure::Unexpected), "{failure:?}");
}

#[tokio::test]
async fn what_fails_once_is_asked_again() {
    for failure in [
        Answering::text("").status(429).header("retry-after", "0"),
        Answering::text("").status(500),
        Answering::text("{}").broken_off(1),
    ] {
        let provider = failing_once(failure, said(&json!("ok")));
        assert_eq!(chat(&provider.url()).complete(&prompt(), PATIENCE).await.unwrap(), "ok");
    }
}
