//! What the models of Amazon Bedrock share: the client of the SDK, retries, and the kinds of failure.

use std::sync::Arc;

use aws_sdk_bedrockruntime::{
    Client, Config,
    config::{Region, http::HttpResponse, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
};
use serde::de::IgnoredAny;
use tokio::sync::OnceCell;

use super::{
    Failure, Patience, Result,
    retry::{Attempt, persist, retry_after},
};
use crate::{clock::Clock, config::BedrockSettings, ids::Random};

/// A client of Bedrock, made when it is first needed: it looks for credentials and a region then, in the
/// places where every AWS program does.
pub(super) struct Bedrock {
    settings: BedrockSettings,
    client: OnceCell<Client>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Bedrock {
    pub(super) fn new(settings: &BedrockSettings, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { settings: settings.clone(), client: OnceCell::new(), clock, random }
    }

    /// Returns a client of a stand-in.
    #[cfg(test)]
    pub(super) fn of_stand_in(url: &str) -> Self {
        let credentials = aws_sdk_bedrockruntime::config::Credentials::new("id", "aws-secret", None, None, "test");
        let config = Config::builder()
            .region(Region::new("eu-central-1"))
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .endpoint_url(url)
            .behavior_version_latest();
        let client = OnceCell::new_with(Some(Client::from_conf(config.build())));
        let (clock, random) = (Arc::new(crate::clock::SystemClock), Arc::new(crate::ids::SystemRandom));
        Self { settings: BedrockSettings::default(), client, clock, random }
    }

    pub(super) async fn client(&self) -> &Client {
        self.client.get_or_init(|| connect(&self.settings)).await
    }

    /// Sends a request until it succeeds, or patience ends.
    pub(super) async fn persist<T, E, F>(&self, patience: Patience, send: impl Fn() -> F) -> Result<T>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let now = || self.clock.now();
        persist(patience, &*self.random, |left| {
            let sending = send();
            async move {
                match tokio::time::timeout(left, sending).await {
                    Err(_) => Attempt::Break(Err(Failure::TimedOut)),
                    Ok(Ok(output)) => Attempt::Break(Ok(output)),
                    Ok(Err(error)) => judge(error, now()),
                }
            }
        })
        .await
    }
}

/// The SDK is told not to try again: [`persist`] does, within one time limit for all attempts.
async fn connect(settings: &BedrockSettings) -> Client {
    let mut loader = aws_config::from_env();
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let shared = loader.load().await;
    let mut config = Config::from(&shared).to_builder().retry_config(RetryConfig::disabled());
    if let Some(endpoint) = &settings.endpoint {
        config = config.endpoint_url(endpoint);
    }
    Client::from_conf(config.build())
}

/// Says what a failure of the SDK means, and whether trying again may help.
fn judge<T, E>(error: SdkError<E, HttpResponse>, now: crate::clock::Millis) -> Attempt<Result<T>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let Some(response) = error.raw_response() else {
        return match error {
            SdkError::TimeoutError(_) => Attempt::Break(Err(Failure::TimedOut)),
            // A request that cannot be built or signed will not be the next time either.
            SdkError::ConstructionFailure(_) => Attempt::Break(Err(Failure::Unreachable(error.into()))),
            _ => Attempt::Continue((Err(Failure::Unreachable(error.into())), None)),
        };
    };
    let wanted = retry_after(response.headers().get("retry-after"), now);
    let is_throttled = error.code() == Some("ThrottlingException");
    match response.status().as_u16() {
        // The SDK could not read it. Its own error may quote the answer.
        200..300 => match response.body().bytes().map(serde_json::from_slice::<IgnoredAny>) {
            Some(Err(error)) if !error.is_eof() => Attempt::Break(Err(Failure::NotJson)),
            Some(Ok(_)) => Attempt::Break(Err(Failure::Unexpected)),
            Some(Err(_)) | None => Attempt::Continue((Err(Failure::Incomplete), None)),
        },
        429 => Attempt::Continue((Err(Failure::RateLimited), wanted)),
        _ if is_throttled => Attempt::Continue((Err(Failure::RateLimited), wanted)),
        status @ 500.. => Attempt::Continue((Err(Failure::Refused { status }), wanted)),
        status => Attempt::Break(Err(Failure::Refused { status })),
    }
}
