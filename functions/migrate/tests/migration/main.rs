//! The migration of old installs (`contract/migration.md`): the fixture, every variant of old data, failures
//! at every step, and what verification finds.
//!
//! One test binary, since each that links LanceDB is large. Tests that take a [`testing::Kind`] run on SQLite,
//! PostgreSQL and MariaDB.

mod attachments;
mod command;
mod corruption;
mod failures;
mod fixture;
mod generated;
mod harness;
mod kill;
mod manifest;
mod old;
mod places;
mod small;
mod together;
mod variants;
