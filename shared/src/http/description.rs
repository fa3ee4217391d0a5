//! The description of the API in OpenAPI 3.1, made of the route tables and of what handlers say of themselves.
//!
//! A function that serves holds nothing of this module: a test of `local` makes the document, and `system` serves what
//! the test has written.

mod operation;
mod parts;
mod schemas;

use axum::{http::Method, routing::MethodFilter};
use serde_json::{Map, Value, json};

pub use operation::Operation;
pub(crate) use parts::Shared;
use schemas::Schemas;

use super::{Endpoint, Route, RouteTable};

/// The description of the routes of a function, and with [`Description::add`] of all.
#[derive(Default)]
pub struct Description {
    /// Path, method, operation.
    operations: Vec<(String, Method, Value)>,
    schemas: Schemas,
}

impl RouteTable for Description {
    fn add<H: Endpoint<T>, T: 'static>(
        mut self,
        route: Route,
        _: MethodFilter,
        _: H,
        summary: &'static str,
    ) -> Self {
        let mut operation = Operation::new(&mut self.schemas, &route);
        H::describe(&mut operation);
        let operation = operation.into_value(summary);
        // OpenAPI has no wildcards; a parameter that holds slashes is what comes nearest.
        self.operations.push((route.path.replace("{*", "{"), route.method, operation));
        self
    }
}

/// The document under construction.
pub struct Document {
    paths: Map<String, Value>,
    tags: Vec<Value>,
    schemas: Map<String, Value>,
}

impl Document {
    /// Begins a document.
    #[must_use]
    pub fn new() -> Self {
        let schemas = parts::schemas();
        Self { paths: Map::new(), tags: Vec::new(), schemas }
    }

    /// Adds the routes of a function, which are shown together under its name.
    ///
    /// # Panics
    /// Two types of different shape have one name.
    pub fn add(&mut self, function: &str, description: Description) {
        self.tags.push(json!({"name": function}));
        for (name, schema) in description.schemas.into_definitions() {
            let before = self.schemas.insert(name.clone(), schema.clone());
            assert!(before.is_none_or(|before| before == schema), "two schemas are named {name}");
        }
        for (path, method, mut operation) in description.operations {
            operation["tags"] = json!([function]);
            let path = self.paths.entry(path).or_insert_with(|| json!({}));
            path[method.as_str().to_ascii_lowercase()] = operation;
        }
    }

    /// Returns the document.
    #[must_use]
    pub fn into_value(mut self, version: &str) -> Value {
        self.schemas.sort_keys();
        json!({
            "openapi": "3.1.1",
            "info": {
                "title": "AIMO",
                "version": version,
                "summary": "The backend of an AI memo application",
                "description": parts::DESCRIPTION,
                "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "tags": self.tags,
            "paths": self.paths,
            "components": {
                "securitySchemes": parts::security_schemes(),
                "responses": parts::responses(),
                "schemas": self.schemas,
            },
        })
    }
}

impl Default for Document {
    fn default() -> Self {
        Self::new()
    }
}
