//! The migration: its phases in order (`contract/migration.md` section 2).

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use shared::{
    clock::{Clock, Millis},
    config::{Migration, Runtime, VectorStores},
    db::{Database, Dialect, Lock, schema},
    ids::Random,
    repositories::{data_migrations, tables},
};
use vectors::{Manifest, Origin, Place, Store, VectorKind};

use crate::{
    copy::{self, VECTOR_COLUMNS},
    digest::{DigestSet, Keys},
    failure::{Cause, Failure, Phase, chain},
    legacy::Rules,
    load::{self, Deadline, Loader},
    mapping::{Mapping, Nothing, Tally},
    observer::{Checkpoint, Event, Observer, Verb},
    preflight::{self, Options, Plan},
    report::{CacheReport, MARKER, PARTIAL_MARKER, Report, Status, TableReport, VectorReport},
    source::{self, Source},
};

/// Rows that a load is sure to manage in a second, for the estimate before it begins.
const ROWS_PER_SECOND: u64 = 2000;

/// Bytes that a load is sure to manage in a second.
const BYTES_PER_SECOND: u64 = 4 << 20;

/// A transaction with more bytes than this fills the undo log of MySQL.
const MANY_BYTES: u64 = 2 << 30;

/// What a migration needs from the outside world.
pub struct Job<'a> {
    /// The settings.
    pub config: &'a Migration,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Randomness, for the id of the run.
    pub random: &'a dyn Random,
    /// Who watches.
    pub observer: &'a dyn Observer,
    /// When the process is killed.
    pub deadline: Deadline,
    /// The only phase that is run; `None`: all of them.
    pub only: Option<Phase>,
}

/// What the first look has found.
enum First {
    /// The data is there already.
    Done(Box<Report>),
    /// There is no old install.
    Nothing(Work),
    /// There is work.
    Work(Work),
}

/// An old install that is being migrated.
struct Work {
    database: Database,
    source: Source,
    plan: Plan,
    rules: Rules,
    _lock: Lock,
}

/// Migrates an old install.
///
/// # Errors
/// [`Failure`] says what is in the way or has failed, and what was changed.
pub async fn run(job: &Job<'_>) -> Result<Report, Failure> {
    let begun = Instant::now();
    let stores = stores(job.config)?;
    let database = open(job.config)?;
    let work = match job.first_look(stores, database).await? {
        First::Done(mut report) => {
            report.status = Status::AlreadyMigrated;
            return Ok(*report);
        }
        First::Nothing(work) => {
            let report = job.report_of_nothing(stores, &work);
            if !job.runs(Phase::Load) {
                return Ok(report);
            }
            job.make_schema(&work.database).await?;
            let transaction =
                work.database.begin().await.map_err(|error| Cause::from(error).during(Phase::Load))?;
            mark(job, &transaction, &report).await.map_err(|cause| cause.during(Phase::Load))?;
            transaction.commit().await.map_err(|error| Failure::Unknown(chain(&error)))?;
            return Ok(report);
        }
        First::Work(work) => work,
    };
    let mut report = job.report(stores, &work);
    let mut watch = Watch::start(begun);
    watch.stop(Phase::Preflight.as_str(), &mut report);
    if job.runs(Phase::Load) {
        job.check_time(&work.plan)?;
    }
    let place = job.backup_place()?;
    job.make_schema(&work.database).await?;
    watch.stop(Phase::Schema.as_str(), &mut report);
    if let Some(place) = &place {
        report.backup = Some(job.backup(&work, place).await?);
    }
    watch.stop(Phase::Backup.as_str(), &mut report);
    let target = Store::open_or_create(&source::options(stores, &stores.target)).await;
    let target = target.map_err(|error| Cause::from(error).during(Phase::Vectors))?;
    if job.runs(Phase::Vectors) {
        job.begin(Phase::Vectors).await?;
        let copied = job.copy(stores, &work, &target).await;
        (report.vector_tables, report.caches) = copied.map_err(|cause| cause.during(Phase::Vectors))?;
        watch.stop(Phase::Vectors.as_str(), &mut report);
    }
    if !job.runs(Phase::Load) {
        report.status = Status::PhaseDone;
        report.duration_ms = milliseconds(begun);
        return Ok(report);
    }
    job.begin(Phase::Load).await?;
    job.load(&work, &target, &mut report, begun).await?;
    for table in tables::ALL {
        if let Err(error) = work.database.analyze(table.name).await {
            report.warnings.push(format!("the statistics of {} were not gathered: {}", table.name, chain(&error)));
        }
    }
    report.warnings.iter().for_each(|warning| job.observer.hear(Event::Warning(warning)));
    Ok(report)
}

