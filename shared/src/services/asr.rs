//! Speech recognition: files are handed over to a provider, which works on them for a while
//! (`contract/ai-asr-ocr-system.md`, Speech recognition).

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use jiff::{
    civil::DateTime,
    tz::{self, TimeZone},
};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::{
    Context, Error, Result,
    clients::{
        Failure, Http, Told,
        asr::{Asr, Task, TaskOutput, fetch_document},
    },
    clock::Millis,
    config::Config,
    dto::asr::{NewTranscription, Submitted, TaskStatus, Transcription},
    error::with_causes,
};

/// How often a task is asked about while somebody waits for it.
const INTERVAL: Duration = Duration::from_secs(2);

/// How long a question about a task, and its result documents, may take when nobody waits for more.
const QUESTION: Duration = Duration::from_secs(10);
const DOCUMENTS: Duration = Duration::from_secs(15);

/// How long they may take when the time of somebody who waits is over: together with it less than the gateway
/// allows.
const LAST_QUESTION: Duration = Duration::from_secs(1);
const LAST_DOCUMENTS: Duration = Duration::from_secs(2);

/// Result documents that are fetched at one time.
const CONCURRENT: usize = 4;

/// The most bytes of all result documents of a task: more would not fit into a reply (V10).
const MAX_BYTES: usize = 20 * 1024 * 1024;

/// The most files of a task.
const MAX_FILES: usize = 100;

const FAILED: &str = "Transcription failed";

/// The provider, and what fetches its result documents.
pub struct Speech<'a> {
    asr: Asr<'a>,
    guarded: &'a Arc<dyn Http>,
    config: &'a Config,
}

impl<'a> Speech<'a> {
    /// Returns the configured provider.
    ///
    /// # Errors
    /// Code 1 when speech recognition is switched off or has no key.
    pub fn new(config: &'a Config, http: &'a Arc<dyn Http>, guarded: &'a Arc<dyn Http>) -> Result<Self> {
        let asr = Asr::new(&config.speech, http).ok_or(Error::system("ASR service is not configured"))?;
        Ok(Self { asr, guarded, config })
    }

    /// Hands files over.
    ///
    /// # Errors
    /// Code 1 when a URL cannot be fetched by anybody, or the provider refuses or fails.
    pub async fn submit(&self, new: &NewTranscription) -> Result<Submitted> {
        check_urls(&new.file_urls)?;
        let submitted = self.asr.submit(&new.file_urls, &new.language_hints).await;
        let Task { request_id, output, .. } = submitted.map_err(|told| failed(told, FAILED))?;
        let status = output.task_status.unwrap_or_else(|| "PENDING".to_owned());
        Ok(Submitted { task_id: output.task_id, request_id, status })
    }

    /// Tells how a task is doing.
    ///
    /// # Errors
    /// Code 1 when the provider refuses or fails.
    pub async fn status(&self, ctx: &Context, id: &str) -> Result<TaskStatus> {
        let task = self.asr.task(id, QUESTION).await;
        let task = task.map_err(|told| failed(told, "Failed to query task status"))?;
        let message = (state_of(&task) == State::Failed).then(|| message_of(&task));
        let completed_time = (state_of(&task) == State::Succeeded)
            .then(|| task.output.end_time.as_deref().and_then(beijing_time).unwrap_or_else(|| ctx.now()));
        let Task { request_id, output: TaskOutput { task_id, task_status, .. }, .. } = task;
        Ok(TaskStatus { task_id, request_id, status: task_status.unwrap_or_default(), message, completed_time })
    }

    /// Returns what a task found. Contract: a task that is still running counts as failed (V5).
    ///
    /// # Errors
    /// Code 1 when the provider refuses or fails.
    pub async fn result(&self, id: &str) -> Result<Transcription> {
        const FALLBACK: &str = "Failed to get transcription result";
        let task = self.asr.task(id, QUESTION).await.map_err(|told| failed(told, FALLBACK))?;
        self.documents_within(task, DOCUMENTS, FALLBACK).await
    }

    /// Waits for a task, and returns what it found.
    ///
    /// # Errors
    /// Code 1 when the provider refuses or fails, or the task takes longer than is waited.
    pub async fn wait(&self, id: &str) -> Result<Transcription> {
        self.wait_until(id, Instant::now() + self.config.speech.wait, "Failed to wait for transcription").await
    }

    /// Hands files over and waits for the task, within the same time.
    ///
    /// # Errors
    /// As [`Speech::submit`] and [`Speech::wait`].
    pub async fn submit_and_wait(&self, new: &NewTranscription) -> Result<Transcription> {
        let deadline = Instant::now() + self.config.speech.wait;
        let submitted = self.submit(new).await?;
        self.wait_until(&submitted.task_id, deadline, FAILED).await
    }

