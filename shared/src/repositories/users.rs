//! The table `users`. A user with status 0 is deactivated and found by nobody
//! (`contract/http-conventions.md` section 4).

use sea_query::{Expr, ExprTrait, Order, Query};
use sqlx::FromRow;

use super::patched;
use crate::{
    clock::Millis,
    db::{Executor, Result},
    dto::{Patch, users::User},
    ids::Uid,
};

pub(super) const ACTIVE: i32 = 1;

/// What authentication needs of a user. Never leaves the server.
#[derive(FromRow)]
pub struct Account {
    /// The id.
    pub uid: Uid,
    /// The e-mail address.
    pub email: Option<String>,
    /// The name that is shown.
    pub nickname: Option<String>,
    /// The storage key of the picture, or a URL.
    pub avatar: Option<String>,
    /// The bcrypt hash of the password.
    pub password: String,
}

impl From<Account> for User {
    fn from(account: Account) -> Self {
        Self { uid: account.uid, email: account.email, nickname: account.nickname }
    }
}

#[derive(FromRow)]
struct UserRow {
    uid: Uid,
    email: Option<String>,
    nickname: Option<String>,
}

/// A user to be stored.
pub struct NewUser<'a> {
    /// The id.
    pub uid: &'a Uid,
    /// The e-mail address, unique.
    pub email: &'a str,
    /// The telephone number.
    pub phone: Option<&'a str>,
    /// The bcrypt hash of the password.
    pub password: &'a str,
    /// The salt inside the hash.
    pub salt: &'a str,
    /// The name that is shown.
    pub nickname: Option<&'a str>,
}

/// Stores a user.
///
/// # Errors
/// A unique violation when the e-mail is taken.
pub async fn create(db: &Executor, user: &NewUser<'_>, now: Millis) -> Result<()> {
    let insert = Query::insert()
        .into_table("users")
        .columns(["uid", "email", "phone", "password", "salt", "nickname", "status", "created_at", "updated_at"])
        .values_panic([
            user.uid.into(),
            user.email.into(),
            user.phone.into(),
            user.password.into(),
            user.salt.into(),
            user.nickname.into(),
            ACTIVE.into(),
            now.into(),
            now.into(),
        ])
        .to_owned();
    db.execute("users.create", &insert).await.map(|_| ())
}

/// Returns the user with an id.
///
/// # Errors
/// The database fails.
pub async fn find_by_id(db: &Executor, uid: &Uid) -> Result<Option<User>> {
    let select = Query::select()
        .columns(["uid", "email", "nickname"])
        .from("users")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("status").eq(ACTIVE))
        .to_owned();
    let row: Option<UserRow> = db.fetch_optional("users.find_by_id", &select).await?;
    Ok(row.map(|UserRow { uid, email, nickname }| User { uid, email, nickname }))
}

/// Returns the account with an id.
///
/// # Errors
/// The database fails.
pub async fn find_account_by_id(db: &Executor, uid: &Uid) -> Result<Option<Account>> {
    find_account(db, "users.find_account_by_id", Expr::col("uid").eq(uid)).await
}

/// Returns the account with an e-mail address, compared exactly.
///
/// # Errors
/// The database fails.
pub async fn find_account_by_email(db: &Executor, email: &str) -> Result<Option<Account>> {
    find_account(db, "users.find_account_by_email", Expr::col("email").eq(email)).await
}

async fn find_account(db: &Executor, operation: &'static str, condition: Expr) -> Result<Option<Account>> {
    let select = Query::select()
        .columns(["uid", "email", "nickname", "avatar", "password"])
        .from("users")
        .and_where(condition)
        .and_where(Expr::col("status").eq(ACTIVE))
        .to_owned();
    db.fetch_optional(operation, &select).await
}

/// Reports whether an e-mail address is taken, also by a deactivated user.
///
/// # Errors
/// The database fails.
pub async fn exists_email(db: &Executor, email: &str) -> Result<bool> {
    let select = Query::select().column("uid").from("users").and_where(Expr::col("email").eq(email)).to_owned();
    let row: Option<(Uid,)> = db.fetch_optional("users.exists_email", &select).await?;
    Ok(row.is_some())
}

/// Returns the avatar of a user, deactivated ones too, and keeps others from changing it until the transaction ends. The outer
/// `None` means that there is no such user.
///
/// # Errors
/// The database fails.
pub async fn find_avatar_for_update(db: &Executor, uid: &Uid) -> Result<Option<Option<String>>> {
    let select = Query::select()
        .column("avatar")
        .from("users")
        .and_where(Expr::col("uid").eq(uid))
        .lock_exclusive()
        .to_owned();
    let row: Option<(Option<String>,)> = db.fetch_optional("users.find_avatar_for_update", &select).await?;
    Ok(row.map(|(avatar,)| avatar))
}

/// Returns the avatars of all users in the order of their ids, deactivated ones too: those behind `after` and at
/// most `limit` of them.
///
/// # Errors
/// The database fails.
pub async fn find_avatars_after(db: &Executor, after: &str, limit: u64) -> Result<Vec<(Uid, String)>> {
    let select = Query::select()
        .columns(["uid", "avatar"])
        .from("users")
        .and_where(Expr::col("uid").gt(after))
        .and_where(Expr::col("avatar").is_not_null())
        .order_by("uid", Order::Asc)
        .limit(limit)
        .to_owned();
    db.fetch_all("users.find_avatars_after", &select).await
}

/// Changes nickname and avatar, and returns whether the user exists.
///
/// # Errors
/// The database fails.
pub async fn update(
    db: &Executor,
    uid: &Uid,
    nickname: &Patch<String>,
    avatar: &Patch<String>,
    now: Millis,
) -> Result<bool> {
    let update = Query::update()
        .table("users")
        .value("updated_at", now)
        .values(patched(nickname).map(|value| ("nickname", value)))
        .values(patched(avatar).map(|value| ("avatar", value)))
        .and_where(Expr::col("uid").eq(uid))
        .to_owned();
    db.execute("users.update", &update).await.map(|rows| rows > 0)
}

/// Changes the password, and returns whether the user exists.
///
/// # Errors
/// The database fails.
pub async fn update_password(db: &Executor, uid: &Uid, password: &str, salt: &str, now: Millis) -> Result<bool> {
    let update = Query::update()
        .table("users")
        .values([("password", password.into()), ("salt", salt.into()), ("updated_at", now.into())])
        .and_where(Expr::col("uid").eq(uid))
        .to_owned();
    db.execute("users.update_password", &update).await.map(|rows| rows > 0)
}
