//! Phase 0: one scan of every old table, which finds all that cannot be migrated, and plans the rest.

use std::collections::BTreeMap;

use shared::{
    config::{Choices, LegacyTagNames},
    db::Cell,
};

use crate::{
    digest::DigestSet,
    failure::{Cause, Failure, Phase, Problem},
    legacy::{Batch, ENTITIES, Entity, MemoTags, Notes, Record, Rules, tags_of},
    observer::{Event, Observer, Verb},
    plan::{Contest, TablePlan},
    restored::Restored,
    scan::Scan,
    source::Source,
};

/// The most problems that are kept.
const MAX_PROBLEMS: usize = 10_000;

/// What a statement of one row has beside its texts.
const STATEMENT_BYTES: u64 = 4096;

/// The size of the vectors of attachments.
const MULTIMODAL_DIMENSIONS: usize = 1024;

/// What is to be done with the rows of an old install.
pub struct Plan {
    /// The plan of each old table, by its name.
    pub tables: BTreeMap<&'static str, TablePlan>,
    /// The tags that memos name.
    pub restored: Restored,
    /// The memos that name tags and have no tag ids.
    pub named: Notes,
}

impl Plan {
    /// Returns the plan of an old table; an empty one for a table that is not there.
    ///
    /// # Panics
    /// There is no old table of that name.
    #[must_use]
    pub fn table(&self, name: &str) -> &TablePlan {
        &self.tables[name]
    }

    /// Returns how many rows will be loaded at the most.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.values().map(TablePlan::kept_rows).sum()
    }

    /// Returns how many bytes the old tables have.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.tables.values().map(|table| table.source_bytes).sum()
    }
}

/// What the plan depends on beside the rows.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What somebody has chosen.
    pub choices: Choices,
    /// The size of the vectors that the product will look for; any when nobody will.
    pub dimensions: Option<usize>,
    /// The longest statement that the database takes, in bytes.
    pub statement_limit: Option<u64>,
}

/// Scans the old tables.
///
/// # Errors
/// [`Failure::Problems`] with everything that cannot be migrated, or the store cannot be read.
pub async fn plan(
    source: &Source,
    rules: &Rules,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Plan, Failure> {
    let mut plan = Plan { tables: BTreeMap::new(), restored: Restored::default(), named: Notes::default() };
    let mut problems = vector_problems(source, options);
    for entity in &ENTITIES {
        let scanned =
            Preflight { source, rules, options, observer, problems: &mut problems, named: &mut plan.named };
        let table = scanned.table(entity).await.map_err(|cause| cause.at(entity.name).during(Phase::Preflight))?;
        plan.tables.insert(entity.name, table);
    }
    if !problems.is_empty() {
        return Err(Failure::Problems(problems));
    }
    if options.choices.legacy_tag_names == LegacyTagNames::Restore
        && !plan.named.0.is_empty()
        && let Some(memos) = source.tables.get("memos")
    {
        let tags = source.tables.get("tags").map(|snapshot| (snapshot, plan.table("tags")));
        let restored = Restored::find(rules, (memos, plan.table("memos")), tags).await;
        plan.restored = restored.map_err(|cause| cause.during(Phase::Preflight))?;
        let ids: Vec<_> =
            plan.restored.rows().map(|row| rules.keys.digest(&[row[0].as_text().unwrap_or_default()])).collect();
        if let Some(tags) = plan.tables.get_mut("tags") {
            tags.ids.extend(ids);
        }
    }
    Ok(plan)
}

/// Vectors of another size could never be searched.
fn vector_problems(source: &Source, options: &Options) -> Vec<Problem> {
    let found = |table: &str, column| source.tables.get(table).and_then(|table| table.vector_dimension(column));
    let mut problems = Vec::new();
    let found_memos = found("memos", "embedding");
    if let (Some(found), Some(expected)) = (found_memos, options.dimensions)
        && found != expected
    {
        let message = format!(
            "embedding has {found} dimensions, but OPENAI_EMBEDDING_DIMENSIONS is {expected}: \
             set OPENAI_EMBEDDING_DIMENSIONS={found}"
        );
        problems.push(Problem::of_table("memos", message));
    }
    let found = found("attachments", "multimodalEmbedding");
    if let Some(found) = found.filter(|found| *found != MULTIMODAL_DIMENSIONS) {
        let message =
            format!("multimodalEmbedding has {found} dimensions; the product knows {MULTIMODAL_DIMENSIONS} only");
        problems.push(Problem::of_table("attachments", message));
    }
    problems
}

struct Preflight<'a> {
    source: &'a Source,
    rules: &'a Rules,
    options: &'a Options,
    observer: &'a dyn Observer,
    problems: &'a mut Vec<Problem>,
    named: &'a mut Notes,
}

