//! What the models of Amazon Bedrock share: one signed request each, which needs no SDK
//! (docs/decisions/0013-s3-and-bedrock-without-the-sdk.md).

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

use super::{Call, Failure, Http, Patience, Result, sigv4::encode};
use crate::{clock::Clock, config::BedrockSettings};

/// The most bytes of an answer: 96 vectors of 1 536 numbers are 2 MB of JSON.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// The service, as signatures name it.
const SERVICE: &str = "bedrock";

/// A client of Bedrock.
pub(super) struct Bedrock {
    http: Arc<dyn Http>,
    settings: BedrockSettings,
    clock: Arc<dyn Clock>,
}

impl Bedrock {
    pub(super) fn new(settings: &BedrockSettings, http: Arc<dyn Http>, clock: Arc<dyn Clock>) -> Self {
        Self { http, settings: settings.clone(), clock }
    }

    /// Returns a client of a stand-in.
    #[cfg(test)]
    pub(super) fn of_stand_in(url: &str) -> Self {
        use super::{Direct, sigv4::Credentials};
        use crate::{clock::SystemClock, ids::SystemRandom};

        let credentials = Credentials {
            access_key_id: "id".to_owned(),
            secret_access_key: "aws-secret".to_owned().into(),
            session_token: Some("session-token".to_owned().into()),
        };
        let settings = BedrockSettings {
            region: Some("eu-central-1".to_owned()),
            credentials: Some(credentials),
            endpoint: Some(url.to_owned()),
            ..BedrockSettings::default()
        };
        let http = Direct::new(Arc::new(SystemClock), Arc::new(SystemRandom));
        Self::new(&settings, Arc::new(http), Arc::new(SystemClock))
    }

    /// Asks a model by one of its operations, `converse` or `invoke`.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        model: &str,
        operation: &str,
        body: &impl Serialize,
        patience: Patience,
    ) -> Result<T> {
        let BedrockSettings { region, credentials, key, endpoint, .. } = &self.settings;
        let region = region.as_deref().unwrap_or("us-east-1");
        let endpoint =
            endpoint.clone().unwrap_or_else(|| format!("https://bedrock-runtime.{region}.amazonaws.com"));
        // The name of a model may be an ARN, which has slashes.
        let url = format!("{}/model/{}/{operation}", endpoint.trim_end_matches('/'), encode(model));
        let call = Call::post(url, body, patience, MAX_ANSWER_BYTES);
        let call = match (key, credentials) {
            (Some(key), _) => call.bearer(key),
            (None, Some(credentials)) => call.signed(credentials, (region, SERVICE), self.clock.now())?,
            (None, None) => return Err(Failure::NotConfigured("AWS_ACCESS_KEY_ID")),
        };
        self.http.send(&call).await?.json()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use testing::{Answering, Provider};

    use super::*;

    const PATIENCE: Patience = Patience { total: std::time::Duration::from_secs(30), retries: 0 };

    #[tokio::test]
    async fn a_request_is_signed_and_a_key_stands_in_for_the_signature() {
        let provider = Provider::always(Answering::json(&json!({})));
        let mut bedrock = Bedrock::of_stand_in(&provider.url());
        let arn = "arn:aws:bedrock:eu-central-1:1:inference-profile/a";
        let _: Value = bedrock.ask(arn, "converse", &json!({}), PATIENCE).await.unwrap();
        bedrock.settings.key = Some("bedrock-key".to_owned().into());
        let _: Value = bedrock.ask("m", "invoke", &json!({}), PATIENCE).await.unwrap();
        (bedrock.settings.key, bedrock.settings.credentials) = (None, None);
        let failure = bedrock.ask::<Value>("m", "invoke", &json!({}), PATIENCE).await.unwrap_err();
        assert_eq!(failure.to_string(), "AWS_ACCESS_KEY_ID is not set");

        let [signed, by_key] = provider.asked().try_into().unwrap();
        assert_eq!(
            signed.line,
            "POST /model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Fa/converse"
        );
        let raw = signed.raw.to_lowercase();
        assert!(raw.contains("/eu-central-1/bedrock/aws4_request, signedheaders=content-type;host;x-amz-date;"));
        assert!(raw.contains("x-amz-security-token: session-token"));
        assert!(by_key.raw.to_lowercase().contains("authorization: bearer bedrock-key"));
        assert!(!by_key.raw.contains("AWS4-HMAC-SHA256"));
    }
}
