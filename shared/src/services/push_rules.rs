//! Push rules (`contract/push-rules-scheduler.md`).

use serde_json::Value;
use url::Url;

use crate::{
    Context, Error, Result,
    config::OutboundPolicy,
    dto::push_rules::{Channel, NewPushRule, PushRule, PushRuleUpdate},
    error::Code,
    ids::{PushRuleId, Uid},
    repositories,
};

/// The hosts that webhooks may always name.
const FEISHU_HOSTS: [&str; 2] = ["open.feishu.cn", "open.larksuite.com"];

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
    for channel in channels {
        let text = |name: &str| channel.get(name).and_then(Value::as_str).unwrap_or_default();
        match text("type") {
            "meow" => {
                let nickname = text("nickname").trim();
                if nickname.is_empty() || nickname.contains('/') {
                    return Err(Error::params("MeoW nickname is required"));
                }
            }
            "feishu" => match text("webhookUrl") {
                "" => return Err(Error::params("Feishu webhook URL is required")),
                url if !is_allowed(url, policy) => return Err(Error::params("Feishu webhook URL is not allowed")),
                _ => {}
            },
            other => return Err(Error::params(format!("Unsupported channel type: {other}"))),
        }
    }
    Ok(())
}

/// Reports whether a webhook may be called: https on the standard port of a listed host, or any URL
/// of a trusted `host:port`.
fn is_allowed(url: &str, policy: &OutboundPolicy) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let Some(host) = url.host_str() else { return false };
    let port = url.port_or_known_default().unwrap_or_default();
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    if has_credentials || !matches!(url.scheme(), "http" | "https") {
        return false;
    }
    if policy.trusted_hosts.iter().any(|trusted| *trusted == format!("{host}:{port}")) {
        return true;
    }
    let is_listed = FEISHU_HOSTS.contains(&host) || policy.allowed_hosts.iter().any(|allowed| allowed == host);
    url.scheme() == "https" && port == 443 && is_listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_name_listed_hosts_by_https_or_trusted_ones() {
        let policy = OutboundPolicy {
            allowed_hosts: vec!["hooks.example".to_owned()],
            trusted_hosts: vec!["127.0.0.1:18080".to_owned()],
        };
        for url in [
            "https://open.feishu.cn/open-apis/bot/v2/hook/x",
            "https://open.larksuite.com:443/x",
            "https://hooks.example/x",
            "http://127.0.0.1:18080/feishu/ok",
        ] {
            assert!(is_allowed(url, &policy), "{url}");
        }
        for url in [
            "http://open.feishu.cn/x",
            "https://open.feishu.cn:8443/x",
            "https://open.feishu.cn.evil.example/x",
            "https://open.feishu.cn@127.0.0.1/x",
            "https://user@open.feishu.cn/x",
            "http://127.0.0.1:18081/x",
            "https://169.254.169.254/latest",
            "file:///etc/passwd",
            "ftp://127.0.0.1:18080/x",
            "open.feishu.cn/x",
            "",
        ] {
            assert!(!is_allowed(url, &policy), "{url}");
        }
    }
}
