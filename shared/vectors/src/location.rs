//! Where stores and backups live: a directory, or a prefix of an S3 bucket.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

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

#[cfg(test)]
mod tests {
    use super::Location;

    #[test]
    fn directories_and_buckets_are_told_apart() {
        let directory =
            |uri: &str| Location::parse(uri, None, None).map(|at| at.directory().map(ToOwned::to_owned));
        for uri in ["/srv/笔记 store", "file:///srv/笔记 store"] {
            assert_eq!(directory(uri).expect("a place"), Some("/srv/笔记 store".into()), "{uri}");
        }
        assert!(directory("data").expect("a place").is_some_and(|path| path.is_absolute()));
        assert_eq!(directory("s3://bucket/a/").expect("a place"), None);
        for uri in ["", "s3://", "s3:///a", "gs://bucket", "https://example.org", "s3://key@bucket"] {
            assert!(directory(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn an_own_endpoint_is_addressed_by_path() {
        let Ok(Location::Bucket { uri, options }) =
            Location::parse("s3://bucket/a/", Some("http://127.0.0.1:8333"), Some("eu-central-1"))
        else {
            panic!("a bucket")
        };
        assert_eq!(uri, "s3://bucket/a");
        assert_eq!(options["aws_virtual_hosted_style_request"], "false");
        assert_eq!(options["allow_http"], "true");
        assert_eq!(options["aws_region"], "eu-central-1");
    }
}