    async fn wait_until(&self, id: &str, deadline: Instant, fallback: &'static str) -> Result<Transcription> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let task = self.asr.task(id, left.max(LAST_QUESTION)).await.map_err(|told| failed(told, fallback))?;
            let left = deadline.saturating_duration_since(Instant::now());
            if state_of(&task) != State::Running {
                return self.documents_within(task, left.max(LAST_DOCUMENTS), fallback).await;
            }
            if left.is_zero() {
                let waited = self.config.speech.wait.as_millis();
                return Err(Error::system(format!("Transcription timeout after {waited}ms")));
            }
            sleep(INTERVAL.min(left)).await;
        }
    }

    async fn documents_within(
        &self,
        task: Task,
        limit: Duration,
        fallback: &'static str,
    ) -> Result<Transcription> {
        let documents = tokio::time::timeout(limit, self.documents_of(task)).await;
        documents.unwrap_or_else(|_| Err(failed(Failure::TimedOut.into(), fallback)))
    }

    /// Fetches the result documents of a task that is done. Those that cannot be fetched are left out.
    async fn documents_of(&self, task: Task) -> Result<Transcription> {
        let mut results = Vec::new();
        if state_of(&task) == State::Succeeded {
            let files = task.output.results.iter().filter(|file| file.subtask_status.as_deref() != Some("FAILED"));
            let urls = files.filter_map(|file| file.transcription_url.as_deref());
            let fetching: Vec<_> = urls.map(|url| self.document(url)).collect();
            let mut documents = stream::iter(fetching).buffered(CONCURRENT);
            let mut bytes = 0;
            while let Some(document) = documents.next().await {
                let Some((document, size)) = document else { continue };
                bytes += size;
                if bytes > MAX_BYTES {
                    tracing::error!(limit_bytes = MAX_BYTES, "asr.result_too_large");
                    return Err(Error::system(FAILED));
                }
                results.push(document);
            }
        }
        let status = if results.is_empty() { "FAILED" } else { "SUCCEEDED" };
        Ok(Transcription { results, status, request_id: task.request_id })
    }

    async fn document(&self, url: &str) -> Option<(Value, usize)> {
        let document = fetch_document(self.guarded, &self.config.outbound.trusted_hosts, url).await;
        document.inspect_err(|failure| tracing::warn!(error = with_causes(failure), "asr.document_lost")).ok()
    }
}

/// Gives a failure the provider's words, or those of the route.
fn failed(told: Told, fallback: &'static str) -> Error {
    let message = told.text.map_or(fallback.into(), Into::into);
    Error::Provider { message, source: told.failure }
}

/// Refuses what the provider could not fetch. It fetches the files by itself; this service never does.
fn check_urls(urls: &[String]) -> Result<()> {
    if urls.len() > MAX_FILES {
        return Err(Error::system("At most 100 file URLs are supported per request"));
    }
    for text in urls {
        let url = Url::parse(text).map_err(|_| Error::system(format!("Invalid file URL: {text}")))?;
        let scheme = url.scheme();
        if !matches!(scheme, "http" | "https" | "oss") {
            return Err(Error::system(format!(
                "Unsupported file URL protocol \"{scheme}:\". Only HTTP/HTTPS or OSS URLs are allowed."
            )));
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Succeeded,
    Failed,
    /// `UNKNOWN`, `CANCELED`, and whatever comes: it will not get better by waiting (V3).
    Over,
}

fn state_of(task: &Task) -> State {
    match task.output.task_status.as_deref() {
        Some("PENDING" | "RUNNING") => State::Running,
        Some("SUCCEEDED") => State::Succeeded,
        Some("FAILED") => State::Failed,
        _ => State::Over,
    }
}

/// Says why a task failed: what the provider says about all of it, else about the first file.
fn message_of(task: &Task) -> String {
    let of_task = [&task.output.message, &task.message].into_iter().flatten().find(|text| !text.is_empty());
    if let Some(message) = of_task {
        return message.clone();
    }
    let failed = task.output.results.iter().find(|file| file.subtask_status.as_deref() == Some("FAILED"));
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    match failed.map(|file| (text(&file.code), text(&file.message))) {
        None | Some((None, None)) => FAILED.to_owned(),
        Some((code, message)) => {
            let code = code.unwrap_or_else(|| "SubtaskFailed".to_owned());
            message.map_or(code.clone(), |message| format!("{code} - {message}"))
        }
    }
}

/// Reads a time of the provider, which is Beijing time and does not say so (V2).
fn beijing_time(text: &str) -> Option<Millis> {
    let time: DateTime = text.parse().ok()?;
    let zoned = time.to_zoned(TimeZone::fixed(tz::offset(8))).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(output: &Value) -> Task {
        serde_json::from_value(json!({"request_id": "r", "output": output})).unwrap()
    }

    #[test]
    fn times_are_those_of_beijing() {
        assert_eq!(beijing_time("2024-05-06 07:08:09.123"), Some(1_714_950_489_123));
        assert_eq!(beijing_time("yesterday"), None);
    }

    #[test]
    fn what_is_neither_running_nor_done_will_not_get_better() {
        for (status, state) in [
            ("PENDING", State::Running),
            ("RUNNING", State::Running),
            ("SUCCEEDED", State::Succeeded),
            ("FAILED", State::Failed),
            ("UNKNOWN", State::Over),
            ("CANCELED", State::Over),
        ] {
            assert_eq!(state_of(&task(&json!({"task_status": status}))), state);
        }
        assert_eq!(state_of(&task(&json!({}))), State::Over);
    }

    #[test]
    fn a_failure_is_explained_by_the_task_or_by_its_first_failed_file() {
        let file = |code: Value, message: Value| {
            json!({"results": [{"subtask_status": "SUCCEEDED"},
                {"subtask_status": "FAILED", "code": code, "message": message}]})
        };
        for (output, expected) in [
            (json!({"message": "no quota", "results": [{"subtask_status": "FAILED", "code": "X"}]}), "no quota"),
            (file(json!("InvalidFile"), json!("cannot decode")), "InvalidFile - cannot decode"),
            (file(json!("InvalidFile"), Value::Null), "InvalidFile"),
            (file(Value::Null, json!("cannot decode")), "SubtaskFailed - cannot decode"),
            (file(Value::Null, Value::Null), "Transcription failed"),
            (json!({}), "Transcription failed"),
        ] {
            assert_eq!(message_of(&task(&output)), expected);
        }
    }
}
