//! Requests that were made, and what came back, as examples in the document.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

/// A request that was made, and its answer.
pub struct Example {
    /// What happens, in a few words.
    pub summary: &'static str,
    pub method: Method,
    /// The path as the description has it.
    pub path: String,
    /// Parameters of path and query, by name.
    pub parameters: Vec<(String, String)>,
    /// The body with its type.
    pub body: Option<(&'static str, Value)>,
    pub status: StatusCode,
    pub media_type: String,
    pub answer: Value,
}

/// Everything that was done.
#[derive(Default)]
pub struct Examples(pub Vec<Example>);

impl Examples {
    /// Puts the examples where OpenAPI wants them.
    pub fn add_to(&self, document: &mut Value) {
        for example in &self.0 {
            example.add_to(document);
        }
    }
}

impl Example {
    fn add_to(&self, document: &mut Value) {
        let method = self.method.as_str().to_ascii_lowercase();
        let operation = &mut document["paths"][&self.path][&method];
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            let given = self.parameters.iter().find(|(name, _)| *name == parameter["name"]);
            if let (Some((_, value)), None) = (given, parameter.get("example")) {
                parameter["example"] = as_schema(&parameter["schema"], value);
            }
        }
        if let Some((media_type, body)) = &self.body {
            self.insert(&mut operation["requestBody"]["content"][*media_type], body);
        }
        let shared = operation["responses"][self.status.as_str()].get("$ref").and_then(Value::as_str);
        let pointer = shared.map_or_else(
            || format!("/paths/{}/{method}/responses/{}", self.path.replace('/', "~1"), self.status.as_str()),
            |path| path.trim_start_matches('#').to_owned(),
        );
        let answer = document.pointer_mut(&pointer).expect("the answer is described");
        let Some(content) = answer.get_mut("content").and_then(Value::as_object_mut) else { return };
        let media_type = if content.contains_key(&self.media_type) { &self.media_type } else { "*/*" };
        self.insert(&mut content[media_type], &self.answer);
    }

    fn insert(&self, content: &mut Value, value: &Value) {
        let name = self.summary.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        content["examples"][name] = json!({"summary": self.summary, "value": value});
    }
}

/// Returns the text of a parameter as a value of its schema.
fn as_schema(schema: &Value, text: &str) -> Value {
    match schema["type"].as_str() {
        Some("number" | "integer") => serde_json::from_str(text).expect("a number"),
        Some("array") => json!([text]),
        _ => json!(text),
    }
}
