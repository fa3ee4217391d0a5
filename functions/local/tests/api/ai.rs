//! Tags that a model suggests (`contract/ai-asr-ocr-system.md`, AI helper).

use serde_json::{Value, json};
use testing::{Answering, Asked, Client, Kind, Provider, Server, Settings, on_every_database};

use crate::providers::{LATE_MS, broken};

on_every_database!(
    the_model_sees_the_beginning_of_the_text_and_its_tags_are_tidied,
    a_model_that_fails_is_a_coded_failure,
    without_a_key_it_fails_and_asks_nobody,
    a_failure_that_passes_is_not_seen,
);

const PATH: &str = "/api/v1/ai/generate-tags";
const FAILED: (i64, &str) = (1, "Failed to generate tags");

/// Returns an answer of a chat model.
pub fn said(text: &str) -> Answering {
    Answering::json(&json!({"choices": [{"message": {"role": "assistant", "content": text}}]}))
}

/// Returns the settings of a server that asks a model at a URL.
pub fn asking(url: &str) -> Vec<(&'static str, String)> {
    asking_for(url, LATE_MS)
}

/// As [`asking`], of a server that waits for so long.
pub fn asking_for(url: &str, timeout_ms: &str) -> Vec<(&'static str, String)> {
    vec![
        ("OPENAI_BASE_URL", format!("{url}/v1/")),
        ("OPENAI_API_KEY", "sk-secret".to_owned()),
        ("HTTP_TIMEOUT_MS", timeout_ms.to_owned()),
    ]
}

async fn user(kind: Kind, variables: Vec<(&'static str, String)>) -> Client {
    Server::start_with(kind, Settings { variables, ..Settings::default() }).await.user().await
}

async fn the_model_sees_the_beginning_of_the_text_and_its_tags_are_tidied(kind: Kind) {
    let provider = Provider::always(said("[\"Rust\", \" 知识管理 \", \"rust\", \"\", 5]"));
    let ann = user(kind, asking(&provider.url())).await;
    let content = format!("{}😀{}", "读".repeat(1999), "后".repeat(10));
    let answer = ann.post(PATH, json!({"content": content, "memoId": "m1"})).await;
    assert_eq!(*answer.data(), json!({"tags": ["rust", "知识管理"]}));
    let asked = provider.asked();
    let [Asked { line, raw, body }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(line, "POST /v1/chat/completions");
    assert!(raw.to_lowercase().contains("authorization: bearer sk-secret\r\n"), "{raw}");
    assert_eq!(
        (&body["model"], &body["temperature"], &body["stream"]),
        (&json!("gpt-4o-mini"), &json!(0.3), &json!(false))
    );
    let roles: Vec<&Value> = body["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["system", "user"]);
    // 2000 units end in the middle of the emoji, which is left out.
    let user = body["messages"][1]["content"].as_str().unwrap();
    assert!(user.ends_with(&"读".repeat(1999)), "{user}");
}

async fn a_model_that_fails_is_a_coded_failure(kind: Kind) {
    for broken in broken() {
        let ann = user(kind, asking_for(&broken.url, broken.timeout_ms)).await;
        assert_eq!(ann.post(PATH, json!({"content": "x"})).await.refusal(), FAILED, "{}", broken.name);
        let asked = broken.provider.map_or(0, |provider| provider.asked().len());
        assert!(asked <= 3, "{}: asked {asked} times", broken.name);
    }
}

async fn without_a_key_it_fails_and_asks_nobody(kind: Kind) {
    let provider = Provider::always(said("[]"));
    let variables = vec![("OPENAI_BASE_URL", provider.url())];
    let ann = user(kind, variables).await;
    assert_eq!(ann.post(PATH, json!({"content": "x"})).await.refusal(), FAILED);
    assert_eq!(ann.post(PATH, json!({"content": " "})).await.refusal(), (2, "Content is required"));
    assert!(provider.asked().is_empty());
}

async fn a_failure_that_passes_is_not_seen(kind: Kind) {
    let failures = [
        Answering::text("").status(429).header("retry-after", "0"),
        Answering::text("").status(503),
        said("[]").broken_off(5),
    ];
    for failure in failures {
        let provider =
            Provider::start(move |_, before| if before == 0 { failure.clone() } else { said("[\"a\"]") });
        let ann = user(kind, asking(&provider.url())).await;
        assert_eq!(*ann.post(PATH, json!({"content": "x"})).await.data(), json!({"tags": ["a"]}));
        assert_eq!(provider.asked().len(), 2);
    }
}
