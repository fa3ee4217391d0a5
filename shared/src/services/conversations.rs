//! Conversations (`contract/conversations.md`).

use crate::{
    Context, Error, Result,
    dto::conversations::{
        Conversation, ConversationDetail, ConversationUpdate, Message, NewConversation, NewMessage,
    },
    ids::{ConversationId, MessageId, Uid},
    repositories::{self, ai_conversations::StoredMessage},
};

fn not_found() -> Error {
    Error::not_found("Conversation not found")
}

/// Returns the conversations of a user, the latest activity first.
///
/// # Errors
/// The database fails.
pub async fn list(ctx: &Context, uid: &Uid) -> Result<Vec<Conversation>> {
    Ok(repositories::ai_conversations::find_by_user(&ctx.db, uid).await?)
}

/// Returns a conversation with its messages, oldest first.
///
/// # Errors
/// Code 3 when the user has no such conversation.
pub async fn get(ctx: &Context, uid: &Uid, id: &ConversationId) -> Result<ConversationDetail> {
    let found = repositories::ai_conversations::find_with_messages(&ctx.db, uid, id).await?;
    let (conversation, messages) = found.ok_or_else(not_found)?;
    let messages = messages.into_iter().map(|message| present(message, id)).collect();
    Ok(ConversationDetail { conversation, messages })
}

/// Contract: sources that cannot be read are left out (contract/conversations.md C10).
fn present(message: StoredMessage, conversation: &ConversationId) -> Message {
    let sources = message.sources.unwrap_or_else(|error| {
        tracing::error!(error = %error, "ai_messages.corrupt");
        Vec::new()
    });
    Message {
        message_id: message.message_id,
        conversation_id: conversation.clone(),
        role: message.role,
        content: message.content,
        sources,
        created_at: message.created_at,
    }
}

/// Begins a conversation.
///
/// # Errors
/// The database fails.
pub async fn create(ctx: &Context, uid: &Uid, new: NewConversation) -> Result<Conversation> {
    let now = ctx.now();
    let conversation = Conversation {
        conversation_id: ConversationId::new(&*ctx.random),
        title: new.title,
        created_at: now,
        updated_at: now,
        message_count: 0,
    };
    repositories::ai_conversations::create(&ctx.db, uid, &conversation).await?;
    Ok(conversation)
}

/// Renames a conversation, which moves it to the top of the list.
///
/// # Errors
/// Code 3 when the user has no such conversation.
pub async fn update(
    ctx: &Context,
    uid: &Uid,
    id: &ConversationId,
    update: ConversationUpdate,
) -> Result<Conversation> {
    if !repositories::ai_conversations::update(&ctx.db, uid, id, &update.title, ctx.now()).await? {
        return Err(not_found());
    }
    repositories::ai_conversations::find_by_id(&ctx.db, uid, id).await?.ok_or_else(not_found)
}

/// Deletes a conversation and its messages.
///
/// # Errors
/// Code 3 when the user has no such conversation.
pub async fn delete(ctx: &Context, uid: &Uid, id: &ConversationId) -> Result<()> {
    ctx.db
        .transaction(|tx| async move {
            if !repositories::ai_conversations::lock(&tx, uid, id).await? {
                return Err(not_found());
            }
            repositories::ai_messages::delete_by_conversation(&tx, uid, id).await?;
            repositories::ai_conversations::delete(&tx, uid, id).await?;
            Ok(())
        })
        .await
}

/// Adds a message. Its time is later than that of every earlier message, so that the order of
/// messages is the order in which they were added.
///
/// # Errors
/// Code 3 when the user has no such conversation.
pub async fn add_message(ctx: &Context, uid: &Uid, id: &ConversationId, new: NewMessage) -> Result<Message> {
    let message = Message {
        message_id: MessageId::new(&*ctx.random),
        conversation_id: id.clone(),
        role: new.role,
        content: new.content,
        sources: new.sources,
        created_at: ctx.now(),
    };
    let draft = &message;
    let created_at = ctx.db.transaction(|tx| async move {
        if !repositories::ai_conversations::lock(&tx, uid, id).await? {
            return Err(not_found());
        }
        let last = repositories::ai_messages::find_last_time(&tx, id).await?;
        let created_at = last.map_or(draft.created_at, |last| draft.created_at.max(last + 1));
        let message = Message { created_at, ..draft.clone() };
        repositories::ai_messages::create(&tx, &[message]).await?;
        repositories::ai_conversations::update_time(&tx, uid, id, created_at).await?;
        Ok(created_at)
    });
    let created_at = created_at.await?;
    Ok(Message { created_at, ..message })
}
