//! Categories (`contract/categories-tags.md`).

use std::cmp::Ordering;

use icu_collator::{
    Collator, CollatorBorrowed, CollatorPreferences,
    options::{CollatorOptions, Strength},
};

use crate::{
    Context, Error, Result,
    clock::Millis,
    dto::categories::{Category, CategoryUpdate, NewCategory},
    error::Code,
    ids::{CategoryId, Uid},
    repositories::{self, categories::Changes},
};

/// Returns the categories of a user by name, ignoring case and accents.
///
/// # Errors
/// The database fails.
pub async fn list(ctx: &Context, uid: &Uid) -> Result<Vec<Category>> {
    let mut categories = repositories::categories::find_by_user(&ctx.db, uid).await?;
    let collator = collator();
    categories.sort_by(|a, b| {
        let names = collator.as_ref().map_or_else(|| a.name.cmp(&b.name), |it| it.compare(&a.name, &b.name));
        let ties = || (a.created_at, &a.category_id).cmp(&(b.created_at, &b.category_id));
        if names == Ordering::Equal { ties() } else { names }
    });
    Ok(categories)
}

/// The root collation at primary strength. Its data is part of the binary.
fn collator() -> Option<CollatorBorrowed<'static>> {
    let mut options = CollatorOptions::default();
    options.strength = Some(Strength::Primary);
    Collator::try_new(CollatorPreferences::default(), options).ok()
}

/// Returns a category.
///
/// # Errors
/// Code 3 when the user has no such category.
pub async fn get(ctx: &Context, uid: &Uid, id: &CategoryId) -> Result<Category> {
    let category = repositories::categories::find_by_id(&ctx.db, uid, id).await?;
    category.ok_or(Code::NotFound.into())
}

/// Makes a category that is not stored yet.
pub(super) fn build(ctx: &Context, uid: &Uid, name: String, color: Option<String>, now: Millis) -> Category {
    let category_id = CategoryId::new(&*ctx.random);
    Category { category_id, uid: uid.clone(), name, color, created_at: now, updated_at: now }
}

/// Creates a category.
///
/// # Errors
/// Code 3001 when the user has a category of that name.
pub async fn create(ctx: &Context, uid: &Uid, new: NewCategory) -> Result<Category> {
    let category = build(ctx, uid, new.name, new.color, ctx.now());
    match repositories::categories::create(&ctx.db, &category).await {
        Ok(()) => Ok(category),
        Err(error) if error.is_unique_violation() => Err(Code::CategoryAlreadyExists.into()),
        Err(error) => Err(error.into()),
    }
}

/// Returns the category of a name, creating it if need be. Two callers get the same one.
///
/// # Errors
/// The database fails.
pub async fn find_or_create(ctx: &Context, uid: &Uid, name: &str) -> Result<Category> {
    if let Some(category) = repositories::categories::find_by_name(&ctx.db, uid, name).await? {
        return Ok(category);
    }
    let category = build(ctx, uid, name.trim().to_owned(), None, ctx.now());
    match repositories::categories::create(&ctx.db, &category).await {
        Ok(()) => Ok(category),
        Err(error) if error.is_unique_violation() => {
            let category = repositories::categories::find_by_name(&ctx.db, uid, name).await?;
            category.ok_or(Error::Database(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Changes a category.
///
/// # Errors
/// Code 3 when the user has no such category, 3001 when another one has the new name.
pub async fn update(ctx: &Context, uid: &Uid, id: &CategoryId, update: CategoryUpdate) -> Result<Category> {
    let before = get(ctx, uid, id).await?;
    let now = ctx.now();
    let changes = Changes::of(&before.name, update.name.as_deref(), &update.color);
    match repositories::categories::update(&ctx.db, uid, id, &changes, now).await {
        Ok(true) => {}
        Ok(false) => return Err(Code::NotFound.into()),
        Err(error) if error.is_unique_violation() => return Err(Code::CategoryAlreadyExists.into()),
        Err(error) => return Err(error.into()),
    }
    let color = update.color.apply(before.color);
    Ok(Category { name: update.name.unwrap_or(before.name), color, updated_at: now, ..before })
}

/// Deletes a category; its memos become uncategorised and keep their time.
///
/// # Errors
/// Code 3 when the user has no such category.
pub async fn delete(ctx: &Context, uid: &Uid, id: &CategoryId) -> Result<()> {
    ctx.db
        .transaction(|tx| async move {
            if !repositories::categories::delete(&tx, uid, id).await? {
                return Err(Code::NotFound.into());
            }
            Ok(repositories::memos::clear_category(&tx, uid, id).await?)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_accents() {
        let collator = collator().unwrap();
        assert_eq!(collator.compare("résumé", "Resume"), Ordering::Equal);
        assert_eq!(collator.compare("apple", "Banana"), Ordering::Less);
        assert_eq!(collator.compare("zebra", "日记"), Ordering::Less);
    }
}
