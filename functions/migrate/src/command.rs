//! The command line, which is also the form of the event of the function.
#![expect(rustdoc::bare_urls, clippy::doc_markdown, reason = "clap prints these comments as they are")]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::{Map, Value};
use shared::config::Variables;

use crate::failure::Phase;

/// Brings a database to the schema of this version, and moves the data of an old install, which keeps
/// everything in LanceDB, into it.
///
/// Each option is also an environment variable, named beside it; an option wins. The function takes the same
/// as an event: {"command": "run", "backup": "s3://bucket/backups", "duplicate-emails": "oldest-keeps"}.
#[derive(Debug, Parser)]
#[command(name = "migrate", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create or update the tables of the database; no data is moved.
    Schema(Settings),
    /// Look at the old install and print what would be migrated, and every problem; changes nothing.
    Check(Settings),
    /// Migrate: check, schema, backup, vectors, then all rows in one transaction that is verified before it
    /// is committed. After a failure the database is as before.
    Run {
        /// Where from, where to, and how.
        #[command(flatten)]
        settings: Settings,
        /// Run one phase only: for installs that need more than the fifteen minutes of one invocation.
        #[arg(long, value_enum)]
        phase: Option<Step>,
    },
    /// Compare the old install, the database and the record of the migration; changes nothing.
    Verify(Settings),
    /// Print how far this installation is.
    Status(Settings),
    /// Move the files of attachments and avatars from where they are into the configured storage
    /// (ATTACHMENT_STORAGE_TYPE and its settings). Each is read back and compared before its row points to the
    /// new place; the old files stay. Safe to stop, and to run again.
    Attachments {
        /// The database.
        #[command(flatten)]
        settings: Settings,
        /// The directory of the old install's local files, if it is not ATTACHMENT_LOCAL_PATH.
        #[arg(long, value_name = "DIRECTORY")]
        from: Option<PathBuf>,
    },
    /// Make the LanceDB tables of a backup again, in an empty place.
    Restore {
        /// Where to, and how to reach S3.
        #[command(flatten)]
        settings: Settings,
        /// The folder of the backup: what `run` reported as its backup.
        #[arg(long, value_name = "URI")]
        from: String,
        /// The directory or s3:// prefix that gets the tables.
        #[arg(long, value_name = "URI")]
        into: String,
    },
}

/// A phase that can be run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// The backup of the old tables.
    Backup,
    /// The copy of vectors and caches.
    Vectors,
    /// The load, with a backup that exists.
    Load,
}

impl From<Step> for Phase {
    fn from(step: Step) -> Self {
        match step {
            Step::Backup => Self::Backup,
            Step::Vectors => Self::Vectors,
            Step::Load => Self::Load,
        }
    }
}

