//! The table `attachments`: where files are stored, not the files.

use std::collections::HashMap;

use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use serde_json::{Map, Value};
use sqlx::FromRow;

use super::{MAX_IN_LIST, decode, encode, is_one_of};
use crate::{
    clients::storage::Location,
    clock::Millis,
    db::{Executor, Result},
    dto::PageRequest,
    ids::{AttachmentId, Uid},
};

/// A stored file as its row holds it. The place where it was written stays with it, so that it is
/// found after a change of settings.
#[derive(Debug, Clone, PartialEq)]
pub struct AttachmentRecord {
    /// The id.
    pub attachment_id: AttachmentId,
    /// The owner.
    pub uid: Uid,
    /// The name under which it was uploaded.
    pub filename: String,
    /// The media type that the uploader declared.
    pub media_type: String,
    /// The size in bytes.
    pub size: i64,
    /// `local`, `s3` or `oss`.
    pub storage_type: String,
    /// The storage key without the prefix.
    pub path: String,
    /// The bucket.
    pub bucket: Option<String>,
    /// The prefix of all keys.
    pub prefix: Option<String>,
    /// The endpoint of the store.
    pub endpoint: Option<String>,
    /// The region of the store.
    pub region: Option<String>,
    /// Whether the bucket is public; unknown in old rows.
    pub is_public_bucket: Option<bool>,
    /// What the client knows of the file.
    pub properties: Map<String, Value>,
    /// When it was uploaded, or the time of an import.
    pub created_at: Millis,
    /// When its properties were last changed.
    pub updated_at: Millis,
}

#[derive(FromRow)]
struct AttachmentRow {
    attachment_id: AttachmentId,
    uid: Uid,
    filename: String,
    #[sqlx(rename = "type")]
    media_type: String,
    size: i64,
    storage_type: String,
    path: String,
    bucket: Option<String>,
    prefix: Option<String>,
    endpoint: Option<String>,
    region: Option<String>,
    is_public_bucket: Option<String>,
    properties: Option<String>,
    created_at: Millis,
    updated_at: Millis,
}

impl TryFrom<AttachmentRow> for AttachmentRecord {
    type Error = crate::db::Error;

