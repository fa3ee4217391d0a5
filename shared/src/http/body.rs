//! Reads request bodies: JSON and forms, always as an object
//! (`contract/http-conventions.md` section 3).

use std::{borrow::Cow, marker::PhantomData};

use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
    http::header,
};
use serde_json::{Map, Value};

use crate::{Error, Result, dto::Fields};

/// The most bytes of a JSON or form body.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The most bytes of a body that carries files as text: what a function can take.
pub const MAX_LARGE_BODY_BYTES: usize = 6 * 1024 * 1024;

/// The deepest nesting of a form, as in JSON.
const MAX_DEPTH: usize = 32;

/// A body with the members of `T`, which the handler reads when it is time: what it checks before is refused before.
#[derive(Debug, Clone)]
pub struct Body<T, const MAX_BYTES: usize = MAX_BODY_BYTES> {
    members: Fields,
    reads_as: PhantomData<fn() -> T>,
}

/// A body that may be as large as a function can take (`contract/ai-asr-ocr-system.md` O1).
pub type LargeBody<T> = Body<T, MAX_LARGE_BODY_BYTES>;

impl<T, const MAX_BYTES: usize> Body<T, MAX_BYTES>
where
    T: for<'a> TryFrom<&'a Fields, Error = Error>,
{
    /// Reads the members.
    ///
    /// # Errors
    /// What `T` says of a member that is missing or wrong.
    pub fn read(&self) -> Result<T> {
        T::try_from(&self.members)
    }
}

impl<S: Sync, T, const MAX_BYTES: usize> FromRequest<S> for Body<T, MAX_BYTES> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        Ok(Self { members: read(request, MAX_BYTES).await?, reads_as: PhantomData })
    }
}

async fn read(request: Request, max_bytes: usize) -> Result<Fields> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let parse: fn(&str) -> Result<Fields> = match media_type.trim().to_ascii_lowercase().as_str() {
        "application/json" => parse_json,
        "application/x-www-form-urlencoded" => |text| Ok(parse_form(text)),
        _ => return Ok(Fields::default()),
    };
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > max_bytes) {
        return Err(too_large());
    }
    let bytes = to_bytes(request.into_body(), max_bytes).await.map_err(|_| too_large())?;
    parse(&String::from_utf8_lossy(&bytes))
}

fn too_large() -> Error {
    Error::Unreadable { status: 413, message: "Request body too large".into() }
}

fn invalid_json() -> Error {
    Error::Unreadable { status: 400, message: "Invalid JSON body".into() }
}

fn parse_json(text: &str) -> Result<Fields> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Ok(Fields::default());
    }
    let value = serde_json::from_str(text).or_else(|_| serde_json::from_str(&replace_lone_surrogates(text)));
    match value {
        Ok(Value::Object(members)) => Ok(Fields::from_json(without_u0000(text, members))),
        Ok(Value::Array(_)) => Ok(Fields::default()),
        Ok(_) | Err(_) => Err(invalid_json()),
    }
}

/// Replaces `\uD800` to `\uDFFF` that are not part of a pair by U+FFFD. Clients that cut a text in
/// the middle of an emoji send them.
fn replace_lone_surrogates(json: &str) -> Cow<'_, str> {
    let unit_at = |at: usize| {
        let escape = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(escape, 16).ok()
    };
    let mut replaced = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(offset) = json[at..].find('\\') {
        at += offset;
        match unit_at(at) {
            Some(0xD800..=0xDBFF) if matches!(unit_at(at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => {
                replaced.push_str(&json[copied..at]);
                replaced.push('\u{fffd}');
                at += 6;
                copied = at;
            }
            // The character behind the backslash may be one of several bytes; those are no JSON anyway.
            _ => at = (at + 2).min(json.len()),
        }
        while !json.is_char_boundary(at) {
            at += 1;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    replaced.push_str(&json[copied..]);
    Cow::Owned(replaced)
}

/// Removes U+0000 from every text: PostgreSQL cannot store it (`contract/data-model.md` section 1).
fn without_u0000(json: &str, members: Map<String, Value>) -> Map<String, Value> {
    if !json.contains("\\u0000") && !json.contains('\0') {
        return members;
    }
    members.into_iter().map(|(name, value)| (name.replace('\0', ""), clean(value))).collect()
}

fn clean(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('\0', "")),
        Value::Array(list) => list.into_iter().map(clean).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name.replace('\0', ""), clean(value))).collect()
        }
        other => other,
    }
}

