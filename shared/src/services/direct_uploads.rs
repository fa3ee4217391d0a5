//! Uploads that do not pass a function: the client gets a signed form, sends the file to the store by itself,
//! and says when it is done (`contract/attachments.md` section 6).
//!
//! What was announced waits in a note of [`pending_files`](super::pending_files). The note stays when the upload
//! is complete: the form can be used again until it expires, also after the attachment was deleted.

use super::{
    attachments::{check, path_of, present, record_of},
    files::{UploadForm, clean_name},
    media_types::{BINARY, declared, presentation},
    pending_files,
};
use crate::{
    Context, Error, Result,
    clients::storage::{Location, Spool},
    clock::Millis,
    dto::attachments::{Attachment, NewUpload, UploadTicket},
    error::Code,
    ids::{AttachmentId, Uid},
    repositories::{
        self,
        pending_files::{PendingFile, Reservation},
    },
};

/// How long a form can be used.
const LIFETIME: Millis = 3600 * 1000;

/// Reserves an attachment and returns the form with which the client sends it.
///
/// # Errors
/// As an upload through this server: codes 4000, 4001, 4003 and 2.
pub async fn reserve(ctx: &Context, uid: &Uid, upload: NewUpload) -> Result<UploadTicket> {
    let file = Reservation {
        filename: clean_name(&upload.filename),
        media_type: declared(upload.media_type.as_deref()),
        size: upload.size,
        properties: upload.details.properties,
        created_at: upload.details.created_at,
    };
    check(ctx, &file)?;
    let now = ctx.now();
    let expires_at = now + LIFETIME;
    let id = AttachmentId::new(&*ctx.random);
    let path = path_of(ctx, uid, &id, &file.filename);
    let size = file.size;
    let planned = PendingFile {
        attachment: Some(file),
        collect_after: expires_at + pending_files::GRACE,
        ..pending_files::planned(ctx, uid, id, path)?
    };
    let form = ctx.files.upload_form(&planned.location, &planned.path, size, expires_at, now)?;
    repositories::pending_files::create(&ctx.db, &planned)
        .await
        .map_err(|error| Error::from(error).or_not_stored())?;
    let UploadForm { url, fields } = form;
    let fields = fields.into_iter().map(|(name, value)| (name, value.into())).collect();
    Ok(UploadTicket { attachment_id: planned.file_id, url, fields, expires_at })
}

/// Makes an attachment of what the client has sent. Done twice it answers the same.
///
/// # Errors
/// Code 4002 when nothing was sent, the time is up, or the user has reserved no such attachment; 4000, 4001 or
/// 4004 when something else was sent than was announced: then it is removed, and can be sent again.
pub async fn complete(ctx: &Context, uid: &Uid, id: &AttachmentId) -> Result<Attachment> {
    if let Some(record) = repositories::attachments::find_by_id(&ctx.db, uid, id).await? {
        return Ok(present(ctx, record, ctx.now()));
    }
    let planned = repositories::pending_files::find_by_id(&ctx.db, uid, id).await?;
    let planned = planned.filter(|file| ctx.now() < file.collect_after - pending_files::GRACE);
    let planned = planned.ok_or(Error::from(Code::AttachmentNotFound))?;
    let announced = planned.attachment.as_ref().ok_or(Error::from(Code::AttachmentNotFound))?;
    check_object(ctx, &planned, announced).await?;
    let record = &record_of(ctx, &planned, announced);
    let completed = ctx.db.transaction(|tx| async move {
        // Somebody else may have completed it meanwhile.
        if let Some(record) = repositories::attachments::find_by_id(&tx, uid, id).await? {
            return Ok(record);
        }
        repositories::attachments::create(&tx, record).await?;
        Ok::<_, Error>(record.clone())
    });
    let record = completed.await.map_err(Error::or_not_stored)?;
    Ok(present(ctx, record, ctx.now()))
}

/// Compares the object with what was announced. A service that does not check its forms cannot fool us.
async fn check_object(ctx: &Context, planned: &PendingFile, announced: &Reservation) -> Result<()> {
    let store = ctx.files.store(&planned.location)?;
    let object = store.metadata(&planned.path).await?.ok_or(Error::from(Code::AttachmentNotFound))?;
    let wanted = presentation(&planned.path).content_type;
    // Some services (SeaweedFS) replace the type of a binary object by one that they make of its name.
    let is_typed = wanted == BINARY || object.content_type.is_none_or(|given| given == wanted);
    let refusal = match object.size {
        size if size > ctx.files.settings().max_size => Code::FileTooLarge,
        size if size != announced.size => Code::FileUpload,
        _ if !is_typed => Code::UnsupportedFileType,
        _ => return Ok(()),
    };
    store.delete(&planned.path).await?;
    Err(refusal.into())
}

/// The permission that a form of local storage carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The size of the file.
    pub size: u64,
    /// When the form expires, in seconds.
    pub expires: i64,
    /// The signature of both and of the path.
    pub signature: String,
}

/// Refuses a form that this server has not signed, or that has expired.
///
/// # Errors
/// Code 4002.
pub fn check_permission(ctx: &Context, path: &str, permission: &Permission) -> Result<()> {
    let Permission { size, expires, signature } = permission;
    let may_write = ctx.files.may_write(path, *size, *expires, signature, ctx.now());
    if may_write { Ok(()) } else { Err(Code::AttachmentNotFound.into()) }
}

/// Stores a file that was sent with a form of local storage.
///
/// # Errors
/// Code 4004 when the file has another size than the form says, 4003 when the disk fails.
pub async fn receive(ctx: &Context, path: &str, permission: &Permission, content: &Spool) -> Result<()> {
    check_permission(ctx, path, permission)?;
    if content.size() != permission.size {
        return Err(Code::FileUpload.into());
    }
    Ok(ctx.files.store(&Location::local())?.put(path, content, presentation(path)).await?)
}
