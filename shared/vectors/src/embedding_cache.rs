//! The embedding caches: vectors that were paid for, found by the hash of what was embedded
//! (`contract/lancedb-tables.md` section 5).
//!
//! Caches live here and not in SQL for three reasons. Old installs have them here, and go on being hit where
//! they are. A row is six kilobytes of numbers that no statement ever looks into, which would be most of the
//! database, its backups and its page cache. And a bucket costs a fifth of database storage, for data whose
//! loss costs a call of a model.
//!
//! They are read and written in batches: each append makes a version, and a table of ten thousand appends is
//! a thousand times slower than one of ten. A row is never changed; that two writers add the same one does
//! no harm.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use futures::{FutureExt, TryStreamExt};
use lancedb::Table;

use crate::{
    Error, Result, Rows, Store, Value, maintenance, scan,
    snapshot::dataset,
    vector_table::{check, dimension, item, vector_column, width},
};

/// How many vectors a look-up holds at a time.
const BATCH_ROWS: usize = 256;

/// How many places of a table a look-up reads at once.
const READ_AT_ONCE: usize = 64;

/// Which of the caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheKind {
    /// Embeddings of texts.
    Text,
    /// Embeddings of texts, images and videos together.
    Multimodal,
}

impl CacheKind {
    /// Returns the name of the table.
    #[must_use]
    pub fn table(self) -> &'static str {
        match self {
            Self::Text => "embedding_cache",
            Self::Multimodal => "multimodal_embedding_cache",
        }
    }

    fn schema(self, dimension: usize) -> Arc<Schema> {
        let mut fields =
            vec![Field::new("modelHash", DataType::Utf8, false), Field::new("contentHash", DataType::Utf8, false)];
        if self == Self::Multimodal {
            fields.push(Field::new("modalityType", DataType::Utf8, false));
        }
        fields.push(Field::new("embedding", DataType::FixedSizeList(item(), width(dimension)), false));
        fields.push(Field::new("createdAt", DataType::Timestamp(TimeUnit::Millisecond, None), false));
        Arc::new(Schema::new(fields))
    }
}

/// What the rows of one look-up or append have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheKey<'a> {
    /// The model.
    pub model_hash: &'a str,
    /// `text`, `image`, `video`, `vl` or `multi_images`; nothing in the cache of texts.
    pub modality_type: Option<&'a str>,
}

/// A cache. What others append is seen as soon as the store is asked for what is new
/// ([`crate::StoreOptions::read_consistency`]).
#[derive(Debug, Clone)]
pub struct EmbeddingCache {
    kind: CacheKind,
    table: Table,
    dimension: usize,
}

impl EmbeddingCache {
    /// Opens a cache of vectors of a length, and creates it with its indexes if it does not exist. The
    /// table of the contract's name may hold vectors of another length, from another model: then the name
    /// gets the length as its ending.
    ///
    /// # Errors
    /// The tables of both names have other columns, or the store fails.
    pub async fn open_or_create(store: &Store, kind: CacheKind, dimension: usize) -> Result<Self> {
        for name in [kind.table().to_owned(), format!("{}_{dimension}", kind.table())] {
            let existing = store.table(&name).await?;
            let is_new = existing.is_none();
            let table = match existing {
                Some(table) => table,
                None => store.table_or_create(&name, kind.schema(dimension)).await?,
            };
            if holds(&table, kind, dimension).await? {
                if is_new {
                    maintenance::ensure_indexes(&table, &crate::cache::INDEXED).await?;
                }
                return Ok(Self { kind, table, dimension });
            }
        }
        Err(Error::Layout { table: format!("{0} and {0}_{dimension}", kind.table()) })
    }

    /// Returns the name of the table.
    #[must_use]
    pub fn name(&self) -> &str {
        self.table.name()
    }

