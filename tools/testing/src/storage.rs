//! Places for files.

use std::{
    path::PathBuf,
    process::Command,
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

fn prefix(name: &str) -> String {
    directory(name).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns the settings that store files in the S3 server of the tests, below a prefix that nobody else uses.
#[must_use]
pub fn s3_settings() -> Vec<(&'static str, String)> {
    vec![
        ("ATTACHMENT_STORAGE_TYPE", "s3".to_owned()),
        ("ATTACHMENT_S3_ENDPOINT", server_url("TEST_S3_ENDPOINT")),
        ("ATTACHMENT_S3_BUCKET", server_url("TEST_S3_BUCKET")),
        ("ATTACHMENT_S3_ACCESS_KEY_ID", server_url("TEST_S3_ACCESS_KEY_ID")),
        ("ATTACHMENT_S3_SECRET_ACCESS_KEY", server_url("TEST_S3_SECRET_ACCESS_KEY")),
        ("ATTACHMENT_S3_PREFIX", format!("run/{}", prefix("attachments"))),
    ]
}

/// As [`s3_settings`], for vectors and caches. Their credentials are those of the environment
/// ([`run_with_s3_credentials`]).
#[must_use]
pub fn s3_vector_settings() -> Vec<(&'static str, String)> {
    vec![
        ("LANCEDB_URI", format!("s3://{}/{}", server_url("TEST_S3_BUCKET"), prefix("vectors"))),
        ("LANCEDB_S3_ENDPOINT", server_url("TEST_S3_ENDPOINT")),
        ("AWS_REGION", "us-east-1".to_owned()),
    ]
}

/// Runs an ignored test of this binary with credentials of the S3 server. LanceDB takes them from the environment,
/// which a test may not change for itself, so such a test is two: the one that everybody sees runs the other.
///
/// # Panics
/// The test fails, or there is none of this name.
pub fn run_with_s3_credentials(test: &str) {
    let output = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("AWS_ACCESS_KEY_ID", server_url("TEST_S3_ACCESS_KEY_ID"))
        .env("AWS_SECRET_ACCESS_KEY", server_url("TEST_S3_SECRET_ACCESS_KEY"))
        .output()
        .expect("this binary runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