    fn try_from(row: AttachmentRow) -> Result<Self> {
        let properties =
            decode("attachments", "properties", row.attachment_id.as_str(), row.properties.as_deref())?;
        Ok(Self {
            attachment_id: row.attachment_id,
            uid: row.uid,
            filename: row.filename,
            media_type: row.media_type,
            size: row.size,
            storage_type: row.storage_type,
            path: row.path,
            bucket: row.bucket,
            prefix: row.prefix,
            endpoint: row.endpoint,
            region: row.region,
            is_public_bucket: row.is_public_bucket.map(|text| text == "true"),
            properties: properties.unwrap_or_default(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

const COLUMNS: [&str; 15] = [
    "attachment_id",
    "uid",
    "filename",
    "type",
    "size",
    "storage_type",
    "path",
    "bucket",
    "prefix",
    "endpoint",
    "region",
    "is_public_bucket",
    "properties",
    "created_at",
    "updated_at",
];

fn select(uid: &Uid) -> SelectStatement {
    Query::select().columns(COLUMNS).from("attachments").and_where(Expr::col("uid").eq(uid)).to_owned()
}

/// Stores the row of a file.
///
/// # Errors
/// The database fails.
pub async fn create(db: &Executor, file: &AttachmentRecord) -> Result<()> {
    let properties = if file.properties.is_empty() { None } else { Some(encode(&file.properties)?) };
    let insert = Query::insert()
        .into_table("attachments")
        .columns(COLUMNS)
        .values_panic([
            (&file.attachment_id).into(),
            (&file.uid).into(),
            file.filename.as_str().into(),
            file.media_type.as_str().into(),
            file.size.into(),
            file.storage_type.as_str().into(),
            file.path.as_str().into(),
            file.bucket.clone().into(),
            file.prefix.clone().into(),
            file.endpoint.clone().into(),
            file.region.clone().into(),
            file.is_public_bucket.map(|is_public| is_public.to_string()).into(),
            properties.into(),
            file.created_at.into(),
            file.updated_at.into(),
        ])
        .to_owned();
    db.execute("attachments.create", &insert).await.map(|_| ())
}

/// Returns the row of a file.
///
/// # Errors
/// The database fails, or the properties are corrupt.
pub async fn find_by_id(db: &Executor, uid: &Uid, id: &AttachmentId) -> Result<Option<AttachmentRecord>> {
    let select = select(uid).and_where(Expr::col("attachment_id").eq(id)).to_owned();
    let row: Option<AttachmentRow> = db.fetch_optional("attachments.find_by_id", &select).await?;
    row.map(AttachmentRecord::try_from).transpose()
}

/// As [`find_by_id`], and keeps others from changing the row until the transaction ends.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_by_id_for_update(
    db: &Executor,
    uid: &Uid,
    id: &AttachmentId,
) -> Result<Option<AttachmentRecord>> {
    let select = select(uid).and_where(Expr::col("attachment_id").eq(id)).lock_exclusive().to_owned();
    let row: Option<AttachmentRow> = db.fetch_optional("attachments.find_by_id_for_update", &select).await?;
    row.map(AttachmentRecord::try_from).transpose()
}

/// Returns how many files a user has.
///
/// # Errors
/// The database fails.
pub async fn count(db: &Executor, uid: &Uid) -> Result<u64> {
    let count = Query::select()
        .expr(Expr::col("attachment_id").count())
        .from("attachments")
        .and_where(Expr::col("uid").eq(uid))
        .to_owned();
    let (count,): (i64,) = db.fetch_one("attachments.count", &count).await?;
    Ok(count.try_into().unwrap_or_default())
}

/// Returns a page of the files of a user, the newest first.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_page(db: &Executor, uid: &Uid, page: PageRequest) -> Result<Vec<AttachmentRecord>> {
    let select = select(uid)
        .order_by("created_at", Order::Desc)
        .order_by("attachment_id", Order::Desc)
        .limit(page.limit)
        .offset(page.offset())
        .to_owned();
    let rows: Vec<AttachmentRow> = db.fetch_all("attachments.find_page", &select).await?;
    rows.into_iter().map(AttachmentRecord::try_from).collect()
}

/// Returns files of all users in the order of their ids, those behind `after` and at most `limit` of them.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_all_after(db: &Executor, after: &str, limit: u64) -> Result<Vec<AttachmentRecord>> {
    let select = Query::select()
        .columns(COLUMNS)
        .from("attachments")
        .and_where(Expr::col("attachment_id").gt(after))
        .order_by("attachment_id", Order::Asc)
        .limit(limit)
        .to_owned();
    let rows: Vec<AttachmentRow> = db.fetch_all("attachments.find_all_after", &select).await?;
    rows.into_iter().map(AttachmentRecord::try_from).collect()
}

/// Returns the rows of those of the given files that the user has, in the order asked.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_by_ids(db: &Executor, uid: &Uid, ids: &[AttachmentId]) -> Result<Vec<AttachmentRecord>> {
    let mut found: HashMap<AttachmentId, AttachmentRecord> = HashMap::new();
    for ids in ids.chunks(MAX_IN_LIST) {
        let select = select(uid).and_where(is_one_of("attachment_id", ids)).to_owned();
        let rows: Vec<AttachmentRow> = db.fetch_all("attachments.find_by_ids", &select).await?;
        for row in rows {
            found.insert(row.attachment_id.clone(), row.try_into()?);
        }
    }
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}

/// Replaces what the client knows of a file.
///
/// # Errors
/// The database fails.
pub async fn update_properties(
    db: &Executor,
    uid: &Uid,
    id: &AttachmentId,
    properties: &Map<String, Value>,
    now: Millis,
) -> Result<()> {
    let update = Query::update()
        .table("attachments")
        .values([("properties", encode(properties)?.into()), ("updated_at", now.into())])
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("attachment_id").eq(id))
        .to_owned();
    db.execute("attachments.update_properties", &update).await.map(|_| ())
}

/// Points the row of a file to another place, and returns whether the user has the file.
///
/// # Errors
/// The database fails.
pub async fn update_location(db: &Executor, uid: &Uid, id: &AttachmentId, location: &Location) -> Result<bool> {
    let Location { storage, bucket, prefix, endpoint, region, is_public } = location.clone();
    let update = Query::update()
        .table("attachments")
        .values([
            ("storage_type", storage.name().into()),
            ("bucket", bucket.into()),
            ("prefix", prefix.into()),
            ("endpoint", endpoint.into()),
            ("region", region.into()),
            ("is_public_bucket", is_public.map(|is_public| is_public.to_string()).into()),
        ])
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("attachment_id").eq(id))
        .to_owned();
    db.execute("attachments.update_location", &update).await.map(|rows| rows > 0)
}

/// Deletes the row of a file, and returns whether the user had it.
///
/// # Errors
/// The database fails.
pub async fn delete(db: &Executor, uid: &Uid, id: &AttachmentId) -> Result<bool> {
    let delete = Query::delete()
        .from_table("attachments")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("attachment_id").eq(id))
        .to_owned();
    db.execute("attachments.delete", &delete).await.map(|rows| rows > 0)
}