/// Looks at everything and changes nothing: what a migration would do.
///
/// # Errors
/// As [`run`].
pub async fn check(job: &Job<'_>) -> Result<Report, Failure> {
    let begun = Instant::now();
    let stores = stores(job.config)?;
    let work = match job.first_look(stores, open(job.config)?).await? {
        First::Done(report) => return Ok(Report { status: Status::AlreadyMigrated, ..*report }),
        First::Nothing(work) => return Ok(job.report_of_nothing(stores, &work)),
        First::Work(work) => work,
    };
    let tallies = job.map(&work, &DigestSet::default()).await?;
    let mut report = job.report(stores, &work);
    report.tables = table_reports(&work.plan, &tallies);
    // Which vectors are missing is only known when they have been copied.
    report.tables.remove(tables::VECTOR_OUTBOX.name);
    report.status = Status::PhaseDone;
    report.duration_ms = milliseconds(begun);
    Ok(report)
}

/// Returns the two places in LanceDB.
///
/// # Errors
/// None is configured.
pub fn stores(config: &Migration) -> Result<&VectorStores, Failure> {
    config.stores.as_ref().ok_or_else(|| {
        Failure::Refused(
            "--source is missing: the LanceDB directory or s3:// prefix of the old install".to_owned(),
        )
    })
}

/// Opens the database.
///
/// # Errors
/// The URL cannot be read.
pub fn open(config: &Migration) -> Result<Database, Failure> {
    Database::open(&config.database).map_err(Failure::Refused)
}

/// Takes the time of phases, one after the other.
struct Watch(Instant);

impl Watch {
    fn start(begun: Instant) -> Self {
        Self(begun)
    }

