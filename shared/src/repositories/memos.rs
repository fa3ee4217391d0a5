//! The table `memos`.

use std::collections::HashMap;

use sea_query::{
    Alias, CommonTableExpression, Condition, Expr, ExprTrait, Func, JoinType, Order, Query, SelectStatement,
    WindowStatement,
};
use sqlx::FromRow;

use super::{MAX_IN_LIST, decode, encode, is_one_of, name_key, patched};
use crate::{
    clock::Millis,
    db::{Executor, Result},
    dto::{
        PageRequest, Patch,
        memos::{CategoryFilter, MemoFilter, Sort, SortBy},
    },
    ids::{AttachmentId, CategoryId, MemoId, TagId, Uid},
};

/// A memo as its row holds it: without tags and relations, attachments by id.
#[derive(Debug, Clone)]
pub struct MemoRecord {
    /// The id.
    pub memo_id: MemoId,
    /// The owner.
    pub uid: Uid,
    /// The category.
    pub category_id: Option<CategoryId>,
    /// Markdown or plain text, verbatim.
    pub content: String,
    /// `text`, `audio` or `video`.
    pub memo_type: String,
    /// The URL it came from.
    pub source: Option<String>,
    /// Whether everybody may read it.
    pub is_public: bool,
    /// The attachments, in order.
    pub attachments: Vec<AttachmentId>,
    /// When it was written.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

#[derive(FromRow)]
struct MemoRow {
    memo_id: MemoId,
    uid: Uid,
    category_id: Option<CategoryId>,
    content: String,
    #[sqlx(rename = "type")]
    memo_type: String,
    source: Option<String>,
    is_public: i32,
    attachments: Option<String>,
    created_at: Millis,
    updated_at: Millis,
}

impl TryFrom<MemoRow> for MemoRecord {
    type Error = crate::db::Error;

