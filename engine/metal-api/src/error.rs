//! What can become of a call, typed: every error names its call and keeps the server's words.

mod classify;

pub(crate) use classify::{classify, failed, tidy};

use model::ProjectId;
use std::{fmt, time::Duration};

/// The operations of [`crate::Metal`], as metrics and messages name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    Health,
    Version,
    ProjectGet,
    NetworkFind,
    IpFind,
    MachineFind,
    ImageList,
    SizeList,
    PartitionList,
    PartitionCapacity,
    NetworkAllocate,
    IpAllocate,
    IpUpdate,
    MachineAllocate,
    FirewallAllocate,
    NetworkFree,
    IpFree,
    MachineFree,
}

impl Op {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Version => "version",
            Self::ProjectGet => "project_get",
            Self::NetworkFind => "network_find",
            Self::IpFind => "ip_find",
            Self::MachineFind => "machine_find",
            Self::ImageList => "image_list",
            Self::SizeList => "size_list",
            Self::PartitionList => "partition_list",
            Self::PartitionCapacity => "partition_capacity",
            Self::NetworkAllocate => "network_allocate",
            Self::IpAllocate => "ip_allocate",
            Self::IpUpdate => "ip_update",
            Self::MachineAllocate => "machine_allocate",
            Self::FirewallAllocate => "firewall_allocate",
            Self::NetworkFree => "network_free",
            Self::IpFree => "ip_free",
            Self::MachineFree => "machine_free",
        }
    }

    /// Whether it changes anything: such a call is never repeated by the client.
    pub fn is_write(self) -> bool {
        match self {
            Self::Health
            | Self::Version
            | Self::ProjectGet
            | Self::NetworkFind
            | Self::IpFind
            | Self::MachineFind
            | Self::ImageList
            | Self::SizeList
            | Self::PartitionList
            | Self::PartitionCapacity => false,
            Self::NetworkAllocate
            | Self::IpAllocate
            | Self::IpUpdate
            | Self::MachineAllocate
            | Self::FirewallAllocate
            | Self::NetworkFree
            | Self::IpFree
            | Self::MachineFree => true,
        }
    }

    /// Whether it gives something back.
    pub fn is_free(self) -> bool {
        matches!(self, Self::NetworkFree | Self::IpFree | Self::MachineFree)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which call it was, for whom, about what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub op: Op,
    pub project: Option<ProjectId>,
    /// Network id, address, machine id, or the name of what was to be allocated.
    pub subject: Option<String>,
}

impl Call {
    pub fn new(op: Op) -> Self {
        Self { op, project: None, subject: None }
    }

    pub fn of(op: Op, project: &ProjectId) -> Self {
        Self { op, project: Some(project.clone()), subject: None }
    }

    pub fn about(mut self, subject: impl fmt::Display) -> Self {
        self.subject = Some(subject.to_string());
        self
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metal-api {}", self.op)?;
        if let Some(subject) = &self.subject {
            write!(f, " {subject}")?;
        }
        if let Some(project) = &self.project {
            write!(f, " (project {project})")?;
        }
        Ok(())
    }
}

/// What there is none of at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scarce {
    /// Every prefix of the network is full.
    Addresses,
    /// The super network has no free child prefix of that length.
    Prefixes,
    /// No waiting machine of the size in the partition.
    Machines,
    /// The partition's allocation lock was not gained.
    AllocationLock,
    /// The project's quota: time alone does not help.
    Quota,
}

