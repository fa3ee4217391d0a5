//! What one route takes and answers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::{
    super::{Access, Route, envelope::SUCCESS},
    parts::{self, Shared},
    schemas::Schemas,
};

const JSON: &str = "application/json";

/// A route under description.
pub struct Operation<'a> {
    schemas: &'a mut Schemas,
    route: &'a Route,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Answer>,
    /// What is the same for many routes.
    shared: BTreeMap<u16, Shared>,
}

/// What comes under a status: one of several bodies.
#[derive(Default)]
struct Answer {
    description: &'static str,
    headers: Map<String, Value>,
    content: BTreeMap<&'static str, Vec<Value>>,
}

impl<'a> Operation<'a> {
    pub(super) fn new(schemas: &'a mut Schemas, route: &'a Route) -> Self {
        let mut operation = Self {
            schemas,
            route,
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            shared: BTreeMap::new(),
        };
        if route.access != Access::Public {
            operation.shared(Shared::Unauthenticated);
        }
        if route.access == Access::User {
            operation.shared(Shared::AuthenticationFailed);
            operation.shared(Shared::SchemaMismatch);
        }
        operation
    }

    /// Takes the parameter of the path.
    pub fn path_parameter<T: JsonSchema>(&mut self) {
        let name = self.route.path.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
        let name = name.map_or("", |(name, _)| name.trim_start_matches('*'));
        let schema = self.schemas.taken::<T>();
        self.parameters.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
        self.shared(Shared::Unreadable);
    }

    /// Takes the members of `T` from the query.
    pub fn query<T: JsonSchema>(&mut self) {
        for (name, mut schema, required) in self.schemas.members::<T>() {
            let description = schema.as_object_mut().and_then(|schema| schema.shift_remove("description"));
            // A number or boolean that is none, and nothing else, is refused in this way.
            if schema["type"] == "number" || schema["type"] == "boolean" {
                self.shared(Shared::Unreadable);
            }
            let mut parameter = json!({"name": name, "in": "query", "required": required, "schema": schema});
            if let Some(description) = description {
                parameter["description"] = description;
            }
            self.parameters.push(parameter);
        }
    }

    /// Takes a header.
    pub fn header(&mut self, name: &str, description: &str) {
        let schema = json!({"type": "string"});
        self.parameters.push(json!({"name": name, "in": "header", "description": description, "schema": schema}));
    }

    /// Takes a body of one of several media types.
    pub fn body<T: JsonSchema>(&mut self, media_types: &[&str]) {
        let schema = self.schemas.taken::<T>();
        let content = media_types.iter().map(|media_type| ((*media_type).to_owned(), json!({"schema": schema})));
        self.body = Some(json!({"content": content.collect::<Map<_, _>>()}));
    }

    /// Answers what many routes answer.
    pub(crate) fn shared(&mut self, answer: Shared) {
        self.shared.insert(answer.status(), answer);
    }

    /// Answers without a body, or says what an answer with a body is about.
    pub fn answer(&mut self, status: u16, description: &'static str) {
        self.answers.entry(status).or_default().description = description;
    }

    /// Answers a body.
    pub fn content(&mut self, status: u16, media_type: &'static str, schema: Value) {
        let bodies = self.answers.entry(status).or_default().content.entry(media_type).or_default();
        if !bodies.contains(&schema) {
            bodies.push(schema);
        }
    }

    /// Answers JSON without the envelope.
    pub fn bare<T: JsonSchema>(&mut self, status: u16, description: &'static str) {
        let schema = self.schemas.sent::<T>();
        self.answer(status, description);
        self.content(status, JSON, schema);
    }

    /// Answers a payload in the envelope.
    pub fn payload<T: JsonSchema>(&mut self, status: u16) {
        let data = self.schemas.sent::<T>();
        let envelope = json!({
            "type": "object",
            "properties": {"code": {"const": 0}, "msg": {"const": SUCCESS}, "data": data},
            "required": ["code", "msg", "data"],
        });
        self.answer(status, "The payload.");
        self.content(status, JSON, envelope);
    }

    /// Answers an envelope with a code in place of the payload.
    pub fn refusal(&mut self, status: u16) {
        let has_payload = self.answers.contains_key(&status);
        let description = if has_payload { "The payload, or why there is none." } else { "Why there is nothing." };
        self.answer(status, description);
        self.content(status, JSON, parts::reference("Refusal"));
    }

    /// Adds a header to an answer.
    pub fn answer_header(&mut self, status: u16, name: &str, description: &str) {
        let header = json!({"description": description, "schema": {"type": "string"}});
        self.answers.entry(status).or_default().headers.insert(name.to_owned(), header);
    }

    /// Returns the operation object.
    pub(super) fn into_value(mut self, summary: &str) -> Value {
        let mut operation = json!({"summary": summary, "operationId": operation_id(self.route)});
        let scheme = |name: &str| json!({name: []});
        operation["security"] = match self.route.access {
            Access::Public => json!([]),
            Access::User => json!([scheme("token"), scheme("cookie")]),
            Access::Service => json!([scheme("service")]),
        };
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.into();
        }
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        let mut responses = BTreeMap::new();
        for (status, shared) in self.shared {
            match self.answers.get_mut(&status) {
                Some(answer) => answer.content.entry(JSON).or_default().push(shared.schema()),
                None => drop(responses.insert(status, shared.reference())),
            }
        }
        responses.extend(self.answers.into_iter().map(|(status, answer)| (status, answer.into_value())));
        let responses = responses.into_iter().map(|(status, response)| (status.to_string(), response));
        operation["responses"] = responses.collect::<Map<_, _>>().into();
        operation
    }
}

impl Answer {
    fn into_value(self) -> Value {
        let mut response = json!({"description": self.description});
        if !self.headers.is_empty() {
            response["headers"] = self.headers.into();
        }
        let one_of = |mut bodies: Vec<Value>| match bodies.len() {
            1 => bodies.remove(0),
            _ => json!({"oneOf": bodies}),
        };
        let content = self.content.into_iter();
        let content =
            content.map(|(media_type, bodies)| (media_type.to_owned(), json!({"schema": one_of(bodies)})));
        let content: Map<_, _> = content.collect();
        if !content.is_empty() {
            response["content"] = content.into();
        }
        response
    }
}

/// Makes `putMemosMemoIdTags` of `PUT /api/v1/memos/{memoId}/tags`.
fn operation_id(route: &Route) -> String {
    let path = route.path.strip_prefix("/api/v1").unwrap_or(route.path);
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(route.method.as_str().to_ascii_lowercase(), |mut id, word| {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_ascii_uppercase());
        id.push_str(rest);
        id
    })
}