    fn try_from(row: MemoRow) -> Result<Self> {
        let attachments = decode("memos", "attachments", row.memo_id.as_str(), row.attachments.as_deref())?;
        Ok(Self {
            memo_id: row.memo_id,
            uid: row.uid,
            category_id: row.category_id.filter(|id| !id.as_str().is_empty()),
            content: row.content,
            memo_type: row.memo_type,
            source: row.source,
            is_public: row.is_public != 0,
            attachments: attachments.unwrap_or_default(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

#[derive(FromRow)]
struct RelatedRow {
    source_memo_id: MemoId,
    #[sqlx(flatten)]
    memo: MemoRow,
}

const COLUMNS: [(&str, &str); 10] = [
    ("m", "memo_id"),
    ("m", "uid"),
    ("m", "category_id"),
    ("m", "content"),
    ("m", "type"),
    ("m", "source"),
    ("m", "is_public"),
    ("m", "attachments"),
    ("m", "created_at"),
    ("m", "updated_at"),
];

fn select(uid: &Uid) -> SelectStatement {
    Query::select().columns(COLUMNS).from_as("memos", "m").and_where(Expr::col(("m", "uid")).eq(uid)).to_owned()
}

async fn fetch(db: &Executor, operation: &'static str, select: &SelectStatement) -> Result<Vec<MemoRecord>> {
    let rows: Vec<MemoRow> = db.fetch_all(operation, select).await?;
    rows.into_iter().map(MemoRecord::try_from).collect()
}

async fn fetch_optional(
    db: &Executor,
    operation: &'static str,
    select: &SelectStatement,
) -> Result<Option<MemoRecord>> {
    let row: Option<MemoRow> = db.fetch_optional(operation, select).await?;
    row.map(MemoRecord::try_from).transpose()
}

/// Encodes the list of attachments; an empty one is NULL.
fn encode_attachments(ids: &[AttachmentId]) -> Result<Option<String>> {
    if ids.is_empty() { Ok(None) } else { encode(ids).map(Some) }
}

/// Stores a memo.
///
/// # Errors
/// The database fails.
pub async fn create(db: &Executor, memo: &MemoRecord) -> Result<()> {
    let insert = Query::insert()
        .into_table("memos")
        .columns(COLUMNS.map(|(_, column)| column))
        .values_panic([
            (&memo.memo_id).into(),
            (&memo.uid).into(),
            memo.category_id.clone().into(),
            memo.content.as_str().into(),
            memo.memo_type.as_str().into(),
            memo.source.clone().into(),
            i32::from(memo.is_public).into(),
            encode_attachments(&memo.attachments)?.into(),
            memo.created_at.into(),
            memo.updated_at.into(),
        ])
        .to_owned();
    db.execute("memos.create", &insert).await.map(|_| ())
}

/// Returns a memo.
///
/// # Errors
/// The database fails, or the list of attachments is corrupt.
pub async fn find_by_id(db: &Executor, uid: &Uid, id: &MemoId) -> Result<Option<MemoRecord>> {
    let select = select(uid).and_where(Expr::col(("m", "memo_id")).eq(id)).to_owned();
    fetch_optional(db, "memos.find_by_id", &select).await
}

/// As [`find_by_id`], and locks the memo until the transaction ends.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_by_id_for_update(db: &Executor, uid: &Uid, id: &MemoId) -> Result<Option<MemoRecord>> {
    let select = select(uid).and_where(Expr::col(("m", "memo_id")).eq(id)).lock_exclusive().to_owned();
    fetch_optional(db, "memos.find_by_id_for_update", &select).await
}

/// Returns a public memo, whoever owns it.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_public_by_id(db: &Executor, id: &MemoId) -> Result<Option<MemoRecord>> {
    let select = Query::select()
        .columns(COLUMNS)
        .from_as("memos", "m")
        .and_where(Expr::col(("m", "memo_id")).eq(id))
        .and_where(Expr::col(("m", "is_public")).eq(1))
        .to_owned();
    fetch_optional(db, "memos.find_public_by_id", &select).await
}

/// Returns those of the given memos that the user has, in the order asked.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_by_ids(db: &Executor, uid: &Uid, ids: &[MemoId]) -> Result<Vec<MemoRecord>> {
    let mut found = HashMap::new();
    for ids in ids.chunks(MAX_IN_LIST) {
        let select = select(uid).and_where(is_one_of(("m", "memo_id"), ids)).to_owned();
        let memos = fetch(db, "memos.find_by_ids", &select).await?;
        found.extend(memos.into_iter().map(|memo| (memo.memo_id.clone(), memo)));
    }
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}

/// Returns the memos of some users that each of them has among the given ones, in no order.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_by_ids_of_users(db: &Executor, wanted: &[(Uid, Vec<MemoId>)]) -> Result<Vec<MemoRecord>> {
    let mut owners: HashMap<&MemoId, Vec<&Uid>> = HashMap::new();
    for (uid, ids) in wanted {
        for id in ids {
            owners.entry(id).or_default().push(uid);
        }
    }
    let uids: Vec<&Uid> = wanted.iter().map(|(uid, _)| uid).collect();
    let ids: Vec<&MemoId> = owners.keys().copied().collect();
    let mut found = Vec::new();
    for ids in ids.chunks(MAX_IN_LIST) {
        let select = Query::select()
            .columns(COLUMNS)
            .from_as("memos", "m")
            .and_where(is_one_of(("m", "memo_id"), ids))
            .and_where(is_one_of(("m", "uid"), &uids))
            .to_owned();
        found.extend(fetch(db, "memos.find_by_ids_of_users", &select).await?);
    }
    found.retain(|memo: &MemoRecord| owners[&memo.memo_id].contains(&&memo.uid));
    Ok(found)
}

/// Returns how many memos each of some users has; those who have none are missing.
///
/// # Errors
/// The database fails.
pub async fn count_by_users(db: &Executor, uids: &[Uid]) -> Result<HashMap<Uid, u64>> {
    let select = Query::select()
        .column("uid")
        .expr(Func::count(Expr::col("memo_id")))
        .from("memos")
        .and_where(is_one_of("uid", uids))
        .add_group_by([Expr::col("uid")])
        .to_owned();
    let rows: Vec<(Uid, i64)> = db.fetch_all("memos.count_by_users", &select).await?;
    Ok(rows.into_iter().map(|(uid, count)| (uid, count.unsigned_abs())).collect())
}

/// Returns the ids of the memos at the given places of the memos of each user, of which the newest one is at
/// place 1, in the order of the places. The places are found in an index alone.
///
/// # Errors
/// The database fails.
pub async fn find_ids_at(db: &Executor, places: &[(Uid, Vec<u64>)]) -> Result<Vec<(Uid, MemoId)>> {
    let of_user = |(uid, places): &(Uid, Vec<u64>)| {
        let places = places.iter().map(|place| i64::try_from(*place).unwrap_or(i64::MAX));
        (places.len() > 0).then(|| Expr::col("uid").eq(uid).and(Expr::col("place").is_in(places)))
    };
    let Some(wanted) = places.iter().filter_map(of_user).reduce(ExprTrait::or) else { return Ok(Vec::new()) };
    let newest_first = WindowStatement::partition_by("uid")
        .order_by("created_at", Order::Desc)
        .order_by("memo_id", Order::Desc)
        .to_owned();
    let uids: Vec<&Uid> = places.iter().map(|(uid, _)| uid).collect();
    let numbered = Query::select()
        .columns(["uid", "memo_id"])
        .expr_window_as(Expr::cust("ROW_NUMBER()"), newest_first, "place")
        .from("memos")
        .and_where(is_one_of("uid", &uids))
        .to_owned();
    let select = Query::select()
        .columns(["uid", "memo_id"])
        .from_subquery(numbered, "numbered")
        .and_where(wanted)
        .order_by("uid", Order::Asc)
        .order_by("place", Order::Asc)
        .to_owned();
    db.fetch_all("memos.find_ids_at", &select).await
}

/// Returns the texts of those memos that are there, each with its id and owner. For what works on the memos of
/// several users at once.
///
/// # Errors
/// The database fails.
pub async fn find_contents(db: &Executor, memos: &[(Uid, MemoId)]) -> Result<Vec<(MemoId, Uid, String)>> {
    let (mut uids, ids): (Vec<Uid>, Vec<MemoId>) = memos.iter().cloned().unzip();
    uids.sort_unstable();
    uids.dedup();
    let select = Query::select()
        .columns(["memo_id", "uid", "content"])
        .from("memos")
        .and_where(is_one_of("memo_id", &ids))
        .and_where(is_one_of("uid", &uids))
        .to_owned();
    db.fetch_all("memos.find_contents", &select).await
}

/// Returns id, owner and time of the last change of at most `limit` memos of all users whose ids follow `after`, in
/// the order of the ids. All of them follow the empty id.
///
/// # Errors
/// The database fails.
pub async fn find_after(db: &Executor, after: &MemoId, limit: u64) -> Result<Vec<(MemoId, Uid, Millis)>> {
    let select = Query::select()
        .columns(["memo_id", "uid", "updated_at"])
        .from("memos")
        .and_where(Expr::col("memo_id").gt(after))
        .order_by("memo_id", Order::Asc)
        .limit(limit)
        .to_owned();
    db.fetch_all("memos.find_after", &select).await
}

/// Returns which of the given memos the user has, in the order asked.
///
/// # Errors
/// The database fails.
pub async fn exists(db: &Executor, uid: &Uid, ids: &[MemoId]) -> Result<Vec<MemoId>> {
    let mut found = Vec::new();
    for ids in ids.chunks(MAX_IN_LIST) {
        let select = Query::select()
            .column("memo_id")
            .from("memos")
            .and_where(Expr::col("uid").eq(uid))
            .and_where(is_one_of("memo_id", ids))
            .to_owned();
        let rows: Vec<(MemoId,)> = db.fetch_all("memos.exists", &select).await?;
        found.extend(rows.into_iter().map(|(id,)| id));
    }
    Ok(ids.iter().filter(|id| found.contains(id)).cloned().collect())
}

/// Returns the memos to which the given memos have relations, each with the memo that names it, in
/// the order of the relations.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_related(db: &Executor, uid: &Uid, sources: &[MemoId]) -> Result<Vec<(MemoId, MemoRecord)>> {
    let mut found = Vec::new();
    for sources in sources.chunks(MAX_IN_LIST) {
        let select = Query::select()
            .column(("r", "source_memo_id"))
            .columns(COLUMNS)
            .from_as("memo_relations", "r")
            .join_as(
                JoinType::InnerJoin,
                "memos",
                "m",
                Expr::col(("m", "memo_id"))
                    .equals(("r", "target_memo_id"))
                    .and(Expr::col(("m", "uid")).equals(("r", "uid"))),
            )
            .and_where(Expr::col(("r", "uid")).eq(uid))
            .and_where(is_one_of(("r", "source_memo_id"), sources))
            .order_by(("r", "created_at"), Order::Asc)
            .order_by(("r", "relation_id"), Order::Asc)
            .to_owned();
        let rows: Vec<RelatedRow> = db.fetch_all("memos.find_related", &select).await?;
        for row in rows {
            found.push((row.source_memo_id, row.memo.try_into()?));
        }
    }
    Ok(found)
}

/// Returns a page of the memos that have a relation to a memo, in the order of the relations.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_backlinks(
    db: &Executor,
    uid: &Uid,
    target: &MemoId,
    page: PageRequest,
) -> Result<Vec<MemoRecord>> {
    let select = backlinks(uid, target)
        .columns(COLUMNS)
        .order_by(("r", "created_at"), Order::Asc)
        .order_by(("r", "relation_id"), Order::Asc)
        .limit(page.limit)
        .offset(page.offset())
        .to_owned();
    fetch(db, "memos.find_backlinks", &select).await
}

