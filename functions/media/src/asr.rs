//! Speech recognition.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use shared::{
    Result,
    dto::{
        Fields,
        asr::{NewTranscription, TaskStatus, Transcription},
    },
    http::{App, PathId, Reply},
    services::asr::Speech,
};

use crate::reply_limit::within_limit;

const TOO_LARGE: &str = "Transcription failed";

pub async fn transcribe(State(app): State<App>, fields: Fields) -> Response {
    let submitted = async {
        let new = NewTranscription::try_from(&fields)?;
        speech(&app)?.submit(&new).await
    };
    accepted(submitted.await.map(Reply))
}

pub async fn transcribe_and_wait(State(app): State<App>, fields: Fields) -> Response {
    let found = async {
        let new = NewTranscription::try_from(&fields)?;
        within_limit(speech(&app)?.submit_and_wait(&new).await?, TOO_LARGE)
    };
    accepted(found.await.map(Reply))
}

pub async fn task(State(app): State<App>, PathId(id): PathId<String>) -> Result<Reply<TaskStatus>> {
    Ok(Reply(speech(&app)?.status(&app.context, &id).await?))
}

pub async fn wait(State(app): State<App>, PathId(id): PathId<String>) -> Result<Reply<Transcription>> {
    Ok(Reply(within_limit(speech(&app)?.wait(&id).await?, TOO_LARGE)?))
}

pub async fn result(State(app): State<App>, PathId(id): PathId<String>) -> Result<Reply<Transcription>> {
    Ok(Reply(within_limit(speech(&app)?.result(&id).await?, TOO_LARGE)?))
}

fn speech(app: &App) -> Result<Speech<'_>> {
    Speech::new(&app.config, app.http(), app.guarded_http())
}

/// Contract: the routes that hand files over answer 202 where others answer 200, also for refusals
/// (contract/ai-asr-ocr-system.md, table of routes).
fn accepted(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    response
}
