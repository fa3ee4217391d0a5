//! Writing a backup.

use arrow_ipc::{
    CompressionType,
    writer::{IpcWriteOptions, StreamWriter},
};
use arrow_schema::ArrowError;
use futures::TryStreamExt;

use super::{BackedUpTable, Manifest, Origin, Place, file::Writer, place::Folder};
use crate::{Error, Result, Snapshot};

const BATCH_ROWS: usize = 1024;

/// Writes tables into a new folder, each as one file, and then the manifest. One batch of rows is in
/// memory at a time. `progress` hears how many rows of a table are written.
///
/// # Errors
/// The folder holds a backup already, a table cannot be read, or a file cannot be written: then there is
/// no manifest.
pub async fn write_backup(
    tables: &[Snapshot],
    place: &Place,
    folder: &str,
    origin: Origin,
    mut progress: impl FnMut(&str, u64),
) -> Result<Manifest> {
    let folder = place.folder(folder).await?;
    if Manifest::read(&folder).await?.is_some() {
        let cause = "the folder holds a backup already".to_owned();
        return Err(Error::Backup { file: folder.at.to_string(), action: "written", cause });
    }
    let mut manifest = Manifest { origin, tables: Vec::new() };
    for table in tables {
        manifest.tables.push(write_table(table, &folder, &mut progress).await?);
    }
    manifest.write(&folder).await?;
    Ok(manifest)
}

async fn write_table(
    table: &Snapshot,
    folder: &Folder,
    progress: &mut impl FnMut(&str, u64),
) -> Result<BackedUpTable> {
    let file = format!("{}.arrow", table.table());
    let mut writer = Writer::create(folder, &file).await?;
    let rows = match write_rows(table, &file, &mut writer, progress).await {
        Ok(rows) => rows,
        Err(error) => {
            writer.abort().await;
            return Err(error);
        }
    };
    let (bytes, sha256) = writer.finish().await?;
    let (table, version, schema) = (table.table().to_owned(), table.version(), table.columns().to_vec());
    Ok(BackedUpTable { table, version, schema, rows, bytes, sha256, file })
}

async fn write_rows(
    table: &Snapshot,
    file: &str,
    writer: &mut Writer,
    progress: &mut impl FnMut(&str, u64),
) -> Result<u64> {
    let failed = |error: ArrowError| Error::backup(file, "written", &error);
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD)).map_err(failed)?;
    let encoder = StreamWriter::try_new_with_options(Vec::new(), table.schema(), options);
    let mut encoder = encoder.map_err(failed)?;
    let columns = table.columns().iter().map(|column| column.name.clone()).collect();
    let mut batches = table.batches(columns, BATCH_ROWS);
    let mut rows = 0;
    while let Some(batch) = batches.try_next().await? {
        encoder.write(&batch).map_err(failed)?;
        writer.write(&std::mem::take(encoder.get_mut())).await?;
        rows += batch.num_rows() as u64;
        progress(table.table(), rows);
    }
    writer.write(&encoder.into_inner().map_err(failed)?).await?;
    Ok(rows)
}
