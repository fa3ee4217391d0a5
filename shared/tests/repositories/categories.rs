//! `categories`

use shared::{
    db::Executor,
    dto::{Patch, categories::Category},
    ids::{CategoryId, SystemRandom, Uid},
    repositories::categories::{self, Changes},
};
use testing::{Kind, on_every_database};

use crate::{BATCHES, KNOWN, NOW, TEXTS, TIMES, batch, only_known, open, overwrite};

on_every_database!(
    batches_of_any_size_are_found,
    a_name_is_unique_for_its_user_whatever_its_case,
    the_key_changes_only_when_asked,
    an_update_changes_what_it_names,
    texts_and_times_come_back_as_written,
    categories_of_others_are_invisible,
);

fn category(uid: &Uid, name: &str) -> Category {
    let category_id = CategoryId::new(&SystemRandom);
    Category {
        category_id,
        uid: uid.clone(),
        name: name.to_owned(),
        color: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

async fn create(db: &Executor, uid: &Uid, name: &str) -> Category {
    let made = category(uid, name);
    categories::create(db, &made).await.unwrap();
    made
}

fn ids(categories: &[Category]) -> Vec<CategoryId> {
    let mut ids: Vec<CategoryId> = categories.iter().map(|category| category.category_id.clone()).collect();
    ids.sort_unstable();
    ids
}

async fn batches_of_any_size_are_found(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made: &Vec<Category> = &(0..KNOWN).map(|number| category(&ann, &format!("category {number}"))).collect();
    db.transaction(|tx| async move {
        for category in made {
            categories::create(&tx, category).await?;
        }
        Ok::<_, shared::db::Error>(())
    })
    .await
    .unwrap();
    let known = ids(made);
    for size in BATCHES {
        let asked = batch(&known, size);
        let mut expected = only_known(&asked, &known);
        expected.sort_unstable();
        assert_eq!(ids(&categories::find_by_ids(&db, &ann, &asked).await.unwrap()), expected, "{size}");
    }
    assert_eq!(ids(&categories::find_by_user(&db, &ann).await.unwrap()), known);
    let before = db.statements();
    categories::find_by_ids(&db, &ann, &[]).await.unwrap();
    assert_eq!(db.statements(), before, "nothing asked, nothing sent");
}

async fn a_name_is_unique_for_its_user_whatever_its_case(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let long = "ÄÖ 日记 ".repeat(100);
    for (name, same) in [("Ünï 日记", "  üNÏ 日记 "), (long.as_str(), &long.to_lowercase())] {
        let made = create(&db, &ann, name).await;
        assert_eq!(categories::find_by_name(&db, &ann, same).await.unwrap(), Some(made));
        let error = categories::create(&db, &category(&ann, same)).await.unwrap_err();
        assert!(error.is_unique_violation(), "{name}: {error:?}");
        create(&db, &bob, same).await;
    }
    create(&db, &ann, "Uni 日记").await;
}

async fn the_key_changes_only_when_asked(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let id = &create(&db, &ann, "work").await.category_id;
    create(&db, &ann, "rest").await;
    // As a migrated category whose name clashed with an older one.
    overwrite(&db, ("categories", "name_key"), ("category_id", id.as_str()), "work#1").await;
    let rename = |name, new_key| Changes { name: Some(name), new_key, color: &Patch::Keep };
    assert!(categories::update(&db, &ann, id, &rename("WORK", false), NOW).await.unwrap());
    assert_eq!(categories::find_by_name(&db, &ann, "work").await.unwrap(), None);
    assert_eq!(categories::find_by_name(&db, &ann, "work#1").await.unwrap().unwrap().name, "WORK");
    let error = categories::update(&db, &ann, id, &rename("Rest", true), NOW).await.unwrap_err();
    assert!(error.is_unique_violation(), "{error:?}");
    assert!(categories::update(&db, &ann, id, &rename("Play", true), NOW).await.unwrap());
    assert_eq!(categories::find_by_name(&db, &ann, "pLAY").await.unwrap().unwrap().category_id, *id);
}

async fn an_update_changes_what_it_names(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = create(&db, &ann, "a").await;
    let other = create(&db, &ann, "other").await;
    let id = &made.category_id;
    let red = Patch::Set("red".to_owned());
    let steps = [
        (None, &red, "a", Some("red")),
        (Some("b"), &Patch::Keep, "b", Some("red")),
        (None, &Patch::Clear, "b", None),
    ];
    for (later, (name, color, expected_name, expected_color)) in (1..).zip(steps) {
        let changes = Changes { name, new_key: true, color };
        assert!(categories::update(&db, &ann, id, &changes, NOW + later).await.unwrap());
        let expected = Category {
            name: expected_name.to_owned(),
            color: expected_color.map(str::to_owned),
            updated_at: NOW + later,
            ..made.clone()
        };
        assert_eq!(categories::find_by_id(&db, &ann, id).await.unwrap(), Some(expected));
    }
    assert_eq!(categories::find_by_id(&db, &ann, &other.category_id).await.unwrap(), Some(other));
}

async fn texts_and_times_come_back_as_written(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    for (text, time) in TEXTS.iter().zip(TIMES.iter().cycle()) {
        let color = Some((*text).to_owned());
        let made = Category { color, created_at: *time, updated_at: time.wrapping_neg(), ..category(&ann, text) };
        categories::create(&db, &made).await.unwrap();
        assert_eq!(categories::find_by_name(&db, &ann, text).await.unwrap().as_ref(), Some(&made));
        assert_eq!(categories::find_by_id(&db, &ann, &made.category_id).await.unwrap(), Some(made));
    }
}

async fn categories_of_others_are_invisible(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let made = create(&db, &ann, "a").await;
    let id = &made.category_id;

    assert_eq!(categories::find_by_user(&db, &bob).await.unwrap(), []);
    assert_eq!(categories::find_by_id(&db, &bob, id).await.unwrap(), None);
    assert_eq!(categories::find_by_ids(&db, &bob, std::slice::from_ref(id)).await.unwrap(), []);
    assert_eq!(categories::find_by_name(&db, &bob, "a").await.unwrap(), None);
    assert!(!categories::exists_for_update(&db, &bob, id).await.unwrap());
    let changes = Changes { name: Some("b"), new_key: true, color: &Patch::Set("red".to_owned()) };
    assert!(!categories::update(&db, &bob, id, &changes, NOW + 1).await.unwrap());
    assert!(!categories::delete(&db, &bob, id).await.unwrap());

    assert_eq!(categories::find_by_id(&db, &ann, id).await.unwrap().as_ref(), Some(&made));
    assert!(categories::exists_for_update(&db, &ann, id).await.unwrap());
    assert!(categories::delete(&db, &ann, id).await.unwrap());
    assert!(!categories::exists_for_update(&db, &ann, id).await.unwrap());
    assert!(!categories::delete(&db, &ann, id).await.unwrap());
}
