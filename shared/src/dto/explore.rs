//! Questions about one's own notes, and the graph around a memo (`contract/explore.md`).

use schemars::JsonSchema;
use serde::Serialize;

use super::{Fields, search::query};
use crate::{Error, Result, clock::Millis, ids::MemoId};

/// A question.
#[derive(Debug, Clone, JsonSchema)]
pub struct Question {
    /// What is asked, not blank.
    pub query: String,
    /// What was said before.
    pub context: Option<String>,
}

impl TryFrom<&Fields> for Question {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let context = fields.text("context")?.filter(|context| !context.trim().is_empty());
        Ok(Self { query: query(fields)?, context })
    }
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Markdown, in which `[n]` cites the source of number `n`, from 1.
    pub answer: String,
    /// The memos that the answer was made from, the most relevant first.
    pub sources: Vec<Source>,
    /// One element: the beginning of the analysis. Contract: not a list of topics, despite its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related_topics: Option<[String; 1]>,
    /// At most three; absent when there is no answer to ask on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_questions: Option<Vec<String>>,
}

/// A memo that an answer was made from.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AnswerSource")]
pub struct Source {
    /// The memo.
    pub memo_id: MemoId,
    /// The beginning of its content.
    pub content: String,
    /// How close it is to the question, from 0 to 1.
    pub relevance_score: f64,
    /// When it was written.
    pub created_at: Millis,
}

/// The memos around a memo, and where to go from there.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Relationships {
    /// The graph.
    pub graph: Graph,
    /// One to three questions.
    pub suggested_explorations: Vec<&'static str>,
}

/// The memos around a memo.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    /// The memos, the one in the centre first.
    pub nodes: Vec<Node>,
    /// What joins them.
    pub edges: Vec<Edge>,
    /// The memo in the centre.
    pub center_memo_id: MemoId,
    /// The number of edges of each type, in words.
    pub analysis: String,
}

/// A memo of a graph.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// The memo.
    pub id: MemoId,
    /// What it is to the centre.
    #[serde(rename = "type")]
    pub node_type: NodeType,
    /// The beginning of its first line.
    pub title: String,
    /// The beginning of its content.
    pub content: String,
    /// When it was written.
    pub created_at: Millis,
}

/// What a memo of a graph is to the one in the centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeType {
    /// The memo in the centre.
    Source,
    /// The centre names it, or it is about the same.
    Related,
    /// It names the centre.
    Backlink,
}

/// What joins two memos of a graph.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Edge {
    /// Where it begins.
    pub source: MemoId,
    /// Where it ends.
    pub target: MemoId,
    /// Why they are joined.
    #[serde(rename = "type")]
    pub edge_type: EdgeType,
    /// The type in words.
    pub label: &'static str,
}

/// Why two memos are joined. Contract: the client knows `temporal` and `tag` too, which are never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeType {
    /// The centre names the other memo.
    Outgoing,
    /// The other memo names the centre.
    Incoming,
    /// Both are about the same.
    Thematic,
}
