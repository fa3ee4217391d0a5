//! The product over HTTP, one file per area: every route of every function, on all three databases.

mod ai;
mod app_versions;
mod attachments;
mod bad_input;
mod budgets;
mod categories;
mod concurrency;
mod conversations;
mod explore;
mod insights;
mod media;
mod memos;
mod objects;
mod providers;
mod public;
mod push_rules;
mod search;
mod system;
mod tags;
mod tenancy;
mod users;
mod web;
