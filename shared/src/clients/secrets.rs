//! Secrets of AWS Secrets Manager: one signed request each, which needs no SDK.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::{
    Call, Failure, Http, Patience, Result,
    failure::said,
    sigv4::{Credentials, Moment, authorization},
};
use crate::{clock::Millis, config::Secret};

/// How long the reading of a secret may hold up the first request of a function.
const PATIENCE: Patience = Patience { total: Duration::from_secs(5), retries: 2 };

/// The most bytes of an answer: a secret has up to 64 KiB, in JSON.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

const SERVICE: &str = "secretsmanager";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    secret_id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    secret_string: Option<Secret>,
}

/// Returns the text of a secret. `endpoint` is another one than that of the region.
///
/// # Errors
/// The text says what is wrong; it repeats nothing of the secret.
pub(crate) async fn read(
    http: &Arc<dyn Http>,
    credentials: &Credentials,
    endpoint: Option<&str>,
    arn: &str,
    now: Millis,
) -> Result<Secret, String> {
    let mut parts = arn.split(':');
    let (Some("arn"), Some(partition), Some(SERVICE), Some(region)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("it is no ARN of a secret".to_owned());
    };
    let domain = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let url = endpoint.map_or_else(|| format!("https://{SERVICE}.{region}.{domain}"), str::to_owned);
    let url = Url::parse(&url).map_err(|error| format!("the endpoint is no URL: {error}"))?;
    let call = signed(credentials, region, &url, &Request { secret_id: arn }, now);
    let answer = http.send(&call).await.map_err(|failure| failure.to_string())?;
    if !answer.is_success() {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        return Err(format!("Secrets Manager answered with {} {}", answer.status, said(&body["__type"])));
    }
    let response: Response = answer.json().map_err(|failure: Failure| failure.to_string())?;
    response.secret_string.ok_or_else(|| "the secret has no text".to_owned())
}

fn signed(credentials: &Credentials, region: &str, url: &Url, body: &Request<'_>, now: Millis) -> Call {
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let moment = Moment::at(now);
    let mut headers = vec![
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-date", moment.time.as_str()),
        ("x-amz-target", "secretsmanager.GetSecretValue"),
    ];
    if let Some(token) = &credentials.session_token {
        headers.push(("x-amz-security-token", token.expose()));
    }
    let call = Call::post(url.as_str(), body, PATIENCE, MAX_ANSWER_BYTES);
    let call = headers.iter().fold(call, |call, (name, value)| call.header(name, *value));
    headers.push(("host", &host));
    let authorization = authorization(credentials, &moment, (region, SERVICE), headers, call.body());
    call.header("authorization", authorization)
}