/// Returns how many memos have a relation to a memo.
///
/// # Errors
/// The database fails.
pub async fn count_backlinks(db: &Executor, uid: &Uid, target: &MemoId) -> Result<u64> {
    let select = backlinks(uid, target).expr(Func::count(Expr::col(("m", "memo_id")))).to_owned();
    count_of(db, "memos.count_backlinks", &select).await
}

fn backlinks(uid: &Uid, target: &MemoId) -> SelectStatement {
    Query::select()
        .from_as("memo_relations", "r")
        .join_as(
            JoinType::InnerJoin,
            "memos",
            "m",
            Expr::col(("m", "memo_id"))
                .equals(("r", "source_memo_id"))
                .and(Expr::col(("m", "uid")).equals(("r", "uid"))),
        )
        .and_where(Expr::col(("r", "uid")).eq(uid))
        .and_where(Expr::col(("r", "target_memo_id")).eq(target))
        .to_owned()
}

async fn count_of(db: &Executor, operation: &'static str, select: &SelectStatement) -> Result<u64> {
    let (count,): (i64,) = db.fetch_one(operation, select).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Returns a page of the memos of a user.
///
/// The page is cut from an index alone; only its rows are then read from the table. A filter by tag
/// runs along the rarest of the tags.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_page(
    db: &Executor,
    uid: &Uid,
    filter: &MemoFilter,
    sort: Sort,
    page: PageRequest,
) -> Result<Vec<MemoRecord>> {
    let order = if sort.ascending { Order::Asc } else { Order::Desc };
    let matching = Matching::new(filter, sort.by);
    let mut ids = matching.select(db, uid, filter);
    let within_none = filter.category == CategoryFilter::Uncategorized && !matching.by_tag;
    if within_none && sort.by == SortBy::CreatedAt && db.dialect().sorts_by_null() {
        ids.order_by(("m", "category_id"), order.clone());
    }
    let ids = ids
        .expr_as(Expr::col(matching.column("memo_id")), "memo_id")
        .expr_as(Expr::col(matching.column("uid")), "uid")
        .order_by(matching.sort_column(sort.by), order.clone())
        .order_by(matching.column("memo_id"), order.clone())
        .limit(page.limit)
        .offset(page.offset())
        .to_owned();
    let column = match sort.by {
        SortBy::CreatedAt => "created_at",
        SortBy::UpdatedAt => "updated_at",
    };
    // The page is cut once, and its rows are reached from it by their keys. The owner comes from the page:
    // given as a value, it would invite a database to begin with all memos of the user.
    let page = CommonTableExpression::new().table_name("page").query(ids).materialized(true).to_owned();
    let select = Query::select()
        .with_cte(page)
        .columns(COLUMNS)
        .from("page")
        .join_as(JoinType::CrossJoin, "memos", "m", Condition::all())
        .and_where(Expr::col(("m", "memo_id")).equals(("page", "memo_id")))
        .and_where(Expr::col(("m", "uid")).equals(("page", "uid")))
        .order_by(("m", column), order.clone())
        .order_by(("m", "memo_id"), order)
        .to_owned();
    fetch(db, "memos.find_page", &select).await
}

