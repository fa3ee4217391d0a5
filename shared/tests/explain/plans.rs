//! What the three databases say about a statement.

use std::collections::HashMap;

use sqlx::FromRow;
use testing::{Kind, fetch};

use crate::{
    data::{NEWCOMER, USER},
    values::with_values,
};

/// Returns the parts of the plan of a statement that read a whole table, or a whole index.
pub async fn without_index(kind: Kind, url: &str, statement: &str) -> Vec<String> {
    match kind {
        Kind::Sqlite => sqlite(url, statement)
            .await
            .into_iter()
            .filter(SqliteStep::reads_all)
            .map(|step| step.detail)
            .collect(),
        Kind::Postgres => postgres_without_index(url, statement).await,
        Kind::MariaDb => {
            let steps = mariadb(url, statement).await;
            steps.into_iter().filter(MariaDbStep::reads_all).map(|step| format!("{step:?}")).collect()
        }
    }
}

/// Returns the plan of the statement of a page when it sorts more than the rows of the page.
pub async fn sorting_all(kind: Kind, url: &str, statement: &str) -> Option<String> {
    match kind {
        Kind::Sqlite => {
            let steps = sqlite(url, statement).await;
            // What sorts the page itself, after it has been cut, belongs to another query.
            let page =
                steps.iter().find(|step| step.detail.ends_with(" page")).expect("a page is a query of its own");
            let sorts = steps.iter().any(|step| step.parent == page.id && step.detail.contains("ORDER BY"));
            sorts.then(|| format!("{steps:#?}"))
        }
        Kind::Postgres => {
            let lines = postgres(url, statement).await;
            let limit = lines.iter().position(|line| line.contains("Limit  (")).expect("a page has a limit");
            let sorts = lines[limit + 1..]
                .iter()
                .find(|line| line.contains("->"))
                .is_some_and(|line| line.contains("->  Sort"));
            sorts.then(|| lines.join("\n"))
        }
        Kind::MariaDb => {
            let steps = mariadb(url, statement).await;
            let sorts = steps.iter().any(|step| step.select_type == "DERIVED" && step.extra.contains("filesort"));
            sorts.then(|| format!("{steps:#?}"))
        }
    }
}

/// Returns the parts of the plan of a statement that go through everything that a user has in a table,
/// but for those that cut a page from an index: they stop after the page.
pub async fn by_owner_alone(kind: Kind, url: &str, statement: &str) -> Vec<String> {
    let is_cut_from_memos = statement.contains("LIMIT") && !statement.contains("memo_tags");
    match kind {
        Kind::Sqlite => {
            let steps = sqlite(url, statement).await;
            let page = steps.iter().find(|step| step.detail.ends_with(" page")).map(|page| page.id);
            let by_owner = |step: &&SqliteStep| {
                let is_key = step.detail.starts_with("SEARCH users");
                let cuts = is_cut_from_memos && Some(step.parent) == page;
                step.detail.ends_with("(uid=?)") && !is_key && !cuts
            };
            steps.iter().filter(by_owner).map(|step| step.detail.clone()).collect()
        }
        // Knows how much a user has, and goes through it when it is little. But what it takes for little
        // must not be gone through again and again for every memo of a page.
        Kind::Postgres if statement.contains("\"page\"") => {
            let lines = explain(url, &with_values(statement, NEWCOMER)).await;
            let mut found = Vec::new();
            for (number, line) in lines.iter().enumerate() {
                let reads_page = line.contains(" on memos m ");
                let cuts_page = line.contains(" on memos m_1 ");
                let details = lines[number + 1..].iter().take_while(|line| !line.contains("->"));
                let by_id = details.clone().any(|line| line.contains("Cond: ((memo_id)::text ="));
                if !by_id && (reads_page || cuts_page && !is_cut_from_memos) {
                    found.push(std::iter::once(line).chain(details).cloned().collect::<Vec<_>>().join("\n"));
                }
            }
            found
        }
        Kind::Postgres => Vec::new(),
        Kind::MariaDb => {
            let steps = mariadb(url, statement).await;
            let by_owner = |step: &&MariaDbStep| {
                let is_by_owner = step.key.as_deref().is_some_and(|key| key.contains("_uid"));
                let cuts = is_cut_from_memos && step.select_type == "DERIVED";
                // The length of `uid` alone.
                is_by_owner && step.key_len.as_deref() == Some("258") && !cuts
            };
            steps.iter().filter(by_owner).map(|step| format!("{step:?}")).collect()
        }
    }
}

