//! `memo_vectors` and `attachment_vectors`: one vector per memo or attachment, found by distance among
//! those of one user (`contract/lancedb-tables.md` section 6).

use std::{collections::HashMap, sync::Arc};

use arrow_array::{
    ArrayRef, FixedSizeListArray, Float32Array, Int64Array, RecordBatch, RecordBatchIterator, StringArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use futures::{FutureExt, TryStreamExt};
use lance::dataset::scanner::{DatasetRecordBatchStream, Scanner};
use lancedb::Table;

use crate::{Error, Result, Rows, Store, Value, maintenance, scan, snapshot::dataset, values::is_vector};

/// Without this, writers that insert the same id at once double it.
const PRIMARY_KEY: &str = "lance-schema:unenforced-primary-key";

/// How many vectors a search or look-up holds at a time.
const BATCH_ROWS: usize = 1024;

/// Scales a vector to length 1, which the score supposes (`contract/explore.md` E16). Zero stays zero.
#[must_use]
pub fn unit(vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    if length == 0.0 || (length - 1.0).abs() < 1e-6 {
        return vector;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the numbers of a unit vector")]
    vector.into_iter().map(|number| (f64::from(number) / length) as f32).collect()
}

/// Whose vectors a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorKind {
    /// Vectors of the texts of memos.
    Memo,
    /// Vectors of images and videos.
    Attachment,
}

impl VectorKind {
    /// The table, and the one to use where a later line of the old product has left a table of that name
    /// without owners.
    pub(crate) fn tables(self) -> [&'static str; 2] {
        match self {
            Self::Memo => ["memo_vectors", "memo_embeddings"],
            Self::Attachment => ["attachment_vectors", "attachment_embeddings"],
        }
    }

    fn id(self) -> &'static str {
        match self {
            Self::Memo => "memoId",
            Self::Attachment => "attachmentId",
        }
    }

    pub(crate) fn indexed(self) -> [&'static str; 2] {
        [self.id(), "uid"]
    }

    fn schema(self, dimension: usize) -> Arc<Schema> {
        let key = HashMap::from([(PRIMARY_KEY.to_owned(), "true".to_owned())]);
        Arc::new(Schema::new(vec![
            Field::new(self.id(), DataType::Utf8, false).with_metadata(key),
            Field::new("uid", DataType::Utf8, false),
            Field::new("embedding", DataType::FixedSizeList(item(), width(dimension)), false),
            Field::new("modelHash", DataType::Utf8, true),
            Field::new("updatedAt", DataType::Int64, false),
        ]))
    }
}

/// A row of a vector table.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorRow {
    /// The memo or attachment.
    pub id: String,
    /// Its owner.
    pub uid: String,
    /// The vector.
    pub vector: Vec<f32>,
    /// The model that made it; nothing for vectors of old installs.
    pub model_hash: Option<String>,
    /// When it was made, in milliseconds.
    pub updated_at: i64,
}

/// What a row says about its vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// The memo or attachment.
    pub id: &'a str,
    /// Its owner.
    pub uid: &'a str,
    /// The model that made it; nothing for vectors of old installs.
    pub model_hash: Option<&'a str>,
    /// When it was made, in milliseconds.
    pub updated_at: i64,
}

/// A vector found by its distance.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The memo or attachment.
    pub id: String,
    /// The squared Euclidean distance.
    pub distance: f32,
}

/// A table of vectors. What others write is seen by the next call.
#[derive(Debug, Clone)]
pub struct VectorTable {
    kind: VectorKind,
    table: Table,
    dimension: usize,
}

impl VectorTable {
    /// Opens the table, or returns nothing when it does not exist.
    ///
    /// # Errors
    /// The store fails.
    pub async fn open(store: &Store, kind: VectorKind) -> Result<Option<Self>> {
        for name in kind.tables() {
            let Some(table) = store.table(name).await? else { continue };
            if let Some(dimension) = ours(&table, kind).await? {
                return Ok(Some(Self { kind, table, dimension }));
            }
        }
        Ok(None)
    }

