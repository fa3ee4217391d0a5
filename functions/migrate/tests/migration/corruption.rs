//! What the database does to the rows between the load and COMMIT is found, however small it is
//! (`contract/migration.md` section 7).
//!
//! A [`Corruption`] makes other rows of the rows of a table, which then replace them in the transaction of the
//! load: at the checkpoint of a whole migration, and many more of them between one load and verification.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::FutureExt;
use migrate::{
    digest::{Checksum, DigestSet, Keys},
    failure::{Failure, Phase},
    legacy::Rules,
    load::{self, Deadline, Loader},
    mapping::Mapping,
    observer::{Checkpoint, Verb},
    preflight::{self, Options},
    run,
    source::Source,
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use shared::{
    db::{Cell, Dialect, Executor, schema},
    repositories::tables::{self, Inserter, Table},
};
use testing::{Kind, on_every_database};

use crate::{
    harness::{Interrupt, NOW, Quiet, Sql, cells},
    small::small,
};

on_every_database!(a_corrupted_migration_is_rolled_back, every_corruption_of_every_table_is_found);

/// What may happen to stored rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Corruption {
    /// A bit of a character is the other one.
    FlippedBit,
    /// A letter is upper case for lower case, or the other way round.
    ChangedCase,
    /// A space at the end.
    TrailingSpace,
    /// The last character is gone, such as that of an emoji of many, or the end of JSON.
    CutCharacter,
    /// A character beyond the first plane is a question mark, as in a `utf8` of three bytes.
    CutEmoji,
    /// A letter and its accent are one character for two, or the other way round.
    Normalised,
    /// Half of a text is gone.
    Truncated,
    /// A NULL is an empty text.
    EmptyForNull,
    /// An empty text is NULL.
    NullForEmpty,
    /// A NULL for a text.
    LostValue,
    /// A number is greater by one: a time by a millisecond, a position, a count, a flag.
    Shifted,
    /// An id of another row is where a row refers to one.
    ForeignId,
    /// A row is gone.
    LostRow,
    /// A row is there twice, with another id.
    DoubledRow,
    /// Two rows have exchanged the values of a column.
    SwappedValues,
    /// Two rows have exchanged everything but their ids.
    ExchangedRows,
}

impl Corruption {
    const ALL: [Self; 16] = [
        Self::FlippedBit,
        Self::ChangedCase,
        Self::TrailingSpace,
        Self::CutCharacter,
        Self::CutEmoji,
        Self::Normalised,
        Self::Truncated,
        Self::EmptyForNull,
        Self::NullForEmpty,
        Self::LostValue,
        Self::Shifted,
        Self::ForeignId,
        Self::LostRow,
        Self::DoubledRow,
        Self::SwappedValues,
        Self::ExchangedRows,
    ];

    /// Corrupts the sorted rows of a table at a random place; `None` when no place is found that suits.
    fn of(self, table: &Table, rows: &[Vec<Cell>], random: &mut StdRng) -> Option<Vec<Vec<Cell>>> {
        // Many places do not suit, and a result may break a key, which the database itself would refuse.
        (0..200).find_map(|_| {
            let mut corrupted = self.once(table, rows, random)?;
            corrupted.sort_unstable();
            (corrupted != rows && is_storable(table, &corrupted)).then_some(corrupted)
        })
    }

    /// Corrupts rows at a random place; `None` when it does not suit.
    fn once(self, table: &Table, rows: &[Vec<Cell>], random: &mut StdRng) -> Option<Vec<Vec<Cell>>> {
        let mut corrupted = rows.to_vec();
        let row = random.random_range(0..rows.len());
        let other = (row + random.random_range(1..rows.len())) % rows.len();
        let column = random.random_range(0..table.columns.len());
        match self {
            Self::LostRow => {
                corrupted.remove(row);
            }
            Self::DoubledRow => {
                let mut double = rows[row].clone();
                for cell in &mut double {
                    // Also what must be unique beside the id.
                    if let Cell::Text(text) = cell
                        && (text.len() < 40 && random.random_bool(0.5)
                            || rows[row][0].as_text() == Some(text.as_str()))
                    {
                        text.push('2');
                    }
                }
                corrupted.push(double);
            }
            Self::SwappedValues => {
                corrupted[row][column] = rows[other][column].clone();
                corrupted[other][column] = rows[row][column].clone();
            }
            Self::ExchangedRows => {
                corrupted[row][table.key..].clone_from_slice(&rows[other][table.key..]);
                corrupted[other][table.key..].clone_from_slice(&rows[row][table.key..]);
            }
            Self::ForeignId => {
                let reference = tables::REFERENCES.iter().filter(|reference| reference.child == table);
                let column = table.place(reference.collect::<Vec<_>>().choose(random)?.column);
                corrupted[row][column] = rows[other][column].clone();
            }
            _ => corrupted[row][column] = self.of_cell(&rows[row][column], random)?,
        }
        Some(corrupted)
    }

