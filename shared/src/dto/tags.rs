//! Tags (`contract/categories-tags.md`).

use schemars::JsonSchema;
use serde::Serialize;

use super::{Fields, Patch};
use crate::{Error, Result, clock::Millis, ids::TagId};

/// A tag of memos. Its owner is not shown.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    /// The id.
    pub tag_id: TagId,
    /// The name, trimmed.
    pub name: String,
    /// A colour, in any notation.
    #[serde(skip_serializing_if = "super::is_unset")]
    pub color: Option<String>,
    /// How many memos of the owner carry the tag.
    pub usage_count: i32,
    /// When it was created.
    pub created_at: Millis,
    /// When it, or its count, was last changed.
    pub updated_at: Millis,
}

/// The most characters of the name of a tag or category.
const MAX_NAME_CHARS: usize = 1000;

/// Reads the member `name`, trimmed. `None` when it is absent.
///
/// # Errors
/// Code 2 with `required` when the name is blank, `null` or no text, since a name cannot be cleared;
/// code 2 with the default text when it has more than 1000 characters.
pub(super) fn name(fields: &Fields, required: &'static str) -> Result<Option<String>> {
    let Some(value) = fields.raw("name") else { return Ok(None) };
    let name = value.as_str().map(str::trim).filter(|name| !name.is_empty()).ok_or(Error::params(required))?;
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(Error::bad_params());
    }
    Ok(Some(name.to_owned()))
}

/// Refuses names of tags that a memo brings along and that are too long for a tag.
///
/// # Errors
/// Code 2 when a name has more than 1000 characters.
pub(super) fn check_names(names: &[String]) -> Result<()> {
    let too_long = names.iter().any(|name| name.trim().chars().count() > MAX_NAME_CHARS);
    if too_long { Err(Error::bad_params()) } else { Ok(()) }
}

/// The body that creates a tag.
#[derive(Debug, Clone, JsonSchema)]
pub struct NewTag {
    /// The name, trimmed and not empty.
    pub name: String,
    /// A colour, not trimmed.
    pub color: Option<String>,
}

impl TryFrom<&Fields> for NewTag {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        const REQUIRED: &str = "Tag name is required";
        let name = name(fields, REQUIRED)?.ok_or(Error::params(REQUIRED))?;
        Ok(Self { name, color: fields.short_text("color")?.filter(|color| !color.is_empty()) })
    }
}

/// The body that changes a tag.
#[derive(Debug, Clone, JsonSchema)]
pub struct TagUpdate {
    /// The new name, trimmed and not empty; absent keeps it.
    pub name: Option<String>,
    /// The new colour, not trimmed.
    pub color: Patch<String>,
}

impl TryFrom<&Fields> for TagUpdate {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        Ok(Self { name: name(fields, "Tag name cannot be empty")?, color: fields.patch_text("color")? })
    }
}