    /// Opens the table, and creates it with its indexes if it does not exist.
    ///
    /// # Errors
    /// The table holds vectors of another length, foreign tables have its names, or the store fails.
    pub async fn open_or_create(store: &Store, kind: VectorKind, dimension: usize) -> Result<Self> {
        let table = match Self::open(store, kind).await? {
            Some(table) => table,
            None => Self::create(store, kind, dimension).await?,
        };
        if table.dimension != dimension {
            let found = table.dimension;
            return Err(Error::Dimension { table: table.name().to_owned(), found, expected: dimension });
        }
        // Here and not at creation alone, so that a process killed in between leaves nothing undone.
        maintenance::ensure_indexes(&table.table, &kind.indexed()).await?;
        Ok(table)
    }

    async fn create(store: &Store, kind: VectorKind, dimension: usize) -> Result<Self> {
        for name in kind.tables() {
            let table = store.table_or_create(name, kind.schema(dimension)).await?;
            if let Some(dimension) = ours(&table, kind).await? {
                return Ok(Self { kind, table, dimension });
            }
        }
        Err(Error::Layout { table: kind.tables().join(" and ") })
    }

    /// Returns the name of the table.
    #[must_use]
    pub fn name(&self) -> &str {
        self.table.name()
    }

    /// Returns the length of the vectors.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Stores vectors under their ids, in one commit. Of rows with one id the last counts. The rows are
    /// held in memory twice: a thousand at a time is a good number.
    ///
    /// # Errors
    /// A vector has the wrong length or holds something else than finite numbers, other writers keep
    /// getting in the way, or the store fails.
    pub async fn upsert(&self, rows: &[VectorRow]) -> Result<()> {
        for row in rows {
            self.check(&row.id, &row.vector)?;
        }
        let last: HashMap<&str, usize> = rows.iter().enumerate().map(|(at, row)| (row.id.as_str(), at)).collect();
        let rows: Vec<_> = rows.iter().enumerate().filter(|(at, row)| last[row.id.as_str()] == *at).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let batch = self.batch(&rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>())?;
        let merge = || {
            let mut merge = self.table.merge_insert(&[self.kind.id()]);
            // With the index of the id, LanceDB takes another way that does not note the inserted keys,
            // and writers at once double rows in spite of the primary key.
            merge.when_matched_update_all(None).when_not_matched_insert_all().use_index(false);
            merge.execute(Box::new(RecordBatchIterator::new([Ok(batch.clone())], batch.schema())))
        };
        maintenance::retrying(self.name(), "written", || merge().boxed()).await?;
        Ok(())
    }

    /// Adds vectors whose ids are not there, in one commit and without looking: for the first fill of a table by
    /// its only writer. [`Self::upsert`] reads the ids of the whole table each time.
    ///
    /// # Errors
    /// As [`Self::upsert`].
    pub async fn append(&self, rows: &[VectorRow]) -> Result<()> {
        for row in rows {
            self.check(&row.id, &row.vector)?;
        }
        if rows.is_empty() {
            return Ok(());
        }
        let batch = self.batch(&rows.iter().collect::<Vec<_>>())?;
        let add = || self.table.add(batch.clone()).execute();
        maintenance::retrying(self.name(), "written", || add().boxed()).await?;
        Ok(())
    }

    /// Removes vectors. Ids that are not there are no error.
    ///
    /// # Errors
    /// Other writers keep getting in the way, or the store fails.
    pub async fn delete(&self, ids: &[&str]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let filter = scan::is_one_of(self.kind.id(), ids);
        let delete = || self.table.delete(filter.as_str());
        maintenance::retrying(self.name(), "written", || delete().boxed()).await?;
        Ok(())
    }

    /// Returns the number of vectors.
    ///
    /// # Errors
    /// The store fails.
    pub async fn count(&self) -> Result<u64> {
        let rows = self.table.count_rows(None).boxed().await.map_err(|error| self.failed(&error))?;
        Ok(rows as u64)
    }

