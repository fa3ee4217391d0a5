//! All tables of the product as rows of cells: what the data migration writes, counts and reads back.
//!
//! The only repository without a `uid`: a migration moves the rows of everybody.

use std::collections::HashMap;

use sea_query::{
    Expr, ExprTrait, Func, InsertStatement, JoinType, MysqlQueryBuilder, Order, PostgresQueryBuilder, Query,
    QueryBuilder, SqliteQueryBuilder, Values,
};
use sea_query_sqlx::{SqlxBinder, SqlxValues};

use crate::db::{Cell, Cells, Dialect, Executor, Result};

/// The most bytes of a [`Type::Text`].
pub const TEXT_BYTES: usize = 65_535;

/// What a column may hold (`contract/data-model.md` section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A text of at most so many characters.
    Varchar(usize),
    /// A text of at most 65 535 bytes (`docs/decisions/0005-short-texts.md`).
    Text,
    /// A text of any length.
    LongText,
    /// A 32-bit integer.
    Integer,
    /// A 64-bit integer.
    BigInt,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The name.
    pub name: &'static str,
    /// What it may hold.
    pub data_type: Type,
    /// Whether it may be NULL.
    pub nullable: bool,
}

/// A table with its columns in the order of their definition. The primary key is the first column, or the
/// first two of `memo_tags` and `vector_outbox`.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// The name.
    pub name: &'static str,
    /// How many of the columns make the primary key.
    pub key: usize,
    /// The columns.
    pub columns: &'static [Column],
}

impl Table {
    /// Returns the place of a column in a row.
    ///
    /// # Panics
    /// The table has no such column.
    #[must_use]
    pub fn place(&self, column: &str) -> usize {
        let place = self.columns.iter().position(|candidate| candidate.name == column);
        place.unwrap_or_else(|| unreachable!("{} has no column {column}", self.name))
    }
}

macro_rules! tables {
    ($($constant:ident = $name:literal, $key:literal, [$($column:literal $type:ident$(($length:literal))? $($null:ident)?,)*];)*) => {
        $(
            #[doc = concat!("The table `", $name, "`.")]
            pub static $constant: Table = Table {
                name: $name,
                key: $key,
                columns: &[$(Column {
                    name: $column,
                    data_type: Type::$type$(($length))?,
                    nullable: tables!(@ $($null)?),
                }),*],
            };
        )*
    };
    (@ null) => { true };
    (@) => { false };
}

tables! {
    USERS = "users", 1, [
        "uid" Varchar(64), "email" Varchar(255) null, "phone" Text null, "password" Varchar(255), "salt" Varchar(255),
        "nickname" Text null, "avatar" Text null, "status" Integer, "created_at" BigInt, "updated_at" BigInt,
    ];
    CATEGORIES = "categories", 1, [
        "category_id" Varchar(64), "uid" Varchar(64), "name" Text, "name_key" Varchar(255), "color" Text null,
        "created_at" BigInt, "updated_at" BigInt,
    ];
    TAGS = "tags", 1, [
        "tag_id" Varchar(64), "uid" Varchar(64), "name" Text, "name_key" Varchar(255), "color" Text null,
        "usage_count" Integer, "created_at" BigInt, "updated_at" BigInt,
    ];
    MEMOS = "memos", 1, [
        "memo_id" Varchar(64), "uid" Varchar(64), "category_id" Varchar(64) null, "content" LongText,
        "type" Varchar(32), "source" Text null, "is_public" Integer, "attachments" LongText null,
        "created_at" BigInt, "updated_at" BigInt,
    ];
    MEMO_TAGS = "memo_tags", 2, [
        "memo_id" Varchar(64), "tag_id" Varchar(64), "uid" Varchar(64), "position" Integer, "created_at" BigInt,
    ];
    MEMO_RELATIONS = "memo_relations", 1, [
        "relation_id" Varchar(64), "uid" Varchar(64), "source_memo_id" Varchar(64), "target_memo_id" Varchar(64),
        "created_at" BigInt,
    ];
    ATTACHMENTS = "attachments", 1, [
        "attachment_id" Varchar(64), "uid" Varchar(64), "filename" Text, "type" Varchar(255), "size" BigInt,
        "storage_type" Varchar(16), "path" Text, "bucket" Text null, "prefix" Text null, "endpoint" Text null,
        "region" Text null, "is_public_bucket" Varchar(8) null, "multimodal_model_hash" Varchar(64) null,
        "properties" LongText null, "created_at" BigInt, "updated_at" BigInt,
    ];
    AI_CONVERSATIONS = "ai_conversations", 1, [
        "conversation_id" Varchar(64), "uid" Varchar(64), "title" Text, "created_at" BigInt, "updated_at" BigInt,
    ];
    AI_MESSAGES = "ai_messages", 1, [
        "message_id" Varchar(64), "conversation_id" Varchar(64), "role" Varchar(16), "content" LongText,
        "sources" LongText null, "created_at" BigInt,
    ];
    PUSH_RULES = "push_rules", 1, [
        "id" Varchar(64), "uid" Varchar(64), "name" Text, "push_time" Integer, "content_type" Varchar(32),
        "channels" LongText, "enabled" Integer, "created_at" BigInt, "updated_at" BigInt,
    ];
    DAILY_RECOMMENDATIONS = "daily_recommendations", 1, [
        "recommendation_id" Varchar(64), "uid" Varchar(64), "date" Varchar(10), "memo_ids" LongText,
        "created_at" BigInt,
    ];
    VECTOR_OUTBOX = "vector_outbox", 2, [
        "kind" Varchar(16), "entity_id" Varchar(64), "uid" Varchar(64), "op" Varchar(16), "enqueued_at" BigInt,
        "attempts" Integer, "next_attempt_at" BigInt, "last_error" Text null,
    ];
}

