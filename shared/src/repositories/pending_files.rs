//! The table `pending_files`: objects that no row refers to, because it is not written yet or has just been
//! deleted (`docs/decisions/0006-pending-files.md`).

use sea_query::{Expr, ExprTrait, OnConflict, Order, Query, SelectStatement};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::FromRow;

use super::{decode, encode};
use crate::{
    clients::storage::Location,
    clock::Millis,
    db::{Error, Executor, Result},
    ids::{AttachmentId, Uid},
};

/// An object that may exist without being referred to.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingFile {
    /// The id of the attachment, or the base name of an avatar.
    pub file_id: AttachmentId,
    /// The owner.
    pub uid: Uid,
    /// The storage key without the prefix.
    pub path: String,
    /// Where it is.
    pub location: Location,
    /// What its row will hold, when the client sends the object by itself.
    pub attachment: Option<Reservation>,
    /// When it may be removed, unless something refers to it.
    pub collect_after: Millis,
}

/// What a client has announced of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// The name of the file.
    pub filename: String,
    /// The declared media type.
    pub media_type: String,
    /// The size in bytes.
    pub size: u64,
    /// What the client knows of the file.
    pub properties: Map<String, Value>,
    /// The time of an import.
    pub created_at: Option<Millis>,
}

#[derive(FromRow)]
struct PendingFileRow {
    file_id: AttachmentId,
    uid: Uid,
    path: String,
    location: String,
    attachment: Option<String>,
    collect_after: Millis,
}

impl TryFrom<PendingFileRow> for PendingFile {
    type Error = Error;

    fn try_from(row: PendingFileRow) -> Result<Self> {
        let id = row.file_id.as_str();
        let location = decode("pending_files", "location", id, Some(&row.location))?;
        let location =
            location.ok_or_else(|| Error::Internal(format!("pending_files.location of {id} is NULL")))?;
        let attachment = decode("pending_files", "attachment", id, row.attachment.as_deref())?;
        let PendingFileRow { file_id, uid, path, collect_after, .. } = row;
        Ok(Self { file_id, uid, path, location, attachment, collect_after })
    }
}

const COLUMNS: [&str; 6] = ["file_id", "uid", "path", "location", "attachment", "collect_after"];

fn select() -> SelectStatement {
    Query::select().columns(COLUMNS).from("pending_files").to_owned()
}

/// Notes an object, unless it is noted.
///
/// # Errors
/// The database fails.
pub async fn create(db: &Executor, file: &PendingFile) -> Result<()> {
    let attachment = file.attachment.as_ref().map(encode).transpose()?;
    let insert = Query::insert()
        .into_table("pending_files")
        .columns(COLUMNS)
        .values_panic([
            (&file.file_id).into(),
            (&file.uid).into(),
            file.path.as_str().into(),
            encode(&file.location)?.into(),
            attachment.into(),
            file.collect_after.into(),
        ])
        .on_conflict(OnConflict::column("file_id").do_nothing_on(["file_id"]).to_owned())
        .to_owned();
    db.execute("pending_files.create", &insert).await.map(|_| ())
}

/// Returns an object that is noted for a user.
///
/// # Errors
/// The database fails, or the row is corrupt.
pub async fn find_by_id(db: &Executor, uid: &Uid, id: &AttachmentId) -> Result<Option<PendingFile>> {
    let select = select().and_where(Expr::col("uid").eq(uid)).and_where(Expr::col("file_id").eq(id)).to_owned();
    let row: Option<PendingFileRow> = db.fetch_optional("pending_files.find_by_id", &select).await?;
    row.map(PendingFile::try_from).transpose()
}

/// Returns at most `limit` objects of all users that may be removed now, those first that have waited longest.
///
/// # Errors
/// As [`find_by_id`].
pub async fn find_due(db: &Executor, now: Millis, limit: u64) -> Result<Vec<PendingFile>> {
    let select = select()
        .and_where(Expr::col("collect_after").lte(now))
        .order_by("collect_after", Order::Asc)
        .order_by("file_id", Order::Asc)
        .limit(limit)
        .to_owned();
    let rows: Vec<PendingFileRow> = db.fetch_all("pending_files.find_due", &select).await?;
    rows.into_iter().map(PendingFile::try_from).collect()
}

/// Puts off the removal of an object.
///
/// # Errors
/// The database fails.
pub async fn update_time(db: &Executor, uid: &Uid, id: &AttachmentId, collect_after: Millis) -> Result<()> {
    let update = Query::update()
        .table("pending_files")
        .value("collect_after", collect_after)
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("file_id").eq(id))
        .to_owned();
    db.execute("pending_files.update_time", &update).await.map(|_| ())
}

/// Forgets an object that may be removed by `until`, and returns whether it was noted.
///
/// # Errors
/// The database fails.
pub async fn delete(db: &Executor, uid: &Uid, id: &AttachmentId, until: Millis) -> Result<bool> {
    let delete = Query::delete()
        .from_table("pending_files")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("file_id").eq(id))
        .and_where(Expr::col("collect_after").lte(until))
        .to_owned();
    db.execute("pending_files.delete", &delete).await.map(|rows| rows > 0)
}