    fn stop(&mut self, phase: &str, report: &mut Report) {
        report.phases_ms.insert(phase.to_owned(), milliseconds(self.0));
        self.0 = Instant::now();
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn table_reports(plan: &Plan, tallies: &BTreeMap<&'static str, Tally>) -> BTreeMap<String, TableReport> {
    let report = |(name, tally): (&&'static str, &Tally)| {
        let planned = plan.tables.get(name).map(|table| &table.notes);
        ((*name).to_owned(), TableReport::of(tally, planned))
    };
    tallies.iter().map(report).collect()
}

/// Writes the marker, in the place of one that says that there was nothing.
async fn mark(job: &Job<'_>, transaction: &shared::db::Executor, report: &Report) -> Result<(), Cause> {
    data_migrations::delete(transaction, MARKER).await?;
    Ok(data_migrations::create(transaction, MARKER, &report.details(), job.clock.now()).await?)
}

impl Job<'_> {
    /// Reports whether a phase is part of this run.
    fn runs(&self, phase: Phase) -> bool {
        self.only.is_none_or(|only| only == phase)
    }

    async fn begin(&self, phase: Phase) -> Result<(), Failure> {
        self.observer.hear(Event::Phase(phase));
        self.observer.may_go_on(Checkpoint::Begin(phase), None).await.map_err(|cause| cause.during(phase))
    }

    /// Phase 0.
    async fn first_look(&self, stores: &VectorStores, database: Database) -> Result<First, Failure> {
        self.begin(Phase::Preflight).await?;
        let failed = |error: shared::db::Error| Cause::from(error).during(Phase::Preflight);
        let Some(lock) = database.lock_data_migration().await.map_err(failed)? else {
            return Err(Failure::Refused("another migration is running".to_owned()));
        };
        let recorded =
            Report::recorded(&database).await.map_err(|problem| Cause::new(problem).during(Phase::Preflight))?;
        // A run that found nothing may have looked in the wrong place.
        let nothing = match recorded {
            Some(report) if report.status == Status::NothingToMigrate => Some(report),
            Some(report) => return Ok(First::Done(Box::new(report))),
            None => None,
        };
        let partial =
            data_migrations::find_by_name(&database.unchecked(), PARTIAL_MARKER).await.map_err(failed)?;
        if partial.is_some() {
            return Err(Failure::Refused(
                "partially migrated by an earlier version; restore an empty database and run again".to_owned(),
            ));
        }
        let source = Source::open(stores, None).await?;
        if let Some(report) = nothing.filter(|_| source.is_empty()) {
            return Ok(First::Done(Box::new(report)));
        }
        refuse_rows(&database).await?;
        let keys = Keys { ignores_trailing_spaces: database.dialect() == Dialect::MySql };
        let rules =
            Rules { now: self.clock.now(), invalid_properties: self.config.choices.invalid_properties, keys };
        if let Some(sign) = source.moved_on().filter(|_| !self.config.allow_stale_source) {
            return Err(Failure::Refused(format!(
                "the old install has moved on to MySQL ({sign}), so what LanceDB holds is out of date; \
                 --allow-stale-source migrates it all the same"
            )));
        }
        let limit = database.unchecked().statement_limit().await.map_err(failed)?;
        let options = Options {
            choices: self.config.choices,
            dimensions: Some(self.config.dimensions),
            statement_limit: limit,
        };
        let plan = preflight::plan(&source, &rules, &options, self.observer).await?;
        let is_empty = source.is_empty();
        let work = Work { database, source, plan, rules, _lock: lock };
        Ok(if is_empty { First::Nothing(work) } else { First::Work(work) })
    }

    fn report(&self, stores: &VectorStores, work: &Work) -> Report {
        Report {
            status: Status::Migrated,
            run_id: run_id(self.random),
            product_version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: work.rules.now,
            duration_ms: 0,
            phases_ms: BTreeMap::new(),
            source: stores.source.clone(),
            vectors: stores.target.clone(),
            choices: self.config.choices,
            backup: None,
            tables: BTreeMap::new(),
            vector_tables: BTreeMap::new(),
            caches: BTreeMap::new(),
            versions: work.source.versions(),
            table_migrations: work.source.recorded.clone(),
            warnings: self.warnings(work),
        }
    }

    fn report_of_nothing(&self, stores: &VectorStores, work: &Work) -> Report {
        let tallies = tables::ALL.iter().map(|table| (table.name, Tally::default())).collect();
        let tables = table_reports(&work.plan, &tallies);
        Report { status: Status::NothingToMigrate, tables, ..self.report(stores, work) }
    }

    fn warnings(&self, work: &Work) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(note) = work.plan.named.0.get("legacyTagNames") {
            let done = match self.config.choices.legacy_tag_names {
                shared::config::LegacyTagNames::Restore => "are made tags of theirs",
                shared::config::LegacyTagNames::Report => "are left out",
            };
            warnings.push(format!(
                "the tag names of {} memos of the first versions {done}: {}",
                note.count,
                note.ids.join(", ")
            ));
        }
        if work.database.dialect() == Dialect::MySql && work.plan.bytes() > MANY_BYTES {
            warnings.push(format!("one transaction of {} MB needs as much undo log", work.plan.bytes() >> 20));
        }
        if self.config.skip_backup {
            warnings.push("no backup was made, as asked for by --skip-backup".to_owned());
        }
        warnings
    }

    /// Phase 1.
    async fn make_schema(&self, database: &Database) -> Result<(), Failure> {
        self.begin(Phase::Schema).await?;
        let made = schema::migrate(database, self.clock.now()).await;
        made.map(|_| ()).map_err(|error| Cause::from(error).during(Phase::Schema))
    }

    /// Phase 2: makes a backup, or finds the finished one of an earlier run, and reads it back.
    async fn backup(&self, work: &Work, place: &Place) -> Result<String, Failure> {
        self.begin(Phase::Backup).await?;
        self.find_or_write_backup(work, place).await.map_err(|cause| cause.during(Phase::Backup))
    }

