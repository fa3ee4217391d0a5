//! The AI helper (`contract/ai-asr-ocr-system.md`, AI helper).

use schemars::JsonSchema;
use serde::Serialize;

use super::Fields;
use crate::{Error, Result};

/// The body that asks for tags.
#[derive(Debug, Clone, JsonSchema)]
pub struct TextToTag {
    /// The text, not blank.
    pub content: String,
}

impl TryFrom<&Fields> for TextToTag {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        Ok(Self { content: fields.text("content")?.unwrap_or_default() })
    }
}

/// Tags that a model suggests.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct SuggestedTags {
    /// At most eight, in lower case.
    pub tags: Vec<String>,
}

/// What the AI helper can do.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Tool {
    /// The id.
    pub id: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// The name of its icon.
    pub icon: &'static str,
}

/// All tools.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Tools {
    /// In the order in which they are shown.
    pub tools: Vec<Tool>,
}
