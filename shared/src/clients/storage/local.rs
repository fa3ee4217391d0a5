//! A directory as object storage.

use std::{
    io::{self, ErrorKind, SeekFrom},
    path::{Component, Path, PathBuf},
    time::UNIX_EPOCH,
};

use axum::body::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncSeekExt},
};

use super::{ByteRange, Content, Error, Listed, Metadata, ObjectStore, Presentation, Result, Spool, disk, parent};
use crate::clock::Millis;

/// Where uploads wait, inside the directory of the files: a move from there is one step.
pub const INCOMING: &str = ".incoming";

/// How much of a file is in memory at once.
const CHUNK: usize = 64 * 1024;

/// Reports whether a path stays inside the directory that it is joined to.
#[must_use]
pub fn is_safe_path(path: &str) -> bool {
    let mut components = Path::new(path).components();
    !path.is_empty()
        && !path.contains(['\\', '\0'])
        && components.all(|component| matches!(component, Component::Normal(_)))
}

/// The files below a directory.
pub struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    /// Returns the store of a directory, which is made when something is put there.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn file(&self, path: &str) -> Result<PathBuf> {
        if is_safe_path(path) { Ok(self.root.join(path)) } else { Err(Error::BadPath) }
    }

    /// Removes uploads that a killed process has left behind before a time, and returns how many.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn remove_abandoned(&self, before: Millis) -> Result<u64> {
        let mut removed = 0;
        let Some(mut files) = found(fs::read_dir(self.root.join(INCOMING)).await, "listing")? else {
            return Ok(0);
        };
        while let Some(entry) = files.next_entry().await.map_err(disk("listing"))? {
            let Some(metadata) = found(entry.metadata().await, "listing")? else { continue };
            if modified(&metadata) < before {
                found(fs::remove_file(entry.path()).await, "deleting")?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Turns "not found" into `None`. A file where a directory is expected is not found either.
fn found<T>(outcome: io::Result<T>, operation: &'static str) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(disk(operation)(error)),
    }
}

fn modified(metadata: &std::fs::Metadata) -> Millis {
    let age = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    age.and_then(|age| Millis::try_from(age.as_millis()).ok()).unwrap_or_default()
}

/// Moves a file, also to another file system, so that its new name never shows half of it, and stays after a
/// loss of power.
async fn move_file(content: &Spool, to: &Path) -> Result<()> {
    match fs::rename(content.path(), to).await {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            let draft = to.with_extension("part");
            let copied = async {
                fs::copy(content.path(), &draft).await?;
                File::open(&draft).await?.sync_all().await?;
                fs::rename(&draft, to).await
            };
            if let Err(error) = copied.await {
                let _ = fs::remove_file(&draft).await;
                return Err(disk("storing")(error));
            }
        }
        outcome => outcome.map_err(disk("storing"))?,
    }
    let directory = File::open(parent(to)).await.map_err(disk("storing"))?;
    directory.sync_all().await.map_err(disk("storing"))
}

/// Reads `length` bytes of a file, piece by piece.
fn read(file: File, length: u64) -> Content {
    stream::try_unfold((file, length), |(mut file, left)| async move {
        let mut chunk = vec![0; usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)];
        if chunk.is_empty() {
            return Ok(None);
        }
        let read = file.read(&mut chunk).await?;
        if read == 0 {
            return Err(io::Error::from(ErrorKind::UnexpectedEof));
        }
        chunk.truncate(read);
        Ok(Some((Bytes::from(chunk), (file, left - read as u64))))
    })
    .boxed()
}

impl ObjectStore for LocalStore {
    fn put<'a>(&'a self, path: &'a str, content: &'a Spool, _: Presentation) -> BoxFuture<'a, Result<()>> {
        async move {
            let file = self.file(path)?;
            content.sync().await?;
            fs::create_dir_all(parent(&file)).await.map_err(disk("making a directory"))?;
            move_file(content, &file).await
        }
        .boxed()
    }

    fn get<'a>(&'a self, path: &'a str, range: Option<ByteRange>) -> BoxFuture<'a, Result<Option<Content>>> {
        async move {
            let Some(mut file) = found(File::open(self.file(path)?).await, "reading")? else { return Ok(None) };
            let metadata = file.metadata().await.map_err(disk("reading"))?;
            if !metadata.is_file() {
                return Ok(None);
            }
            let Some(ByteRange { first, last }) = range else { return Ok(Some(read(file, metadata.len()))) };
            file.seek(SeekFrom::Start(first)).await.map_err(disk("reading"))?;
            Ok(Some(read(file, last - first + 1)))
        }
        .boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        async move { found(fs::remove_file(self.file(path)?).await, "deleting").map(|_| ()) }.boxed()
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>>> {
        async move {
            let mut files = Vec::new();
            let mut directories = vec![PathBuf::new()];
            while let Some(directory) = directories.pop() {
                let Some(mut entries) = found(fs::read_dir(self.root.join(&directory)).await, "listing")? else {
                    continue;
                };
                while let Some(entry) = entries.next_entry().await.map_err(disk("listing"))? {
                    let path = directory.join(entry.file_name());
                    let Some(metadata) = found(entry.metadata().await, "listing")? else { continue };
                    if metadata.is_dir() && path != Path::new(INCOMING) {
                        directories.push(path);
                    } else if metadata.is_file() {
                        files.push(Listed { path: path.to_string_lossy().into_owned(), size: metadata.len() });
                    }
                }
            }
            files.retain(|file| file.path.starts_with(prefix) && after.is_none_or(|after| *file.path > *after));
            files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
            files.truncate(limit);
            Ok(files)
        }
        .boxed()
    }

    fn metadata<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Metadata>>> {
        async move {
            let metadata = found(fs::metadata(self.file(path)?).await, "looking")?;
            Ok(metadata.filter(std::fs::Metadata::is_file).map(|metadata| Metadata {
                size: metadata.len(),
                modified: modified(&metadata),
                content_type: None,
            }))
        }
        .boxed()
    }
}