/// The options that name an environment variable.
macro_rules! options {
    ($($(#[doc = $help:literal])+ $field:ident $long:literal $value:literal = $variable:literal;)*) => {
        /// Where from, where to, and how.
        #[derive(Debug, Default, Args)]
        pub struct Settings {
            $(
                #[arg(long = $long, value_name = $value, help = concat!($($help,)+ " [", $variable, "]").trim_start())]
                $field: Option<String>,
            )*
            /// Migrate without a backup. [MIGRATION_SKIP_BACKUP=true]
            #[arg(long)]
            skip_backup: bool,
            /// Migrate although the old install has moved on to MySQL. [MIGRATION_ALLOW_STALE_SOURCE=true]
            #[arg(long)]
            allow_stale_source: bool,
        }

        impl Settings {
            /// Puts the options that were given over the variables.
            pub fn apply(&self, variables: &mut Variables) {
                $(if let Some(value) = &self.$field {
                    variables.set($variable, value.clone());
                })*
                if self.skip_backup {
                    variables.set("MIGRATION_SKIP_BACKUP", "true".to_owned());
                }
                if self.allow_stale_source {
                    variables.set("MIGRATION_ALLOW_STALE_SOURCE", "true".to_owned());
                }
            }
        }
    };
}

options! {
    /// The LanceDB of the old install: a directory or s3://bucket/prefix.
    source "source" "URI" = "MIGRATION_SOURCE_LANCEDB_URI";
    /// The database: postgres://…, mysql://… or sqlite:….
    database_url "database-url" "URL" = "DATABASE_URL";
    /// Where vectors and caches live afterwards; default: the source itself.
    vectors "vectors" "URI" = "LANCEDB_URI";
    /// Where the backup goes: a directory or s3://bucket/prefix.
    backup "backup" "URI" = "BACKUP_URI";
    /// Users with one e-mail: refuse, or oldest-keeps (the others keep all but the e-mail).
    duplicate_emails "duplicate-emails" "refuse|oldest-keeps" = "MIGRATION_DUPLICATE_EMAILS";
    /// Tag names in memos of the first versions: restore makes tags of them, report lists them.
    legacy_tag_names "legacy-tag-names" "restore|report" = "MIGRATION_LEGACY_TAG_NAMES";
    /// Attachment properties that are no JSON object: refuse, or null drops them.
    invalid_properties "invalid-properties" "refuse|null" = "MIGRATION_INVALID_PROPERTIES";
}

impl Command {
    /// Returns the options.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        match self {
            Self::Schema(settings)
            | Self::Check(settings)
            | Self::Verify(settings)
            | Self::Status(settings)
            | Self::Run { settings, .. }
            | Self::Attachments { settings, .. }
            | Self::Restore { settings, .. } => settings,
        }
    }
}

impl Cli {
    /// Reads the event of the function: `command`, and the options by their long names. A text is the value
    /// of an option, `true` gives one that has none.
    ///
    /// # Errors
    /// The event has another form; the message shows the usage.
    pub fn of_event(event: &Map<String, Value>) -> Result<Self, String> {
        let command = event.get("command").and_then(Value::as_str).ok_or("the event has no \"command\"")?;
        let mut arguments = vec!["migrate".to_owned(), command.to_owned()];
        for (name, value) in event.iter().filter(|(name, _)| *name != "command") {
            match value {
                Value::String(text) => arguments.push(format!("--{name}={text}")),
                Value::Bool(true) => arguments.push(format!("--{name}")),
                Value::Bool(false) | Value::Null => {}
                _ => return Err(format!("\"{name}\" must be a text or true")),
            }
        }
        Self::try_parse_from(arguments).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_event(event: &Value) -> Result<Cli, String> {
        Cli::of_event(event.as_object().expect("an object"))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;

        Cli::command().debug_assert();
    }

    #[test]
    fn an_event_means_what_the_command_line_means() {
        let event =
            serde_json::json!({"command": "run", "source": "s3://b/p", "skip-backup": true, "phase": "load"});
        let cli = of_event(&event).unwrap();
        let Command::Run { settings, phase } = &cli.command else { panic!("{cli:?}") };
        assert_eq!(*phase, Some(Step::Load));
        let mut variables: Variables = [("DATABASE_URL".to_owned(), "sqlite:x".to_owned())].into_iter().collect();
        settings.apply(&mut variables);
        assert_eq!(variables.get("MIGRATION_SOURCE_LANCEDB_URI"), Some("s3://b/p"));
        assert_eq!(variables.get("MIGRATION_SKIP_BACKUP"), Some("true"));
        assert_eq!(variables.get("DATABASE_URL"), Some("sqlite:x"));
    }

    #[test]
    fn an_event_that_says_something_else_is_refused() {
        for event in [
            serde_json::json!({}),
            serde_json::json!({"command": "drop"}),
            serde_json::json!({"command": "run", "backup": 1}),
            serde_json::json!({"command": "run", "unknown": "x"}),
        ] {
            assert!(of_event(&event).is_err(), "{event}");
        }
    }
}
