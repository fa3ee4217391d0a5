//! Speech recognition.

use serde_json::{Value, json};
use testing::{Answer, Answering, Client, Kind, Provider, Server, Settings, on_every_database};

use crate::providers::{LATE_MS, broken};

on_every_database!(
    a_provider_that_fails_is_a_coded_failure,
    what_the_provider_says_is_repeated_but_not_all_of_it,
    waiting_ends_with_the_time_allowed,
    waiting_ends_when_the_task_cannot_get_better,
    documents_are_fetched_from_trusted_or_public_addresses_alone,
    documents_that_do_not_fit_into_a_reply_are_a_failure,
    an_unknown_time_of_completion_is_now,
);

const FILES: &str = "https://files.example/a.mp3";

async fn user(kind: Kind, url: &str, trusted: &str) -> Client {
    user_for(kind, url, trusted, LATE_MS).await
}

/// As [`user`], of a server that waits for so long.
async fn user_for(kind: Kind, url: &str, trusted: &str, timeout_ms: &str) -> Client {
    let variables = vec![
        ("FUN_ASR_BASE_URL", url.to_owned()),
        ("FUN_ASR_API_KEY", "asr-secret".to_owned()),
        ("HTTP_TIMEOUT_MS", timeout_ms.to_owned()),
        ("OUTBOUND_TRUSTED_HOSTS", trusted.to_owned()),
    ];
    Server::start_with(kind, Settings { variables, ..Settings::default() }).await.user().await
}

fn task(output: &Value) -> Answering {
    Answering::json(&json!({"request_id": "r", "output": output}))
}

/// Returns the code and the message of a refusal, whatever the status.
fn refusal(answer: &Answer) -> (i64, &str) {
    (answer.code(), answer.body["msg"].as_str().unwrap())
}

async fn a_provider_that_fails_is_a_coded_failure(kind: Kind) {
    for broken in broken() {
        let ann = user_for(kind, &broken.url, "", broken.timeout_ms).await;
        let body = json!({"fileUrls": [FILES]});
        for (path, fallback) in [
            ("transcribe", "Transcription failed"),
            ("transcribe-and-wait", "Transcription failed"),
            ("task/t", "Failed to query task status"),
            ("wait/t", "Failed to wait for transcription"),
            ("result/t", "Failed to get transcription result"),
        ] {
            let path = format!("/api/v1/asr/{path}");
            let is_submission = path.contains("transcribe");
            let answer = if is_submission { ann.post(&path, body.clone()).await } else { ann.get(&path).await };
            assert_eq!(answer.status, if is_submission { 202 } else { 200 }, "{}", broken.name);
            let (code, message) = refusal(&answer);
            let expected = match broken.name {
                "429" | "429 for an hour" => "ASR API error: 429 Too Many Requests",
                "500" => "ASR API error: 500 Internal Server Error - Unknown error",
                "a refusal" => "ASR API error: 400 Bad Request",
                "a redirect" => "ASR API error: 302 Found - Unknown error",
                "a page of a proxy" => "ASR API error: 502 Bad Gateway",
                _ => fallback,
            };
            assert_eq!((code, message), (1, expected), "{} {path}", broken.name);
        }
    }
}

async fn what_the_provider_says_is_repeated_but_not_all_of_it(kind: Kind) {
    let long = format!("a\u{7}\n{}", "b".repeat(1000));
    let said = json!({"code": "Throttled", "message": long, "secret": "x"});
    for (answer, prefix) in [
        (Answering::json(&said).status(403), "ASR API error: 403 Forbidden - Throttled - ab"),
        (Answering::json(&said), "ASR API error: Throttled - ab"),
    ] {
        let provider = Provider::always(answer);
        let answer = user(kind, &provider.url(), "").await.get("/api/v1/asr/task/t").await;
        let (code, message) = answer.refusal();
        assert!(code == 1 && message.starts_with(prefix) && message.len() < 300, "{message}");
    }
}

