//! The memos around a memo: those that it names, those that name it, and those about the same
//! (`contract/explore.md` section 3). No language model is asked.

use std::collections::{HashMap, HashSet};

use shared::{
    Error, Result,
    dto::{
        explore::{Edge, EdgeType, Graph, Node, NodeType, Relationships},
        memos::MemoFilter,
    },
    error::with_causes,
    http::App,
    ids::{MemoId, Uid},
    repositories::{self, memos::MemoRecord},
    services::text::{beginning, shortened},
};

use crate::ranking::Ranking;

/// How much of the centre its neighbours are searched by, in UTF-16 units.
const MAX_QUERY: usize = 500;

/// How many neighbours are looked at, and the lowest score of one.
const NEIGHBOURS: usize = 5;
const THEMATIC: f64 = 0.6;

/// The most UTF-16 units of a title and of a content.
const MAX_TITLE: usize = 50;
const MAX_CONTENT: usize = 200;

/// Returns the graph around a memo, in as many statements whatever its size.
///
/// # Errors
/// Contract: code 1 when the user has no such memo (E17), and when the database fails. Without vectors the graph
/// has no thematic part.
pub async fn around(app: &App, uid: &Uid, id: &MemoId, backlinks: bool) -> Result<Relationships> {
    match draw(app, uid, id, backlinks).await {
        Ok(Some(relationships)) => Ok(relationships),
        Ok(None) => Err(Error::system("Failed to get relationship graph: Memo not found")),
        Err(error) => {
            tracing::error!(error = with_causes(&error), "graph.failed");
            Err(Error::system("Failed to get relationship graph: the database failed"))
        }
    }
}

async fn draw(app: &App, uid: &Uid, id: &MemoId, backlinks: bool) -> Result<Option<Relationships>> {
    let db = &app.context.db;
    let Some(centre) = repositories::memos::find_by_id(db, uid, id).await? else { return Ok(None) };
    let id = std::slice::from_ref(id);
    let outgoing = repositories::memo_relations::find_by_sources(db, uid, id).await?;
    let outgoing: Vec<MemoId> = outgoing.into_iter().map(|edge| edge.target).collect();
    let incoming =
        if backlinks { repositories::memo_relations::find_by_targets(db, uid, id).await? } else { Vec::new() };
    let incoming: Vec<MemoId> = incoming.into_iter().map(|edge| edge.source).collect();
    let thematic = neighbours(app, uid, &centre).await;
    let ids = [&outgoing[..], &incoming, &thematic].concat();
    let others = repositories::memos::find_by_ids(db, uid, &ids).await?;

    let mut drawing = Drawing::around(&centre, others);
    for other in &outgoing {
        drawing.join(other, EdgeType::Outgoing);
    }
    for other in &incoming {
        drawing.join(other, EdgeType::Incoming);
    }
    for other in thematic.iter().filter(|other| !outgoing.contains(other) && !incoming.contains(other)) {
        drawing.join(other, EdgeType::Thematic);
    }
    Ok(Some(drawing.finish(&centre.content)))
}

/// Returns the memos that are about the same as the centre; none when they cannot be ranked.
async fn neighbours(app: &App, uid: &Uid, centre: &MemoRecord) -> Vec<MemoId> {
    let query = beginning(&centre.content, MAX_QUERY);
    match Ranking::by_text(app, uid, query, &MemoFilter::default()).await {
        Ok(ranking) => {
            let near = ranking.best(NEIGHBOURS, THEMATIC).iter().map(|scored| scored.memo.clone());
            near.filter(|memo| *memo != centre.memo_id).collect()
        }
        Err(error) => {
            tracing::warn!(error = with_causes(&error), "graph.no_themes");
            Vec::new()
        }
    }
}

/// A graph under construction. No edge is drawn twice, or to what is no node (E9).
struct Drawing {
    centre: MemoId,
    others: HashMap<MemoId, MemoRecord>,
    drawn: HashSet<(MemoId, EdgeType)>,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

impl Drawing {
    fn around(centre: &MemoRecord, others: Vec<MemoRecord>) -> Self {
        Self {
            centre: centre.memo_id.clone(),
            others: others.into_iter().map(|memo| (memo.memo_id.clone(), memo)).collect(),
            drawn: HashSet::new(),
            nodes: vec![node(centre, NodeType::Source)],
            edges: Vec::new(),
        }
    }

    fn join(&mut self, other: &MemoId, edge_type: EdgeType) {
        let Some(memo) = self.others.get(other).filter(|_| *other != self.centre) else { return };
        if !self.drawn.insert((other.clone(), edge_type)) {
            return;
        }
        let (node_type, label) = match edge_type {
            EdgeType::Outgoing => (NodeType::Related, "引用"),
            EdgeType::Incoming => (NodeType::Backlink, "被引用"),
            EdgeType::Thematic => (NodeType::Related, "主题关联"),
        };
        if self.nodes.iter().all(|node| node.id != *other) {
            self.nodes.push(node(memo, node_type));
        }
        let (source, target) = match edge_type {
            EdgeType::Incoming => (other.clone(), self.centre.clone()),
            EdgeType::Outgoing | EdgeType::Thematic => (self.centre.clone(), other.clone()),
        };
        self.edges.push(Edge { source, target, edge_type, label });
    }

    fn count(&self, edge_type: EdgeType) -> usize {
        self.edges.iter().filter(|edge| edge.edge_type == edge_type).count()
    }

    fn finish(self, content: &str) -> Relationships {
        let analysis = self.analysis();
        let suggested_explorations = self.suggestions(content);
        let graph = Graph { nodes: self.nodes, edges: self.edges, center_memo_id: self.centre, analysis };
        Relationships { graph, suggested_explorations }
    }

