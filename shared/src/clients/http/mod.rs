//! Requests to providers over HTTP.
//!
//! Clients of providers speak to [`Http`] and know no library: [`Direct`] sends to addresses that the
//! operator configured, [`Guarded`] to addresses that came from elsewhere.

mod direct;
mod guarded;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

pub use self::{direct::Direct, guarded::Guarded};
use super::{
    Failure, Patience, Result,
    retry::{Attempt, persist, retry_after},
    sigv4::{Credentials, Moment, authorization},
};
use crate::{
    clock::{Clock, Millis},
    config::Secret,
    ids::Random,
    invocation::{Invocation, TRACE_HEADER},
};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends requests.
pub trait Http: Send + Sync {
    /// Sends a request and returns the answer, whatever its status. Tries again when there is none, when
    /// it breaks off, and for 429 and 5xx, as the patience of the call allows.
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Answer>>;
}

/// A request to a provider: `GET`, or `POST` with a JSON body.
#[derive(Debug, Clone)]
pub struct Call {
    url: String,
    /// Some of them are signatures and tokens.
    headers: Vec<(&'static str, Secret)>,
    bearer: Option<Secret>,
    body: Option<Vec<u8>>,
    patience: Patience,
    max_bytes: usize,
    /// The most time of an attempt of a request that must not be acted upon twice.
    once: Option<Duration>,
    is_busy: fn(&Answer) -> bool,
}

impl Call {
    /// Begins a `GET`. At most `max_bytes` of the answer are read; more are a failure.
    #[must_use]
    pub fn get(url: impl Into<String>, patience: Patience, max_bytes: usize) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            bearer: None,
            body: None,
            patience,
            max_bytes,
            once: None,
            is_busy: |_| false,
        }
    }

    /// Begins a `POST` of a JSON body.
    #[must_use]
    pub fn post(url: impl Into<String>, body: &impl Serialize, patience: Patience, max_bytes: usize) -> Self {
        // The bodies are structs of texts and numbers, which always encode.
        let body = serde_json::to_vec(body).unwrap_or_default();
        let call = Self { body: Some(body), ..Self::get(url, patience, max_bytes) };
        call.header("content-type", "application/json")
    }

    /// Never repeats an attempt that may have been acted upon: one that took longer than `limit`, or whose
    /// connection broke.
    #[must_use]
    pub fn at_most_once(self, limit: Duration) -> Self {
        Self { once: Some(limit), ..self }
    }

    /// Also takes these answers for ones that ask to come back a little later.
    #[must_use]
    pub fn busy_when(self, is_busy: fn(&Answer) -> bool) -> Self {
        Self { is_busy, ..self }
    }

    /// Adds the header `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(self, key: &Secret) -> Self {
        Self { bearer: Some(key.clone()), ..self }
    }

    /// Signs the body and the headers that are set, for a region and a service of AWS.
    ///
    /// # Errors
    /// The URL is none.
    pub(super) fn signed(mut self, credentials: &Credentials, place: (&str, &str), now: Millis) -> Result<Self> {
        let moment = Moment::at(now);
        self = self.header("x-amz-date", moment.time.as_str());
        if let Some(token) = &credentials.session_token {
            self = self.header("x-amz-security-token", token.expose());
        }
        let url = Url::parse(&self.url).map_err(|error| Failure::Unreachable(error.into()))?;
        let host = url.host_str().unwrap_or_default();
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.expose())).collect();
        headers.push(("host", &host));
        let body = self.body.as_deref().unwrap_or_default();
        let authorization = authorization(credentials, &moment, place, url.path(), headers, body);
        Ok(self.header("authorization", authorization))
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, Secret::from(value.into())));
        self
    }
}

/// What a provider answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reports whether the status is one of success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the standard reason phrase of the status; empty when it has none.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        let status = axum::http::StatusCode::from_u16(self.status).ok();
        status.and_then(|status| status.canonical_reason()).unwrap_or_default()
    }

    /// Reads the body of a successful answer.
    ///
    /// # Errors
    /// The status is another one, or the body is not what was asked for.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        match self.status {
            200..300 => serde_json::from_slice(&self.body).map_err(|error| Failure::of_json(&error)),
            429 => Err(Failure::RateLimited),
            status => Err(Failure::Refused { status }),
        }
    }
}

/// What both ways of sending share: time and chance for the retries.
struct Sender {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Whether requests carry on the trace of the invocation: not to strangers.
    is_traced: bool,
}

impl Sender {
    async fn send(&self, client: &reqwest::Client, call: &Call) -> Result<Answer> {
        persist(call.patience, &*self.random, |left| self.attempt(client, call, left)).await
    }

    async fn attempt(&self, client: &reqwest::Client, call: &Call, left: Duration) -> Attempt<Result<Answer>> {
        let left = call.once.map_or(left, |limit| limit.min(left));
        match tokio::time::timeout(left, self.exchange(client, call)).await {
            Err(_) => Attempt::Break(Err(Failure::TimedOut)),
            Ok(Ok((answer, wanted))) if matches!(answer.status, 429 | 500..) || (call.is_busy)(&answer) => {
                Attempt::Continue((Ok(answer), retry_after(wanted.as_deref(), self.clock.now())))
            }
            Ok(Ok((answer, _))) => Attempt::Break(Ok(answer)),
            Ok(Err(failure @ Failure::Unreachable(_))) => Attempt::Continue((Err(failure), None)),
            Ok(Err(failure @ (Failure::NoAnswer(_) | Failure::Incomplete))) if call.once.is_none() => {
                Attempt::Continue((Err(failure), None))
            }
            Ok(Err(failure)) => Attempt::Break(Err(failure)),
        }
    }

    /// Sends a request once, and returns the answer with its header `Retry-After`.
    async fn exchange(&self, client: &reqwest::Client, call: &Call) -> Result<(Answer, Option<String>)> {
        let mut request = match &call.body {
            None => client.get(&call.url),
            Some(body) => client.post(&call.url).body(body.clone()),
        };
        for (name, value) in &call.headers {
            request = request.header(*name, value.expose());
        }
        if let Some(invocation) = Invocation::current().filter(|_| self.is_traced)
            && let Some(trace) = invocation.trace()
        {
            request = request.header(TRACE_HEADER, trace);
        }
        if let Some(key) = &call.bearer {
            request = request.bearer_auth(key.expose());
        }
        // The URL may hold what a log must not.
        let sent = request.send().await.map_err(|error| match error.without_url() {
            error if error.is_connect() || error.is_builder() => Failure::Unreachable(error.into()),
            error => Failure::NoAnswer(error.into()),
        });
        let mut response = sent?;
        let wanted =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut answer = Answer { status: response.status().as_u16(), body: Vec::new() };
        while let Some(chunk) = response.chunk().await.map_err(|_| Failure::Incomplete)? {
            if answer.body.len() + chunk.len() > call.max_bytes {
                return Err(Failure::TooLarge);
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok((answer, wanted))
    }
}

/// Begins a client with what all have in common. A redirect is never followed: an address that moved is
/// the operator's business, and a stranger's redirect could lead anywhere.
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("aimo/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
}
