//! Why a provider brought nothing usable.

use std::error::Error as StdError;

use serde_json::Value;

/// The most characters that are repeated of what a provider says about a failure.
const MAX_SAID: usize = 200;

/// What another library says about a failure; for the log alone.
pub(super) type Cause = Box<dyn StdError + Send + Sync>;

/// Why a call to a provider failed.
///
/// The text of each kind may be shown to a client; causes are for the log. Neither contains keys,
/// addresses with parameters, or anything out of a request or an answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A setting is missing without which the provider cannot be asked.
    #[error("{0} is not set")]
    NotConfigured(&'static str),
    /// No connection.
    #[error("the provider cannot be reached")]
    Unreachable(#[source] Cause),
    /// The connection broke before an answer began.
    #[error("the provider did not answer")]
    NoAnswer(#[source] Cause),
    /// The time allowed for the call is over.
    #[error("the provider did not answer in time")]
    TimedOut,
    /// The provider asks for fewer requests, and the time did not allow to wait.
    #[error("the provider limits the number of requests")]
    RateLimited,
    /// The provider answered with another status than success.
    #[error("the provider answered with status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// The provider took the request and says, in an answer of success, that it will not do it.
    #[error("the provider refused what it was asked")]
    Declined,
    /// The answer is not JSON; often a page of a proxy or of a wrong address.
    #[error("the answer of the provider is not JSON")]
    NotJson,
    /// The answer ends too early.
    #[error("the answer of the provider is incomplete")]
    Incomplete,
    /// The answer is JSON, but not what was asked for.
    #[error("the answer of the provider has another form than expected")]
    Unexpected,
    /// The answer is larger than anything that was asked for.
    #[error("the answer of the provider is too large")]
    TooLarge,
    /// A vector has the wrong size.
    #[error("the provider sent vectors of {found} dimensions instead of {wanted}")]
    WrongDimensions {
        /// The configured size.
        wanted: usize,
        /// The size of the first wrong vector.
        found: usize,
    },
    /// A vector has an element that is not a finite number.
    #[error("the provider sent a vector that is not finite")]
    NotFinite,
    /// A text to embed is blank (`contract/lancedb-tables.md` section 5).
    #[error("Text cannot be empty")]
    EmptyText,
    /// The address may not be called: not https, or not public.
    #[error("the address may not be called")]
    Forbidden,
}

impl Failure {
    /// Reports whether it was about what the provider was asked, so that something else may go well.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Refused { status: 400 | 413 | 422 } | Self::Declined | Self::NotFinite | Self::EmptyText
        )
    }

    /// Says what is wrong with bytes that should have been JSON.
    pub(super) fn of_json(error: &serde_json::Error) -> Self {
        // The error itself may quote the answer.
        if error.is_eof() {
            Self::Incomplete
        } else if error.is_data() {
            Self::Unexpected
        } else {
            Self::NotJson
        }
    }
}

/// A failure with what may be told about it.
#[derive(Debug)]
pub struct Told {
    /// What the contract words, and what the provider says about it; `None` when it says nothing.
    pub text: Option<String>,
    /// What it is for the log.
    pub failure: Failure,
}

impl From<Failure> for Told {
    fn from(failure: Failure) -> Self {
        Self { text: None, failure }
    }
}

/// Repeats what a provider says about a failure, without control characters, and not all of a long text.
pub(super) fn said(text: &Value) -> String {
    let text = match text {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().filter(|character| !character.is_control()).take(MAX_SAID).collect()
}
