//! Moves the files of an old install, or of a setting that has changed, into the configured storage
//! (`docs/MIGRATING.md`).
//!
//! A file is read from the place that its row names, written under the same path, read back and compared, and
//! only then the row points to the new place. So a run can be killed and run again at any time, and the old
//! files stay. Avatars have no row that names a place: they are looked for wherever attachments are, first, as
//! long as the rows still say where that is.

use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{avatars::own_key, files::location_of, media_types::presentation};
use crate::{
    Context, Error, Result,
    clients::storage::{self, LocalStore, Location, ObjectStore, Spool, StorageType},
    clock::Millis,
    ids::Uid,
    repositories::{self, attachments::AttachmentRecord},
};

/// How many rows are read at once, and how many files are moved at once.
const BATCH: u64 = 200;
const AT_ONCE: usize = 4;

/// How many failures are told one by one.
const MAX_FAILURES: usize = 1000;

/// How a move differs from the settings.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The directory of the local files of the old install, if it is not the configured one.
    pub local_source: Option<PathBuf>,
    /// When to stop, to go on in another run.
    pub deadline: Option<Millis>,
}

/// A file that was not moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The id of the attachment, or of the user whose avatar it is.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// How far a move is, and what it did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many files there are.
    pub total: u64,
    /// Files that were copied, compared, and are used from their new place now.
    pub moved: u64,
    /// The bytes of these files.
    pub bytes: u64,
    /// Files that were there before.
    pub there: u64,
    /// Files that were not moved.
    pub failed: u64,
    /// Why; the first thousand of them.
    pub failures: Vec<Failure>,
    /// Whether every file was looked at.
    pub complete: bool,
}

/// What became of a file.
enum Outcome {
    Moved(u64),
    There,
    Failed(Failure),
}

impl Report {
    /// Returns how many files were looked at.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.moved + self.there + self.failed
    }

    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Moved(bytes) => {
                self.moved += 1;
                self.bytes += bytes;
            }
            Outcome::There => self.there += 1,
            Outcome::Failed(failure) => {
                tracing::warn!(id = failure.id, reason = failure.reason, "files.not_moved");
                self.failed += 1;
                if self.failures.len() < MAX_FAILURES {
                    self.failures.push(failure);
                }
            }
        }
    }
}

/// Moves all avatars and attachments, and tells `progress` how far it is after every file.
///
/// # Errors
/// The database fails, or no storage is configured. A file that fails is reported, and the others go on.
pub async fn run(ctx: &Context, options: &Options, progress: &(dyn Fn(&Report) + Sync)) -> Result<Report> {
    let mover = Mover { ctx, options, target: ctx.files.current()? };
    let (places, total) = mover.survey().await?;
    let mut report = Report { total, ..Report::default() };
    let in_time = mover.move_avatars(&places, &mut report, progress).await?;
    report.complete = in_time && mover.move_attachments(&mut report, progress).await?;
    let Report { moved, bytes, there, failed, complete, .. } = report;
    tracing::info!(moved, bytes, there, failed, complete, "files.moved");
    Ok(report)
}

struct Mover<'a> {
    ctx: &'a Context,
    options: &'a Options,
    target: &'a Location,
}

