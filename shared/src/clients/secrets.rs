//! Secrets of AWS Secrets Manager: one signed request each, which needs no SDK.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Call, Failure, Http, Patience, Result, failure::said, sigv4::Credentials};
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
    let call = Call::post(url, &Request { secret_id: arn }, PATIENCE, MAX_ANSWER_BYTES)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "secretsmanager.GetSecretValue")
        .signed(credentials, (region, SERVICE), now)
        .map_err(|_| "the endpoint is no URL".to_owned())?;
    let answer = http.send(&call).await.map_err(|failure| failure.to_string())?;
    if !answer.is_success() {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        return Err(format!("Secrets Manager answered with {} {}", answer.status, said(&body["__type"])));
    }
    let response: Response = answer.json().map_err(|failure: Failure| failure.to_string())?;
    response.secret_string.ok_or_else(|| "the secret has no text".to_owned())
}
