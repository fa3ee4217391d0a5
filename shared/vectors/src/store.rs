//! A store: a directory or S3 prefix with tables below it.

use std::{fmt, io, sync::Arc, time::Duration};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::{
    FutureExt, StreamExt,
    stream::{self, BoxStream},
};
use lance::dataset::{CommitBuilder, InsertBuilder, WriteParams};
use lancedb::{
    Connection, ObjectStoreRegistry, Session, Table,
    arrow::{SendableRecordBatchStream, SendableRecordBatchStreamExt, SimpleRecordBatchStream},
};
use tokio::sync::OnceCell;

use crate::{Error, Result, Snapshot, location::Location};

/// What the caches of indexes and of file metadata may hold, each. LanceDB's own limits are gigabytes.
const CACHE_BYTES: usize = 16 << 20;

/// Where a store is. Credentials come from the environment or the role.
#[derive(Debug, Clone, Default)]
pub struct StoreOptions {
    /// A directory, or `s3://bucket/prefix`.
    pub uri: String,
    /// The URL of an S3 server other than Amazon's.
    pub endpoint: Option<String>,
    /// The region of the bucket.
    pub region: Option<String>,
    /// How old the newest version may be that an open table knows. Zero asks the store each time.
    pub read_consistency: Duration,
    /// After how long a request to a bucket is given up, retries included. Without it LanceDB tries for minutes,
    /// which suits work that nobody waits for.
    pub give_up_after: Option<Duration>,
}

/// A LanceDB store. Clones share one connection.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    uri: String,
    location: Location,
    read_consistency: Duration,
    session: Arc<Session>,
    /// Made when it is needed: connecting to a directory creates it.
    connection: OnceCell<Connection>,
}

impl Store {
    /// Opens a store that must be there.
    ///
    /// # Errors
    /// The directory does not exist, or the bucket cannot be listed.
    pub async fn open(options: &StoreOptions) -> Result<Self> {
        let store = Self::open_or_create(options).await?;
        match store.inner.location.directory() {
            Some(directory) if !directory.is_dir() => Err(Error::NoStore { uri: store.uri().to_owned() }),
            _ => Ok(store),
        }
    }

    /// Opens a store that may be empty yet: its directory is created by the first write, and until then
    /// it has no tables.
    ///
    /// # Errors
    /// The place is not understood, or the bucket cannot be listed.
    pub async fn open_or_create(options: &StoreOptions) -> Result<Self> {
        let store = Self::at(options)?;
        if store.inner.location.directory().is_none() {
            store.table_names().await?;
        }
        Ok(store)
    }

    /// As [`Store::open_or_create`], without asking a bucket whether it can be listed.
    ///
    /// # Errors
    /// The place is not understood.
    pub fn at(options: &StoreOptions) -> Result<Self> {
        let location = Location::parse(options)?;
        let uri = match &location {
            Location::Directory(path) => path.display().to_string(),
            Location::Bucket { uri, .. } => uri.clone(),
        };
        let session = Arc::new(Session::new(CACHE_BYTES, CACHE_BYTES, Arc::new(ObjectStoreRegistry::default())));
        let (read_consistency, connection) = (options.read_consistency, OnceCell::new());
        Ok(Self { inner: Arc::new(Inner { uri, location, read_consistency, session, connection }) })
    }

