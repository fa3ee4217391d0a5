//! Payloads of an API Gateway HTTP API: format 2.0, and 1.0, which is that of REST APIs.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use shared::clock::{Clock, SystemClock};

/// A request, to be handed to a function as an event.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl HttpRequest {
    /// Returns a request without headers and body. `target` is the path and, behind a `?`, the query,
    /// both encoded as in a URL.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Returns a `GET` request.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    /// Sets the body, whose type is among the headers.
    #[must_use]
    pub fn bytes(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Returns the event that API Gateway makes of the request.
    #[must_use]
    pub fn into_event(self) -> Value {
        let mut headers = self.gateway_headers();
        let mut cookies = Vec::new();
        for (name, value) in &self.headers {
            if name == "cookie" {
                cookies.extend(value.split(';').map(|cookie| cookie.trim().to_owned()));
            } else {
                append(&mut headers, name.clone(), value);
            }
        }
        let mut query = Map::new();
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            append(&mut query, name.into_owned(), &value);
        }
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": self.query,
            "headers": headers,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "domainName": "api.example.com",
                "domainPrefix": "api",
                "http": {
                    "method": self.method,
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "bench",
                },
                "requestId": "request",
                "routeKey": "$default",
                "stage": "$default",
                "timeEpoch": SystemClock.now(),
            },
            "isBase64Encoded": false,
        });
        if !cookies.is_empty() {
            event["cookies"] = cookies.into();
        }
        if !query.is_empty() {
            event["queryStringParameters"] = query.into();
        }
        self.put_body(&mut event);
        event
    }

    /// As [`Self::into_event`], in the payload format 1.0.
    #[must_use]
    pub fn into_event_of_version_1(self) -> Value {
        let mut headers = self.gateway_headers();
        let mut all_headers: Map<String, Value> =
            headers.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.as_str().into());
            push(&mut all_headers, name, value);
        }
        let (mut query, mut all_queries) = (Map::new(), Map::new());
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            query.insert(name.to_string(), value.as_ref().into());
            push(&mut all_queries, &name, &value);
        }
        let mut event = json!({
            "version": "1.0",
            "resource": "$default",
            "path": self.path,
            "httpMethod": self.method,
            "headers": headers,
            "multiValueHeaders": all_headers,
            "queryStringParameters": query,
            "multiValueQueryStringParameters": all_queries,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "domainName": "api.example.com",
                "domainPrefix": "api",
                "httpMethod": self.method,
                "identity": {"sourceIp": "192.0.2.1", "userAgent": "bench"},
                "path": self.path,
                "protocol": "HTTP/1.1",
                "requestId": "request",
                "requestTimeEpoch": SystemClock.now(),
                "resourcePath": "$default",
                "stage": "$default",
            },
            "pathParameters": null,
            "stageVariables": null,
            "body": null,
            "isBase64Encoded": false,
        });
        self.put_body(&mut event);
        event
    }

    /// Returns the headers that the gateway adds.
    fn gateway_headers(&self) -> Map<String, Value> {
        let fixed = [
            ("host", "api.example.com"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-proto", "https"),
        ];
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value.into()));
        let length = self.body.as_ref().map(|body| ("content-length".to_owned(), body.len().to_string().into()));
        fixed.into_iter().chain(length).collect()
    }

    fn put_body(self, event: &mut Value) {
        match self.body.map(String::from_utf8) {
            None => {}
            Some(Ok(text)) => event["body"] = text.into(),
            Some(Err(binary)) => {
                event["body"] = BASE64_STANDARD.encode(binary.as_bytes()).into();
                event["isBase64Encoded"] = true.into();
            }
        }
    }
}

/// Adds to a list of values.
fn push(members: &mut Map<String, Value>, name: &str, value: &str) {
    let values = members.entry(name).or_insert_with(|| json!([]));
    if let Some(values) = values.as_array_mut() {
        values.push(value.into());
    }
}

/// Sets a member; what is repeated is joined by commas.
fn append(members: &mut Map<String, Value>, name: String, value: &str) {
    let joined = match members.get(&name).and_then(Value::as_str) {
        Some(first) => format!("{first},{value}"),
        None => value.to_owned(),
    };
    members.insert(name, joined.into());
}