/// All tables that a data migration fills, in the order in which it does
/// (`contract/migration.md` section 7).
pub static ALL: [&Table; 12] = [
    &USERS,
    &CATEGORIES,
    &TAGS,
    &MEMOS,
    &MEMO_TAGS,
    &MEMO_RELATIONS,
    &ATTACHMENTS,
    &AI_CONVERSATIONS,
    &AI_MESSAGES,
    &PUSH_RULES,
    &DAILY_RECOMMENDATIONS,
    &VECTOR_OUTBOX,
];

/// A column that names a row of another table: there are no foreign keys, so a row may be an orphan.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// The table with the column.
    pub child: &'static Table,
    /// The column.
    pub column: &'static str,
    /// The table that it names a row of, by its primary key.
    pub parent: &'static Table,
}

/// Every reference between the tables.
pub static REFERENCES: [Reference; 13] = [
    Reference { child: &CATEGORIES, column: "uid", parent: &USERS },
    Reference { child: &TAGS, column: "uid", parent: &USERS },
    Reference { child: &MEMOS, column: "uid", parent: &USERS },
    Reference { child: &MEMOS, column: "category_id", parent: &CATEGORIES },
    Reference { child: &MEMO_TAGS, column: "tag_id", parent: &TAGS },
    Reference { child: &MEMO_RELATIONS, column: "uid", parent: &USERS },
    Reference { child: &MEMO_RELATIONS, column: "source_memo_id", parent: &MEMOS },
    Reference { child: &MEMO_RELATIONS, column: "target_memo_id", parent: &MEMOS },
    Reference { child: &ATTACHMENTS, column: "uid", parent: &USERS },
    Reference { child: &AI_CONVERSATIONS, column: "uid", parent: &USERS },
    Reference { child: &AI_MESSAGES, column: "conversation_id", parent: &AI_CONVERSATIONS },
    Reference { child: &PUSH_RULES, column: "uid", parent: &USERS },
    Reference { child: &DAILY_RECOMMENDATIONS, column: "uid", parent: &USERS },
];

/// Makes the multi-row `INSERT` of a table, and keeps its text: the statements of a table differ in their
/// last one alone.
pub struct Inserter {
    table: &'static Table,
    texts: HashMap<usize, String>,
}

struct Insert {
    sql: String,
    values: Values,
}

impl SqlxBinder for Insert {
    fn build_sqlx<T: QueryBuilder>(&self, _: T) -> (String, SqlxValues) {
        (self.sql.clone(), SqlxValues(self.values.clone()))
    }
}

impl Inserter {
    /// Returns the inserter of a table.
    #[must_use]
    pub fn new(table: &'static Table) -> Self {
        Self { table, texts: HashMap::new() }
    }

