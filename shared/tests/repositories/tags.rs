//! `tags`

use futures::future::join_all;
use shared::{
    db::Executor,
    dto::{Patch, tags::Tag},
    ids::{SystemRandom, TagId, Uid},
    repositories::tags::{self, Changes},
};
use testing::{Kind, on_every_database};

use crate::{BATCHES, KNOWN, NOW, TEXTS, TIMES, batch, only_known, open, overwrite};

on_every_database!(
    batches_come_in_the_order_asked,
    an_empty_batch_sends_nothing,
    all_tags_come_oldest_first,
    a_batch_with_a_name_that_is_taken_stores_nothing,
    fifty_concurrent_increments_add_fifty,
    a_decrement_stops_at_zero,
    a_name_is_unique_for_its_user_whatever_its_case,
    the_key_changes_only_when_asked,
    an_update_changes_what_it_names,
    texts_and_times_come_back_as_written,
    tags_of_others_are_invisible,
);

/// Makes a tag that is not stored.
pub fn tag(name: &str) -> Tag {
    let tag_id = TagId::new(&SystemRandom);
    Tag { tag_id, name: name.to_owned(), color: None, usage_count: 0, created_at: NOW, updated_at: NOW }
}

/// Stores tags of these names.
pub async fn create(db: &Executor, uid: &Uid, names: &[&str]) -> Vec<Tag> {
    let made: Vec<Tag> = names.iter().map(|name| tag(name)).collect();
    tags::create(db, uid, &made).await.unwrap();
    made
}

/// Returns the usage count of a tag.
pub async fn usage_count(db: &Executor, uid: &Uid, id: &TagId) -> i32 {
    tags::find_by_id(db, uid, id).await.unwrap().unwrap().usage_count
}

async fn batches_come_in_the_order_asked(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made: Vec<Tag> = (0..KNOWN).map(|number| tag(&format!("tag {number}"))).collect();
    tags::create(&db, &ann, &made).await.unwrap();
    let known: Vec<TagId> = made.iter().map(|tag| tag.tag_id.clone()).collect();
    for size in BATCHES {
        let asked = batch(&known, size);
        let expected = only_known(&asked, &known);
        let ids = |tags: Vec<Tag>| tags.into_iter().map(|tag| tag.tag_id).collect::<Vec<_>>();
        assert_eq!(ids(tags::find_by_ids(&db, &ann, &asked).await.unwrap()), expected, "{size}");

        let (ann, asked) = (&ann, &asked);
        let locked =
            db.transaction(|tx| async move { tags::find_by_ids_for_update(&tx, ann, asked).await }).await.unwrap();
        assert_eq!(ids(locked), expected, "{size}");

        let names: Vec<String> = (0..size).map(|number| format!("TAG {number}")).collect();
        let names: &Vec<&str> = &names.iter().map(String::as_str).collect();
        let by_name = db
            .transaction(|tx| async move { tags::find_by_names_for_update(&tx, ann, names).await })
            .await
            .unwrap();
        assert_eq!(by_name.len(), expected.len(), "{size}");
    }
    let mentions = [known[3].clone(), known[1].clone(), known[3].clone()];
    let found = tags::find_by_ids(&db, &ann, &mentions).await.unwrap();
    assert_eq!(found, [made[3].clone(), made[1].clone(), made[3].clone()]);
}

async fn an_empty_batch_sends_nothing(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    tags::create(&db, &ann, &[]).await.unwrap();
    assert_eq!(tags::find_by_ids(&db, &ann, &[]).await.unwrap(), []);
    tags::increment_usage(&db, &ann, &[], NOW).await.unwrap();
    tags::decrement_usage(&db, &ann, &[], NOW).await.unwrap();
    assert_eq!(db.statements(), 0);
}

