//! `insights`: what the memos of a user tell about time, and which are worth reading again (`contract/insights-recommendations.md`).

use axum::extract::State;
use schemars::JsonSchema;
use shared::{
    Error, Result,
    dto::insights::{Activity, DailyRecommendations, OnThisDay},
    http::{Access, App, CurrentUser, Params, Query, Reply, RouteTable},
    services::{insights, recommendations},
};

/// The route table.
#[must_use]
pub fn routes<R: RouteTable>() -> R {
    R::default()
        .get("/api/v1/insights/activity", Access::User, activity, "Count the memos of each day")
        .get("/api/v1/insights/on-this-day", Access::User, on_this_day, "Find memos of this day in other years")
        .get(
            "/api/v1/insights/daily-recommendations",
            Access::User,
            daily_recommendations,
            "Choose memos that are worth reading again today",
        )
}

/// The query of [`activity`].
#[derive(JsonSchema)]
struct Window {
    /// The number of days until today; 90 unless given.
    days: Option<f64>,
}

impl TryFrom<&Query> for Window {
    type Error = Error;

    fn try_from(query: &Query) -> Result<Self> {
        Ok(Self { days: query.number("days")? })
    }
}

async fn activity(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    params: Params<Window>,
) -> Result<Reply<Activity>> {
    let Window { days } = params.read()?;
    Ok(Reply(insights::activity(&app.context, &user.uid, days).await?))
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
