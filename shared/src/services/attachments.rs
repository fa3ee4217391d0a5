//! Attachments (`contract/attachments.md`).
//!
//! An upload writes the object and then the row; a deletion deletes the row and then the object. What a failure
//! leaves in between is removed by [`pending_files`](super::pending_files).

use std::collections::HashMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::{
    files::{extension, folder, location_of},
    media_types, pending_files,
};
use crate::{
    Context, Error, Result,
    clients::storage::{self, ByteRange, Content, Location},
    clock::Millis,
    db::Executor,
    dto::{
        PageRequest,
        attachments::{Attachment, AttachmentPage, Details, UploadedFile},
    },
    error::Code,
    ids::{AttachmentId, Uid},
    repositories::{
        self,
        attachments::AttachmentRecord,
        pending_files::{PendingFile, Reservation},
    },
};

/// The most bytes of the properties of a file, as JSON.
const MAX_PROPERTIES: usize = 64 * 1024;

/// The longest media type (`contract/attachments.md` section 1).
const MAX_TYPE: usize = 255;

/// The longest extension of a stored file.
const MAX_EXTENSION: usize = 16;

/// The most bytes that an answer carries when a bucket can send them instead: what API Gateway lets through.
const MAX_INLINE: i64 = 4 * 1024 * 1024;

/// What `encodeURIComponent` leaves alone, and what the name in `filename*` may hold of that.
const COMPONENT: &AsciiSet = &NAME.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Refuses what no upload may be, before anything is stored or signed.
///
/// # Errors
/// Code 4000 for the size, 4001 for the media type, 2 for too many properties.
pub(super) fn check(ctx: &Context, file: &Reservation) -> Result<()> {
    let settings = ctx.files.settings();
    if file.size > settings.max_size {
        return Err(Code::FileTooLarge.into());
    }
    let media_type = &file.media_type;
    if media_types::is_blocked(media_type, &settings.blocked_types) {
        let message = format!("File type {media_type} is not allowed due to security restrictions");
        return Err(Error::Refused { code: Code::UnsupportedFileType, message: Some(message.into()) });
    }
    if media_type.chars().count() > MAX_TYPE {
        return Err(Code::UnsupportedFileType.into());
    }
    check_properties(&file.properties)
}

fn check_properties(properties: &Map<String, Value>) -> Result<()> {
    let fits = serde_json::to_vec(properties).is_ok_and(|text| text.len() <= MAX_PROPERTIES);
    if fits { Ok(()) } else { Err(Error::bad_params()) }
}

/// Returns the storage key of a file that is uploaded now: `{uid}/{YYYY-MM-DD}/{attachmentId}.{ext}`.
pub(super) fn path_of(ctx: &Context, uid: &Uid, id: &AttachmentId, filename: &str) -> String {
    let extension = extension(filename, MAX_EXTENSION).map(|extension| format!(".{extension}"));
    let folder = folder(uid.as_str(), &ctx.zone, ctx.now());
    format!("{folder}/{id}{}", extension.unwrap_or_default())
}

/// Returns the row of an object.
pub(super) fn record_of(ctx: &Context, file: &PendingFile, details: &Reservation) -> AttachmentRecord {
    let Location { storage, bucket, prefix, endpoint, region, is_public } = file.location.clone();
    let now = ctx.now();
    AttachmentRecord {
        attachment_id: file.file_id.clone(),
        uid: file.uid.clone(),
        filename: details.filename.clone(),
        media_type: details.media_type.clone(),
        size: i64::try_from(details.size).unwrap_or(i64::MAX),
        storage_type: storage.name().to_owned(),
        path: file.path.clone(),
        bucket,
        prefix,
        endpoint,
        region,
        is_public_bucket: is_public,
        properties: details.properties.clone(),
        created_at: details.created_at.unwrap_or(now),
        updated_at: now,
    }
}

