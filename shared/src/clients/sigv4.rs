//! AWS Signature Version 4: proves to an AWS service, or one that speaks its protocol, who asks.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::{clock::Millis, config::Secret};

/// The name of the algorithm.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is encoded in a part of a path or a query: everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes a part of a path or of a query, as the protocol wants it.
pub(crate) fn encode(part: &str) -> String {
    utf8_percent_encode(part, RESERVED).to_string()
}

/// Percent-encodes the segments of a path; the slashes between them stay.
#[must_use]
pub fn encode_path(path: &str) -> String {
    let segments: Vec<String> = path.split('/').map(encode).collect();
    segments.join("/")
}

/// The keys of an account or of a role.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Names the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret,
    /// What keys of a role come with.
    pub session_token: Option<Secret>,
}

/// The moment of a signature, as the protocol writes it.
pub(crate) struct Moment {
    date: String,
    /// Date and time.
    pub(crate) time: String,
}

impl Moment {
    pub(crate) fn at(now: Millis) -> Self {
        let text = Timestamp::from_millisecond(now).unwrap_or_default().strftime("%Y%m%dT%H%M%SZ").to_string();
        Self { date: text[..8].to_owned(), time: text }
    }

    pub(crate) fn scope(&self, region: &str, service: &str) -> String {
        format!("{}/{region}/{service}/aws4_request", self.date)
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes keys of any length.
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap_or_else(|_| unreachable!());
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

/// Signs a text for a service in a region.
pub(crate) fn sign(
    credentials: &Credentials,
    moment: &Moment,
    (region, service): (&str, &str),
    text: &str,
) -> String {
    let secret = format!("AWS4{}", credentials.secret_access_key.expose());
    let key = [moment.date.as_str(), region, service, "aws4_request"]
        .into_iter()
        .fold(secret.into_bytes(), |key, part| hmac(&key, part));
    hex::encode(hmac(&key, text))
}

/// Returns the header `Authorization` of a `POST`. `path` is that of the URL, encoded. `headers` are all that are
/// signed: `host` and `x-amz-date` among them, names in lower case.
pub(crate) fn authorization(
    credentials: &Credentials,
    moment: &Moment,
    place: (&str, &str),
    path: &str,
    mut headers: Vec<(&str, &str)>,
    body: &[u8],
) -> String {
    headers.sort_unstable();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines = headers.iter().fold(String::new(), |mut lines, (name, value)| {
        let _ = writeln!(lines, "{name}:{value}");
        lines
    });
    // Every service but S3 signs the path encoded once more.
    let path = encode_path(path);
    let request = format!("POST\n{path}\n\n{lines}\n{names}\n{}", hex::encode(Sha256::digest(body)));
    let scope = moment.scope(place.0, place.1);
    let digest = hex::encode(Sha256::digest(request));
    let text = format!("{ALGORITHM}\n{}\n{scope}\n{digest}", moment.time);
    let signature = sign(credentials, moment, place, &text);
    let id = &credentials.access_key_id;
    format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signs for the account and the moment of the test suite of AWS.
    fn authorized(
        place: (&str, &str),
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: &[u8],
    ) -> (String, String) {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned().into(),
            session_token: None,
        };
        let now = "2015-08-30T12:36:00Z".parse::<Timestamp>().unwrap().as_millisecond();
        let moment = Moment::at(now);
        let headers = [headers, &[("x-amz-date", moment.time.as_str())]].concat();
        let header = authorization(&credentials, &moment, place, path, headers, body);
        let (signed, signature) = header.split_once(", Signature=").unwrap();
        (signed.to_owned(), signature.to_owned())
    }

    /// The case "post-vanilla" of the test suite.
    #[test]
    fn a_request_has_the_signature_of_the_documentation() {
        let (signed, signature) =
            authorized(("us-east-1", "service"), "/", &[("host", "example.amazonaws.com")], b"");
        assert_eq!(
            signed,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date"
        );
        assert_eq!(signature, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    }

    /// What botocore 1.43 signs.
    #[test]
    fn path_body_and_token_are_signed() {
        let headers = [
            ("x-amz-security-token", "session/token=="),
            ("host", "bedrock-runtime.eu-central-1.amazonaws.com"),
            ("content-type", "application/json"),
        ];
        let path = "/model/eu.amazon.nova-lite-v1%3A0/converse";
        let body = "{\"a\":\"读\"}".as_bytes();
        let (signed, signature) = authorized(("eu-central-1", "bedrock"), path, &headers, body);
        assert!(signed.ends_with("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"), "{signed}");
        assert_eq!(signature, "7b955ff801683f3f34dadaf04d05cd2dd52df79b92e9a7beb21cf99e5c8da3fb");
    }
}
