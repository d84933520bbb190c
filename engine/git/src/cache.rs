//! The cache: a bare repository in a folder per remote. Everything in it can be fetched again (I10), so whatever looks
//! broken is thrown away.
//!
//! One process owns a folder by a file lock; several workers of that process share it. Whoever comes second gets a
//! temporary one.

mod folder;
mod store;
mod tidy;

pub(crate) use folder::Cache;
pub(crate) use store::Store;
