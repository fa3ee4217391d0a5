//! Reading a backup: whether it is whole, and back into tables.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use futures::{
    FutureExt, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use object_store::ObjectStoreExt;
use sha2::{Digest, Sha256};

use super::{BackedUpTable, Manifest, Place, place::Folder};
use crate::{Error, Result, Store};

type Bytes = BoxStream<'static, Result<Buffer>>;

/// Reads every file of a backup and compares its length and SHA-256.
///
/// # Errors
/// A file is missing or damaged.
pub async fn verify_backup(place: &Place, folder: &str, manifest: &Manifest) -> Result<()> {
    let folder = place.folder(folder).await?;
    for table in &manifest.tables {
        verify(&folder, table).await?;
    }
    Ok(())
}

/// Makes the tables of a backup again, in a store that has none of them. The backup is verified before
/// anything is written. Returns the tables with the numbers of their rows.
///
/// # Errors
/// There is no complete backup in the folder, a file is damaged, the store holds one of the tables, or a
/// table cannot be written.
pub async fn restore_backup(place: &Place, folder: &str, target: &Store) -> Result<Vec<(String, u64)>> {
    let files = place.folder(folder).await?;
    let Some(manifest) = Manifest::read(&files).await? else {
        let cause = "the folder holds no complete backup".to_owned();
        return Err(Error::Backup { file: folder.to_owned(), action: "restored", cause });
    };
    let present = target.table_names().await?;
    let names = manifest.tables.iter().map(|table| table.table.as_str());
    let blocking: Vec<_> = names.filter(|name| present.iter().any(|table| table == name)).collect();
    if !blocking.is_empty() {
        return Err(Error::NotEmpty { uri: target.uri().to_owned(), tables: blocking.join(", ") });
    }
    verify_backup(place, folder, &manifest).await?;
    let mut restored = Vec::new();
    for table in &manifest.tables {
        restored.push((table.table.clone(), restore(&files, table, target).await?));
    }
    Ok(restored)
}

async fn verify(folder: &Folder, table: &BackedUpTable) -> Result<()> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut chunks = open(folder, &table.file).await?;
    while let Some(chunk) = chunks.try_next().await? {
        hash.update(&chunk);
        bytes += chunk.len() as u64;
    }
    let problem = if bytes != table.bytes {
        "its length is another"
    } else if hex::encode(hash.finalize()) != table.sha256 {
        "its SHA-256 is another"
    } else {
        return Ok(());
    };
    Err(Error::Damaged { file: table.file.clone(), problem })
}

async fn restore(folder: &Folder, table: &BackedUpTable, target: &Store) -> Result<u64> {
    let name = table.table.as_str();
    let damaged = |problem| Error::Damaged { file: table.file.clone(), problem };
    let mut decoding = Decoding::new(&table.file, open(folder, &table.file).await?);
    let first = decoding.next().await?;
    let schema = decoding.decoder.schema().ok_or_else(|| damaged("it has no schema"))?;
    let rest = stream::try_unfold(decoding, |mut decoding| async {
        Ok::<_, Error>(decoding.next().await?.map(|batch| (batch, decoding)))
    });
    let batches = stream::iter(first.map(Ok)).chain(rest);
    let batches = batches.map_err(|error| lancedb::Error::External { source: Box::new(error) });
    let created = target.create(name, schema, batches.boxed()).await?;
    let rows =
        created.count_rows(None).boxed().await.map_err(|error| Error::table(name, "counted", &error))? as u64;
    if rows == table.rows { Ok(rows) } else { Err(damaged("it holds another number of rows")) }
}

async fn open(folder: &Folder, file: &str) -> Result<Bytes> {
    let opened = folder.store.get(&folder.path(file)).await;
    let opened = opened.map_err(|error| Error::backup(file, "read", &error))?;
    let file: Arc<str> = file.into();
    let chunks = opened.into_stream().map_ok(Buffer::from);
    Ok(chunks.map_err(move |error| Error::backup(&file, "read", &error)).boxed())
}

/// Decodes an Arrow IPC stream as it arrives.
struct Decoding {
    file: String,
    chunks: Bytes,
    chunk: Buffer,
    decoder: StreamDecoder,
}

impl Decoding {
    fn new(file: &str, chunks: Bytes) -> Self {
        Self {
            file: file.to_owned(),
            chunks,
            chunk: Buffer::from_vec(Vec::<u8>::new()),
            decoder: StreamDecoder::new(),
        }
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let decoded = self.decoder.decode(&mut self.chunk);
            let decoded = decoded.map_err(|error| Error::backup(&self.file, "decoded", &error))?;
            if decoded.is_some() {
                return Ok(decoded);
            }
            match self.chunks.try_next().await? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(None),
            }
        }
    }
}