/// Returns the ids of all memos of a user that match a filter, in no order.
///
/// # Errors
/// The database fails.
pub async fn find_ids(db: &Executor, uid: &Uid, filter: &MemoFilter) -> Result<Vec<MemoId>> {
    let matching = Matching::new(filter, SortBy::CreatedAt);
    let select = matching.select(db, uid, filter).column(matching.column("memo_id")).to_owned();
    let rows: Vec<(MemoId,)> = db.fetch_all("memos.find_ids", &select).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Returns how many memos of a user match a filter.
///
/// # Errors
/// The database fails.
pub async fn count(db: &Executor, uid: &Uid, filter: &MemoFilter) -> Result<u64> {
    let matching = Matching::new(filter, SortBy::CreatedAt);
    let select =
        matching.select(db, uid, filter).expr(Func::count(Expr::col(matching.column("memo_id")))).to_owned();
    count_of(db, "memos.count", &select).await
}

/// From which tables the memos that match a filter are found: `memos` (`m`), or `memo_tags` (`t`) of
/// one tag, or both when the tag alone does not tell enough.
struct Matching {
    by_tag: bool,
    reads_memos: bool,
}

impl Matching {
    fn new(filter: &MemoFilter, sort: SortBy) -> Self {
        let by_tag = !filter.tags.is_empty();
        let plain = filter.search.is_none()
            && filter.category == CategoryFilter::Any
            && !filter.public_only
            && sort == SortBy::CreatedAt;
        Self { by_tag, reads_memos: !(by_tag && plain) }
    }

    /// Returns a column that both tables have.
    fn column(&self, name: &'static str) -> (&'static str, &'static str) {
        (if self.by_tag { "t" } else { "m" }, name)
    }

    fn sort_column(&self, sort: SortBy) -> (&'static str, &'static str) {
        match sort {
            SortBy::CreatedAt => self.column("created_at"),
            SortBy::UpdatedAt => ("m", "updated_at"),
        }
    }

    fn select(&self, db: &Executor, uid: &Uid, filter: &MemoFilter) -> SelectStatement {
        let mut select = Query::select();
        if self.by_tag {
            select.from_as("memo_tags", "t").and_where(Expr::col(("t", "uid")).eq(uid));
            carry_all(&mut select, uid, &filter.tags, if self.reads_memos { "m" } else { "t" });
            if self.reads_memos {
                // The owner of both is that of the tag. Said twice, it would invite PostgreSQL to begin
                // with all memos of the user.
                let same = Expr::col(("m", "memo_id")).equals(("t", "memo_id"));
                select.join_as(JoinType::InnerJoin, "memos", "m", same);
            }
        } else {
            select.from_as("memos", "m");
        }
        if !self.by_tag {
            select.and_where(Expr::col(("m", "uid")).eq(uid));
        }
        match &filter.category {
            CategoryFilter::Any => {}
            CategoryFilter::Uncategorized => {
                select.and_where(Expr::col(("m", "category_id")).is_null());
            }
            CategoryFilter::Of(id) => {
                select.and_where(Expr::col(("m", "category_id")).eq(id));
            }
        }
        if filter.public_only {
            select.and_where(Expr::col(("m", "is_public")).eq(1));
        }
        if let Some(text) = &filter.search {
            select.and_where(db.dialect().contains(Expr::col(("m", "content")), text));
        }
        if let Some(from) = filter.created_from {
            select.and_where(Expr::col(self.column("created_at")).gte(from));
        }
        if let Some(to) = filter.created_to {
            select.and_where(Expr::col(self.column("created_at")).lte(to));
        }
        select
    }
}

/// Restricts `memo_tags` (`t`) to the rarest of the named tags, and the memos of the table `memo` to
/// those that carry the others too. Names are resolved in the statement itself; an unknown one matches nothing.
fn carry_all(select: &mut SelectStatement, uid: &Uid, names: &[String], memo: &'static str) {
    let mut keys: Vec<String> = names.iter().map(|name| name_key(name)).collect();
    keys.sort_unstable();
    keys.dedup();
    let candidates = Query::select()
        .column(("g", "tag_id"))
        .from_as("tags", "g")
        .and_where(Expr::col(("g", "uid")).eq(uid))
        .and_where(Expr::col(("g", "name_key")).is_in(keys.clone()))
        .to_owned();
    let rarest = candidates
        .clone()
        .order_by(("g", "usage_count"), Order::Asc)
        .order_by(("g", "tag_id"), Order::Asc)
        .limit(1)
        .to_owned();
    select.and_where(Expr::col(("t", "tag_id")).eq(Expr::from(rarest)));
    if keys.len() > 1 {
        let carried = Query::select()
            .expr(Func::count(Expr::col(("o", "tag_id"))))
            .from_as("memo_tags", "o")
            .and_where(Expr::col(("o", "memo_id")).equals((memo, "memo_id")))
            .and_where(Expr::col(("o", "tag_id")).in_subquery(candidates))
            .to_owned();
        let wanted = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        select.and_where(Expr::from(carried).eq(wanted));
    }
}

/// Returns the public memo of a user at a position of a fixed order, counted from 0.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_public_at(db: &Executor, uid: &Uid, position: u64) -> Result<Option<MemoRecord>> {
    let filter = MemoFilter { public_only: true, ..MemoFilter::default() };
    let page = PageRequest { page: position + 1, limit: 1 };
    Ok(find_page(db, uid, &filter, Sort::default(), page).await?.into_iter().next())
}

