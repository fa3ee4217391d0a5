//! Push rules (`contract/push-rules-scheduler.md`).

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Fields, require_short};
use crate::{Error, Result, clock::Millis, ids::PushRuleId, ids::Uid};

/// A channel of a rule, kept word for word, unknown members and secrets included.
pub type Channel = Map<String, Value>;

/// A rule: every day at an hour, send a content to channels. Old installs took any number as the hour and any text as
/// the content: such a rule is shown as it is.
#[derive(Clone, PartialEq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PushRule {
    /// The id.
    pub id: PushRuleId,
    /// The owner.
    pub uid: Uid,
    /// The name, trimmed.
    pub name: String,
    /// The hour in the configured zone, 0 to 23.
    pub push_time: i32,
    /// `daily_pick` or `daily_memos`.
    pub content_type: String,
    /// Where it is sent. Contains secrets: never logged.
    pub channels: Vec<Value>,
    /// Whether the schedule sends it.
    pub enabled: bool,
    /// When it was created.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

/// The body that creates a rule.
#[derive(Clone, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct NewPushRule {
    /// The name, trimmed and not empty.
    pub name: String,
    /// The hour, 0 to 23.
    #[schemars(range(min = 0, max = 23))]
    pub push_time: i32,
    /// `daily_pick` or `daily_memos`.
    #[schemars(extend("enum" = ["daily_pick", "daily_memos"]))]
    pub content_type: String,
    /// At least one channel.
    pub channels: Vec<Channel>,
}

impl TryFrom<&Fields> for NewPushRule {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        Ok(Self {
            name: name(fields)?,
            push_time: push_time(fields)?,
            content_type: content_type(fields)?,
            channels: channels(fields)?,
        })
    }
}

/// The body that changes a rule; `None` keeps what is stored.
#[derive(Clone, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct PushRuleUpdate {
    /// The name, trimmed and not empty.
    pub name: Option<String>,
    /// The hour, 0 to 23.
    #[schemars(range(min = 0, max = 23))]
    pub push_time: Option<i32>,
    /// `daily_pick` or `daily_memos`.
    #[schemars(extend("enum" = ["daily_pick", "daily_memos", null]))]
    pub content_type: Option<String>,
    /// At least one channel.
    pub channels: Option<Vec<Channel>>,
    /// Whether the schedule sends it.
    pub enabled: Option<bool>,
}

impl TryFrom<&Fields> for PushRuleUpdate {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        fn given<T>(fields: &Fields, member: &str, read: impl Fn(&Fields) -> Result<T>) -> Result<Option<T>> {
            fields.value(member).map(|_| read(fields)).transpose()
        }
        Ok(Self {
            name: given(fields, "name", name)?,
            push_time: given(fields, "pushTime", push_time)?,
            content_type: given(fields, "contentType", content_type)?,
            channels: given(fields, "channels", channels)?,
            enabled: fields.boolean("enabled")?,
        })
    }
}

fn name(fields: &Fields) -> Result<String> {
    let name = fields.value("name").and_then(Value::as_str).map(str::trim).unwrap_or_default();
    if name.is_empty() {
        return Err(Error::params("Push rule name is required"));
    }
    require_short(name)?;
    Ok(name.to_owned())
}

fn push_time(fields: &Fields) -> Result<i32> {
    let hour = fields.integer("pushTime").ok().flatten().filter(|hour| (0..=23).contains(hour));
    let hour = hour.and_then(|hour| i32::try_from(hour).ok());
    hour.ok_or(Error::params("Push time must be between 0 and 23"))
}

fn content_type(fields: &Fields) -> Result<String> {
    let text = fields.value("contentType").and_then(Value::as_str);
    let known = text.filter(|text| matches!(*text, "daily_pick" | "daily_memos"));
    known.map(str::to_owned).ok_or(Error::params("Content type must be daily_pick or daily_memos"))
}

fn channels(fields: &Fields) -> Result<Vec<Channel>> {
    let list = fields.value("channels").and_then(Value::as_array).filter(|list| !list.is_empty());
    list.ok_or(Error::params("At least one channel is required"))?;
    let list = fields.list("channels")?.map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|channel| channel.as_object().cloned().ok_or_else(Error::bad_params)).collect()
}
