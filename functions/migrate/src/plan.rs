//! What the preflight finds out about the rows of an old install, and the load then does: which rows are
//! left out, and which are changed so that unique keys stay unique (`contract/migration.md` sections 4
//! and 5).

use std::collections::{HashMap, HashSet};

use shared::{clock::Millis, config::DuplicateEmails, db::Cell};

use crate::{
    digest::{Digest, DigestSet, Keys},
    failure::Problem,
    legacy::{Entity, Notes, Unique},
};

/// Why a row is left out. Each is counted in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// It was deleted without being removed.
    Deleted,
    /// Another row of the same id is newer.
    DuplicateId,
    /// An older row relates the same memos.
    DuplicateRelation,
    /// Another recommendation of the same day counts.
    DuplicateDay,
}

impl Skip {
    /// Returns the name in the report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "softDeleted",
            Self::DuplicateId => "duplicateId",
            Self::DuplicateRelation => "duplicateRelation",
            Self::DuplicateDay => "duplicateDay",
        }
    }
}

/// What is changed of a row whose unique key another row keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// The e-mail becomes NULL.
    NoEmail,
    /// The key gets the id at its end, so many times that no other row has it.
    OwnKey(usize),
}

/// What is known of the rows of one table.
#[derive(Debug, Default)]
pub struct TablePlan {
    /// The rows of the old table.
    pub source_rows: u64,
    /// Its bytes, for estimates.
    pub source_bytes: u64,
    /// The digests of all ids that will exist.
    pub ids: DigestSet,
    /// What the plan decides beyond the rules of a row.
    pub notes: Notes,
    skip: HashMap<u64, Skip>,
    change: HashMap<u64, Change>,
}

impl TablePlan {
    /// Returns why the row at a position is left out, if it is.
    #[must_use]
    pub fn skips(&self, position: u64) -> Option<Skip> {
        self.skip.get(&position).copied()
    }

    /// Changes the row at a position as planned.
    pub fn change(&self, entity: &Entity, position: u64, row: &mut [Cell]) {
        let column = |name| entity.table.place(name);
        match self.change.get(&position) {
            None => {}
            Some(Change::NoEmail) => row[column("email")] = Cell::Null,
            Some(Change::OwnKey(times)) => {
                let id = format!("#{}", row[0].as_text().unwrap_or_default());
                if let Cell::Text(key) = &mut row[column("name_key")] {
                    key.push_str(&id.repeat(*times));
                }
            }
        }
    }

    /// Returns how many rows are planned to be stored, soft-deleted ones included.
    #[must_use]
    pub fn kept_rows(&self) -> u64 {
        self.source_rows - self.skip.len() as u64
    }
}

/// A row that shares its id or its unique key with another.
struct Candidate {
    position: u64,
    id: Digest,
    unique: Option<Digest>,
    name: String,
    created_at: Millis,
    updated_at: Millis,
    /// Whether a recommendation recommends anything.
    filled: bool,
    /// The owner and the key of a name.
    name_key: Option<(String, String)>,
}

impl Candidate {
    /// Returns how often the key of a name needs the id at its end to be nobody's. Once, unless somebody has
    /// called something just like that.
    fn times_to_append(&self, keys: Keys, taken: &DigestSet) -> usize {
        let Some((uid, key)) = &self.name_key else { return 1 };
        let (mut times, mut own_key) = (1, format!("{key}#{}", self.name));
        while taken.contains(keys.digest(&[uid, &own_key])) {
            own_key = format!("{own_key}#{}", self.name);
            times += 1;
        }
        times
    }
}

/// Decides between rows that share an id or a unique key.
pub struct Contest {
    keys: Keys,
    repeated_ids: HashSet<Digest>,
    repeated_keys: HashSet<Digest>,
    taken: DigestSet,
    candidates: Vec<Candidate>,
}

impl Contest {
    /// Returns the contest over ids and unique keys that occur more than once; `None` when none do. `taken`
    /// holds all unique keys.
    #[must_use]
    pub fn new(
        keys: Keys,
        repeated_ids: Vec<Digest>,
        repeated_keys: Vec<Digest>,
        taken: DigestSet,
    ) -> Option<Self> {
        (!repeated_ids.is_empty() || !repeated_keys.is_empty()).then(|| Self {
            keys,
            repeated_ids: repeated_ids.into_iter().collect(),
            repeated_keys: repeated_keys.into_iter().collect(),
            taken,
            candidates: Vec::new(),
        })
    }

