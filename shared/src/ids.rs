//! Identifiers: one type for each noun, so that a tag id is refused where a memo id belongs, and the
//! randomness they are made of.
//!
//! Prefixes and lengths: `contract/http-conventions.md` section 9.

use std::fmt;

use rand::RngExt;
use schemars::JsonSchema;
use sea_query::{Nullable, Value};
use serde::{Deserialize, Serialize};

const LOWERCASE: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const NANOID: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

/// A source of cryptographically strong randomness.
pub trait Random: Send + Sync {
    /// Returns a number below `bound`; 0 when `bound` is 0.
    fn below(&self, bound: u64) -> u64;
}

/// The randomness of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { rand::rng().random_range(0..bound) }
    }
}

fn text(random: &dyn Random, prefix: &str, alphabet: &[u8], length: usize) -> String {
    let bound = alphabet.len() as u64;
    let letters = (0..length).map(|_| {
        let index = usize::try_from(random.below(bound)).unwrap_or_default();
        char::from(alphabet[index])
    });
    prefix.chars().chain(letters).collect()
}

/// Makes an id of a request that nobody gave one.
pub(crate) fn request_id(random: &dyn Random) -> String {
    text(random, "", LOWERCASE, 24)
}

/// Makes an id of text that somebody sent. No id holds U+0000, which PostgreSQL refuses as a parameter,
/// or ends with a space, which MySQL would ignore: such a text becomes one that names nothing.
fn received(mut text: String) -> String {
    text.retain(|c| c != '\0');
    if text.ends_with(' ') {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal + $length:literal of $alphabet:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// An opaque, case-sensitive string.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(String);

        impl $name {
            /// Makes a new id.
            #[must_use]
            pub fn new(random: &dyn Random) -> Self {
                Self(text(random, $prefix, $alphabet, $length))
            }

            /// Returns the id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(received(text))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::from(text.to_owned())
            }
        }

        impl From<$name> for Value {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl From<&$name> for Value {
            fn from(id: &$name) -> Self {
                id.0.as_str().into()
            }
        }

        impl Nullable for $name {
            fn null() -> Value {
                <String as Nullable>::null()
            }
        }
    )*};
}

identifiers! {
    /// Names a user.
    Uid = "u" + 23 of LOWERCASE;
    /// Names a memo.
    MemoId = "m" + 23 of LOWERCASE;
    /// Names a category.
    CategoryId = "c" + 23 of LOWERCASE;
    /// Names a tag.
    TagId = "t" + 23 of LOWERCASE;
    /// Names a relation between two memos.
    RelationId = "r" + 23 of LOWERCASE;
    /// Names an attachment; also the base name of its file.
    AttachmentId = "" + 24 of NANOID;
    /// Names a conversation.
    ConversationId = "conv" + 23 of LOWERCASE;
    /// Names a message of a conversation.
    MessageId = "msg" + 23 of LOWERCASE;
    /// Names the recommendation of a day.
    RecommendationId = "rec" + 23 of LOWERCASE;
    /// Names a push rule.
    PushRuleId = "push" + 23 of LOWERCASE;
    /// Names a claim on deliveries of pushes.
    ClaimId = "claim" + 23 of LOWERCASE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_the_contract() {
        let tag = TagId::new(&SystemRandom);
        assert_eq!(tag.as_str().len(), 24);
        assert!(tag.as_str().starts_with('t'));
        assert!(tag.as_str().bytes().all(|b| LOWERCASE.contains(&b)));
        assert_eq!(ConversationId::new(&SystemRandom).as_str().len(), 27);
        assert_eq!(AttachmentId::new(&SystemRandom).as_str().len(), 24);
    }

    #[test]
    fn an_id_never_holds_u0000_or_ends_with_a_space() {
        assert_eq!(MemoId::from("m\0x").as_str(), "mx");
        assert!(!MemoId::from("mx \0").as_str().ends_with(' '));
    }
}
