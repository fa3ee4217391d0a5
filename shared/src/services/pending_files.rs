//! Objects that nothing refers to, and their removal (`docs/decisions/0006-pending-files.md`).
//!
//! An object is noted before it is written, and before the last reference to it goes. The note goes in the
//! transaction that makes the reference, or after the object. Whatever fails in between, and whenever the
//! process is killed, [`collect`] finds the note and removes what nothing refers to.

use serde::Serialize;

use super::media_types::presentation;
use crate::{
    Context, Result,
    clients::storage::{self, INCOMING, LocalStore, Location, Spool, StorageType},
    clock::Millis,
    db::Executor,
    dto::Patch,
    ids::{AttachmentId, Uid},
    repositories::{self, pending_files::PendingFile},
};

/// How long an object may exist before something refers to it. Every upload has ended by then.
pub(super) const GRACE: Millis = 24 * 3600 * 1000;

/// How long a removal that failed waits for the next attempt.
const RETRY: Millis = 3600 * 1000;

/// How many objects are looked up at once.
const BATCH: u64 = 100;

/// Returns the note of an object that is about to be written.
pub(super) fn planned(ctx: &Context, uid: &Uid, id: AttachmentId, path: String) -> Result<PendingFile> {
    let location = ctx.files.current()?.clone();
    let collect_after = ctx.now() + GRACE;
    Ok(PendingFile { file_id: id, uid: uid.clone(), path, location, attachment: None, collect_after })
}

/// Notes an object and writes it.
pub(super) async fn write(ctx: &Context, file: &PendingFile, content: &Spool) -> Result<()> {
    let store = ctx.files.store(&file.location)?;
    repositories::pending_files::create(&ctx.db, file).await?;
    Ok(store.put(&file.path, content, presentation(&file.path)).await?)
}

/// Forgets an object, in the transaction that refers to it.
pub(super) async fn refer(tx: &Executor, file: &PendingFile) -> Result<()> {
    repositories::pending_files::delete(tx, &file.uid, &file.file_id, Millis::MAX).await?;
    Ok(())
}

/// Removes an object to which nothing came to refer. A note that is gone means that something did, although the
/// transaction seemed to fail.
pub(super) async fn abandon(ctx: &Context, file: &PendingFile) {
    match repositories::pending_files::find_by_id(&ctx.db, &file.uid, &file.file_id).await {
        Ok(Some(_)) => remove(ctx, file, Millis::MAX).await,
        Ok(None) => {}
        Err(error) => tracing::warn!(error = %error, "files.abandoned"),
    }
}

/// Removes an object and its note if that may go by `until`. What fails is left to [`collect`].
pub(super) async fn remove(ctx: &Context, file: &PendingFile, until: Millis) {
    if let Err(error) = try_to_remove(ctx, file, until).await {
        tracing::warn!(error = %error, file = %file.file_id, "files.not_removed");
    }
}

async fn try_to_remove(ctx: &Context, file: &PendingFile, until: Millis) -> Result<()> {
    ctx.files.store(&file.location)?.delete(&file.path).await?;
    repositories::pending_files::delete(&ctx.db, &file.uid, &file.file_id, until).await?;
    Ok(())
}

/// What a collection did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Objects that were removed.
    pub removed: u64,
    /// Objects that something refers to.
    pub kept: u64,
    /// Objects that could not be removed; the next collection tries again.
    pub failed: u64,
    /// Uploads that a killed process has left on the disk.
    pub abandoned: u64,
}

/// Removes all objects that have waited long enough and that nothing refers to.
///
/// # Errors
/// The database fails.
pub async fn collect(ctx: &Context) -> Result<Report> {
    let now = ctx.now();
    let mut report = Report::default();
    loop {
        let due = repositories::pending_files::find_due(&ctx.db, now, BATCH).await?;
        if due.is_empty() {
            break;
        }
        for file in due {
            if is_referred_to(ctx, &file).await? {
                repositories::pending_files::delete(&ctx.db, &file.uid, &file.file_id, now).await?;
                report.kept += 1;
            } else if let Err(error) = try_to_remove(ctx, &file, now).await {
                tracing::warn!(error = %error, file = %file.file_id, "files.not_removed");
                repositories::pending_files::update_time(&ctx.db, &file.uid, &file.file_id, now + RETRY).await?;
                report.failed += 1;
            } else {
                report.removed += 1;
            }
        }
    }
    report.abandoned = remove_abandoned(ctx, now).await;
    let Report { removed, kept, failed, abandoned } = report;
    tracing::info!(removed, kept, failed, abandoned, "files.collected");
    Ok(report)
}

async fn is_referred_to(ctx: &Context, file: &PendingFile) -> Result<bool> {
    let PendingFile { uid, file_id, path, .. } = file;
    let attachment = repositories::attachments::find_by_id(&ctx.db, uid, file_id).await?;
    if attachment.is_some_and(|attachment| attachment.path == *path) {
        return Ok(true);
    }
    let avatar = repositories::users::find_avatar_for_update(&ctx.db, uid).await?;
    Ok(avatar.flatten().is_some_and(|avatar| avatar == *path))
}

/// Removes the files of uploads that ended with their process.
async fn remove_abandoned(ctx: &Context, now: Millis) -> u64 {
    let settings = ctx.files.settings();
    if settings.current.as_ref().is_none_or(|location| location.storage != StorageType::Local) {
        return 0;
    }
    let removed = LocalStore::new(&settings.local_root).remove_abandoned(now - GRACE).await;
    removed.unwrap_or_else(|error: storage::Error| {
        tracing::warn!(error = %error, directory = INCOMING, "files.not_removed");
        0
    })
}

/// Changes the avatar of a user inside a transaction and notes the object of the one before, if it was the
/// user's own. Returns that note; the outer `None` means that there is no such user.
pub(super) async fn replace_avatar(
    ctx: &Context,
    tx: &Executor,
    uid: &Uid,
    nickname: &Patch<String>,
    avatar: &Patch<String>,
    collect_after: Millis,
) -> Result<Option<Option<PendingFile>>> {
    let Some(before) = repositories::users::find_avatar_for_update(tx, uid).await? else { return Ok(None) };
    repositories::users::update(tx, uid, nickname, avatar, ctx.now()).await?;
    let after = avatar.clone().apply(before.clone());
    let location = ctx.files.settings().current.clone();
    let (Some(path), Some(location)) = (before.filter(|path| after.as_ref() != Some(path)), location) else {
        return Ok(Some(None));
    };
    let Some(path) = super::avatars::own_key(&path, uid, &location) else { return Ok(Some(None)) };
    let file = old_avatar(ctx, uid, path, location, collect_after);
    repositories::pending_files::create(tx, &file).await?;
    Ok(Some(Some(file)))
}

fn old_avatar(ctx: &Context, uid: &Uid, path: String, location: Location, collect_after: Millis) -> PendingFile {
    let file_id = AttachmentId::new(&*ctx.random);
    PendingFile { file_id, uid: uid.clone(), path, location, attachment: None, collect_after }
}
