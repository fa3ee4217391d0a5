//! Conversations with the model, and their messages (`contract/conversations.md`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Fields;
use crate::{
    Error, Result,
    clock::Millis,
    ids::{ConversationId, MessageId},
};

/// The title of a conversation that was given none.
const DEFAULT_TITLE: &str = "新对话";

/// A conversation, without its messages.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// The id.
    pub conversation_id: ConversationId,
    /// The title, as given.
    pub title: String,
    /// When it began.
    pub created_at: Millis,
    /// When it was last renamed, or the time of its last message.
    pub updated_at: Millis,
    /// The number of messages.
    pub message_count: i64,
}

/// A conversation with its messages.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct ConversationDetail {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: Conversation,
    /// The messages, oldest first.
    pub messages: Vec<Message>,
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The id.
    pub message_id: MessageId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// `user` or `assistant`.
    #[schemars(extend("enum" = ["user", "assistant"]))]
    pub role: String,
    /// The text, as given.
    pub content: String,
    /// The memos that an answer rests on; absent when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// When it was added. Strictly increasing inside a conversation.
    pub created_at: Millis,
}

/// A memo that an answer rests on. Numbers keep the notation and precision in which they were sent.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The memo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo_id: Option<String>,
    /// Its text, or a part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// How near it is to the question, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<serde_json::Number>,
    /// The same, under the name that search uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relevance_score: Option<serde_json::Number>,
    /// When the memo was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<serde_json::Number>,
}

impl Source {
    /// Reads the numbers of a form, in which every value is text.
    fn with_numbers(mut value: Value) -> Value {
        for name in ["similarity", "relevanceScore", "createdAt"] {
            let Some(member) = value.get_mut(name) else { continue };
            if let Some(number) = member.as_str().and_then(|text| text.parse::<serde_json::Number>().ok()) {
                *member = number.into();
            }
        }
        value
    }
}

/// The body that begins a conversation.
#[derive(Debug, Clone, JsonSchema)]
pub struct NewConversation {
    /// The title, as given.
    #[schemars(with = "Option<String>")]
    pub title: String,
}

impl TryFrom<&Fields> for NewConversation {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let title = fields.short_text("title")?.filter(|title| !title.is_empty());
        Ok(Self { title: title.unwrap_or_else(|| DEFAULT_TITLE.to_owned()) })
    }
}

/// The body that renames a conversation.
#[derive(Debug, Clone, JsonSchema)]
pub struct ConversationUpdate {
    /// The title, as given, not blank.
    pub title: String,
}

impl TryFrom<&Fields> for ConversationUpdate {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let title = fields.short_text("title")?.filter(|title| !title.trim().is_empty());
        Ok(Self { title: title.ok_or(Error::params("Title is required"))? })
    }
}

/// The body that adds a message.
#[derive(Debug, Clone, JsonSchema)]
pub struct NewMessage {
    /// `user` or `assistant`.
    #[schemars(extend("enum" = ["user", "assistant"]))]
    pub role: String,
    /// The text, not blank.
    pub content: String,
    /// The memos that an answer rests on.
    #[schemars(with = "Option<Vec<Source>>")]
    pub sources: Vec<Source>,
}

impl TryFrom<&Fields> for NewMessage {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let role =
            fields.value("role").and_then(Value::as_str).filter(|role| matches!(*role, "user" | "assistant"));
        let role = role.ok_or(Error::params("Valid role is required (user or assistant)"))?.to_owned();
        let content = fields.text("content")?.filter(|content| !content.trim().is_empty());
        let content = content.ok_or(Error::params("Content is required"))?;
        let sources = fields.list("sources")?.map(Vec::as_slice).unwrap_or_default();
        // Serde would also read a list as an object.
        let source = |value: &Value| {
            let value = if fields.is_form() { &Source::with_numbers(value.clone()) } else { value };
            value.is_object().then(|| Source::deserialize(value).ok()).flatten()
        };
        let sources = sources.iter().map(|value| source(value).ok_or_else(Error::bad_params));
        Ok(Self { role, content, sources: sources.collect::<Result<_>>()? })
    }
}
