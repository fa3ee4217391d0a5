//! Tables as any release of the product left them, for tests and benchmarks.
//!
//! Everything panics on failure. Types are written in Arrow's words: `Utf8`, `LargeUtf8`, `Utf8View`,
//! `Int8` to `UInt64`, `Float32`, `Float64`, `Boolean`, `Null`, `Binary`, `Timestamp(ms)` (or `s`, `us`,
//! `ns`), `List<Utf8>`, `LargeList<Utf8>`, `Struct{memoId:Utf8,similarity:Float32}`, and `FSL<Float32>[64]`
//! for vectors. A vector is a list of numbers, where the text `"NaN"` stands for itself, or one number, the
//! seed of a random unit vector.

#![expect(clippy::missing_panics_doc, reason = "a test helper that panics fails the test, which is its purpose")]

mod proxy;

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, RecordBatch,
    builder::{FixedSizeListBuilder, Float32Builder},
};
use arrow_json::ReaderBuilder;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use futures::{StreamExt, future, stream};
use lancedb::table::NaNVectorBehavior;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;

pub use self::proxy::{Proxy, Stop};
use crate::{Store, values::is_vector};

/// Columns: name, type, and whether a cell may be null.
pub type Columns<'a> = &'a [(&'a str, &'a str, bool)];

/// Creates a table, or adds rows to one that is there. Each call makes one version and one file.
pub async fn write_table(store: &Store, table: &str, columns: Columns<'_>, rows: &[Value]) {
    let schema = schema(columns);
    append(store, table, batch(&schema, rows)).await;
}

/// As [`write_table`], for many rows: they are made one by one and written in files of ten thousand.
pub async fn write_many(
    store: &Store,
    table: &str,
    columns: Columns<'_>,
    rows: usize,
    mut row: impl FnMut(usize) -> Value,
) {
    const FILE_ROWS: usize = 10_000;
    let schema = schema(columns);
    for start in (0..rows).step_by(FILE_ROWS) {
        let rows: Vec<_> = (start..rows.min(start + FILE_ROWS)).map(&mut row).collect();
        append(store, table, batch(&schema, &rows)).await;
    }
}

/// Deletes rows by an SQL condition.
pub async fn delete_rows(store: &Store, table: &str, filter: &str) {
    let table = store.table(table).await.expect("the store opens").expect("the table is there");
    table.delete(filter).await.expect("the rows are deleted");
}

/// Returns the random unit vector of a seed.
#[must_use]
pub fn vector(seed: u64, dimension: usize) -> Vec<f32> {
    let mut random = StdRng::seed_from_u64(seed);
    let numbers: Vec<f32> = (0..dimension).map(|_| random.random_range(-1.0..1.0)).collect();
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
    numbers.into_iter().map(|number| number / length).collect()
}

async fn append(store: &Store, table: &str, batch: RecordBatch) {
    if let Some(table) = store.table(table).await.expect("the store opens") {
        table.add(batch).on_nan_vectors(NaNVectorBehavior::Keep).execute().await.expect("the rows are added");
    } else {
        let (schema, rows) = (batch.schema(), stream::once(future::ready(Ok(batch))));
        store.create(table, schema, rows.boxed()).await.expect("the table is created");
    }
}

fn schema(columns: Columns<'_>) -> Arc<Schema> {
    let fields = columns.iter().map(|(name, data_type, nullable)| Field::new(*name, parse(data_type), *nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn parse(text: &str) -> DataType {
    let item = |text| Arc::new(Field::new_list_field(parse(text), true));
    let inner = |start: &str, end: &str| text.strip_prefix(start).and_then(|text| text.strip_suffix(end));
    if let Some(items) = inner("List<", ">") {
        return DataType::List(item(items));
    }
    if let Some(items) = inner("LargeList<", ">") {
        return DataType::LargeList(item(items));
    }
    if let Some(dimension) = inner("FSL<Float32>[", "]") {
        return DataType::FixedSizeList(item("Float32"), dimension.parse().expect("a dimension"));
    }
    if let Some(members) = inner("Struct{", "}") {
        let members = members.split(',').map(|member| member.split_once(':').expect("name:type"));
        return DataType::Struct(members.map(|(name, text)| Field::new(name, parse(text), true)).collect());
    }
    match text {
        "Timestamp(s)" => DataType::Timestamp(TimeUnit::Second, None),
        "Timestamp(ms)" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "Timestamp(us)" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "Timestamp(ns)" => DataType::Timestamp(TimeUnit::Nanosecond, None),
        _ => text.parse().unwrap_or_else(|_| panic!("{text} is not a type")),
    }
}

fn batch(schema: &Arc<Schema>, rows: &[Value]) -> RecordBatch {
    let fields = schema.fields().iter().filter(|field| !is_vector(field.data_type())).cloned();
    let plain = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let plain = if rows.is_empty() {
        RecordBatch::new_empty(plain)
    } else {
        let decoder = ReaderBuilder::new(plain).with_batch_size(rows.len()).build_decoder();
        let mut decoder = decoder.expect("the types are known");
        decoder.serialize(rows).expect("the rows have the types of the columns");
        decoder.flush().expect("the rows have the types of the columns").expect("there are rows")
    };
    let columns = schema.fields().iter().map(|field| match plain.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => vectors(field, rows),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).expect("no null where none may be")
}

fn vectors(field: &Field, rows: &[Value]) -> ArrayRef {
    let DataType::FixedSizeList(item, dimension) = field.data_type() else { unreachable!("it is a vector") };
    let width = usize::try_from(*dimension).expect("a length");
    let mut builder = FixedSizeListBuilder::new(Float32Builder::new(), *dimension).with_field(Arc::clone(item));
    for cell in rows.iter().map(|row| &row[field.name().as_str()]) {
        match cell {
            Value::Null => builder.values().append_nulls(width),
            Value::Array(numbers) => numbers.iter().for_each(|cell| builder.values().append_option(number(cell))),
            seed => builder.values().append_slice(&vector(seed.as_u64().expect("a seed"), width)),
        }
        builder.append(!cell.is_null());
    }
    let array = builder.finish();
    assert_eq!(array.len(), rows.len());
    Arc::new(array)
}

#[expect(clippy::cast_possible_truncation, reason = "vectors are of the narrower numbers")]
fn number(cell: &Value) -> Option<f32> {
    match cell {
        Value::Null => None,
        Value::String(text) => Some(text.parse().expect("NaN, inf or -inf")),
        number => Some(number.as_f64().expect("a number") as f32),
    }
}
