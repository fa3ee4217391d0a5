//! Why vectors cannot be had.

use std::sync::Arc;

use shared::{clients::Failure, db};

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why vectors cannot be had. The text names no secret and holds no content.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The embedding model brought nothing.
    #[error("the embedding failed: {0}")]
    NotEmbedded(Arc<Failure>),
    /// The vector store fails.
    #[error(transparent)]
    Store(#[from] vectors::Error),
    /// The vector store takes too long.
    #[error("the vector store did not answer in time")]
    StoreTimedOut,
    /// No vector store is configured.
    #[error("LANCEDB_URI is not set")]
    NoStore,
    /// The database fails.
    #[error("the outbox cannot be read or written")]
    Database(#[from] db::Error),
}
