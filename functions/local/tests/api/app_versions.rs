//! The newest versions of the apps (`contract/ai-asr-ocr-system.md`, System).

use std::sync::Arc;

use serde_json::{Value, json};
use shared::clock::ManualClock;
use testing::{Answering, Kind, Provider, Server, Settings, on_every_database};

use crate::providers::broken;

on_every_database!(
    versions_are_looked_up_once_an_hour_and_failures_every_five_minutes,
    a_known_version_outlives_a_failure,
    every_failure_has_its_words,
    a_provider_that_fails_is_a_success_without_versions,
);

const PATH: &str = "/api/v1/system/open/app-versions";
const MINUTE: i64 = 60_000;

async fn start(kind: Kind, url: &str) -> (Server, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let variables = vec![("GITHUB_API_BASE_URL", url.to_owned()), ("GITHUB_TOKEN", "gh-secret".to_owned())];
    let settings = Settings { clock: Some(clock.clone()), variables, ..Settings::default() };
    (Server::start_with(kind, settings).await, clock)
}

fn release(tag: &str) -> Answering {
    Answering::json(&json!({"tag_name": tag}))
}

async fn versions(server: &Server) -> Value {
    server.anonymous().get(PATH).await.data().clone()
}

async fn versions_are_looked_up_once_an_hour_and_failures_every_five_minutes(kind: Kind) {
    let provider = Provider::start(|asked, _| match asked.line.as_str() {
        "GET /repos/ximing/aimo/releases/latest" => release("v1.2.3"),
        _ => Answering::text("").status(404),
    });
    let (server, clock) = start(kind, &provider.url()).await;
    let expected =
        json!({"desktop": {"version": "1.2.3"}, "apk": {"error": "No releases found for ximing/aimo-app"}});
    let now = 1_700_000_000_000;
    for (minutes, asked) in [(0, 2), (4, 2), (5, 3), (9, 3), (60, 5)] {
        clock.set(now + minutes * MINUTE);
        assert_eq!(versions(&server).await, expected);
        assert_eq!(provider.asked().len(), asked, "after {minutes} minutes");
    }
    assert_eq!(*server.user().await.get("/api/v1/system/app-versions").await.data(), expected);
    let first = &provider.asked()[0].raw.to_lowercase();
    for header in
        ["authorization: bearer gh-secret", "user-agent: aimo-app/1.0", "accept: application/vnd.github.v3+json"]
    {
        assert!(first.contains(&format!("{header}\r\n")), "{first}");
    }
}

async fn a_known_version_outlives_a_failure(kind: Kind) {
    let provider =
        Provider::start(|_, before| if before < 2 { release("2.0.0") } else { Answering::text("").status(403) });
    let (server, clock) = start(kind, &provider.url()).await;
    let expected = versions(&server).await;
    clock.set(1_700_000_000_000 + 61 * MINUTE);
    assert_eq!(versions(&server).await, expected);
    assert_eq!(versions(&server).await, expected);
    assert_eq!(provider.asked().len(), 4);
}

async fn every_failure_has_its_words(kind: Kind) {
    for (answer, error) in [
        (Answering::text("").status(404), "No releases found for ximing/aimo"),
        (Answering::text("").status(403), "GitHub API rate limit exceeded"),
        (Answering::text("").status(429), "GitHub API rate limit exceeded"),
        (Answering::text("").status(500), "GitHub API error: 500 Internal Server Error"),
        (Answering::json(&json!({"tag_name": null})), "Invalid response from GitHub API"),
        (Answering::text("<html>"), "Invalid response from GitHub API"),
    ] {
        let provider = Provider::always(answer);
        let (server, _) = start(kind, &provider.url()).await;
        assert_eq!(versions(&server).await["desktop"], json!({"error": error}));
    }
}

async fn a_provider_that_fails_is_a_success_without_versions(kind: Kind) {
    for broken in broken().into_iter().filter(|broken| broken.name != "slow") {
        let (server, _) = start(kind, &broken.url).await;
        let versions = versions(&server).await;
        for app in ["desktop", "apk"] {
            assert!(
                versions[app]["error"].is_string() && versions[app].get("version").is_none(),
                "{}",
                broken.name
            );
        }
    }
}
