//! The versions of the apps (`contract/ai-asr-ocr-system.md`, System).

use schemars::JsonSchema;
use serde::Serialize;

/// The newest version of an app, or why it is not known.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AppVersion {
    /// Such as `1.2.3`.
    Version(String),
    /// A sentence.
    Error(String),
}

/// The newest versions of the apps.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Versions {
    /// The desktop app.
    pub desktop: AppVersion,
    /// The Android app.
    pub apk: AppVersion,
}
