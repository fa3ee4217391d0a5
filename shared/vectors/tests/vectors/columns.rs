//! Columns of every type and vintage.

use futures::TryStreamExt;
use serde_json::{Value as Json, json};
use vectors::{
    Error,
    testing::{delete_rows, write_table},
};

use crate::{empty_store, read, read_all, snapshot};

#[tokio::test(flavor = "multi_thread")]
async fn each_width_and_encoding_reads_alike() {
    let (_directory, store) = empty_store().await;
    let columns = [
        ("utf8", "Utf8", true, json!("笔记 😀"), json!("笔记 😀")),
        ("large", "LargeUtf8", true, json!(""), json!("")),
        ("nothing", "Null", true, json!(null), json!(null)),
        ("i8", "Int8", true, json!(-8), json!(-8)),
        ("i16", "Int16", true, json!(-16), json!(-16)),
        ("i32", "Int32", true, json!(-32), json!(-32)),
        ("i64", "Int64", true, json!(i64::MIN), json!(i64::MIN)),
        ("u8", "UInt8", true, json!(255), json!(255)),
        ("u16", "UInt16", true, json!(65535), json!(65535)),
        ("u32", "UInt32", true, json!(u32::MAX), json!(u32::MAX)),
        ("u64", "UInt64", true, json!(i64::MAX), json!(i64::MAX)),
        ("flag", "Boolean", true, json!(true), json!(true)),
        ("f32", "Float32", true, json!(0.1), json!(f64::from(0.1_f32))),
        ("f64", "Float64", true, json!(0.1), json!(0.1)),
        ("s", "Timestamp(s)", true, json!(-1), json!(-1000)),
        ("ms", "Timestamp(ms)", true, json!(-1), json!(-1)),
        ("us", "Timestamp(us)", true, json!(-1), json!(-1)),
        ("ns", "Timestamp(ns)", true, json!(-1_000_001), json!(-2)),
        ("texts", "List<Utf8>", true, json!(["a", null, ""]), json!(["a", null, ""])),
        ("more", "LargeList<LargeUtf8>", true, json!(["a"]), json!(["a"])),
        ("nothings", "List<Null>", true, json!([null, null]), json!([null, null])),
        ("numbers", "List<Int64>", true, json!([]), json!([])),
        (
            "sources",
            "List<Struct{memoId:Utf8,similarity:Float32,createdAt:Timestamp(us)}>",
            true,
            json!([{"memoId": "m1", "similarity": "NaN", "createdAt": 1999}, {"memoId": null}]),
            json!([
                {"memoId": "m1", "similarity": "NaN", "createdAt": 1},
                {"memoId": null, "similarity": null, "createdAt": null}
            ]),
        ),
    ];
    let schema: Vec<_> = columns.iter().map(|(name, kind, nullable, ..)| (*name, *kind, *nullable)).collect();
    let full: serde_json::Map<_, _> =
        columns.iter().map(|(name, .., written, _)| ((*name).to_owned(), written.clone())).collect();
    write_table(&store, "t", &schema, &[json!(full), json!({})]).await;

    let rows = read_all(&snapshot(&store, "t").await).await;
    for (name, _, _, _, expected) in &columns {
        assert_eq!(rows[0][name], *expected, "{name}");
        assert_eq!(rows[1][name], json!(null), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_keep_their_bits() {
    let (_directory, store) = empty_store().await;
    let columns = [("id", "Utf8", false), ("embedding", "FSL<Float32>[4]", true)];
    let rows = [
        json!({"id": "plain", "embedding": [0.1, -0.0, 1e-40, 3e38]}),
        json!({"id": "odd", "embedding": ["NaN", "inf", null, 1]}),
        json!({"id": "none", "embedding": null}),
    ];
    write_table(&store, "t", &columns, &rows).await;
    let batches: Vec<_> = snapshot(&store, "t").await.rows(&["embedding"], 10).try_collect().await.expect("rows");
    let vectors = batches[0].column("embedding");
    let bits = |row| match vectors.get(row) {
        vectors::Value::Vector(numbers) => Some(numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>()),
        _ => None,
    };
    assert_eq!(bits(0), Some([0.1_f32, -0.0, 1e-40, 3e38].map(f32::to_bits).to_vec()));
    assert_eq!(bits(1), Some([f32::NAN, f32::INFINITY, f32::NAN, 1.0].map(f32::to_bits).to_vec()));
    assert_eq!(bits(2), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_the_table_lacks_read_as_null() {
    let (_directory, store) = empty_store().await;
    write_table(&store, "t", &[("id", "Utf8", false)], &[json!({"id": "a"}), json!({"id": "b"})]).await;
    let t = snapshot(&store, "t").await;
    assert_eq!(
        read(&t, &["tagIds", "id"]).await,
        [json!({"tagIds": null, "id": "a"}), json!({"tagIds": null, "id": "b"})]
    );
    assert_eq!(read(&t, &["tagIds"]).await, [json!({"tagIds": null}), json!({"tagIds": null})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_table_has_no_rows() {
    let (_directory, store) = empty_store().await;
    write_table(&store, "t", &[("id", "Utf8", false), ("embedding", "FSL<Float32>[4]", true)], &[]).await;
    let t = snapshot(&store, "t").await;
    assert_eq!(read_all(&t).await, Vec::<Json>::new());
    assert_eq!(t.count_rows().await.expect("a number"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_types_are_listed_together_and_refused() {
    let (_directory, store) = empty_store().await;
    let columns = [("id", "Utf8", false), ("blob", "Binary", true), ("blobs", "List<Binary>", true)];
    write_table(&store, "t", &columns, &[]).await;
    let t = snapshot(&store, "t").await;
    let unknown = t.unknown_columns(&["id", "blob", "blobs", "absent"]);
    assert_eq!(unknown.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["blob", "blobs"]);
    assert_eq!(unknown[0].data_type, "Binary");
    let error = t.rows(&["id", "blobs"], 10).try_collect::<Vec<_>>().await.expect_err("no reader");
    assert!(
        matches!(&error, Error::UnknownType { table, column, .. } if table == "t" && column == "blobs"),
        "{error}"
    );
    assert_eq!(read(&t, &["id"]).await, Vec::<Json>::new(), "nobody asked for the others");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_times_out_of_range_are_refused() {
    for (kind, value) in [("Timestamp(s)", json!(i64::MAX / 999)), ("UInt64", json!(u64::MAX))] {
        let (_directory, store) = empty_store().await;
        write_table(&store, "t", &[("at", kind, true)], &[json!({"at": value}), json!({"at": null})]).await;
        let t = snapshot(&store, "t").await;
        let error = t.rows(&["at"], 10).try_collect::<Vec<_>>().await.expect_err("out of range");
        assert!(
            matches!(&error, Error::OutOfRange { table, column } if table == "t" && column == "at"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_deletions_read_in_one_fixed_order() {
    let (_directory, store) = empty_store().await;
    let columns = [("id", "Int64", false)];
    for start in [0, 100, 200] {
        let rows: Vec<_> = (start..start + 100).map(|id| json!({"id": id})).collect();
        write_table(&store, "t", &columns, &rows).await;
    }
    delete_rows(&store, "t", "id % 7 = 0").await;
    let t = snapshot(&store, "t").await;
    let expected: Vec<_> = (0..300).filter(|id| id % 7 != 0).map(|id| json!({"id": id})).collect();
    assert_eq!(read(&t, &["id"]).await, expected);
    assert_eq!(t.count_rows().await.expect("a number"), expected.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_text_is_read_whole() {
    let (_directory, store) = empty_store().await;
    let huge = "记".repeat(16 << 20);
    let rows = [json!({"content": "small"}), json!({"content": huge}), json!({"content": huge})];
    write_table(&store, "t", &[("content", "Utf8", false)], &rows).await;
    let lengths: Vec<_> = snapshot(&store, "t").await.rows(&["content"], 1024).try_collect().await.expect("rows");
    let lengths = lengths.iter().flat_map(|rows| (0..rows.len()).map(|row| rows.column("content").get(row)));
    let lengths = lengths.map(|value| if let vectors::Value::Text(text) = value { text.len() } else { 0 });
    assert_eq!(lengths.collect::<Vec<_>>(), [5, huge.len(), huge.len()]);
}
