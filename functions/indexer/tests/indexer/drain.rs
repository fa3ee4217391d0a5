//! What is written gets a vector, what is deleted loses it, and no text is paid for twice.

use indexer::{Drained, Index};
use serde_json::json;
use shared::{clients::Patience, ids::MemoId};
use std::time::Duration;
use testing::{Answering, Kind, on_every_database};

use crate::{Desk, NOW, drain, embeddings, texts, vector};

on_every_database!(
    vectors_follow_the_memos,
    no_text_is_paid_for_twice,
    a_user_catches_up_with_what_they_wrote,
    a_text_that_is_refused_does_not_hold_up_the_others,
    the_neighbours_are_those_of_the_user_and_in_order,
);

fn stored(stored: usize) -> Drained {
    Drained { stored, ..Drained::default() }
}

async fn vectors_follow_the_memos(kind: Kind) {
    let desk = Desk::start(kind).await;
    assert_eq!(desk.drain().await, Drained::default());
    assert!(!desk.store.exists(), "nothing is opened for nothing");
    let ids = [desk.write("读书 📚").await, desk.write("running shoes").await, desk.write("third").await];
    assert_eq!(desk.pending().await, 3);
    assert_eq!(desk.drain().await, stored(3));
    assert_eq!(desk.provider.asked().len(), 1, "one call for all");
    assert_eq!(desk.pending().await, 0);
    desk.assert_vector(&ids[0], Some("读书 📚")).await;
    let row = desk.rows(&[&ids[1]]).await.remove(0);
    assert_eq!((row.uid.as_str(), row.updated_at), (desk.ann.uid.as_str(), NOW));
    assert_eq!(row.model_hash.as_deref(), Some(desk.server.app.embeddings().model_hash()));

    desk.edit(&ids[0], "看电影").await;
    desk.delete(&ids[1]).await;
    assert_eq!(desk.drain().await, Drained { removed: 1, ..stored(1) });
    desk.assert_vector(&ids[0], Some("看电影")).await;
    desk.assert_vector(&ids[1], None).await;
    desk.assert_vector(&ids[2], Some("third")).await;
    assert_eq!(desk.table().await.expect("a table").count().await.expect("a number"), 2);
    // Written and deleted before anybody looked.
    let gone = desk.write("never seen").await;
    desk.delete(&gone).await;
    assert_eq!(desk.drain().await, Drained { removed: 1, ..Drained::default() });
    assert!(!desk.texts_asked().contains(&"never seen".to_owned()));
}

async fn no_text_is_paid_for_twice(kind: Kind) {
    let desk = Desk::start(kind).await;
    for content in ["same", "same", "other"] {
        desk.write(content).await;
    }
    assert_eq!(desk.drain().await, stored(3));
    let mut asked = desk.texts_asked();
    asked.sort_unstable();
    assert_eq!(asked, ["other", "same"]);
    // The same process remembers, another one looks into the cache.
    let again = desk.write("other").await;
    desk.drain().await;
    let another = desk.another(kind).await;
    let twice = desk.write("same").await;
    assert_eq!(drain(&another).await, stored(1));
    assert_eq!(desk.texts_asked().len(), 2);
    desk.assert_vector(&again, Some("other")).await;
    desk.assert_vector(&twice, Some("same")).await;
    let patience = Patience { total: Duration::from_secs(5), retries: 0 };
    let query = Index::of(&another.app).embed("other", patience).await.expect("a vector");
    assert_eq!((query, desk.texts_asked().len()), (vector("other"), 2));
}

