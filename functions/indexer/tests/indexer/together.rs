//! Several who index at once, and memos that change meanwhile.

use std::sync::{
    Arc, Mutex,
    mpsc::{Receiver, Sender, channel},
};

use futures::future::join_all;
use indexer::{Drained, Index};
use testing::{Answering, Asked, Kind, on_every_database};
use tokio::task::JoinHandle;

use crate::{Desk, drain, embeddings, texts};

on_every_database!(
    indexers_at_once_share_the_work,
    a_memo_edited_while_it_is_embedded_ends_with_its_last_text,
    a_memo_deleted_while_it_is_embedded_ends_without_a_vector,
    an_older_text_that_is_stored_last_does_not_stay,
);

/// A provider that waits for the test before it embeds texts that begin with `slow`.
fn gate() -> (impl Fn(&Asked, usize) -> Answering + Send + Sync + 'static, Receiver<()>, Sender<()>) {
    let ((asked, is_asked), (go, may_go)) = (channel(), channel());
    let (asked, may_go) = (Mutex::new(asked), Mutex::new(may_go));
    let answer = move |request: &Asked, _: usize| {
        if texts(request).iter().any(|text| text.starts_with("slow")) {
            let _ = asked.lock().expect("no panic").send(());
            let _ = may_go.lock().expect("no panic").recv();
        }
        embeddings(request)
    };
    (answer, is_asked, go)
}

/// Begins to drain, and returns when the provider waits for the test.
async fn draining(desk: &Arc<Desk>, is_asked: Receiver<()>) -> JoinHandle<Drained> {
    let draining = tokio::spawn({
        let desk = Arc::clone(desk);
        async move { desk.drain().await }
    });
    tokio::task::spawn_blocking(move || is_asked.recv()).await.expect("no panic").expect("the provider is asked");
    draining
}

async fn indexers_at_once_share_the_work(kind: Kind) {
    let desk = Desk::start(kind).await;
    let mut ids = Vec::new();
    for n in 0..300 {
        ids.push(desk.write(&format!("memo {n}")).await);
    }
    let mut indexers = Vec::new();
    for _ in 0..4 {
        indexers.push(desk.another(kind).await);
    }
    let drained = join_all(indexers.iter().map(drain)).await;
    assert_eq!(drained.iter().map(|drained| drained.stored).sum::<usize>(), 300, "{drained:?}");
    let mut asked = desk.texts_asked();
    assert_eq!(asked.len(), 300, "each text is paid for once");
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 300);
    assert_eq!(desk.table().await.expect("a table").count().await.expect("a number"), 300);
    desk.assert_vector(&ids[123], Some("memo 123")).await;
    assert_eq!(desk.pending().await, 0);
}

async fn a_memo_edited_while_it_is_embedded_ends_with_its_last_text(kind: Kind) {
    let (answer, is_asked, go) = gate();
    let desk = Arc::new(Desk::start_with(kind, answer).await);
    let id = desk.write("slow").await;
    let draining = draining(&desk, is_asked).await;
    desk.edit(&id, "new").await;
    go.send(()).expect("the provider waits");
    let drained = draining.await.expect("no panic");
    // The new note is not the one that was applied, and is applied by the same run.
    assert_eq!((drained.stored, drained.superseded), (1, 1), "{drained:?}");
    desk.assert_vector(&id, Some("new")).await;
    assert_eq!(desk.pending().await, 0);
}

async fn a_memo_deleted_while_it_is_embedded_ends_without_a_vector(kind: Kind) {
    let (answer, is_asked, go) = gate();
    let desk = Arc::new(Desk::start_with(kind, answer).await);
    let id = desk.write("slow").await;
    let draining = draining(&desk, is_asked).await;
    desk.delete(&id).await;
    go.send(()).expect("the provider waits");
    draining.await.expect("no panic");
    desk.assert_vector(&id, None).await;
    assert_eq!(desk.pending().await, 0);
}

async fn an_older_text_that_is_stored_last_does_not_stay(kind: Kind) {
    let (answer, is_asked, go) = gate();
    let desk = Arc::new(Desk::start_with(kind, answer).await);
    let id = desk.write("slow").await;
    let draining = draining(&desk, is_asked).await;
    // Another process does all of the newer text before the older one is embedded.
    desk.edit(&id, "new").await;
    let another = desk.another(kind).await;
    Index::of(&another.app).catch_up(&desk.uid()).await;
    desk.assert_vector(&id, Some("new")).await;
    assert_eq!(desk.pending().await, 0);
    go.send(()).expect("the provider waits");
    let drained = draining.await.expect("no panic");
    assert_eq!(drained, Drained { stored: 1, superseded: 1, ..Drained::default() });
    desk.assert_vector(&id, Some("new")).await;
    assert_eq!(desk.pending().await, 0);
}
