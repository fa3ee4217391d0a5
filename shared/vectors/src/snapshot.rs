//! One version of a table, for reading.

use std::sync::Arc;

use arrow_array::{RecordBatch, new_empty_array};
use arrow_schema::{DataType, Field, Schema};
use futures::{
    FutureExt, StreamExt, TryStreamExt, future,
    stream::{self, BoxStream},
};
use lance::{Dataset, dataset::scanner::Scanner};
use lancedb::Table;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result, Rows, scan,
    values::{Values, is_vector},
};

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The name. Its case counts.
    pub name: String,
    /// The type in Arrow's words.
    pub data_type: String,
    /// Whether a cell may be null.
    pub nullable: bool,
}

impl From<&Field> for Column {
    fn from(field: &Field) -> Self {
        let (name, data_type) = (field.name().clone(), field.data_type().to_string());
        Self { name, data_type, nullable: field.is_nullable() }
    }
}

/// A table at one version. Whatever is written meanwhile, it reads the same.
#[derive(Debug, Clone)]
pub struct Snapshot {
    table: Arc<str>,
    dataset: Arc<Dataset>,
    schema: Arc<Schema>,
    columns: Arc<[Column]>,
}

impl Snapshot {
    pub(crate) async fn of(name: &str, table: &Table) -> Result<Self> {
        Ok(Self::new(name, dataset(table).await.map_err(|error| Error::table(name, "opened", &error))?))
    }

    fn new(name: &str, dataset: Arc<Dataset>) -> Self {
        let schema = Schema::from(dataset.schema());
        let columns = schema.fields().iter().map(|field| Column::from(field.as_ref())).collect();
        Self { table: name.into(), dataset, schema: Arc::new(schema), columns }
    }

    pub(crate) async fn at(&self, version: u64) -> Result<Self> {
        let dataset = self.dataset.checkout_version(version).boxed().await;
        let dataset = dataset.map_err(|error| self.failed("opened at the version asked for", &error))?;
        Ok(Self::new(&self.table, Arc::new(dataset)))
    }

    /// Returns the name of the table.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns the number of the version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.dataset.version().version
    }

    /// Returns the columns in the order of the table.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Returns those of the wanted columns that are there in a type that nobody knows how to read.
    #[must_use]
    pub fn unknown_columns(&self, wanted: &[&str]) -> Vec<Column> {
        let fields = wanted.iter().filter_map(|name| self.schema.field_with_name(name).ok());
        let unknown = fields.filter(|field| Values::new(&new_empty_array(field.data_type())).is_err());
        unknown.map(Column::from).collect()
    }

    /// Returns the length of the vectors of a column, or nothing if it does not hold vectors.
    #[must_use]
    pub fn vector_dimension(&self, column: &str) -> Option<usize> {
        let field = self.schema.field_with_name(column).ok()?;
        match field.data_type() {
            DataType::FixedSizeList(_, dimension) if is_vector(field.data_type()) => (*dimension).try_into().ok(),
            _ => None,
        }
    }

    /// Returns the number of rows.
    ///
    /// # Errors
    /// The store fails.
    pub async fn count_rows(&self) -> Result<u64> {
        let rows = self.dataset.count_rows(None).boxed().await.map_err(|error| self.failed("counted", &error))?;
        Ok(rows as u64)
    }

    /// Asks the store for the newest version of the table.
    ///
    /// # Errors
    /// The store fails.
    pub async fn latest_version(&self) -> Result<u64> {
        self.dataset.latest_version_id().boxed().await.map_err(|error| self.failed("looked at", &error))
    }

    /// Returns the size of the data files of this version.
    ///
    /// # Errors
    /// The store fails.
    pub async fn data_bytes(&self) -> Result<u64> {
        let failed = |error| self.failed("measured", &error);
        let store = self.dataset.object_store(None).boxed().await.map_err(failed)?;
        let mut bytes = 0;
        for file in self.dataset.iter_fragments().flat_map(|fragment| &fragment.files) {
            // Old releases did not note the size.
            bytes += if let Some(size) = file.file_size_bytes.get() {
                size.get()
            } else {
                let path = self.dataset.data_dir().join(file.path.as_str());
                store.size(&path).boxed().await.map_err(failed)?
            };
        }
        Ok(bytes)
    }

    /// Reads all rows, in the same order whenever this version is read. Columns that the table lacks read
    /// as null. At most `batch_rows` rows come at a time, fewer where rows are large: memory holds a few
    /// batches.
    ///
    /// The stream fails with [`Error::UnknownType`] or [`Error::OutOfRange`] where a cell cannot be read,
    /// and where the store fails.
    #[must_use]
    pub fn rows(&self, columns: &[&str], batch_rows: usize) -> BoxStream<'static, Result<Rows>> {
        if let Some(column) = self.unknown_columns(columns).into_iter().next() {
            let Column { name: column, data_type, .. } = column;
            let error = Error::UnknownType { table: self.table.to_string(), column, data_type };
            return stream::once(future::ready(Err(error))).boxed();
        }
        let present = columns.iter().filter(|name| self.schema.field_with_name(name).is_ok());
        let table = Arc::clone(&self.table);
        let batches = self.batches(present.map(ToString::to_string).collect(), batch_rows);
        batches.map(move |batch| Rows::new(&table, &batch?)).boxed()
    }

    /// As [`Snapshot::rows`], as Arrow has it. Every column must be there.
    pub(crate) fn batches(
        &self,
        columns: Vec<String>,
        batch_rows: usize,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let snapshot = self.clone();
        let scan = async move {
            let mut scanner = scan::bounded(&snapshot.dataset, batch_rows);
            let projected = if columns.is_empty() {
                // A scan without any column has no rows.
                scanner.empty_project().map(Scanner::with_row_id)
            } else {
                scanner.project(&columns)
            };
            projected.map_err(|error| snapshot.failed("read", &error))?;
            let batches = scanner.try_into_stream().await.map_err(|error| snapshot.failed("read", &error))?;
            Ok::<_, Error>(batches.map_err(move |error| snapshot.failed("read", &error)))
        };
        stream::once(scan).try_flatten().boxed()
    }

    fn failed(&self, action: &'static str, error: &lance::Error) -> Error {
        Error::table(&self.table, action, error)
    }
}

/// Returns the newest version of an open table.
pub(crate) async fn dataset(table: &Table) -> Result<Arc<Dataset>, lancedb::Error> {
    let wrapper = table.dataset().ok_or_else(|| lancedb::Error::NotSupported {
        message: "a table behind a LanceDB server has no files".to_owned(),
    })?;
    wrapper.get().boxed().await
}
