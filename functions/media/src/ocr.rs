//! Text recognition.

use axum::extract::State;
use shared::{
    Result,
    dto::ocr::{OcrRequest, OcrStatus, Pages, Providers, Texts},
    http::{App, LargeFields, Reply},
    services::ocr,
};

use crate::reply_limit::within_limit;

pub async fn parse(State(app): State<App>, LargeFields(fields): LargeFields) -> Result<Reply<Texts>> {
    let pages = ocr::parse(&app.config, app.http(), &OcrRequest::plain(&fields)?).await?;
    let texts = Texts { texts: pages.into_iter().map(|page| page.text).collect() };
    Ok(Reply(within_limit(texts, "OCR parsing failed")?))
}

pub async fn parse_full(State(app): State<App>, LargeFields(fields): LargeFields) -> Result<Reply<Pages>> {
    let results = ocr::parse(&app.config, app.http(), &OcrRequest::full(&fields)?).await?;
    Ok(Reply(within_limit(Pages { results }, "OCR parsing failed")?))
}

pub async fn status(State(app): State<App>) -> Reply<OcrStatus> {
    Reply(ocr::status(&app.config))
}

pub async fn providers() -> Reply<Providers> {
    Reply(Providers { providers: ocr::PROVIDERS })
}
