//! Old data of every vintage: each variant of `contract/lancedb-tables.md` section 3 does what
//! `contract/migration.md` sections 3 to 5 say.

mod columns;
mod lists;
mod refusals;
mod rows;
mod stores;
mod texts;
mod unique;
mod vectors;
