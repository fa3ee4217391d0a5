//! Memos, their relations, and public sharing (`contract/memos.md`).
//!
//! A write is one transaction: the memo, new tags, its tags and their counts, its relations, and the
//! note in the outbox from which the vector follows. Nothing is embedded here, so a write does not
//! depend on a model provider (DESIGN section 6).

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{attachments, tags, users};
use crate::{
    Context, Error, Result,
    clock::Millis,
    db::Executor,
    dto::{
        Page, PageRequest, Patch,
        attachments::Attachment,
        memos::{Memo, MemoFilter, MemoUpdate, NewMemo, Sort, TagChoice},
        users::Author,
    },
    error::Code,
    ids::{AttachmentId, MemoId, RelationId, TagId, Uid},
    repositories::{
        self,
        memo_tags::MemoTags,
        memos::{Changes, MemoRecord},
        vector_outbox::Op,
    },
};

/// Whether an answer shows the related memos of a memo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relations {
    /// As in lists and searches.
    Shown,
    /// As after creation, in backlinks, and for everybody but the owner: related memos may be private.
    Hidden,
}

/// Returns a page of the memos of a user.
///
/// # Errors
/// The database fails.
pub async fn list(
    ctx: &Context,
    uid: &Uid,
    mut filter: MemoFilter,
    sort: Sort,
    page: PageRequest,
) -> Result<Page<Memo>> {
    filter.tags.retain(|name| !name.trim().is_empty());
    filter.search = filter.search.filter(|text| !text.trim().is_empty());
    find_page(ctx, uid, &filter, sort, page, Relations::Shown).await
}

async fn find_page(
    ctx: &Context,
    uid: &Uid,
    filter: &MemoFilter,
    sort: Sort,
    page: PageRequest,
    relations: Relations,
) -> Result<Page<Memo>> {
    let total = repositories::memos::count(&ctx.db, uid, filter).await?;
    let records = if page.offset() < total {
        repositories::memos::find_page(&ctx.db, uid, filter, sort, page).await?
    } else {
        Vec::new()
    };
    let memos = present(ctx, &ctx.db, uid, records, relations).await?;
    Ok(Page::new(memos, total, page))
}

/// Returns a memo.
///
/// # Errors
/// Code 3 when the user has no such memo.
pub async fn get(ctx: &Context, uid: &Uid, id: &MemoId) -> Result<Memo> {
    let record = repositories::memos::find_by_id(&ctx.db, uid, id).await?.ok_or(Code::NotFound)?;
    present_one(ctx, &ctx.db, uid, record, Relations::Shown).await
}

/// Returns those of the given memos that the user has, in the order asked.
///
/// # Errors
/// The database fails.
pub async fn find_by_ids(ctx: &Context, uid: &Uid, ids: &[MemoId], relations: Relations) -> Result<Vec<Memo>> {
    let records = repositories::memos::find_by_ids(&ctx.db, uid, ids).await?;
    present(ctx, &ctx.db, uid, records, relations).await
}

/// Creates a memo.
///
/// # Errors
/// The database fails; nothing is stored then.
pub async fn create(ctx: &Context, uid: &Uid, new: NewMemo) -> Result<Memo> {
    let new = &new;
    let now = ctx.now();
    ctx.db.transaction(|tx| async move { create_in(ctx, &tx, uid, new, now).await }).await
}

async fn create_in(ctx: &Context, tx: &Executor, uid: &Uid, new: &NewMemo, now: Millis) -> Result<Memo> {
    let category_id = match &new.category_id {
        Some(id) if repositories::categories::exists_for_update(tx, uid, id).await? => Some(id.clone()),
        _ => None,
    };
    let (attachment_ids, files) = own_attachments(ctx, tx, uid, &new.attachments).await?;
    let memo_id = MemoId::new(&*ctx.random);
    let targets = own_targets(ctx, tx, uid, &memo_id, &new.relations).await?;
    let record = MemoRecord {
        memo_id: memo_id.clone(),
        uid: uid.clone(),
        category_id,
        content: new.content.clone(),
        memo_type: new.memo_type.clone(),
        source: new.source.clone(),
        is_public: new.is_public,
        attachments: attachment_ids,
        created_at: new.created_at.unwrap_or(now),
        updated_at: new.updated_at.unwrap_or(now),
    };
    let resolved = tags::resolve(ctx, tx, uid, &new.tags, now).await?;
    repositories::memos::create(tx, &record).await?;
    let tags = tags::attach(tx, uid, &memo_id, record.created_at, resolved, &[], now).await?;
    repositories::memo_relations::create(tx, uid, &memo_id, &targets, now).await?;
    repositories::vector_outbox::upsert_memo(tx, uid, &memo_id, Op::Upsert, now).await?;
    let memo_tags = MemoTags { ids: tags.iter().map(|tag| tag.tag_id.clone()).collect(), tags };
    Ok(assemble(record, memo_tags, &files, Vec::new()))
}

