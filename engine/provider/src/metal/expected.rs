//! What somebody who wants to free a resource must know of it, and whether what was read just before is that.

use model::metal::{Ip, Machine, MachineState, Network, NetworkKind};
use model::{Allocation, MachineId, NetworkId, ProjectId, Tags, tags};
use std::net::IpAddr;

/// The proof for a free: without it nothing is freed. What the engine allocated is never freed, whatever is expected.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expected<Id> {
    pub project: ProjectId,
    pub id: Id,
    /// As the object recorded it. None where it never knew: then `tags` must tell it. Networks have none.
    pub allocation: Option<Allocation>,
    /// All of them must be there, with these values.
    pub tags: Tags,
    /// None of them may be there; one with an empty value stands for its key with any value.
    pub without: Tags,
}

impl<Id> Expected<Id> {
    pub(crate) fn new(project: &ProjectId, id: Id) -> Self {
        Self { project: project.clone(), id, allocation: None, tags: Tags::new(), without: Tags::new() }
    }
}

/// What was read just before a free.
pub(super) trait Found {
    type Id: PartialEq;

    fn id(&self) -> &Self::Id;
    /// None of resources that belong to no project.
    fn project(&self) -> Option<&ProjectId>;
    fn allocation(&self) -> Option<&Allocation>;
    fn tags(&self) -> &Tags;
    /// Why the provider frees none of its kind.
    fn never(&self) -> Option<&'static str> {
        None
    }
    /// What a person says against it.
    fn locked(&self) -> Option<String> {
        None
    }
}

impl Found for Machine {
    type Id = MachineId;

    fn id(&self) -> &MachineId {
        &self.id
    }

    fn project(&self) -> Option<&ProjectId> {
        Some(&self.project)
    }

    fn allocation(&self) -> Option<&Allocation> {
        Some(&self.allocation)
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn locked(&self) -> Option<String> {
        (self.state == MachineState::Locked).then(|| match self.state_description.as_str() {
            "" => "machine is locked".to_owned(),
            why => format!("machine is locked: {why}"),
        })
    }
}

impl Found for Ip {
    type Id = IpAddr;

    fn id(&self) -> &IpAddr {
        &self.address
    }

    fn project(&self) -> Option<&ProjectId> {
        Some(&self.project)
    }

    fn allocation(&self) -> Option<&Allocation> {
        Some(&self.allocation)
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

impl Found for Network {
    type Id = NetworkId;

    fn id(&self) -> &NetworkId {
        &self.id
    }

    fn project(&self) -> Option<&ProjectId> {
        self.project.as_ref()
    }

    fn allocation(&self) -> Option<&Allocation> {
        None
    }

    fn tags(&self) -> &Tags {
        &self.labels
    }

    fn never(&self) -> Option<&'static str> {
        (self.kind != NetworkKind::Child).then_some("it is no node network")
    }
}

/// Why what was found is not what may be freed; None when it is.
pub(super) fn not_ours<F: Found>(expected: &Expected<F::Id>, found: &F) -> Option<String> {
    if found.id() != &expected.id {
        return Some("another resource was found in its place".to_owned());
    }
    if found.project() != Some(&expected.project) {
        let project = found.project().map_or("no project", ProjectId::as_str);
        return Some(format!("it belongs to {project} and not to project {}", expected.project));
    }
    if let Some(never) = found.never() {
        return Some(never.to_owned());
    }
    if found.tags().has(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE) {
        return Some("the engine allocated it, and the engine frees it".to_owned());
    }
    if let Some((ours, theirs)) = expected.allocation.as_ref().zip(found.allocation()).filter(|(a, b)| a != b) {
        return Some(format!("it was freed and allocated again: its allocation is {theirs} and not {ours}"));
    }
    // An id alone proves nothing: it may be somebody else's by now.
    if expected.tags.is_empty() && (expected.allocation.is_none() || found.allocation().is_none()) {
        return Some("neither its allocation nor a tag says whose it is".to_owned());
    }
    if let Some((key, value)) = expected.tags.iter().find(|(key, value)| !found.tags().has(key, value)) {
        return Some(match found.tags().get(key) {
            Some(other) => format!("its tag {key} is `{other}` and not `{value}`"),
            None => format!("it has no tag {key}={value}"),
        });
    }
    let forbidden = |(key, value): &(&str, &str)| {
        found.tags().iter().any(|(other, its)| other == *key && (value.is_empty() || its == *value))
    };
    expected.without.iter().find(forbidden).map(|(key, _)| format!("it has the tag {key}"))
}
