//! Text recognition.

use axum::extract::State;
use shared::{
    Result,
    clients::ocr::Options,
    dto::ocr::{FullOcrRequest, OcrRequest, OcrStatus, Pages, Providers, Texts},
    http::{App, LargeBody, Reply},
    services::ocr,
};

use crate::reply_limit::within_limit;

pub async fn parse(State(app): State<App>, body: LargeBody<OcrRequest>) -> Result<Reply<Texts>> {
    let pages = ocr::parse(&app.config, app.http(), &body.read()?, &Options::default()).await?;
    let texts = Texts { texts: pages.into_iter().map(|page| page.text).collect() };
    Ok(Reply(within_limit(texts, "OCR parsing failed")?))
}

pub async fn parse_full(State(app): State<App>, body: LargeBody<FullOcrRequest>) -> Result<Reply<Pages>> {
    let FullOcrRequest { request, options } = body.read()?;
    let results = ocr::parse(&app.config, app.http(), &request, &options).await?;
    Ok(Reply(within_limit(Pages { results }, "OCR parsing failed")?))
}

pub async fn status(State(app): State<App>) -> Reply<OcrStatus> {
    Reply(ocr::status(&app.config))
}

pub async fn providers() -> Reply<Providers> {
    Reply(Providers { providers: ocr::PROVIDERS })
}
