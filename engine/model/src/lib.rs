//! The words of Ferrofleet: ids, documents, domain values, findings.
//! No I/O, no clock, no randomness, no logging: every other room may use this one.
#![forbid(unsafe_code)]

pub mod clock;
pub mod commit;
pub mod condition;
pub mod definition;
pub mod digest;
pub mod finding;
pub mod fleet;
pub mod ids;
pub mod images;
pub mod live;
pub mod lock;
pub mod metal;
pub mod net;
pub mod overlay;
pub mod patch;
pub mod policy;
pub mod request;
pub mod rules;
pub mod seconds;
pub mod slot;
mod sorted;
pub mod tags;
pub mod tree;
pub mod want;

pub use clock::{Clock, Timestamp};
pub use commit::CommitId;
pub use condition::{Condition, ConditionStatus, Reason};
pub use definition::ClusterDefinition;
pub use digest::Digest;
pub use finding::{Finding, Place, Severity};
pub use fleet::Fleet;
pub use ids::{
    Allocation, Attempt, ClusterId, ClusterName, FleetName, ImageId, MachineId, Namespace, NetworkId, PartitionId,
    ProjectId, SizeId,
};
pub use lock::ClusterLock;
pub use metal::Have;
pub use net::{AddressFamily, Cidr};
pub use overlay::Overlay;
pub use patch::Patch;
pub use policy::ClusterPolicy;
pub use seconds::Seconds;
pub use slot::{Origin, Slot};
pub use tags::Tags;
pub use tree::{BlobId, Entry, EntryKind, ReadBlob, ReadError, Sink, SinkError, Tree};
pub use want::{Want, Wanted};

/// Group and version of every document of a fleet repository.
pub const API_VERSION: &str = "fleet.metal-stack.io/v1alpha1";
