//! Attachments (`contract/attachments.md`).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value};

use super::Fields;
use crate::{Error, Result, clients::storage::Spool, clock::Millis, ids::AttachmentId};

/// A file that has arrived in a form.
#[derive(Debug)]
pub struct UploadedFile {
    /// Its name, without folders and control characters.
    pub filename: String,
    /// The declared media type.
    pub media_type: Option<String>,
    /// Its bytes.
    pub content: Spool,
}

/// The bytes of a file in a form.
#[derive(Debug, Clone, Copy, JsonSchema)]
#[schemars(inline, schema_with = "bytes")]
pub struct Bytes;

fn bytes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "contentMediaType": "application/octet-stream"})
}

/// The form of an upload. What cannot be read of its texts is ignored.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct FileForm {
    /// The file.
    pub file: Bytes,
    /// The time of an import, in digits.
    pub created_at: Option<String>,
    /// What the client knows of the file: a JSON object.
    pub properties: Option<String>,
}

/// The form of a picture.
#[derive(Debug, Clone, JsonSchema)]
pub struct AvatarForm {
    /// The picture.
    pub avatar: Bytes,
}

/// The form of a file that goes to the store directly: the fields of the ticket, then the file.
#[derive(Debug, Clone, JsonSchema)]
pub struct TicketForm {
    /// Where the file goes, as the path says.
    pub key: Option<String>,
    /// The size that was announced.
    pub size: String,
    /// When the form expires.
    pub expires: String,
    /// The signature.
    pub signature: String,
    /// The file.
    pub file: Bytes,
}

/// What a client says of a file beside its bytes.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Details {
    /// The time of an import.
    pub created_at: Option<Millis>,
    /// What the client knows of the file.
    #[schemars(with = "Option<Map<String, Value>>")]
    pub properties: Map<String, Value>,
}

impl Details {
    /// Reads the fields of a form. What cannot be read is ignored (`contract/attachments.md`, route 1).
    #[must_use]
    pub fn of_form(created_at: Option<&str>, properties: Option<&str>) -> Self {
        let digits = |text: &str| text.trim_start().chars().take_while(char::is_ascii_digit).collect::<String>();
        let created_at = created_at.and_then(|text| digits(text).parse().ok()).filter(|time| *time > 0);
        let properties = properties.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Self { created_at, properties }
    }
}

/// The announcement of a file that the client sends to the store by itself.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
pub struct NewUpload {
    /// The name of the file.
    pub filename: String,
    /// The declared media type.
    #[schemars(rename = "type")]
    pub media_type: Option<String>,
    /// The size in bytes.
    pub size: u64,
    /// What else is known.
    #[schemars(flatten)]
    pub details: Details,
}

impl TryFrom<&Fields> for NewUpload {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let filename = fields.short_text("filename")?.filter(|name| !name.is_empty());
        let size = fields.integer("size")?.and_then(|size| size.try_into().ok());
        let properties = match fields.value("properties") {
            None => Map::new(),
            Some(Value::Object(properties)) => properties.clone(),
            Some(_) => return Err(Error::bad_params()),
        };
        let created_at = fields.time("createdAt")?.filter(|time| *time > 0);
        Ok(Self {
            filename: filename.ok_or_else(Error::bad_params)?,
            media_type: fields.short_text("type")?,
            size: size.ok_or_else(Error::bad_params)?,
            details: Details { created_at, properties },
        })
    }
}

/// The body that replaces the properties of an attachment.
#[derive(Debug, Clone, JsonSchema)]
pub struct NewProperties {
    /// What the client knows of the file.
    pub properties: Map<String, Value>,
}

impl TryFrom<&Fields> for NewProperties {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        match fields.value("properties") {
            Some(Value::Object(properties)) => Ok(Self { properties: properties.clone() }),
            _ => Err(Error::params("Properties are required")),
        }
    }
}

/// A stored file as a client sees it.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
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

/// A page of attachments. Contract: without the wrapper of other lists (contract/attachments.md, route 2).
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct AttachmentPage {
    /// The attachments.
    pub items: Vec<Attachment>,
    /// How many the user has.
    pub total: u64,
    /// The number of the page.
    pub page: u64,
    /// The most items of a page.
    pub limit: u64,
}

/// What a client needs to send a file to the store by itself (`contract/attachments.md` section 6).
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadTicket {
    /// The id that the attachment will have.
    pub attachment_id: AttachmentId,
    /// Where the form is posted.
    pub url: String,
    /// The fields that stand before the file.
    pub fields: Map<String, Value>,
    /// When the form expires.
    pub expires_at: Millis,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unreadable_fields_of_a_form_are_ignored() {
        let details = Details::of_form(Some("1650000000000x"), Some("{\"a\":1}"));
        assert_eq!((details.created_at, details.properties.get("a")), (Some(1_650_000_000_000), Some(&json!(1))));
        for (time, properties) in [("0", "[]"), ("-5", "1"), ("soon", "{"), ("99999999999999999999", "null")] {
            assert_eq!(Details::of_form(Some(time), Some(properties)), Details::default(), "{time} {properties}");
        }
    }
}