/// What [`update`] changes.
pub struct Changes<'a> {
    /// The text; `None` keeps it.
    pub content: Option<&'a str>,
    /// `text`, `audio` or `video`.
    pub memo_type: Option<&'a str>,
    /// The category.
    pub category_id: &'a Patch<CategoryId>,
    /// Replaces the list.
    pub attachments: Option<&'a [AttachmentId]>,
    /// Whether everybody may read it.
    pub is_public: Option<bool>,
    /// The URL it came from.
    pub source: &'a Patch<String>,
}

/// Changes a memo.
///
/// # Errors
/// The database fails.
pub async fn update(db: &Executor, uid: &Uid, id: &MemoId, changes: &Changes<'_>, now: Millis) -> Result<()> {
    let mut update = Query::update()
        .table("memos")
        .value("updated_at", now)
        .values(changes.content.map(|content| ("content", content.into())))
        .values(changes.memo_type.map(|memo_type| ("type", memo_type.into())))
        .values(patched(changes.category_id).map(|category| ("category_id", category)))
        .values(changes.is_public.map(|is_public| ("is_public", i32::from(is_public).into())))
        .values(patched(changes.source).map(|source| ("source", source)))
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("memo_id").eq(id))
        .to_owned();
    if let Some(attachments) = changes.attachments {
        update.value("attachments", encode_attachments(attachments)?);
    }
    db.execute("memos.update", &update).await.map(|_| ())
}

