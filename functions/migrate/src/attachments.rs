//! `migrate attachments`: the files follow their rows (`docs/MIGRATING.md`).

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use shared::{
    Context,
    clock::{Clock, SystemClock},
    config::{Migration, Variables, read_files},
    db::Database,
    ids::SystemRandom,
    services::{
        attachment_moves::{self, Options, Report},
        files::Files,
    },
};

use crate::{
    failure::{Failure, chain},
    load::Deadline,
    observer::{Event, Observer, Verb},
};

/// What is left of the time of a function when it stops.
const RESERVE: Duration = Duration::from_secs(30);

/// Moves all files into the configured storage.
///
/// # Errors
/// The settings are wrong, or the database fails.
pub async fn run(
    config: &Migration,
    variables: Variables,
    from: Option<PathBuf>,
    observer: &dyn Observer,
    deadline: Deadline,
) -> Result<Report, Failure> {
    let refused = |problem: String| Failure::Refused(problem);
    let settings = read_files(config.runtime, variables).map_err(|problems| refused(problems.to_string()))?;
    let context = Context {
        db: Database::open(&config.database).map_err(refused)?,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        zone: jiff::tz::TimeZone::UTC,
        // Nothing here makes the URLs of local files, which the secret is for.
        files: Files::new("", settings),
    };
    let left =
        deadline.0.map(|deadline| deadline.saturating_duration_since(Instant::now()).saturating_sub(RESERVE));
    let left = left.map(|left| i64::try_from(left.as_millis()).unwrap_or(i64::MAX));
    let options =
        Options { local_source: from, deadline: left.map(|left| SystemClock.now().saturating_add(left)) };
    let begun = Instant::now();
    let progress = |report: &Report| {
        let (done, total) = (report.done(), report.total);
        observer.hear(Event::Progress { verb: Verb::Copy, table: "files", done, total });
    };
    let report = attachment_moves::run(&context, &options, &progress).await;
    let report = report.map_err(|error| refused(chain(&error)))?;
    observer.hear(Event::Finished {
        verb: Verb::Copy,
        table: "files",
        rows: report.moved,
        skipped: report.there,
        orphans: report.failed,
        milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(report)
}
