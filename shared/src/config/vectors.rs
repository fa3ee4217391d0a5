//! The vector store (`contract/configuration.md` sections 2 and 9, `contract/lancedb-tables.md` section 7).

use std::{path::Path, time::Duration};

use super::{
    Runtime, Variables,
    files::{require_mount, role_credentials},
};
use crate::clients::storage::Credentials;

const DAY: Duration = Duration::from_hours(24);

/// Where the vectors and embedding caches are, and how they are read.
#[derive(Debug, Clone)]
pub struct VectorStore {
    /// A directory, or `s3://bucket/prefix`.
    pub uri: String,
    /// The address of an S3 server that is not AWS.
    pub endpoint: Option<String>,
    /// The region of the bucket.
    pub region: Option<String>,
    /// What the bucket is asked with for the health check. LanceDB finds its own.
    pub credentials: Option<Credentials>,
    /// How old what an open table knows may be; unset where vectors and caches have defaults of their own.
    pub read_consistency: Option<Duration>,
    /// How long an old version of a table is kept.
    pub retention: Duration,
}

impl VectorStore {
    pub(super) fn read(vars: &mut Variables, runtime: Runtime, data_dir: &Path) -> Option<Self> {
        let default = || data_dir.join("lancedb").display().to_string();
        let uri = configured_lancedb(vars).or_else(|| (runtime == Runtime::Local).then(default));
        if let Some(directory) = uri.as_deref().filter(|uri| !uri.contains("://")) {
            require_mount(vars, runtime, "LANCEDB_URI", Path::new(directory));
        }
        let days = vars.number("LANCEDB_VERSION_RETENTION_DAYS", 7_u32);
        if days == 0 {
            let why =
                "LANCEDB_VERSION_RETENTION_DAYS must be at least 1: readers may use an older version for a while";
            vars.problems.push(why.to_owned());
        }
        let consistency = vars.get("LANCEDB_READ_CONSISTENCY_MS").is_some();
        let milliseconds = vars.number("LANCEDB_READ_CONSISTENCY_MS", 0);
        Some(Self {
            uri: uri?,
            endpoint: vars.get("LANCEDB_S3_ENDPOINT").map(str::to_owned),
            region: vars.get("AWS_REGION").map(str::to_owned),
            credentials: role_credentials(vars),
            read_consistency: consistency.then_some(Duration::from_millis(milliseconds)),
            retention: DAY * days,
        })
    }
}

/// Returns the vector store that is configured, if one is.
pub(super) fn configured_lancedb(vars: &mut Variables) -> Option<String> {
    let uri = vars.get("LANCEDB_URI").map(str::to_owned);
    let storage = vars.one_of("LANCEDB_STORAGE_TYPE", &[("local", false), ("s3", true)]);
    if uri.is_some() || storage != Some(true) {
        return uri.or_else(|| vars.get("LANCEDB_PATH").map(str::to_owned));
    }
    let Some(bucket) = vars.get("LANCEDB_S3_BUCKET").map(str::to_owned) else {
        vars.problems.push("LANCEDB_S3_BUCKET is missing, but LANCEDB_STORAGE_TYPE is s3".to_owned());
        return None;
    };
    Some(format!("s3://{bucket}/{}", vars.text("LANCEDB_S3_PREFIX", "lancedb")))
}
