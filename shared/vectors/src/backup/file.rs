//! A file of a backup while it is written: counted and hashed on its way.

use object_store::{PutMultipartOptions, WriteMultipart};
use sha2::{Digest, Sha256};

use super::place::Folder;
use crate::{Error, Result};

/// The size of an upload's parts. Ten thousand of them are the most that S3 takes.
const PART_BYTES: usize = 8 << 20;

pub(super) struct Writer {
    file: String,
    upload: WriteMultipart,
    hash: Sha256,
    bytes: u64,
}

impl Writer {
    pub(super) async fn create(folder: &Folder, file: &str) -> Result<Self> {
        let upload = folder.store.put_multipart_opts(&folder.path(file), PutMultipartOptions::default()).await;
        let upload = upload.map_err(|error| Error::backup(file, "written", &error))?;
        let upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        Ok(Self { file: file.to_owned(), upload, hash: Sha256::new(), bytes: 0 })
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        // Not more than two parts are under way.
        let capacity = self.upload.wait_for_capacity(2).await;
        capacity.map_err(|error| Error::backup(&self.file, "written", &error))?;
        self.upload.write(bytes);
        Ok(())
    }

    /// Makes the file durable, and returns its length and SHA-256.
    pub(super) async fn finish(self) -> Result<(u64, String)> {
        let finished = self.upload.finish().await;
        finished.map_err(|error| Error::backup(&self.file, "written", &error))?;
        Ok((self.bytes, hex::encode(self.hash.finalize())))
    }

    /// Gives up what was written.
    pub(super) async fn abort(self) {
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(file = self.file, cause = crate::cause::cause(&error), "backup.abort.failed");
        }
    }
}
