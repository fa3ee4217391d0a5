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
    all_tags_come_oldest_first,
    a_batch_with_a_name_that_is_taken_stores_nothing,
    fifty_concurrent_increments_add_fifty,
    a_decrement_stops_at_zero,
    unknown_tags_are_not_counted,
    a_name_is_unique_for_its_user_whatever_its_case,
    the_key_stays_when_only_the_case_of_a_name_changes,
    an_update_changes_what_it_names,
    names_and_times_come_back_as_written,
    tags_of_others_are_invisible,
);

pub fn tag(name: &str) -> Tag {
    let tag_id = TagId::new(&SystemRandom);
    Tag { tag_id, name: name.to_owned(), color: None, usage_count: 0, created_at: NOW, updated_at: NOW }
}

pub async fn stored(db: &Executor, uid: &Uid, names: &[&str]) -> Vec<Tag> {
    let made: Vec<Tag> = names.iter().map(|name| tag(name)).collect();
    tags::create(db, uid, &made).await.unwrap();
    made
}

async fn usage_count(db: &Executor, uid: &Uid, id: &TagId) -> i32 {
    tags::find_by_id(db, uid, id).await.unwrap().unwrap().usage_count
}

async fn batches_come_in_the_order_asked(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made: Vec<Tag> = (0..KNOWN).map(|number| tag(&format!("tag {number}"))).collect();
    tags::create(&db, &ann, &made).await.unwrap();
    let known: Vec<TagId> = made.iter().map(|tag| tag.tag_id.clone()).collect();
    for size in BATCHES {
        let asked = batch(&known, size);
        let found = tags::find_by_ids(&db, &ann, &asked).await.unwrap();
        let found: Vec<TagId> = found.into_iter().map(|tag| tag.tag_id).collect();
        assert_eq!(found, only_known(&asked, &known), "{size}");

        let locked = db.transaction(|tx| {
            let (ann, asked) = (&ann, &asked);
            async move { tags::find_by_ids_for_update(&tx, ann, asked).await }
        });
        assert_eq!(locked.await.unwrap().len(), found.len(), "{size}");
    }
    let before = db.statements();
    tags::find_by_ids(&db, &ann, &[]).await.unwrap();
    tags::create(&db, &ann, &[]).await.unwrap();
    tags::increment_usage(&db, &ann, &[], NOW).await.unwrap();
    assert_eq!(db.statements(), before, "nothing asked, nothing sent");

    let twice = [known[3].clone(), known[1].clone(), known[3].clone()];
    let found = tags::find_by_ids(&db, &ann, &twice).await.unwrap();
    assert_eq!(found, [made[3].clone(), made[1].clone(), made[3].clone()]);
}

async fn all_tags_come_oldest_first(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let mut made: Vec<Tag> =
        [5, 3, 9, 3].iter().map(|age| Tag { created_at: NOW - age, ..tag(&format!("{age} {}", SystemRandomName)) }).collect();
    tags::create(&db, &ann, &made).await.unwrap();
    made.sort_by(|a, b| (a.created_at, &a.tag_id).cmp(&(b.created_at, &b.tag_id)));
    assert_eq!(tags::find_by_user(&db, &ann).await.unwrap(), made);
    assert_eq!(tags::find_by_user(&db, &bob).await.unwrap(), []);
}
