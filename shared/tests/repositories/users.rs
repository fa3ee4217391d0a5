//! `users`

use sea_query::Query;
use shared::{
    db::Executor,
    dto::{Patch, users::User},
    ids::{SystemRandom, Uid},
    repositories::users::{self, NewUser},
};
use testing::{Kind, on_every_database};

use crate::{NOW, TEXTS, TIMES, open, overwrite};

on_every_database!(
    an_address_is_unique,
    addresses_differ_by_letter_case,
    several_users_may_have_no_address,
    a_deactivated_user_is_found_by_nobody_but_keeps_the_address,
    users_come_back_as_written,
    an_update_changes_what_it_names,
    a_password_is_changed_for_its_user_alone,
);

/// An address that no other test has.
fn address(local_part: &str) -> String {
    format!("{local_part}-{}@example.com", Uid::new(&SystemRandom))
}

async fn create(db: &Executor, email: &str) -> shared::db::Result<Uid> {
    let uid = Uid::new(&SystemRandom);
    let user =
        NewUser { uid: &uid, email, phone: None, password: "hash", salt: "salt", nickname: Some("nickname") };
    users::create(db, &user, NOW).await?;
    Ok(uid)
}

/// Returns the owner of an address, as sign-in sees it.
async fn owner(db: &Executor, email: &str) -> Option<Uid> {
    users::find_account_by_email(db, email).await.unwrap().map(|account| account.uid)
}

async fn an_address_is_unique(kind: Kind) {
    let (db, ..) = open(kind).await;
    let email = address("ann");
    let ann = create(&db, &email).await.unwrap();
    let error = create(&db, &email).await.unwrap_err();
    assert!(error.is_unique_violation(), "{error:?}");
    assert_eq!(owner(&db, &email).await, Some(ann));
    assert!(users::exists_email(&db, &email).await.unwrap());
    assert!(!users::exists_email(&db, &address("nobody")).await.unwrap());
}

async fn addresses_differ_by_letter_case(kind: Kind) {
    let (db, ..) = open(kind).await;
    let lower = address("ann");
    let upper = lower.to_uppercase();
    let ann = create(&db, &lower).await.unwrap();
    assert_eq!(owner(&db, &upper).await, None);
    assert!(!users::exists_email(&db, &upper).await.unwrap());
    let other = create(&db, &upper).await.unwrap();
    assert_eq!([owner(&db, &lower).await, owner(&db, &upper).await], [Some(ann), Some(other)]);
}

async fn several_users_may_have_no_address(kind: Kind) {
    let (db, ..) = open(kind).await;
    for _ in 0..2 {
        let uid = Uid::new(&SystemRandom);
        let insert = Query::insert()
            .into_table("users")
            .columns(["uid", "password", "salt", "created_at", "updated_at"])
            .values_panic([(&uid).into(), "hash".into(), "salt".into(), NOW.into(), NOW.into()])
            .to_owned();
        db.execute("test.insert", &insert).await.unwrap();
        let user = users::find_by_id(&db, &uid).await.unwrap();
        assert_eq!(user, Some(User { uid, email: None, nickname: None }));
    }
}

async fn a_deactivated_user_is_found_by_nobody_but_keeps_the_address(kind: Kind) {
    let (db, ..) = open(kind).await;
    let email = address("ann");
    let ann = create(&db, &email).await.unwrap();
    overwrite(&db, ("users", "status"), ("uid", ann.as_str()), 0).await;
    assert_eq!(users::find_by_id(&db, &ann).await.unwrap(), None);
    assert!(users::find_account_by_id(&db, &ann).await.unwrap().is_none());
    assert_eq!(owner(&db, &email).await, None);
    assert!(users::exists_email(&db, &email).await.unwrap());
    assert!(create(&db, &email).await.unwrap_err().is_unique_violation());
}

async fn users_come_back_as_written(kind: Kind) {
    let (db, ..) = open(kind).await;
    for (text, time) in TEXTS.iter().zip(TIMES.iter().cycle()) {
        let (uid, email) = (Uid::new(&SystemRandom), address("\"a'b\\ü读😀%_\""));
        let user = NewUser {
            uid: &uid,
            email: &email,
            phone: Some(text),
            password: "$2b$10$abcdefghijklmnopqrstuv",
            salt: "$2b$10$abcdefghijklmnopqrstuv",
            nickname: Some(text),
        };
        users::create(&db, &user, *time).await.unwrap();
        let nickname = Some((*text).to_owned());
        let expected = User { uid: uid.clone(), email: Some(email.clone()), nickname };
        assert_eq!(users::find_by_id(&db, &uid).await.unwrap().as_ref(), Some(&expected));
        for account in
            [users::find_account_by_id(&db, &uid).await, users::find_account_by_email(&db, &email).await]
        {
            let account = account.unwrap().unwrap();
            assert_eq!((account.password.as_str(), account.avatar.as_deref()), (user.password, None));
            assert_eq!(User::from(account), expected);
        }
    }
}

async fn an_update_changes_what_it_names(kind: Kind) {
    let (db, ..) = open(kind).await;
    let (ann, bob) = (create(&db, &address("ann")).await.unwrap(), create(&db, &address("bob")).await.unwrap());
    let set = |text: &str| Patch::Set(text.to_owned());
    let steps = [
        (Patch::Keep, set("avatar/1"), Some("nickname"), Some("avatar/1")),
        (set("读书 😀"), Patch::Keep, Some("读书 😀"), Some("avatar/1")),
        (Patch::Clear, Patch::Clear, None, None),
    ];
    for (nickname, avatar, expected_nickname, expected_avatar) in steps {
        assert!(users::update(&db, &ann, &nickname, &avatar, NOW + 1).await.unwrap());
        let account = users::find_account_by_id(&db, &ann).await.unwrap().unwrap();
        assert_eq!((account.nickname.as_deref(), account.avatar.as_deref()), (expected_nickname, expected_avatar));
    }
    let bob = users::find_account_by_id(&db, &bob).await.unwrap().unwrap();
    assert_eq!((bob.nickname.as_deref(), bob.avatar), (Some("nickname"), None));
    assert!(!users::update(&db, &Uid::from("unknown"), &Patch::Keep, &Patch::Keep, NOW).await.unwrap());
}

async fn a_password_is_changed_for_its_user_alone(kind: Kind) {
    let (db, ..) = open(kind).await;
    let (ann, bob) = (create(&db, &address("ann")).await.unwrap(), create(&db, &address("bob")).await.unwrap());
    assert!(users::update_password(&db, &ann, "new hash", "new salt", NOW + 1).await.unwrap());
    assert!(!users::update_password(&db, &Uid::from("unknown"), "new hash", "new salt", NOW).await.unwrap());
    let password = async |uid: &Uid| users::find_account_by_id(&db, uid).await.unwrap().unwrap().password;
    assert_eq!([password(&ann).await, password(&bob).await], ["new hash", "hash"]);
}
