//! The command line, which is also what an event says.

use clap::{Parser, Subcommand};

/// Keeps the vectors of memos in step with the database.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Apply what is due, until nothing is left
    Run,
    /// Print how much is waiting, and why, as JSON
    Status,
}
