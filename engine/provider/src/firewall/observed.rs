//! What a decision about a firewall looks at, and what it can ask for.

use super::template::Blueprint;
use crate::api::{
    Condition, MetalStackCluster, MetalStackFirewallDeployment, MetalStackFirewallDeploymentStatus,
    MetalStackFirewallTemplate,
};
use crate::capi::Cluster;
use crate::control::server;
use crate::names;
use crate::step::{Failure, Memory};
use kube::ResourceExt as _;
use model::metal::{Machine, MachineRole};
use model::{ImageId, MachineId, PartitionId, ProjectId, Slot, Timestamp, tags};
use std::sync::Arc;
use std::time::Duration;
/// What stands for an allocation without a uuid: it tells nothing.
const NO_ALLOCATION: &str = "none";

/// One firewall deployment and all that is known around it.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub deployment: Arc<MetalStackFirewallDeployment>,
    pub infrastructure: Option<Arc<MetalStackCluster>>,
    /// The owner of the infrastructure.
    pub cluster: Option<Arc<Cluster>>,
    pub template: Option<Arc<MetalStackFirewallTemplate>>,
    /// MetalStackMachines of the cluster.
    pub machines: usize,
    pub metal: Metal,
    pub memory: Memory,
    pub terms: Terms,
}

/// How the provider is to behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub settle: Duration,
    pub health_timeout: Duration,
    pub replacement_pause: Duration,
    pub image_updates: bool,
}

/// What metal-api said.
#[derive(Clone, Debug)]
pub(crate) enum Metal {
    /// Nothing says in which project the firewall is.
    NoProject,
    /// It could not be read, or nothing may be concluded from what was read.
    Unread(Failure),
    Read(Project),
}

/// The firewalls of one project that can concern one deployment.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub id: ProjectId,
    /// The one that managedResourceRef names, the one that the object noted, those with the deployment's tag, and those
    /// of the cluster and of its node network.
    pub firewalls: Vec<Arc<Machine>>,
    /// The one that managedResourceRef names, or without it the one that was noted, is gone, as R15 concludes it.
    pub named_is_gone: bool,
    /// Since when every reading of this process had the named one dead.
    pub dead_since: Option<Timestamp>,
    /// So many others are dead at once that it is not their fault.
    pub is_outage: bool,
    /// What the template's image stands for now; known only where images may be updated.
    pub newest_image: Option<ImageId>,
    /// When `firewalls` was read directly in this pass.
    pub searched: Option<Timestamp>,
    /// Freed in this pass.
    pub freed: Vec<Arc<Machine>>,
}

/// One effect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    AddFinalizer,
    RemoveFinalizer,
    /// A new attempt into the object, with where it is made, before anything is allocated with it.
    DrawAttempt {
        project: ProjectId,
        credentials: Option<String>,
    },
    /// The attempt is somebody else's: time must pass before it is known what came of it.
    AwaitAttempt,
    /// Read the named firewall and those with the deployment's tag directly.
    Search,
    Allocate(Box<Blueprint>),
    /// What is now the deployment's firewall, into managedResourceRef, and with what template it was made.
    Name {
        firewall: Arc<Machine>,
        baseline: Option<String>,
    },
    /// Annotations that the object lacks.
    Note(Vec<(&'static str, String)>),
    /// Nothing is under way any more.
    Unblock,
    Free(Arc<Machine>),
}

/// What managedResourceRef says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Named {
    Nothing,
    Firewall(MachineId),
    Unreadable(String),
}

/// Whose firewall it is, by its tags.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Whose {
    /// Allocated by the provider for this deployment, which names it or knows its attempt.
    Ours,
    /// Allocated by a provider for a deployment of this name: that of another management cluster, or of a former life.
    Namesake,
    /// Allocated by CAPMS for this deployment.
    Capms,
    Engine,
    /// Another deployment's.
    Other(String),
    /// A person's.
    Unmarked,
}