    /// Stores rows by one statement.
    ///
    /// # Errors
    /// The database fails or refuses a row.
    pub async fn create(&mut self, db: &Executor, rows: Vec<Vec<Cell>>) -> Result<()> {
        let dialect = db.dialect();
        let text = self.texts.entry(rows.len());
        let sql = text.or_insert_with_key(|rows| insert_text(dialect, self.table, *rows)).clone();
        let values = Values(rows.into_iter().flatten().map(Into::into).collect());
        db.execute("tables.create", &Insert { sql, values }).await.map(|_| ())
    }
}

fn insert_text(dialect: Dialect, table: &Table, rows: usize) -> String {
    let columns = table.columns.iter().map(|column| column.name);
    let mut insert: InsertStatement = Query::insert().into_table(table.name).columns(columns).to_owned();
    for _ in 0..rows {
        insert.values_panic(table.columns.iter().map(|_| Expr::val(0)));
    }
    match dialect {
        Dialect::Postgres => insert.build(PostgresQueryBuilder).0,
        Dialect::MySql => insert.build(MysqlQueryBuilder).0,
        Dialect::Sqlite => insert.build(SqliteQueryBuilder).0,
    }
}

/// Counts the rows of a table.
///
/// # Errors
/// The database fails.
pub async fn count(db: &Executor, table: &Table) -> Result<u64> {
    let select = Query::select().expr(Func::count(Expr::cust("*"))).from(table.name).to_owned();
    fetch_count(db, "tables.count", &select).await
}

/// Counts the rows whose reference names no row.
///
/// # Errors
/// The database fails.
pub async fn count_orphans(db: &Executor, reference: &Reference) -> Result<u64> {
    let Reference { child, column, parent } = reference;
    let key = parent.columns[0].name;
    let select = Query::select()
        .expr(Func::count(Expr::cust("*")))
        .from_as(child.name, "c")
        .join_as(JoinType::LeftJoin, parent.name, "p", Expr::col(("p", key)).equals(("c", *column)))
        .and_where(Expr::col(("c", *column)).is_not_null())
        .and_where(Expr::col(("p", key)).is_null())
        .to_owned();
    fetch_count(db, "tables.count_orphans", &select).await
}

/// Counts the tags whose `usage_count` is not the number of memos that carry them.
///
/// # Errors
/// The database fails.
pub async fn count_wrong_usage(db: &Executor) -> Result<u64> {
    let carried = Query::select()
        .expr(Func::count(Expr::cust("*")))
        .from_as("memo_tags", "mt")
        .and_where(Expr::col(("mt", "uid")).equals(("t", "uid")))
        .and_where(Expr::col(("mt", "tag_id")).equals(("t", "tag_id")))
        .to_owned();
    let select = Query::select()
        .expr(Func::count(Expr::cust("*")))
        .from_as("tags", "t")
        .and_where(Expr::col(("t", "usage_count")).ne(carried))
        .to_owned();
    fetch_count(db, "tables.count_wrong_usage", &select).await
}

/// Counts the messages that were created at the same time as another of their conversation.
///
/// # Errors
/// The database fails.
pub async fn count_tied_messages(db: &Executor) -> Result<u64> {
    let other = Query::select()
        .expr(Expr::val(1))
        .from_as("ai_messages", "o")
        .and_where(Expr::col(("o", "conversation_id")).equals(("m", "conversation_id")))
        .and_where(Expr::col(("o", "created_at")).equals(("m", "created_at")))
        .and_where(Expr::col(("o", "message_id")).ne(Expr::col(("m", "message_id"))))
        .to_owned();
    let select = Query::select()
        .expr(Func::count(Expr::cust("*")))
        .from_as("ai_messages", "m")
        .and_where(Expr::exists(other))
        .to_owned();
    fetch_count(db, "tables.count_tied_messages", &select).await
}

async fn fetch_count(db: &Executor, operation: &'static str, select: &sea_query::SelectStatement) -> Result<u64> {
    let (count,): (i64,) = db.fetch_one(operation, select).await?;
    Ok(count.unsigned_abs())
}

/// Hands every row of a table to `each`, in the order of the primary key and one by one.
///
/// # Errors
/// The database fails.
pub async fn for_each(db: &Executor, table: &Table, mut each: impl FnMut(Vec<Cell>) + Send) -> Result<()> {
    let mut select = Query::select().columns(table.columns.iter().map(|column| column.name)).to_owned();
    select.from(table.name);
    for column in &table.columns[..table.key] {
        select.order_by(column.name, Order::Asc);
    }
    db.for_each("tables.for_each", &select, |Cells(cells)| each(cells)).await
}
