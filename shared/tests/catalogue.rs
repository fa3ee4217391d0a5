//! The migrated databases have the tables, columns and indexes of `contract/data-model.md`, read from
//! its own tables (sections 2 and 5), and of the decisions that added one, and nothing that section 1 forbids.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    db::Row,
    repositories::tables::{ALL, Type},
};
use testing::{Kind, fetch, on_every_database, shared_database};

const MODEL: &str = include_str!("../../contract/data-model.md");

/// The decisions that added tables, written like the model.
const ADDED: [&str; 2] = [
    include_str!("../../docs/decisions/0006-pending-files.md"),
    include_str!("../../docs/decisions/0009-slots-of-pushes.md"),
];

on_every_database!(
    columns_have_the_types_of_the_model,
    primary_keys_are_those_of_the_model,
    indexes_begin_with_the_columns_of_the_model,
    nothing_happens_behind_the_back_of_the_repositories,
);

/// Returns the cells of the rows of the Markdown tables in a text whose first cell is code.
fn cells(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
}

/// Returns the code in a cell.
fn code(cell: &str) -> &str {
    cell.split('`').nth(1).expect("the cell has code")
}

/// Returns the tables of section 2 and those that were added, each with the rows of its columns.
fn tables() -> impl Iterator<Item = (&'static str, Vec<Vec<&'static str>>)> {
    let (_, rest) = MODEL.split_once("\n## 2. Tables").expect("section 2");
    let (section, _) = rest.split_once("\n## 3.").expect("section 3");
    let sections = std::iter::once(section).chain(ADDED);
    let tables = sections.flat_map(|section| section.split("\n### `").skip(1));
    let tables = tables.map(|part| part.split_once('`').expect("a name"));
    tables.map(|(name, part)| (name, cells(part.split("\n| Index").next().unwrap_or_default()).collect()))
}

async fn rows<T: Row>(kind: Kind, postgres: &str, mariadb: &str, sqlite: &str) -> Vec<T> {
    let statement = match kind {
        Kind::Postgres => postgres,
        Kind::MariaDb => mariadb,
        Kind::Sqlite => sqlite,
    };
    fetch(&shared_database(kind).await.url, statement.to_owned()).await
}

/// A column: its table, name, type, whether it may be NULL, and its default.
type Column = (String, String, String, bool, Option<String>);

fn modelled_columns(kind: Kind) -> BTreeSet<Column> {
    let mut columns = BTreeSet::new();
    for (table, rows) in tables() {
        for row in rows {
            let [name, postgres, mysql, sqlite, null, default] = row[..] else { panic!("{row:?}") };
            let column = code(name);
            let data_type = match kind {
                Kind::Postgres => postgres,
                // A JSON column, which section 1 wants to be long.
                Kind::MariaDb if (table, column) == ("_migrations", "details") => "LONGTEXT",
                Kind::MariaDb => mysql,
                Kind::Sqlite => sqlite,
            };
            // What follows the type says how an identity is made.
            let data_type = data_type.split(' ').next().unwrap_or_default().to_owned();
            let default = Some(default).filter(|default| !matches!(*default, "—" | "generated"));
            columns.insert((
                table.to_owned(),
                column.to_owned(),
                data_type,
                null == "yes",
                default.map(|default| default.trim_matches('\'').to_owned()),
            ));
        }
    }
    columns
}

