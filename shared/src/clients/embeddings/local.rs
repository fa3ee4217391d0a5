//! Vectors without a provider: a deterministic vectoriser of character n-grams.
//!
//! It is **lexical**: texts are close when they share words, parts of words or Chinese characters, not
//! when they mean the same. It serves development, tests, and installations without a key, and needs no
//! network. A text becomes the set of
//!
//! * its words, and the three-letter pieces of each word with its ends marked (`^ca`, `cat`, `at$`);
//! * for scripts without spaces (Chinese, Japanese, Korean), its characters and pairs of characters;
//! * its symbols, such as emoji.
//!
//! Each of them is hashed to one dimension and a sign; repetitions count less and less. The vector has
//! unit length. Changing anything here makes other vectors, so it needs another [`NAME`].

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use super::{EmbeddingModel, check_texts, hash_of};
use crate::clients::{Patience, Result};

/// The name of this vectoriser in the identity of its vectors.
const NAME: &str = "ngrams-1";

/// Weights of the kinds of features: a whole word says more than one of its pieces, a pair of characters
/// more than one of them.
const WORD: f32 = 1.0;
const PIECE: f32 = 0.4;
const CHARACTER: f32 = 0.6;
const PAIR: f32 = 1.0;
const SYMBOL: f32 = 0.3;

/// The vectoriser.
pub struct LocalEmbeddings {
    dimensions: usize,
    model_hash: String,
}

impl LocalEmbeddings {
    /// Makes a vectoriser.
    #[must_use]
    pub fn new(dimensions: usize) -> Self {
        Self { dimensions, model_hash: hash_of(&format!("local:{NAME}:{dimensions}")) }
    }

    fn vector(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.0_f32; self.dimensions];
        for (hash, (weight, count)) in features(&text.to_lowercase()) {
            self.add(&mut vector, hash, weight * count.sqrt());
        }
        if vector.iter().all(|element| *element == 0.0) {
            // Features that cancel each other out.
            self.add(&mut vector, hash(&[text]), 1.0);
        }
        let length = vector.iter().map(|element| element * element).sum::<f32>().sqrt();
        vector.into_iter().map(|element| element / length).collect()
    }

    fn add(&self, vector: &mut [f32], hash: u64, weight: f32) {
        let place = usize::try_from((hash >> 1) % self.dimensions as u64).unwrap_or_default();
        vector[place] += if hash & 1 == 0 { weight } else { -weight };
    }
}

/// Returns the features of a text by their hash, each with its weight and how often it occurs. The order
/// is always the same, and with it every rounding.
fn features(text: &str) -> BTreeMap<u64, (f32, f32)> {
    let mut features = BTreeMap::new();
    let mut count = |parts: &[&str], weight: f32| {
        features.entry(hash(parts)).or_insert((weight, 0.0)).1 += 1.0;
    };
    for run in runs(text) {
        let characters: Vec<&str> = run.text.split_inclusive(|_: char| true).collect();
        match run.kind {
            Kind::Word => {
                count(&["w", run.text], WORD);
                let marked: Vec<&str> = ["^"].into_iter().chain(characters).chain(["$"]).collect();
                for piece in marked.windows(3) {
                    count(&["p", piece[0], piece[1], piece[2]], PIECE);
                }
            }
            Kind::Unspaced => {
                for character in &characters {
                    count(&["c", character], CHARACTER);
                }
                for pair in characters.windows(2) {
                    count(&["d", pair[0], pair[1]], PAIR);
                }
            }
            Kind::Symbols => {
                for symbol in characters {
                    count(&["s", symbol], SYMBOL);
                }
            }
            Kind::Space => {}
        }
    }
    features
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Unspaced,
    Symbols,
    Space,
}

struct Run<'a> {
    kind: Kind,
    text: &'a str,
}

/// Cuts a text where the kind of its characters changes.
fn runs(text: &str) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((_, character)) = characters.next() {
        let end = characters.peek().map_or(text.len(), |(at, _)| *at);
        let kind = kind_of(character);
        if characters.peek().is_none_or(|(_, next)| kind_of(*next) != kind) {
            runs.push(Run { kind, text: &text[start..end] });
            start = end;
        }
    }
    runs
}

fn kind_of(character: char) -> Kind {
    match character {
        // Kana, Bopomofo, ideographs, Hangul.
        '\u{3040}'..='\u{30ff}'
        | '\u{3100}'..='\u{312f}'
        | '\u{3400}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' => Kind::Unspaced,
        _ if character.is_alphanumeric() => Kind::Word,
        _ if character.is_whitespace() => Kind::Space,
        _ => Kind::Symbols,
    }
}

/// FNV-1a, with the bits mixed once more: it is the same everywhere and for ever.
fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

impl EmbeddingModel for LocalEmbeddings {
    fn model_hash(&self) -> &str {
        &self.model_hash
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn embed<'a>(&'a self, texts: &'a [&'a str], _: Patience) -> BoxFuture<'a, Result<Vec<Vec<f32>>>> {
        Box::pin(async move {
            check_texts(texts)?;
            Ok(texts.iter().map(|text| self.vector(text)).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn similarity(a: &str, b: &str) -> f32 {
        let local = LocalEmbeddings::new(1536);
        let (a, b) = (local.vector(a), local.vector(b));
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn every_text_has_a_finite_vector_of_unit_length_and_always_the_same() {
        let long = "读书 reading ".repeat(100_000);
        for dimensions in [1, 64, 1536] {
            let local = LocalEmbeddings::new(dimensions);
            for text in ["x", "!", "。", "😀", "读", "\u{1}", "a b", long.as_str()] {
                let vector = local.vector(text);
                let length: f32 = vector.iter().map(|element| element * element).sum();
                assert!((length - 1.0).abs() < 1e-4, "{text:.10}: {length}");
                assert_eq!(vector, local.vector(text));
            }
        }
    }

    #[test]
    fn shared_words_parts_of_words_and_characters_make_texts_close() {
        let question = "how do I deploy the server";
        assert!(
            similarity(question, "Deploying servers with SAM") > similarity(question, "A cake with apples") + 0.1
        );
        let question = "所有权是什么";
        assert!(similarity(question, "Rust 的所有权规则") > similarity(question, "今天去公园散步") + 0.2);
        assert!(similarity("Rust 😀", "rust 😀") > 0.99);
    }

    /// Computed by another program. When this fails, stored vectors no longer fit: see [`NAME`].
    #[test]
    fn the_vectors_stay_what_they_are() {
        let expected: [f32; 8] = [-0.682_318, -0.097_474, 0.0, 0.0, -0.682_318, 0.243_685, 0.0, 0.0];
        let vector = LocalEmbeddings::new(8).vector("Rust 读书😀");
        assert!(
            vector.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5),
            "{vector:?}"
        );
        assert_eq!(LocalEmbeddings::new(8).model_hash(), hash_of("local:ngrams-1:8"));
    }
}
