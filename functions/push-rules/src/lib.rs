//! `push-rules`: rules of scheduled pushes (`contract/push-rules-scheduler.md`).

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use shared::{
    Result,
    dto::push_rules::{NewPushRule, PushRule, PushRuleUpdate},
    http::{Access, App, Body, CurrentUser, PathId, Reply, RouteTable},
    ids::PushRuleId,
    services::push_rules,
};

/// The route table.
#[must_use]
pub fn routes<R: RouteTable>() -> R {
    R::default()
        .get("/api/v1/push-rules", Access::User, list, "List the push rules")
        .post("/api/v1/push-rules", Access::User, create, "Create a push rule")
        .get("/api/v1/push-rules/{id}", Access::User, get, "Get a push rule")
        .put("/api/v1/push-rules/{id}", Access::User, update, "Change a push rule")
        .delete("/api/v1/push-rules/{id}", Access::User, delete, "Delete a push rule")
        .post("/api/v1/push-rules/{id}/test", Access::User, send_test, "Send a push rule now")
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
#[serde(rename_all = "camelCase")]
struct PushRuleList {
    message: &'static str,
    push_rules: Vec<PushRule>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
#[serde(rename_all = "camelCase")]
struct OnePushRule {
    message: &'static str,
    push_rule: PushRule,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
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
    body: Body<NewPushRule>,
) -> Result<Reply<OnePushRule>> {
    let push_rule = push_rules::create(&app.context, &app.config.outbound, &user.uid, body.read()?).await?;
    Ok(Reply(OnePushRule { message: "Push rule created successfully", push_rule }))
}

async fn update(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<PushRuleId>,
    body: Body<PushRuleUpdate>,
) -> Result<Reply<OnePushRule>> {
    let push_rule = push_rules::update(&app.context, &app.config.outbound, &user.uid, &id, body.read()?).await?;
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
