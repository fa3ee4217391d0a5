//! The clients of providers against a stand-in: what is asked, what comes out, and what every way of
//! failing becomes.

mod chat;
mod embeddings;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use shared::{
    clients::{Direct, Failure, Http, Patience},
    clock::SystemClock,
    config::{Config, Models, Runtime},
    ids::SystemRandom,
};
use testing::{Answering, Provider};

const PATIENCE: Patience = Patience { total: Duration::from_secs(30), retries: 1 };

/// Too little for a provider that is slow.
const IMPATIENCE: Patience = Patience { total: Duration::from_millis(300), retries: 1 };

/// Returns the settings of models with the OpenAI-compatible API at a URL.
fn models(url: &str, others: &[(&str, &str)]) -> Models {
    let needed = [
        ("JWT_SECRET", "a test secret of thirty-two bytes"),
        ("OPENAI_BASE_URL", url),
        ("OPENAI_API_KEY", "sk-secret"),
        ("OPENAI_EMBEDDING_DIMENSIONS", "2"),
    ];
    let variables = needed.iter().chain(others).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::read(Runtime::Local, variables.collect()).expect("the settings are right").models
}

fn http() -> Arc<dyn Http> {
    Arc::new(Direct::new(Arc::new(SystemClock), Arc::new(SystemRandom)))
}

/// What an answer must become.
type Expected = fn(&Failure) -> bool;

/// Returns answers that are no use whatever was asked, each with what it must become, and how often the
/// provider is asked.
fn failures() -> Vec<(&'static str, Answering, Expected, usize)> {
    let page = || Answering::text("<html>Bad Gateway</html>");
    let error: Value = json!({"error": {"message": "sk-secret is over its quota"}});
    vec![
        ("429", Answering::json(&error).status(429), |f| matches!(f, Failure::RateLimited), 2),
        (
            "429 for longer than there is time",
            Answering::json(&error).status(429).header("retry-after", "60"),
            |f| matches!(f, Failure::RateLimited),
            1,
        ),
        ("503", page().status(503), |f| matches!(f, Failure::Refused { status: 503 }), 2),
        ("400", Answering::json(&error).status(400), |f| matches!(f, Failure::Refused { status: 400 }), 1),
        ("401", Answering::json(&error).status(401), |f| matches!(f, Failure::Refused { status: 401 }), 1),
        (
            "a redirect",
            Answering::text("").status(307).header("location", "/elsewhere"),
            |f| matches!(f, Failure::Refused { status: 307 }),
            1,
        ),
        ("a page", page(), |f| matches!(f, Failure::NotJson), 1),
        ("half an answer", Answering::text("{\"choices\": [{\"mess"), |f| matches!(f, Failure::Incomplete), 1),
        ("broken off", Answering::json(&error).broken_off(9), |f| matches!(f, Failure::Incomplete), 2),
        ("something else", Answering::json(&error), |f| matches!(f, Failure::Unexpected), 1),
        ("too much", Answering::text(vec![b' '; 2_000_000]), |f| matches!(f, Failure::TooLarge), 1),
    ]
}

/// Returns a provider that takes its time.
fn slow() -> Provider {
    Provider::always(Answering::text("{}").after(Duration::from_secs(3)))
}

/// Asserts that a failure says nothing about the key or the question, not even in its causes.
fn assert_discreet(failure: &Failure) {
    let said = format!("{} {failure:?}", shared::error::with_causes(failure));
    for secret in ["sk-secret", "问题", "quota"] {
        assert!(!said.contains(secret), "{said}");
    }
}

/// Returns a provider that fails once and then answers.
fn failing_once(failure: Answering, answer: Answering) -> Provider {
    Provider::start(move |_, before| if before == 0 { failure.clone() } else { answer.clone() })
}
