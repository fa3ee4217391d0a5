//! The rules of the product, one file per noun: what is checked, in which order, and what changes
//! together.
//!
//! A service is a module of functions that take the [`Context`](crate::Context) first. It owns the
//! transaction; SQL is the repositories' business, HTTP the handlers'.

pub mod ai;
pub mod app_versions;
pub mod asr;
pub mod attachment_moves;
pub mod attachments;
pub mod avatars;
pub mod categories;
pub mod conversations;
pub mod direct_uploads;
pub mod files;
pub mod health;
pub mod insights;
mod media_types;
pub mod memos;
pub mod ocr;
mod passwords;
pub mod pending_files;
pub mod push_contents;
pub mod push_deliveries;
pub mod push_rules;
pub mod push_slots;
pub mod recommendations;
pub mod tags;
pub mod text;
pub mod tokens;
pub mod users;

impl crate::db::Transient for crate::Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_transient())
    }
}
