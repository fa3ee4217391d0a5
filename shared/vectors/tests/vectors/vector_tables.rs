//! `memo_vectors` and `attachment_vectors`.

use std::{collections::BTreeSet, sync::Arc};

use futures::future::join_all;
use serde_json::json;
use tokio::sync::Barrier;
use vectors::{
    Error, Store, VectorKind, VectorRow, VectorTable,
    testing::{vector, write_table},
};

use crate::{empty_store, options, read_all, snapshot};

const DIMENSION: usize = 16;

fn row(id: &str, uid: &str, seed: u64) -> VectorRow {
    let vector = vector(seed, DIMENSION);
    VectorRow { id: id.to_owned(), uid: uid.to_owned(), vector, model_hash: None, updated_at: 1 }
}

async fn memo_vectors(store: &Store) -> VectorTable {
    VectorTable::open_or_create(store, VectorKind::Memo, DIMENSION).await.expect("a table")
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_are_stored_replaced_found_and_deleted() {
    let (_directory, store) = empty_store().await;
    let table = memo_vectors(&store).await;
    assert_eq!((table.name(), table.dimension()), ("memo_vectors", DIMENSION));
    assert_eq!(table.count().await.expect("a number"), 0);
    assert_eq!(table.nearest("u", "m", &vector(1, DIMENSION), 5).await.expect("hits"), []);

    let quoted = "it's \"m2\" 笔记";
    let newer = VectorRow { model_hash: Some("hash".into()), updated_at: i64::MAX, ..row("m1", "u", 3) };
    table.upsert(&[row("m1", "u", 1), row(quoted, "u", 2)]).await.expect("stored");
    table.upsert(&[row("m1", "u", 9), row("m3", "u", 4), newer.clone()]).await.expect("stored");
    table.upsert(&[]).await.expect("nothing to do");
    assert_eq!(table.count().await.expect("a number"), 3);
    assert_eq!(table.find(&["m1", "absent"]).await.expect("rows"), [newer]);
    assert_eq!(table.find(&[quoted]).await.expect("rows"), [row(quoted, "u", 2)]);
    assert_eq!(table.find(&[]).await.expect("rows"), []);

    table.delete(&[quoted, "absent", "' OR true OR '"]).await.expect("deleted");
    table.delete(&[]).await.expect("nothing to do");
    assert_eq!(table.count().await.expect("a number"), 2);
    assert_eq!(table.find(&[quoted]).await.expect("rows"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn writing_the_same_twice_changes_nothing() {
    let (_directory, store) = empty_store().await;
    let table = memo_vectors(&store).await;
    let rows: Vec<_> = (0..200).map(|seed| row(&format!("m{seed}"), "u", seed)).collect();
    for _ in 0..2 {
        table.upsert(&rows).await.expect("stored");
        table.optimize().await.expect("compacted");
    }
    assert_eq!(table.count().await.expect("a number"), 200);
    let mut found = table.find(&rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>()).await.expect("rows");
    found.sort_by_key(|row| row.id[1..].parse::<u64>().expect("a number"));
    assert_eq!(found, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_once_double_nothing() {
    const WRITERS: u8 = 6;
    let (_directory, store) = empty_store().await;
    let table = memo_vectors(&store).await;
    // With something in the index, LanceDB merges in another way.
    table
        .upsert(&(0..100).map(|seed| row(&format!("old{seed}"), "u", seed)).collect::<Vec<_>>())
        .await
        .expect("stored");
    table.optimize().await.expect("compacted");
    let start = Arc::new(Barrier::new(WRITERS.into()));
    let writers = (0..WRITERS).map(|writer| {
        let (uri, start) = (store.uri().to_owned(), Arc::clone(&start));
        tokio::spawn(async move {
            let table = memo_vectors(&Store::open(&options(&uri)).await.expect("a store")).await;
            for round in 0..2 {
                let shared = (0..20).map(|n| row(&format!("m{round}-{n}"), "u", u64::from(writer) * 100 + n));
                let own = row(&format!("w{writer}-{round}"), "u", 1);
                start.wait().await;
                table.upsert(&shared.chain([own]).collect::<Vec<_>>()).await.expect("stored");
            }
        })
    });
    for writer in join_all(writers).await {
        writer.expect("no panic");
    }
    table.optimize().await.expect("compacted");
    let rows = read_all(&snapshot(&store, "memo_vectors").await).await;
    let ids: BTreeSet<_> = rows.iter().map(|row| row["memoId"].to_string()).collect();
    assert_eq!((rows.len(), ids.len()), (152, 152));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_create_the_table_at_once_share_it() {
    for _ in 0..5 {
        let (_directory, store) = empty_store().await;
        let creators = (0..6).map(|creator| {
            let uri = store.uri().to_owned();
            tokio::spawn(async move {
                let table = memo_vectors(&Store::open_or_create(&options(&uri)).await.expect("a store")).await;
                table.upsert(&[row(&format!("m{creator}"), "u", creator)]).await.expect("stored");
            })
        });
        for creator in join_all(creators).await {
            creator.expect("no panic");
        }
        assert_eq!(memo_vectors(&store).await.count().await.expect("a number"), 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_are_those_of_a_full_comparison() {
    let (_directory, store) = empty_store().await;
    let table = memo_vectors(&store).await;
    let rows: Vec<_> =
        (0..3000).map(|seed| row(&format!("m{seed}"), ["u'1", "u2"][usize::from(seed % 3 == 0)], seed)).collect();
    for rows in rows.chunks(1000) {
        table.upsert(rows).await.expect("stored");
    }
    for optimized in [false, true] {
        if optimized {
            table.optimize().await.expect("compacted");
        }
        for uid in ["u'1", "u2", "nobody"] {
            let query = vector(77_777, DIMENSION);
            let squares =
                |row: &VectorRow| row.vector.iter().zip(&query).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
            let mut expected: Vec<_> =
                rows.iter().filter(|row| row.uid == uid).map(|row| (squares(row), &row.id)).collect();
            expected.sort_by(|a, b| a.0.total_cmp(&b.0));
            for limit in [0, 1, 10, 100_000] {
                let hits = table.nearest(uid, "m", &query, limit).await.expect("hits");
                assert_eq!(hits.len(), limit.min(expected.len()), "{uid} {limit}");
                for (hit, (distance, id)) in hits.iter().zip(&expected) {
                    assert!((hit.distance - distance).abs() < 1e-5, "{uid}: {hit:?}, not {distance}");
                    assert!(hit.id == **id || limit > 10, "{uid}: {hit:?}, not {id}");
                }
            }
        }
    }
    let own = table.nearest("u'1", "m", &rows[1].vector, 1).await.expect("hits");
    assert_eq!((own[0].id.as_str(), own[0].distance), ("m1", 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_that_nobody_can_search_are_refused() {
    let (_directory, store) = empty_store().await;
    let table = memo_vectors(&store).await;
    for vector in [vec![], vec![1.0; DIMENSION + 1], vec![f32::NAN; DIMENSION], vec![f32::INFINITY; DIMENSION]] {
        let bad = VectorRow { vector: vector.clone(), ..row("bad", "u", 1) };
        let error = table.upsert(&[row("good", "u", 1), bad]).await.expect_err("refused");
        assert!(matches!(&error, Error::Vector { id, .. } if id == "bad"), "{error}");
        assert!(matches!(table.nearest("u", "m", &vector, 1).await, Err(Error::Vector { .. })));
    }
    assert_eq!(table.count().await.expect("a number"), 0, "all or nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_dimension_is_refused_with_what_to_do() {
    let (_directory, store) = empty_store().await;
    memo_vectors(&store).await;
    let error = VectorTable::open_or_create(&store, VectorKind::Memo, 8).await.expect_err("refused");
    assert_eq!(
        error.to_string(),
        "table memo_vectors holds vectors of 16 numbers, not of 8: configure 16 dimensions, or another place for \
         the vectors"
    );
    let attachments = VectorTable::open_or_create(&store, VectorKind::Attachment, 8).await.expect("another table");
    assert_eq!(attachments.name(), "attachment_vectors");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_table_of_the_name_is_left_alone() {
    let (_directory, store) = empty_store().await;
    let foreign = [("memoId", "Utf8", false), ("embedding", "FSL<Float32>[16]", false)];
    write_table(&store, "memo_vectors", &foreign, &[json!({"memoId": "m", "embedding": 1})]).await;
    assert!(VectorTable::open(&store, VectorKind::Memo).await.expect("an answer").is_none());

    let table = memo_vectors(&store).await;
    assert_eq!(table.name(), "memo_embeddings");
    table.upsert(&[row("m", "u", 1)]).await.expect("stored");
    let opened = VectorTable::open(&store, VectorKind::Memo).await.expect("an answer").expect("the table");
    assert_eq!((opened.name(), opened.count().await.expect("a number")), ("memo_embeddings", 1));
    assert_eq!(snapshot(&store, "memo_vectors").await.count_rows().await.expect("a number"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_tables_of_both_names_are_an_error() {
    let (_directory, store) = empty_store().await;
    for name in ["memo_vectors", "memo_embeddings"] {
        write_table(&store, name, &[("memoId", "Utf8", false)], &[]).await;
    }
    let error = VectorTable::open_or_create(&store, VectorKind::Memo, DIMENSION).await.expect_err("refused");
    assert!(matches!(&error, Error::Layout { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_of_another_model_are_not_ranked() {
    let (_directory, store) = empty_store().await;
    let table = VectorTable::open_or_create(&store, VectorKind::Memo, DIMENSION).await.expect("a table");
    let of = |id: &str, model: Option<&str>| VectorRow { model_hash: model.map(str::to_owned), ..row(id, "u", 1) };
    table
        .upsert(&[of("legacy", None), of("mine", Some("m")), of("other", Some("it's another"))])
        .await
        .expect("stored");
    let ids = async |model| {
        let hits = table.nearest("u", model, &vector(1, DIMENSION), 10).await.expect("hits");
        let mut ids: Vec<_> = hits.into_iter().map(|hit| hit.id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids("m").await, ["legacy", "mine"]);
    assert_eq!(ids("it's another").await, ["legacy", "other"]);
    let mut seen = Vec::new();
    table.for_each(|row| seen.push((row.id.to_owned(), row.model_hash.map(str::to_owned)))).await.expect("read");
    seen.sort_unstable();
    let named = |id: &str, model: Option<&str>| (id.to_owned(), model.map(str::to_owned));
    assert_eq!(seen, [named("legacy", None), named("mine", Some("m")), named("other", Some("it's another"))]);
}
