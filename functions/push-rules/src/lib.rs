//! `push-rules`: rules of scheduled pushes (`contract/push-rules-scheduler.md`).

use axum::extract::State;
use serde::Serialize;
use shared::{
    Result,
    dto::{
        Fields,
        push_rules::{NewPushRule, PushRule, PushRuleUpdate},
    },
    http::{Access, App, CurrentUser, PathId, Reply, Routes},
    ids::PushRuleId,
    services::push_rules,
};

/// The route table.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/push-rules", Access::User, list)
        .post("/api/v1/push-rules", Access::User, create)
        .get("/api/v1/push-rules/{id}", Access::User, get)
        .put("/api/v1/push-rules/{id}", Access::User, update)
        .delete("/api/v1/push-rules/{id}", Access::User, delete)
        .post("/api/v1/push-rules/{id}/test", Access::User, send_test)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PushRuleList {
    message: &'static str,
    push_rules: Vec<PushRule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OnePushRule {
    message: &'static str,
    push_rule: PushRule,
}

#[derive(Serialize)]
struct Done {
    message: &'static str,
}

async fn list(State(app): State<App>, CurrentUser(user): CurrentUser) -> Result<Reply<PushRuleList>> {
    let push_rules = push_rules::list(&app.context, &user.uid).await?;
    Ok(Reply(PushRuleList { message: "Push rules fetched successfully", push_rules }))
}

async fn get(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<PushRuleId>,
) -> Result<Reply<OnePushRule>> {
    let push_rule = push_rules::get(&app.context, &user.uid, &id).await?;
    Ok(Reply(OnePushRule { message: "Push rule fetched successfully", push_rule }))
}

async fn create(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Fields,
) -> Result<Reply<OnePushRule>> {
    let new = NewPushRule::try_from(&body)?;
    let push_rule = push_rules::create(&app.context, &app.config.outbound, &user.uid, new).await?;
    Ok(Reply(OnePushRule { message: "Push rule created successfully", push_rule }))
}

async fn update(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<PushRuleId>,
    body: Fields,
) -> Result<Reply<OnePushRule>> {
    let update = PushRuleUpdate::try_from(&body)?;
    let push_rule = push_rules::update(&app.context, &app.config.outbound, &user.uid, &id, update).await?;
    Ok(Reply(OnePushRule { message: "Push rule updated successfully", push_rule }))
}

async fn delete(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<PushRuleId>,
) -> Result<Reply<Done>> {
    push_rules::delete(&app.context, &user.uid, &id).await?;
    Ok(Reply(Done { message: "Push rule deleted successfully" }))
}

async fn send_test(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<PushRuleId>,
) -> Result<Reply<Done>> {
    push_rules::send_test(&app.context, app.guarded_http(), &app.config.outbound, &user.uid, &id).await?;
    Ok(Reply(Done { message: "Test push sent successfully" }))
}