    /// Returns where the backup goes, if this run makes or needs one.
    fn backup_place(&self) -> Result<Option<Place>, Failure> {
        if self.config.skip_backup || !(self.runs(Phase::Backup) || self.runs(Phase::Load)) {
            return Ok(None);
        }
        let Some(uri) = &self.config.backup else {
            return Err(Failure::Refused(
                "--backup is missing: a directory or s3:// prefix for the backup; --skip-backup does without"
                    .to_owned(),
            ));
        };
        let endpoint = self.config.stores.as_ref().and_then(|stores| stores.endpoint.as_deref());
        let region = self.config.stores.as_ref().and_then(|stores| stores.region.as_deref());
        let place = Place::parse(uri, endpoint, region).map_err(|error| Failure::Refused(chain(&error)))?;
        let persistent = self.config.persistent_directory.as_deref();
        let is_kept = persistent.is_some_and(|directory| Path::new(place.uri()).starts_with(directory));
        if self.config.runtime == Runtime::Lambda && place.is_local() && !is_kept {
            return Err(Failure::Refused(
                "--backup must be an s3:// prefix: the directories of a function are lost with it".to_owned(),
            ));
        }
        Ok(Some(place))
    }

    async fn find_or_write_backup(&self, work: &Work, place: &Place) -> Result<String, Cause> {
        let versions = work.source.versions();
        let source_uri = work.source.store.uri();
        let is_current = |manifest: &Manifest| {
            let has = |(name, version): (&String, &u64)| {
                manifest.tables.iter().any(|table| table.table == *name && table.version == *version)
            };
            manifest.origin.source_uri == source_uri && versions.iter().all(has)
        };
        let earlier = vectors::find_backups(place).await?.into_iter().find(|(_, manifest)| is_current(manifest));
        let (folder, manifest) = match earlier {
            Some(found) => found,
            None if !self.runs(Phase::Backup) => {
                return Err(Cause::new(
                    "there is no finished backup of these versions: run the phase backup first",
                ));
            }
            None => self.write_backup(work, place).await?,
        };
        vectors::verify_backup(place, &folder, &manifest).await?;
        Ok(format!("{}/{folder}", place.uri().trim_end_matches('/')))
    }

    async fn write_backup(&self, work: &Work, place: &Place) -> Result<(String, Manifest), Cause> {
        let mut tables = Vec::new();
        for name in work.source.store.table_names().await? {
            match work.source.tables.get(&name) {
                Some(snapshot) => tables.push(snapshot.clone()),
                None => tables.extend(work.source.store.snapshot(&name).await?),
            }
        }
        let mut totals = BTreeMap::new();
        for snapshot in &tables {
            totals.insert(snapshot.table().to_owned(), snapshot.count_rows().await?);
        }
        let run_id = run_id(self.random);
        let folder = format!("{}-{run_id}", compact_time(work.rules.now));
        let origin = Origin {
            run_id,
            product_version: env!("CARGO_PKG_VERSION").to_owned(),
            source_uri: work.source.store.uri().to_owned(),
            created_at: work.rules.now,
        };
        let progress = |table: &str, done: u64| {
            let total = totals.get(table).copied().unwrap_or_default();
            self.observer.hear(Event::Progress { verb: Verb::BackUp, table, done, total });
        };
        let manifest = vectors::write_backup(&tables, place, &folder, origin, progress).await?;
        self.observer.may_go_on(Checkpoint::Statement, None).await?;
        Ok((folder, manifest))
    }

    /// Phase 3.
    async fn copy(
        &self,
        stores: &VectorStores,
        work: &Work,
        target: &Store,
    ) -> Result<(BTreeMap<String, VectorReport>, BTreeMap<String, CacheReport>), Cause> {
        let mut vectors = BTreeMap::new();
        for column in &VECTOR_COLUMNS {
            let Some(snapshot) = work.source.tables.get(column.table) else { continue };
            let plan = work.plan.table(column.table);
            let copied = copy::copy_vectors(snapshot, column, plan, target, self.observer).await;
            vectors.insert(column.table.to_owned(), copied.map_err(|cause| cause.at(column.table))?);
        }
        let mut caches = BTreeMap::new();
        if stores.source != stores.target {
            caches.extend(copy::copy_caches(&work.source, target, self.observer).await?);
        }
        Ok((vectors, caches))
    }

    /// Refuses a load that is sure to be killed half-way.
    fn check_time(&self, plan: &Plan) -> Result<(), Failure> {
        let Some(budget) = self.config.time_budget else { return Ok(()) };
        let seconds = (plan.rows() / ROWS_PER_SECOND).max(plan.bytes() / BYTES_PER_SECOND);
        if Duration::from_secs(seconds) <= budget {
            return Ok(());
        }
        let minutes = seconds.div_ceil(60);
        Err(Failure::Refused(format!(
            "estimated {minutes} min exceeds the function limit; run the migration binary on a host or container"
        )))
    }

