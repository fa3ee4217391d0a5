//! What a migration tells while it works, and what may stop it.

use futures::future::{BoxFuture, FutureExt};
use shared::db::Executor;

use crate::failure::{Cause, Phase};

/// Something that a person or a log wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A phase begins.
    Phase(Phase),
    /// Work on a table begins.
    Started {
        /// What is done, such as `Migrating`.
        verb: Verb,
        /// The table.
        table: &'a str,
        /// How many rows it has.
        total: u64,
    },
    /// Some rows of a table are done.
    Progress {
        /// What is done.
        verb: Verb,
        /// The table.
        table: &'a str,
        /// How many rows are done.
        done: u64,
        /// How many rows it has.
        total: u64,
    },
    /// A table is done.
    Finished {
        /// What was done.
        verb: Verb,
        /// The table.
        table: &'a str,
        /// How many rows were stored.
        rows: u64,
        /// How many were left out.
        skipped: u64,
        /// How many refer to something that does not exist.
        orphans: u64,
        /// How long it took.
        milliseconds: u64,
    },
    /// Something that a person should look at.
    Warning(&'a str),
}

/// What is done to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It is looked at.
    Check,
    /// Its rows become those of the product, which are not kept.
    Map,
    /// It is backed up.
    BackUp,
    /// It is copied within LanceDB.
    Copy,
    /// It is loaded into the database.
    Migrate,
    /// It is read back and compared.
    Verify,
}

impl Verb {
    /// Returns the verb as it stands before a table that is being worked on.
    #[must_use]
    pub fn present(self) -> &'static str {
        match self {
            Self::Check => "Checking",
            Self::Map => "Mapping",
            Self::BackUp => "Backing up",
            Self::Copy => "Copying",
            Self::Migrate => "Migrating",
            Self::Verify => "Verifying",
        }
    }

    /// Returns the verb as it stands before rows that are done.
    #[must_use]
    pub fn past(self) -> &'static str {
        match self {
            Self::Check => "Checked",
            Self::Map => "Mapped",
            Self::BackUp => "Backed up",
            Self::Copy => "Copied",
            Self::Migrate => "Migrated",
            Self::Verify => "Verified",
        }
    }
}

/// Where a migration asks whether it may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint {
    /// A phase is about to begin.
    Begin(Phase),
    /// A statement of the load was run.
    Statement,
    /// Everything is stored, nothing verified.
    Loaded,
    /// Everything is verified; the next step is COMMIT.
    Verified,
    /// The transaction was committed.
    Committed,
}

/// Somebody who watches a migration and may stop it.
pub trait Observer: Sync {
    /// Hears of an event.
    fn hear(&self, event: Event<'_>);

    /// Says whether to go on; an error stops the migration with everything rolled back. `transaction` is that
    /// of the load, where there is one.
    fn may_go_on<'a>(
        &'a self,
        checkpoint: Checkpoint,
        transaction: Option<&'a Executor>,
    ) -> BoxFuture<'a, Result<(), Cause>> {
        let _ = (checkpoint, transaction);
        std::future::ready(Ok(())).boxed()
    }
}
