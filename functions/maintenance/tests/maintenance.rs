//! Maintenance of a product with a store, and with parts of it broken.

use std::{path::PathBuf, sync::Arc, time::Duration};

use indexer::{Drained, Index};
use maintenance::{Repaired, repair};
use serde_json::json;
use shared::clock::ManualClock;
use testing::{Client, Kind, Server, Settings, directory, empty_database, on_every_database};
use vectors::{CacheKey, CacheKind, EmbeddingCache, Store, StoreOptions, VectorKind, VectorRow, VectorTable};

on_every_database!(
    what_is_missing_outdated_or_stray_is_mended,
    vectors_of_another_model_are_made_again,
    every_step_is_reported_and_none_stops_the_others,
    a_table_of_many_fragments_does_not_wait_for_the_night,
    recommendations_are_forgotten_after_a_month,
);

const NOW: i64 = 1_750_000_000_000;

struct Desk {
    server: Server,
    clock: Arc<ManualClock>,
    ann: Client,
    store: PathBuf,
}

impl Desk {
    async fn start(kind: Kind) -> Self {
        let options = empty_database(kind).await;
        let store = directory("lancedb");
        let clock = Arc::new(ManualClock::at(NOW));
        let server = open(kind, &options.url, &store, &clock, 32).await;
        shared::db::schema::migrate(&server.app.context.db, NOW).await.expect("the schema can be made");
        let ann = server.user().await;
        Self { server, clock, ann, store }
    }

    async fn write(&self, content: &str) -> String {
        let made = self.ann.post("/api/v1/memos", json!({"content": content})).await;
        made.data()["memo"]["memoId"].as_str().expect("an id").to_owned()
    }

    async fn table(&self) -> VectorTable {
        let uri = self.store.display().to_string();
        let store =
            Store::open_or_create(&StoreOptions { uri, ..StoreOptions::default() }).await.expect("a store");
        VectorTable::open_or_create(&store, VectorKind::Memo, 32).await.expect("a table")
    }

    async fn ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        self.table().await.for_each(|row| ids.push(row.id.to_owned())).await.expect("read");
        ids.sort_unstable();
        ids
    }
}

async fn open(kind: Kind, url: &str, store: &std::path::Path, clock: &Arc<ManualClock>, length: usize) -> Server {
    let variables = vec![
        ("LANCEDB_URI", store.display().to_string()),
        ("OPENAI_EMBEDDING_DIMENSIONS", length.to_string()),
        ("EMBEDDING_PROVIDER", "local".to_owned()),
    ];
    let database_url = Some(url.to_owned());
    let settings = Settings { clock: Some(clock.clone()), variables, database_url, ..Settings::default() };
    Server::start_with(kind, settings).await
}

async fn drain(server: &Server) -> Drained {
    Index::of(&server.app).drain(Duration::from_mins(1)).await.expect("the database answers")
}

async fn what_is_missing_outdated_or_stray_is_mended(kind: Kind) {
    let desk = Desk::start(kind).await;
    assert_eq!(repair(&desk.server.app).await.expect("done"), Repaired::default());
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(desk.write(&format!("memo {n}")).await);
    }
    drain(&desk.server).await;
    let sound = Repaired { memos: 5, ..Repaired::default() };
    assert_eq!(repair(&desk.server.app).await.expect("done"), sound);

    let table = desk.table().await;
    table.delete(&[&ids[0]]).await.expect("deleted");
    let vector = table.find(&[&ids[1]]).await.expect("rows").remove(0).vector;
    let stray = |id: &str, uid: &str| VectorRow {
        id: id.to_owned(),
        uid: uid.to_owned(),
        vector: vector.clone(),
        model_hash: None,
        updated_at: NOW,
    };
    // Of no memo, and of a memo of somebody else.
    table.upsert(&[stray("gone", &desk.ann.uid), stray(&ids[2], "somebody else")]).await.expect("stored");
    desk.clock.set(NOW + 1000);
    desk.ann.put(&format!("/api/v1/memos/{}/tags", ids[3]), json!({"tags": ["new"]})).await.data();
    let found = repair(&desk.server.app).await.expect("done");
    assert_eq!(found, Repaired { memos: 5, missing: 2, outdated: 1, stray: 2 });
    desk.clock.set(NOW + 2000);
    drain(&desk.server).await;
    assert_eq!(repair(&desk.server.app).await.expect("done"), sound);
    let mut expected = ids.clone();
    expected.sort_unstable();
    assert_eq!(desk.ids().await, expected);
}

