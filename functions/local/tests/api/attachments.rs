//! Attachments (`contract/attachments.md`), on the disk and in a bucket.

use std::path::{Path, PathBuf};

use testing::{Client, Kind, Server, Settings, directory};

mod abuse;
mod buckets;
mod direct;
mod downloads;
mod failures;
mod moves;
mod uploads;

const UPLOAD: &str = "/api/v1/attachments/upload";
const LIST: &str = "/api/v1/attachments";

/// The product with a directory of its own.
struct Local {
    server: Server,
    ann: Client,
    directory: PathBuf,
}

impl Local {
    async fn start(kind: Kind) -> Self {
        Self::start_with(kind, Settings::default()).await
    }

    async fn start_with(kind: Kind, mut settings: Settings) -> Self {
        let directory = directory("attachments");
        settings.variables.push(("ATTACHMENT_LOCAL_PATH", directory.display().to_string()));
        let server = Server::start_with(kind, settings).await;
        Self { ann: server.user().await, server, directory }
    }

    /// Returns the paths of all files in the directory, those of uploads under way too.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        walk(&self.directory, &mut |file| {
            files.push(file.strip_prefix(&self.directory).unwrap().display().to_string());
        });
        files.sort_unstable();
        files
    }

    async fn total(&self) -> i64 {
        self.ann.get(LIST).await.data()["total"].as_i64().unwrap()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn walk(directory: &Path, found: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found(&path) }
    }
}
