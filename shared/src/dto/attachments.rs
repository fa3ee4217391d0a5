//! Attachments (`contract/attachments.md`).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{clock::Millis, ids::AttachmentId};

/// A stored file as a client sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// The id.
    pub attachment_id: AttachmentId,
    /// The name under which it was uploaded.
    pub filename: String,
    /// Where it can be fetched, for a limited time.
    pub url: String,
    /// The media type that the uploader declared.
    #[serde(rename = "type")]
    pub media_type: String,
    /// The size in bytes.
    pub size: i64,
    /// When it was uploaded, or the time of an import.
    pub created_at: Millis,
    /// The cover of a video, from the properties.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_url: Option<String>,
    /// What the client knows of the file, such as `duration` or `width`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub properties: Map<String, Value>,
}
