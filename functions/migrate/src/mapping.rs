//! Turns the old rows into the rows of the product, as planned: the same ones, in the same order, every time
//! it is run.

use std::collections::BTreeMap;

use shared::{
    db::Cell,
    repositories::tables::{self, REFERENCES, Table},
};

use crate::{
    digest::{Checksum, DigestSet},
    failure::Cause,
    legacy::{Batch, Entity, MemoTags, Notes, Rules, entity, tags_of},
    observer::{Event, Observer, Verb},
    plan::Skip,
    preflight::Plan,
    scan::Scan,
    source::Source,
};

/// What the scan of memos for their tags reads.
const TAG_COLUMNS: [&str; 6] = ["memoId", "uid", "tagIds", "tags", "createdAt", "deletedAt"];

/// What the scan of memos for missing vectors reads.
const OUTBOX_COLUMNS: [&str; 3] = ["memoId", "uid", "deletedAt"];

/// What takes the rows of the product.
pub trait Sink {
    /// Takes a row of a table. Rows of one table come one after the other.
    fn take(&mut self, table: &'static Table, row: Vec<Cell>) -> impl Future<Output = Result<(), Cause>> + Send;

    /// Hears that the last row of a table has come.
    fn finish(&mut self, table: &'static Table) -> impl Future<Output = Result<(), Cause>> + Send;
}

/// A sink that keeps nothing: for those who only want to know the tallies.
pub struct Nothing;

impl Sink for Nothing {
    async fn take(&mut self, _: &'static Table, _: Vec<Cell>) -> Result<(), Cause> {
        Ok(())
    }

    async fn finish(&mut self, _: &'static Table) -> Result<(), Cause> {
        Ok(())
    }
}

/// What is known of the rows of a table of the product.
#[derive(Debug, Default)]
pub struct Tally {
    /// The rows of the old table.
    pub source: u64,
    /// The rows of the product.
    pub rows: u64,
    /// The old rows that were left out, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// The rows whose reference names nothing, by column.
    pub orphans: BTreeMap<&'static str, u64>,
    /// The checksum of the rows.
    pub checksum: Checksum,
    /// What was mended.
    pub notes: Notes,
    /// The first, the last and the largest row.
    pub samples: Samples,
    /// How long it took.
    pub milliseconds: u64,
}

impl Tally {
    /// Returns how many rows were left out.
    #[must_use]
    pub fn skipped_rows(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// Returns how many references name nothing.
    #[must_use]
    pub fn orphan_references(&self) -> u64 {
        self.orphans.values().sum()
    }
}

/// Rows that are compared value by value.
#[derive(Debug, Default)]
pub struct Samples {
    /// The first row.
    pub first: Option<Vec<Cell>>,
    /// The last row.
    pub last: Option<Vec<Cell>>,
    /// The row with the longest texts.
    pub largest: Option<Vec<Cell>>,
    size: usize,
}

impl Samples {
    fn see(&mut self, row: &[Cell]) {
        let size = row.iter().filter_map(Cell::as_text).map(str::len).sum();
        if self.first.is_none() {
            self.first = Some(row.to_vec());
        }
        if size > self.size {
            self.size = size;
            self.largest = Some(row.to_vec());
        }
        row.clone_into(self.last.get_or_insert_default());
    }

    /// Returns the sample with the key of a row.
    #[must_use]
    pub fn of(&self, table: &Table, row: &[Cell]) -> Option<&Vec<Cell>> {
        let samples = [&self.first, &self.last, &self.largest];
        samples.into_iter().flatten().find(|sample| sample[..table.key] == row[..table.key])
    }
}

/// The mapping of an old install.
pub struct Mapping<'a> {
    /// The old tables.
    pub source: &'a Source,
    /// What is to be done with their rows.
    pub plan: &'a Plan,
    /// The rules of single rows.
    pub rules: &'a Rules,
    /// The ids of the memos that have a vector.
    pub vectors: &'a DigestSet,
    /// Who watches.
    pub observer: &'a dyn Observer,
    /// What is done with the rows.
    pub verb: Verb,
}

impl Mapping<'_> {
    /// Maps every table into `sink`, and returns the tallies by table of the product.
    ///
    /// # Errors
    /// The store cannot be read, or the sink fails.
    pub async fn run<S: Sink + Send>(&self, sink: &mut S) -> Result<BTreeMap<&'static str, Tally>, Cause> {
        let mut tallies = BTreeMap::new();
        for table in tables::ALL {
            let tally = self.table(table, sink).await.map_err(|cause| cause.at(table.name))?;
            tallies.insert(table.name, tally);
        }
        Ok(tallies)
    }