/// A response, as a function hands it to API Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case; cookies are `set-cookie`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpReply {
    /// Reads the payload of a function.
    ///
    /// # Errors
    /// The payload is no response; the message says why.
    pub fn from_payload(payload: &Value) -> Result<Self, String> {
        let status = payload["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
        let status = status.ok_or_else(|| format!("no statusCode in {payload}"))?;
        let text = payload["body"].as_str().unwrap_or_default();
        let body = if payload["isBase64Encoded"] == true {
            BASE64_STANDARD.decode(text).map_err(|error| format!("the body is no base64: {error}"))?
        } else {
            text.as_bytes().to_vec()
        };
        let single = payload["headers"].as_object().into_iter().flatten();
        let single = single.map(|(name, value)| (name.as_str(), value));
        let multiple = payload["multiValueHeaders"].as_object().into_iter().flatten();
        let multiple = multiple.flat_map(|(name, values)| {
            values.as_array().into_iter().flatten().map(|value| (name.as_str(), value))
        });
        let cookies = payload["cookies"].as_array().into_iter().flatten().map(|cookie| ("set-cookie", cookie));
        let headers = single.chain(multiple).chain(cookies).map(|(name, value)| {
            (name.to_ascii_lowercase(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        });
        Ok(Self { status, headers: headers.collect(), body })
    }

    /// Returns the first header of a name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Reads the body as JSON; `null` when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_what_api_gateway_would_send() {
        let event = HttpRequest::new("PUT", "/a%20b?x=1&x=%E8%AF%BB&y=")
            .header("Cookie", "a=1; b=2")
            .header("X-Many", "1")
            .header("X-Many", "2")
            .json(&json!({"k": "读"}))
            .into_event();
        assert_eq!(event["rawPath"], "/a%20b");
        assert_eq!(event["rawQueryString"], "x=1&x=%E8%AF%BB&y=");
        assert_eq!(event["queryStringParameters"], json!({"x": "1,读", "y": ""}));
        assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
        assert_eq!(event["headers"]["x-many"], "1,2");
        assert_eq!(event["headers"]["content-length"], "11");
        assert_eq!(event["headers"].get("cookie"), None);
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{\"k\":\"读\"}"), &json!(false)));
        assert_eq!(event["requestContext"]["http"]["method"], "PUT");
    }

    #[test]
    fn an_event_of_version_1_repeats_what_was_repeated() {
        let event = HttpRequest::get("/a%20b?x=1&x=%E8%AF%BB").header("Cookie", "a=1; b=2").header("X-Many", "1");
        let event = event.header("X-Many", "2").into_event_of_version_1();
        assert_eq!((&event["path"], &event["httpMethod"]), (&json!("/a%20b"), &json!("GET")));
        assert_eq!(event["multiValueQueryStringParameters"], json!({"x": ["1", "读"]}));
        assert_eq!(event["queryStringParameters"], json!({"x": "读"}));
        assert_eq!(event["multiValueHeaders"]["x-many"], json!(["1", "2"]));
        assert_eq!((&event["headers"]["cookie"], &event["headers"]["x-many"]), (&json!("a=1; b=2"), &json!("2")));
    }

    #[test]
    fn binary_bodies_travel_as_base64_in_both_directions() {
        let event = HttpRequest::new("POST", "/").body("image/png", [0xff, 0]).into_event();
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
        let payload = json!({
            "statusCode": 201,
            "headers": {"Content-Type": "image/png"},
            "cookies": ["a=1"],
            "body": "/wA=",
            "isBase64Encoded": true,
        });
        let reply = HttpReply::from_payload(&payload).unwrap();
        assert_eq!((reply.status, reply.body.as_slice()), (201, [0xff, 0].as_slice()));
        assert_eq!(reply.header("content-type"), Some("image/png"));
        assert_eq!(reply.header("set-cookie"), Some("a=1"));
        assert!(HttpReply::from_payload(&json!({"body": "x"})).is_err());
    }
}
