//! Text recognition (`contract/ai-asr-ocr-system.md`, OCR).

use serde::Serialize;
use serde_json::Value;

use super::Fields;
use crate::{Error, Result, clients::ocr::Options};

/// The most files of a request (O2).
const MAX_FILES: usize = 10;

/// The body that asks for text.
#[derive(Debug, Clone)]
pub struct OcrRequest {
    /// At least one URL, Base64 text or data URL, as given.
    pub files: Vec<String>,
    /// The provider; `None` for the default one.
    pub provider: Option<String>,
    /// What is asked beside the text.
    pub options: Options,
}

impl OcrRequest {
    /// Reads the body of the route that answers texts alone.
    ///
    /// # Errors
    /// Code 2 when there is no file, there are too many, or a member has the wrong type.
    pub fn plain(fields: &Fields) -> Result<Self> {
        Ok(Self { files: files(fields)?, provider: provider(fields)?, options: Options::default() })
    }

    /// Reads the body of the route that answers everything.
    ///
    /// # Errors
    /// As [`OcrRequest::plain`].
    pub fn full(fields: &Fields) -> Result<Self> {
        let plain = Self::plain(fields)?;
        let options = fields.object("options")?.map(|options| read_options(&options)).transpose()?;
        Ok(Self { options: options.unwrap_or_default(), ..plain })
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Texts {
    /// One for each file; empty when nothing was recognised.
    pub texts: Vec<String>,
}

/// Everything about the files, in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pages {
    /// One for each file.
    pub results: Vec<Page>,
}

/// Everything about a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Providers {
    /// Their names.
    pub providers: &'static [&'static str],
}
