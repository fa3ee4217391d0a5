//! What those who operate the functions see: log lines, metrics, traces.

use std::collections::HashSet;

use bench::runtime_api::HttpRequest;
use serde_json::{Value, json};
use shared::metrics::Metric;
use testing::{Answering, Kind, Provider, on_every_database};

use crate::{Functions, post};

on_every_database!(every_line_names_its_function_and_request, provider_calls_are_counted_and_carry_the_trace);

/// What the stand-in of Lambda tells every function.
const TRACE: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0";

fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

/// Returns the lines of metrics, after a look at their form.
fn metrics(log: &str) -> Vec<Value> {
    let known: HashSet<(&str, &str)> = Metric::ALL.iter().map(|metric| (metric.name(), metric.unit())).collect();
    let lines: Vec<Value> = lines(log).into_iter().filter(|line| line.get("_aws").is_some()).collect();
    for line in &lines {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!((&directive["Namespace"], &directive["Dimensions"]), (&json!("AIMO"), &json!([["Service"]])));
        assert!(line["_aws"]["Timestamp"].as_i64().is_some_and(|time| time > 1_700_000_000_000), "{line}");
        for metric in directive["Metrics"].as_array().unwrap() {
            let (name, unit) = (metric["Name"].as_str().unwrap(), metric["Unit"].as_str().unwrap());
            assert!(known.contains(&(name, unit)) && line[name].is_u64(), "{line}");
        }
    }
    lines
}

async fn every_line_names_its_function_and_request(kind: Kind) {
    let mut functions = Functions::on(kind).await;
    functions.environment.push(("METRICS_SERVICE", "aimo-test".to_owned()));
    let token = functions.sign_in().await.json()["data"]["token"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        functions.data("tags", &token, HttpRequest::get("/api/v1/tags")).await;
    }
    let log = functions.function("tags").await.log();
    let served: Vec<Value> = lines(&log).into_iter().filter(|line| line["message"] == "request.served").collect();
    let [first, second] = served.as_slice() else { panic!("{log}") };
    assert_eq!((&first["cold_start"], &second["cold_start"]), (&json!(true), &json!(false)));
    assert_eq!((&first["request_id"], &second["request_id"]), (&json!(id(1)), &json!(id(2))));
    assert_eq!((&first["http.route"], &first["http.status"]), (&json!("/api/v1/tags"), &json!(200)));
    for line in lines(&log) {
        assert_eq!(line["function"], "tags", "{line}");
        let traced = line.get("_aws").is_some() || line["trace_id"] == "1-5bef4de7-ad49b0e87f6ef6c87fc2e700";
        assert!(traced || line.get("request_id").is_none(), "{line}");
    }
    let metrics = metrics(&log);
    let [first, second] = metrics.as_slice() else { panic!("{log}") };
    assert_eq!((&first["Service"], &first["request_id"]), (&json!("aimo-test"), &json!(id(1))));
    // The first statement also looks at the version of the schema.
    assert_eq!((&first["SqlStatements"], &second["SqlStatements"]), (&json!(3), &json!(2)));
    assert!(second["Requests"] == 1 && second["Latency"].is_u64(), "{second}");
    // Nobody asked `migrate` for metrics.
    let log = functions.function("migrate").await.log();
    assert!(log.contains(&id(1)) && self::metrics(&log).is_empty(), "{log}");
}

/// The id that the stand-in of Lambda gives the n-th invocation.
fn id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

async fn provider_calls_are_counted_and_carry_the_trace(kind: Kind) {
    let said = json!({"choices": [{"message": {"content": "[\"读书\"]"}}], "usage": {"total_tokens": 41}});
    let provider =
        Provider::start(
            move |_, before| {
                if before == 0 { Answering::json(&said) } else { Answering::text("").status(400) }
            },
        );
    let mut functions = Functions::on(kind).await;
    functions.environment.extend([
        ("METRICS_SERVICE", "aimo-test".to_owned()),
        ("OPENAI_BASE_URL", provider.url()),
        ("OPENAI_API_KEY", "sk-secret".to_owned()),
    ]);
    let token = functions.sign_in().await.json()["data"]["token"].as_str().unwrap().to_owned();
    let ask = || post("/api/v1/ai/generate-tags", &json!({"content": "Rust"}));
    functions.data("ai", &token, ask()).await;
    functions.call("ai", ask().header("Authorization", format!("Bearer {token}"))).await;
    let log = functions.function("ai").await.log();
    let metrics = metrics(&log);
    let [answered, refused] = metrics.as_slice() else { panic!("{log}") };
    assert_eq!((&answered["ProviderCalls"], &answered["ProviderTokens"]), (&json!(1), &json!(41)));
    assert_eq!(answered.get("Failures"), None);
    assert_eq!((&refused["ProviderCalls"], &refused["ProviderFailures"]), (&json!(1), &json!(1)));
    assert_eq!(refused["Failures"], 1);
    for asked in provider.asked() {
        assert!(asked.raw.to_lowercase().contains(&format!("x-amzn-trace-id: {}\r\n", TRACE.to_lowercase())));
    }
}
