//! Memos (`contract/memos.md`).

use schemars::JsonSchema;
use serde::Serialize;

use super::{Fields, Patch, attachments::Attachment, tags::Tag};
use crate::{
    Error, Result,
    clock::Millis,
    ids::{AttachmentId, CategoryId, MemoId, TagId, Uid},
};

/// The category id that stands for "none" in filters and bodies.
pub const UNCATEGORIZED: &str = "__uncategorized__";

/// A memo with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memo {
    /// The id.
    pub memo_id: MemoId,
    /// The owner.
    pub uid: Uid,
    /// Markdown or plain text, verbatim.
    pub content: String,
    /// `text`, `audio` or `video`; old installs took other texts too.
    #[serde(rename = "type")]
    pub memo_type: String,
    /// The category; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category_id: Option<CategoryId>,
    /// The attachments that still exist, in the stored order.
    pub attachments: Vec<Attachment>,
    /// The tags that still exist, in the order of `tag_ids`.
    pub tags: Vec<Tag>,
    /// The ids of the tags, in order.
    pub tag_ids: Vec<TagId>,
    /// Whether everybody may read the memo.
    pub is_public: bool,
    /// The memos that this one names as related, without their own relations; absent when there are
    /// none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<Memo>,
    /// When it was written.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
    /// The URL it came from.
    #[serde(skip_serializing_if = "super::is_unset")]
    pub source: Option<String>,
}

/// The tags that a body names. Ids win over names; see [`TagChoice::is_empty`].
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema)]
pub struct TagChoice {
    /// Ids of existing tags.
    #[schemars(rename = "tagIds", with = "Option<Vec<TagId>>")]
    pub ids: Vec<TagId>,
    /// Names, found or created; used only when there are no ids.
    #[schemars(rename = "tags", with = "Option<Vec<String>>")]
    pub names: Vec<String>,
}

impl TagChoice {
    /// Reports whether the choice is "no tags".
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.names.is_empty()
    }

    /// Reads `tags` and `tagIds`. `None` when both are absent.
    fn read(fields: &Fields) -> Result<Option<Self>> {
        let (ids, names) = (fields.texts("tagIds")?, fields.texts("tags")?);
        if ids.is_none() && names.is_none() {
            return Ok(None);
        }
        let names = names.unwrap_or_default();
        super::tags::check_names(&names)?;
        Ok(Some(Self { ids: into_ids(ids.unwrap_or_default()), names }))
    }
}

/// The body that replaces the tags of a memo (`contract/memos.md`, route 6). Elements that are no text are dropped,
/// and an empty body means "no tags".
#[derive(Debug, Clone, JsonSchema)]
pub struct NewTags {
    /// The tags.
    #[schemars(flatten)]
    pub tags: TagChoice,
}

impl TryFrom<&Fields> for NewTags {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let read = |name: &str, message: &'static str| match fields.raw(name) {
            Some(value) if !value.is_array() && !is_falsy(value) => Err(Error::params(message)),
            Some(value) if value.is_array() => {
                let list = fields.list(name)?.map(Vec::as_slice).unwrap_or_default();
                Ok(list.iter().filter_map(|element| element.as_str()).map(str::to_owned).collect())
            }
            _ => Ok(Vec::new()),
        };
        let names = read("tags", "Tags must be an array")?;
        let ids: Vec<String> = read("tagIds", "TagIds must be an array")?;
        super::tags::check_names(&names)?;
        let ids = into_ids(ids.into_iter().filter(|id| !id.trim().is_empty()).collect());
        Ok(Self { tags: TagChoice { ids, names } })
    }
}

fn is_falsy(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// The body that creates a memo.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct NewMemo {
    /// The text, not blank.
    pub content: String,
    /// `text`, `audio` or `video`; `text` when it is absent.
    #[schemars(rename = "type", with = "Option<String>", extend("enum" = ["text", "audio", "video", null]))]
    pub memo_type: String,
    /// The category.
    pub category_id: Option<CategoryId>,
    /// Attachments, as given.
    #[schemars(with = "Option<Vec<AttachmentId>>")]
    pub attachments: Vec<AttachmentId>,
    /// Tags.
    #[schemars(flatten)]
    pub tags: TagChoice,
    /// Related memos, as given.
    #[schemars(rename = "relationIds", with = "Option<Vec<MemoId>>")]
    pub relations: Vec<MemoId>,
    /// Whether everybody may read the memo.
    #[schemars(with = "Option<bool>")]
    pub is_public: bool,
    /// The time of an import.
    pub created_at: Option<Millis>,
    /// The time of an import.
    pub updated_at: Option<Millis>,
    /// The URL it came from.
    pub source: Option<String>,
}

/// The body with which a machine creates a memo.
#[derive(Debug, Clone, JsonSchema)]
pub struct ImportedMemo {
    /// The memo.
    #[schemars(flatten)]
    pub memo: NewMemo,
    /// The name of a category, found or created; not blank.
    pub category: Option<String>,
}

impl TryFrom<&Fields> for ImportedMemo {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let memo = NewMemo::try_from(fields)?;
        let category = fields.short_text("category")?;
        if category.as_deref().is_some_and(|name| name.trim().is_empty()) {
            return Err(Error::params("Category cannot be empty"));
        }
        Ok(Self { memo, category })
    }
}

