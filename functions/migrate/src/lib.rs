//! The one-shot migration from an install that keeps everything in LanceDB to the relational database
//! (`contract/migration.md`).
//!
//! [`run`] is the way through it: preflight ([`preflight`], [`plan`]), schema, backup, copy of the vectors
//! ([`copy`]), and the one transaction that loads and verifies ([`load`]). [`legacy`] knows the old tables and
//! maps their rows, [`mapping`] applies it to all of them: once without keeping the rows, to find what cannot
//! be migrated, and once into the database. [`observer`] is who hears of progress and may stop it.
//!
//! [`attachments`] is apart from all that: it moves files, also between the settings of today.

pub mod attachments;
pub mod command;
pub mod copy;
pub mod digest;
pub mod failure;
pub mod legacy;
pub mod load;
pub mod mapping;
pub mod observer;
pub mod plan;
pub mod preflight;
pub mod progress;
pub mod report;
pub mod restored;
pub mod run;
pub mod scan;
pub mod source;
pub mod status;
pub mod verify;