    /// Corrupts one value; `None` when it has nothing that suits.
    fn of_cell(self, cell: &Cell, random: &mut StdRng) -> Option<Cell> {
        let text = match (self, cell) {
            (Self::Shifted, Cell::Integer(integer)) => return Some(Cell::Integer(integer + 1)),
            (Self::EmptyForNull, Cell::Null) => return Some("".into()),
            (Self::NullForEmpty, Cell::Text(text)) if text.is_empty() => return Some(Cell::Null),
            (Self::LostValue, Cell::Text(_)) => return Some(Cell::Null),
            (Self::FlippedBit, Cell::Integer(integer)) => return Some(Cell::Integer(integer ^ 1)),
            (_, Cell::Text(text)) => text,
            _ => return None,
        };
        let mut characters: Vec<char> = text.chars().collect();
        let place = (!characters.is_empty()).then(|| random.random_range(0..characters.len()));
        match self {
            Self::FlippedBit => {
                let character = &mut characters[place?];
                *character = char::from_u32(u32::from(*character) ^ (1 << random.random_range(0..5)))?;
            }
            Self::ChangedCase => {
                let character = &mut characters[place?];
                *character = match *character {
                    letter if letter.is_ascii_uppercase() => letter.to_ascii_lowercase(),
                    letter => letter.to_ascii_uppercase(),
                };
            }
            Self::TrailingSpace => characters.push(' '),
            Self::CutCharacter => {
                characters.pop();
            }
            Self::CutEmoji => {
                let wide = characters.iter().position(|character| character.len_utf8() == 4);
                characters[wide?] = '?';
            }
            Self::Normalised if text.contains('é') => return Some(text.replace('é', "e\u{301}").into()),
            Self::Normalised => return Some(text.replace("e\u{301}", "é").into()),
            Self::Truncated => characters.truncate(characters.len() / 2),
            _ => return None,
        }
        Some(characters.into_iter().collect::<String>().into())
    }
}

/// Reports whether the keys and columns of a table take the rows.
fn is_storable(table: &Table, rows: &[Vec<Cell>]) -> bool {
    let unique: &[&str] = match table.name {
        "users" => &["email"],
        "categories" | "tags" => &["uid", "name_key"],
        "memo_relations" => &["uid", "source_memo_id", "target_memo_id"],
        "daily_recommendations" => &["uid", "date"],
        _ => &[],
    };
    let unique: Vec<usize> = unique.iter().map(|column| table.place(column)).collect();
    let primary: Vec<usize> = (0..table.key).collect();
    let is_free = |places: &[usize]| {
        let mut keys = HashSet::new();
        // MySQL ignores spaces at the end.
        let key = |row: &Vec<Cell>| -> Option<Vec<String>> {
            places.iter().map(|place| row[*place].as_text().map(|text| text.trim_end().to_owned())).collect()
        };
        places.is_empty() || rows.iter().filter_map(key).all(|key| keys.insert(key))
    };
    let fits = |row: &Vec<Cell>| {
        table.columns.iter().zip(row).all(|(column, cell)| {
            let text = cell.as_text().unwrap_or_default();
            let fits = match column.data_type {
                tables::Type::Varchar(most) => text.chars().count() <= most,
                _ => true,
            };
            fits && !text.contains('\0') && (column.nullable || *cell != Cell::Null)
        })
    };
    rows.iter().all(fits) && is_free(&primary) && is_free(&unique)
}

/// Replaces the rows of a table inside a transaction.
async fn replace(transaction: &Executor, table: &'static Table, rows: Vec<Vec<Cell>>) {
    transaction.execute("test.delete", &Sql(format!("DELETE FROM {}", table.name))).await.unwrap();
    Inserter::new(table).create(transaction, rows).await.unwrap();
}

/// How many whole migrations are corrupted.
const MIGRATIONS: usize = 54;

async fn a_corrupted_migration_is_rolled_back(kind: Kind) {
    let install = small(kind).await;
    let mut hit = BTreeSet::new();
    for number in 0..MIGRATIONS {
        let corruption = Corruption::ALL[number % Corruption::ALL.len()];
        let (sender, corrupted) = std::sync::mpsc::channel();
        let observer = Interrupt::new(Box::new(move |_, checkpoint, transaction| {
            let transaction = transaction.cloned().filter(|_| checkpoint == Checkpoint::Loaded);
            let sender = sender.clone();
            async move {
                let Some(transaction) = transaction else { return Ok(()) };
                let mut random = StdRng::seed_from_u64(number as u64);
                // The first table, from a random one on, that has what suits.
                let first = random.random_range(0..tables::ALL.len());
                for table in tables::ALL.into_iter().cycle().skip(first).take(tables::ALL.len()) {
                    let stored = cells(&transaction, table).await;
                    if let Some(corrupted) = corruption.of(table, &stored, &mut random) {
                        replace(&transaction, table, corrupted).await;
                        sender.send(table.name).expect("the test waits for it");
                        return Ok(());
                    }
                }
                panic!("nothing suits {corruption:?}");
            }
            .boxed()
        }));
        let failure = install.migrate_watched(&observer, Some(Phase::Load)).await.expect_err("it is corrupted");
        let (message, table) = (failure.to_string(), corrupted.recv().expect("a table was corrupted"));
        let Failure::Failed { phase: Phase::Load, table: named, .. } = failure else { panic!("{message}") };
        assert_eq!(named.as_deref(), Some(table), "{corruption:?}: {message}");
        assert!(message.ends_with("; database rolled back"), "{message}");
        assert_eq!(install.stored().await, BTreeMap::new(), "{corruption:?} of {table}");
        hit.insert(table);
    }
    assert_eq!(hit.len(), tables::ALL.len(), "{hit:?}");
    install.migrate().await.expect("without corruption it migrates");
}