    /// Returns the vectors that are there, by content hash. A damaged one counts as missing.
    ///
    /// # Errors
    /// The store fails.
    pub async fn find(&self, key: CacheKey<'_>, content_hashes: &[&str]) -> Result<HashMap<String, Vec<f32>>> {
        let mut found = HashMap::new();
        if content_hashes.is_empty() {
            return Ok(found);
        }
        let failed = |error: &(dyn std::error::Error + 'static)| Error::table(self.name(), "read", error);
        let dataset = dataset(&self.table).await.map_err(|error| failed(&error))?;
        let mut scanner = scan::bounded(&dataset, BATCH_ROWS);
        // Rows that lie far from each other are fetched at once, not one after the other.
        scanner.fragment_readahead(READ_AT_ONCE).batch_readahead(READ_AT_ONCE).scan_in_order(false);
        // The model is compared here: an index on it would be read for nothing, since nearly all rows have
        // the same one.
        scanner
            .filter(&scan::is_one_of("contentHash", content_hashes))
            .and_then(|scanner| scanner.project(&self.columns()))
            .map_err(|error| failed(&error))?;
        let mut batches = scanner.try_into_stream().boxed().await.map_err(|error| failed(&error))?;
        while let Some(batch) = batches.try_next().await.map_err(|error| failed(&error))? {
            let rows = Rows::new(self.name(), &batch)?;
            for row in 0..rows.len() {
                if let Some((hash, vector)) = hit(&rows, row, key) {
                    found.insert(hash, vector);
                }
            }
        }
        Ok(found)
    }

    fn columns(&self) -> Vec<&'static str> {
        match self.kind {
            CacheKind::Text => vec!["modelHash", "contentHash", "embedding"],
            CacheKind::Multimodal => vec!["modelHash", "contentHash", "modalityType", "embedding"],
        }
    }

    /// Adds vectors under their content hashes, in one commit.
    ///
    /// # Errors
    /// A vector has the wrong length or holds something else than finite numbers, other writers keep
    /// getting in the way, or the store fails.
    pub async fn append(&self, key: CacheKey<'_>, rows: &[(&str, &[f32])], now: i64) -> Result<()> {
        for (hash, vector) in rows {
            check(self.name(), self.dimension, hash, vector)?;
        }
        if rows.is_empty() {
            return Ok(());
        }
        let batch = self.batch(key, rows, now)?;
        let add = || self.table.add(batch.clone()).execute();
        maintenance::retrying(self.name(), "written", || add().boxed()).await?;
        Ok(())
    }

    fn batch(&self, key: CacheKey<'_>, rows: &[(&str, &[f32])], now: i64) -> Result<RecordBatch> {
        let failed = |error| Error::table(self.name(), "written", &error);
        let same = |text: &str| Arc::new(StringArray::from_iter_values(rows.iter().map(|_| text))) as ArrayRef;
        let mut columns =
            vec![same(key.model_hash), Arc::new(StringArray::from_iter_values(rows.iter().map(|(hash, _)| hash)))];
        if self.kind == CacheKind::Multimodal {
            columns.push(same(key.modality_type.unwrap_or_default()));
        }
        columns.push(vector_column(self.dimension, rows.iter().map(|(_, vector)| *vector)).map_err(failed)?);
        columns.push(Arc::new(TimestampMillisecondArray::from_value(now, rows.len())));
        RecordBatch::try_new(self.kind.schema(self.dimension), columns).map_err(failed)
    }
}

/// Reports whether a table has the columns of a cache, and vectors of a length. It may have more columns, and
/// times of another unit.
async fn holds(table: &Table, kind: CacheKind, length: usize) -> Result<bool> {
    let schema = table.schema().boxed().await.map_err(|error| Error::table(table.name(), "opened", &error))?;
    let expected = kind.schema(length);
    Ok(expected.fields().iter().all(|field| match (schema.field_with_name(field.name()), field.data_type()) {
        (Err(_), _) => false,
        (Ok(found), DataType::FixedSizeList(..)) => dimension(found) == Some(length),
        (Ok(found), DataType::Timestamp(..)) => matches!(found.data_type(), DataType::Timestamp(..)),
        (Ok(found), wanted) => found.data_type() == wanted,
    }))
}

/// Returns the content hash and the vector of a row, unless it is of another key or damaged.
fn hit(rows: &Rows, row: usize, key: CacheKey<'_>) -> Option<(String, Vec<f32>)> {
    let is = |column: &str, text: &str| rows.column(column).get(row) == Value::Text(text);
    if !is("modelHash", key.model_hash) || !key.modality_type.is_none_or(|kind| is("modalityType", kind)) {
        return None;
    }
    match (rows.column("contentHash").get(row), rows.column("embedding").get(row)) {
        (Value::Text(hash), Value::Vector(vector)) if vector.iter().all(|number| number.is_finite()) => {
            Some((hash.to_owned(), vector.into_owned()))
        }
        _ => None,
    }
}
