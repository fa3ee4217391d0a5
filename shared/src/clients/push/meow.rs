//! MeoW: a service that shows messages on phones, addressed by a nickname.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use url::Url;

use super::{Channel, Message, text};
use crate::{clients::Answer, clock::Millis, config::OutboundPolicy};

/// What is encoded in a segment of a path: everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The kind of channel.
pub struct MeoW;

impl Channel for MeoW {
    fn name(&self) -> &'static str {
        "meow"
    }

    fn title(&self) -> &'static str {
        "MeoW"
    }

    fn url(&self, channel: &Map<String, Value>, policy: &OutboundPolicy) -> Result<Url, &'static str> {
        let nickname = text(channel, "nickname").trim();
        // A segment of dots would lead elsewhere, encoded or not.
        if nickname.contains('/') || matches!(nickname, "" | "." | "..") {
            return Err("MeoW nickname is required");
        }
        let url = format!("{}/{}", policy.meow_base_url, utf8_percent_encode(nickname, SEGMENT));
        let mut url = Url::parse(&url).map_err(|_| "MeoW nickname is required")?;
        if is_html(channel) {
            url.set_query(Some("msgType=html"));
            if let Some(height) = channel.get("htmlHeight").and_then(Value::as_number) {
                url.query_pairs_mut().append_pair("htmlHeight", &height.to_string());
            }
        } else {
            url.set_query(Some("msgType=text"));
        }
        Ok(url)
    }

    fn body(&self, channel: &Map<String, Value>, message: &Message, _: Millis) -> Value {
        json!({"title": message.title, "msg": if is_html(channel) { &message.html } else { &message.text }})
    }

    fn is_taken(&self, answer: &Answer) -> Option<bool> {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        Some(body["status"].as_number().is_none_or(|status| status.as_i64() == Some(200)))
    }
}

fn is_html(channel: &Map<String, Value>) -> bool {
    text(channel, "msgType") == "html"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(channel: Value) -> Result<String, &'static str> {
        let policy =
            OutboundPolicy { meow_base_url: "https://m.example/v1".to_owned(), ..OutboundPolicy::default() };
        let Value::Object(channel) = channel else { panic!("an object") };
        MeoW.url(&channel, &policy).map(String::from)
    }

    #[test]
    fn the_nickname_is_one_segment_and_the_form_stands_in_the_query() {
        for (channel, expected) in [
            (json!({"nickname": "ann"}), "https://m.example/v1/ann?msgType=text"),
            (
                json!({"nickname": "ann", "msgType": "other", "htmlHeight": 5}),
                "https://m.example/v1/ann?msgType=text",
            ),
            (json!({"nickname": "a", "msgType": "html"}), "https://m.example/v1/a?msgType=html"),
            (
                json!({"nickname": "a", "msgType": "html", "htmlHeight": 500}),
                "https://m.example/v1/a?msgType=html&htmlHeight=500",
            ),
            (
                json!({"nickname": "a", "msgType": "html", "htmlHeight": "9"}),
                "https://m.example/v1/a?msgType=html",
            ),
            (
                json!({"nickname": " 喵?#%2F\\:@ "}),
                "https://m.example/v1/%E5%96%B5%3F%23%252F%5C%3A%40?msgType=text",
            ),
            (json!({"nickname": "..."}), "https://m.example/v1/...?msgType=text"),
        ] {
            assert_eq!(url(channel).as_deref(), Ok(expected));
        }
        for nickname in ["", " ", "a/b", "..", ".", "/", " .. "] {
            assert_eq!(url(json!({"nickname": nickname})), Err("MeoW nickname is required"), "{nickname}");
        }
    }

    #[test]
    fn a_status_in_the_answer_counts_when_it_is_a_number() {
        let is_taken = |body: &str| MeoW.is_taken(&Answer { status: 200, body: body.into() });
        for (body, taken) in [
            (r#"{"status": 200}"#, true),
            (r#"{"status": "500"}"#, true),
            ("ok", true),
            ("", true),
            ("[]", true),
            (r#"{"status": 500, "msg": "no"}"#, false),
            (r#"{"status": 200.5}"#, false),
        ] {
            assert_eq!(is_taken(body), Some(taken), "{body}");
        }
    }
}