impl Preflight<'_> {
    fn problem(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// Returns what is wrong with a row that no statement can hold.
    fn too_long(&self, record: &Record<'_>, row: &[Cell]) -> Option<Problem> {
        let limit = self.options.statement_limit?;
        let bytes: u64 = row.iter().filter_map(Cell::as_text).map(|text| text.len() as u64).sum();
        (bytes + STATEMENT_BYTES > limit).then(|| {
            record.problem(format!(
                "it has {bytes} bytes, but the database takes statements of {limit}: raise max_allowed_packet"
            ))
        })
    }

    async fn table(mut self, entity: &'static Entity) -> Result<TablePlan, Cause> {
        let mut plan = TablePlan::default();
        let Some(snapshot) = self.source.tables.get(entity.name) else { return Ok(plan) };
        let wanted = entity.wanted();
        let unknown = snapshot.unknown_columns(&wanted);
        if !unknown.is_empty() {
            let problem = |column: vectors::Column| {
                let message =
                    format!("the column {} has the type {}, which is not known", column.name, column.data_type);
                Problem::of_table(entity.name, message)
            };
            self.problems.extend(unknown.into_iter().map(problem));
            return Ok(plan);
        }
        plan.source_rows = snapshot.count_rows().await?;
        plan.source_bytes = snapshot.data_bytes().await?;
        let total = plan.source_rows;
        self.observer.hear(Event::Started { verb: Verb::Check, table: entity.name, total });
        let capacity = usize::try_from(total).unwrap_or_default();
        let mut ids = Vec::with_capacity(capacity);
        let mut keys = Vec::with_capacity(if entity.unique.is_some() { capacity } else { 0 });
        let mut scan = Scan::new(entity, snapshot, &wanted);
        while let Some((first, rows)) = scan.next().await? {
            for record in Batch::new(entity, &rows).records(first) {
                let row = entity.row(&record, self.rules).and_then(|row| {
                    // Also checks what is no column of the row.
                    if entity.name == "memos"
                        && row.is_some()
                        && let MemoTags::Names(names) = tags_of(&record)?
                        && !names.is_empty()
                    {
                        self.named.add("legacyTagNames", &record.name());
                    }
                    Ok(row)
                });
                match row {
                    Ok(None) => {}
                    Ok(Some(row)) => {
                        ids.push(entity.id(&row, self.rules.keys));
                        keys.extend(entity.unique_key(&row, self.rules.keys));
                        if let Some(problem) = self.too_long(&record, &row) {
                            self.problem(problem);
                        }
                    }
                    Err(problem) => self.problem(problem),
                }
            }
            let done = first + rows.len() as u64;
            self.observer.hear(Event::Progress { verb: Verb::Check, table: entity.name, done, total });
        }
        let (ids, repeated_ids) = DigestSet::new(ids);
        let (taken, repeated_keys) = DigestSet::new(keys);
        plan.ids = ids;
        if let Some(mut contest) = Contest::new(self.rules.keys, repeated_ids, repeated_keys, taken) {
            let mut scan = Scan::new(entity, snapshot, &wanted);
            while let Some((first, rows)) = scan.next().await? {
                for record in Batch::new(entity, &rows).records(first) {
                    if let Ok(Some(row)) = entity.row(&record, self.rules) {
                        contest.enter(entity, record.position, &row);
                    }
                }
            }
            contest.decide(entity, self.options.choices.duplicate_emails, &mut plan, self.problems);
        }
        Ok(plan)
    }
}
