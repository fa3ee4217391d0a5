//! Object storage: where the bytes of attachments and avatars are (`contract/attachments.md` section 3).
//!
//! A [`Location`] says where an object was written: it stands in the row of the file, so that old files stay
//! reachable after a change of settings. [`Stores`] opens what a location names: a directory, an S3 bucket, or
//! an OSS bucket through its S3 interface. Access URLs are made from the location alone ([`presigned`]): a function
//! that only shows URLs never opens a store, and its binary does not carry their client.

mod local;
mod location;
pub mod presigned;
mod s3;
mod spool;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use axum::body::Bytes;
use futures::{future::BoxFuture, stream::BoxStream};

pub use self::{
    local::{INCOMING, LocalStore, is_safe_path},
    location::{Address, Location, StorageType},
    spool::Spool,
};
pub use crate::clients::sigv4::{Credentials, encode_path};
use crate::clock::Millis;

/// The result of a storage operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an object could not be stored, read or deleted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No place for files is configured.
    #[error("no attachment storage is configured: set ATTACHMENT_STORAGE_TYPE and the settings of that type")]
    NotConfigured,
    /// A row names a place that cannot be opened.
    #[error("the stored place of a file is not complete: {0}")]
    BadLocation(&'static str),
    /// A key that would leave its directory.
    #[error("not a storage path")]
    BadPath,
    /// The disk failed.
    #[error("{operation} on the disk failed")]
    Disk {
        /// What was tried.
        operation: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
    /// The object store failed or refused.
    #[error("{operation} in the bucket failed: {message}")]
    Remote {
        /// What was tried.
        operation: &'static str,
        /// What the store says.
        message: String,
    },
}

/// Part of an object: from the first byte to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
}

/// How an object is served: what a store keeps beside the bytes, for those who read it without this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presentation {
    /// The content type.
    pub content_type: &'static str,
    /// Whether a browser shall save it instead of showing it.
    pub is_download: bool,
}

/// What a store knows of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The size in bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Millis,
    /// The content type; a directory keeps none.
    pub content_type: Option<String>,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The path, without the prefix of the location.
    pub path: String,
    /// The size in bytes.
    pub size: u64,
}

/// The bytes of an object, as they arrive.
pub type Content = BoxStream<'static, io::Result<Bytes>>;

/// A place for objects. Paths are those of the rows: the store adds the prefix of its location.
pub trait ObjectStore: Send + Sync {
    /// Stores what a file holds, replacing what was there. The file is moved away if that is cheaper.
    fn put<'a>(
        &'a self,
        path: &'a str,
        content: &'a Spool,
        presentation: Presentation,
    ) -> BoxFuture<'a, Result<()>>;

    /// Returns the bytes of an object or of a part of it; `None` when there is no such object.
    fn get<'a>(&'a self, path: &'a str, range: Option<ByteRange>) -> BoxFuture<'a, Result<Option<Content>>>;

    /// Deletes an object; one that is not there counts as deleted.
    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Returns the objects below a prefix in the order of their paths: those behind `after`, and at most
    /// `limit` of them.
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>>>;

    /// Returns size and age of an object; `None` when there is no such object.
    fn metadata<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Metadata>>>;

    /// Reports whether there is such an object.
    fn exists<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move { Ok(self.metadata(path).await?.is_some()) })
    }
}

/// What is configured about storage (`contract/configuration.md` section 6).
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where new files go; `None` when nothing is configured.
    pub current: Option<Location>,
    /// The directory of local files.
    pub local_root: PathBuf,
    /// Who signs for S3.
    pub s3_credentials: Option<Credentials>,
    /// Who signs for OSS.
    pub oss_credentials: Option<Credentials>,
    /// Whether the configured S3 bucket stands in the path of a URL; by default a rule decides.
    pub s3_path_style: Option<bool>,
    /// The most bytes of a file.
    pub max_size: u64,
    /// Media types that are refused, in lower case; `x/*` stands for a family.
    pub blocked_types: Vec<String>,
    /// The life of an access URL of an attachment, in seconds.
    pub url_expiry: u64,
}

impl Settings {
    /// Returns who signs requests to a location.
    #[must_use]
    pub fn credentials(&self, location: &Location) -> Option<&Credentials> {
        match location.storage {
            StorageType::Local => None,
            StorageType::S3 => self.s3_credentials.as_ref(),
            StorageType::Oss => self.oss_credentials.as_ref(),
        }
    }

    /// Returns where the S3 interface of a location answers.
    ///
    /// # Errors
    /// The location is no bucket, or not complete.
    pub fn address(&self, location: &Location) -> Result<Address> {
        // The setting describes the service that is configured now, not those of old rows.
        let is_current = self.current.as_ref().is_some_and(|current| current.endpoint == location.endpoint);
        location.address(self.s3_path_style.filter(|_| is_current))
    }

    /// Returns where an upload waits until it is stored: near its place, where it can be moved there.
    #[must_use]
    pub fn spool_directory(&self) -> PathBuf {
        match &self.current {
            Some(location) if location.storage == StorageType::Local => self.local_root.join(INCOMING),
            _ => std::env::temp_dir(),
        }
    }
}

/// Opens stores and keeps them open.
#[derive(Default)]
pub struct Stores(Mutex<HashMap<Location, Arc<dyn ObjectStore>>>);

impl Stores {
    /// Returns the store of a location.
    ///
    /// # Errors
    /// The location is not complete.
    pub fn open(&self, settings: &Settings, location: &Location) -> Result<Arc<dyn ObjectStore>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(location) {
            return Ok(store.clone());
        }
        let store: Arc<dyn ObjectStore> = match location.storage {
            StorageType::Local => Arc::new(LocalStore::new(&settings.local_root)),
            StorageType::S3 | StorageType::Oss => {
                Arc::new(s3::S3Store::new(location, &settings.address(location)?, settings.credentials(location))?)
            }
        };
        open.insert(location.clone(), store.clone());
        Ok(store)
    }
}

/// Turns an error of the operating system into one that says what was tried.
fn disk(operation: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Disk { operation, source }
}

/// Returns the directory that holds a file.
fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}
