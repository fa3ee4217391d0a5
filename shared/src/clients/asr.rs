//! Speech recognition by `DashScope` Fun-ASR (`contract/ai-asr-ocr-system.md`, Speech recognition).

use std::{sync::Arc, time::Duration};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::{Answer, Call, Failure, Guarded, Http, Patience, Told, counted::counted, failure::said};
use crate::config::{Secret, Speech};

/// How much each call may cost (V7).
const PATIENCE: Patience = Patience { total: Duration::from_secs(10), retries: 2 };

/// The most bytes of an answer, and of a result document (V7).
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
const MAX_DOCUMENT_BYTES: usize = 20 * 1024 * 1024;

/// What the provider says about a task.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Task {
    /// The request to the provider, for its support.
    pub request_id: String,
    /// What the provider says about the whole task.
    pub message: Option<String>,
    /// The task.
    pub output: TaskOutput,
}

/// The task itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TaskOutput {
    /// The id.
    pub task_id: String,
    /// `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED`, or something newer.
    pub task_status: Option<String>,
    /// When it ended, in Beijing time without a zone.
    pub end_time: Option<String>,
    /// What the provider says about the whole task.
    pub message: Option<String>,
    /// The files.
    pub results: Vec<SubTask>,
}

/// One file of a task.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SubTask {
    /// `SUCCEEDED` or `FAILED`.
    pub subtask_status: Option<String>,
    /// Where the result document is.
    pub transcription_url: Option<String>,
    /// The kind of failure.
    pub code: Option<String>,
    /// What the provider says about the failure.
    pub message: Option<String>,
}

#[derive(Serialize)]
struct Submission<'a> {
    model: &'a str,
    input: Input<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Parameters<'a>>,
}

#[derive(Serialize)]
struct Input<'a> {
    file_urls: &'a [String],
}

#[derive(Serialize)]
struct Parameters<'a> {
    language_hints: &'a [String],
}

/// The service, when it is configured.
pub struct Asr<'a> {
    settings: &'a Speech,
    key: &'a Secret,
    http: &'a Arc<dyn Http>,
}

impl<'a> Asr<'a> {
    /// Returns the service; `None` when it is switched off or has no key.
    #[must_use]
    pub fn new(settings: &'a Speech, http: &'a Arc<dyn Http>) -> Option<Self> {
        let key = settings.key.as_ref().filter(|_| settings.enabled)?;
        Some(Self { settings, key, http })
    }

    /// Hands files over. The provider fetches them by itself.
    ///
    /// # Errors
    /// The provider refuses or fails.
    pub async fn submit(&self, file_urls: &[String], language_hints: &[String]) -> Result<Task, Told> {
        let url = format!("{}/services/audio/asr/transcription", self.settings.base_url);
        let body = Submission {
            model: &self.settings.model,
            input: Input { file_urls },
            parameters: (!language_hints.is_empty()).then_some(Parameters { language_hints }),
        };
        let patience = PATIENCE.within(self.settings.timeout);
        let call = Call::post(url, &body, patience, MAX_ANSWER_BYTES).header("X-DashScope-Async", "enable");
        self.ask(call).await
    }

    /// Asks how a task is doing.
    ///
    /// # Errors
    /// The provider refuses or fails.
    pub async fn task(&self, id: &str, limit: Duration) -> Result<Task, Told> {
        let patience = PATIENCE.within(self.settings.timeout).within(limit);
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
        let url = format!("{}/tasks/{id}", self.settings.base_url);
        self.ask(Call::get(url, patience, MAX_ANSWER_BYTES)).await
    }

    async fn ask(&self, call: Call) -> Result<Task, Told> {
        let sent = self.http.send(&call.bearer(self.key)).await.map_err(Told::from);
        counted(sent.and_then(|answer| read(&answer)))
    }
}

/// Reads what the provider says about a task.
fn read(answer: &Answer) -> Result<Task, Told> {
    if !answer.is_success() {
        let failure = Failure::Refused { status: answer.status };
        return Err(Told { text: Some(format!("ASR API error: {}", reason_of(answer))), failure });
    }
    let body: Value = answer.json()?;
    match body.get("code").filter(|code| !said(code).is_empty()) {
        Some(code) => {
            let text = format!("ASR API error: {} - {}", said(code), said(&body["message"]));
            Err(Told { text: Some(text), failure: Failure::Declined })
        }
        None => Ok(serde_json::from_value(without_null(body)).map_err(|_| Failure::Unexpected)?),
    }
}

/// Removes members that are `null`: to the provider they are the same as absent ones.
fn without_null(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            members.map(|(name, value)| (name, without_null(value))).collect()
        }
        Value::Array(list) => list.into_iter().map(without_null).collect(),
        other => other,
    }
}

/// Fetches a result document, which is passed on as it is, and returns it with its size in bytes. Its
/// address comes from the provider; it is fetched without the key, and by https (V7).
///
/// # Errors
/// The document is not there, or is none.
pub async fn fetch_document(
    guarded: &Arc<dyn Http>,
    trusted: &[String],
    url: &str,
) -> super::Result<(Value, usize)> {
    let mut url = Url::parse(url).map_err(|_| Failure::Forbidden)?;
    if url.scheme() == "http" && !Guarded::is_trusted(trusted, &url) {
        url.set_scheme("https").map_err(|()| Failure::Forbidden)?;
    }
    let answer = guarded.send(&Call::get(url, PATIENCE, MAX_DOCUMENT_BYTES)).await?;
    Ok((answer.json()?, answer.body.len()))
}

/// Says why the provider refused: status and reason phrase, then what the provider says, if it is JSON
/// with a code and a message (V6). A page of a proxy is not repeated.
fn reason_of(answer: &Answer) -> String {
    let status = format!("{} {}", answer.status, answer.reason());
    if answer.body.is_empty() {
        return format!("{status} - Unknown error");
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let parts = [status, said(&body["code"]), said(&body["message"])];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" - ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_null_or_empty_is_absent() {
        let read = |body: Value| read(&Answer { status: 200, body: body.to_string().into_bytes() });
        let task =
            read(json!({"code": "", "output": {"task_id": "t", "results": null, "message": null}})).unwrap();
        assert_eq!((task.output.task_id.as_str(), task.output.results.len()), ("t", 0));
        assert_eq!(read(json!({"output": null})).unwrap().output.task_status, None);
        let told = read(json!({"code": "Throttling", "message": "slow down"})).unwrap_err();
        assert_eq!(told.text.as_deref(), Some("ASR API error: Throttling - slow down"));
    }
}
