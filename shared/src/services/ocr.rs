//! Text in pictures and documents, recognised by a provider (`contract/ai-asr-ocr-system.md`, OCR).

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::{
    Error, Result,
    clients::{
        Http,
        ocr::{Options, Recognised, recognise},
    },
    config::{Config, Secret},
    dto::ocr::{OcrRequest, OcrStatus, Page},
};

/// All providers; the first one is the default.
pub const PROVIDERS: &[&str] = &["zhipu"];

/// Files that are recognised at one time (O2).
const CONCURRENT: usize = 4;

/// Tells whether text recognition can be used, and by whom.
#[must_use]
pub fn status(config: &Config) -> OcrStatus {
    OcrStatus { enabled: config.ocr.enabled, default_provider: PROVIDERS[0], available_providers: PROVIDERS }
}

/// Recognises files, each in its place. The first one that fails fails all.
///
/// # Errors
/// Code 1 when text recognition is switched off or has no key, the provider is unknown, or a file fails.
pub async fn parse(
    config: &Config,
    http: &Arc<dyn Http>,
    request: &OcrRequest,
    options: &Options,
) -> Result<Vec<Page>> {
    let key = key_for(config, request.provider.as_deref())?;
    let deadline = Instant::now() + config.models.timeout;
    let ask = async |index: usize, file: &str| {
        let left = deadline.saturating_duration_since(Instant::now());
        let recognised = recognise(http, &config.ocr.base_url, key, file, options, left).await;
        let recognised = recognised.map_err(|told| {
            let reason = told.text.unwrap_or_else(|| told.failure.to_string());
            let message = format!("Zhipu OCR failed for file {index}: {reason}").into();
            Error::Provider { message, source: told.failure }
        })?;
        Ok(page(index, file, recognised))
    };
    let asking: Vec<_> = request.files.iter().enumerate().map(|(index, file)| ask(index, file)).collect();
    stream::iter(asking).buffered(CONCURRENT).try_collect().await
}

fn key_for<'a>(config: &'a Config, provider: Option<&str>) -> Result<&'a Secret> {
    if !config.ocr.enabled {
        return Err(Error::system("OCR service is not enabled"));
    }
    if let Some(name) = provider.filter(|name| !PROVIDERS.contains(name)) {
        return Err(Error::system(format!("OCR provider '{name}' is not registered")));
    }
    config.ocr.key.as_ref().ok_or(Error::system("ZHIPU_API_KEY is not configured"))
}

/// Contract: of the layout only the first page (O3).
fn page(index: usize, file: &str, recognised: Recognised) -> Page {
    let first_page = recognised.layout_details.and_then(|pages| pages.into_iter().next()).flatten();
    Page {
        index,
        text: recognised.md_results.unwrap_or_default(),
        original_file: file.to_owned(),
        layout_details: first_page.map(|parts| parts.iter().map(part).collect()),
        layout_visualization: recognised.layout_visualization.filter(|pictures| !pictures.is_null()),
    }
}

/// Keeps of a part of the layout what the contract names.
fn part(part: &Value) -> Value {
    let names = [
        ("index", "index"),
        ("label", "label"),
        ("bbox_2d", "bbox2d"),
        ("content", "content"),
        ("height", "height"),
        ("width", "width"),
    ];
    let member = |(theirs, ours): (&str, &str)| Some((ours.to_owned(), part.get(theirs)?.clone()));
    Value::Object(names.into_iter().filter_map(member).collect::<Map<_, _>>())
}
