//! The page: HTML made of the document, readable without scripts.

use serde_json::{Map, Value};

/// The style. Its hash stands in the content security policy.
pub const STYLE: &str = include_str!("style.css");

/// Makes the page of a document.
pub fn render(document: &str) -> String {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let mut html = Html(String::with_capacity(512 * 1024));
    html.head(&document["info"]);
    html.contents(&document);
    for tag in list(&document["tags"]) {
        html.function(&document, text(&tag["name"]));
    }
    html.schemas(&document["components"]);
    html.0.push_str("</main></body></html>\n");
    html.0
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// The page under construction.
struct Html(String);

impl Html {
    /// Adds markup.
    fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text.
    fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                other => self.0.push(other),
            }
        }
        self
    }

    fn element(&mut self, name: &str, text: &str) -> &mut Self {
        self.raw("<").raw(name).raw(">").text(text).raw("</").raw(name).raw(">")
    }

    /// Adds prose, in which backticks mark code and an empty line ends a paragraph.
    fn prose(&mut self, text: &str) -> &mut Self {
        for paragraph in text.split("\n\n") {
            self.raw("<p>").line(paragraph).raw("</p>");
        }
        self
    }

    /// Adds a line of prose.
    fn line(&mut self, text: &str) -> &mut Self {
        for (index, part) in text.split('`').enumerate() {
            if index % 2 == 0 {
                self.text(part)
            } else {
                self.element("code", part)
            };
        }
        self
    }

    fn head(&mut self, info: &Value) {
        let (title, version) = (text(&info["title"]), text(&info["version"]));
        self.raw("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>").text(title);
        self.raw(" API</title><meta name=\"viewport\" content=\"width=device-width\"><style>").raw(STYLE);
        self.raw("</style></head><body><main><h1>")
            .text(title)
            .raw(" API ")
            .element("small", version)
            .raw("</h1>");
        self.prose(text(&info["description"]));
        self.raw("<p>The same for programs, in OpenAPI 3.1: <a href=\"openapi.json\">openapi.json</a></p>");
    }

    fn contents(&mut self, document: &Value) {
        self.raw("<nav><ul>");
        for tag in list(&document["tags"]) {
            self.link(text(&tag["name"]));
        }
        self.raw("</ul></nav><h2>Signing in</h2><ul class=\"members\">");
        for (name, scheme) in members(&document["components"]["securitySchemes"]) {
            self.raw("<li>").element("b", name).raw(" ").line(text(&scheme["description"])).raw("</li>");
        }
        self.raw("</ul>");
    }

    fn link(&mut self, name: &str) {
        self.raw("<li><a href=\"#").text(name).raw("\">").text(name).raw("</a></li>");
    }

    fn heading(&mut self, level: &str, id: &str) {
        self.raw("<").raw(level).raw(" id=\"").text(id).raw("\">").text(id).raw("</").raw(level).raw(">");
    }

    fn function(&mut self, document: &Value, name: &str) {
        self.heading("h2", name);
        for (path, methods) in members(&document["paths"]) {
            for (method, operation) in members(methods) {
                if operation["tags"][0] == name {
                    self.operation(document, path, method, operation);
                }
            }
        }
    }

    fn operation(&mut self, document: &Value, path: &str, method: &str, operation: &Value) {
        self.raw("<details><summary>").element("b", &method.to_ascii_uppercase()).raw(" ").element("code", path);
        self.raw(" ").text(text(&operation["summary"])).raw("</summary><div id=\"");
        self.text(text(&operation["operationId"])).raw("\">");
        let access: Vec<&str> =
            list(&operation["security"]).iter().flat_map(members).map(|(name, _)| name.as_str()).collect();
        let access = if access.is_empty() { "open to everybody".to_owned() } else { access.join(" or ") };
        self.raw("<p>Access: ").text(&access).raw("</p>");
        if !list(&operation["parameters"]).is_empty() {
            self.raw("<h4>Parameters</h4><ul class=\"members\">");
            for parameter in list(&operation["parameters"]) {
                self.parameter(parameter);
            }
            self.raw("</ul>");
        }
        let body = &operation["requestBody"]["content"];
        if let Some((_, content)) = members(body).next() {
            let types: Vec<&str> = members(body).map(|(name, _)| name.as_str()).collect();
            self.raw("<h4>Body <small>").text(&types.join(" or ")).raw("</small></h4>");
            self.schema(&content["schema"]).examples(content);
        }
        for (status, answer) in members(&operation["responses"]) {
            self.answer(status, resolve(document, answer));
        }
        self.raw("</div></details>");
    }

    fn parameter(&mut self, parameter: &Value) {
        self.raw("<li>")
            .element("b", text(&parameter["name"]))
            .raw(" <small>in the ")
            .text(text(&parameter["in"]));
        if parameter["required"] == true {
            self.raw(", required");
        }
        self.raw("</small>: ").shape(&parameter["schema"]).raw(" ").line(text(&parameter["description"]));
        self.raw("</li>");
    }

    fn answer(&mut self, status: &str, answer: &Value) {
        self.raw("<h4>").text(status).raw(" <small>").line(text(&answer["description"])).raw("</small></h4>");
        for (name, header) in members(&answer["headers"]) {
            self.raw("<p><b>").text(name).raw("</b> ").line(text(&header["description"])).raw("</p>");
        }
        for (media_type, content) in members(&answer["content"]) {
            if media_type != "application/json" {
                self.element("small", media_type);
            }
            self.schema(&content["schema"]).examples(content);
        }
    }

    fn examples(&mut self, content: &Value) {
        for (_, example) in members(&content["examples"]) {
            let value = match &example["value"] {
                Value::String(text) => text.clone(),
                value => serde_json::to_string_pretty(value).unwrap_or_default(),
            };
            self.raw("<p><small>").text(text(&example["summary"])).raw("</small></p>").element("pre", &value);
        }
    }

    fn schemas(&mut self, components: &Value) {
        self.raw("<h2>Types</h2>");
        for (name, schema) in members(&components["schemas"]) {
            self.heading("h3", name);
            self.schema(schema);
        }
    }

    /// Adds a schema with its members.
    fn schema(&mut self, schema: &Value) -> &mut Self {
        self.line(text(&schema["description"])).raw(" ").shape(schema)
    }

    /// Says in a few words what values a schema has; lists the members of an object.
    fn shape(&mut self, schema: &Value) -> &mut Self {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            return self.raw("<a href=\"#").text(name).raw("\">").text(name).raw("</a>");
        }
        let choices = ["oneOf", "anyOf"].iter().find_map(|word| schema[*word].as_array());
        if let Some(choices) = choices {
            return self.choices(choices);
        }
        if let Some(value) = schema.get("const") {
            return self.element("code", &value.to_string());
        }
        if let Some(values) = schema["enum"].as_array() {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            return self.element("code", &values.join(" | "));
        }
        let types = match &schema["type"] {
            Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
            Value::String(name) => name.clone(),
            _ => "anything".to_owned(),
        };
        self.element("small", &types);
        if schema.get("items").is_some() {
            self.raw(" <small>of</small> ").shape(&schema["items"]);
        }
        self.members(schema)
    }

    fn choices(&mut self, choices: &[Value]) -> &mut Self {
        self.raw("<small>one of</small><ul class=\"members\">");
        for choice in choices {
            self.raw("<li>").shape(choice).raw(" ").line(text(&choice["description"])).raw("</li>");
        }
        self.raw("</ul>")
    }

    fn members(&mut self, schema: &Value) -> &mut Self {
        if schema.get("properties").is_none() {
            return self;
        }
        self.raw("<ul class=\"members\">");
        for (name, member) in members(&schema["properties"]) {
            let is_required = list(&schema["required"]).iter().any(|required| required == name);
            self.raw("<li>").element("b", name).raw(if is_required { " " } else { " <small>optional</small> " });
            self.shape(member).raw(" ").line(text(&member["description"])).raw("</li>");
        }
        self.raw("</ul>")
    }
}

/// Follows a reference to an answer that many routes share.
fn resolve<'a>(document: &'a Value, answer: &'a Value) -> &'a Value {
    let path = answer["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    path.and_then(|path| document.pointer(path)).unwrap_or(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let mut html = Html(String::new());
        html.line("`<script>` & \"x\"");
        assert_eq!(html.0, "<code>&lt;script&gt;</code> &amp; &quot;x&quot;");
    }
}
