//! Providers that do not do what they should, for the tests of every area that asks one.

use std::time::Duration;

use serde_json::json;
use testing::{Answering, Provider};

/// Longer than the product waits for a slow provider in these tests.
const TOO_LONG: Duration = Duration::from_secs(3);
const SOON_MS: &str = "300";

/// Longer than any other answer takes, however busy the machine.
pub const LATE_MS: &str = "60000";

/// A provider, or the URL of one that is down, by what is wrong with it.
pub struct Broken {
    pub name: &'static str,
    pub url: String,
    pub provider: Option<Provider>,
    /// How long the product shall wait for it.
    pub timeout_ms: &'static str,
}

/// Returns providers that fail in every way.
pub fn broken() -> Vec<Broken> {
    let page = "<html><body>502 Bad Gateway</body></html>";
    let soon = || Answering::json(&json!({"error": {"message": "slow down"}})).status(429);
    let answers = [
        ("slow", Answering::text("{}").after(TOO_LONG)),
        ("429", soon()),
        ("429 for an hour", soon().header("retry-after", "3600")),
        ("500", Answering::text("").status(500)),
        ("a refusal", Answering::json(&json!({"error": "no"})).status(400)),
        ("a redirect", Answering::text("").status(302).header("location", "http://127.0.0.1:1/")),
        ("a page", Answering::text(page).header("content-type", "text/html")),
        ("a page of a proxy", Answering::text(page).status(502)),
        ("half an answer", Answering::text(r#"{"choices": [{"message""#)),
        ("an answer that breaks off", Answering::text(r#"{"choices": []}"#).broken_off(3)),
        ("nothing", Answering::text("")),
        ("something else", Answering::json(&json!([1, 2, 3]))),
        ("nonsense", Answering::text(vec![0xff; 100])),
        ("too much", Answering::text(vec![b' '; 17 * 1024 * 1024])),
    ];
    let down = Broken { name: "down", url: Provider::nowhere(), provider: None, timeout_ms: LATE_MS };
    let broken = answers.into_iter().map(|(name, answer)| {
        let provider = Provider::always(answer);
        let timeout_ms = if name == "slow" { SOON_MS } else { LATE_MS };
        Broken { name, url: provider.url(), provider: Some(provider), timeout_ms }
    });
    [down].into_iter().chain(broken).collect()
}