    /// Returns the rows of those ids that are there, in any order.
    ///
    /// # Errors
    /// The store fails.
    pub async fn find(&self, ids: &[&str]) -> Result<Vec<VectorRow>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut scanner = self.scanner().await?;
        let columns = [self.kind.id(), "uid", "embedding", "modelHash", "updatedAt"];
        let filtered = scanner.filter(&scan::is_one_of(self.kind.id(), ids));
        filtered.and_then(|scanner| scanner.project(&columns)).map_err(|error| self.failed(&error))?;
        let mut found = Vec::new();
        self.each(&scanner, |rows| found.extend((0..rows.len()).map(|row| self.row(rows, row)))).await?;
        Ok(found)
    }

    /// Returns the nearest of a user's vectors that a model made, nearest first. All of them are compared, none
    /// is estimated. Vectors of old installs count as made by the model.
    ///
    /// # Errors
    /// The vector has the wrong length or holds something else than finite numbers, or the store fails.
    pub async fn nearest(&self, uid: &str, model_hash: &str, vector: &[f32], limit: usize) -> Result<Vec<Hit>> {
        self.check("the query", vector)?;
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut scanner = self.scanner().await?;
        scanner.prefilter(true);
        let vector = Float32Array::from(vector.to_vec());
        let of_user = scan::is_one_of("uid", &[uid]);
        let of_model = scan::is_one_of("modelHash", &[model_hash]);
        let filtered = scanner.filter(&format!("{of_user} AND (modelHash IS NULL OR {of_model})"));
        filtered
            .and_then(|scanner| scanner.nearest("embedding", &vector, limit))
            .and_then(|scanner| scanner.use_index(false).project(&[self.kind.id(), "_distance"]))
            .map_err(|error| self.failed(&error))?;
        let mut hits = Vec::new();
        self.each(&scanner, |rows| {
            let (ids, distances) = (rows.column(self.kind.id()), rows.column("_distance"));
            hits.extend((0..rows.len()).map(|row| Hit {
                id: text(&ids.get(row)).unwrap_or_default(),
                distance: match distances.get(row) {
                    #[expect(clippy::cast_possible_truncation, reason = "it was widened when it was read")]
                    Value::Float(distance) => distance as f32,
                    _ => f32::INFINITY,
                },
            }));
        })
        .await?;
        Ok(hits)
    }

    /// Hands every row but its vector to `each`, in any order.
    ///
    /// # Errors
    /// The store fails.
    pub async fn for_each(&self, mut each: impl FnMut(Stored<'_>) + Send) -> Result<()> {
        let mut scanner = self.scanner().await?;
        let columns = [self.kind.id(), "uid", "modelHash", "updatedAt"];
        scanner.project(&columns).map_err(|error| self.failed(&error))?;
        self.each(&scanner, |rows| {
            for row in 0..rows.len() {
                let text = |column| match rows.column(column).get(row) {
                    Value::Text(text) => Some(text),
                    _ => None,
                };
                let (Some(id), Some(uid)) = (text(self.kind.id()), text("uid")) else { continue };
                let Value::Integer(updated_at) = rows.column("updatedAt").get(row) else { continue };
                each(Stored { id, uid, model_hash: text("modelHash"), updated_at });
            }
        })
        .await
    }

    /// Merges small files and brings the indexes up to date. Old versions stay.
    ///
    /// # Errors
    /// Other writers keep getting in the way, or the store fails.
    pub async fn optimize(&self) -> Result<()> {
        maintenance::optimize(&self.table).await
    }

    async fn scanner(&self) -> Result<Scanner> {
        let dataset = dataset(&self.table).await.map_err(|error| self.failed(&error))?;
        Ok(scan::bounded(&dataset, BATCH_ROWS))
    }

    async fn each(&self, scanner: &Scanner, mut take: impl FnMut(&Rows)) -> Result<()> {
        let failed = |error| self.failed(&error);
        let mut batches: DatasetRecordBatchStream = scanner.try_into_stream().await.map_err(failed)?;
        while let Some(batch) = batches.try_next().await.map_err(failed)? {
            take(&Rows::new(self.name(), &batch)?);
        }
        Ok(())
    }

    fn row(&self, rows: &Rows, row: usize) -> VectorRow {
        VectorRow {
            id: text(&rows.column(self.kind.id()).get(row)).unwrap_or_default(),
            uid: text(&rows.column("uid").get(row)).unwrap_or_default(),
            vector: match rows.column("embedding").get(row) {
                Value::Vector(vector) => vector.into_owned(),
                _ => Vec::new(),
            },
            model_hash: text(&rows.column("modelHash").get(row)),
            updated_at: match rows.column("updatedAt").get(row) {
                Value::Integer(millis) => millis,
                _ => 0,
            },
        }
    }

    fn check(&self, id: &str, vector: &[f32]) -> Result<()> {
        check(self.name(), self.dimension, id, vector)
    }

    fn batch(&self, rows: &[&VectorRow]) -> Result<RecordBatch> {
        let failed = |error| Error::table(self.name(), "written", &error);
        let vectors = vector_column(self.dimension, rows.iter().map(|row| row.vector.as_slice()));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.id))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.uid))),
            vectors.map_err(failed)?,
            Arc::new(rows.iter().map(|row| row.model_hash.as_deref()).collect::<StringArray>()),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.updated_at))),
        ];
        RecordBatch::try_new(self.kind.schema(self.dimension), columns).map_err(failed)
    }

    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        Error::table(self.name(), "read", error)
    }
}