/// A line of `EXPLAIN QUERY PLAN`.
#[derive(Debug, FromRow)]
struct SqliteStep {
    id: i32,
    parent: i32,
    detail: String,
}

impl SqliteStep {
    /// A table or index is gone through from its beginning, or in jumps over its first column.
    fn reads_all(&self) -> bool {
        // The rest is what queries inside the statement have found; a window function has one of its own.
        let is_table = |name: &str| !matches!(name, "page" | "numbered" | "CONSTANT") && !name.starts_with('(');
        let scanned = self.detail.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
        scanned.is_some_and(is_table) || self.detail.contains("ANY(")
    }
}

async fn sqlite(url: &str, statement: &str) -> Vec<SqliteStep> {
    fetch(url, format!("EXPLAIN QUERY PLAN {statement}")).await
}

async fn postgres(url: &str, statement: &str) -> Vec<String> {
    // A table of a few pages is read as a whole unless that is made dear.
    let url = format!("{url}?options[enable_seqscan]=off");
    explain(&url, &with_values(statement, USER)).await
}

async fn explain(url: &str, statement: &str) -> Vec<String> {
    let lines: Vec<(String,)> = fetch(url, format!("EXPLAIN {statement}")).await;
    lines.into_iter().map(|(line,)| line).collect()
}

async fn postgres_without_index(url: &str, statement: &str) -> Vec<String> {
    let indexes: Vec<(String, String)> = fetch(
        url,
        "SELECT i.relname::text, a.attname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid \
         JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]"
            .to_owned(),
    )
    .await;
    let first_column: HashMap<String, String> = indexes.into_iter().collect();
    let lines = postgres(url, statement).await;
    let mut problems = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if line.contains("Seq Scan") {
            problems.push(line.clone());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let name =
            words.iter().position(|word| *word == "using" || line.contains("Bitmap Index Scan") && *word == "on");
        let Some(index) = name.filter(|_| line.contains("Index")).map(|at| words[at + 1]) else { continue };
        let details = lines[number + 1..].iter().take_while(|line| !line.contains("->"));
        let condition = details.filter(|line| line.contains("Index Cond:")).cloned().collect::<String>();
        if !condition.contains(&format!("({}", first_column[index])) {
            problems.push(format!("{line} {condition}"));
        }
    }
    problems
}

/// A line of `EXPLAIN`.
#[derive(Debug, FromRow)]
struct MariaDbStep {
    select_type: String,
    table: Option<String>,
    #[sqlx(rename = "type")]
    access: Option<String>,
    key: Option<String>,
    key_len: Option<String>,
    #[expect(dead_code, reason = "printed with the rest of the step")]
    rows: Option<String>,
    #[sqlx(rename = "Extra")]
    extra: String,
}

impl MariaDbStep {
    fn reads_all(&self) -> bool {
        let is_table = self.table.as_deref().is_some_and(|name| !name.starts_with('<'));
        let all = self.access.as_deref().is_some_and(|access| matches!(access, "ALL" | "index"));
        // Without a matching row there is nothing to see of the plan.
        is_table && all || self.extra.contains("Impossible WHERE") || self.extra.contains("no matching row")
    }
}

async fn mariadb(url: &str, statement: &str) -> Vec<MariaDbStep> {
    fetch(url, format!("EXPLAIN {}", with_values(statement, USER))).await
}
