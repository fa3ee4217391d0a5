//! The table `ai_messages`. It has no owner of its own: every statement reaches the messages through
//! a conversation of the user.

use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use sqlx::FromRow;

use super::{decode, encode, insert_many};
use crate::{
    clock::Millis,
    db::{Executor, Result},
    dto::conversations::Message,
    ids::{ConversationId, MessageId, Uid},
};

#[derive(FromRow)]
struct MessageRow {
    message_id: MessageId,
    conversation_id: ConversationId,
    role: String,
    content: String,
    sources: Option<String>,
    created_at: Millis,
}

impl TryFrom<MessageRow> for Message {
    type Error = crate::db::Error;

    fn try_from(row: MessageRow) -> Result<Self> {
        let sources = decode("ai_messages", "sources", row.message_id.as_str(), row.sources.as_deref())?;
        Ok(Self {
            message_id: row.message_id,
            conversation_id: row.conversation_id,
            role: row.role,
            content: row.content,
            sources: sources.unwrap_or_default(),
            created_at: row.created_at,
        })
    }
}

/// The condition that the conversation of a message belongs to a user.
fn is_owned(uid: &Uid) -> Expr {
    let owned = Query::select()
        .column(("c", "conversation_id"))
        .from_as("ai_conversations", "c")
        .and_where(Expr::col(("c", "conversation_id")).equals(("ai_messages", "conversation_id")))
        .and_where(Expr::col(("c", "uid")).eq(uid))
        .to_owned();
    Expr::exists(owned)
}

fn select(uid: &Uid) -> SelectStatement {
    Query::select()
        .columns(["message_id", "conversation_id", "role", "content", "sources", "created_at"])
        .from("ai_messages")
        .and_where(is_owned(uid))
        .to_owned()
}

/// Stores messages of conversations that the caller has found to be the user's. None is stored when
/// one is refused.
///
/// # Errors
/// The database fails.
pub async fn create(db: &Executor, messages: &[Message]) -> Result<()> {
    let columns = ["message_id", "conversation_id", "role", "content", "sources", "created_at"];
    let rows = messages.iter().map(|message| {
        Ok([
            (&message.message_id).into(),
            (&message.conversation_id).into(),
            message.role.as_str().into(),
            message.content.as_str().into(),
            encode(&message.sources)?.into(),
            message.created_at.into(),
        ])
    });
    let rows = rows.collect::<Result<_>>()?;
    insert_many(db, "ai_messages.create", "ai_messages", columns, rows).await
}

/// Returns a message.
///
/// # Errors
/// The database fails, or the stored sources are corrupt.
pub async fn find_by_id(db: &Executor, uid: &Uid, id: &MessageId) -> Result<Option<Message>> {
    let select = select(uid).and_where(Expr::col("message_id").eq(id)).to_owned();
    let row: Option<MessageRow> = db.fetch_optional("ai_messages.find_by_id", &select).await?;
    row.map(Message::try_from).transpose()
}

/// Returns the messages of a conversation, oldest first.
///
/// # Errors
/// The database fails, or the sources of a message are corrupt.
pub async fn find_by_conversation(
    db: &Executor,
    uid: &Uid,
    conversation: &ConversationId,
) -> Result<Vec<Message>> {
    let select = select(uid)
        .and_where(Expr::col("conversation_id").eq(conversation))
        .order_by("created_at", Order::Asc)
        .order_by("message_id", Order::Asc)
        .to_owned();
    let rows: Vec<MessageRow> = db.fetch_all("ai_messages.find_by_conversation", &select).await?;
    rows.into_iter().map(Message::try_from).collect()
}

/// Returns the time of the last message of a conversation.
///
/// # Errors
/// The database fails.
pub async fn find_last_time(db: &Executor, conversation: &ConversationId) -> Result<Option<Millis>> {
    let select = Query::select()
        .expr(Expr::col("created_at").max())
        .from("ai_messages")
        .and_where(Expr::col("conversation_id").eq(conversation))
        .to_owned();
    let (last,): (Option<Millis>,) = db.fetch_one("ai_messages.find_last_time", &select).await?;
    Ok(last)
}

/// Deletes a message, and returns whether the user had it.
///
/// # Errors
/// The database fails.
pub async fn delete(db: &Executor, uid: &Uid, id: &MessageId) -> Result<bool> {
    let delete = Query::delete()
        .from_table("ai_messages")
        .and_where(is_owned(uid))
        .and_where(Expr::col("message_id").eq(id))
        .to_owned();
    db.execute("ai_messages.delete", &delete).await.map(|rows| rows > 0)
}

/// Deletes all messages of a conversation.
///
/// # Errors
/// The database fails.
pub async fn delete_by_conversation(db: &Executor, uid: &Uid, conversation: &ConversationId) -> Result<()> {
    let delete = Query::delete()
        .from_table("ai_messages")
        .and_where(is_owned(uid))
        .and_where(Expr::col("conversation_id").eq(conversation))
        .to_owned();
    db.execute("ai_messages.delete_by_conversation", &delete).await.map(|_| ())
}
