//! An indexer that is killed at each of its steps, with vectors in a bucket: the next one does what is left.

use std::{ops::Range, sync::mpsc::Receiver, time::Duration};

use testing::{Kind, run_with_s3_credentials, s3_vector_settings};
use vectors::{
    Store, StoreOptions, VectorKind, VectorTable,
    testing::{Proxy, Stop},
};

use crate::{
    Desk,
    kill::{kill, pass_claims, program},
    vector,
};

/// The steps that a bucket sees, in their order: what is stopped when the process is killed, and the words of the
/// request's line.
const STEPS: [(&str, Stop, [&str; 2]); 8] = [
    ("looks into the cache", Stop::Request, ["", "/embedding_cache.lance/"]),
    ("writes into the cache", Stop::Request, ["PUT ", "/embedding_cache.lance/data/"]),
    ("commits to the cache", Stop::Request, ["PUT ", "/embedding_cache.lance/_versions/"]),
    ("has committed to the cache", Stop::Answer, ["PUT ", "/embedding_cache.lance/_versions/"]),
    ("looks at the vectors", Stop::Request, ["", "/memo_vectors.lance/"]),
    ("writes vectors", Stop::Request, ["PUT ", "/memo_vectors.lance/data/"]),
    ("commits vectors", Stop::Request, ["PUT ", "/memo_vectors.lance/_versions/"]),
    ("has committed vectors", Stop::Answer, ["PUT ", "/memo_vectors.lance/_versions/"]),
];

/// Between the answer of the provider and the commit to the cache.
const PAID_TWICE: Range<usize> = 1..3;

#[test]
fn an_indexer_killed_at_any_step_loses_and_doubles_nothing() {
    run_with_s3_credentials("steps::is_killed_at_each_step");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by an_indexer_killed_at_any_step_loses_and_doubles_nothing"]
async fn is_killed_at_each_step() {
    tokio::join!(on(Kind::Sqlite), on(Kind::Postgres), on(Kind::MariaDb));
}

async fn on(kind: Kind) {
    let desk = Desk::start(kind).await;
    let settings = s3_vector_settings();
    let setting = |name| settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let (uri, endpoint) = (setting("LANCEDB_URI").expect("a place"), setting("LANCEDB_S3_ENDPOINT"));
    let proxy =
        Proxy::start(endpoint.as_deref().unwrap_or_default().trim_start_matches("http://")).expect("a port");
    let bucket = StoreOptions { uri, endpoint, region: Some("us-east-1".to_owned()), ..StoreOptions::default() };
    let indexer = || {
        let mut program = program(&desk);
        program.envs(settings.clone());
        program
    };
    let run = async || {
        let mut program = indexer();
        let status = tokio::task::spawn_blocking(move || program.status()).await.expect("no panic");
        assert!(status.expect("the program runs").success());
        assert_eq!(desk.pending().await, 0);
    };
    // This one makes the tables.
    let mut edited = (desk.write("edited").await, String::new());
    let mut deleted = desk.write("deleted").await;
    run().await;
    for (number, (step, stop, words)) in STEPS.into_iter().enumerate() {
        desk.delete(&deleted).await;
        edited.1 = format!("edited before it {step}");
        desk.edit(&edited.0, &edited.1).await;
        let text = format!("new before it {step}");
        let new = (desk.write(&text).await, text);

        let reached = proxy.stop(stop, move |line| words.iter().all(|word| line.contains(word)));
        let process = indexer().env("LANCEDB_S3_ENDPOINT", proxy.url()).spawn().expect("the program starts");
        wait_for(reached).await;
        kill(process);
        assert_eq!(desk.pending().await, 3, "{step}");
        pass_claims(&desk).await;
        run().await;

        let store = Store::open(&bucket).await.expect("a store");
        let table = VectorTable::open(&store, VectorKind::Memo).await.expect("an answer").expect("the table");
        let found = table.find(&[&deleted, &edited.0, &new.0]).await.expect("rows");
        let mut found: Vec<_> = found.into_iter().map(|row| (row.id, row.vector)).collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        let mut expected = [&edited, &new].map(|(id, text)| (id.clone(), vector(text)));
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!((found.as_slice(), table.count().await.expect("a number")), (&expected[..], 2), "{step}");
        // What is in the cache is not paid for again.
        let paid = desk.texts_asked().iter().filter(|text| **text == new.1).count();
        assert_eq!(paid, if PAID_TWICE.contains(&number) { 2 } else { 1 }, "{step}");
        deleted = new.0;
    }
}

async fn wait_for(reached: Receiver<()>) {
    let reached = tokio::task::spawn_blocking(move || reached.recv_timeout(Duration::from_mins(2)));
    reached.await.expect("no panic").expect("the step is reached");
}
