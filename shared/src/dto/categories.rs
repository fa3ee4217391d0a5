//! Categories (`contract/categories-tags.md`).

use schemars::JsonSchema;
use serde::Serialize;

use super::{Fields, Patch};
use crate::{
    Error, Result,
    clock::Millis,
    ids::{CategoryId, Uid},
};

/// A category of memos.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Category {
    /// The id.
    pub category_id: CategoryId,
    /// The owner.
    pub uid: Uid,
    /// The name, trimmed.
    pub name: String,
    /// A colour, in any notation.
    #[serde(skip_serializing_if = "super::is_unset")]
    pub color: Option<String>,
    /// When it was created.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

const NAME_REQUIRED: &str = "Category name is required";

/// The body that creates a category.
#[derive(Debug, Clone, JsonSchema)]
pub struct NewCategory {
    /// The name, trimmed and not empty.
    pub name: String,
    /// A colour.
    pub color: Option<String>,
}

impl TryFrom<&Fields> for NewCategory {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let name = super::tags::name(fields, NAME_REQUIRED)?.ok_or(Error::params(NAME_REQUIRED))?;
        let color = fields.short_text("color")?.map(|color| color.trim().to_owned());
        Ok(Self { name, color: color.filter(|color| !color.is_empty()) })
    }
}

/// The body that changes a category.
#[derive(Debug, Clone, JsonSchema)]
pub struct CategoryUpdate {
    /// The new name, trimmed and not empty; absent keeps it.
    pub name: Option<String>,
    /// The new colour.
    pub color: Patch<String>,
}

impl TryFrom<&Fields> for CategoryUpdate {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let color = match fields.patch_text("color")? {
            Patch::Set(color) if color.trim().is_empty() => Patch::Clear,
            Patch::Set(color) => Patch::Set(color.trim().to_owned()),
            other => other,
        };
        Ok(Self { name: super::tags::name(fields, NAME_REQUIRED)?, color })
    }
}