/// Creates a memo for a user whom a machine names (`contract/memos.md`, route 13). A category name is
/// found or created, and wins over the id.
///
/// # Errors
/// As [`create`].
pub async fn import(ctx: &Context, uid: &Uid, mut new: NewMemo, category: Option<&str>) -> Result<Memo> {
    if let Some(name) = category {
        new.category_id = Some(super::categories::find_or_create(ctx, uid, name).await?.category_id);
    }
    create(ctx, uid, new).await
}

/// Changes a memo.
///
/// # Errors
/// Code 3 when the user has no such memo.
pub async fn update(ctx: &Context, uid: &Uid, id: &MemoId, update: MemoUpdate) -> Result<Memo> {
    let update = &update;
    let now = ctx.now();
    ctx.db.transaction(|tx| async move { update_in(ctx, &tx, uid, id, update, now).await }).await
}

async fn update_in(
    ctx: &Context,
    tx: &Executor,
    uid: &Uid,
    id: &MemoId,
    update: &MemoUpdate,
    now: Millis,
) -> Result<Memo> {
    let before = repositories::memos::find_by_id_for_update(tx, uid, id).await?.ok_or(Code::NotFound)?;
    let category_id = match &update.category_id {
        Patch::Set(category) if !repositories::categories::exists_for_update(tx, uid, category).await? => {
            Patch::Clear
        }
        other => other.clone(),
    };
    let attachments = match &update.attachments {
        Some(ids) => Some(own_attachments(ctx, tx, uid, ids).await?.0),
        None => None,
    };
    let changes = Changes {
        content: Some(&update.content),
        memo_type: update.memo_type.as_deref(),
        category_id: &category_id,
        attachments: attachments.as_deref(),
        is_public: update.is_public,
        source: &update.source,
    };
    repositories::memos::update(tx, uid, id, &changes, now).await?;
    if let Some(choice) = &update.tags {
        replace_tags(ctx, tx, &before, choice, now).await?;
    }
    if let Some(relations) = &update.relations {
        let targets = own_targets(ctx, tx, uid, id, relations).await?;
        repositories::memo_relations::delete_by_source(tx, uid, id).await?;
        repositories::memo_relations::create(tx, uid, id, &targets, now).await?;
    }
    if before.content != update.content {
        repositories::vector_outbox::upsert_memo(tx, uid, id, Op::Upsert, now).await?;
    }
    find_shown(ctx, tx, uid, id).await
}

/// Replaces the tags of a memo, and nothing else.
///
/// # Errors
/// Code 3 when the user has no such memo.
pub async fn update_tags(ctx: &Context, uid: &Uid, id: &MemoId, choice: TagChoice) -> Result<Memo> {
    let choice = &choice;
    let now = ctx.now();
    ctx.db
        .transaction(|tx| async move {
            let memo = repositories::memos::find_by_id_for_update(&tx, uid, id).await?.ok_or(Code::NotFound)?;
            replace_tags(ctx, &tx, &memo, choice, now).await?;
            repositories::memos::update_time(&tx, uid, id, now).await?;
            find_shown(ctx, &tx, uid, id).await
        })
        .await
}

async fn replace_tags(
    ctx: &Context,
    tx: &Executor,
    memo: &MemoRecord,
    choice: &TagChoice,
    now: Millis,
) -> Result<()> {
    let MemoRecord { uid, memo_id, created_at, .. } = memo;
    let before = tag_ids(tx, uid, memo_id).await?;
    let after = tags::resolve(ctx, tx, uid, choice, now).await?;
    tags::detach(tx, uid, memo_id, &before, &after, now).await?;
    tags::attach(tx, uid, memo_id, *created_at, after, &before, now).await?;
    Ok(())
}

async fn tag_ids(tx: &Executor, uid: &Uid, id: &MemoId) -> Result<Vec<TagId>> {
    let mut found = repositories::memo_tags::find_by_memos(tx, uid, std::slice::from_ref(id)).await?;
    Ok(found.remove(id).unwrap_or_default().ids)
}

