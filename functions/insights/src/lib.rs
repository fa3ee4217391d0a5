//! `insights`: what the memos of a user tell about time, and which are worth reading again (`contract/insights-recommendations.md`).

use axum::extract::State;
use shared::{
    Result,
    dto::insights::{Activity, DailyRecommendations, OnThisDay},
    http::{Access, App, CurrentUser, Query, Reply, Routes},
    services::{insights, recommendations},
};

/// The route table.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/insights/activity", Access::User, activity)
        .get("/api/v1/insights/on-this-day", Access::User, on_this_day)
        .get("/api/v1/insights/daily-recommendations", Access::User, daily_recommendations)
}

async fn activity(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    query: Query,
) -> Result<Reply<Activity>> {
    Ok(Reply(insights::activity(&app.context, &user.uid, query.number("days")?).await?))
}

async fn on_this_day(State(app): State<App>, CurrentUser(user): CurrentUser) -> Result<Reply<OnThisDay>> {
    Ok(Reply(insights::on_this_day(&app.context, &user.uid).await?))
}

async fn daily_recommendations(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
) -> Result<Reply<DailyRecommendations>> {
    let items = recommendations::of_today(&app.context, app.chat(), &user.uid).await?;
    Ok(Reply(DailyRecommendations { total: items.len(), items }))
}
