//! The graph around a memo (`contract/explore.md` section 3).

use serde_json::{Value, json};
use testing::{Answer, Client, Kind, Server, on_every_database};

use crate::{
    objects::{Noun, memo_id, text},
    search::write,
};

on_every_database!(
    named_and_naming_memos_are_joined_to_the_centre_in_the_order_of_their_relations,
    memos_about_the_same_are_joined_once,
    the_memo_is_named_in_the_query_or_else_in_the_path,
    odd_parameters_are_refused,
    a_hundred_relations_are_drawn,
);

async fn graph(user: &Client, rest: &str) -> Answer {
    user.get(&format!("/api/v1/explore/relations/{rest}")).await
}

async fn relate(user: &Client, memo: &str, content: &str, targets: &[&str]) {
    let body = json!({"content": content, "relationIds": targets});
    user.put(&format!("/api/v1/memos/{memo}"), body).await.data();
}

/// A node: its memo and its type.
type Node = (String, String);

/// An edge: where it begins, where it ends, and its type.
type Edge = (String, String, String);

fn drawn(answer: &Answer) -> (Vec<Node>, Vec<Edge>) {
    let graph = &answer.data()["graph"];
    let nodes = graph["nodes"].as_array().unwrap().iter();
    let edges = graph["edges"].as_array().unwrap().iter();
    (
        nodes.map(|node| (text(node, "id"), text(node, "type"))).collect(),
        edges.map(|edge| (text(edge, "source"), text(edge, "target"), text(edge, "type"))).collect(),
    )
}

fn nodes_of(texts: &[(&str, &str)]) -> Vec<Node> {
    texts.iter().map(|(id, kind)| ((*id).to_owned(), (*kind).to_owned())).collect()
}

