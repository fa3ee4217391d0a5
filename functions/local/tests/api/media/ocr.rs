//! Text recognition.

use std::{sync::Mutex, time::Duration};

use serde_json::{Value, json};
use testing::{Answering, Client, Kind, Provider, Server, Settings, on_every_database};

use crate::providers::{LATE_MS, broken};

on_every_database!(
    a_provider_that_fails_fails_all_files_and_is_named,
    files_keep_their_order_and_some_are_recognised_at_once,
    only_options_that_say_something_are_sent,
    of_the_layout_the_first_page_is_shown,
    the_echo_of_a_file_must_fit_into_the_reply,
);

async fn user(kind: Kind, url: &str) -> Client {
    user_for(kind, url, LATE_MS).await
}

/// As [`user`], of a server that waits for so long.
async fn user_for(kind: Kind, url: &str, timeout_ms: &str) -> Client {
    let variables = vec![
        ("ZHIPU_OCR_BASE_URL", url.to_owned()),
        ("ZHIPU_API_KEY", "ocr-secret".to_owned()),
        ("HTTP_TIMEOUT_MS", timeout_ms.to_owned()),
    ];
    Server::start_with(kind, Settings { variables, ..Settings::default() }).await.user().await
}

async fn a_provider_that_fails_fails_all_files_and_is_named(kind: Kind) {
    for broken in broken() {
        let ann = user_for(kind, &broken.url, broken.timeout_ms).await;
        for path in ["/api/v1/ocr/parse", "/api/v1/ocr/parse-full"] {
            let answer = ann.post(path, json!({"files": ["a", "b"]})).await;
            let reason = match broken.name {
                "down" => "the provider cannot be reached",
                "slow" => "the provider did not answer in time",
                "429" | "429 for an hour" => "Zhipu OCR API call failed: 429 - Too Many Requests",
                "500" => "Zhipu OCR API call failed: 500 - Internal Server Error",
                "a refusal" => "Zhipu OCR API call failed: 400 - Bad Request",
                "a redirect" => "Zhipu OCR API call failed: 302 - Found",
                "a page of a proxy" => "Zhipu OCR API call failed: 502 - Bad Gateway",
                "a page" | "nonsense" => "the answer of the provider is not JSON",
                "half an answer" | "an answer that breaks off" | "nothing" => {
                    "the answer of the provider is incomplete"
                }
                "something else" => "the answer of the provider has another form than expected",
                "too much" => "the answer of the provider is too large",
                other => panic!("{other}"),
            };
            assert_eq!(
                answer.refusal(),
                (1, &*format!("Zhipu OCR failed for file 0: {reason}")),
                "{}",
                broken.name
            );
        }
    }
}

async fn files_keep_their_order_and_some_are_recognised_at_once(kind: Kind) {
    let waiting = Mutex::new((0, 0));
    let waiting: &'static Mutex<(usize, usize)> = Box::leak(Box::new(waiting));
    let provider = Provider::start(|asked, _| {
        {
            let mut waiting = waiting.lock().unwrap();
            waiting.0 += 1;
            waiting.1 = waiting.1.max(waiting.0);
        }
        // The first files take the longest.
        let file = asked.body["file"].as_str().unwrap();
        std::thread::sleep(Duration::from_millis(100 - 10 * file.parse::<u64>().unwrap()));
        waiting.lock().unwrap().0 -= 1;
        Answering::json(&json!({"md_results": format!("text {file}")}))
    });
    let ann = user(kind, &provider.url()).await;
    let files: Vec<String> = (0..10).map(|file| file.to_string()).collect();
    let answer = ann.post("/api/v1/ocr/parse", json!({"files": files})).await;
    let texts: Vec<String> = (0..10).map(|file| format!("text {file}")).collect();
    assert_eq!(*answer.data(), json!({"texts": texts}));
    let most = waiting.lock().unwrap().1;
    assert!((2..=4).contains(&most), "{most}");
}

async fn only_options_that_say_something_are_sent(kind: Kind) {
    let provider = Provider::always(Answering::json(&json!({})));
    let ann = user(kind, &provider.url()).await;
    let options =
        json!({"returnCropImages": false, "startPageId": 0, "endPageId": 2, "requestId": "", "userId": "u"});
    ann.post("/api/v1/ocr/parse-full", json!({"files": "x", "options": options})).await.data();
    assert_eq!(
        provider.asked()[0].body,
        json!({"model": "glm-ocr", "file": "x", "end_page_id": 2, "user_id": "u"})
    );
}

async fn of_the_layout_the_first_page_is_shown(kind: Kind) {
    let part = json!({"index": 0, "label": "text", "bbox_2d": [0.1, 0.25], "content": "字", "height": 1, "width": 2,
        "more": true});
    let shown =
        json!([{"index": 0, "label": "text", "bbox2d": [0.1, 0.25], "content": "字", "height": 1, "width": 2}]);
    for (layout, expected) in [
        (json!([[part], [{"index": 9}]]), shown),
        (json!([[], []]), json!([])),
        (json!([]), Value::Null),
        (json!([null]), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let provider = Provider::always(Answering::json(&json!({"md_results": null, "layout_details": layout})));
        let answer = user(kind, &provider.url()).await.post("/api/v1/ocr/parse-full", json!({"files": "x"})).await;
        let result = &answer.data()["results"][0];
        assert_eq!((&result["text"], &result["layoutDetails"]), (&json!(""), &expected));
    }
}

async fn the_echo_of_a_file_must_fit_into_the_reply(kind: Kind) {
    let provider = Provider::always(Answering::json(&json!({"md_results": "t".repeat(1_000_000)})));
    let ann = user(kind, &provider.url()).await;
    let file = format!("data:image/png;base64,{}", "A".repeat(5_800_000));
    let answer = ann.post("/api/v1/ocr/parse-full", json!({"files": file})).await;
    assert_eq!(answer.refusal(), (1, "OCR parsing failed"));
    assert_eq!(
        ann.post("/api/v1/ocr/parse", json!({"files": file})).await.data()["texts"][0],
        "t".repeat(1_000_000)
    );
}