/// Why a call did not do what was asked. `text` is the server's message, or the transport's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{call}: not found: {text}")]
    NotFound { call: Call, text: String },
    /// The address or machine is somebody's, or the entity was changed meanwhile: read again.
    #[error("{call}: conflict: {text}")]
    Conflict { call: Call, text: String },
    /// Refused for good: the same request gets the same answer.
    #[error("{call}: refused with {status}: {text}")]
    Invalid { call: Call, status: u16, text: String },
    /// Capacity: the same request may succeed later.
    #[error("{call}: nothing left: {text}")]
    Exhausted { call: Call, what: Scarce, text: String },
    /// Not freed yet: addresses are in use, or still being released.
    #[error("{call}: still in use: {text}")]
    InUse { call: Call, text: String },
    /// Credentials, clock or role. With `skew` the server found our time too old.
    #[error("{call}: denied{hint}: {text}", hint = if *skew { " (the clocks differ)" } else { "" })]
    Denied { call: Call, skew: bool, text: String },
    /// Answered, nothing done: 429 or 503.
    #[error("{call}: busy ({status}){after}: {text}", after = AfterHint(*after))]
    Busy { call: Call, status: u16, after: Option<Duration>, text: String },
    /// A write that may have happened. Search before anything else.
    #[error("{call}: outcome unknown: {text}")]
    Unknown { call: Call, text: String },
    /// Nothing happened: no connection, or a read that failed.
    #[error("{call}: unreachable: {text}")]
    Unreachable { call: Call, text: String },
    /// An answer that is not metal-api's, such as a proxy's page; nothing may be concluded from it.
    #[error("{call}: not an answer of metal-api ({status}): {text}")]
    Malformed { call: Call, status: u16, text: String },
    /// Not sent: the fleet does not list the project (R16).
    #[error("{call}: the fleet does not list this project")]
    Outside { call: Call },
    /// Not sent: the engine only looks (`--observe`).
    #[error("{call}: not sent, the engine only looks")]
    ReadOnly { call: Call },
}

struct AfterHint(Option<Duration>);

impl fmt::Display for AfterHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |after| write!(f, ", again in {} s", after.as_secs()))
    }
}

impl Error {
    pub fn call(&self) -> &Call {
        match self {
            Self::NotFound { call, .. }
            | Self::Conflict { call, .. }
            | Self::Invalid { call, .. }
            | Self::Exhausted { call, .. }
            | Self::InUse { call, .. }
            | Self::Denied { call, .. }
            | Self::Busy { call, .. }
            | Self::Unknown { call, .. }
            | Self::Unreachable { call, .. }
            | Self::Malformed { call, .. }
            | Self::Outside { call }
            | Self::ReadOnly { call } => call,
        }
    }

    /// The server's words, without the call.
    pub fn text(&self) -> &str {
        match self {
            Self::NotFound { text, .. }
            | Self::Conflict { text, .. }
            | Self::Invalid { text, .. }
            | Self::Exhausted { text, .. }
            | Self::InUse { text, .. }
            | Self::Denied { text, .. }
            | Self::Busy { text, .. }
            | Self::Unknown { text, .. }
            | Self::Unreachable { text, .. }
            | Self::Malformed { text, .. } => text,
            Self::Outside { .. } => "the fleet does not list this project",
            Self::ReadOnly { .. } => "not sent, the engine only looks",
        }
    }

    /// The class, as metrics name it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Conflict { .. } => "conflict",
            Self::Invalid { .. } => "invalid",
            Self::Exhausted { .. } => "exhausted",
            Self::InUse { .. } => "in_use",
            Self::Denied { .. } => "denied",
            Self::Busy { .. } => "busy",
            Self::Unknown { .. } => "unknown",
            Self::Unreachable { .. } => "unreachable",
            Self::Malformed { .. } => "malformed",
            Self::Outside { .. } => "outside",
            Self::ReadOnly { .. } => "read_only",
        }
    }

    /// Whether the write may have happened (design, "Why one of each holds" 5): search, do not repeat.
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Unknown { .. } => true,
            // 4xx of something in between: it answered for metal-api and may have cut it off.
            Self::Malformed { call, .. } => call.op.is_write(),
            Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Invalid { .. }
            | Self::Exhausted { .. }
            | Self::InUse { .. }
            | Self::Denied { .. }
            | Self::Busy { .. }
            | Self::Unreachable { .. }
            | Self::Outside { .. }
            | Self::ReadOnly { .. } => false,
        }
    }

    /// Whether the same call may do better later without anybody changing anything.
    pub fn is_retryable_later(&self) -> bool {
        match self {
            Self::Exhausted { what, .. } => *what != Scarce::Quota,
            Self::Conflict { .. }
            | Self::InUse { .. }
            | Self::Busy { .. }
            | Self::Unknown { .. }
            | Self::Unreachable { .. }
            | Self::Malformed { .. } => true,
            Self::NotFound { .. }
            | Self::Invalid { .. }
            | Self::Denied { .. }
            | Self::Outside { .. }
            | Self::ReadOnly { .. } => false,
        }
    }
}