/// Returns a memo as it is inside a transaction that has just changed it.
async fn find_shown(ctx: &Context, tx: &Executor, uid: &Uid, id: &MemoId) -> Result<Memo> {
    let record = repositories::memos::find_by_id(tx, uid, id).await?.ok_or(Code::NotFound)?;
    present_one(ctx, tx, uid, record, Relations::Shown).await
}

/// Deletes a memo, its tags and its relations in both directions. Its attachments stay.
///
/// # Errors
/// Code 3 when the user has no such memo.
pub async fn delete(ctx: &Context, uid: &Uid, id: &MemoId) -> Result<()> {
    let now = ctx.now();
    ctx.db
        .transaction(|tx| async move {
            if !repositories::memos::delete(&tx, uid, id).await? {
                return Err(Code::NotFound.into());
            }
            let before = tag_ids(&tx, uid, id).await?;
            tags::detach(&tx, uid, id, &before, &[], now).await?;
            repositories::memo_relations::delete_by_source(&tx, uid, id).await?;
            repositories::memo_relations::delete_by_target(&tx, uid, id).await?;
            Ok(repositories::vector_outbox::upsert_memo(&tx, uid, id, Op::Delete, now).await?)
        })
        .await
}

/// Returns a page of the memos that name a memo as related, in the order in which they began to.
///
/// # Errors
/// Code 3 when the user has no such memo.
pub async fn backlinks(ctx: &Context, uid: &Uid, id: &MemoId, page: PageRequest) -> Result<Page<Memo>> {
    if repositories::memos::exists(&ctx.db, uid, std::slice::from_ref(id)).await?.is_empty() {
        return Err(Code::NotFound.into());
    }
    let total = repositories::memos::count_backlinks(&ctx.db, uid, id).await?;
    let records = repositories::memos::find_backlinks(&ctx.db, uid, id, page).await?;
    let memos = present(ctx, &ctx.db, uid, records, Relations::Hidden).await?;
    Ok(Page::new(memos, total, page))
}

/// Returns a page of the public memos of a user; unknown users have none.
///
/// # Errors
/// The database fails.
pub async fn list_public(ctx: &Context, owner: &Uid, sort: Sort, page: PageRequest) -> Result<Page<Memo>> {
    if repositories::users::find_by_id(&ctx.db, owner).await?.is_none() {
        return Ok(Page::new(Vec::new(), 0, page));
    }
    let filter = MemoFilter { public_only: true, ..MemoFilter::default() };
    find_page(ctx, owner, &filter, sort, page, Relations::Hidden).await
}

const NO_PUBLIC_MEMOS: &str = "No public memos found for this user";

/// Returns one of the public memos of a user, each as likely as the others.
///
/// # Errors
/// Code 3 with its own text when there is none.
pub async fn random_public(ctx: &Context, owner: &Uid) -> Result<Memo> {
    if repositories::users::find_by_id(&ctx.db, owner).await?.is_none() {
        return Err(Error::not_found(NO_PUBLIC_MEMOS));
    }
    let filter = MemoFilter { public_only: true, ..MemoFilter::default() };
    let total = repositories::memos::count(&ctx.db, owner, &filter).await?;
    let record = repositories::memos::find_public_at(&ctx.db, owner, ctx.random.below(total)).await?;
    let record = record.ok_or(Error::not_found(NO_PUBLIC_MEMOS))?;
    present_one(ctx, &ctx.db, owner, record, Relations::Hidden).await
}

/// A public memo and who wrote it.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct PublicMemo {
    /// The memo.
    pub memo: Memo,
    /// Its owner, without the e-mail.
    pub user: Author,
}

/// Returns a public memo and who wrote it.
///
/// # Errors
/// Code 3 with its own text when the memo or its owner does not exist, or it is not public.
pub async fn get_public(ctx: &Context, id: &MemoId) -> Result<PublicMemo> {
    // This path is that of a random memo of a user `memo`, whom nobody can be (`contract/memos.md` section 3).
    if id.as_str() == "random" {
        return Err(Error::not_found(NO_PUBLIC_MEMOS));
    }
    let record = repositories::memos::find_public_by_id(&ctx.db, id).await?;
    let record = record.ok_or(Error::not_found("Public memo not found"))?;
    let owner = record.uid.clone();
    let user = users::author(ctx, &owner).await?;
    let memo = present_one(ctx, &ctx.db, &owner, record, Relations::Hidden).await?;
    Ok(PublicMemo { memo, user })
}

