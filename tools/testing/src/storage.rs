//! Places for files.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::database::server_url;

/// Returns a directory that nobody else uses; it is not made.
#[must_use]
pub fn directory(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join("aimo-tests").join(format!("{name}_{}_{number}", std::process::id()))
}

/// Returns the settings that store files in the S3 server of the tests, below a prefix that nobody else uses.
#[must_use]
pub fn s3_settings() -> Vec<(&'static str, String)> {
    let prefix = directory("attachments");
    let prefix = prefix.file_name().unwrap_or_default().to_string_lossy().into_owned();
    vec![
        ("ATTACHMENT_STORAGE_TYPE", "s3".to_owned()),
        ("ATTACHMENT_S3_ENDPOINT", server_url("TEST_S3_ENDPOINT")),
        ("ATTACHMENT_S3_BUCKET", server_url("TEST_S3_BUCKET")),
        ("ATTACHMENT_S3_ACCESS_KEY_ID", server_url("TEST_S3_ACCESS_KEY_ID")),
        ("ATTACHMENT_S3_SECRET_ACCESS_KEY", server_url("TEST_S3_SECRET_ACCESS_KEY")),
        ("ATTACHMENT_S3_PREFIX", format!("run/{prefix}")),
    ]
}