async fn vectors_of_another_model_are_made_again(kind: Kind) {
    let desk = Desk::start(kind).await;
    let id = desk.write("memo").await;
    drain(&desk.server).await;
    let table = desk.table().await;
    let mut row = table.find(&[&id]).await.expect("rows").remove(0);
    let own = row.model_hash.replace("another model".to_owned());
    row.vector.reverse();
    table.upsert(std::slice::from_ref(&row)).await.expect("stored");
    let found = repair(&desk.server.app).await.expect("done");
    assert_eq!(found, Repaired { memos: 1, missing: 1, ..Repaired::default() });
    drain(&desk.server).await;
    let again = table.find(&[&id]).await.expect("rows").remove(0);
    assert_eq!(again.model_hash, own);
    assert_ne!(again.vector, row.vector);
}

async fn every_step_is_reported_and_none_stops_the_others(kind: Kind) {
    let desk = Desk::start(kind).await;
    desk.write("memo").await;
    drain(&desk.server).await;
    let names = |report: &maintenance::Report| {
        report.steps.iter().map(|step| (step.step.clone(), step.error.is_none())).collect::<Vec<_>>()
    };
    let report = maintenance::run(&desk.server.app).await;
    assert!(!report.has_failed(), "{report:?}");
    assert_eq!(names(&report)[0], ("upkeep memo_vectors".to_owned(), true));

    // One table is damaged: the others are cared for, files are collected, and somebody is told.
    let damaged = desk.store.join("embedding_cache.lance/_versions");
    std::fs::create_dir_all(&damaged).expect("a directory");
    std::fs::write(damaged.join("1.manifest"), "garbage").expect("a file");
    let report = maintenance::run(&desk.server.app).await;
    assert!(report.has_failed());
    let steps = names(&report);
    assert!(steps.contains(&("upkeep embedding_cache".to_owned(), false)), "{steps:?}");
    for step in [
        "upkeep memo_vectors",
        "repair vectors",
        "collect files",
        "prune push deliveries",
        "prune recommendations",
    ] {
        assert!(steps.contains(&(step.to_owned(), true)), "{steps:?}");
    }
}

async fn a_table_of_many_fragments_does_not_wait_for_the_night(kind: Kind) {
    let desk = Desk::start(kind).await;
    desk.write("memo").await;
    drain(&desk.server).await;
    let uri = desk.store.display().to_string();
    let store = Store::open_or_create(&StoreOptions { uri, ..StoreOptions::default() }).await.expect("a store");
    let cache = EmbeddingCache::open_or_create(&store, CacheKind::Text, 32).await.expect("a cache");
    let key = CacheKey { model_hash: "model", modality_type: None };
    let app = &desk.server.app;
    let fragments = async |table: &str| maintenance::status(app).await.expect("an answer")[table].fragments;
    for n in fragments("embedding_cache").await..500 {
        cache.append(key, &[(&format!("c{n}"), &[0.5; 32])], NOW).await.expect("stored");
    }
    assert!(!maintenance::early(app).await.has_failed());
    assert_eq!((fragments("embedding_cache").await, fragments("memo_vectors").await), (500, 1));
    cache.append(key, &[("one more", &[0.5; 32])], NOW).await.expect("stored");
    let report = maintenance::early(app).await;
    assert!(!report.has_failed() && report.steps.len() == 2, "{report:?}");
    assert_eq!((fragments("embedding_cache").await, fragments("memo_vectors").await), (1, 1));
}

async fn recommendations_are_forgotten_after_a_month(kind: Kind) {
    let desk = Desk::start(kind).await;
    // Today is 2025-06-15.
    for date in ["2024-12-31", "2025-05-15", "2025-05-16", "2025-06-15"] {
        let row = format!("('{date}', 'u1', '{date}', '[]', 1)");
        let columns = "recommendation_id, uid, date, memo_ids, created_at";
        desk.server.execute(format!("INSERT INTO daily_recommendations ({columns}) VALUES {row}")).await;
    }
    assert!(!maintenance::run(&desk.server.app).await.has_failed());
    let left: Vec<(String,)> = desk.server.fetch("SELECT date FROM daily_recommendations ORDER BY date").await;
    assert_eq!(left, [("2025-05-16".to_owned(),), ("2025-06-15".to_owned(),)]);
}