    /// Takes a row into account.
    pub fn enter(&mut self, entity: &Entity, position: u64, row: &[Cell]) {
        let (id, unique) = (entity.id(row, self.keys), entity.unique_key(row, self.keys));
        if !self.repeated_ids.contains(&id) && !unique.is_some_and(|key| self.repeated_keys.contains(&key)) {
            return;
        }
        let time = |column: &str| match entity.table.columns.iter().position(|found| found.name == column) {
            Some(place) => match row[place] {
                Cell::Integer(time) => Some(time),
                Cell::Null | Cell::Text(_) => None,
            },
            None => None,
        };
        let created_at = time("created_at").unwrap_or_default();
        let filled = entity.unique == Some(Unique::Day) && row[entity.table.place("memo_ids")] != "[]".into();
        let text = |column: &str| row[entity.table.place(column)].as_text().unwrap_or_default().to_owned();
        let name_key = (entity.unique == Some(Unique::NameKey)).then(|| (text("uid"), text("name_key")));
        self.candidates.push(Candidate {
            position,
            id,
            unique,
            name: row[0].as_text().unwrap_or_default().to_owned(),
            created_at,
            updated_at: time("updated_at").unwrap_or(created_at),
            filled,
            name_key,
        });
    }

    /// Writes the decisions into the plan of the table, and what cannot be decided into `problems`.
    pub fn decide(
        self,
        entity: &Entity,
        duplicate_emails: DuplicateEmails,
        plan: &mut TablePlan,
        problems: &mut Vec<Problem>,
    ) {
        let mut winners = Vec::new();
        for mut group in groups(self.candidates, |candidate| Some(candidate.id)) {
            // The last is the newest; of equally new ones the last in the order of the scan.
            group.sort_by_key(|candidate| (candidate.updated_at, candidate.created_at, candidate.position));
            let winner = group.pop();
            for loser in group {
                plan.skip.insert(loser.position, Skip::DuplicateId);
                plan.notes.add(Skip::DuplicateId.as_str(), &loser.name);
            }
            winners.extend(winner);
        }
        for mut group in groups(winners, |candidate| candidate.unique) {
            // The first is the oldest.
            group.sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
            match entity.unique {
                _ if group.len() == 1 => {}
                None => {}
                Some(Unique::Email) if duplicate_emails == DuplicateEmails::Refuse => {
                    let uids: Vec<&str> = group.iter().map(|candidate| candidate.name.as_str()).collect();
                    let uids = uids.join(", ");
                    problems.push(Problem::of_table(
                        entity.name,
                        format!("these users have the same e-mail: {uids}; --duplicate-emails oldest-keeps migrates them"),
                    ));
                }
                Some(Unique::Email) => {
                    amend(plan, &group[1..], "duplicateEmailsRemoved", |_| Change::NoEmail);
                }
                Some(Unique::NameKey) => {
                    let own_key =
                        |loser: &Candidate| Change::OwnKey(loser.times_to_append(self.keys, &self.taken));
                    amend(plan, &group[1..], "duplicateNames", own_key);
                }
                Some(Unique::Direction) => leave_out(plan, &group[1..], Skip::DuplicateRelation),
                Some(Unique::Day) => {
                    group.sort_by_key(|candidate| (candidate.filled, candidate.created_at, candidate.position));
                    group.pop();
                    leave_out(plan, &group, Skip::DuplicateDay);
                }
            }
        }
    }
}

fn amend(plan: &mut TablePlan, losers: &[Candidate], note: &'static str, change: impl Fn(&Candidate) -> Change) {
    for loser in losers {
        plan.change.insert(loser.position, change(loser));
        plan.notes.add(note, &loser.name);
    }
}

fn leave_out(plan: &mut TablePlan, losers: &[Candidate], skip: Skip) {
    for loser in losers {
        plan.skip.insert(loser.position, skip);
        plan.notes.add(skip.as_str(), &loser.name);
    }
}

/// Returns the candidates in groups of one key; those without a key are in none.
fn groups(
    candidates: Vec<Candidate>,
    key: impl Fn(&Candidate) -> Option<Digest>,
) -> impl Iterator<Item = Vec<Candidate>> {
    let mut groups: HashMap<Digest, Vec<Candidate>> = HashMap::new();
    for candidate in candidates {
        if let Some(key) = key(&candidate) {
            groups.entry(key).or_default().push(candidate);
        }
    }
    groups.into_values()
}
