//! Wire types, one file per noun: camelCase members, times in milliseconds, optional members absent
//! instead of `null` (`contract/http-conventions.md` sections 10 and 11).
//!
//! Types of answers derive `Serialize`. Types of requests are read from [`Fields`], since the
//! contract words the failures of single members. Both derive `JsonSchema`: their doc comments are what the description
//! of the API says of them.

pub mod ai;
pub mod app_versions;
pub mod asr;
pub mod attachments;
pub mod categories;
pub mod conversations;
pub mod explore;
mod fields;
pub mod insights;
pub mod memos;
pub mod ocr;
mod page;
pub mod push_rules;
pub mod search;
pub mod tags;
pub mod users;

pub use fields::{Fields, MAX_LIST, Patch, require_short, time_in};
pub use page::{Page, PageRequest, Pagination};

/// Tells serde to leave a member out: absent values and empty texts count as unset
/// (`contract/http-conventions.md` section 11).
#[expect(clippy::ref_option, reason = "serde calls it with a reference to the member")]
pub(crate) fn is_unset(text: &Option<String>) -> bool {
    text.as_deref().is_none_or(str::is_empty)
}