impl TryFrom<&Fields> for NewMemo {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        Ok(Self {
            content: content(fields)?,
            memo_type: memo_type(fields)?.unwrap_or_else(|| "text".to_owned()),
            category_id: match category(fields)? {
                Patch::Set(id) => Some(id),
                Patch::Keep | Patch::Clear => None,
            },
            attachments: into_ids(fields.texts("attachments")?.unwrap_or_default()),
            tags: TagChoice::read(fields)?.unwrap_or_default(),
            relations: into_ids(fields.texts("relationIds")?.unwrap_or_default()),
            is_public: fields.boolean("isPublic")?.unwrap_or_default(),
            created_at: fields.time("createdAt")?,
            updated_at: fields.time("updatedAt")?,
            source: fields.short_text("source")?.filter(|source| !source.is_empty()),
        })
    }
}

/// The body that changes a memo. `None` keeps what is stored.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct MemoUpdate {
    /// The text, not blank.
    pub content: String,
    /// `text`, `audio` or `video`.
    #[schemars(rename = "type", extend("enum" = ["text", "audio", "video", null]))]
    pub memo_type: Option<String>,
    /// The category.
    pub category_id: Patch<CategoryId>,
    /// Replaces the list.
    pub attachments: Option<Vec<AttachmentId>>,
    /// Replaces the list.
    #[schemars(flatten)]
    pub tags: Option<TagChoice>,
    /// Replaces the list.
    #[schemars(rename = "relationIds")]
    pub relations: Option<Vec<MemoId>>,
    /// Whether everybody may read the memo.
    pub is_public: Option<bool>,
    /// The URL it came from.
    pub source: Patch<String>,
}

impl TryFrom<&Fields> for MemoUpdate {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        Ok(Self {
            content: content(fields)?,
            memo_type: match fields.raw("type") {
                Some(value) if value.is_null() => Some("text".to_owned()),
                _ => memo_type(fields)?,
            },
            category_id: category(fields)?,
            attachments: fields.texts("attachments")?.map(into_ids),
            tags: TagChoice::read(fields)?,
            relations: fields.texts("relationIds")?.map(into_ids),
            is_public: fields.boolean("isPublic")?,
            source: fields.patch_text("source")?,
        })
    }
}

fn into_ids<T: From<String>>(texts: Vec<String>) -> Vec<T> {
    texts.into_iter().map(T::from).collect()
}

fn content(fields: &Fields) -> Result<String> {
    let content = fields.text("content")?.filter(|content| !content.trim().is_empty());
    content.ok_or(Error::params("Content is required"))
}

fn memo_type(fields: &Fields) -> Result<Option<String>> {
    match fields.text("type")? {
        Some(text) if !matches!(text.as_str(), "text" | "audio" | "video") => Err(Error::bad_params()),
        other => Ok(other),
    }
}

fn category(fields: &Fields) -> Result<Patch<CategoryId>> {
    Ok(match fields.patch_text("categoryId")? {
        Patch::Keep => Patch::Keep,
        Patch::Set(id) if id != UNCATEGORIZED => Patch::Set(id.into()),
        Patch::Clear | Patch::Set(_) => Patch::Clear,
    })
}

/// Which memos a list shows, by category.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CategoryFilter {
    /// All.
    #[default]
    Any,
    /// Those without a category.
    Uncategorized,
    /// Those of one category.
    Of(CategoryId),
}

impl CategoryFilter {
    /// Reads a parameter; an absent or empty one is no filter.
    #[must_use]
    pub fn read(parameter: Option<&str>) -> Self {
        match parameter {
            None | Some("") => Self::Any,
            Some(UNCATEGORIZED) => Self::Uncategorized,
            Some(id) => Self::Of(id.into()),
        }
    }
}

/// The time by which a list is sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "camelCase", inline)]
pub enum SortBy {
    /// When a memo was written.
    #[default]
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema)]
pub struct Sort {
    /// The time; `createdAt` unless given.
    #[schemars(rename = "sortBy", with = "Option<SortBy>")]
    pub by: SortBy,
    /// `asc` shows the oldest first; `desc` unless given.
    #[schemars(rename = "sortOrder", with = "Option<String>", extend("enum" = ["asc", "desc"]))]
    pub ascending: bool,
}

/// Which memos a list shows. All conditions must hold.
#[derive(Debug, Clone, Default, JsonSchema)]
pub struct MemoFilter {
    /// A text that the content contains, literally.
    pub search: Option<String>,
    /// The category; `__uncategorized__` means none.
    #[schemars(rename = "categoryId", with = "Option<String>")]
    pub category: CategoryFilter,
    /// Names of tags, all of which the memo must carry.
    #[schemars(with = "Option<Vec<String>>")]
    pub tags: Vec<String>,
    /// The earliest time of writing.
    #[schemars(rename = "startDate")]
    pub created_from: Option<Millis>,
    /// The latest time of writing.
    #[schemars(rename = "endDate")]
    pub created_to: Option<Millis>,
    /// Only memos that everybody may read.
    #[schemars(skip)]
    pub public_only: bool,
}
