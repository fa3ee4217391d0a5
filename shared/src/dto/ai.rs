//! The AI helper (`contract/ai-asr-ocr-system.md`, AI helper).

use serde::Serialize;

/// Tags that a model suggests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SuggestedTags {
    /// At most eight, in lower case.
    pub tags: Vec<String>,
}

/// What the AI helper can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tools {
    /// In the order in which they are shown.
    pub tools: Vec<Tool>,
}
