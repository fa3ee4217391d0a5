//! Holds answers against the description of the API: whatever a test is about, what it gets must be described.

use std::sync::LazyLock;

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::schema::Schemas;

/// The description, without examples.
static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| Description::new(local::description()));

/// A description, ready to be asked.
pub struct Description {
    document: Value,
    paths: matchit::Router<String>,
}

impl Description {
    fn new(document: Value) -> Self {
        let mut paths = matchit::Router::new();
        for path in document["paths"].as_object().expect("a description has paths").keys() {
            // The key of a file holds slashes, which OpenAPI cannot say.
            let pattern = path.replace("{key}", "{*key}");
            paths.insert(pattern.clone(), path.clone()).expect("no two paths conflict");
            if !pattern.contains("{*") {
                paths.insert(format!("{pattern}/"), path.clone()).expect("no two paths conflict");
            }
        }
        Self { document, paths }
    }

    /// Returns the description of the product.
    #[must_use]
    pub fn get() -> &'static Self {
        &DESCRIPTION
    }

    /// Returns the path of the description that a path means, and its parameters. With an empty one it means nothing.
    #[must_use]
    pub fn path(&self, path: &str) -> Option<(&str, Vec<(String, String)>)> {
        let found = self.paths.at(path).ok()?;
        let parameters = found.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let parameters: Vec<_> = parameters.collect();
        let is_whole = parameters.iter().all(|(_, value)| !value.is_empty());
        is_whole.then_some((found.value.as_str(), parameters))
    }

    /// Returns what is said of a method of a path of the description.
    #[must_use]
    pub fn operation(&self, path: &str, method: &Method) -> &Value {
        &self.document["paths"][path][method.as_str().to_ascii_lowercase()]
    }

    /// Returns what is wrong with the body of a request; nothing if it is as described.
    #[must_use]
    pub fn problems_of_body(&self, operation: &Value, media_type: &str, body: &Value) -> Vec<String> {
        let content = &operation["requestBody"]["content"][media_type];
        if content.is_null() {
            return vec![format!("no body of the type {media_type}")];
        }
        Schemas::of(&self.document).problems(&content["schema"], body)
    }

    /// Returns what is wrong with an answer; nothing if it is as described.
    #[must_use]
    pub fn problems_of_answer(
        &self,
        operation: &Value,
        status: StatusCode,
        content_type: &str,
        body: &Value,
    ) -> Vec<String> {
        let answer = &operation["responses"][status.as_str()];
        let shared = answer["$ref"].as_str().and_then(|path| self.document.pointer(path.trim_start_matches('#')));
        let answer = shared.unwrap_or(answer);
        if answer.is_null() {
            return vec![format!("the status {status} is not described")];
        }
        let Some(content) = answer["content"].as_object() else {
            return if body.is_null() { Vec::new() } else { vec!["no body is described".to_owned()] };
        };
        let media_type = content_type.split(';').next().unwrap_or_default();
        match content.get(media_type) {
            Some(content) if media_type == "application/json" => {
                Schemas::of(&self.document).problems(&content["schema"], body)
            }
            None if !content.contains_key("*/*") => vec![format!("the type {content_type} is not described")],
            _ => Vec::new(),
        }
    }

    /// Fails the test if an answer of a known route is not as described.
    pub(crate) fn check(&self, method: &Method, path: &str, answer: &crate::Answer) {
        let Some((described, _)) = self.path(path) else { return };
        let operation = self.operation(described, method);
        if operation.is_null() {
            return;
        }
        let problems =
            self.problems_of_answer(operation, answer.status, &answer.header("content-type"), &answer.body);
        assert!(
            problems.is_empty(),
            "{method} {described} answers what is not described: {problems:#?}\n{answer:?}"
        );
    }
}
