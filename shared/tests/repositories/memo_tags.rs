//! `memo_tags`

use shared::{
    ids::{MemoId, SystemRandom, TagId},
    repositories::memo_tags,
};
use testing::{Kind, on_every_database};

use crate::{BATCHES, KNOWN, NOW, batch, only_known, open, overwrite, tags};

on_every_database!(
    tags_keep_their_order_on_a_memo,
    batches_of_memos_of_any_size_are_found,
    a_memo_carries_a_tag_once,
    deleting_takes_off_what_it_names,
    a_tag_that_is_gone_keeps_its_id,
    tags_on_memos_of_others_are_invisible,
);

fn memo_ids(count: usize) -> Vec<MemoId> {
    (0..count).map(|_| MemoId::new(&SystemRandom)).collect()
}

fn ids(tags: &[shared::dto::tags::Tag]) -> Vec<TagId> {
    tags.iter().map(|tag| tag.tag_id.clone()).collect()
}

async fn tags_keep_their_order_on_a_memo(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let names: Vec<String> = (0..1001).map(|number| format!("tag {number}")).collect();
    let made = tags::create(&db, &ann, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let memos = memo_ids(3);
    let reversed: Vec<TagId> = ids(&made).into_iter().rev().collect();
    memo_tags::create(&db, &ann, &memos[0], &reversed, NOW).await.unwrap();
    memo_tags::create(&db, &ann, &memos[1], &ids(&made[..2]), NOW).await.unwrap();
    memo_tags::create(&db, &ann, &memos[2], &[], NOW).await.unwrap();
    let found = memo_tags::find_by_memos(&db, &ann, &memos).await.unwrap();
    assert_eq!(found[&memos[0]].ids, reversed);
    assert_eq!(found[&memos[0]].tags, made.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(found[&memos[1]].tags, made[..2]);
    assert!(!found.contains_key(&memos[2]));
}

async fn batches_of_memos_of_any_size_are_found(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let tag = ids(&tags::create(&db, &ann, &["a"]).await);
    let (known, tag) = (&memo_ids(KNOWN), &tag);
    let stored = db.transaction(|tx| {
        let ann = &ann;
        async move {
            for memo in known {
                memo_tags::create(&tx, ann, memo, tag, NOW).await?;
            }
            Ok::<_, shared::db::Error>(())
        }
    });
    stored.await.unwrap();
    for size in BATCHES {
        let asked = batch(known, size);
        let found = memo_tags::find_by_memos(&db, &ann, &asked).await.unwrap();
        assert_eq!(found.len(), only_known(&asked, known).len(), "{size}");
        assert!(found.values().all(|carried| carried.ids == *tag && carried.tags.len() == 1));
    }
    let before = db.statements();
    memo_tags::find_by_memos(&db, &ann, &[]).await.unwrap();
    memo_tags::create(&db, &ann, &known[0], &[], NOW).await.unwrap();
    assert_eq!(db.statements(), before, "nothing asked, nothing sent");
}

async fn a_memo_carries_a_tag_once(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let (memo, tag, other) = (MemoId::new(&SystemRandom), TagId::new(&SystemRandom), TagId::new(&SystemRandom));
    memo_tags::create(&db, &ann, &memo, std::slice::from_ref(&tag), NOW).await.unwrap();
    let error = memo_tags::create(&db, &ann, &memo, &[other, tag.clone()], NOW).await.unwrap_err();
    assert!(error.is_unique_violation(), "{error:?}");
    let found = memo_tags::find_by_memos(&db, &ann, std::slice::from_ref(&memo)).await.unwrap();
    assert_eq!(found[&memo].ids, [tag]);
}

async fn deleting_takes_off_what_it_names(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let tags = ids(&tags::create(&db, &ann, &["a", "b", "c"]).await);
    let memos = memo_ids(3);
    for memo in &memos {
        memo_tags::create(&db, &ann, memo, &tags, NOW).await.unwrap();
    }
    memo_tags::delete_by_memo(&db, &ann, &memos[0]).await.unwrap();
    memo_tags::delete_by_tag(&db, &ann, &tags[1]).await.unwrap();
    let found = memo_tags::find_by_memos(&db, &ann, &memos).await.unwrap();
    assert!(!found.contains_key(&memos[0]));
    for memo in &memos[1..] {
        assert_eq!(found[memo].ids, [tags[0].clone(), tags[2].clone()]);
    }
}

async fn a_tag_that_is_gone_keeps_its_id(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let made = tags::create(&db, &ann, &["a", "b"]).await;
    let foreign = ids(&tags::create(&db, &bob, &["c"]).await).remove(0);
    let memo = MemoId::new(&SystemRandom);
    let carried = [TagId::from("gone"), made[1].tag_id.clone(), foreign, made[0].tag_id.clone()];
    memo_tags::create(&db, &ann, &memo, &carried, NOW).await.unwrap();
    overwrite(&db, ("tags", "name"), ("tag_id", made[0].tag_id.as_str()), "renamed").await;
    let found = memo_tags::find_by_memos(&db, &ann, std::slice::from_ref(&memo)).await.unwrap();
    assert_eq!(found[&memo].ids, carried);
    let names: Vec<&str> = found[&memo].tags.iter().map(|tag| tag.name.as_str()).collect();
    assert_eq!(names, ["b", "renamed"]);
}

async fn tags_on_memos_of_others_are_invisible(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let tag = ids(&tags::create(&db, &ann, &["a"]).await);
    let memo = MemoId::new(&SystemRandom);
    memo_tags::create(&db, &ann, &memo, &tag, NOW).await.unwrap();
    let memos = std::slice::from_ref(&memo);
    assert!(memo_tags::find_by_memos(&db, &bob, memos).await.unwrap().is_empty());
    memo_tags::delete_by_memo(&db, &bob, &memo).await.unwrap();
    memo_tags::delete_by_tag(&db, &bob, &tag[0]).await.unwrap();
    assert_eq!(memo_tags::find_by_memos(&db, &ann, memos).await.unwrap()[&memo].ids, tag);
}
