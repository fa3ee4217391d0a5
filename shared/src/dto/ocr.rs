//! Text recognition (`contract/ai-asr-ocr-system.md`, OCR).

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Fields;
use crate::{Error, Result, clients::ocr::Options};

/// The most files of a request (O2).
const MAX_FILES: usize = 10;

/// The body that asks for text.
#[derive(Debug, Clone, JsonSchema)]
pub struct OcrRequest {
    /// At most ten URLs, Base64 texts or data URLs, as given; a single one may be a text instead of a list.
    #[schemars(with = "OneOrMany")]
    pub files: Vec<String>,
    /// The provider; `None` for the default one.
    pub provider: Option<String>,
}

/// A list, or its only element.
#[derive(JsonSchema)]
#[schemars(inline, untagged)]
#[expect(dead_code, reason = "the schema of a member that is read by hand")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl TryFrom<&Fields> for OcrRequest {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        Ok(Self { files: files(fields)?, provider: provider(fields)? })
    }
}

/// The body that asks for everything about the files.
#[derive(Debug, Clone, JsonSchema)]
pub struct FullOcrRequest {
    /// The files.
    #[schemars(flatten)]
    pub request: OcrRequest,
    /// What is asked beside the text.
    #[schemars(with = "Option<Options>")]
    pub options: Options,
}

impl TryFrom<&Fields> for FullOcrRequest {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let request = OcrRequest::try_from(fields)?;
        let options = fields.object("options")?.map(|options| read_options(&options)).transpose()?;
        Ok(Self { request, options: options.unwrap_or_default() })
    }
}

fn files(fields: &Fields) -> Result<Vec<String>> {
    let files = match fields.value("files") {
        Some(Value::String(file)) => vec![file.clone()],
        _ => fields.texts("files")?.unwrap_or_default(),
    };
    if files.is_empty() || files == [""] {
        return Err(Error::params("At least one file is required"));
    }
    if files.len() > MAX_FILES { Err(Error::bad_params()) } else { Ok(files) }
}

fn provider(fields: &Fields) -> Result<Option<String>> {
    Ok(fields.text("provider")?.filter(|name| !name.is_empty()))
}

/// Reads the options; what is false, zero or empty is not sent.
fn read_options(fields: &Fields) -> Result<Options> {
    let page = |name: &str| match fields.integer(name)? {
        None | Some(0) => Ok(None),
        Some(page) if page > 0 => Ok(Some(page)),
        Some(_) => Err(Error::bad_params()),
    };
    let text = |name: &str| Ok::<_, Error>(fields.text(name)?.filter(|text| !text.is_empty()));
    Ok(Options {
        return_crop_images: fields.boolean("returnCropImages")?.unwrap_or_default(),
        need_layout_visualization: fields.boolean("needLayoutVisualization")?.unwrap_or_default(),
        start_page_id: page("startPageId")?,
        end_page_id: page("endPageId")?,
        request_id: text("requestId")?,
        user_id: text("userId")?,
    })
}

/// The texts of the files, in order.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Texts {
    /// One for each file; empty when nothing was recognised.
    pub texts: Vec<String>,
}

/// Everything about the files, in order.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Pages {
    /// One for each file.
    pub results: Vec<Page>,
}

/// Everything about a file.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "OcrPage")]
pub struct Page {
    /// Its place in the request, from 0.
    pub index: usize,
    /// The text as Markdown.
    pub text: String,
    /// The file as it was given.
    pub original_file: String,
    /// The parts of the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout_details: Option<Vec<Value>>,
    /// Addresses of pictures of the layout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout_visualization: Option<Value>,
}

/// Whether text recognition can be used, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OcrStatus {
    /// Whether it is switched on; says nothing about a key.
    pub enabled: bool,
    /// The provider that is asked unless a request names one.
    pub default_provider: &'static str,
    /// All providers.
    pub available_providers: &'static [&'static str],
}

/// The providers.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Providers {
    /// Their names.
    pub providers: &'static [&'static str],
}