/// Stores a file that has arrived.
///
/// # Errors
/// Code 4000 to 4003 and 2, see [`check`]; then neither file nor row are kept.
pub async fn upload(ctx: &Context, uid: &Uid, file: UploadedFile, details: Details) -> Result<Attachment> {
    let reservation = Reservation {
        filename: file.filename,
        media_type: media_types::declared(file.media_type.as_deref()),
        size: file.content.size(),
        properties: details.properties,
        created_at: details.created_at,
    };
    check(ctx, &reservation)?;
    let id = AttachmentId::new(&*ctx.random);
    let path = path_of(ctx, uid, &id, &reservation.filename);
    let planned = &pending_files::planned(ctx, uid, id, path)?;
    let record = &record_of(ctx, planned, &reservation);
    let stored = async {
        pending_files::write(ctx, planned, &file.content).await?;
        ctx.db
            .transaction(|tx| async move {
                repositories::attachments::create(&tx, record).await?;
                pending_files::refer(&tx, planned).await
            })
            .await
    };
    if let Err(error) = stored.await {
        pending_files::abandon(ctx, planned).await;
        return Err(error.or_not_stored());
    }
    Ok(present(ctx, record.clone(), ctx.now()))
}

/// Returns a page of the attachments of a user, the newest first.
///
/// # Errors
/// The database fails.
pub async fn list(ctx: &Context, uid: &Uid, page: PageRequest) -> Result<AttachmentPage> {
    let total = repositories::attachments::count(&ctx.db, uid).await?;
    let records = if page.offset() < total {
        repositories::attachments::find_page(&ctx.db, uid, page).await?
    } else {
        Vec::new()
    };
    let now = ctx.now();
    let items = records.into_iter().map(|record| present(ctx, record, now)).collect();
    Ok(AttachmentPage { items, total, page: page.page, limit: page.limit })
}

async fn find(ctx: &Context, uid: &Uid, id: &AttachmentId) -> Result<AttachmentRecord> {
    let record = repositories::attachments::find_by_id(&ctx.db, uid, id).await?;
    record.ok_or(Code::AttachmentNotFound.into())
}

/// Returns an attachment.
///
/// # Errors
/// Code 4002 when the user has no such attachment.
pub async fn get(ctx: &Context, uid: &Uid, id: &AttachmentId) -> Result<Attachment> {
    Ok(present(ctx, find(ctx, uid, id).await?, ctx.now()))
}

/// Deletes an attachment: the row, and then the object. An object that cannot be deleted now is deleted later.
///
/// # Errors
/// Code 4002 when the user has no such attachment.
pub async fn delete(ctx: &Context, uid: &Uid, id: &AttachmentId) -> Result<()> {
    let now = ctx.now();
    let deleted = ctx.db.transaction(|tx| async move {
        let record = repositories::attachments::find_by_id_for_update(&tx, uid, id).await?;
        let record = record.ok_or(Error::from(Code::AttachmentNotFound))?;
        repositories::attachments::delete(&tx, uid, id).await?;
        // Nobody can say where the file of an incomplete row is.
        let Ok(location) = location_of(&record) else { return Ok(None) };
        let file = PendingFile {
            file_id: id.clone(),
            uid: uid.clone(),
            path: record.path,
            location,
            attachment: None,
            collect_after: now,
        };
        repositories::pending_files::create(&tx, &file).await?;
        Ok::<_, Error>(Some(file))
    });
    if let Some(file) = deleted.await? {
        pending_files::remove(ctx, &file, now).await;
    }
    Ok(())
}

/// Adds properties to those of an attachment, replacing those of the same names.
///
/// # Errors
/// Code 4002 when the user has no such attachment, 2 when there would be too many.
pub async fn update_properties(
    ctx: &Context,
    uid: &Uid,
    id: &AttachmentId,
    properties: &Map<String, Value>,
) -> Result<Attachment> {
    let now = ctx.now();
    let updated = ctx.db.transaction(|tx| async move {
        let record = repositories::attachments::find_by_id_for_update(&tx, uid, id).await?;
        let mut record = record.ok_or(Error::from(Code::AttachmentNotFound))?;
        if !properties.is_empty() {
            record.properties.extend(properties.clone());
            check_properties(&record.properties)?;
            repositories::attachments::update_properties(&tx, uid, id, &record.properties, now).await?;
        }
        Ok::<_, Error>(record)
    });
    Ok(present(ctx, updated.await?, now))
}

/// How the bytes of an attachment reach the client.
pub enum Download {
    /// From the bucket, at a URL that lives for a short time.
    Redirect(String),
    /// From here.
    File {
        /// The declared media type.
        media_type: String,
        /// The header that gives the file its name.
        disposition: String,
        /// The size in bytes.
        size: u64,
        /// The store that holds the bytes, and their path there.
        object: StoredObject,
    },
}

