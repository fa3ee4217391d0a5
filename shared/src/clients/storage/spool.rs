//! A file that waits on the disk until it is stored: nobody holds it in memory.

use std::path::{Path, PathBuf};

use tokio::{
    fs::{self, File, OpenOptions},
    io::AsyncWriteExt,
};

use super::{Result, disk};
use crate::ids::{AttachmentId, Random};

/// A file under way. It is removed when it is dropped, unless a store has moved it away.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Spool {
    /// Makes an empty file with a name that nobody can guess.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn create(directory: &Path, random: &dyn Random) -> Result<Self> {
        fs::create_dir_all(directory).await.map_err(disk("making the directory of uploads"))?;
        let path = directory.join(format!("aimo-{}.part", AttachmentId::new(random)));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await;
        Ok(Self { file: file.map_err(disk("making a file"))?, path, size: 0 })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// The disk fails, or is full.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        self.file.write_all(bytes).await.map_err(disk("writing a file"))
    }

    /// Waits until every byte is in the file.
    ///
    /// # Errors
    /// As [`Spool::write`].
    pub async fn finish(&mut self) -> Result<()> {
        self.file.flush().await.map_err(disk("writing a file"))
    }

    /// Waits until the file would survive a loss of power.
    ///
    /// # Errors
    /// As [`Spool::write`].
    pub(super) async fn sync(&self) -> Result<()> {
        self.file.sync_all().await.map_err(disk("writing a file"))
    }

    /// Returns how many bytes were written.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Not there any more when it was stored.
        let _ = std::fs::remove_file(&self.path);
    }
}