async fn a_user_catches_up_with_what_they_wrote(kind: Kind) {
    let desk = Desk::start(kind).await;
    let bob = desk.server.user().await;
    let theirs = bob.post("/api/v1/memos", json!({"content": "bob's"})).await;
    let theirs = theirs.data()["memo"]["memoId"].as_str().expect("an id").to_owned();
    let mine = desk.write("ann's").await;
    // Somebody has taken the note and is slow, or was killed: the user does not wait for that.
    let taken = format!("UPDATE vector_outbox SET next_attempt_at = {}, attempts = 1", NOW + 100_000);
    desk.server.execute(taken).await;
    Index::of(&desk.server.app).catch_up(&desk.uid()).await;
    desk.assert_vector(&mine, Some("ann's")).await;
    desk.assert_vector(&theirs, None).await;
    assert_eq!(desk.pending().await, 1);
    // What has failed waits for its time.
    let failed = format!("UPDATE vector_outbox SET next_attempt_at = {}, last_error = 'x'", NOW + 100_000);
    desk.server.execute(failed).await;
    Index::of(&desk.server.app).catch_up(&shared::ids::Uid::from(bob.uid.as_str())).await;
    desk.assert_vector(&theirs, None).await;
    desk.clock.set(NOW + 100_000);
    Index::of(&desk.server.app).catch_up(&shared::ids::Uid::from(bob.uid.as_str())).await;
    desk.assert_vector(&theirs, Some("bob's")).await;
}

async fn a_text_that_is_refused_does_not_hold_up_the_others(kind: Kind) {
    let desk = Desk::start_with(kind, |asked, _| {
        let is_bad = texts(asked).iter().any(|text| text.starts_with("bad"));
        if is_bad { Answering::text("no").status(400) } else { embeddings(asked) }
    })
    .await;
    let mut good = Vec::new();
    for n in 0..9 {
        good.push(desk.write(&format!("good {n}")).await);
        if n % 4 == 1 {
            desk.write(&format!("bad {n}")).await;
        }
    }
    assert_eq!(desk.drain().await, Drained { refused: 2, ..stored(9) });
    for (n, id) in good.iter().enumerate() {
        desk.assert_vector(id, Some(&format!("good {n}"))).await;
    }
    let status = Index::of(&desk.server.app).status().await.expect("the status");
    assert_eq!((status.pending, status.due, status.failing), (2, 0, 2));
    assert_eq!(status.errors.len(), 1, "{status:?}");
    assert_eq!(status.errors[0].error, "the provider answered with status 400");
    // Later and later.
    let mut waits = Vec::new();
    for _ in 0..4 {
        let next: Vec<(i64,)> = desk.server.fetch("SELECT MAX(next_attempt_at) FROM vector_outbox").await;
        waits.push(next[0].0 - shared::clock::Clock::now(&*desk.clock));
        desk.clock.set(next[0].0);
        assert_eq!(desk.drain().await, Drained { refused: 2, ..Drained::default() });
    }
    assert!(waits[0] <= 30_000 && waits[3] > 100_000, "{waits:?}");
}

async fn the_neighbours_are_those_of_the_user_and_in_order(kind: Kind) {
    let desk = Desk::start(kind).await;
    let index = Index::of(&desk.server.app);
    assert_eq!(index.nearest(&desk.uid(), &vector("a")).await.expect("nobody"), []);
    let bob = desk.server.user().await;
    bob.post("/api/v1/memos", json!({"content": "a"})).await.data();
    let mut ids = Vec::new();
    for content in ["a", "b", "c", "d"] {
        ids.push(desk.write(content).await);
    }
    desk.drain().await;
    let found = index.nearest(&desk.uid(), &vector("a")).await.expect("neighbours");
    assert_eq!(found.len(), 4);
    assert_eq!(found[0].memo.as_str(), ids[0]);
    assert!((found[0].score - 1.0).abs() < 1e-6);
    assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score), "{found:?}");
    let own = MemoId::from(ids[2].as_str());
    assert_eq!(index.vector(&desk.uid(), &own).await.expect("an answer"), Some(vector("c")));
    let bob = shared::ids::Uid::from(bob.uid.as_str());
    assert_eq!(index.vector(&bob, &own).await.expect("an answer"), None);
}