    async fn table<S: Sink + Send>(&self, table: &'static Table, sink: &mut S) -> Result<Tally, Cause> {
        let started = std::time::Instant::now();
        let mut tally = Tally::default();
        let (old, columns) = match table.name {
            "memo_tags" => (entity("memos"), TAG_COLUMNS.to_vec()),
            "vector_outbox" => (entity("memos"), OUTBOX_COLUMNS.to_vec()),
            name => (entity(name), entity(name).wanted()),
        };
        let plan = self.plan.table(old.name);
        let total = plan.source_rows;
        self.observer.hear(Event::Started { verb: self.verb, table: table.name, total });
        if let Some(snapshot) = self.source.tables.get(old.name) {
            let mut scan = Scan::new(old, snapshot, &columns);
            while let Some((first, rows)) = scan.next().await? {
                let mapped = self.batch(table, old, first, &rows, &mut tally)?;
                for row in mapped {
                    self.put(table, row, &mut tally, sink).await?;
                }
                let done = first + rows.len() as u64;
                self.observer.hear(Event::Progress { verb: self.verb, table: table.name, done, total });
            }
        }
        if table.name == "tags" {
            for row in self.plan.restored.rows() {
                tally.source += 1;
                tally.notes.add("tagsMadeOfLegacyNames", row[0].as_text().unwrap_or_default());
                self.put(table, row, &mut tally, sink).await?;
            }
        }
        sink.finish(table).await?;
        tally.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.observer.hear(Event::Finished {
            verb: self.verb,
            table: table.name,
            rows: tally.rows,
            skipped: tally.skipped_rows(),
            orphans: tally.orphan_references(),
            milliseconds: tally.milliseconds,
        });
        Ok(tally)
    }

    /// Maps the rows of a batch.
    fn batch(
        &self,
        table: &'static Table,
        old: &'static Entity,
        first: u64,
        rows: &vectors::Rows,
        tally: &mut Tally,
    ) -> Result<Vec<Vec<Cell>>, Cause> {
        let plan = self.plan.table(old.name);
        let mut mapped = Vec::with_capacity(rows.len());
        for record in Batch::new(old, rows).records(first) {
            let skip = match plan.skips(record.position) {
                None if record.is_deleted()? => Some(Skip::Deleted),
                skip => skip,
            };
            match table.name {
                "memo_tags" | "vector_outbox" if skip.is_some() => {}
                "memo_tags" => {
                    let before = mapped.len();
                    self.memo_tags(&record, &mut mapped)?;
                    tally.source += (mapped.len() - before) as u64;
                }
                "vector_outbox" => {
                    let (memo, uid) = (record.id("memoId")?, record.id("uid")?);
                    if !self.vectors.contains(self.rules.keys.digest(&[&memo])) {
                        tally.source += 1;
                        mapped.push(outbox_row(&memo, &uid, self.rules.now));
                    }
                }
                _ => {
                    tally.source += 1;
                    if let Some(skip) = skip {
                        *tally.skipped.entry(skip.as_str()).or_default() += 1;
                    } else if let Some(mut row) = old.row(&record, self.rules)? {
                        plan.change(old, record.position, &mut row);
                        mapped.push(row);
                        record.note(&mut tally.notes);
                    }
                }
            }
        }
        Ok(mapped)
    }

    /// Maps the tags of a memo.
    fn memo_tags(&self, record: &crate::legacy::Record<'_>, mapped: &mut Vec<Vec<Cell>>) -> Result<(), Cause> {
        let (memo, uid) = (record.id("memoId")?, record.id("uid")?);
        let created_at = record.created_at(self.rules.now)?;
        let ids = match tags_of(record)? {
            MemoTags::Ids(ids) => ids,
            MemoTags::Names(names) => {
                let ids = names.iter().filter_map(|(key, _)| self.plan.restored.id(&uid, key));
                ids.map(str::to_owned).collect()
            }
        };
        for (position, tag) in (0_i64..).zip(ids) {
            mapped.push(vec![
                memo.as_str().into(),
                tag.into(),
                uid.as_str().into(),
                position.into(),
                created_at.into(),
            ]);
        }
        Ok(())
    }

    async fn put<S: Sink + Send>(
        &self,
        table: &'static Table,
        row: Vec<Cell>,
        tally: &mut Tally,
        sink: &mut S,
    ) -> Result<(), Cause> {
        tally.rows += 1;
        tally.checksum.add(&row);
        tally.samples.see(&row);
        for reference in REFERENCES.iter().filter(|reference| reference.child == table) {
            if let Some(id) = row[table.place(reference.column)].as_text() {
                let parents = &self.plan.table(reference.parent.name).ids;
                if !parents.contains(self.rules.keys.digest(&[id])) {
                    *tally.orphans.entry(reference.column).or_default() += 1;
                }
            }
        }
        if *table == tables::MEMOS {
            self.count_lost_attachments(&row, tally);
        }
        sink.take(table, row).await
    }

    /// Counts the attachments of a memo that have no row; their ids are no column, but a JSON array.
    fn count_lost_attachments(&self, row: &[Cell], tally: &mut Tally) {
        let text = row[tables::MEMOS.place("attachments")].as_text().unwrap_or("[]");
        let ids: Vec<String> = serde_json::from_str(text).unwrap_or_default();
        let rows = &self.plan.table("attachments").ids;
        for _ in ids.iter().filter(|id| !rows.contains(self.rules.keys.digest(&[id]))) {
            *tally.orphans.entry("attachments").or_default() += 1;
        }
    }
}

fn outbox_row(memo: &str, uid: &str, now: i64) -> Vec<Cell> {
    vec![
        "memo".into(),
        memo.into(),
        uid.into(),
        "upsert".into(),
        now.into(),
        Cell::Integer(0),
        now.into(),
        Cell::Null,
    ]
}