/// Sets the time of the last change of a memo.
///
/// # Errors
/// The database fails.
pub async fn update_time(db: &Executor, uid: &Uid, id: &MemoId, now: Millis) -> Result<()> {
    let update = Query::update()
        .table("memos")
        .value("updated_at", now)
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("memo_id").eq(id))
        .to_owned();
    db.execute("memos.update_time", &update).await.map(|_| ())
}

/// Sets the time of the last change of all memos that carry a tag.
///
/// # Errors
/// The database fails.
pub async fn update_time_by_tag(db: &Executor, uid: &Uid, tag: &TagId, now: Millis) -> Result<()> {
    let carriers = Query::select()
        .column("memo_id")
        .from("memo_tags")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("tag_id").eq(tag))
        .to_owned();
    let carriers: Vec<(MemoId,)> = db.fetch_all("memos.update_time_by_tag", &carriers).await?;
    let carriers: Vec<MemoId> = carriers.into_iter().map(|(id,)| id).collect();
    for ids in carriers.chunks(MAX_IN_LIST) {
        let update = Query::update()
            .table("memos")
            .value("updated_at", now)
            .and_where(Expr::col("uid").eq(uid))
            .and_where(is_one_of("memo_id", ids))
            .to_owned();
        db.execute("memos.update_time_by_tag", &update).await?;
    }
    Ok(())
}

/// Makes all memos of a category uncategorised, without touching the time of their last change.
///
/// # Errors
/// The database fails.
pub async fn clear_category(db: &Executor, uid: &Uid, category: &CategoryId) -> Result<()> {
    let update = Query::update()
        .table("memos")
        .value("category_id", Option::<String>::None)
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("category_id").eq(category))
        .to_owned();
    db.execute("memos.clear_category", &update).await.map(|_| ())
}

