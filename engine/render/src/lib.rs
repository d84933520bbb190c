//! Definitions and locks to files: Cluster API manifests and the locks themselves.
#![forbid(unsafe_code)]

pub use deleting::is_left;
pub use edit::{EditError, Edited, Settled, edit, in_the_way, is_ours};
pub use images::{BillEntry, Fetched, images, unmapped};
pub use impact::{Effect, Impact};
pub use lock_file::{lock, tombstone, tombstone_path};
pub use memo::Memo;
pub use patch::{PatchError, PatchFault};
pub use probe::{Judged, findings, judge, placeholder_lock};
pub use render::{Rendered, cluster, complete, namespace};

mod deleting;
mod delivery;
mod edit;
mod emit;
mod facts;
mod guards;
mod images;
mod impact;
mod keep;
mod kinds;
mod lock_file;
mod memo;
mod patch;
mod probe;
mod render;
#[cfg(test)]
mod tests;