async fn every_corruption_of_every_table_is_found(kind: Kind) {
    let install = small(kind).await;
    let config = install.config();
    let database = run::open(&config).unwrap();
    schema::migrate(&database, NOW).await.unwrap();
    let source = Source::open(run::stores(&config).unwrap(), None).await.unwrap();
    let keys = Keys { ignores_trailing_spaces: database.dialect() == Dialect::MySql };
    let rules = Rules { now: NOW, invalid_properties: config.choices.invalid_properties, keys };
    let options = Options { choices: config.choices, dimensions: None, statement_limit: None };
    let plan = preflight::plan(&source, &rules, &options, &Quiet).await.unwrap();
    let vectors = DigestSet::default();
    let mapping = Mapping {
        source: &source,
        plan: &plan,
        rules: &rules,
        vectors: &vectors,
        observer: &Quiet,
        verb: Verb::Map,
    };
    let transaction = database.begin().await.unwrap();
    let mut loader = Loader::new(&transaction, &Quiet, Deadline(None), config.batch_rows);
    let tallies = mapping.run(&mut loader).await.unwrap();

    let mut random = StdRng::seed_from_u64(0);
    let mut found = BTreeMap::<Corruption, usize>::new();
    for table in tables::ALL {
        let stored = cells(&transaction, table).await;
        for corruption in Corruption::ALL {
            for _ in 0..2 {
                let Some(corrupted) = corruption.of(table, &stored, &mut random) else { break };
                replace(&transaction, table, corrupted).await;
                let verified = load::verify(&transaction, &tallies, Deadline(None), &Quiet).await;
                let cause = verified.expect_err(&format!("{corruption:?} of {}", table.name));
                let Failure::Failed { table: named, .. } = cause.during(Phase::Load) else { unreachable!() };
                assert_eq!(named.as_deref(), Some(table.name), "{corruption:?}");
                *found.entry(corruption).or_default() += 1;
            }
        }
        replace(&transaction, table, stored).await;
    }
    load::verify(&transaction, &tallies, Deadline(None), &Quiet).await.expect("all is as it was loaded");
    transaction.rollback().await;
    assert_eq!(found.len(), Corruption::ALL.len(), "{found:?}");
    assert!(found.values().sum::<usize>() >= 200, "{found:?}");
}

#[test]
fn checksums_tell_corrupted_rows_from_rows_in_another_order() {
    let checksum = |rows: &[Vec<Cell>]| {
        let mut checksum = Checksum::default();
        for row in rows {
            checksum.add(row);
        }
        checksum
    };
    let mut random = StdRng::seed_from_u64(1);
    let texts = ["", " ", "é", "e\u{301}", "读书", "👩‍👩‍👧", "Ab", "aB", "0", "\u{10ffff}"];
    let mut corrupted = 0;
    for _ in 0..500 {
        let table = *tables::ALL.choose(&mut random).unwrap();
        let mut cell = |column: &tables::Column| match column.data_type {
            tables::Type::Integer | tables::Type::BigInt => Cell::Integer(random.random_range(-2..3)),
            _ if column.nullable && random.random_bool(0.3) => Cell::Null,
            _ => (*texts.choose(&mut random).unwrap()).into(),
        };
        let rows: Vec<Vec<Cell>> = (0..6).map(|_| table.columns.iter().map(&mut cell).collect()).collect();
        let mut shuffled = rows.clone();
        shuffled.rotate_left(random.random_range(0..rows.len()));
        shuffled.swap(0, random.random_range(0..rows.len()));
        assert_eq!(checksum(&shuffled), checksum(&rows));
        for corruption in Corruption::ALL {
            if let Some(mut changed) = corruption.once(table, &rows, &mut random) {
                changed.sort_unstable();
                shuffled.sort_unstable();
                assert_eq!(
                    checksum(&changed) == checksum(&rows),
                    changed == shuffled,
                    "{corruption:?} of {rows:?}"
                );
                corrupted += usize::from(changed != shuffled);
            }
        }
    }
    assert!(corrupted > 1000, "{corrupted}");
}
