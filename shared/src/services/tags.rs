//! Tags (`contract/categories-tags.md`).
//!
//! The invariant: `usage_count` of a tag is the number of its owner's memos that carry it. Everything
//! that changes the tags of a memo goes through [`attach`] and [`detach`], inside the transaction of
//! the memo, with the tags locked.

use crate::{
    Context, Error, Result,
    clock::Millis,
    db::Executor,
    dto::{
        memos::TagChoice,
        tags::{NewTag, Tag, TagUpdate},
    },
    error::Code,
    ids::{MemoId, TagId, Uid},
    repositories::{self, name_key, tags::Changes},
};

/// Returns the tags of a user, oldest first.
///
/// # Errors
/// The database fails.
pub async fn list(ctx: &Context, uid: &Uid) -> Result<Vec<Tag>> {
    Ok(repositories::tags::find_by_user(&ctx.db, uid).await?)
}

/// Returns a tag.
///
/// # Errors
/// Code 3 when the user has no such tag.
pub async fn get(ctx: &Context, uid: &Uid, id: &TagId) -> Result<Tag> {
    repositories::tags::find_by_id(&ctx.db, uid, id).await?.ok_or(Code::NotFound.into())
}

fn build(ctx: &Context, name: String, color: Option<String>, usage_count: i32, now: Millis) -> Tag {
    Tag { tag_id: TagId::new(&*ctx.random), name, color, usage_count, created_at: now, updated_at: now }
}

/// Creates a tag, or returns the one that has the name already, unchanged (DESIGN section 7 no. 3).
///
/// # Errors
/// The database fails.
pub async fn create(ctx: &Context, uid: &Uid, new: NewTag) -> Result<Tag> {
    let existing = repositories::tags::find_by_name(&ctx.db, uid, &new.name).await?;
    if let Some(tag) = existing {
        return Ok(tag);
    }
    let tag = build(ctx, new.name, new.color, 0, ctx.now());
    match repositories::tags::create(&ctx.db, uid, std::slice::from_ref(&tag)).await {
        Ok(()) => Ok(tag),
        Err(error) if error.is_unique_violation() => {
            let tag = repositories::tags::find_by_name(&ctx.db, uid, &tag.name).await?;
            tag.ok_or(Error::Database(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Changes a tag. Memos hold its id, so a new name shows on them at once.
///
/// # Errors
/// Code 3 when the user has no such tag, 2 when another one has the new name.
pub async fn update(ctx: &Context, uid: &Uid, id: &TagId, update: TagUpdate) -> Result<Tag> {
    let before = get(ctx, uid, id).await?;
    let now = ctx.now();
    let changes = Changes::of(&before.name, update.name.as_deref(), &update.color);
    match repositories::tags::update(&ctx.db, uid, id, &changes, now).await {
        Ok(true) => {}
        Ok(false) => return Err(Code::NotFound.into()),
        Err(error) if error.is_unique_violation() => return Err(Error::params("Tag name already exists")),
        Err(error) => return Err(error.into()),
    }
    let color = update.color.apply(before.color);
    Ok(Tag { name: update.name.unwrap_or(before.name), color, updated_at: now, ..before })
}

/// Deletes a tag and takes it off all memos, whose time becomes now.
///
/// # Errors
/// Code 3 when the user has no such tag.
pub async fn delete(ctx: &Context, uid: &Uid, id: &TagId) -> Result<()> {
    let now = ctx.now();
    ctx.db
        .transaction(|tx| async move {
            if !repositories::tags::delete(&tx, uid, id).await? {
                return Err(Code::NotFound.into());
            }
            repositories::memos::update_time_by_tag(&tx, uid, id, now).await?;
            Ok(repositories::memo_tags::delete_by_tag(&tx, uid, id).await?)
        })
        .await
}

/// Finds the tags of a choice, each once, in order, and locks them. Ids win over names; names are
/// created when they are new. Ids that are not the user's are left out.
pub(super) async fn resolve(
    ctx: &Context,
    tx: &Executor,
    uid: &Uid,
    choice: &TagChoice,
    now: Millis,
) -> Result<Vec<Tag>> {
    if !choice.ids.is_empty() {
        let ids = distinct(choice.ids.iter().cloned());
        return Ok(repositories::tags::find_by_ids_for_update(tx, uid, &ids).await?);
    }
    let mut seen = std::collections::HashSet::new();
    let given = choice.names.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    let names: Vec<&str> = given.filter(|name| seen.insert(name_key(name))).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let existing = repositories::tags::find_by_names_for_update(tx, uid, &names).await?;
    let tag_of = |name: &str| existing.iter().find(|tag| name_key(&tag.name) == name_key(name)).cloned();
    let missing = names.iter().filter(|name| tag_of(name).is_none());
    let created: Vec<Tag> = missing.map(|name| build(ctx, (*name).to_owned(), None, 0, now)).collect();
    // A unique violation here means that somebody else has just created one of them: the transaction
    // is run again, and finds it.
    repositories::tags::create(tx, uid, &created).await?;
    let mut created = created.into_iter();
    Ok(names.iter().filter_map(|name| tag_of(name).or_else(|| created.next())).collect())
}

/// Puts tags that [`resolve`] has locked on a memo, and returns them as they are afterwards. Those in
/// `before` were on it already and are counted.
pub(super) async fn attach(
    tx: &Executor,
    uid: &Uid,
    memo: &MemoId,
    memo_created_at: Millis,
    mut tags: Vec<Tag>,
    before: &[TagId],
    now: Millis,
) -> Result<Vec<Tag>> {
    let ids: Vec<TagId> = tags.iter().map(|tag| tag.tag_id.clone()).collect();
    repositories::memo_tags::create(tx, uid, memo, &ids, memo_created_at).await?;
    let mut added: Vec<TagId> = ids.into_iter().filter(|id| !before.contains(id)).collect();
    for tag in tags.iter_mut().filter(|tag| added.contains(&tag.tag_id)) {
        tag.usage_count += 1;
        tag.updated_at = now;
    }
    added.sort_unstable();
    repositories::tags::increment_usage(tx, uid, &added, now).await?;
    Ok(tags)
}

/// Takes all tags off a memo; those in `after` will be put on it again and stay counted.
pub(super) async fn detach(
    tx: &Executor,
    uid: &Uid,
    memo: &MemoId,
    before: &[TagId],
    after: &[Tag],
    now: Millis,
) -> Result<()> {
    repositories::memo_tags::delete_by_memo(tx, uid, memo).await?;
    let stays = |id: &TagId| after.iter().any(|tag| tag.tag_id == *id);
    let mut removed: Vec<TagId> = before.iter().filter(|id| !stays(id)).cloned().collect();
    removed.sort_unstable();
    Ok(repositories::tags::decrement_usage(tx, uid, &removed, now).await?)
}

/// Returns each id once, the first mention first.
pub(super) fn distinct<T: Clone + Eq + std::hash::Hash>(ids: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = std::collections::HashSet::new();
    ids.into_iter().filter(|id| seen.insert(id.clone())).collect()
}
