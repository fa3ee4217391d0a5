//! The outside world: language models, embeddings, speech, pictures, releases, channels of pushes, and storage of files.
//!
//! Each provider is a trait object that is built when it is first used ([`http::App`](crate::http::App)
//! keeps it), so a function links only the clients that its handlers ask for. All of them send their
//! requests through [`Http`], wait and try again as a [`Patience`] allows, and fail
//! with a [`Failure`], whose text names no secret and quotes nothing that a provider said.

pub mod asr;
mod bedrock;
pub mod chat;
mod counted;
pub mod embeddings;
mod failure;
mod http;
pub mod ocr;
pub mod push;
pub mod releases;
mod retry;
pub(crate) mod secrets;
pub mod sigv4;
pub mod storage;

pub use chat::{ChatModel, Prompt};
pub use embeddings::EmbeddingModel;
pub use failure::{Failure, Told};
pub use http::{Answer, Call, Direct, Guarded, Http};
pub use retry::Patience;

/// The result of a call to a provider.
pub type Result<T, E = Failure> = std::result::Result<T, E>;
