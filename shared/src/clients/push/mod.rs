//! Channels of pushes (`contract/push-rules-scheduler.md`, outgoing requests).
//!
//! A kind of channel is a file that implements [`Channel`] and a line in [`CHANNELS`]; everything else of the
//! product knows only what a rule holds, [`address`] and [`send`].

mod feishu;
mod meow;

use std::{borrow::Cow, time::Duration};

use serde_json::{Map, Value};
use url::Url;

use super::{Answer, Call, Failure, Http, Patience, failure::said};
use crate::{clock::Millis, config::OutboundPolicy};

/// Every kind of channel.
const CHANNELS: &[&dyn Channel] = &[&meow::MeoW, &feishu::Feishu];

/// The most time of one request.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How often a push is tried again, and the most bytes of an answer (points 6 and 7 of the design).
const MAX_RETRIES: u32 = 2;
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What is sent, in the forms that channels ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub title: String,
    /// Plain text, without entities.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// A kind of channel.
trait Channel: Send + Sync {
    /// Returns its `type` in a rule.
    fn name(&self) -> &'static str;

    /// Returns its name in messages.
    fn title(&self) -> &'static str;

    /// Returns where a channel of a rule is reached.
    ///
    /// # Errors
    /// Nothing could ever be sent there; the text is that of the contract (P1 and P4).
    fn url(&self, channel: &Map<String, Value>, policy: &OutboundPolicy) -> Result<Url, &'static str>;

    /// Returns the body of a request.
    fn body(&self, channel: &Map<String, Value>, message: &Message, now: Millis) -> Value;

    /// Reports whether an answer with HTTP status 2xx says that the message was taken; `None` when it cannot be
    /// read.
    fn is_taken(&self, answer: &Answer) -> Option<bool>;

    /// Returns what recognises answers that ask to come back a little later, though their status does not say so.
    fn is_busy(&self) -> fn(&Answer) -> bool {
        |_| false
    }
}

/// Why a push was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing can ever be sent to this channel. The text is for its owner.
    #[error("{0}")]
    Unusable(Cow<'static, str>),
    /// The channel answered that it did not take the message. The text is for its owner: it may repeat what the
    /// channel says.
    #[error("{channel} channel error: {status} - {said}")]
    Rejected {
        /// The kind of channel.
        channel: &'static str,
        /// The HTTP status.
        status: u16,
        /// What the channel says, or the reason phrase of the status.
        said: String,
        /// The code in the answer.
        code: Option<i64>,
    },
    /// There was no answer, or none that can be read.
    #[error("Failed to send test push")]
    Failed(#[source] Failure),
}

impl Error {
    /// Says what happened without a word of the rule or of the answer, for the log and the ledger.
    #[must_use]
    pub fn cause(&self) -> Cow<'static, str> {
        match self {
            Self::Unusable(_) => "the channel cannot be sent to".into(),
            Self::Rejected { status, code: None, .. } => {
                format!("the channel answered with status {status}").into()
            }
            Self::Rejected { status, code: Some(code), .. } => {
                format!("the channel answered with status {status} and code {code}").into()
            }
            Self::Failed(failure) => failure.to_string().into(),
        }
    }
}

/// Where a channel of a rule is reached.
pub struct Address {
    kind: &'static dyn Channel,
    channel: Map<String, Value>,
    url: Url,
}

impl Address {
    /// Returns the `type` of the channel.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind.name()
    }

    /// Returns the `host:port` that is called.
    #[must_use]
    pub fn host(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }
}

/// Returns where a channel of a rule is reached.
///
/// # Errors
/// [`Error::Unusable`]: nothing could ever be sent there.
pub fn address(channel: &Map<String, Value>, policy: &OutboundPolicy) -> Result<Address, Error> {
    let name = text(channel, "type");
    let kind = CHANNELS.iter().find(|kind| kind.name() == name);
    let kind = *kind.ok_or_else(|| Error::Unusable(format!("Unsupported channel type: {name}").into()))?;
    let url = kind.url(channel, policy).map_err(|problem| Error::Unusable(problem.into()))?;
    Ok(Address { kind, channel: channel.clone(), url })
}

/// Sends a message once. It is tried again when it was certainly not taken, as `limit` allows: when there was no
/// connection, and for 429, 5xx and what else means the same (point 6 of the design).
///
/// # Errors
/// The channel did not take it, or nobody knows.
pub async fn send(
    http: &dyn Http,
    address: &Address,
    message: &Message,
    limit: Duration,
    now: Millis,
) -> Result<(), Error> {
    let Address { kind, channel, url } = address;
    let patience = Patience { total: limit, retries: MAX_RETRIES };
    let body = kind.body(channel, message, now);
    let call = Call::post(url.as_str(), &body, patience, MAX_ANSWER_BYTES)
        .at_most_once(REQUEST_LIMIT)
        .busy_when(kind.is_busy());
    let answer = http.send(&call).await.map_err(Error::Failed)?;
    let taken = if answer.is_success() { kind.is_taken(&answer) } else { Some(false) };
    match taken {
        Some(true) => Ok(()),
        Some(false) => Err(rejected(kind.title(), &answer)),
        None => Err(Error::Failed(Failure::NotJson)),
    }
}

/// Repeats of an answer no more than a code and a message (P2).
fn rejected(channel: &'static str, answer: &Answer) -> Error {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = ["code", "status"].iter().find_map(|name| body[name].as_i64());
    let message = ["msg", "message"].iter().map(|name| said(&body[name])).find(|text| !text.is_empty());
    let parts = [code.filter(|_| message.is_some()).map(|code| code.to_string()), message];
    let said = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let said = if said.is_empty() { answer.reason().to_owned() } else { said };
    Error::Rejected { channel, status: answer.status, said, code }
}

/// Returns a text of a channel; empty when it has none.
fn text<'a>(channel: &'a Map<String, Value>, name: &str) -> &'a str {
    channel.get(name).and_then(Value::as_str).unwrap_or_default()
}