    fn analysis(&self) -> String {
        let counted = [
            (self.count(EdgeType::Outgoing), "引用了 ", " 条相关笔记"),
            (self.count(EdgeType::Incoming), "被 ", " 条笔记引用"),
            (self.count(EdgeType::Thematic), "发现 ", " 个主题关联"),
        ];
        let phrases = counted.into_iter().filter(|(count, ..)| *count > 0);
        let phrases: Vec<String> =
            phrases.map(|(count, before, after)| format!("{before}{count}{after}")).collect();
        if phrases.is_empty() {
            return "暂未发现与其他笔记的关联".to_owned();
        }
        format!("{}。", phrases.join("，"))
    }

    fn suggestions(&self, content: &str) -> Vec<&'static str> {
        let content = content.to_lowercase();
        let mentions = |words: &[&str]| words.iter().any(|word| content.contains(word));
        let thematic = self.count(EdgeType::Thematic);
        let conditions = [
            (self.edges.len() > thematic, "这些笔记之间有什么联系？"),
            (thematic > 0, "深入探索这个主题"),
            (mentions(&["项目", "project"]), "这个项目的整体进展如何？"),
            (mentions(&["会议", "meeting"]), "还有哪些相关的会议记录？"),
            (mentions(&["问题", "bug", "issue"]), "这个问题最终如何解决？"),
            (true, "基于这个话题继续探索"),
        ];
        conditions.into_iter().filter_map(|(holds, text)| holds.then_some(text)).take(3).collect()
    }
}

fn node(memo: &MemoRecord, node_type: NodeType) -> Node {
    let first_line = memo.content.lines().next().unwrap_or_default().trim();
    Node {
        id: memo.memo_id.clone(),
        node_type,
        title: shortened(first_line, MAX_TITLE),
        content: beginning(&memo.content, MAX_CONTENT).to_owned(),
        created_at: memo.created_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::memo;

    /// Draws edges between `centre` and other memos, of which `a`, `b` and `c` exist.
    fn drawn(content: &str, edges: &[(&str, EdgeType)]) -> Relationships {
        let centre = memo("centre", content, 5);
        let others = ["a", "b", "c", "centre"].map(|id| memo(id, id, 5)).into();
        let mut drawing = Drawing::around(&centre, others);
        for (other, edge_type) in edges {
            drawing.join(&MemoId::from(*other), *edge_type);
        }
        drawing.finish(content)
    }

    #[test]
    fn a_memo_is_one_node_and_as_many_edges_as_reasons() {
        use EdgeType::{Incoming, Outgoing, Thematic};
        let Relationships { graph, .. } = drawn(
            "x",
            &[
                ("a", Outgoing),
                ("a", Outgoing),
                ("b", Incoming),
                ("a", Incoming),
                ("c", Thematic),
                ("gone", Outgoing),
            ],
        );
        let nodes: Vec<_> = graph.nodes.iter().map(|node| (node.id.as_str(), node.node_type)).collect();
        let expected = [
            ("centre", NodeType::Source),
            ("a", NodeType::Related),
            ("b", NodeType::Backlink),
            ("c", NodeType::Related),
        ];
        assert_eq!(nodes, expected);
        let edges: Vec<_> =
            graph.edges.iter().map(|edge| (edge.source.as_str(), edge.target.as_str(), edge.label)).collect();
        let expected = [
            ("centre", "a", "引用"),
            ("b", "centre", "被引用"),
            ("a", "centre", "被引用"),
            ("centre", "c", "主题关联"),
        ];
        assert_eq!(edges, expected);
        assert_eq!(graph.analysis, "引用了 1 条相关笔记，被 2 条笔记引用，发现 1 个主题关联。");
    }

    #[test]
    fn a_memo_is_not_joined_to_itself() {
        let Relationships { graph, suggested_explorations } = drawn("x", &[("centre", EdgeType::Outgoing)]);
        assert_eq!((graph.nodes.len(), graph.edges.len()), (1, 0));
        assert_eq!(graph.analysis, "暂未发现与其他笔记的关联");
        assert_eq!(suggested_explorations, ["基于这个话题继续探索"]);
    }

    #[test]
    fn suggestions_follow_edges_and_words_and_are_three_at_most() {
        let outgoing = ("a", EdgeType::Outgoing);
        let thematic = ("b", EdgeType::Thematic);
        let suggested = |content: &str, edges: &[_]| drawn(content, edges).suggested_explorations;
        assert_eq!(suggested("x", &[thematic]), ["深入探索这个主题", "基于这个话题继续探索"]);
        assert_eq!(
            suggested("PROJECT 会议 bug", &[outgoing, thematic]),
            ["这些笔记之间有什么联系？", "深入探索这个主题", "这个项目的整体进展如何？"]
        );
        assert_eq!(
            suggested("Meeting about an ISSUE", &[]),
            ["还有哪些相关的会议记录？", "这个问题最终如何解决？", "基于这个话题继续探索"]
        );
    }

    #[test]
    fn titles_are_first_lines_and_contents_are_beginnings() {
        let node = |content: &str| node(&memo("m", content, 5), NodeType::Source);
        assert_eq!(node("  # Title \r\nmore").title, "# Title");
        assert_eq!(node(&"读".repeat(50)).title, "读".repeat(50));
        assert_eq!(node(&"读".repeat(51)).title, format!("{}...", "读".repeat(50)));
        assert_eq!(node(&format!("{}😀", "读".repeat(199))).content, "读".repeat(199));
    }
}
