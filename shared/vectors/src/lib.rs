//! LanceDB: the vectors and embedding caches of the product, and the stores of old installs.
//!
//! Old installs keep everything in LanceDB. Now the truth is in SQL, and LanceDB keeps what SQL is bad
//! at and what can be made again: one vector per memo or attachment, searched by distance, and the
//! embeddings that were paid for, looked up by hash. A lost vector costs one call of a model; a lost row
//! would cost a note. So nothing here takes part in a transaction of the database.
//!
//! No other crate names lancedb, lance, arrow or `object_store`: they bring a hundred megabytes, which
//! only the functions that search, index, maintain and migrate may carry. This crate does not know the
//! crate `shared` either.
//!
//! | module | owns |
//! |---|---|
//! | `store` | a directory or S3 prefix with tables |
//! | `snapshot` | reading one version of a table of unknown vintage, with bounded memory |
//! | `values` | what a cell holds, whatever width and encoding the column has |
//! | `vector_table` | `memo_vectors` and `attachment_vectors` |
//! | `embedding_cache` | the embedding caches |
//! | `cache` | copying the embedding caches to another store |
//! | `upkeep` | compacting tables and removing old versions |
//! | `backup` | tables as files with a manifest, and back |
//! | `testing` | tables of any vintage for tests and benchmarks (feature `testing`) |
//!
//! Every future of LanceDB is boxed where it is awaited: the compiler cannot always prove that a future
//! around one of them may be sent to another thread.
//!
//! # Adding a table
//!
//! To read a table of an old install, ask for it: [`Store::snapshot`] takes any name, and
//! [`Snapshot::rows`] any columns, of which those missing read as [`Value::Null`]. To add a table of our
//! own, follow `vector_table`: a schema with the id declared as primary key, a check that a table of that
//! name has that schema, scalar indexes at creation, and writes by merge-insert.

mod backup;
mod cache;
mod cause;
mod embedding_cache;
mod error;
mod location;
mod maintenance;
mod scan;
mod snapshot;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod upkeep;
mod values;
mod vector_table;

pub use backup::{
    BackedUpTable, Manifest, Origin, Place, find_backups, restore_backup, verify_backup, write_backup,
};
pub use cache::{CACHE_TABLES, CacheCopy, copy_cache};
pub use embedding_cache::{CacheKey, CacheKind, EmbeddingCache};
pub use error::{Error, Result};
pub use snapshot::{Column, Snapshot};
pub use store::{Store, StoreOptions};
pub use upkeep::{TableState, TableUpkeep, tables_of_ours};
pub use values::{Rows, Value, Values};
pub use vector_table::{Hit, Stored, VectorKind, VectorRow, VectorTable, unit};
