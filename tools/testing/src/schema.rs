//! Checks JSON against the part of JSON Schema that the description of the API uses. It is stricter than JSON
//! Schema: a member that no schema names is a problem, and so is a keyword that it does not know.

use serde_json::{Map, Value};

/// Keywords that say something to people, and nothing about values.
const ANNOTATIONS: &[&str] = &["description", "title", "format", "default", "contentMediaType"];

/// Keywords that [`Schemas::check`] knows.
const KNOWN: &[&str] = &[
    "$ref",
    "type",
    "const",
    "enum",
    "oneOf",
    "anyOf",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
];

/// The schemas of a document.
#[derive(Clone, Copy)]
pub struct Schemas<'a>(&'a Value);

impl<'a> Schemas<'a> {
    /// Returns the schemas of a document.
    #[must_use]
    pub fn of(document: &'a Value) -> Self {
        Self(document)
    }

    /// Returns what is wrong with a value; nothing if it fits.
    #[must_use]
    pub fn problems(self, schema: &Value, value: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        self.check(schema, value, "", &mut problems);
        problems
    }

    fn check(self, schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
        let Value::Object(schema) = schema else {
            // `true` stands for any value.
            if *schema != Value::Bool(true) {
                problems.push(format!("{at}: nothing fits {schema}"));
            }
            return;
        };
        let mut problem = |text: String| problems.push(format!("{at}: {text}"));
        for keyword in schema.keys().filter(|keyword| !KNOWN.contains(&&***keyword)) {
            if !ANNOTATIONS.contains(&&**keyword) {
                problem(format!("the keyword {keyword} is unknown"));
            }
        }
        if let Some(types) = schema.get("type")
            && !is_of_type(value, types)
        {
            return problem(format!("{value} is not of the type {types}"));
        }
        if schema.get("const").is_some_and(|expected| expected != value) {
            problem(format!("{value} is not {}", schema["const"]));
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array)
            && !values.contains(value)
        {
            problem(format!("{value} is none of {values:?}"));
        }
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let size = |name: &str| schema.get(name).and_then(Value::as_u64);
        if let Some(list) = value.as_array()
            && (size("minItems").is_some_and(|least| (list.len() as u64) < least)
                || size("maxItems").is_some_and(|most| list.len() as u64 > most))
        {
            problem(format!("{} elements are too many or too few", list.len()));
        }
        if let Some(number) = value.as_f64()
            && (bound("minimum").is_some_and(|least| number < least)
                || bound("maximum").is_some_and(|most| number > most))
        {
            problem(format!("{number} is out of bounds"));
        }
        if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
            match self.0.pointer(path.trim_start_matches('#')) {
                Some(schema) => self.check(schema, value, at, problems),
                None => problems.push(format!("{at}: there is no {path}")),
            }
        }
        self.check_choices(schema, value, at, problems);
        self.check_parts(schema, value, at, problems);
    }

    fn check_choices(self, schema: &Map<String, Value>, value: &Value, at: &str, problems: &mut Vec<String>) {
        for keyword in ["oneOf", "anyOf"] {
            let Some(choices) = schema.get(keyword).and_then(Value::as_array) else { continue };
            let found: Vec<Vec<String>> = choices.iter().map(|choice| self.problems(choice, value)).collect();
            let fitting = found.iter().filter(|problems| problems.is_empty()).count();
            if fitting == 0 {
                problems.push(format!("{at}: none of the choices fits: {found:?}"));
            } else if fitting > 1 && keyword == "oneOf" {
                problems.push(format!("{at}: {fitting} of the choices fit"));
            }
        }
    }

    fn check_parts(self, schema: &Map<String, Value>, value: &Value, at: &str, problems: &mut Vec<String>) {
        if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
            for (index, item) in list.iter().enumerate() {
                self.check(items, item, &format!("{at}/{index}"), problems);
            }
        }
        let (Some(members), true) = (value.as_object(), is_object_schema(schema)) else { return };
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str).filter(|name| !members.contains_key(*name)) {
            problems.push(format!("{at}: there is no {name}"));
        }
        for (name, member) in members {
            let known = schema.get("properties").and_then(|properties| properties.get(name));
            match known.or_else(|| schema.get("additionalProperties")) {
                Some(schema) => self.check(schema, member, &format!("{at}/{name}"), problems),
                None => problems.push(format!("{at}: {name} is not described")),
            }
        }
    }
}

fn is_object_schema(schema: &Map<String, Value>) -> bool {
    schema.contains_key("properties") || schema.contains_key("additionalProperties")
}

fn is_of_type(value: &Value, types: &Value) -> bool {
    let is = |name: &Value| match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    };
    types.as_array().map_or_else(|| is(types), |types| types.iter().any(is))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_described_fits() {
        let document = json!({"components": {"schemas": {"Tag": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "hour": {"type": "integer", "minimum": 0, "maximum": 23}},
            "required": ["name"],
        }}}});
        let tag = json!({"$ref": "#/components/schemas/Tag"});
        let list = json!({"type": "array", "items": tag});
        let choice = json!({"oneOf": [tag, {"type": "object", "properties": {"code": {"const": 3}}, "required": ["code"]}]});
        let fits = |schema: &Value, value: Value| Schemas::of(&document).problems(schema, &value).is_empty();
        assert!(fits(&list, json!([{"name": "a"}, {"name": "b", "hour": 23}])));
        assert!(fits(&choice, json!({"name": "a"})) && fits(&choice, json!({"code": 3})));
        for value in [
            json!({}),
            json!({"name": null}),
            json!({"name": "a", "more": 1}),
            json!({"name": "a", "hour": 24}),
            json!({"name": "a", "hour": 1.5}),
            json!("a"),
            json!(null),
        ] {
            assert!(!fits(&list, json!([value])), "{value}");
            assert!(!fits(&choice, value.clone()), "{value}");
        }
        assert!(!fits(&choice, json!({"code": 4})));
        for schema in
            [json!({"$ref": "#/components/schemas/Nothing"}), json!({"pattern": "a"}), json!({"enum": ["b"]})]
        {
            assert!(!fits(&schema, json!("a")), "{schema}");
        }
        assert!(fits(&json!({"type": ["string", "null"]}), json!(null)));
    }
}