async fn all_tags_come_oldest_first(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let ages = [5, 3, 9, 3, 3];
    let mut made: Vec<Tag> = (0..)
        .zip(ages)
        .map(|(number, age)| Tag { created_at: NOW - age, ..tag(&format!("tag {number}")) })
        .collect();
    tags::create(&db, &ann, &made).await.unwrap();
    create(&db, &bob, &["tag 0"]).await;
    made.sort_by(|a, b| (a.created_at, &a.tag_id).cmp(&(b.created_at, &b.tag_id)));
    assert_eq!(tags::find_by_user(&db, &ann).await.unwrap(), made);
}

async fn a_batch_with_a_name_that_is_taken_stores_nothing(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    create(&db, &ann, &["taken"]).await;
    let mut batch: Vec<Tag> = (0..1000).map(|number| tag(&format!("tag {number}"))).collect();
    " TAKEN ".clone_into(&mut batch[999].name);
    let error = tags::create(&db, &ann, &batch).await.unwrap_err();
    assert!(error.is_unique_violation(), "{error:?}");
    assert_eq!(tags::find_by_user(&db, &ann).await.unwrap().len(), 1);
}

async fn fifty_concurrent_increments_add_fifty(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let id = &create(&db, &ann, &["a"]).await[0].tag_id;
    let increments = (1..=50).map(|after| {
        let (db, ann, id) = (db.clone(), ann.clone(), id.clone());
        tokio::spawn(async move { tags::increment_usage(&db, &ann, &[id], NOW + after).await })
    });
    for outcome in join_all(increments).await {
        outcome.unwrap().unwrap();
    }
    assert_eq!(usage_count(&db, &ann, id).await, 50);
}

async fn a_decrement_stops_at_zero(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let ids: Vec<TagId> = create(&db, &ann, &["a", "b"]).await.into_iter().map(|tag| tag.tag_id).collect();
    for _ in 0..3 {
        tags::increment_usage(&db, &ann, &ids[..1], NOW).await.unwrap();
    }
    let unknown = TagId::from("unknown");
    let decrements = (0..5).map(|_| {
        let (db, ann, ids) = (db.clone(), ann.clone(), [&ids[..], std::slice::from_ref(&unknown)].concat());
        tokio::spawn(async move { tags::decrement_usage(&db, &ann, &ids, NOW + 7).await })
    });
    for outcome in join_all(decrements).await {
        outcome.unwrap().unwrap();
    }
    for id in &ids {
        let tag = tags::find_by_id(&db, &ann, id).await.unwrap().unwrap();
        assert_eq!((tag.usage_count, tag.created_at, tag.updated_at), (0, NOW, NOW + 7));
    }
}

async fn a_name_is_unique_for_its_user_whatever_its_case(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let long = "ÄÖ 读书 ".repeat(100);
    for (name, same) in [("Ünï 读书", "  üNÏ 读书 "), (long.as_str(), &long.to_lowercase()), ("a  b", "A  B")]
    {
        let made = create(&db, &ann, &[name]).await;
        assert_eq!(tags::find_by_name(&db, &ann, same).await.unwrap().as_ref(), made.first());
        let error = tags::create(&db, &ann, &[tag(same)]).await.unwrap_err();
        assert!(error.is_unique_violation(), "{name}: {error:?}");
        create(&db, &bob, &[same]).await;
    }
    // Accents and blanks inside a name count.
    create(&db, &ann, &["Uni 读书", "a b"]).await;
}

async fn the_key_changes_only_when_asked(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = create(&db, &ann, &["work", "rest"]).await;
    let id = &made[0].tag_id;
    // As a migrated tag whose name clashed with an older one.
    overwrite(&db, ("tags", "name_key"), ("tag_id", id.as_str()), "work#1").await;
    let rename = |name, new_key| Changes { name: Some(name), new_key, color: &Patch::Keep };
    assert!(tags::update(&db, &ann, id, &rename("WORK", false), NOW).await.unwrap());
    assert_eq!(tags::find_by_name(&db, &ann, "work").await.unwrap(), None);
    assert_eq!(tags::find_by_name(&db, &ann, "work#1").await.unwrap().unwrap().name, "WORK");
    let error = tags::update(&db, &ann, id, &rename("Rest", true), NOW).await.unwrap_err();
    assert!(error.is_unique_violation(), "{error:?}");
    assert!(tags::update(&db, &ann, id, &rename("Play", true), NOW).await.unwrap());
    assert_eq!(tags::find_by_name(&db, &ann, "pLAY").await.unwrap().unwrap().tag_id, *id);
}