/// Keeps the ids of attachments that the user has, each once, and returns them with the files.
async fn own_attachments(
    ctx: &Context,
    tx: &Executor,
    uid: &Uid,
    ids: &[AttachmentId],
) -> Result<(Vec<AttachmentId>, HashMap<AttachmentId, Attachment>)> {
    let files = attachments::find_by_ids(ctx, tx, uid, ids).await?;
    let known = ids.iter().filter(|id| files.contains_key(*id)).cloned();
    Ok((tags::distinct(known), files))
}

/// Keeps the memos that a memo may relate to: the user's own, each once, never itself. Gives every
/// relation an id.
async fn own_targets(
    ctx: &Context,
    tx: &Executor,
    uid: &Uid,
    source: &MemoId,
    targets: &[MemoId],
) -> Result<Vec<(RelationId, MemoId)>> {
    let targets = tags::distinct(targets.iter().filter(|target| *target != source).cloned());
    let known = repositories::memos::exists(tx, uid, &targets).await?;
    Ok(known.into_iter().map(|target| (RelationId::new(&*ctx.random), target)).collect())
}

async fn present_one(
    ctx: &Context,
    db: &Executor,
    uid: &Uid,
    record: MemoRecord,
    relations: Relations,
) -> Result<Memo> {
    let memos = present(ctx, db, uid, vec![record], relations).await?;
    memos.into_iter().next().ok_or(Code::NotFound.into())
}

/// Adds to memos their tags and attachments, but no related memos.
///
/// # Errors
/// The database fails.
pub(super) async fn with_tags_and_attachments(
    ctx: &Context,
    uid: &Uid,
    records: Vec<MemoRecord>,
) -> Result<Vec<Memo>> {
    present(ctx, &ctx.db, uid, records, Relations::Hidden).await
}

/// Adds to memos what belongs to them: related memos, tags and attachments, each in one statement for
/// all of them. A failure of the first two does not fail the answer (`contract/memos.md` section 2).
async fn present(
    ctx: &Context,
    db: &Executor,
    uid: &Uid,
    records: Vec<MemoRecord>,
    relations: Relations,
) -> Result<Vec<Memo>> {
    let mut ids: Vec<MemoId> = records.iter().map(|record| record.memo_id.clone()).collect();
    let related = if relations == Relations::Shown {
        or_none(db, repositories::memos::find_related(db, uid, &ids).await)?
    } else {
        Vec::new()
    };
    ids = tags::distinct(ids.into_iter().chain(related.iter().map(|(_, record)| record.memo_id.clone())));
    let tags = or_none(db, repositories::memo_tags::find_by_memos(db, uid, &ids).await)?;
    let all = records.iter().chain(related.iter().map(|(_, record)| record));
    let file_ids = tags::distinct(all.flat_map(|record| record.attachments.iter().cloned()));
    let files = attachments::find_by_ids(ctx, db, uid, &file_ids).await?;

    let tags_of = |record: &MemoRecord| tags.get(&record.memo_id).cloned().unwrap_or_default();
    let mut related_of: HashMap<MemoId, Vec<Memo>> = HashMap::new();
    for (source, record) in related {
        let tags = tags_of(&record);
        related_of.entry(source).or_default().push(assemble(record, tags, &files, Vec::new()));
    }
    let memos = records.into_iter().map(|record| {
        let (tags, related) = (tags_of(&record), related_of.remove(&record.memo_id).unwrap_or_default());
        assemble(record, tags, &files, related)
    });
    Ok(memos.collect())
}

/// Turns a failure into nothing found, unless it happened inside a transaction, which it has ended.
fn or_none<T: Default>(db: &Executor, found: crate::db::Result<T>) -> Result<T> {
    match found {
        Err(error) if !db.is_transaction() => {
            tracing::error!(error = %error, "memos.not_enriched");
            Ok(T::default())
        }
        found => Ok(found?),
    }
}

fn assemble(
    record: MemoRecord,
    tags: MemoTags,
    files: &HashMap<AttachmentId, Attachment>,
    relations: Vec<Memo>,
) -> Memo {
    let MemoTags { ids: tag_ids, tags } = tags;
    Memo {
        memo_id: record.memo_id,
        uid: record.uid,
        content: record.content,
        memo_type: record.memo_type,
        category_id: record.category_id,
        attachments: record.attachments.iter().filter_map(|id| files.get(id).cloned()).collect(),
        tags,
        tag_ids,
        is_public: record.is_public,
        relations,
        created_at: record.created_at,
        updated_at: record.updated_at,
        source: record.source,
    }
}
