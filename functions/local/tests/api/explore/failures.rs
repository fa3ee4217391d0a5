//! What a question answers when a stage fails (`contract/explore.md`, outcome table).

use serde_json::{Value, json};
use testing::{Answering, Kind, Provider, Server, Settings, on_every_database};

use super::{Stage, ask, asking_with_local_embeddings, model};
use crate::{
    ai::said,
    objects::{attachment, memo_id},
    providers::broken,
    search::write,
};

on_every_database!(
    a_stage_that_fails_or_says_nothing_leaves_out_what_it_would_have_added,
    a_model_that_fails_leaves_no_answer,
    without_a_key_there_is_no_answer,
    a_failure_that_passes_is_not_seen,
);

fn refused() -> Answering {
    Answering::json(&json!({"error": {"message": "no"}})).status(400)
}

async fn a_stage_that_fails_or_says_nothing_leaves_out_what_it_would_have_added(kind: Kind) {
    let asked_on = json!(["First?", "Second?", "Third?"]);
    let answered = |topics: Value, questions: Value| json!(["The answer [1].", 1, topics, questions]);
    let not_analysed = json!(["Analysis could not be completed due to an error."]);
    let analysed = json!(["The analysis."]);
    let no_text = Answering::json(&json!({"choices": [{"message": {"content": [{"type": "text"}]}}]}));
    for (failing, answer, expected) in [
        (Stage::Analysis, refused(), answered(not_analysed, asked_on.clone())),
        (Stage::Analysis, said(""), answered(Value::Null, asked_on.clone())),
        (Stage::Relations, refused(), answered(analysed.clone(), asked_on.clone())),
        (Stage::Relations, said(" "), answered(analysed.clone(), asked_on.clone())),
        (Stage::Attachments, refused(), answered(analysed.clone(), asked_on.clone())),
        (Stage::Attachments, said(""), answered(analysed.clone(), asked_on.clone())),
        (Stage::Answer, refused(), json!(["An error occurred while generating the response.", 0, analysed, null])),
        (Stage::Answer, said(""), json!(["Unable to generate a response.", 1, analysed, asked_on.clone()])),
        (Stage::Answer, no_text, json!(["Unable to generate a response.", 1, analysed, asked_on])),
        (Stage::FollowUps, refused(), answered(analysed.clone(), json!([]))),
        (Stage::FollowUps, said("\n \n"), answered(analysed, json!([]))),
    ] {
        let provider = model(move |stage| (stage == failing).then(|| answer.clone()));
        let variables = asking_with_local_embeddings(&provider.url());
        let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
        let ann = server.user().await;
        let related = memo_id(&ann, json!({"content": "四月的天气"})).await;
        let file = attachment(&server, &ann).await;
        let body = json!({"content": "sourdough", "relationIds": [related], "attachments": [file]});
        memo_id(&ann, body).await;
        let found = ask(&ann, "sourdough").await;
        let sources = found["sources"].as_array().unwrap().len();
        let shown = json!([found["answer"], sources, found["relatedTopics"], found["suggestedQuestions"]]);
        assert_eq!(shown, expected, "{failing:?}");
        for member in ["relatedTopics", "suggestedQuestions"] {
            // Absent, not null.
            assert_ne!(found.get(member), Some(&Value::Null), "{failing:?}");
        }
    }
}

/// The answer when there are notes but no model.
fn no_answer() -> Value {
    json!({
        "answer": "An error occurred while generating the response.", "sources": [],
        "relatedTopics": ["Analysis could not be completed due to an error."],
    })
}

async fn a_model_that_fails_leaves_no_answer(kind: Kind) {
    for broken in broken() {
        let mut variables = asking_with_local_embeddings(&broken.url);
        variables.push(("HTTP_TIMEOUT_MS", broken.timeout_ms.to_owned()));
        let ann = Server::start_with(kind, Settings { variables, ..Settings::default() }).await.user().await;
        write(&ann, &["sourdough"]).await;
        assert_eq!(ask(&ann, "sourdough").await, no_answer(), "{}", broken.name);
        // Two calls, each with two retries at most.
        let asked = broken.provider.map_or(0, |provider| provider.asked().len());
        assert!(asked <= 6, "{}: asked {asked} times", broken.name);
    }
}

async fn without_a_key_there_is_no_answer(kind: Kind) {
    let provider = model(|_| None);
    let mut variables = asking_with_local_embeddings(&provider.url());
    variables.retain(|(name, _)| *name != "OPENAI_API_KEY");
    let ann = Server::start_with(kind, Settings { variables, ..Settings::default() }).await.user().await;
    write(&ann, &["sourdough"]).await;
    assert_eq!(ask(&ann, "sourdough").await, no_answer());
    assert!(provider.asked().is_empty());
}

async fn a_failure_that_passes_is_not_seen(kind: Kind) {
    let provider = Provider::start(|_, before| {
        if before % 2 == 0 { Answering::text("").status(429).header("retry-after", "0") } else { said("Said.") }
    });
    let variables = asking_with_local_embeddings(&provider.url());
    let ann = Server::start_with(kind, Settings { variables, ..Settings::default() }).await.user().await;
    write(&ann, &["sourdough"]).await;
    let found = ask(&ann, "sourdough").await;
    let shown = json!([found["answer"], found["relatedTopics"], found["suggestedQuestions"]]);
    assert_eq!(shown, json!(["Said.", ["Said."], ["Said."]]));
    assert_eq!(provider.asked().len(), 6);
}