/// What the data migration knows of the tables that it fills.
#[test]
fn tables_that_are_moved_whole_are_those_of_the_model() {
    let model: BTreeMap<&str, Vec<Vec<&str>>> = tables().collect();
    for table in ALL {
        let columns = model[table.name].iter().map(|row| {
            let [name, _, mysql, _, null, _] = row[..] else { panic!("{row:?}") };
            (code(name), mysql.to_owned(), null == "yes")
        });
        let known = table.columns.iter().map(|column| {
            let data_type = match column.data_type {
                Type::Varchar(length) => format!("VARCHAR({length})"),
                Type::Text => "TEXT".to_owned(),
                Type::LongText => "LONGTEXT".to_owned(),
                Type::Integer => "INT".to_owned(),
                Type::BigInt => "BIGINT".to_owned(),
            };
            (column.name, data_type, column.nullable)
        });
        assert_eq!(known.collect::<Vec<_>>(), columns.collect::<Vec<_>>(), "{}", table.name);
        let keys = model[table.name].iter().filter(|row| row[0].contains("**PK**")).count();
        assert_eq!(table.key, keys, "{}", table.name);
    }
    let moved: BTreeSet<&str> = ALL.iter().map(|table| table.name).collect();
    let left: Vec<&str> = model.keys().copied().filter(|name| !moved.contains(name)).collect();
    assert_eq!(left, ["_migrations", "pending_files", "push_deliveries", "push_slots"]);
}

async fn columns_have_the_types_of_the_model(kind: Kind) {
    let found: Vec<(String, String, String, String, Option<String>)> = rows(
        kind,
        "SELECT table_name::text, column_name::text,
                CASE data_type WHEN 'character varying' THEN 'VARCHAR(' || character_maximum_length || ')'
                               ELSE UPPER(data_type) END,
                is_nullable::text, SPLIT_PART(column_default::text, '::', 1)
         FROM information_schema.columns WHERE table_schema = 'public'",
        "SELECT table_name, column_name, UPPER(REGEXP_REPLACE(column_type, '^(int|bigint)\\\\(.*', '\\\\1')),
                is_nullable, column_default
         FROM information_schema.columns WHERE table_schema = DATABASE()",
        "SELECT t.name, c.name, c.type, CASE WHEN c.\"notnull\" OR c.pk THEN 'NO' ELSE 'YES' END, c.dflt_value
         FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
    )
    .await;
    let plain = |default: String| Some(default.trim_matches('\'').to_owned()).filter(|text| text != "NULL");
    let found: BTreeSet<Column> = found
        .into_iter()
        .map(|(table, name, data_type, nullable, default)| {
            (table, name, data_type, nullable == "YES", default.and_then(plain))
        })
        .collect();
    let expected = modelled_columns(kind);
    let missing: Vec<&Column> = expected.difference(&found).collect();
    let unknown: Vec<&Column> = found.difference(&expected).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:#?}\nnot in the model: {unknown:#?}");
    assert!(expected.len() > 100, "the model was read");
}

