//! Tables as files: an Arrow IPC stream each, compressed, and a manifest that is written last
//! (`contract/migration.md` section 6).
//!
//! A folder without a readable manifest is no backup: whatever interrupts one, nobody mistakes what is
//! left for a whole. The files hold password hashes and secrets of webhooks like the tables did.

mod file;
mod manifest;
mod place;
mod read;
mod write;

pub use manifest::{BackedUpTable, Manifest, Origin, find_backups};
pub use place::Place;
pub use read::{restore_backup, verify_backup};
pub use write::write_backup;
