//! Where backups are kept.

use std::sync::Arc;

use lance::io::ObjectStoreRegistry;
use object_store::{ObjectStore, local::LocalFileSystem, path::Path};

use crate::{Error, Result, StoreOptions, location::Location};

/// A directory or S3 prefix with a folder for each backup.
#[derive(Debug, Clone)]
pub struct Place {
    uri: String,
    location: Location,
}

impl Place {
    /// Understands a directory or `s3://bucket/prefix`. Nothing is looked up or created.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(uri: &str, endpoint: Option<&str>, region: Option<&str>) -> Result<Self> {
        let (endpoint, region) = (endpoint.map(str::to_owned), region.map(str::to_owned));
        let options = StoreOptions { uri: uri.to_owned(), endpoint, region, ..StoreOptions::default() };
        Ok(Self { location: Location::parse(&options)?, uri: options.uri })
    }

    /// Returns the place as it was given.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Returns whether the place is a directory of this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.location.directory().is_some()
    }

    /// Opens a folder, whether there is anything in it or not. The empty name is the place itself.
    pub(super) async fn folder(&self, name: &str) -> Result<Folder> {
        let failed = |error: &(dyn std::error::Error + 'static)| Error::backup(&self.uri, "opened", error);
        let root = match &self.location {
            Location::Directory(directory) => Folder {
                store: Arc::new(LocalFileSystem::new().with_fsync(true)),
                at: Path::from_absolute_path(directory).map_err(|error| failed(&error))?,
            },
            // By way of lance, so that credentials are found where the tables find theirs.
            Location::Bucket { uri, .. } => {
                let params = self.location.object_store_params();
                let registry = Arc::new(ObjectStoreRegistry::default());
                let opened = lance::io::ObjectStore::from_uri_and_params(registry, uri, &params).await;
                let (store, at) = opened.map_err(|error| failed(&error))?;
                Folder { store: Arc::clone(&store.inner), at }
            }
        };
        Ok(if name.is_empty() { root } else { root.below(name) })
    }
}

/// A folder of a place.
pub(super) struct Folder {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) at: Path,
}

impl Folder {
    pub(super) fn below(&self, name: &str) -> Self {
        Self { store: Arc::clone(&self.store), at: self.path(name) }
    }

    pub(super) fn path(&self, file: &str) -> Path {
        self.at.clone().join(file)
    }
}