fn edges_of(texts: &[(&str, &str, &str)]) -> Vec<Edge> {
    texts.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

async fn named_and_naming_memos_are_joined_to_the_centre_in_the_order_of_their_relations(kind: Kind) {
    let (server, clock) = Server::start_at(kind, 1_750_000_000_000).await;
    let ann = server.user().await;
    // Contents that share nothing.
    let written = write(&ann, &["项目 sourdough", "四月", "面包", "读书", "🦀"]).await;
    let [centre, a, b, c, d] = [0, 1, 2, 3, 4].map(|place: usize| written[place].as_str());
    relate(&ann, centre, "项目 sourdough", &[b, a]).await;
    clock.set(1_750_000_001_000);
    relate(&ann, d, "🦀", &[centre]).await;
    clock.set(1_750_000_002_000);
    relate(&ann, a, "四月", &[c, centre]).await;

    let answer = graph(&ann, centre).await;
    let (nodes, joined) = drawn(&answer);
    assert_eq!(nodes, nodes_of(&[(centre, "source"), (b, "related"), (a, "related"), (d, "backlink")]));
    let outgoing = [(centre, b, "outgoing"), (centre, a, "outgoing")];
    let incoming = [(d, centre, "incoming"), (a, centre, "incoming")];
    assert_eq!(joined, edges_of(&[outgoing, incoming].concat()));
    let data = answer.data();
    assert_eq!(data["graph"]["centerMemoId"], json!(centre));
    assert_eq!(data["graph"]["analysis"], "引用了 2 条相关笔记，被 2 条笔记引用。");
    assert_eq!(data["graph"]["edges"][0]["label"], "引用");
    assert_eq!(data["graph"]["edges"][2]["label"], "被引用");
    let node = json!({"id": centre, "type": "source", "title": "项目 sourdough", "content": "项目 sourdough",
        "createdAt": 1_750_000_000_000_i64});
    assert_eq!(data["graph"]["nodes"][0], node);
    let suggested = json!(["这些笔记之间有什么联系？", "这个项目的整体进展如何？", "基于这个话题继续探索"]);
    assert_eq!(data["suggestedExplorations"], suggested);

    for no in ["false", "0"] {
        let (nodes, joined) = drawn(&graph(&ann, &format!("{centre}?includeBacklinks={no}")).await);
        assert_eq!(nodes, nodes_of(&[(centre, "source"), (b, "related"), (a, "related")]));
        assert_eq!(joined, edges_of(&outgoing));
    }
    for yes in ["true", "1", ""] {
        assert_eq!(graph(&ann, &format!("{centre}?includeBacklinks={yes}")).await.body, answer.body);
    }
}

async fn memos_about_the_same_are_joined_once(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let contents = ["sourdough bread", "sourdough bread!", "Sourdough Bread", "四月的天气", "sourdough bread?"];
    let written = write(&ann, &contents).await;
    let [centre, named, close, far, naming] = [0, 1, 2, 3, 4].map(|place: usize| written[place].as_str());
    relate(&ann, centre, contents[0], &[named, far]).await;
    relate(&ann, naming, contents[4], &[centre]).await;
    let (nodes, joined) = drawn(&graph(&ann, centre).await);
    assert_eq!(
        nodes,
        nodes_of(&[
            (centre, "source"),
            (named, "related"),
            (far, "related"),
            (naming, "backlink"),
            (close, "related")
        ])
    );
    assert_eq!(
        joined,
        edges_of(&[
            (centre, named, "outgoing"),
            (centre, far, "outgoing"),
            (naming, centre, "incoming"),
            (centre, close, "thematic"),
        ])
    );
    // Of many memos about the same, the five nearest are looked at; the centre is one of them.
    for number in 0..10 {
        memo_id(&ann, json!({"content": format!("the weather is fine {number}")})).await;
    }
    let last = memo_id(&ann, json!({"content": "the weather is fine 10"})).await;
    let answer = graph(&ann, &last).await;
    assert_eq!(drawn(&answer).1.len(), 4);
    assert_eq!(answer.data()["graph"]["analysis"], "发现 4 个主题关联。");
    assert_eq!(answer.data()["suggestedExplorations"][0], "深入探索这个主题");
}

async fn the_memo_is_named_in_the_query_or_else_in_the_path(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let written = write(&ann, &["sourdough", "四月的天气"]).await;
    for (rest, centre) in [
        (written[0].clone(), 0),
        (format!("{}?memoId=", written[0]), 0),
        (format!("x?memoId={}", written[1]), 1),
        (format!("{}?memoId={}", written[0], written[1]), 1),
    ] {
        let answer = graph(&ann, &rest).await;
        assert_eq!(answer.data()["graph"]["centerMemoId"], json!(written[centre]), "{rest}");
        assert_eq!(answer.data()["graph"]["analysis"], "暂未发现与其他笔记的关联");
    }
    let foreign = write(&server.user().await, &["sourdough"]).await;
    let unknown = Noun::Memo.unknown_id();
    for id in [&foreign[0], &unknown, "' OR 1=1 --", "x"].map(testing::encoded) {
        for rest in [id.clone(), format!("{}?memoId={id}", written[0])] {
            let refused = (1, "Failed to get relationship graph: Memo not found");
            assert_eq!(graph(&ann, &rest).await.refusal(), refused, "{rest}");
        }
    }
}

async fn odd_parameters_are_refused(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let memo = &write(&ann, &["sourdough"]).await[0];
    let answer = graph(&ann, &format!("{memo}?includeBacklinks=maybe")).await;
    let message = "Given parameter includeBacklinks is invalid. Value (\"maybe\") cannot be parsed into boolean.";
    assert_eq!((answer.status.as_u16(), &answer.body), (400, &json!({"status": "error", "message": message})));
    graph(&ann, &format!("{memo}?maxDepth=x")).await.data();
}

async fn a_hundred_relations_are_drawn(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let centre = &write(&ann, &["四月的天气"]).await[0];
    let mut targets = Vec::new();
    for number in 0..100 {
        let body = json!({"content": format!("sourdough {number}"), "relationIds": [centre]});
        targets.push(memo_id(&ann, body).await);
    }
    relate(&ann, centre, "四月的天气", &targets.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let answer = graph(&ann, centre).await;
    let (nodes, joined) = drawn(&answer);
    assert_eq!((nodes.len(), joined.len()), (101, 200));
    assert_eq!(answer.data()["graph"]["analysis"], Value::from("引用了 100 条相关笔记，被 100 条笔记引用。"));
}
