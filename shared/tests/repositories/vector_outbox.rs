//! `vector_outbox`

use futures::future::join_all;
use sea_query::{Expr, ExprTrait, Query, UpdateStatement};
use shared::{
    clock::Millis,
    db::Executor,
    ids::{MemoId, SystemRandom},
    repositories::vector_outbox::{self, Op},
};
use testing::{Kind, on_every_database};

use crate::{NOW, open};

on_every_database!(
    the_last_write_wins_and_starts_afresh,
    the_time_of_a_note_always_grows,
    concurrent_notes_make_one_row,
);

/// A row: kind, owner, operation, time of the note, attempts, time of the next attempt, last error.
type Row = (String, String, String, Millis, i32, Millis, Option<String>);

async fn find(db: &Executor, memo: &MemoId) -> Vec<Row> {
    let select = Query::select()
        .columns(["kind", "uid", "op", "enqueued_at", "attempts", "next_attempt_at", "last_error"])
        .from("vector_outbox")
        .and_where(Expr::col("entity_id").eq(memo))
        .to_owned();
    db.fetch_all("test.find", &select).await.unwrap()
}

async fn the_last_write_wins_and_starts_afresh(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let memo = MemoId::new(&SystemRandom);
    let row = |op: &str, time| ("memo".to_owned(), ann.to_string(), op.to_owned(), time, 0, time, None);
    vector_outbox::upsert_memo(&db, &ann, &memo, Op::Upsert, NOW).await.unwrap();
    assert_eq!(find(&db, &memo).await, [row("upsert", NOW)]);

    // As whoever applies the notes leaves it after a failure.
    let failed: UpdateStatement = Query::update()
        .table("vector_outbox")
        .values([
            ("attempts", 3.into()),
            ("next_attempt_at", (NOW + 60_000).into()),
            ("last_error", "timeout".into()),
        ])
        .and_where(Expr::col("entity_id").eq(&memo))
        .to_owned();
    db.execute("test.fail", &failed).await.unwrap();

    vector_outbox::upsert_memo(&db, &ann, &memo, Op::Delete, NOW + 5).await.unwrap();
    assert_eq!(find(&db, &memo).await, [row("delete", NOW + 5)]);
    assert!(find(&db, &MemoId::from("unknown")).await.is_empty());
}

async fn the_time_of_a_note_always_grows(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let memo = MemoId::new(&SystemRandom);
    let steps = [(NOW, NOW), (NOW, NOW + 1), (NOW - 10, NOW + 2), (NOW + 1, NOW + 3), (NOW + 9, NOW + 9)];
    for (now, expected) in steps {
        vector_outbox::upsert_memo(&db, &ann, &memo, Op::Upsert, now).await.unwrap();
        let rows = find(&db, &memo).await;
        assert_eq!((rows[0].3, rows[0].5), (expected, now), "due at once, noted later than before");
    }
}

async fn concurrent_notes_make_one_row(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let memo = MemoId::new(&SystemRandom);
    let notes = (0..32).map(|_| {
        let (db, ann, memo) = (db.clone(), ann.clone(), memo.clone());
        tokio::spawn(async move { vector_outbox::upsert_memo(&db, &ann, &memo, Op::Upsert, NOW).await })
    });
    for outcome in join_all(notes).await {
        outcome.unwrap().unwrap();
    }
    let rows = find(&db, &memo).await;
    assert_eq!((rows.len(), rows[0].3), (1, NOW + 31));
}
