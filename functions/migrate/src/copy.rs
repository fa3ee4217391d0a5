//! Phase 3: the vectors of memos and attachments into tables of their own, and the embedding caches where
//! the new store is another place (`contract/migration.md` section 9).

use futures::StreamExt;
use vectors::{CACHE_TABLES, Snapshot, Store, Value, VectorKind, VectorRow, VectorTable, copy_cache, unit};

use crate::{
    digest::{DigestSet, Keys},
    failure::Cause,
    legacy::{Batch, Entity, Notes, entity},
    observer::{Checkpoint, Event, Observer, Verb},
    plan::TablePlan,
    report::{CacheReport, VectorReport},
};

/// Vectors of one merge-insert.
const BATCH_ROWS: usize = 1000;

/// How many vectors are looked for afterwards.
const PROBES: usize = 5;

/// The largest squared distance of a vector from itself.
const SAME: f32 = 1e-4;

/// Which vectors of which old table go where.
#[derive(Debug, Clone, Copy)]
pub struct VectorColumn {
    /// The old table.
    pub table: &'static str,
    /// The column of its ids.
    id: &'static str,
    /// The column of its vectors.
    pub vector: &'static str,
    /// The column of the hash of their model, where there is one.
    model_hash: &'static str,
    /// Where they go.
    pub kind: VectorKind,
}

/// The vectors of an old install.
pub static VECTOR_COLUMNS: [VectorColumn; 2] = [
    VectorColumn {
        table: "memos",
        id: "memoId",
        vector: "embedding",
        model_hash: "modelHash",
        kind: VectorKind::Memo,
    },
    VectorColumn {
        table: "attachments",
        id: "attachmentId",
        vector: "multimodalEmbedding",
        model_hash: "multimodalModelHash",
        kind: VectorKind::Attachment,
    },
];