    /// Phase 4.
    async fn load(&self, work: &Work, target: &Store, report: &mut Report, begun: Instant) -> Result<(), Failure> {
        let transaction = work.database.begin().await.map_err(|error| Cause::from(error).during(Phase::Load))?;
        match self.load_in(&transaction, work, target, report, begun).await {
            Ok(()) => {}
            Err(cause) => {
                transaction.rollback().await;
                return Err(cause.during(Phase::Load));
            }
        }
        transaction.commit().await.map_err(|error| Failure::Unknown(chain(&error)))?;
        let gone = self.observer.may_go_on(Checkpoint::Committed, None).await;
        gone.map_err(|cause| Failure::Unknown(cause.to_string()))
    }

    async fn load_in(
        &self,
        transaction: &shared::db::Transaction,
        work: &Work,
        target: &Store,
        report: &mut Report,
        begun: Instant,
    ) -> Result<(), Cause> {
        let mut watch = Watch::start(Instant::now());
        transaction.take_time().await?;
        let vectors = copy::ids_with_vector(target, VectorKind::Memo, work.rules.keys).await?;
        let mapping = self.mapping(work, &vectors, Verb::Migrate);
        let mut loader = Loader::new(transaction, self.observer, self.deadline, self.config.batch_rows);
        let tallies = mapping.run(&mut loader).await?;
        watch.stop(Phase::Load.as_str(), report);
        self.observer.may_go_on(Checkpoint::Loaded, Some(transaction)).await?;
        load::verify(transaction, &tallies, self.deadline, self.observer).await?;
        watch.stop("verify", report);
        let changed = work.source.changed().await?;
        if !changed.is_empty() {
            return Err(Cause::new(format!(
                "legacy store changed during migration: {}; stop the old server",
                changed.join(", ")
            )));
        }
        let wrong = tables::count_wrong_usage(transaction).await?;
        if wrong > 0 {
            report
                .warnings
                .push(format!("{wrong} tags have another usageCount than memos that carry them; they are kept"));
        }
        let tied = tables::count_tied_messages(transaction).await?;
        if tied > 0 {
            report.warnings.push(format!(
                "{tied} messages have the time of another of their conversation: their order is a guess"
            ));
        }
        report.tables = table_reports(&work.plan, &tallies);
        report.duration_ms = milliseconds(begun);
        mark(self, transaction, report).await?;
        self.observer.may_go_on(Checkpoint::Verified, Some(transaction)).await
    }

    fn mapping<'a>(&'a self, work: &'a Work, vectors: &'a DigestSet, verb: Verb) -> Mapping<'a> {
        let Work { source, plan, rules, .. } = work;
        Mapping { source, plan, rules, vectors, observer: self.observer, verb }
    }

    /// Maps everything, and keeps nothing but the tallies.
    async fn map(&self, work: &Work, vectors: &DigestSet) -> Result<BTreeMap<&'static str, Tally>, Failure> {
        let mapped = self.mapping(work, vectors, Verb::Map).run(&mut Nothing).await;
        mapped.map_err(|cause| cause.during(Phase::Preflight))
    }
}

/// Refuses a database in which somebody has begun to work.
async fn refuse_rows(database: &Database) -> Result<(), Failure> {
    let database = database.unchecked();
    let mut filled = Vec::new();
    for table in tables::ALL {
        match tables::count(&database, table).await {
            Ok(0) => {}
            Ok(count) => filled.push(format!("{} ({count})", table.name)),
            Err(error) if error.is_missing_table() => {}
            Err(error) => return Err(Cause::from(error).at(table.name).during(Phase::Preflight)),
        }
    }
    if filled.is_empty() {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "the database holds rows already: {}; migrate into an empty database",
        filled.join(", ")
    )))
}

fn run_id(random: &dyn Random) -> String {
    format!("{:08x}", random.below(1 << 32))
}

/// Returns a time as `20261125T134500Z`.
fn compact_time(now: Millis) -> String {
    let time = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}
