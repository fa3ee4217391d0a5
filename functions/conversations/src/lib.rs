//! `conversations`: the history of conversations with the model (`contract/conversations.md`).

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use shared::{
    Error, Result,
    dto::conversations::{
        Conversation, ConversationDetail, ConversationUpdate, Message, NewConversation, NewMessage,
    },
    http::{Access, App, Body, CurrentUser, PathId, Reply, RouteTable},
    ids::ConversationId,
    services::conversations,
};

/// The route table.
#[must_use]
pub fn routes<R: RouteTable>() -> R {
    R::default()
        .get("/api/v1/explore/conversations", Access::User, list, "List the conversations with the model")
        .post("/api/v1/explore/conversations", Access::User, create, "Begin a conversation")
        .get("/api/v1/explore/conversations/{conversationId}", Access::User, get, "Get a conversation in full")
        .put("/api/v1/explore/conversations/{conversationId}", Access::User, update, "Rename a conversation")
        .delete("/api/v1/explore/conversations/{conversationId}", Access::User, delete, "Delete a conversation")
        .post(
            "/api/v1/explore/conversations/{conversationId}/messages",
            Access::User,
            add_message,
            "Add a message to a conversation",
        )
}

/// Gives the failures of a route the text that the contract prescribes.
fn or_failed(message: &'static str) -> impl FnOnce(Error) -> Error {
    move |error| error.or_failed(message)
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct ConversationList {
    items: Vec<Conversation>,
    total: usize,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct OneConversation {
    message: &'static str,
    conversation: Conversation,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct MessageAdded {
    message: &'static str,
    data: Message,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct Deleted {
    message: &'static str,
}

async fn list(State(app): State<App>, CurrentUser(user): CurrentUser) -> Result<Reply<ConversationList>> {
    let items = conversations::list(&app.context, &user.uid).await;
    let items = items.map_err(or_failed("Failed to get conversations"))?;
    Ok(Reply(ConversationList { total: items.len(), items }))
}

async fn get(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<ConversationId>,
) -> Result<Reply<ConversationDetail>> {
    let detail = conversations::get(&app.context, &user.uid, &id).await;
    detail.map(Reply).map_err(or_failed("Failed to get conversation"))
}

async fn create(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Body<NewConversation>,
) -> Result<Reply<OneConversation>> {
    let conversation = conversations::create(&app.context, &user.uid, body.read()?).await;
    let conversation = conversation.map_err(or_failed("Failed to create conversation"))?;
    Ok(Reply(OneConversation { message: "Conversation created successfully", conversation }))
}

async fn update(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<ConversationId>,
    body: Body<ConversationUpdate>,
) -> Result<Reply<OneConversation>> {
    let conversation = conversations::update(&app.context, &user.uid, &id, body.read()?).await;
    let conversation = conversation.map_err(or_failed("Failed to update conversation"))?;
    Ok(Reply(OneConversation { message: "Conversation updated successfully", conversation }))
}

async fn delete(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<ConversationId>,
) -> Result<Reply<Deleted>> {
    let deleted = conversations::delete(&app.context, &user.uid, &id).await;
    deleted.map_err(or_failed("Failed to delete conversation"))?;
    Ok(Reply(Deleted { message: "Conversation deleted successfully" }))
}

async fn add_message(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<ConversationId>,
    body: Body<NewMessage>,
) -> Result<Reply<MessageAdded>> {
    let added = conversations::add_message(&app.context, &user.uid, &id, body.read()?).await;
    let data = added.map_err(or_failed("Failed to add message"))?;
    Ok(Reply(MessageAdded { message: "Message added successfully", data }))
}