/// Copies the vectors of an old table. Vectors that are missing, or hold something that is no number, are
/// counted and left out.
///
/// # Errors
/// A store fails, or afterwards a vector is not found.
pub async fn copy_vectors(
    snapshot: &Snapshot,
    column: &VectorColumn,
    plan: &TablePlan,
    target: &Store,
    observer: &dyn Observer,
) -> Result<VectorReport, Cause> {
    let mut report = VectorReport::default();
    let Some(dimension) = snapshot.vector_dimension(column.vector) else { return Ok(report) };
    let table = VectorTable::open_or_create(target, column.kind, dimension).await?;
    // The rows of one id are one row by now, so that only what an earlier run has left can be doubled.
    let is_new = table.count().await? == 0;
    let entity = entity(column.table);
    let started = std::time::Instant::now();
    let total = plan.source_rows;
    observer.hear(Event::Started { verb: Verb::Copy, table: table.name(), total });
    let mut notes = Notes::default();
    let mut probes: Vec<VectorRow> = Vec::new();
    let mut batches = snapshot.rows(
        &[column.id, "uid", column.vector, column.model_hash, "createdAt", "updatedAt", "deletedAt"],
        BATCH_ROWS,
    );
    let mut position = 0;
    while let Some(rows) = batches.next().await {
        let rows = rows?;
        let found = vectors_of(entity, column, plan, &rows, position, &mut notes, &mut report)?;
        position += rows.len() as u64;
        if is_new {
            table.append(&found).await?;
        } else {
            table.upsert(&found).await?;
        }
        // Some of the first, of those in the middle, and the last.
        probes.extend(found.into_iter().step_by(BATCH_ROWS / 2).take(2));
        if probes.len() > PROBES {
            probes.remove(probes.len() / 2);
        }
        observer.may_go_on(Checkpoint::Statement, None).await?;
        observer.hear(Event::Progress { verb: Verb::Copy, table: table.name(), done: position, total });
    }
    table.optimize().await?;
    report.missing = notes.0.remove("missing").unwrap_or_default();
    check(&table, &probes, report.copied).await?;
    observer.hear(Event::Finished {
        verb: Verb::Copy,
        table: table.name(),
        rows: report.copied,
        skipped: report.missing.count,
        orphans: 0,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(report)
}

fn vectors_of(
    entity: &'static Entity,
    column: &VectorColumn,
    plan: &TablePlan,
    rows: &vectors::Rows,
    first: u64,
    notes: &mut Notes,
    report: &mut VectorReport,
) -> Result<Vec<VectorRow>, Cause> {
    let (vectors, hashes) = (rows.column(column.vector), rows.column(column.model_hash));
    let mut found = Vec::with_capacity(rows.len());
    for (row, record) in Batch::new(entity, rows).records(first).enumerate() {
        if plan.skips(record.position).is_some() || record.is_deleted()? {
            continue;
        }
        report.source += 1;
        match vectors.get(row) {
            Value::Vector(vector) if vector.iter().all(|number| number.is_finite()) => {
                report.copied += 1;
                let created_at = record.created_at(0)?;
                found.push(VectorRow {
                    id: record.id(column.id)?,
                    uid: record.id("uid")?,
                    // Scaled as those of the product: their distances make the score.
                    vector: match column.kind {
                        VectorKind::Memo => unit(vector.into_owned()),
                        VectorKind::Attachment => vector.into_owned(),
                    },
                    model_hash: match hashes.get(row) {
                        Value::Text(hash) if !hash.is_empty() => Some(hash.to_owned()),
                        _ => None,
                    },
                    updated_at: record.updated_at(created_at)?,
                });
            }
            _ => notes.add("missing", &record.name()),
        }
    }
    Ok(found)
}

/// Looks for some of the vectors that were copied: each must find itself.
async fn check(table: &VectorTable, probes: &[VectorRow], copied: u64) -> Result<(), Cause> {
    let count = table.count().await?;
    if count < copied {
        let message = format!("it holds {count} vectors, {copied} were copied");
        return Err(Cause::new(message).at(table.name()));
    }
    for probe in probes {
        let hits =
            table.nearest(&probe.uid, probe.model_hash.as_deref().unwrap_or_default(), &probe.vector, 1).await?;
        if !hits.first().is_some_and(|hit| hit.distance <= SAME) {
            let message = format!("the vector of {} does not find itself", probe.id);
            return Err(Cause::new(message).at(table.name()));
        }
    }
    Ok(())
}

/// Returns the ids that have a vector of a kind.
///
/// # Errors
/// The store fails.
pub async fn ids_with_vector(target: &Store, kind: VectorKind, keys: Keys) -> Result<DigestSet, Cause> {
    let Some(table) = VectorTable::open(target, kind).await? else { return Ok(DigestSet::default()) };
    let Some(snapshot) = target.snapshot(table.name()).await? else { return Ok(DigestSet::default()) };
    let id = VECTOR_COLUMNS.iter().find(|column| column.kind == kind).map_or("memoId", |column| column.id);
    let mut digests = Vec::with_capacity(usize::try_from(snapshot.count_rows().await?).unwrap_or_default());
    let mut batches = snapshot.rows(&[id], 8192);
    while let Some(rows) = batches.next().await {
        let rows = rows?;
        let ids = rows.column(id);
        digests.extend((0..rows.len()).filter_map(|row| match ids.get(row) {
            Value::Text(id) => Some(keys.digest(&[id])),
            _ => None,
        }));
    }
    Ok(DigestSet::new(digests).0)
}

/// Copies the embedding caches that are there.
///
/// # Errors
/// A store fails.
pub async fn copy_caches(
    source: &crate::source::Source,
    target: &Store,
    observer: &dyn Observer,
) -> Result<Vec<(String, CacheReport)>, Cause> {
    let mut reports = Vec::new();
    for name in CACHE_TABLES {
        let Some(snapshot) = source.tables.get(name) else { continue };
        let total = snapshot.count_rows().await?;
        let started = std::time::Instant::now();
        observer.hear(Event::Started { verb: Verb::Copy, table: name, total });
        let progress = |done| observer.hear(Event::Progress { verb: Verb::Copy, table: name, done, total });
        let copy = copy_cache(snapshot, target, progress).await.map_err(|error| Cause::from(error).at(name))?;
        observer.hear(Event::Finished {
            verb: Verb::Copy,
            table: name,
            rows: copy.copied,
            skipped: copy.repeated,
            orphans: 0,
            milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        let report = CacheReport { source: copy.source, copied: copy.copied, repeated: copy.repeated };
        reports.push((name.to_owned(), report));
        observer.may_go_on(Checkpoint::Statement, None).await?;
    }
    Ok(reports)
}