async fn waiting_ends_with_the_time_allowed(kind: Kind) {
    let provider = Provider::always(task(&json!({"task_id": "t", "task_status": "RUNNING"})));
    let variables = vec![
        ("FUN_ASR_BASE_URL", provider.url()),
        ("FUN_ASR_API_KEY", "asr-secret".to_owned()),
        ("FUN_ASR_WAIT_TIMEOUT_MS", "300".to_owned()),
    ];
    let ann = Server::start_with(kind, Settings { variables, ..Settings::default() }).await.user().await;
    let expected = (1, "Transcription timeout after 300ms");
    assert_eq!(ann.get("/api/v1/asr/wait/t").await.refusal(), expected);
    let waited = ann.post("/api/v1/asr/transcribe-and-wait", json!({"fileUrls": [FILES]})).await;
    assert_eq!((waited.status.as_u16(), refusal(&waited)), (202, expected));
}

async fn waiting_ends_when_the_task_cannot_get_better(kind: Kind) {
    for status in ["FAILED", "UNKNOWN", "CANCELED"] {
        let provider = Provider::always(task(&json!({"task_id": "t", "task_status": status})));
        let answer = user(kind, &provider.url(), "").await.get("/api/v1/asr/wait/t").await;
        assert_eq!(*answer.data(), json!({"results": [], "status": "FAILED", "requestId": "r"}), "{status}");
        assert_eq!(provider.asked().len(), 1);
    }
}

/// Returns a provider whose task is done, with documents at the given URLs and below `/document/`.
fn done(urls: &[String], document: Answering) -> Provider {
    let results: Vec<Value> = urls.iter().map(|url| json!({"transcription_url": url})).collect();
    let output = json!({"task_id": "t", "task_status": "SUCCEEDED", "results": results});
    Provider::start(
        move |asked, _| if asked.line.contains("/document/") { document.clone() } else { task(&output) },
    )
}

async fn documents_are_fetched_from_trusted_or_public_addresses_alone(kind: Kind) {
    let documents = Provider::always(Answering::json(&json!({"text": "你好", "n": 1.10})));
    let trusted = documents.host().to_owned();
    let urls = [
        format!("http://{trusted}/a"),
        format!("http://user@{trusted}/b"),
        "http://localhost:1/c".to_owned(),
        "https://127.0.0.1:1/d".to_owned(),
        "file:///etc/passwd".to_owned(),
        "nonsense".to_owned(),
    ];
    let provider = done(&urls, Answering::text(""));
    let ann = user(kind, &provider.url(), &trusted).await;
    let answer = ann.get("/api/v1/asr/result/t").await;
    let expected = json!({"results": [{"text": "你好", "n": 1.1}], "status": "SUCCEEDED", "requestId": "r"});
    assert_eq!(*answer.data(), expected);
    let asked = documents.asked();
    assert_eq!(asked.len(), 1);
    assert!(!asked[0].raw.contains("asr-secret"), "{asked:?}");
    // Nothing is trusted: the document is asked for by https, of an address that is not public.
    let ann = user(kind, &provider.url(), "").await;
    let answer = ann.get("/api/v1/asr/result/t").await;
    assert_eq!(*answer.data(), json!({"results": [], "status": "FAILED", "requestId": "r"}));
    assert_eq!(documents.asked().len(), 1);
}

async fn documents_that_do_not_fit_into_a_reply_are_a_failure(kind: Kind) {
    let documents = Provider::always(Answering::json(&json!({"text": "x".repeat(3_500_000)})));
    for (files, fits) in [(1, true), (2, false), (7, false)] {
        let urls: Vec<String> = (0..files).map(|file| format!("{}/{file}", documents.url())).collect();
        let provider = done(&urls, Answering::text(""));
        let ann = user(kind, &provider.url(), documents.host()).await;
        let answer = ann.get("/api/v1/asr/result/t").await;
        if fits {
            answer.data();
        } else {
            assert_eq!(answer.refusal(), (1, "Transcription failed"), "{files}");
        }
    }
}

async fn an_unknown_time_of_completion_is_now(kind: Kind) {
    let provider =
        Provider::always(task(&json!({"task_id": "t", "task_status": "SUCCEEDED", "end_time": "soon"})));
    let variables = vec![("FUN_ASR_BASE_URL", provider.url()), ("DASHSCOPE_API_KEY", "asr-secret".to_owned())];
    let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
    let ann = server.user().await;
    let before = server.app.context.now();
    let time = ann.get("/api/v1/asr/task/t").await.data()["completedTime"].as_i64().unwrap();
    assert!((before..=server.app.context.now()).contains(&time));
}
