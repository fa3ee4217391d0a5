//! Questions about one's own notes (`contract/explore.md` section 1), and the graph around a memo (section 3).

mod answers;
mod failures;
mod graph;

use serde_json::{Value, json};
use testing::{Answering, Asked, Client, Provider};

use crate::ai::{asking, said};

pub const EXPLORE: &str = "/api/v1/explore";

/// Returns the settings of a server that asks a chat model at a URL, and embeds by itself.
pub fn asking_with_local_embeddings(url: &str) -> Vec<(&'static str, String)> {
    let mut settings = asking(url);
    settings.push(("EMBEDDING_PROVIDER", "local".to_owned()));
    settings
}

/// What a model is asked for, as its instructions tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    Analysis,
    Relations,
    Attachments,
    Answer,
    FollowUps,
}

/// Returns the stage of a request to a chat model.
pub fn stage(asked: &Asked) -> Stage {
    let system = asked.body["messages"][0]["content"].as_str().unwrap();
    let stages = [
        ("You judge", Stage::Analysis),
        ("You describe", Stage::Relations),
        ("You say what files", Stage::Attachments),
        ("You answer", Stage::Answer),
        ("You suggest", Stage::FollowUps),
    ];
    let found = stages.into_iter().find(|(beginning, _)| system.starts_with(beginning));
    found.unwrap_or_else(|| panic!("{system}")).1
}

/// Returns a model that says something else at each stage; `differs` answers instead where it has an answer.
pub fn model(differs: impl Fn(Stage) -> Option<Answering> + Send + Sync + 'static) -> Provider {
    Provider::start(move |asked, _| {
        let stage = stage(asked);
        differs(stage).unwrap_or_else(|| {
            said(match stage {
                Stage::Analysis => "The analysis.",
                Stage::Relations => "The relations.",
                Stage::Attachments => "The attachments.",
                Stage::Answer => "The answer [1].",
                Stage::FollowUps => "1. First?\n2. Second?\n3. Third?\n4. Fourth?",
            })
        })
    })
}

/// Asks a question and returns what comes back.
pub async fn ask(user: &Client, query: &str) -> Value {
    user.post(EXPLORE, json!({ "query": query })).await.data().clone()
}
