//! `indexer`: keeps the vectors of memos in step with SQL (`contract/memos.md` section 6).
//!
//! A memo is written without its vector; the note in `vector_outbox` from which the vector follows is written
//! with it. Here the notes become vectors: every minute for everybody, and before a search for the user who
//! searches. The functions `search` and `maintenance` use this library too.
//!
//! | module | owns |
//! |---|---|
//! | `index` | what others ask of the vectors |
//! | `embedder` | embeddings through the caches |
//! | `drain` | from notes to vectors |
//! | `status` | how much is waiting |
//! | `command` | the command line |

pub mod command;
mod drain;
mod embedder;
mod error;
mod index;
mod status;

pub use drain::Drained;
pub use error::{Error, Result};
pub use index::{Index, Scored};
pub use status::Status;
