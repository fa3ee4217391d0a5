//! The description of the API: what `functions/system/openapi.json` says is what the code does. `make openapi`
//! writes it anew; a change of it is a change of the API, to be read in the diff.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;

mod examples;
mod tour;

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../system/openapi.json");

/// Every operation of a document, as `GET /path`.
fn operations(document: &Value) -> impl Iterator<Item = (Method, &String, &Value)> {
    let paths = document["paths"].as_object().expect("a document has paths");
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("a path has methods");
        methods.iter().map(move |(method, operation)| {
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).expect("a method");
            (method, path, operation)
        })
    })
}

#[tokio::test]
async fn the_document_is_what_the_code_says() {
    let mut document = local::description();
    tour::take().await.add_to(&mut document);
    let document = format!("{}\n", serde_json::to_string_pretty(&document).expect("a document is JSON"));
    if std::env::var_os("WRITE_OPENAPI").is_some() {
        std::fs::write(SNAPSHOT, &document).expect("the document can be written");
    }
    let snapshot = std::fs::read_to_string(SNAPSHOT).expect("the document is there");
    let differs = snapshot.lines().zip(document.lines()).position(|(before, now)| before != now);
    if let Some(line) = differs {
        let [before, now] = [&snapshot, &document].map(|text| text.lines().nth(line).unwrap_or_default());
        panic!("line {} of openapi.json: {before} is now {now}; `make openapi` writes it", line + 1);
    }
    assert_eq!(snapshot.len(), document.len(), "`make openapi` writes the document");
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let document = local::description();
    let described: BTreeSet<String> =
        operations(&document).map(|(method, path, _)| format!("{method} {path}")).collect();
    let routes = local::routes();
    let routes: BTreeSet<String> =
        routes.iter().map(|route| format!("{} {}", route.method, route.path.replace("{*", "{"))).collect();
    assert_eq!(described, routes);
}

#[test]
fn every_operation_has_a_name_of_its_own_and_describes_its_path() {
    let document = local::description();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("an operation has an id");
        assert!(names.insert(name), "{method} {path}: {name} is taken");
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && !summary.ends_with('.'), "{method} {path}: {summary}");
        let in_path: Vec<&str> = path.split('{').skip(1).filter_map(|part| part.split('}').next()).collect();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let described: Vec<&str> = parameters
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|it| it["name"].as_str())
            .collect();
        assert_eq!(described, in_path, "{method} {path}");
    }
}

/// Only the document and its page are too long to be examples of themselves.
#[test]
fn every_answer_of_a_route_that_works_has_an_example() {
    let snapshot = std::fs::read_to_string(SNAPSHOT).expect("the document is there");
    let snapshot: Value = serde_json::from_str(&snapshot).expect("the document is JSON");
    let without: Vec<String> = operations(&snapshot)
        .filter(|(_, _, operation)| {
            let answers = operation["responses"].as_object().expect("an operation has answers");
            let mut contents = answers
                .iter()
                .filter(|(status, _)| status.starts_with('2'))
                .filter_map(|(_, answer)| answer["content"].as_object())
                .flat_map(|content| content.values());
            contents.any(|content| content["examples"].is_null())
        })
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    assert_eq!(without, ["GET /api/v1/openapi.json", "GET /api/v1/docs"]);
}