impl Observed {
    pub(super) fn existing(&self) -> &[Condition] {
        self.status().map(|s| s.conditions.as_slice()).unwrap_or_default()
    }

    pub(super) fn status(&self) -> Option<&MetalStackFirewallDeploymentStatus> {
        self.deployment.status.as_ref()
    }

    pub(super) fn was_ready(&self) -> bool {
        self.status().is_some_and(|s| s.ready)
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.deployment.annotations().get(key).map(String::as_str)
    }

    pub(super) fn is_paused(&self) -> bool {
        let infrastructure = self.infrastructure.as_ref().is_some_and(|i| i.annotations().contains_key(names::PAUSED));
        let cluster = self.cluster.as_ref().is_some_and(|c| c.is_paused());
        self.annotation(names::PAUSED).is_some() || infrastructure || cluster
    }

    /// The engine allocates, replaces and frees it (R3).
    pub(super) fn is_the_engines(&self) -> bool {
        let slots = self.infrastructure.as_ref().and_then(|i| i.annotations().get(names::ENGINE_SLOTS));
        slots.is_some_and(|slots| slots.split(',').any(|slot| slot.trim() == "firewall"))
    }

    pub(super) fn is_adopted(&self) -> bool {
        self.annotation(names::ORIGIN) == Some(names::ADOPTED)
    }

    /// `clusterctl move` has it in another management cluster already.
    pub(super) fn is_moved_away(&self) -> bool {
        self.annotation(names::DELETE_FOR_MOVE).is_some()
    }

    /// The allocation that was noted last.
    pub(super) fn noted(&self) -> Option<&str> {
        self.annotation(names::ALLOCATION).filter(|noted| !matches!(*noted, "" | NO_ALLOCATION))
    }

    pub(super) fn is_named(&self, firewall: &Machine) -> bool {
        self.named() == Named::Firewall(firewall.id.clone())
    }

    fn has_our_attempt(&self, firewall: &Machine) -> bool {
        self.annotation(names::ATTEMPT).is_some_and(|ours| !ours.is_empty() && firewall.tags.has(tags::ATTEMPT, ours))
    }

    /// In the cluster's node network, where it announces the way out.
    pub(super) fn is_in_node_network(&self, firewall: &Machine) -> bool {
        let nodes = self.infrastructure.as_ref().and_then(|i| i.spec.node_network_id.as_deref());
        let is_of = |nodes| firewall.networks.iter().any(|n| n.network.as_str() == nodes && n.kind.is_primary());
        firewall.role == MachineRole::Firewall && nodes.is_some_and(is_of)
    }

    pub(super) fn named(&self) -> Named {
        let text = self.deployment.spec.managed_resource_ref.as_ref().map_or("", |r| r.name.as_str());
        match server(text) {
            _ if text.is_empty() => Named::Nothing,
            Some(id) => Named::Firewall(id),
            None => Named::Unreadable(text.to_owned()),
        }
    }

    /// `<namespace>.<name>`, what the tag of the deployment says.
    pub(super) fn deployment_tag(&self) -> String {
        format!("{}.{}", self.namespace(), self.deployment.name_any())
    }

    /// CAPMS's id of the cluster: that of the infrastructure.
    pub(super) fn cluster_tag(&self) -> Option<String> {
        let infrastructure = self.infrastructure.as_ref()?;
        Some(format!("{}.{}", infrastructure.namespace().unwrap_or_default(), infrastructure.name_any()))
    }

    pub(super) fn whose(&self, firewall: &Machine) -> Whose {
        let tag = |key| firewall.tags.get(key);
        match tag(tags::FIREWALL_DEPLOYMENT_RESOURCE) {
            _ if firewall.tags.has(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE) => Whose::Engine,
            Some(of) if of != self.deployment_tag() => Whose::Other(of.to_owned()),
            // A name can come twice in a project, an attempt cannot.
            Some(_) if tag(tags::MANAGED_BY) == Some(tags::MANAGED_BY_PROVIDER) => {
                let is_noted = |noted| allocation(firewall) == Some(noted);
                let is_ours = self.noted().map_or_else(|| self.is_named(firewall), is_noted);
                if is_ours || self.has_our_attempt(firewall) { Whose::Ours } else { Whose::Namesake }
            }
            Some(_) if tag(tags::MANAGED_BY).is_none() && is_of_capms(firewall) => Whose::Capms,
            Some(_) | None => Whose::Unmarked,
        }
    }