/// Deletes a memo, and returns whether the user had it.
///
/// # Errors
/// The database fails.
pub async fn delete(db: &Executor, uid: &Uid, id: &MemoId) -> Result<bool> {
    let delete = Query::delete()
        .from_table("memos")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("memo_id").eq(id))
        .to_owned();
    db.execute("memos.delete", &delete).await.map(|rows| rows > 0)
}

/// Returns how many memos were written on each UTC day of a time range, both ends inclusive. A day is
/// counted from the Unix epoch; days without memos are missing.
///
/// # Errors
/// The database fails.
pub async fn count_by_day(db: &Executor, uid: &Uid, from: Millis, to: Millis) -> Result<Vec<(i64, i64)>> {
    const MILLIS_PER_DAY: i64 = 86_400_000;
    let select = Query::select()
        .expr_as(db.dialect().quotient("created_at", MILLIS_PER_DAY), "day")
        .expr(Func::count(Expr::col("memo_id")))
        .from("memos")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("created_at").gte(from))
        .and_where(Expr::col("created_at").lte(to))
        .add_group_by([Expr::col(Alias::new("day"))])
        .order_by(Alias::new("day"), Order::Asc)
        .to_owned();
    db.fetch_all("memos.count_by_day", &select).await
}

/// Returns the times of the first and the last memo of a user.
///
/// # Errors
/// The database fails.
pub async fn find_time_range(db: &Executor, uid: &Uid) -> Result<Option<(Millis, Millis)>> {
    let of_user = |time: Expr| {
        Expr::from(Query::select().expr(time).from("memos").and_where(Expr::col("uid").eq(uid)).to_owned())
    };
    let select = Query::select()
        .expr(of_user(Expr::col("created_at").min()))
        .expr(of_user(Expr::col("created_at").max()))
        .to_owned();
    let (first, last): (Option<Millis>, Option<Millis>) = db.fetch_one("memos.find_time_range", &select).await?;
    Ok(first.zip(last))
}

/// A memo with its text and time alone.
#[derive(Debug, Clone, FromRow)]
pub struct MemoText {
    /// The id.
    pub memo_id: MemoId,
    /// The full text.
    pub content: String,
    /// When it was written.
    pub created_at: Millis,
}

/// Returns the newest memos that were written in one of the given time ranges (start inclusive, end
/// exclusive), newest first.
///
/// # Errors
/// The database fails.
pub async fn find_in_ranges(
    db: &Executor,
    uid: &Uid,
    ranges: &[(Millis, Millis)],
    limit: u64,
) -> Result<Vec<MemoText>> {
    let written = || Expr::col("created_at");
    let Some(within) =
        ranges.iter().map(|(start, end)| written().gte(*start).and(written().lt(*end))).reduce(ExprTrait::or)
    else {
        return Ok(Vec::new());
    };
    let select = Query::select()
        .columns(["memo_id", "content", "created_at"])
        .from("memos")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(within)
        .order_by("created_at", Order::Desc)
        .order_by("memo_id", Order::Asc)
        .limit(limit)
        .to_owned();
    db.fetch_all("memos.find_in_ranges", &select).await
}

/// A memo of a user with its text and time alone.
#[derive(Debug, Clone, FromRow)]
pub struct WrittenMemo {
    /// The owner.
    pub uid: Uid,
    /// The full text.
    pub content: String,
    /// When it was written.
    pub created_at: Millis,
}

/// Hands over the memos that some users wrote from one time to another (exclusive), those of a user together,
/// oldest first.
///
/// # Errors
/// The database fails.
pub async fn find_written_by_users(
    db: &Executor,
    uids: &[Uid],
    from: Millis,
    to: Millis,
    each: impl FnMut(WrittenMemo) + Send,
) -> Result<()> {
    let select = Query::select()
        .columns(["uid", "content", "created_at"])
        .from("memos")
        .and_where(is_one_of("uid", uids))
        .and_where(Expr::col("created_at").gte(from))
        .and_where(Expr::col("created_at").lt(to))
        .order_by("uid", Order::Asc)
        .order_by("created_at", Order::Asc)
        .order_by("memo_id", Order::Asc)
        .to_owned();
    db.for_each("memos.find_written_by_users", &select, each).await
}
