//! Where stores and backups live: a directory, or a prefix of an S3 bucket.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use lance::io::{ObjectStoreParams, StorageOptionsAccessor};

use crate::{Error, Result, StoreOptions};

#[derive(Debug, Clone)]
pub(crate) enum Location {
    Directory(PathBuf),
    Bucket {
        /// `s3://bucket/prefix`, without a slash at the end.
        uri: String,
        /// Options of the object store. Credentials are not among them: they come from the environment
        /// or the role of the function.
        options: HashMap<String, String>,
    },
}

impl Location {
    pub(crate) fn parse(options: &StoreOptions) -> Result<Self> {
        let uri = options.uri.as_str();
        let unknown = || Error::Location { uri: uri.to_owned() };
        if let Some(bucket) = uri.strip_prefix("s3://") {
            let bucket = bucket.trim_end_matches('/');
            if bucket.is_empty() || bucket.starts_with('/') || bucket.contains(['?', '#', '@']) {
                return Err(unknown());
            }
            return Ok(Self::Bucket { uri: format!("s3://{bucket}"), options: object_store_options(options) });
        }
        let path = uri.strip_prefix("file://").unwrap_or(uri);
        if path.contains("://") {
            return Err(unknown());
        }
        std::path::absolute(path).map(Self::Directory).map_err(|_| unknown())
    }

    /// Returns the directory, if it is one.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Directory(path) => Some(path),
            Self::Bucket { .. } => None,
        }
    }

    /// Returns what lance needs to know of it.
    pub(crate) fn object_store_params(&self) -> ObjectStoreParams {
        let options = match self {
            Self::Directory(_) => None,
            Self::Bucket { options, .. } => Some(StorageOptionsAccessor::with_static_options(options.clone())),
        };
        ObjectStoreParams { storage_options_accessor: options.map(Arc::new), ..ObjectStoreParams::default() }
    }
}

/// `contract/lancedb-tables.md` section 7. An endpoint of one's own is addressed by path.
fn object_store_options(store: &StoreOptions) -> HashMap<String, String> {
    let mut options = HashMap::new();
    let mut set = |name: &str, value: String| options.insert(name.to_owned(), value);
    if let Some(region) = &store.region {
        set("aws_region", region.clone());
    }
    if let Some(endpoint) = &store.endpoint {
        set("aws_endpoint", endpoint.clone());
        set("aws_virtual_hosted_style_request", "false".to_owned());
        set("allow_http", endpoint.starts_with("http://").to_string());
    }
    if let Some(patience) = store.give_up_after {
        let seconds = patience.as_secs().max(1);
        set("timeout", format!("{seconds}s"));
        set("connect_timeout", format!("{}s", seconds.min(2)));
        set("client_max_retries", "2".to_owned());
        set("client_retry_timeout", seconds.to_string());
    }
    options
}
