//! Recognition of text in pictures by Zhipu (`contract/ai-asr-ocr-system.md`, OCR).

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, Call, Failure, Http, Patience, Told, counted::counted, failure::said};
use crate::config::Secret;

/// The most bytes of an answer.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// What is asked beside the text of a file.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
#[schemars(rename = "OcrOptions", rename_all = "camelCase")]
pub struct Options {
    /// Pictures of the parts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(with = "Option<bool>")]
    pub return_crop_images: bool,
    /// Pictures of the layout.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(with = "Option<bool>")]
    pub need_layout_visualization: bool,
    /// The first page, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_page_id: Option<i64>,
    /// The last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_page_id: Option<i64>,
    /// A name of the caller for the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// A name of the caller for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'static str,
    file: &'a str,
    #[serde(flatten)]
    options: &'a Options,
}

/// What was recognised in a file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Recognised {
    /// The text as Markdown; empty when there is none.
    pub md_results: Option<String>,
    /// The parts of each page; nothing for a page without any.
    pub layout_details: Option<Vec<Option<Vec<Value>>>>,
    /// Addresses of pictures of the layout.
    pub layout_visualization: Option<Value>,
    error: Option<Value>,
}

/// Recognises one file: a URL, Base64 or a data URL. The provider fetches URLs by itself.
///
/// # Errors
/// The provider refuses or fails.
pub async fn recognise(
    http: &Arc<dyn Http>,
    base_url: &str,
    key: &Secret,
    file: &str,
    options: &Options,
    limit: Duration,
) -> Result<Recognised, Told> {
    let url = format!("{base_url}/paas/v4/layout_parsing");
    // A file is paid for, so it is not sent again.
    let patience = Patience { total: limit, retries: 0 };
    let call = Call::post(url, &Request { model: "glm-ocr", file, options }, patience, MAX_ANSWER_BYTES);
    let sent = http.send(&call.bearer(key)).await.map_err(Told::from);
    counted(sent.and_then(|answer| read(&answer)))
}

/// Reads what was recognised.
fn read(answer: &Answer) -> Result<Recognised, Told> {
    if !answer.is_success() {
        let text = format!("Zhipu OCR API call failed: {} - {}", answer.status, answer.reason());
        return Err(Told { text: Some(text), failure: Failure::Refused { status: answer.status } });
    }
    let recognised: Recognised = answer.json()?;
    match &recognised.error {
        None => Ok(recognised),
        Some(error) => {
            let text = format!("Zhipu OCR API error: {} - {}", said(&error["code"]), said(&error["message"]));
            Err(Told { text: Some(text), failure: Failure::Declined })
        }
    }
}
