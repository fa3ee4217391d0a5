//! `ai`: what a language model does for a single text (`contract/ai-asr-ocr-system.md`, AI helper).

use axum::extract::State;
use shared::{
    Result,
    dto::{
        Fields,
        ai::{SuggestedTags, Tool, Tools},
    },
    http::{Access, App, CurrentUser, Reply, Routes},
    services::ai,
};

/// The route table.
#[must_use]
pub fn routes() -> Routes {
    Routes::new().post("/api/v1/ai/generate-tags", Access::User, generate_tags).get(
        "/api/v1/ai/tools",
        Access::User,
        tools,
    )
}

async fn generate_tags(
    State(app): State<App>,
    CurrentUser(_): CurrentUser,
    fields: Fields,
) -> Result<Reply<SuggestedTags>> {
    let content = fields.text("content")?.unwrap_or_default();
    Ok(Reply(SuggestedTags { tags: ai::suggest_tags(app.chat(), &content).await? }))
}

async fn tools() -> Reply<Tools> {
    let tags = Tool {
        id: "generate-tags",
        name: "智能添加标签",
        description: "AI 分析笔记内容，自动生成相关标签建议",
        icon: "Tags",
    };
    Reply(Tools { tools: vec![tags] })
}