async fn an_update_changes_what_it_names(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = create(&db, &ann, &["a", "other"]).await;
    let id = &made[0].tag_id;
    let red = Patch::Set("red".to_owned());
    let steps = [
        (None, &red, "a", Some("red")),
        (Some("b"), &Patch::Keep, "b", Some("red")),
        (None, &Patch::Clear, "b", None),
    ];
    for (later, (name, color, expected_name, expected_color)) in (1..).zip(steps) {
        let changes = Changes { name, new_key: true, color };
        assert!(tags::update(&db, &ann, id, &changes, NOW + later).await.unwrap());
        let expected = Tag {
            name: expected_name.to_owned(),
            color: expected_color.map(str::to_owned),
            updated_at: NOW + later,
            ..made[0].clone()
        };
        assert_eq!(tags::find_by_id(&db, &ann, id).await.unwrap(), Some(expected));
    }
    assert_eq!(tags::find_by_id(&db, &ann, &made[1].tag_id).await.unwrap().as_ref(), Some(&made[1]));
}

async fn texts_and_times_come_back_as_written(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let texts = TEXTS.iter().zip(TIMES.iter().cycle()).map(|(text, time)| Tag {
        color: Some((*text).to_owned()),
        created_at: *time,
        updated_at: time.wrapping_neg(),
        usage_count: i32::MAX,
        ..tag(text)
    });
    let made: Vec<Tag> = texts.collect();
    tags::create(&db, &ann, &made).await.unwrap();
    let ids: Vec<TagId> = made.iter().map(|tag| tag.tag_id.clone()).collect();
    assert_eq!(tags::find_by_ids(&db, &ann, &ids).await.unwrap(), made);
    for tag in made {
        assert_eq!(tags::find_by_name(&db, &ann, &tag.name).await.unwrap(), Some(tag));
    }
}

async fn tags_of_others_are_invisible(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let made = create(&db, &ann, &["a"]).await;
    let id = &made[0].tag_id;
    let ids = std::slice::from_ref(id);

    assert_eq!(tags::find_by_user(&db, &bob).await.unwrap(), []);
    assert_eq!(tags::find_by_id(&db, &bob, id).await.unwrap(), None);
    assert_eq!(tags::find_by_ids(&db, &bob, ids).await.unwrap(), []);
    assert_eq!(tags::find_by_ids_for_update(&db, &bob, ids).await.unwrap(), []);
    assert_eq!(tags::find_by_name(&db, &bob, "a").await.unwrap(), None);
    assert_eq!(tags::find_by_names_for_update(&db, &bob, &["a"]).await.unwrap(), []);

    let changes = Changes { name: Some("b"), new_key: true, color: &Patch::Set("red".to_owned()) };
    assert!(!tags::update(&db, &bob, id, &changes, NOW + 1).await.unwrap());
    tags::increment_usage(&db, &bob, ids, NOW + 1).await.unwrap();
    tags::decrement_usage(&db, &bob, ids, NOW + 1).await.unwrap();
    assert!(!tags::delete(&db, &bob, id).await.unwrap());
    assert_eq!(tags::find_by_user(&db, &ann).await.unwrap(), made);

    assert!(tags::delete(&db, &ann, id).await.unwrap());
    assert!(!tags::delete(&db, &ann, id).await.unwrap());
    assert_eq!(tags::find_by_user(&db, &ann).await.unwrap(), []);
}
