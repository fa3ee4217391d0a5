//! Attachments as other nouns show them (`contract/attachments.md` section 5).

use std::collections::HashMap;

use crate::{
    Context, Result,
    clock::Millis,
    db::Executor,
    dto::attachments::Attachment,
    ids::{AttachmentId, Uid},
    repositories::{self, attachments::AttachmentRecord},
};

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

fn present(ctx: &Context, record: AttachmentRecord, now: Millis) -> Attachment {
    let cover = record.properties.get("coverUrl").and_then(|cover| cover.as_str());
    Attachment {
        url: ctx.files.attachment_url(&record.path, now),
        cover_url: cover.map(str::to_owned),
        attachment_id: record.attachment_id,
        filename: record.filename,
        media_type: record.media_type,
        size: record.size,
        created_at: record.created_at,
        properties: record.properties,
    }
}
