//! Where stores and backups live: a directory, or a prefix of an S3 bucket.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use lance::io::{ObjectStoreParams, StorageOptionsAccessor};

use crate::{Error, Result};

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
    pub(crate) fn parse(uri: &str, endpoint: Option<&str>, region: Option<&str>) -> Result<Self> {
        let unknown = || Error::Location { uri: uri.to_owned() };
        if let Some(bucket) = uri.strip_prefix("s3://") {
            let bucket = bucket.trim_end_matches('/');
            if bucket.is_empty() || bucket.starts_with('/') || bucket.contains(['?', '#', '@']) {
                return Err(unknown());
            }
            return Ok(Self::Bucket { uri: format!("s3://{bucket}"), options: options(endpoint, region) });
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
fn options(endpoint: Option<&str>, region: Option<&str>) -> HashMap<String, String> {
    let mut options = HashMap::new();
    if let Some(region) = region {
        options.insert("aws_region".to_owned(), region.to_owned());
    }
    if let Some(endpoint) = endpoint {
        options.insert("aws_endpoint".to_owned(), endpoint.to_owned());
        options.insert("aws_virtual_hosted_style_request".to_owned(), "false".to_owned());
        options.insert("allow_http".to_owned(), endpoint.starts_with("http://").to_string());
    }
    options
}