/// An object that is known to be wanted, and not opened.
pub struct StoredObject {
    location: Location,
    path: String,
}

impl StoredObject {
    /// Opens the object or a part of it.
    ///
    /// # Errors
    /// The store fails; code 4002 when it has no such object.
    pub async fn open(&self, ctx: &Context, range: Option<ByteRange>) -> Result<Content> {
        let content = ctx.files.store(&self.location)?.get(&self.path, range).await?;
        content.ok_or(Code::AttachmentNotFound.into())
    }
}

/// Returns how the bytes of an attachment reach the client.
///
/// # Errors
/// Code 4002 when the user has no such attachment, or its object is gone.
pub async fn download(ctx: &Context, uid: &Uid, id: &AttachmentId) -> Result<Download> {
    let record = find(ctx, uid, id).await?;
    let disposition = disposition(&record.filename);
    if record.size > MAX_INLINE
        && let Some(url) = ctx.files.download_url(&record, &disposition, ctx.now())?
    {
        return Ok(Download::Redirect(url));
    }
    let object = StoredObject { location: location_of(&record)?, path: record.path };
    let size = size_of(ctx, &object).await?;
    Ok(Download::File { media_type: record.media_type, disposition, size, object })
}

/// The object decides how many bytes are sent: rows of old installs may say something else.
async fn size_of(ctx: &Context, object: &StoredObject) -> Result<u64> {
    let metadata = ctx.files.store(&object.location)?.metadata(&object.path).await?;
    Ok(metadata.ok_or(Error::from(Code::AttachmentNotFound))?.size)
}

/// Returns the header that makes a browser save a file under its name.
fn disposition(filename: &str) -> String {
    let (plain, extended) = (utf8_percent_encode(filename, COMPONENT), utf8_percent_encode(filename, NAME));
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{extended}")
}

/// A local file that is read through its signed URL.
pub struct LocalFile {
    /// What it is served as.
    pub presentation: storage::Presentation,
    /// The size in bytes.
    pub size: u64,
    /// The bytes.
    pub object: StoredObject,
}

/// Returns the local file of a signed URL.
///
/// # Errors
/// Code 4002 when the signature is wrong or expired, or there is no such file.
pub async fn local_file(ctx: &Context, path: &str, expires: &str, signature: &str) -> Result<LocalFile> {
    let expires = expires.parse().map_err(|_| Error::from(Code::AttachmentNotFound))?;
    if !ctx.files.may_read(path, expires, signature, ctx.now()) {
        return Err(Code::AttachmentNotFound.into());
    }
    let object = StoredObject { location: Location::local(), path: path.to_owned() };
    let size = size_of(ctx, &object).await?;
    Ok(LocalFile { presentation: media_types::presentation(path), size, object })
}

/// Returns the user's attachments among the given ids, by id, in one statement.
///
/// # Errors
/// The database fails.
pub async fn find_by_ids(
    ctx: &Context,
    db: &Executor,
    uid: &Uid,
    ids: &[AttachmentId],
) -> Result<HashMap<AttachmentId, Attachment>> {
    let now = ctx.now();
    let records = repositories::attachments::find_by_ids(db, uid, ids).await?;
    let attachments = records.into_iter().map(|record| present(ctx, record, now));
    Ok(attachments.map(|attachment| (attachment.attachment_id.clone(), attachment)).collect())
}

pub(super) fn present(ctx: &Context, record: AttachmentRecord, now: Millis) -> Attachment {
    let cover = record.properties.get("coverUrl").and_then(|cover| cover.as_str());
    Attachment {
        url: ctx.files.attachment_url(&record, now),
        cover_url: cover.map(str::to_owned),
        attachment_id: record.attachment_id,
        filename: record.filename,
        media_type: record.media_type,
        size: record.size,
        created_at: record.created_at,
        properties: record.properties,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_as_browsers_expect() {
        assert_eq!(
            disposition("a'(1)*! 读.txt"),
            "attachment; filename=\"a'(1)*!%20%E8%AF%BB.txt\"; \
             filename*=UTF-8''a%27%281%29%2A%21%20%E8%AF%BB.txt"
        );
        assert!(disposition("a\"b\r\nc").starts_with("attachment; filename=\"a%22b%0D%0Ac\";"));
    }
}
