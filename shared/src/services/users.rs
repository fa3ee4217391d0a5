//! Registration, sign-in and the own user (`contract/auth-user.md`).

use super::{files, passwords, pending_files};
use crate::{
    Context, Error, Result,
    dto::{
        Patch,
        users::{Author, Credentials, PasswordChange, Registration, User, UserInfo, UserUpdate},
    },
    error::{Code, with_causes},
    ids::Uid,
    repositories::{
        self,
        users::{Account, NewUser},
    },
    services::categories,
};

/// The category that every new user gets.
const DEFAULT_CATEGORY: &str = "日记";

/// Registers a user, with the default category.
///
/// # Errors
/// Code 1001 when the e-mail is taken.
pub async fn register(ctx: &Context, registration: Registration) -> Result<User> {
    let Registration { credentials, nickname, phone } = registration;
    let email = credentials.email;
    if repositories::users::exists_email(&ctx.db, &email).await? {
        return Err(Code::UserAlreadyExists.into());
    }
    let password = passwords::hash(credentials.password).await?;
    let uid = Uid::new(&*ctx.random);
    let now = ctx.now();
    let user = NewUser {
        uid: &uid,
        email: &email,
        phone: phone.as_deref(),
        password: &password.hash,
        salt: &password.salt,
        nickname: nickname.as_deref(),
    };
    let category = categories::build(ctx, &uid, DEFAULT_CATEGORY.to_owned(), None, now);
    let (user, category) = (&user, &category);
    let store = |with_category: bool| {
        ctx.db.transaction(move |tx| async move {
            match repositories::users::create(&tx, user, now).await {
                // Somebody else has registered the e-mail since it was looked for.
                Err(error) if error.is_unique_violation() => return Err(Error::from(Code::UserAlreadyExists)),
                outcome => outcome?,
            }
            if with_category {
                repositories::categories::create(&tx, category).await?;
            }
            Ok(())
        })
    };
    match store(true).await {
        // An account without its first category is better than none.
        Err(Error::Database(error)) => {
            tracing::warn!(error = with_causes(&error), "register.again_without_category");
            store(false).await?;
        }
        outcome => outcome?,
    }
    Ok(User { uid, email: Some(email), nickname })
}

/// Checks e-mail and password.
///
/// # Errors
/// Code 1000 when nobody has the e-mail, 1002 when the password is wrong.
pub async fn sign_in(ctx: &Context, credentials: Credentials) -> Result<User> {
    let Credentials { email, password } = credentials;
    let account = repositories::users::find_account_by_email(&ctx.db, &email).await?;
    let hash = account.as_ref().map(|account| account.password.clone());
    let matches = passwords::verify(password, hash).await?;
    let account = account.ok_or(Code::UserNotFound)?;
    if matches { Ok(account.into()) } else { Err(Code::Password.into()) }
}

/// Returns the own user.
///
/// # Errors
/// Code 1000 when the user is gone.
pub async fn info(ctx: &Context, uid: &Uid) -> Result<UserInfo> {
    let account = repositories::users::find_account_by_id(&ctx.db, uid).await?.ok_or(Code::UserNotFound)?;
    Ok(present(ctx, account))
}

/// Returns the author of a public memo.
///
/// # Errors
/// Code 3 with `User not found` when there is no such user.
pub async fn author(ctx: &Context, uid: &Uid) -> Result<Author> {
    let account = repositories::users::find_account_by_id(&ctx.db, uid).await?;
    let info = present(ctx, account.ok_or(Error::not_found("User not found"))?);
    Ok(Author { uid: info.user.uid, nickname: info.user.nickname, avatar: info.avatar })
}

fn present(ctx: &Context, account: Account) -> UserInfo {
    let avatar = ctx.files.avatar_url(account.avatar.as_deref(), ctx.now());
    UserInfo { user: account.into(), avatar }
}

/// Changes nickname and avatar.
///
/// # Errors
/// Code 1000 when the user is gone, 2 when the avatar is not the user's own.
pub async fn update(ctx: &Context, uid: &Uid, mut update: UserUpdate) -> Result<UserInfo> {
    let account = repositories::users::find_account_by_id(&ctx.db, uid).await?.ok_or(Code::UserNotFound)?;
    if let Patch::Set(avatar) = &update.avatar {
        if account.avatar.as_deref().is_some_and(|key| files::is_url_of(avatar, key)) {
            update.avatar = Patch::Keep;
        } else if !is_own_avatar(avatar, uid) {
            return Err(Error::bad_params());
        }
    }
    let (nickname, avatar) = (&update.nickname, &update.avatar);
    let is_updated = if *avatar == Patch::Keep {
        repositories::users::update(&ctx.db, uid, nickname, avatar, ctx.now()).await?
    } else {
        // The file of the avatar before goes too, but not at once: some clients take a change back.
        let collect_after = ctx.now() + pending_files::GRACE;
        let replaced = ctx.db.transaction(|tx| async move {
            pending_files::replace_avatar(ctx, &tx, uid, nickname, avatar, collect_after).await
        });
        replaced.await?.is_some()
    };
    if !is_updated {
        return Err(Code::UserNotFound.into());
    }
    let nickname = update.nickname.apply(account.nickname.clone());
    let avatar = update.avatar.apply(account.avatar.clone());
    Ok(present(ctx, Account { nickname, avatar, ..account }))
}

/// Reports whether a text may become the avatar of a user: a URL, or a storage key of their own. Other
/// keys would be signed, and deleted, as if they were the user's.
fn is_own_avatar(avatar: &str, uid: &Uid) -> bool {
    if avatar.starts_with("http://") || avatar.starts_with("https://") {
        return true;
    }
    let own = avatar.strip_prefix(&format!("avatar/{uid}/")).is_some_and(|rest| !rest.is_empty());
    own && !["..", "\\", "//"].iter().any(|part| avatar.contains(part)) && !avatar.chars().any(char::is_control)
}

/// Changes the password. Tokens that were issued before stay valid.
///
/// # Errors
/// Code 1002 with its own text when the user is gone, the old password is wrong, or storing fails.
pub async fn change_password(ctx: &Context, uid: &Uid, change: PasswordChange) -> Result<()> {
    let refused = |message: &'static str| Error::Refused { code: Code::Password, message: Some(message.into()) };
    let account = repositories::users::find_account_by_id(&ctx.db, uid).await?;
    let account = account.ok_or_else(|| refused("用户不存在"))?;
    if !passwords::verify(change.old_password, Some(account.password)).await? {
        return Err(refused("当前密码错误"));
    }
    let password = passwords::hash(change.new_password).await?;
    let stored =
        repositories::users::update_password(&ctx.db, uid, &password.hash, &password.salt, ctx.now()).await;
    match stored {
        Ok(true) => Ok(()),
        Ok(false) => Err(refused("用户不存在")),
        Err(error) => {
            tracing::error!(error = %error, "users.password_not_stored");
            Err(refused("密码修改失败"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_and_own_keys_become_avatars() {
        let uid = Uid::from("u1");
        for avatar in ["https://img.example/a.png", "avatar/u1/2026-01-01/x.png"] {
            assert!(is_own_avatar(avatar, &uid), "{avatar}");
        }
        for avatar in [
            "avatar/u2/2026-01-01/x.png",
            "u1/2026-01-01/x.png",
            "avatar/u1/",
            "avatar/u1/../u2/x.png",
            "avatar/u1//x.png",
            "avatar/u1/x\\y",
            "avatar/u1/x\ny",
            "javascript:alert(1)",
        ] {
            assert!(!is_own_avatar(avatar, &uid), "{avatar}");
        }
    }
}
