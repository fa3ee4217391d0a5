//! What the tests share: one database of each kind, and a client that drives the router in process.
//!
//! A test is written once, takes a [`Server`], and runs on SQLite, PostgreSQL and MariaDB by
//! [`on_every_database!`]. The servers are those of `scripts/with-servers.sh`, which `make test`
//! starts; without them a test fails, it is never skipped. All tests of a process share one database
//! of each kind and make users of their own, so that they can run at once. Every answer that a client gets is held
//! against the description of the API.

#![expect(clippy::missing_panics_doc, reason = "a test helper that panics fails the test, which is its purpose")]

use std::fmt::Write;

mod client;
mod database;
mod description;
mod form;
mod provider;
pub mod recordings;
mod schema;
mod storage;

pub use client::{Answer, Client, PASSWORD, SERVICE_TOKEN, Server, Settings};
pub use database::{Kind, empty_database, execute, fetch, shared_database};
pub use description::Description;
pub use form::Form;
pub use provider::{Answering, Asked, Provider};
pub use storage::{directory, run_with_s3_credentials, s3_settings, s3_vector_settings};

/// Percent-encodes every byte of a text, for a query, a form or a path.
#[must_use]
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = write!(encoded, "%{byte:02X}");
        encoded
    })
}

/// Makes three tests of each given async function: one on SQLite, one on PostgreSQL, one on MariaDB.
///
/// The function takes a [`Kind`] and is named after the behaviour that it shows.
#[macro_export]
macro_rules! on_every_database {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                super::$test($crate::Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                super::$test($crate::Kind::Postgres).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn mariadb() {
                super::$test($crate::Kind::MariaDb).await;
            }
        }
    )+};
}
