//! `memo_relations`

use shared::{
    clock::Millis,
    db::Executor,
    ids::{MemoId, RelationId, SystemRandom, Uid},
    repositories::memo_relations::{self, Edge},
};
use testing::{Kind, on_every_database};

use crate::{NOW, open};

on_every_database!(
    targets_keep_their_order,
    a_relation_exists_once,
    edges_of_many_memos_come_in_the_order_in_which_they_were_made,
    deleting_removes_one_direction,
    relations_of_others_are_invisible,
);

async fn relate(
    db: &Executor,
    uid: &Uid,
    source: &MemoId,
    targets: &[MemoId],
    now: Millis,
) -> shared::db::Result<()> {
    let edges: Vec<_> = targets.iter().map(|target| (RelationId::new(&SystemRandom), target.clone())).collect();
    memo_relations::create(db, uid, source, &edges, now).await
}

async fn targets_of(db: &Executor, uid: &Uid, source: &MemoId) -> Vec<MemoId> {
    let edges = memo_relations::find_by_sources(db, uid, std::slice::from_ref(source)).await.unwrap();
    edges.into_iter().map(|edge| edge.target).collect()
}

fn memo_ids(count: usize) -> Vec<MemoId> {
    (0..count).map(|_| MemoId::new(&SystemRandom)).collect()
}

async fn targets_keep_their_order(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let source = MemoId::new(&SystemRandom);
    for (count, now) in [(1, NOW), (0, NOW), (1001, 0), (1000, -1_000_000)] {
        memo_relations::delete_by_source(&db, &ann, &source).await.unwrap();
        let targets = memo_ids(count);
        relate(&db, &ann, &source, &targets, now).await.unwrap();
        assert_eq!(targets_of(&db, &ann, &source).await, targets);
    }
}

async fn a_relation_exists_once(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let memos = memo_ids(3);
    relate(&db, &ann, &memos[0], &memos[1..2], NOW).await.unwrap();
    let error = relate(&db, &ann, &memos[0], &[memos[2].clone(), memos[1].clone()], NOW).await.unwrap_err();
    assert!(error.is_unique_violation(), "{error:?}");
    assert_eq!(targets_of(&db, &ann, &memos[0]).await, memos[1..2]);
    // The other direction, and the same edge of another user, are other edges.
    relate(&db, &ann, &memos[1], &memos[..1], NOW).await.unwrap();
    relate(&db, &bob, &memos[0], &memos[1..2], NOW).await.unwrap();
}

async fn edges_of_many_memos_come_in_the_order_in_which_they_were_made(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let memos = memo_ids(4);
    let edge =
        |source: usize, target: usize| Edge { source: memos[source].clone(), target: memos[target].clone() };
    for (now, (source, target)) in (NOW..).zip([(2, 0), (0, 1), (3, 0), (1, 2)]) {
        relate(&db, &ann, &memos[source], &memos[target..=target], now).await.unwrap();
    }
    assert_eq!(memo_relations::find_by_sources(&db, &ann, &[]).await.unwrap(), []);
    assert_eq!(
        memo_relations::find_by_sources(&db, &ann, &memos).await.unwrap(),
        [edge(2, 0), edge(0, 1), edge(3, 0), edge(1, 2)]
    );
    assert_eq!(
        memo_relations::find_by_targets(&db, &ann, &memos[..2]).await.unwrap(),
        [edge(2, 0), edge(0, 1), edge(3, 0)]
    );
}

async fn deleting_removes_one_direction(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let memos = memo_ids(3);
    let targets = async |source: &MemoId| targets_of(&db, &ann, source).await;
    for (number, memo) in memos.iter().enumerate() {
        let others: Vec<MemoId> = memos.iter().filter(|other| *other != memo).cloned().collect();
        relate(&db, &ann, memo, &others, NOW + i64::try_from(number).unwrap()).await.unwrap();
    }
    memo_relations::delete_by_source(&db, &ann, &memos[0]).await.unwrap();
    assert_eq!(targets(&memos[0]).await, []);
    assert_eq!(targets(&memos[1]).await, [memos[0].clone(), memos[2].clone()]);
    memo_relations::delete_by_target(&db, &ann, &memos[0]).await.unwrap();
    assert_eq!(targets(&memos[1]).await, memos[2..]);
    assert_eq!(targets(&memos[2]).await, memos[1..2]);
}

async fn relations_of_others_are_invisible(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let memos = memo_ids(2);
    relate(&db, &ann, &memos[0], &memos[1..], NOW).await.unwrap();
    assert_eq!(targets_of(&db, &bob, &memos[0]).await, []);
    memo_relations::delete_by_source(&db, &bob, &memos[0]).await.unwrap();
    memo_relations::delete_by_target(&db, &bob, &memos[1]).await.unwrap();
    assert_eq!(targets_of(&db, &ann, &memos[0]).await, memos[1..]);
}