/// Indexes by name: table, whether it is unique, and columns. Primary keys are named `PRIMARY table`.
async fn indexes(kind: Kind) -> BTreeMap<String, (String, bool, Vec<String>)> {
    let found: Vec<(String, String, String, String)> = rows(
        kind,
        "SELECT t.relname::text, CASE WHEN x.indisprimary THEN 'PRIMARY' ELSE i.relname::text END,
                CASE WHEN x.indisunique THEN 'YES' ELSE 'NO' END,
                (SELECT STRING_AGG(a.attname::text, ',' ORDER BY k.position)
                 FROM UNNEST(x.indkey) WITH ORDINALITY AS k(number, position)
                 JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number)
         FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
         WHERE t.relnamespace = 'public'::regnamespace",
        "SELECT table_name, index_name, IF(MIN(non_unique) = 0, 'YES', 'NO'),
                GROUP_CONCAT(column_name ORDER BY seq_in_index)
         FROM information_schema.statistics WHERE table_schema = DATABASE() GROUP BY table_name, index_name",
        "SELECT t.name, i.name, CASE i.\"unique\" WHEN 1 THEN 'YES' ELSE 'NO' END,
                (SELECT GROUP_CONCAT(name) FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
         FROM sqlite_master t JOIN pragma_index_list(t.name) i WHERE t.type = 'table' AND i.origin <> 'pk'
         UNION ALL
         SELECT t.name, 'PRIMARY', 'YES',
                (SELECT GROUP_CONCAT(name) FROM (SELECT name FROM pragma_table_info(t.name) WHERE pk > 0 ORDER BY pk))
         FROM sqlite_master t WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
    )
    .await;
    let by_name = found.into_iter().map(|(table, name, unique, columns)| {
        let name = if name == "PRIMARY" { format!("PRIMARY {table}") } else { name };
        (name, (table, unique == "YES", columns.split(',').map(str::to_owned).collect()))
    });
    by_name.collect()
}

async fn primary_keys_are_those_of_the_model(kind: Kind) {
    let found = indexes(kind).await;
    for (table, columns) in tables() {
        let key = columns.iter().filter(|row| row[0].ends_with("**PK**")).map(|row| code(row[0]));
        let key: Vec<&str> = key.collect();
        assert_eq!(found[&format!("PRIMARY {table}")].2, key, "{table}");
    }
}

async fn indexes_begin_with_the_columns_of_the_model(kind: Kind) {
    let (_, rest) = MODEL.split_once("\n## 5. Indexes").expect("section 5");
    let (section, _) = rest.split_once("\n### ").expect("what follows the indexes");
    let found = indexes(kind).await;
    let mut names: BTreeSet<&str> =
        found.keys().map(String::as_str).filter(|name| !name.starts_with("PRIMARY")).collect();
    let added = ADDED.iter().filter_map(|decision| decision.split_once("\n| Index"));
    for row in cells(section).chain(added.flat_map(|(_, indexes)| cells(indexes))) {
        let [name, columns] = row[..] else { panic!("{row:?}") };
        let (unique, name) = (name.ends_with("unique"), code(name));
        let Some((table, columns)) = columns.trim_end_matches(')').split_once('(') else { continue };
        let columns: Vec<&str> = columns.split(", ").collect();
        let (found_table, found_unique, found_columns) = found.get(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!((found_table.as_str(), *found_unique), (table, unique), "{name}");
        assert!(columns.len() <= found_columns.len() && columns == found_columns[..columns.len()], "{name}");
        // What follows the columns of a unique index would make it less so.
        assert!(!unique || columns.len() == found_columns.len(), "{name}");
        assert!(name.len() <= 63, "PostgreSQL cuts {name}");
        names.remove(name);
    }
    assert!(names.is_empty(), "not in the model: {names:?}");
}

async fn nothing_happens_behind_the_back_of_the_repositories(kind: Kind) {
    let found: Vec<(String,)> = rows(
        kind,
        "SELECT conname::text FROM pg_constraint WHERE contype = 'f'
         UNION ALL SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal",
        "SELECT constraint_name FROM information_schema.table_constraints
         WHERE table_schema = DATABASE() AND constraint_type = 'FOREIGN KEY'
         UNION ALL SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
        "SELECT t.name FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f
         UNION ALL SELECT name FROM sqlite_master WHERE type = 'trigger'",
    )
    .await;
    assert_eq!(found, [], "foreign keys and triggers");
}

/// Whatever the server or the database prefers: ids differ by letter case, and texts have emoji.
#[tokio::test]
async fn tables_of_mariadb_are_transactional_and_compare_bytes() {
    let url = shared_database(Kind::MariaDb).await.url;
    let tables: Vec<(String, String, String)> = fetch(
        &url,
        "SELECT table_name, engine, table_collation FROM information_schema.tables WHERE table_schema = DATABASE()"
            .to_owned(),
    )
    .await;
    assert_eq!(tables.len(), self::tables().count());
    for (table, engine, collation) in tables {
        assert_eq!((engine.as_str(), collation.as_str()), ("InnoDB", "utf8mb4_bin"), "{table}");
    }
    let others: Vec<(String, String)> = fetch(
        &url,
        "SELECT table_name, column_name FROM information_schema.columns
         WHERE table_schema = DATABASE() AND collation_name <> 'utf8mb4_bin'"
            .to_owned(),
    )
    .await;
    assert_eq!(others, []);
}
