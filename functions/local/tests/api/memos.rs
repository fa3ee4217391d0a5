//! Memos (`contract/memos.md`).

mod create;
mod imports;
mod lists;
mod outbox;
mod relations;
mod tag_lists;
mod update;