impl Mover<'_> {
    fn is_late(&self) -> bool {
        self.options.deadline.is_some_and(|deadline| self.ctx.now() >= deadline)
    }

    /// Opens the place of old files.
    fn source(&self, location: &Location) -> storage::Result<std::sync::Arc<dyn ObjectStore>> {
        match &self.options.local_source {
            Some(directory) if location.storage == StorageType::Local => {
                Ok(std::sync::Arc::new(LocalStore::new(directory)))
            }
            _ => self.ctx.files.store(location),
        }
    }

    /// Reports whether files of a location are where they shall be.
    fn is_target(&self, location: &Location) -> bool {
        let is_elsewhere = || {
            let settings = self.ctx.files.settings();
            self.options.local_source.as_deref().is_some_and(|directory| !is_same(directory, &settings.local_root))
        };
        match location.storage {
            StorageType::Local => self.target.storage == StorageType::Local && !is_elsewhere(),
            StorageType::S3 | StorageType::Oss => {
                Location { is_public: None, ..location.clone() }
                    == Location { is_public: None, ..self.target.clone() }
            }
        }
    }

    async fn move_attachments(&self, report: &mut Report, progress: &(dyn Fn(&Report) + Sync)) -> Result<bool> {
        let mut after = String::new();
        loop {
            if self.is_late() {
                return Ok(false);
            }
            let records = repositories::attachments::find_all_after(&self.ctx.db, &after, BATCH).await?;
            let Some(last) = records.last() else { return Ok(true) };
            last.attachment_id.as_str().clone_into(&mut after);
            let mut outcomes = stream::iter(records).map(|record| self.move_attachment(record)).buffered(AT_ONCE);
            while let Some(outcome) = outcomes.next().await {
                report.add(outcome?);
                progress(report);
            }
        }
    }

    async fn move_attachment(&self, record: AttachmentRecord) -> Result<Outcome> {
        match self.try_to_move(&record).await {
            Ok(outcome) => Ok(outcome),
            Err(Error::Storage(error)) => Ok(failed(record.attachment_id.as_str(), &error)),
            Err(error) => Err(error),
        }
    }

    async fn try_to_move(&self, record: &AttachmentRecord) -> Result<Outcome> {
        let location = location_of(record)?;
        if self.is_target(&location) {
            return Ok(Outcome::There);
        }
        let id = record.attachment_id.as_str();
        let Some(size) = self.copy(&location, &record.path, u64::try_from(record.size).ok()).await? else {
            return Ok(reported(id, "there is no such file"));
        };
        let (uid, target) = (&record.uid, self.target);
        if repositories::attachments::update_location(&self.ctx.db, uid, &record.attachment_id, target).await? {
            return Ok(Outcome::Moved(size));
        }
        // Deleted meanwhile, from its old place.
        self.ctx.files.store(target)?.delete(&record.path).await?;
        Ok(Outcome::There)
    }

    /// Returns the next avatars that are files, and behind which user the others are.
    async fn avatars_after(&self, after: &str) -> Result<Option<(Vec<(Uid, String)>, String)>> {
        let mut avatars = repositories::users::find_avatars_after(&self.ctx.db, after, BATCH).await?;
        let Some(last) = avatars.last().map(|(uid, _)| uid.to_string()) else { return Ok(None) };
        // A picture elsewhere stays elsewhere.
        avatars.retain(|(uid, avatar)| !avatar.starts_with("http") && own_key(avatar, uid, self.target).is_some());
        Ok(Some((avatars, last)))
    }

    async fn move_avatars(
        &self,
        places: &[Location],
        report: &mut Report,
        progress: &(dyn Fn(&Report) + Sync),
    ) -> Result<bool> {
        let mut after = String::new();
        while let Some((avatars, last)) = self.avatars_after(&after).await? {
            after = last;
            for (uid, avatar) in avatars {
                if self.is_late() {
                    return Ok(false);
                }
                report.add(self.move_avatar(places, &uid, &avatar).await);
                progress(report);
            }
        }
        Ok(true)
    }

    async fn move_avatar(&self, places: &[Location], uid: &Uid, path: &str) -> Outcome {
        let is_there = async { self.ctx.files.store(self.target)?.exists(path).await };
        match is_there.await {
            Ok(true) => return Outcome::There,
            Ok(false) => {}
            Err(error) => return failed(uid.as_str(), &error),
        }
        let mut problem = None;
        for place in places {
            match self.copy(place, path, None).await {
                Ok(Some(size)) => return Outcome::Moved(size),
                Ok(None) => {}
                // Another place may have it.
                Err(error) => problem = Some(failed(uid.as_str(), &error)),
            }
        }
        problem.unwrap_or_else(|| reported(uid.as_str(), "there is no such avatar"))
    }

    /// Returns all places where files are that shall be elsewhere, and how many files there are.
    async fn survey(&self) -> Result<(Vec<Location>, u64)> {
        let mut places = vec![Location::local()];
        let mut total = 0;
        let mut after = String::new();
        loop {
            let records = repositories::attachments::find_all_after(&self.ctx.db, &after, BATCH).await?;
            let Some(last) = records.last() else { break };
            last.attachment_id.as_str().clone_into(&mut after);
            total += records.len() as u64;
            for location in records.iter().filter_map(|record| location_of(record).ok()) {
                if !places.contains(&location) {
                    places.push(location);
                }
            }
        }
        places.retain(|place| !self.is_target(place));
        let mut after = String::new();
        while let Some((avatars, last)) = self.avatars_after(&after).await? {
            after = last;
            total += avatars.len() as u64;
        }
        Ok((places, total))
    }

    /// Copies an object to the target, unless it is there, and compares. Returns its size; `None` when there is
    /// no such object.
    async fn copy(&self, from: &Location, path: &str, size: Option<u64>) -> storage::Result<Option<u64>> {
        let source = self.source(from)?;
        let Some(mut content) = source.get(path, None).await? else { return Ok(None) };
        let settings = self.ctx.files.settings();
        let mut spool = Spool::create(&settings.spool_directory(), &*self.ctx.random).await?;
        let mut hash = Sha256::new();
        while let Some(bytes) = content.try_next().await.map_err(unreadable)? {
            hash.update(&bytes);
            spool.write(&bytes).await?;
        }
        spool.finish().await?;
        let (found, hash) = (spool.size(), hash.finalize());
        if size.is_some_and(|size| size != found) {
            return Err(different("the file has another size than its row says"));
        }
        let target = self.ctx.files.store(self.target)?;
        if digest_of(&*target, path).await?.is_none_or(|digest| digest != (found, hash.into())) {
            target.put(path, &spool, presentation(path)).await?;
            if digest_of(&*target, path).await? != Some((found, hash.into())) {
                return Err(different("what was written reads back differently"));
            }
        }
        Ok(Some(found))
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

/// Returns size and hash of an object.
async fn digest_of(store: &dyn ObjectStore, path: &str) -> storage::Result<Option<(u64, [u8; 32])>> {
    let Some(mut content) = store.get(path, None).await? else { return Ok(None) };
    let (mut size, mut hash) = (0, Sha256::new());
    while let Some(bytes) = content.try_next().await.map_err(unreadable)? {
        size += bytes.len() as u64;
        hash.update(&bytes);
    }
    Ok(Some((size, hash.finalize().into())))
}

fn unreadable(source: std::io::Error) -> storage::Error {
    storage::Error::Disk { operation: "reading", source }
}

fn different(problem: &str) -> storage::Error {
    storage::Error::Disk { operation: "comparing", source: std::io::Error::other(problem) }
}

fn failed(id: &str, error: &storage::Error) -> Outcome {
    use std::error::Error as _;

    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    reported(id, &format!("{error}{cause}"))
}

fn reported(id: &str, reason: &str) -> Outcome {
    Outcome::Failed(Failure { id: id.to_owned(), reason: reason.to_owned() })
}
