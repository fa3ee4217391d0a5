//! The table `ai_conversations`.

use sea_query::{Expr, ExprTrait, Func, Order, Query, SelectStatement};
use sqlx::FromRow;

use super::decode;
use crate::{
    clock::Millis,
    db::{Executor, Result},
    dto::conversations::{Conversation, Source},
    ids::{ConversationId, MessageId, Uid},
};

/// A message as it is stored beside its conversation.
pub struct StoredMessage {
    /// The id.
    pub message_id: MessageId,
    /// `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
    /// The sources, or why they cannot be read.
    pub sources: Result<Vec<Source>>,
    /// When it was added.
    pub created_at: Millis,
}

#[derive(FromRow)]
struct JoinedRow {
    conversation_id: ConversationId,
    title: String,
    created_at: Millis,
    updated_at: Millis,
    message_id: Option<MessageId>,
    role: Option<String>,
    content: Option<String>,
    sources: Option<String>,
    message_created_at: Option<Millis>,
}

fn select_with_counts(uid: &Uid) -> SelectStatement {
    let count = Query::select()
        .expr(Func::count(Expr::col(("m", "message_id"))))
        .from_as("ai_messages", "m")
        .and_where(Expr::col(("m", "conversation_id")).equals(("c", "conversation_id")))
        .to_owned();
    Query::select()
        .columns([("c", "conversation_id"), ("c", "title"), ("c", "created_at"), ("c", "updated_at")])
        .expr_as(Expr::from(count), "message_count")
        .from_as("ai_conversations", "c")
        .and_where(Expr::col(("c", "uid")).eq(uid))
        .to_owned()
}

/// Stores a conversation.
///
/// # Errors
/// The database fails.
pub async fn create(db: &Executor, uid: &Uid, conversation: &Conversation) -> Result<()> {
    let insert = Query::insert()
        .into_table("ai_conversations")
        .columns(["conversation_id", "uid", "title", "created_at", "updated_at"])
        .values_panic([
            (&conversation.conversation_id).into(),
            uid.into(),
            conversation.title.as_str().into(),
            conversation.created_at.into(),
            conversation.updated_at.into(),
        ])
        .to_owned();
    db.execute("ai_conversations.create", &insert).await.map(|_| ())
}

/// Returns all conversations of a user with their message counts, the latest activity first.
///
/// # Errors
/// The database fails.
pub async fn find_by_user(db: &Executor, uid: &Uid) -> Result<Vec<Conversation>> {
    let select = select_with_counts(uid)
        .order_by(("c", "updated_at"), Order::Desc)
        .order_by(("c", "created_at"), Order::Desc)
        .order_by(("c", "conversation_id"), Order::Desc)
        .to_owned();
    db.fetch_all("ai_conversations.find_by_user", &select).await
}

/// Returns a conversation with its message count.
///
/// # Errors
/// The database fails.
pub async fn find_by_id(db: &Executor, uid: &Uid, id: &ConversationId) -> Result<Option<Conversation>> {
    let select = select_with_counts(uid).and_where(Expr::col(("c", "conversation_id")).eq(id)).to_owned();
    db.fetch_optional("ai_conversations.find_by_id", &select).await
}

/// Returns a conversation and its messages, oldest first, in one statement.
///
/// # Errors
/// The database fails.
pub async fn find_with_messages(
    db: &Executor,
    uid: &Uid,
    id: &ConversationId,
) -> Result<Option<(Conversation, Vec<StoredMessage>)>> {
    let select = Query::select()
        .columns([("c", "conversation_id"), ("c", "title"), ("c", "created_at"), ("c", "updated_at")])
        .columns([("m", "message_id"), ("m", "role"), ("m", "content"), ("m", "sources")])
        .expr_as(Expr::col(("m", "created_at")), "message_created_at")
        .from_as("ai_conversations", "c")
        .join_as(
            sea_query::JoinType::LeftJoin,
            "ai_messages",
            "m",
            Expr::col(("m", "conversation_id")).equals(("c", "conversation_id")),
        )
        .and_where(Expr::col(("c", "uid")).eq(uid))
        .and_where(Expr::col(("c", "conversation_id")).eq(id))
        .order_by(("m", "created_at"), Order::Asc)
        .order_by(("m", "message_id"), Order::Asc)
        .to_owned();
    let rows: Vec<JoinedRow> = db.fetch_all("ai_conversations.find_with_messages", &select).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut conversation = Conversation {
        conversation_id: first.conversation_id.clone(),
        title: first.title.clone(),
        created_at: first.created_at,
        updated_at: first.updated_at,
        message_count: 0,
    };
    let messages: Vec<StoredMessage> = rows.into_iter().filter_map(stored_message).collect();
    conversation.message_count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
    Ok(Some((conversation, messages)))
}

/// Returns the message of a joined row; a conversation without messages has one row without any.
fn stored_message(row: JoinedRow) -> Option<StoredMessage> {
    let message_id = row.message_id?;
    let sources = decode("ai_messages", "sources", message_id.as_str(), row.sources.as_deref());
    Some(StoredMessage {
        sources: sources.map(Option::unwrap_or_default),
        message_id,
        role: row.role?,
        content: row.content?,
        created_at: row.message_created_at?,
    })
}

/// Locks a conversation until the transaction ends, and returns whether the user has it.
///
/// # Errors
/// The database fails.
pub async fn lock(db: &Executor, uid: &Uid, id: &ConversationId) -> Result<bool> {
    let select = Query::select()
        .column("conversation_id")
        .from("ai_conversations")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("conversation_id").eq(id))
        .lock_exclusive()
        .to_owned();
    let row: Option<(ConversationId,)> = db.fetch_optional("ai_conversations.lock", &select).await?;
    Ok(row.is_some())
}

/// Renames a conversation, and returns whether the user has it.
///
/// # Errors
/// The database fails.
pub async fn update(db: &Executor, uid: &Uid, id: &ConversationId, title: &str, now: Millis) -> Result<bool> {
    let update = Query::update()
        .table("ai_conversations")
        .values([("title", title.into()), ("updated_at", later_of(now))])
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("conversation_id").eq(id))
        .to_owned();
    db.execute("ai_conversations.update", &update).await.map(|rows| rows > 0)
}

/// Moves the time of the last change forward, never back.
///
/// # Errors
/// The database fails.
pub async fn update_time(db: &Executor, uid: &Uid, id: &ConversationId, now: Millis) -> Result<()> {
    let update = Query::update()
        .table("ai_conversations")
        .value("updated_at", later_of(now))
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("conversation_id").eq(id))
        .to_owned();
    db.execute("ai_conversations.update_time", &update).await.map(|_| ())
}

fn later_of(now: Millis) -> Expr {
    Expr::case(Expr::col("updated_at").gt(now), Expr::col("updated_at")).finally(now).into()
}

/// Deletes a conversation, and returns whether the user had it. Its messages are deleted by
/// [`super::ai_messages::delete_by_conversation`].
///
/// # Errors
/// The database fails.
pub async fn delete(db: &Executor, uid: &Uid, id: &ConversationId) -> Result<bool> {
    let delete = Query::delete()
        .from_table("ai_conversations")
        .and_where(Expr::col("uid").eq(uid))
        .and_where(Expr::col("conversation_id").eq(id))
        .to_owned();
    db.execute("ai_conversations.delete", &delete).await.map(|rows| rows > 0)
}
