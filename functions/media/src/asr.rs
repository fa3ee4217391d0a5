//! Speech recognition.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use shared::{
    Result,
    dto::asr::{NewTranscription, Submitted, TaskStatus, Transcription},
    http::{Answer, App, Body, Operation, PathId, Reply},
    services::asr::Speech,
};

use crate::reply_limit::within_limit;

const TOO_LARGE: &str = "Transcription failed";

pub async fn transcribe(State(app): State<App>, body: Body<NewTranscription>) -> Accepted<Submitted> {
    let submitted = async {
        let new = body.read()?;
        speech(&app)?.submit(&new).await
    };
    Accepted(submitted.await)
}

pub async fn transcribe_and_wait(State(app): State<App>, body: Body<NewTranscription>) -> Accepted<Transcription> {
    let found = async {
        let new = body.read()?;
        within_limit(speech(&app)?.submit_and_wait(&new).await?, TOO_LARGE)
    };
    Accepted(found.await)
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
pub struct Accepted<T>(Result<T>);

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        let mut response = self.0.map(Reply).into_response();
        if response.status() == StatusCode::OK {
            *response.status_mut() = StatusCode::ACCEPTED;
        }
        response
    }
}

impl<T: JsonSchema + Serialize> Answer for Accepted<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.payload::<T>(202);
        operation.refusal(202);
    }
}