/// Returns the length of the vectors if a table has our columns.
async fn ours(table: &Table, kind: VectorKind) -> Result<Option<usize>> {
    let schema = table.schema().boxed().await.map_err(|error| Error::table(table.name(), "opened", &error))?;
    let Some(dimension) = schema.field_with_name("embedding").ok().and_then(dimension) else { return Ok(None) };
    let expected = kind.schema(dimension);
    let same = expected.fields().len() == schema.fields().len()
        && expected.fields().iter().all(|field| {
            schema.field_with_name(field.name()).is_ok_and(|found| {
                found.data_type() == field.data_type()
                    && found.metadata().get(PRIMARY_KEY) == field.metadata().get(PRIMARY_KEY)
            })
        });
    Ok(same.then_some(dimension))
}

pub(crate) fn dimension(field: &Field) -> Option<usize> {
    match field.data_type() {
        DataType::FixedSizeList(_, dimension) if is_vector(field.data_type()) => (*dimension).try_into().ok(),
        _ => None,
    }
}

/// Refuses a vector that a table cannot hold.
pub(crate) fn check(table: &str, dimension: usize, id: &str, vector: &[f32]) -> Result<()> {
    let problem = if vector.len() != dimension {
        "has another length than those of the table"
    } else if vector.iter().any(|number| !number.is_finite()) {
        "holds something else than finite numbers"
    } else {
        return Ok(());
    };
    Err(Error::Vector { table: table.to_owned(), id: id.to_owned(), problem })
}

/// Makes a column of vectors of one length.
pub(crate) fn vector_column<'a>(
    dimension: usize,
    vectors: impl Iterator<Item = &'a [f32]>,
) -> Result<ArrayRef, ArrowError> {
    let numbers = Float32Array::from_iter_values(vectors.flatten().copied());
    Ok(Arc::new(FixedSizeListArray::try_new(item(), width(dimension), Arc::new(numbers), None)?))
}

pub(crate) fn item() -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Float32, true))
}

pub(crate) fn width(dimension: usize) -> i32 {
    i32::try_from(dimension).unwrap_or(i32::MAX)
}

fn text(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) => Some((*text).to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_get_length_one() {
        assert_eq!(unit(vec![3.0, 4.0]), [0.6, 0.8]);
        assert_eq!(unit(vec![0.0, 0.0]), [0.0, 0.0]);
        assert_eq!(unit(vec![1e-30, 0.0]), [1.0, 0.0]);
    }
}
