//! Push rules (`contract/push-rules-scheduler.md`).

use std::sync::Arc;

use serde_json::Value;

use crate::{
    Context, Error, Result,
    clients::{
        Http,
        push::{self, Message},
    },
    config::OutboundPolicy,
    dto::push_rules::{Channel, NewPushRule, PushRule, PushRuleUpdate},
    error::Code,
    ids::{PushRuleId, Uid},
    repositories,
};

/// What a test push says.
const TEST_TEXT: &str = "这是一条测试消息，如果你能看到这条消息，说明推送配置正确！";

/// Returns the rules of a user, oldest first.
///
/// # Errors
/// The database fails.
pub async fn list(ctx: &Context, uid: &Uid) -> Result<Vec<PushRule>> {
    Ok(repositories::push_rules::find_by_user(&ctx.db, uid).await?)
}

/// Returns a rule.
///
/// # Errors
/// Code 3 when the user has no such rule.
pub async fn get(ctx: &Context, uid: &Uid, id: &PushRuleId) -> Result<PushRule> {
    repositories::push_rules::find_by_id(&ctx.db, uid, id).await?.ok_or(Code::NotFound.into())
}

/// Creates a rule, enabled.
///
/// # Errors
/// Code 2 when a channel cannot be sent to.
pub async fn create(ctx: &Context, policy: &OutboundPolicy, uid: &Uid, new: NewPushRule) -> Result<PushRule> {
    check_channels(&new.channels, policy)?;
    let now = ctx.now();
    let rule = PushRule {
        id: PushRuleId::new(&*ctx.random),
        uid: uid.clone(),
        name: new.name,
        push_time: new.push_time,
        content_type: new.content_type,
        channels: new.channels.into_iter().map(Value::Object).collect(),
        enabled: true,
        created_at: now,
        updated_at: now,
    };
    repositories::push_rules::create(&ctx.db, &rule).await?;
    Ok(rule)
}

/// Changes a rule.
///
/// # Errors
/// Code 2 when a channel cannot be sent to, 3 when the user has no such rule.
pub async fn update(
    ctx: &Context,
    policy: &OutboundPolicy,
    uid: &Uid,
    id: &PushRuleId,
    update: PushRuleUpdate,
) -> Result<PushRule> {
    check_channels(update.channels.as_deref().unwrap_or_default(), policy)?;
    if !repositories::push_rules::update(&ctx.db, uid, id, &update, ctx.now()).await? {
        return Err(Code::NotFound.into());
    }
    get(ctx, uid, id).await
}

/// Deletes a rule.
///
/// # Errors
/// Code 3 when the user has no such rule.
pub async fn delete(ctx: &Context, uid: &Uid, id: &PushRuleId) -> Result<()> {
    let deleted = repositories::push_rules::delete(&ctx.db, uid, id).await?;
    if deleted { Ok(()) } else { Err(Code::NotFound.into()) }
}

/// Refuses channels that could never be sent to (`contract/push-rules-scheduler.md` P1 and P4).
fn check_channels(channels: &[Channel], policy: &OutboundPolicy) -> Result<()> {
    channels.iter().try_for_each(|channel| match push::address(channel, policy) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::params(error.to_string())),
    })
}

/// Sends a test push to every channel of a rule, in order, until one fails. Nothing is recorded.
///
/// # Errors
/// Code 2000 with a text that says what failed.
pub async fn send_test(
    ctx: &Context,
    http: &Arc<dyn Http>,
    policy: &OutboundPolicy,
    uid: &Uid,
    id: &PushRuleId,
) -> Result<()> {
    let rule = repositories::push_rules::find_by_id(&ctx.db, uid, id).await?;
    let rule = rule.ok_or(Error::failed("Push rule not found"))?;
    if rule.channels.is_empty() {
        return Err(Error::failed("No channels configured"));
    }
    let message = Message {
        title: "测试推送".to_owned(),
        text: TEST_TEXT.to_owned(),
        html: format!("<p style=\"font-size: 14px; line-height: 1.6;\">{TEST_TEXT}</p>"),
    };
    for channel in &rule.channels {
        let channel = channel.as_object().cloned().unwrap_or_default();
        let sent = match push::address(&channel, policy) {
            Ok(address) => push::send(&**http, &address, &message, push::REQUEST_LIMIT, ctx.now()).await,
            Err(error) => Err(error),
        };
        sent.map_err(|error| {
            tracing::warn!(push.rule = %rule.id, error = &*error.cause(), "push_rules.test_failed");
            Error::failed(error.to_string())
        })?;
    }
    Ok(())
}
