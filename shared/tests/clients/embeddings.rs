//! Embedding models.

use serde_json::{Value, json};
use shared::clients::{EmbeddingModel, Failure, embeddings::OpenAiEmbeddings};
use testing::{Answering, Asked, Provider};

use crate::{Expected, IMPATIENCE, PATIENCE, assert_discreet, failing_once, failures, http, models, slow};

fn embeddings(url: &str) -> OpenAiEmbeddings {
    OpenAiEmbeddings::new(&models(url, &[]), http())
}

/// Returns the texts of a request.
fn texts(asked: &Asked) -> Vec<&str> {
    asked.body["input"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// Returns an answer with a vector for each text: its number of characters and the one of a digit it ends
/// with. The order is turned around.
fn embedded(texts: &[&str]) -> Answering {
    let data = texts.iter().enumerate().rev().map(|(index, text)| {
        let digit = text.chars().last().and_then(|c| c.to_digit(10)).unwrap_or_default();
        json!({"index": index, "embedding": [text.chars().count(), digit]})
    });
    Answering::json(&json!({"data": data.collect::<Vec<_>>()}))
}

fn refused() -> Answering {
    Answering::json(&json!({"error": "too much"})).status(400)
}

#[tokio::test]
async fn many_texts_are_one_request_and_the_vectors_keep_their_order() {
    let provider = Provider::start(|asked, _| embedded(&texts(asked)));
    let model = embeddings(&provider.url());
    let vectors = model.embed(&["a1", "读书2", "c3"], PATIENCE).await.unwrap();
    assert_eq!(vectors, [[2.0, 1.0], [3.0, 2.0], [2.0, 3.0]]);
    let asked = provider.asked();
    assert_eq!(asked.len(), 1);
    let expected = json!({"model": "text-embedding-3-small", "input": ["a1", "读书2", "c3"],
        "encoding_format": "float", "dimensions": 2});
    assert_eq!((&asked[0].line[..], &asked[0].body), ("POST /embeddings", &expected));
    assert_eq!(model.embed(&[], PATIENCE).await.unwrap(), Vec::<Vec<f32>>::new());
    assert_eq!(provider.asked().len(), 1);
}

#[tokio::test]
async fn a_blank_text_is_refused_before_anything_is_asked() {
    let provider = Provider::start(|asked, _| embedded(&texts(asked)));
    for text in ["", " \n", "\u{3000}"] {
        let failure = embeddings(&provider.url()).embed(&["a", text], PATIENCE).await.unwrap_err();
        assert_eq!(failure.to_string(), "Text cannot be empty");
    }
    assert!(provider.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_takes_fewer_texts_is_asked_for_fewer_from_then_on() {
    let provider = Provider::start(|asked, _| match texts(asked) {
        texts if texts.len() > 10 => refused(),
        texts => embedded(&texts),
    });
    let model = embeddings(&provider.url());
    let many: Vec<String> = (0..40).map(|number| format!("text {number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let vectors = model.embed(&many, PATIENCE).await.unwrap();
    assert_eq!(vectors.len(), 40);
    let digits: Vec<f32> = vectors.iter().map(|vector| vector[1]).collect();
    assert_eq!(digits, (0_u8..40).map(|number| f32::from(number % 10)).collect::<Vec<_>>());
    let before = provider.asked().len();
    model.embed(&many, PATIENCE).await.unwrap();
    assert_eq!(provider.asked().len() - before, 4);
}

#[tokio::test]
async fn one_text_that_is_refused_fails_and_later_ones_are_not_asked_for_one_by_one() {
    let provider = Provider::start(|asked, _| match texts(asked) {
        texts if texts.contains(&"poison") => refused(),
        texts => embedded(&texts),
    });
    let model = embeddings(&provider.url());
    let failure = model.embed(&["a", "b", "poison", "c"], PATIENCE).await.unwrap_err();
    assert!(matches!(failure, Failure::Refused { status: 400 }), "{failure:?}");
    let before = provider.asked().len();
    model.embed(&["a", "b", "c", "d"], PATIENCE).await.unwrap();
    assert_eq!(provider.asked().len() - before, 1);
}

#[tokio::test]
async fn a_text_that_is_too_long_is_embedded_by_its_beginning() {
    let provider = Provider::start(|asked, _| match texts(asked) {
        texts if texts.iter().any(|text| text.chars().count() > 9000) => refused(),
        texts => embedded(&texts),
    });
    let long = "读".repeat(300_000);
    let vectors = embeddings(&provider.url()).embed(&["a1", &long, "b2"], PATIENCE).await.unwrap();
    assert_eq!(vectors, [[2.0, 1.0], [8000.0, 0.0], [2.0, 2.0]]);
}

#[tokio::test]
async fn every_failure_has_its_kind_and_gives_nothing_away() {
    for (name, answer, expected, times) in failures() {
        let provider = Provider::always(answer);
        let failure = embeddings(&provider.url()).embed(&["问题"], PATIENCE).await.unwrap_err();
        assert!(expected(&failure), "{name}: {failure:?}");
        assert_eq!(provider.asked().len(), times, "{name}");
        assert_discreet(&failure);
    }
    let failure = embeddings(&slow().url()).embed(&["问题"], IMPATIENCE).await.unwrap_err();
    assert!(matches!(failure, Failure::TimedOut), "{failure:?}");
    let failure = embeddings(&Provider::nowhere()).embed(&["问题"], PATIENCE).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable(_)), "{failure:?}");
    let provider = failing_once(Answering::text("").status(500), embedded(&["问题"]));
    assert_eq!(embeddings(&provider.url()).embed(&["问题"], PATIENCE).await.unwrap(), [[2.0, 0.0]]);
}

#[tokio::test]
async fn vectors_that_are_wrong_are_never_returned() {
    let data = |vectors: &[Value]| {
        let data: Vec<Value> = vectors.iter().map(|vector| json!({"embedding": vector})).collect();
        json!({"data": data}).to_string()
    };
    let two = json!([1.0, 2.0]);
    let cases: [(String, Expected); 7] = [
        (data(&[two.clone(), json!([1.0, 2.0, 3.0])]), |f| {
            matches!(f, Failure::WrongDimensions { wanted: 2, found: 3 })
        }),
        (data(&[two.clone(), json!([])]), |f| matches!(f, Failure::WrongDimensions { wanted: 2, found: 0 })),
        (data(std::slice::from_ref(&two)), |f| matches!(f, Failure::Unexpected)),
        (data(&[two.clone(), two.clone(), two.clone()]), |f| matches!(f, Failure::Unexpected)),
        (data(&[two.clone(), json!([1.0, null])]), |f| matches!(f, Failure::Unexpected)),
        // A number that no float holds.
        (data(&[two.clone(), json!([1.0, 1e300])]), |f| matches!(f, Failure::NotJson)),
        (data(&[two.clone(), json!([1.0, "NaN"])]).replace("\"NaN\"", "NaN"), |f| matches!(f, Failure::NotJson)),
    ];
    for (body, expected) in cases {
        let provider = Provider::always(Answering::text(body.clone()));
        let failure = embeddings(&provider.url()).embed(&["a", "b"], PATIENCE).await.unwrap_err();
        assert!(expected(&failure), "{body}: {failure:?}");
    }
}

#[tokio::test]
async fn the_identity_names_model_and_size() {
    let model = |others: &[(&str, &str)]| {
        let model = OpenAiEmbeddings::new(&models("http://x", others), http());
        (model.model_hash().to_owned(), model.dimensions())
    };
    let (hash, dimensions) = model(&[("OPENAI_EMBEDDING_DIMENSIONS", "1536")]);
    assert_eq!(hash, "3e44b648974ce0560fafe08c7872bebc1307dd2cee18247d094de4727fda2395");
    assert_eq!(dimensions, 1536);
    assert_ne!(model(&[]).0, model(&[("OPENAI_EMBEDDING_MODEL", "text-embedding-3-large")]).0);
}
