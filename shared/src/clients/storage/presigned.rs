//! Signatures in a URL and in a form: what browsers use to read and write objects without this server.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Address;
use crate::{
    clients::sigv4::{ALGORITHM, Credentials, Moment, encode, sign},
    clock::Millis,
};

/// The service, as signatures name it.
const SERVICE: &str = "s3";

/// The longest life of a signed URL that the protocol allows: seven days, in seconds.
pub const MAX_EXPIRY: u64 = 7 * 24 * 3600;

/// The longest session of a role, in seconds: what is signed with its keys cannot live longer.
const MAX_SESSION: u64 = 12 * 3600;

impl Credentials {
    /// Returns how long a signature lives that shall live `seconds`.
    #[must_use]
    pub fn longest(&self, seconds: u64) -> u64 {
        seconds.clamp(1, if self.session_token.is_some() { MAX_SESSION } else { MAX_EXPIRY })
    }
}

/// Returns a URL that reads an object for `expiry` seconds. `overrides` are further parameters, such as the
/// content type of the answer.
#[must_use]
pub fn presigned_get(
    credentials: &Credentials,
    address: &Address,
    key: &str,
    overrides: &[(&str, &str)],
    expiry: u64,
    now: Millis,
) -> String {
    let moment = Moment::at(now);
    let scope = moment.scope(&address.region, SERVICE);
    let credential = format!("{}/{scope}", credentials.access_key_id);
    let expiry = credentials.longest(expiry).to_string();
    let mut parameters = vec![
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", &moment.time),
        ("X-Amz-Expires", &expiry),
        ("X-Amz-SignedHeaders", "host"),
    ];
    parameters.extend_from_slice(overrides);
    if let Some(token) = &credentials.session_token {
        parameters.push(("X-Amz-Security-Token", token.expose()));
    }
    parameters.sort_unstable();
    let query: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let (host, path, query) = (address.host(), address.path(key), query.join("&"));
    let request = format!("GET\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
    let digest = hex::encode(Sha256::digest(request));
    let text = format!("{ALGORITHM}\n{}\n{scope}\n{digest}", moment.time);
    let signature = sign(credentials, &moment, (&address.region, SERVICE), &text);
    format!("{}://{host}{path}?{query}&X-Amz-Signature={signature}", address.scheme)
}

/// Returns the fields of a form that writes one object, before `expires_at`: exactly this key, exactly this
/// size, and exactly these further `fields`, such as the content type.
#[must_use]
pub fn presigned_form(
    credentials: &Credentials,
    address: &Address,
    key: &str,
    size: u64,
    fields: &[(&str, &str)],
    expires_at: Millis,
    now: Millis,
) -> Vec<(String, String)> {
    let moment = Moment::at(now);
    let credential = format!("{}/{}", credentials.access_key_id, moment.scope(&address.region, SERVICE));
    let mut form = vec![("key", key)];
    form.extend_from_slice(fields);
    form.extend([("x-amz-algorithm", ALGORITHM), ("x-amz-credential", &credential), ("x-amz-date", &moment.time)]);
    if let Some(token) = &credentials.session_token {
        form.push(("x-amz-security-token", token.expose()));
    }
    let mut conditions: Vec<Value> =
        form.iter().map(|(name, value)| json!(["eq", format!("${name}"), value])).collect();
    conditions.push(json!({"bucket": address.bucket}));
    conditions.push(json!(["content-length-range", size, size]));
    let expiration = Timestamp::from_millisecond(expires_at).unwrap_or_default();
    let expiration = expiration.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    let policy = json!({"expiration": expiration, "conditions": conditions});
    let policy = BASE64_STANDARD.encode(policy.to_string());
    let signature = sign(credentials, &moment, (&address.region, SERVICE), &policy);
    form.extend([("policy", policy.as_str()), ("x-amz-signature", signature.as_str())]);
    form.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Credentials, Address) {
        let credentials = Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned().into(),
            session_token: None,
        };
        let address = Address {
            scheme: "https".to_owned(),
            service: "s3.amazonaws.com".to_owned(),
            bucket: "examplebucket".to_owned(),
            path_style: false,
            region: "us-east-1".to_owned(),
        };
        (credentials, address)
    }

    /// The example of the AWS documentation, "Authenticating Requests: Using Query Parameters".
    #[test]
    fn the_documented_example_has_the_documented_signature() {
        let (credentials, address) = example();
        let now = "2013-05-24T00:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
        let url = presigned_get(&credentials, &address, "test.txt", &[], 86400, now);
        let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(url.ends_with(signature), "{url}");
        assert!(url.starts_with("https://examplebucket.s3.amazonaws.com/test.txt?"), "{url}");
    }

    #[test]
    fn the_keys_of_a_role_promise_no_more_than_its_session() {
        let (mut credentials, address) = example();
        assert!(presigned_get(&credentials, &address, "k", &[], u64::MAX, 0).contains("X-Amz-Expires=604800&"));
        credentials.session_token = Some("to/ken=".to_owned().into());
        let url = presigned_get(&credentials, &address, "k", &[], MAX_EXPIRY, 0);
        assert!(url.contains("X-Amz-Expires=43200&X-Amz-Security-Token=to%2Fken%3D&"), "{url}");
    }

    #[test]
    fn a_form_fixes_everything_that_it_carries() {
        let (credentials, address) = example();
        let form =
            presigned_form(&credentials, &address, "a/b.png", 7, &[("Content-Type", "image/png")], 60_000, 0);
        let policy = &form.iter().find(|(name, _)| name == "policy").unwrap().1;
        let policy: Value = serde_json::from_slice(&BASE64_STANDARD.decode(policy).unwrap()).unwrap();
        assert_eq!(policy["expiration"], "1970-01-01T00:01:00.000Z");
        let conditions = policy["conditions"].as_array().unwrap();
        for condition in [
            json!(["eq", "$key", "a/b.png"]),
            json!(["eq", "$Content-Type", "image/png"]),
            json!(["content-length-range", 7, 7]),
            json!({"bucket": "examplebucket"}),
        ] {
            assert!(conditions.contains(&condition), "{condition}");
        }
        // The signature and what it signs need no condition, everything else does.
        assert_eq!(form.len(), conditions.len());
    }
}
