//! Feishu and Lark: bots that post into a group, addressed by a webhook.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use url::Url;

use super::{Channel, Message, text};
use crate::{
    clients::{Answer, Guarded},
    clock::Millis,
    config::OutboundPolicy,
};

/// The hosts that webhooks may always name.
const HOSTS: [&str; 2] = ["open.feishu.cn", "open.larksuite.com"];

/// What Feishu answers to whoever sends too often.
const RATE_LIMITED: i64 = 11_232;

/// The kind of channel.
pub struct Feishu;

impl Channel for Feishu {
    fn name(&self) -> &'static str {
        "feishu"
    }

    fn title(&self) -> &'static str {
        "Feishu"
    }

    fn url(&self, channel: &Map<String, Value>, policy: &OutboundPolicy) -> Result<Url, &'static str> {
        match text(channel, "webhookUrl") {
            "" => Err("Feishu webhook URL is required"),
            url => allowed(url, policy).ok_or("Feishu webhook URL is not allowed"),
        }
    }

    fn body(&self, channel: &Map<String, Value>, message: &Message, now: Millis) -> Value {
        let text_message = format!("{}\n{}", message.title, message.text);
        let mut body = json!({"msg_type": "text", "content": {"text": text_message}});
        let secret = text(channel, "secret");
        if !secret.is_empty() {
            let timestamp = (now / 1000).to_string();
            body["sign"] = signature(&timestamp, secret).into();
            body["timestamp"] = timestamp.into();
        }
        body
    }

    fn is_taken(&self, answer: &Answer) -> Option<bool> {
        let body: Value = serde_json::from_slice(&answer.body).ok()?;
        Some(matches!(&body["code"], Value::Null) || body["code"] == 0)
    }

    fn is_busy(&self) -> fn(&Answer) -> bool {
        |answer| serde_json::from_slice::<Value>(&answer.body).is_ok_and(|body| body["code"] == RATE_LIMITED)
    }
}

/// Contract: the text is the key, and nothing is signed with it (contract/push-rules-scheduler.md, Feishu).
fn signature(timestamp: &str, secret: &str) -> String {
    let key = format!("{timestamp}\n{secret}");
    // HMAC takes keys of any length.
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes()).unwrap_or_else(|_| unreachable!());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// Returns a webhook that may be called: https on the standard port of a listed host, or any URL of a trusted
/// `host:port` (P1).
fn allowed(url: &str, policy: &OutboundPolicy) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    let is_trusted = matches!(url.scheme(), "http" | "https") && Guarded::is_trusted(&policy.trusted_hosts, &url);
    let is_listed = HOSTS.contains(&host) || policy.allowed_hosts.iter().any(|allowed| allowed == host);
    let is_public = url.scheme() == "https" && url.port_or_known_default() == Some(443) && is_listed;
    (!has_credentials && (is_trusted || is_public)).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_name_listed_hosts_by_https_or_trusted_ones() {
        let policy = OutboundPolicy {
            allowed_hosts: vec!["hooks.example".to_owned()],
            trusted_hosts: vec!["127.0.0.1:18080".to_owned()],
            ..OutboundPolicy::default()
        };
        for url in [
            "https://open.feishu.cn/open-apis/bot/v2/hook/x",
            "https://open.larksuite.com:443/x",
            "https://hooks.example/x",
            "http://127.0.0.1:18080/feishu/ok",
        ] {
            assert!(allowed(url, &policy).is_some(), "{url}");
        }
        for url in [
            "http://open.feishu.cn/x",
            "https://open.feishu.cn:8443/x",
            "https://open.feishu.cn.evil.example/x",
            "https://open.feishu.cn@127.0.0.1/x",
            "https://user@open.feishu.cn/x",
            "http://127.0.0.1:18081/x",
            "https://169.254.169.254/latest",
            "file:///etc/passwd",
            "ftp://127.0.0.1:18080/x",
            "open.feishu.cn/x",
            "",
        ] {
            assert!(allowed(url, &policy).is_none(), "{url}");
        }
    }

    fn body(channel: Value) -> Value {
        let Value::Object(channel) = channel else { panic!("an object") };
        let message =
            Message {
                title: "今日推荐".to_owned(), text: "a \"b\" <c>\n…".to_owned(), html: "<p>".to_owned()
            };
        Feishu.body(&channel, &message, 1_700_000_000_999)
    }

    #[test]
    fn a_secret_signs_the_time_in_seconds() {
        let content = json!({"text": "今日推荐\na \"b\" <c>\n…"});
        for channel in [json!({}), json!({"secret": ""}), json!({"secret": null}), json!({"msgType": "html"})] {
            assert_eq!(body(channel), json!({"msg_type": "text", "content": content}));
        }
        // Made with another implementation: base64(hmac-sha256(key = time, newline, secret; message = "")).
        let sign = "yhGtn8/aYy/8kc/n+rJbqaYlDNOniASLSgHjf2YKtNA=";
        let signed = json!({"msg_type": "text", "content": content, "sign": sign, "timestamp": "1700000000"});
        assert_eq!(body(json!({"secret": "s3cr€t"})), signed);
    }

    #[test]
    fn an_answer_without_a_code_or_with_code_0_is_one_of_success() {
        let answer = |body: &str| Answer { status: 200, body: body.into() };
        for (body, taken) in [
            (r#"{"code": 0}"#, Some(true)),
            (r#"{"StatusCode": 0}"#, Some(true)),
            (r#"{"code": null}"#, Some(true)),
            (r#"{"code": 19021}"#, Some(false)),
            (r#"{"code": "0"}"#, Some(false)),
            ("okay", None),
            ("", None),
        ] {
            assert_eq!(Feishu.is_taken(&answer(body)), taken, "{body}");
        }
        let is_busy = |body| Feishu.is_busy()(&answer(body));
        assert!(is_busy(r#"{"code": 11232}"#) && !is_busy(r#"{"code": 19021}"#) && !is_busy(""));
    }
}