/// Reads a form. Brackets nest: `tags[]=a`, `tags[0]=a`, `properties[width]=1`; a name that is
/// repeated makes a list.
fn parse_form(text: &str) -> Fields {
    let mut root = Map::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let (name, value) = (name.replace('\0', ""), value.replace('\0', ""));
        let path = path_of(&name);
        if path.len() <= MAX_DEPTH {
            insert(&mut root, &path, value);
        }
    }
    let members = root.into_iter().map(|(name, value)| (name, listed(value))).collect();
    Fields::from_form(members)
}

/// Splits `a[b][]` into `a`, `b` and the empty name.
fn path_of(name: &str) -> Vec<&str> {
    let Some((head, rest)) = name.split_once('[').filter(|(head, _)| !head.is_empty()) else { return vec![name] };
    let mut path = vec![head];
    path.extend(rest.split('[').map(|segment| segment.strip_suffix(']').unwrap_or(segment)));
    path
}

/// Puts a value at a path. While a form is read, lists are objects with the members `0`, `1`, ….
fn insert(members: &mut Map<String, Value>, path: &[&str], value: String) {
    let Some((name, rest)) = path.split_first() else { return };
    let name = if name.is_empty() { members.len().to_string() } else { (*name).to_owned() };
    if rest.is_empty() {
        match members.get_mut(&name) {
            None => {
                members.insert(name, Value::String(value));
            }
            Some(Value::Object(list)) => insert(list, &[""], value),
            Some(first) => {
                let list = [("0".to_owned(), first.take()), ("1".to_owned(), Value::String(value))];
                *first = Value::Object(list.into_iter().collect());
            }
        }
        return;
    }
    let child = members.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !child.is_object() {
        *child = Value::Object([("0".to_owned(), child.take())].into_iter().collect());
    }
    if let Value::Object(child) = child {
        insert(child, rest, value);
    }
}

/// Turns objects whose members are all numbered into lists.
fn listed(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let members: Vec<(String, Value)> = members.into_iter().map(|(name, value)| (name, listed(value))).collect();
    let mut numbered: Vec<(usize, &Value)> =
        members.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value))).collect();
    if numbered.len() < members.len() {
        return Value::Object(members.into_iter().collect());
    }
    numbered.sort_by_key(|(index, _)| *index);
    numbered.into_iter().map(|(_, value)| value.clone()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json_member(text: &str, name: &str) -> Option<Value> {
        parse_json(text).unwrap().raw(name).cloned()
    }

    #[test]
    fn only_objects_have_members_and_only_lists_and_objects_are_bodies() {
        assert_eq!(json_member(r#"{"a":1}"#, "a"), Some(json!(1)));
        assert_eq!(json_member("[1]", "0"), None);
        assert_eq!(json_member("  ", "a"), None);
        assert_eq!(json_member("\u{feff}{\"a\":1}", "a"), Some(json!(1)));
        for text in ["null", "1", "\"x\"", "{", "{\"a\":1} x"] {
            assert!(parse_json(text).is_err(), "{text}");
        }
    }

    #[test]
    fn half_an_emoji_becomes_a_replacement_character() {
        assert_eq!(json_member(r#"{"t":"a\ud83d"}"#, "t"), Some(json!("a\u{fffd}")));
        assert_eq!(
            json_member(r#"{"t":"\ude00\ud83d\ude00\ud83d..."}"#, "t"),
            Some(json!("\u{fffd}😀\u{fffd}..."))
        );
        assert_eq!(json_member(r#"{"t":"\\ud83d \ud83d"}"#, "t"), Some(json!("\\ud83d \u{fffd}")));
        assert!(parse_json("{\"t\":\"\\é\"}").is_err());
    }

    #[test]
    fn u0000_is_removed_from_every_text() {
        let body = r#"{"a":"x\u0000y","b":[{"c":"\u0000"}]}"#;
        assert_eq!(json_member(body, "a"), Some(json!("xy")));
        assert_eq!(json_member(body, "b"), Some(json!([{"c": ""}])));
    }

    #[test]
    fn forms_nest_by_brackets() {
        let form = parse_form("content=a+b&tags[]=x&tags[]=y&p[w]=1&l[1]=b&l[0]=a&r=1&r=2");
        assert_eq!(form.raw("content"), Some(&json!("a b")));
        assert_eq!(form.raw("tags"), Some(&json!(["x", "y"])));
        assert_eq!(form.raw("p"), Some(&json!({"w": "1"})));
        assert_eq!(form.raw("l"), Some(&json!(["a", "b"])));
        assert_eq!(form.raw("r"), Some(&json!(["1", "2"])));
    }

    #[test]
    fn odd_forms_do_no_harm() {
        for text in ["[]=1", "a[=1", "a]=1", "a[][]=1", "=", "a[b]=1&a=2&a[c]=3", "a=1&a[b]=2"] {
            parse_form(text);
        }
        parse_form(&format!("a{}=1", "[x]".repeat(10_000)));
    }
}
