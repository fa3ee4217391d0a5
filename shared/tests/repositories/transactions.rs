//! `Database::transaction`: all or nothing, run again after a conflict.

use std::{
    future::{pending, poll_fn},
    pin::pin,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures::future::join_all;
use shared::{
    db::{Database, Error, Executor, Options},
    dto::Patch,
    ids::{SystemRandom, TagId, Uid},
    repositories::tags,
};
use testing::{Kind, on_every_database, shared_database};
use tokio::sync::{Barrier, Notify};

use crate::{
    NOW, open,
    tags::{create, tag, usage_count},
};

on_every_database!(
    a_failed_transaction_leaves_nothing,
    others_see_nothing_before_the_commit,
    two_transactions_that_deadlock_both_succeed,
    writers_wait_for_locked_rows,
    a_conflict_that_stays_reaches_the_caller,
    a_refusal_is_not_tried_again,
    a_statement_after_the_end_is_an_error,
    an_abandoned_transaction_leaves_nothing,
    a_read_abandoned_at_any_point_harms_no_other,
);

async fn names(db: &Executor, uid: &Uid) -> Vec<String> {
    tags::find_by_user(db, uid).await.unwrap().into_iter().map(|tag| tag.name).collect()
}

/// Opens the database of this process with a single connection, which no test can do without.
async fn open_single(kind: Kind) -> Database {
    let options =
        Options { pool_size: 1, acquire_timeout: Duration::from_secs(20), ..shared_database(kind).await };
    Database::open(&options).unwrap()
}

async fn a_failed_transaction_leaves_nothing(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let kept = create(&db, &ann, &["kept"]).await.remove(0).tag_id;
    let (ann, kept) = (&ann, &kept);
    let failed = db.transaction(|tx| async move {
        create(&tx, ann, &["a", "b"]).await;
        tags::increment_usage(&tx, ann, std::slice::from_ref(kept), NOW).await?;
        tags::delete(&tx, ann, &tags::find_by_name(&tx, ann, "a").await?.unwrap().tag_id).await?;
        assert_eq!(names(&tx, ann).await.len(), 2, "a transaction sees its own writes");
        Err::<(), _>(Error::Internal("no".to_owned()))
    });
    assert_eq!(failed.await.unwrap_err().to_string(), "no");
    assert_eq!(names(&db, ann).await, ["kept"]);
    assert_eq!(usage_count(&db, ann, kept).await, 0);
}

async fn others_see_nothing_before_the_commit(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let (db, ann) = (&db, &ann);
    let done = db.transaction(|tx| async move {
        create(&tx, ann, &["a"]).await;
        assert_eq!(names(db, ann).await, [""; 0]);
        Ok::<_, Error>(())
    });
    done.await.unwrap();
    assert_eq!(names(db, ann).await, ["a"]);
}

async fn two_transactions_that_deadlock_both_succeed(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = create(&db, &ann, &["a", "b"]).await;
    let (a, b) = (made[0].tag_id.clone(), made[1].tag_id.clone());
    let (both_hold_one, attempts) = (&Barrier::new(2), &AtomicU32::new(0));
    let db = &db;
    let count_both = |first: TagId, second: TagId| {
        let ann = &ann;
        async move {
            let (first, second) = (&[first], &[second]);
            let counted = db.transaction(|tx| async move {
                let attempt = attempts.fetch_add(1, Ordering::Relaxed);
                tags::increment_usage(&tx, ann, first, NOW).await?;
                // SQLite has one writer, so the second transaction has not begun yet.
                if attempt < 2 && kind != Kind::Sqlite {
                    both_hold_one.wait().await;
                }
                tags::increment_usage(&tx, ann, second, NOW).await
            });
            counted.await
        }
    };
    let outcomes: [Result<(), Error>; 2] =
        tokio::join!(count_both(a.clone(), b.clone()), count_both(b.clone(), a.clone())).into();
    for outcome in outcomes {
        outcome.unwrap();
    }
    assert_eq!((usage_count(db, &ann, &a).await, usage_count(db, &ann, &b).await), (2, 2));
    let expected = if kind == Kind::Sqlite { 2 } else { 3 };
    assert_eq!(attempts.load(Ordering::Relaxed), expected, "one of them was the victim, once");
}

async fn writers_wait_for_locked_rows(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let id = create(&db, &ann, &["a"]).await.remove(0).tag_id;
    let writers = (0..64).map(|number| {
        let (db, ann, id) = (db.clone(), ann.clone(), id.clone());
        tokio::spawn(async move {
            let (ann, ids) = (&ann, &[id]);
            let counted = db.transaction(|tx| async move {
                let locked = match number % 2 {
                    0 => tags::find_by_ids_for_update(&tx, ann, ids).await?,
                    _ => tags::find_by_names_for_update(&tx, ann, &["a"]).await?,
                };
                // Lost, if another writer came between the read and this.
                let count = 1 + locked[0].color.as_deref().map_or(0, |count| count.parse::<i32>().unwrap());
                let color = &Patch::Set(count.to_string());
                let changes = tags::Changes { name: None, new_key: false, color };
                tags::update(&tx, ann, &ids[0], &changes, NOW).await
            });
            counted.await
        })
    });
    for outcome in join_all(writers).await {
        let outcome: Result<bool, Error> = outcome.unwrap();
        assert!(outcome.unwrap());
    }
    assert_eq!(tags::find_by_id(&db, &ann, &id).await.unwrap().unwrap().color.as_deref(), Some("64"));
}

async fn a_conflict_that_stays_reaches_the_caller(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    create(&db, &ann, &["taken"]).await;
    let (ann, attempts) = (&ann, &AtomicU32::new(0));
    let refused = db.transaction(|tx| async move {
        attempts.fetch_add(1, Ordering::Relaxed);
        tags::create(&tx, ann, &[tag("free")]).await?;
        tags::create(&tx, ann, &[tag("TAKEN")]).await
    });
    let error: Error = refused.await.unwrap_err();
    assert!(error.is_unique_violation(), "{error:?}");
    assert!(attempts.load(Ordering::Relaxed) > 1, "another writer's row may be gone when it is run again");
    assert_eq!(names(&db, ann).await, ["taken"]);
}

async fn a_refusal_is_not_tried_again(kind: Kind) {
    let (db, ..) = open(kind).await;
    let attempts = &AtomicU32::new(0);
    let refused = db.transaction(|_| async move {
        attempts.fetch_add(1, Ordering::Relaxed);
        Err::<(), _>(Error::Internal("no".to_owned()))
    });
    assert!(refused.await.is_err());
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
}

async fn a_statement_after_the_end_is_an_error(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let committed = db.transaction(|tx| async move { Ok::<_, Error>(tx) }).await.unwrap();
    let escaped = &Mutex::new(None);
    let failed = db.transaction(|tx| async move {
        *escaped.lock().unwrap() = Some(tx);
        Err::<(), _>(Error::Internal("no".to_owned()))
    });
    assert!(failed.await.is_err());
    let rolled_back = escaped.lock().unwrap().take().unwrap();
    for ended in [committed, rolled_back] {
        let error = tags::create(&ended, &ann, &[tag("late")]).await.unwrap_err();
        assert_eq!(error.to_string(), "tags.create: the transaction has ended");
        let error = tags::find_by_user(&ended, &ann).await.unwrap_err();
        assert_eq!(error.to_string(), "tags.find_by_user: the transaction has ended");
    }
    assert_eq!(names(&db, &ann).await, [""; 0]);
}

async fn an_abandoned_transaction_leaves_nothing(kind: Kind) {
    let db = open_single(kind).await;
    let ann = &Uid::new(&SystemRandom);
    for _ in 0..3 {
        let written = &Notify::new();
        let endless = db.transaction(|tx| async move {
            create(&tx, ann, &["a"]).await;
            written.notify_one();
            pending::<Result<(), Error>>().await
        });
        tokio::select! {
            _ = endless => unreachable!("it has no end"),
            () = written.notified() => {}
        }
        assert_eq!(names(&db, ann).await, [""; 0]);
    }
    create(&db, ann, &["a"]).await;
    assert_eq!(names(&db, ann).await, ["a"]);
}

/// Drops a future that is not ready after some polls, as a server does when the client is gone.
async fn abandon_after<F: Future>(polls: usize, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|cx| {
        left -= 1;
        match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Not on MySQL: there an abandoned statement can leave its connection unusable. That is why requests are
/// served to the end (`shared::http`).
mod a_transaction_abandoned_at_any_point_is_all_or_nothing {
    use super::{Kind, all_or_nothing};

    #[tokio::test(flavor = "multi_thread")]
    async fn sqlite() {
        all_or_nothing(Kind::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        all_or_nothing(Kind::Postgres).await;
    }
}

async fn all_or_nothing(kind: Kind) {
    let db = open_single(kind).await;
    let mut abandoned = 0;
    names(&db, &Uid::new(&SystemRandom)).await;
    // How often a transaction must be polled differs from time to time.
    for polls in (1..40).cycle().take(400) {
        let ann = &Uid::new(&SystemRandom);
        let work = db.transaction(|tx| async move {
            tags::create(&tx, ann, &[tag("a")]).await?;
            tags::find_by_user(&tx, ann).await?;
            tags::create(&tx, ann, &[tag("b")]).await
        });
        let outcome: Option<Result<(), Error>> = abandon_after(polls, work).await;
        let stored = names(&db, ann).await.len();
        if let Some(done) = outcome {
            done.unwrap();
            assert_eq!(stored, 2);
        } else {
            assert!(stored == 0 || stored == 2, "{stored} after {polls} polls");
            abandoned += 1;
        }
    }
    assert!(abandoned > 10, "it was abandoned only {abandoned} times");
}

async fn a_read_abandoned_at_any_point_harms_no_other(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    create(&db, &ann, &["of Ann"]).await;
    create(&db, &bob, &["of Bob"]).await;
    for polls in (1..12).cycle().take(60) {
        // A statement is prepared when a connection gets it first, and that is a point to be abandoned at too.
        let db = open_single(kind).await;
        names(&db, &ann).await;
        abandon_after(polls, tags::find_by_name(&db, &ann, "of Ann")).await;
        assert_eq!(names(&db, &bob).await, ["of Bob"], "after {polls} polls");
        assert_eq!(tags::find_by_name(&db, &bob, "of Ann").await.unwrap(), None, "after {polls} polls");
    }
}
