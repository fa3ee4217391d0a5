//! The schemas of wire types.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

/// Collects the schemas of a description.
pub struct Schemas {
    sent: SchemaGenerator,
    taken: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12()
                .with(|settings| settings.definitions_path = "/components/schemas".into())
        };
        Self {
            sent: settings().for_serialize().into_generator(),
            taken: settings().for_deserialize().into_generator(),
        }
    }
}

impl Schemas {
    /// Returns the schema of what an answer holds.
    pub fn sent<T: JsonSchema>(&mut self) -> Value {
        without_null(self.sent.subschema_for::<T>().to_value())
    }

    /// Returns the schema of what a request holds.
    pub fn taken<T: JsonSchema>(&mut self) -> Value {
        self.taken.subschema_for::<T>().to_value()
    }

    /// Returns the members of what a query holds, and whether each is required.
    pub fn members<T: JsonSchema>(&mut self) -> Vec<(String, Value, bool)> {
        let mut schema = without_null(T::json_schema(&mut self.taken).to_value());
        let required = schema["required"].take();
        let Value::Object(members) = schema["properties"].take() else { return Vec::new() };
        let members = members.into_iter().map(|(name, schema)| {
            let is_required = required.as_array().is_some_and(|names| names.iter().any(|given| *given == name));
            (name, schema, is_required)
        });
        members.collect()
    }

    /// Returns the schemas that the others refer to, by name. What is both sent and taken is described as it is sent.
    pub fn into_definitions(mut self) -> Vec<(String, Value)> {
        let sent = self.sent.take_definitions(true).into_iter();
        let sent: Map<_, _> = sent.map(|(name, schema)| (name, without_null(schema))).collect();
        let mut taken = self.taken.take_definitions(true);
        taken.retain(|name, schema| sent.get(name) != Some(&without_null(schema.clone())));
        sent.into_iter().chain(taken).collect()
    }
}

/// Removes `null` from a schema: what is not there is absent (`contract/http-conventions.md` section 11).
fn without_null(schema: Value) -> Value {
    match schema {
        Value::Array(list) => list.into_iter().map(without_null).collect(),
        Value::Object(members) => {
            let mut members: Map<_, _> =
                members.into_iter().map(|(name, value)| (name, without_null(value))).collect();
            if let Some(Value::Array(types)) = members.get_mut("type")
                && types.len() > 1
            {
                types.retain(|name| name != "null");
                if let [name] = &types[..] {
                    let name = name.clone();
                    members.insert("type".to_owned(), name);
                }
            }
            if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
                choices.retain(|choice| choice["type"] != "null");
                if let [Value::Object(choice)] = &mut choices[..] {
                    let choice = std::mem::take(choice);
                    members.shift_remove("anyOf");
                    for (name, value) in choice {
                        members.entry(name).or_insert(value);
                    }
                }
            }
            members.into()
        }
        other => other,
    }
}