    /// Returns where the store is: an absolute path or `s3://bucket/prefix`.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.inner.uri
    }

    /// Returns the names of all tables, sorted.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub async fn table_names(&self) -> Result<Vec<String>> {
        let Some(connection) = self.existing().await? else { return Ok(Vec::new()) };
        let names = connection.table_names().execute().boxed().await;
        names.map_err(|error| Error::store(self.uri(), "listed", &error))
    }

    /// Returns the newest version of a table, or nothing when there is no such table.
    ///
    /// # Errors
    /// The table is there but does not open, or the store fails.
    pub async fn snapshot(&self, table: &str) -> Result<Option<Snapshot>> {
        let Some(opened) = self.table(table).await? else {
            return self.never_written(table).await;
        };
        Snapshot::of(table, &opened).await.map(Some)
    }

    /// As [`Store::snapshot`], at a given version.
    ///
    /// # Errors
    /// As there, and the version has been removed.
    pub async fn snapshot_at(&self, table: &str, version: u64) -> Result<Option<Snapshot>> {
        match self.snapshot(table).await? {
            Some(snapshot) => snapshot.at(version).await.map(Some),
            None => Ok(None),
        }
    }

    /// Opens a table for writing, or returns nothing when it has no version.
    pub(crate) async fn table(&self, name: &str) -> Result<Option<Table>> {
        let Some(connection) = self.existing().await? else { return Ok(None) };
        match connection.open_table(name).execute().boxed().await {
            Ok(table) => Ok(Some(table)),
            Err(lancedb::Error::TableNotFound { .. }) => Ok(None),
            Err(error) => Err(Error::table(name, "opened", &error)),
        }
    }

    /// Opens a table for writing, or creates it without rows.
    pub(crate) async fn table_or_create(&self, name: &str, schema: SchemaRef) -> Result<Table> {
        if let Some(table) = self.table(name).await? {
            return Ok(table);
        }
        match self.create(name, schema, stream::empty().boxed()).await {
            Ok(table) => Ok(table),
            // Somebody else may have created it meanwhile.
            Err(error) => self.table(name).await?.ok_or(error),
        }
    }

    /// Creates a table with its first rows.
    ///
    /// # Errors
    /// The table is there already, whoever created it just now, or the store fails.
    pub(crate) async fn create(
        &self,
        name: &str,
        schema: SchemaRef,
        rows: BoxStream<'static, lancedb::Result<RecordBatch>>,
    ) -> Result<Table> {
        let failed = |error: lance::Error| Error::table(name, "created", &error);
        let uri = format!("{}/{name}.lance", self.uri());
        let params = WriteParams {
            session: Some(Arc::clone(&self.inner.session)),
            store_params: Some(self.inner.location.object_store_params()),
            ..WriteParams::default()
        };
        let rows: SendableRecordBatchStream = Box::pin(SimpleRecordBatchStream::new(rows, schema));
        let insert = InsertBuilder::new(uri.as_str()).with_params(&params);
        let transaction =
            insert.execute_uncommitted_stream(rows.into_df_stream()).boxed().await.map_err(failed)?;
        // LanceDB's own creation overwrites a table that somebody else has created since it looked, and
        // with it the rows they have stored. Only a commit without retries refuses.
        let commit = CommitBuilder::new(uri.as_str())
            .with_store_params(self.inner.location.object_store_params())
            .with_session(Arc::clone(&self.inner.session))
            .enable_v2_manifest_paths(true)
            .with_max_retries(0);
        commit.execute(transaction).boxed().await.map_err(failed)?;
        self.table(name).await?.ok_or(Error::NoStore { uri })
    }

    /// Returns the connection, and creates the directory.
    async fn connection(&self) -> Result<&Connection> {
        self.inner.connection.get_or_try_init(|| self.connect().boxed()).await
    }

    /// Returns the connection, unless the directory does not exist.
    async fn existing(&self) -> Result<Option<&Connection>> {
        let Some(directory) = self.inner.location.directory() else { return self.connection().await.map(Some) };
        let in_the_way = || io::Error::from(io::ErrorKind::NotADirectory);
        match directory.metadata().and_then(|found| if found.is_dir() { Ok(()) } else { Err(in_the_way()) }) {
            Ok(()) => self.connection().await.map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // Another failure, such as a file in the way, is no empty store.
            Err(error) => Err(Error::store(self.uri(), "opened", &error)),
        }
    }

    async fn connect(&self) -> Result<Connection> {
        // Without an interval a table handle never sees what others write.
        let mut builder = lancedb::connect(self.uri())
            .session(Arc::clone(&self.inner.session))
            // The directory is the catalogue; looking for another one is a request.
            .namespace_client_property("manifest_enabled", "false")
            .read_consistency_interval(self.inner.read_consistency);
        if let Location::Bucket { options, .. } = &self.inner.location {
            builder = builder.storage_options(options);
        }
        builder.execute().boxed().await.map_err(|error| Error::store(self.uri(), "opened", &error))
    }

    /// Returns nothing, or an error when a table that does not open has a directory: an unreadable table
    /// must not pass for an absent one.
    async fn never_written<T>(&self, table: &str) -> Result<Option<T>> {
        if self.table_names().await?.iter().any(|name| name == table) {
            let cause = "it has a directory but no readable version".to_owned();
            return Err(Error::Table { table: table.to_owned(), action: "opened", cause });
        }
        Ok(None)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").field("uri", &self.uri()).finish_non_exhaustive()
    }
}