    /// What the provider allocated for this deployment, and what CAPMS did and the deployment names.
    pub(super) fn may_free(&self, firewall: &Machine) -> bool {
        let is_named = self.is_named(firewall);
        let whose = match self.whose(firewall) {
            // Whatever was adopted: the attempt says that it was allocated here.
            Whose::Ours => !(is_named && self.is_adopted()) || self.has_our_attempt(firewall),
            Whose::Capms => is_named && !self.is_adopted() && !self.is_the_engines(),
            Whose::Namesake | Whose::Engine | Whose::Other(_) | Whose::Unmarked => false,
        };
        whose && firewall.role == MachineRole::Firewall
    }

    /// The object's attempt, unless a firewall carries it already: then another is drawn for the next one.
    pub(super) fn unspent_attempt(&self, project: &Project) -> Option<&str> {
        let attempt = self.annotation(names::ATTEMPT).filter(|a| !a.is_empty())?;
        let mut own = project.firewalls.iter().chain(&project.freed).filter(|f| self.whose(f) == Whose::Ours);
        let carries = |f: &Arc<Machine>| f.role == MachineRole::Firewall && f.tags.has(tags::ATTEMPT, attempt);
        (!own.any(carries)).then_some(attempt)
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.annotation(names::BLOCK_MOVE).is_some()
    }

    /// The name of a Secret: the cluster's; when that is gone, the one it was allocated with.
    pub(super) fn credentials(&self) -> Option<String> {
        match &self.infrastructure {
            Some(infrastructure) => Some(infrastructure.spec.credentials_ref.as_ref()?.name.clone()),
            None => self.annotation(names::CREDENTIALS).map(str::to_owned),
        }
    }

    pub(super) fn namespace(&self) -> String {
        self.deployment.namespace().unwrap_or_default()
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.deployment.metadata.deletion_timestamp.is_some()
    }

    /// The provider is told to update images, and the object asks for it.
    pub(super) fn wants_newest_image(&self) -> bool {
        self.terms.image_updates && self.deployment.spec.auto_update.and_then(|a| a.machine_image) == Some(true)
    }
}

impl Project {
    pub(super) fn find(&self, id: &MachineId) -> Option<&Arc<Machine>> {
        self.firewalls.iter().find(|f| f.id == *id)
    }
}

/// The tags that CAPMS puts on firewalls (R18), all of them.
fn is_of_capms(firewall: &Machine) -> bool {
    firewall.tags.has(tags::FIREWALL_MANAGED_BY, tags::FIREWALL_MANAGED_BY_CAPMS)
        && [tags::CLUSTER_ID, tags::CLUSTER_RESOURCE].iter().all(|key| firewall.tags.get(key).is_some())
}

/// metal-api's uuid of it, where it has one.
pub(super) fn allocation(firewall: &Machine) -> Option<&str> {
    Some(firewall.allocation.as_str()).filter(|allocation| *allocation != NO_ALLOCATION)
}

/// From 1; 0 where nothing says it, which is before all others.
pub(super) fn generation(firewall: &Machine) -> u32 {
    match firewall.tags.get(tags::SLOT).and_then(|slot| slot.parse().ok()) {
        Some(Slot::Firewall(generation)) => generation,
        _ => 0,
    }
}

/// Whether traffic passes it, as far as metal-api tells.
pub(super) fn serves(firewall: &Machine) -> bool {
    firewall.phoned_home && firewall.alive && !firewall.crash_loop
}

/// What managedResourceRef says of a firewall.
pub(super) fn reference(partition: &PartitionId, id: &MachineId) -> String {
    format!("metal://{partition}/{id}")
}
