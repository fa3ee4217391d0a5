//! `ai`: what a language model does for a single text (`contract/ai-asr-ocr-system.md`, AI helper).

use axum::extract::State;
use shared::{
    Result,
    dto::ai::{SuggestedTags, TextToTag, Tool, Tools},
    http::{Access, App, Body, CurrentUser, Reply, RouteTable},
    services::ai,
};

/// The route table.
#[must_use]
pub fn routes<R: RouteTable>() -> R {
    R::default().post("/api/v1/ai/generate-tags", Access::User, generate_tags, "Suggest tags for a text").get(
        "/api/v1/ai/tools",
        Access::User,
        tools,
        "List what the AI helper can do",
    )
}

async fn generate_tags(
    State(app): State<App>,
    CurrentUser(_): CurrentUser,
    body: Body<TextToTag>,
) -> Result<Reply<SuggestedTags>> {
    let TextToTag { content } = body.read()?;
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
