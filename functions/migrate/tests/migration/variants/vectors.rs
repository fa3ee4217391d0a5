//! Vectors that cannot be used: their memos are embedded again.

use serde_json::{Value as Json, json};
use testing::{Kind, on_every_database};
use vectors::{VectorKind, VectorTable, testing::vector};

use crate::{
    harness::{Install, NOW},
    old,
};

on_every_database!(memos_without_a_usable_vector_are_embedded_again,);

async fn write_memos(install: &Install, data_type: &str, vectors: &[Json]) {
    let columns = format!("{} embedding:{data_type} deletedAt:Int64", old::MEMOS);
    let memos = vectors.iter().enumerate();
    let memos = memos.map(|(number, vector)| {
        let deleted = i64::from(number == vectors.len() - 1);
        old::memo(&format!("m{number}"), json!({"embedding": vector, "deletedAt": deleted}))
    });
    install.write("memos", &columns, &memos.collect::<Vec<_>>()).await;
}

async fn memos_without_a_usable_vector_are_embedded_again(kind: Kind) {
    let install = old::install(kind).await.with("OPENAI_EMBEDDING_DIMENSIONS", "4");
    let vectors = [
        json!(7),
        json!(null),
        json!(["NaN", 0, 0, 0]),
        json!([0, "inf", 0, 0]),
        json!([0, 0, null, 0]),
        json!([1, 0, 0, 0]),
        // Deleted.
        json!(null),
    ];
    write_memos(&install, "FSL<Float32>[4]", &vectors).await;
    let report = install.migrate().await.unwrap();
    let table = &report.vector_tables["memos"];
    let missing = ["m1", "m2", "m3", "m4"];
    assert_eq!((table.source, table.copied, table.missing.count), (6, 2, 4));
    assert_eq!(table.missing.ids, missing);
    let expected: Json =
        missing.iter().map(|memo| json!(["memo", memo, "u1", "upsert", NOW, 0, NOW, null])).collect();
    assert_eq!(install.rows("SELECT * FROM vector_outbox ORDER BY entity_id").await, expected);

    let store = install.store().await;
    let table = VectorTable::open(&store, VectorKind::Memo).await.unwrap().unwrap();
    assert_eq!(table.count().await.unwrap(), 2);
    let found = table.find(&["m0"]).await.unwrap().remove(0);
    assert_eq!(
        (found.uid.as_str(), found.vector, found.model_hash, found.updated_at),
        ("u1", vector(7, 4), None, 2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_without_vectors_is_embedded_anew() {
    let install = old::install(Kind::Sqlite).await;
    install.write("memos", old::MEMOS, &[old::memo("m1", json!({}))]).await;
    install.migrate().await.unwrap();
    assert_eq!(install.rows("SELECT entity_id FROM vector_outbox").await, json!([["m1"]]));
    assert_eq!(install.store().await.table_names().await.unwrap(), ["memos"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_of_another_size_are_refused() {
    let install = old::install(Kind::Sqlite).await.with("OPENAI_EMBEDDING_DIMENSIONS", "1536");
    write_memos(&install, "FSL<Float32>[4]", &[json!(1), json!(null)]).await;
    let columns = format!("{} multimodalEmbedding:FSL<Float32>[8]", old::ATTACHMENTS);
    install.write("attachments", &columns, &[old::attachment("a1", json!({"multimodalEmbedding": 1}))]).await;
    let expected = "2 problems, nothing was changed:\n\
        \x20 - memos: embedding has 4 dimensions, but OPENAI_EMBEDDING_DIMENSIONS is 1536: set OPENAI_EMBEDDING_DIMENSIONS=4\n\
        \x20 - attachments: multimodalEmbedding has 8 dimensions; the product knows 1024 only";
    assert_eq!(install.refusal().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn vector_tables_of_the_later_product_are_left_alone() {
    let install = old::install(Kind::Sqlite).await.with("OPENAI_EMBEDDING_DIMENSIONS", "4");
    write_memos(&install, "FSL<Float32>[4]", &[json!(1), json!(null)]).await;
    let foreign = [json!({"memoId": "m9", "embedding": 9})];
    install.write("memo_vectors", "memoId:Utf8 embedding:FSL<Float32>[4]", &foreign).await;
    install.migrate().await.unwrap();
    let store = install.store().await;
    let table = VectorTable::open(&store, VectorKind::Memo).await.unwrap().unwrap();
    assert_eq!((table.name(), table.count().await.unwrap()), ("memo_embeddings", 1));
    assert_eq!(store.snapshot("memo_vectors").await.unwrap().unwrap().count_rows().await.unwrap(), 1);
}
