//! What is known of one machine when it is decided upon: plain data, no clients.

use super::identity::{self, Resource};
use crate::api::{Condition, ConditionStatus, MetalStackCluster, MetalStackMachine, MetalStackMachineStatus};
use crate::capi::{Cluster, Machine as Owner};
use crate::control::server;
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Failure, Memory};
use kube::ResourceExt as _;
use model::metal::{Machine, MachineRole, UserData};
use model::{MachineId, ProjectId, Tags, Timestamp, tags};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub object: Arc<MetalStackMachine>,
    /// The Machine of Cluster API.
    pub owner: Option<Arc<Owner>>,
    pub cluster: Option<Arc<Cluster>>,
    pub infrastructure: Option<Arc<MetalStackCluster>>,
    /// The other machines of the cluster.
    pub siblings: Vec<Sibling>,
    /// The projects in which its machine can be: one, save when it is deleted and nothing says which.
    pub rooms: Vec<Room>,
    /// What was read of the bootstrap Secret in this pass.
    pub bootstrap: Option<Bootstrap>,
    /// The API server did not take the labels in this pass: they are not worth more tries.
    pub labels_refused: bool,
    pub memory: Memory,
    pub rules: Rules,
}

/// What `Config` says, as far as it is decided upon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub settle: Duration,
    pub control_plane_grace: Duration,
}

/// Another machine of the cluster, as far as it claims a server.
#[derive(Clone, Debug)]
pub(crate) struct Sibling {
    pub resource: Resource,
    pub id: Option<MachineId>,
}

/// One project of metal-api, as far as this machine is concerned.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    pub project: ProjectId,
    pub reach: Reach,
    /// Brought by a search in this pass.
    pub searched: Option<Search>,
    /// Brought by direct reads in this pass; `None`: not there, or not any more.
    pub looked: BTreeMap<MachineId, Option<Arc<Machine>>>,
    /// Allocated in this pass.
    pub allocated: Option<Arc<Machine>>,
}

/// Whether a project can be worked with, and what its last bulk reading had.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// Not allowed, no credentials, or metal-api did not answer.
    Closed(Failure),
    /// Too much of it is missing at once (R15).
    Suspect(String),
    Open {
        /// What providerID names.
        named: Named,
        /// What says that it is this object's.
        mine: Vec<Arc<Machine>>,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Named {
    /// No providerID, or none that names a machine.
    Nothing,
    Here(Arc<Machine>),
    /// Not in the reading, or somebody else's there: nothing is concluded from one.
    Missing,
    /// Nor in the one before: only a direct read is left to ask (R15).
    MissingTwice,
    /// That did not find it either; or found it as somebody else's.
    Gone(Option<Arc<Machine>>),
}

/// What a direct search found.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// When it began.
    pub at: Timestamp,
    /// Machines whose tags name this object.
    pub mine: Vec<Arc<Machine>>,
    /// Control planes of the cluster, where that was asked (R8).
    pub control_planes: Vec<Arc<Machine>>,
}

/// What the bootstrap Secret has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bootstrap {
    Data(UserData),
    /// Why it cannot be used, and what to do.
    Unusable(String),
}

impl Room {
    /// What this pass brought of a machine; `Some(None)`: it is not there.
    pub(crate) fn brought(&self, id: &MachineId) -> Option<Option<&Arc<Machine>>> {
        let searched = self.searched.iter().flat_map(|search| &search.mine);
        let found = self.allocated.iter().chain(searched).find(|machine| machine.id == *id);
        self.looked.get(id).map(Option::as_ref).or(found.map(Some))
    }
}

impl Observed {
    pub(crate) fn namespace(&self) -> String {
        self.object.namespace().unwrap_or_default()
    }

    pub(crate) fn resource(&self) -> Resource {
        Resource::of(&self.namespace(), &self.object.name_any())
    }

    /// What control planes of its cluster are searched by: the MetalStackCluster, in both forms of CAPMS, and the Cluster,
    /// which keeps its name when a ClusterClass makes its infrastructure anew (R8).
    pub(crate) fn control_plane_searches(&self) -> Vec<Tags> {
        let namespace = self.namespace();
        let infrastructure = self.infrastructure.as_ref().map(|infrastructure| infrastructure.name_any());
        let cluster = self.cluster.as_ref().map(|cluster| cluster.name_any());
        let by = |key, value: String| Tags::new().with(key, value).with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE);
        let of = infrastructure
            .iter()
            .flat_map(|name| [format!("{namespace}.{name}"), identity::old_form(&namespace, name)]);
        let mut all: Vec<Tags> = of.map(|value| by(tags::CLUSTER_RESOURCE, value)).collect();
        all.extend(cluster.map(|name| by(tags::CLUSTER_ID, format!("{namespace}.{name}"))));
        all
    }

    /// The tag with which a machine says that it is this object's.
    pub(crate) fn own_tag<'a>(&self, machine: &'a Machine) -> Option<(&'static str, &'a str)> {
        if let Some(of) = machine.tags.get(tags::MACHINE_RESOURCE) {
            return self.resource().is_on(machine).then_some((tags::MACHINE_RESOURCE, of));
        }
        let of = machine.tags.get(identity::MACHINE_UID).filter(|_| machine.role == MachineRole::Machine)?;
        // A move or a backup gives the object another UID; its allocation was noted before.
        let noted = || self.names(machine) && self.allocation() == Some(machine.allocation.as_str());
        (self.object.metadata.uid.as_deref() == Some(of) || noted()).then_some((identity::MACHINE_UID, of))
    }

    pub(crate) fn provider_id(&self) -> Option<&str> {
        self.object.spec.provider_id.as_deref().filter(|id| !id.is_empty())
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.object.annotations().get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn attempt(&self) -> Option<&str> {
        self.annotation(names::ATTEMPT)
    }

    /// metal-api's allocation UUID of its machine, where it was noted.
    pub(crate) fn allocation(&self) -> Option<&str> {
        self.annotation(names::ALLOCATION).filter(|allocation| *allocation != identity::NO_ALLOCATION)
    }

    /// Whether the object says that a machine was allocated for it, or may have been.
    pub(crate) fn may_have_machine(&self) -> bool {
        let noted =
            self.attempt().is_some() || self.allocation().is_some() || self.annotation(names::PROJECT).is_some();
        self.provider_id().is_some() || noted || self.had_machine()
    }

    /// Whether its machine was once seen in metal-api, which is what makes it news that it is not.
    pub(crate) fn was_seen(&self) -> bool {
        let lost = [Reason::DeletedExternally, Reason::BelongsToOther].map(Reason::as_str);
        let is = |c: &Condition| match c.status {
            ConditionStatus::True => true,
            ConditionStatus::False => lost.contains(&c.reason.as_str()),
            ConditionStatus::Unknown => false,
        };
        let said = |c: &Condition| c.type_ == ConditionType::MachineAllocated.as_str() && is(c);
        self.allocation().is_some() || self.conditions().iter().any(said)
    }

    /// Whether it once had a machine: it never gets another (R15).
    pub(crate) fn had_machine(&self) -> bool {
        let provisioned = |status: &MetalStackMachineStatus| {
            status.ready || status.initialization.and_then(|i| i.provisioned) == Some(true)
        };
        self.allocation().is_some() || self.object.status.as_ref().is_some_and(provisioned)
    }

    /// Whether it names this machine: by providerID, and where that was taken out by its allocation.
    pub(crate) fn names(&self, machine: &Machine) -> bool {
        match self.provider_id() {
            Some(id) => server(id).is_some_and(|id| id == machine.id),
            None => self.allocation() == Some(machine.allocation.as_str()),
        }
    }

    /// What machines of this object are searched by.
    pub(crate) fn searches(&self) -> Vec<Tags> {
        let resource = self.resource();
        let by = |key, value: &str| Tags::new().with(key, value);
        let mut all: Vec<Tags> = resource.forms().map(|form| by(tags::MACHINE_RESOURCE, form)).collect();
        // Nobody allocates so any more: only what was lost is looked for.
        let uid = self.object.metadata.uid.as_deref().filter(|_| self.had_machine());
        all.extend(uid.map(|uid| by(identity::MACHINE_UID, uid)));
        all
    }

    /// Whether metal-api has a say in what is decided.
    pub(crate) fn needs_metal(&self) -> bool {
        let has_all = self.owner.is_some() && self.cluster.is_some() && self.infrastructure.is_some();
        let is_live = !self.is_deleted() && has_all;
        !self.is_moved_away() && !self.is_paused() && (is_live || self.is_deleted() && self.has_finalizer())
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.object.metadata.deletion_timestamp.is_some()
    }

    pub(crate) fn has_finalizer(&self) -> bool {
        self.object.finalizers().iter().any(|finalizer| finalizer == names::MACHINE_FINALIZER)
    }

    /// What it names was a person's before. What we allocated is ours all the same: annotations of templates are copied.
    pub(crate) fn is_adopted(&self) -> bool {
        self.annotation(names::ORIGIN) == Some(names::ADOPTED)
    }

    /// `clusterctl move` takes this object away: it, and its machine, live on in another management cluster.
    pub(crate) fn is_moved_away(&self) -> bool {
        self.object.annotations().contains_key(names::DELETE_FOR_MOVE)
    }

    pub(crate) fn is_paused(&self) -> bool {
        let by_cluster = self.cluster.as_ref().is_some_and(|cluster| cluster.is_paused());
        by_cluster || self.object.annotations().contains_key(names::PAUSED)
    }

    pub(crate) fn is_control_plane(&self) -> bool {
        let labelled = |object: &dyn Labelled| object.has(names::CONTROL_PLANE_LABEL);
        labelled(&*self.object) || self.owner.as_ref().is_some_and(|owner| labelled(&**owner))
    }

    pub(crate) fn conditions(&self) -> &[Condition] {
        self.object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }

    /// The Secret whose credentials are used; `None`: the provider's own.
    pub(crate) fn credentials(&self) -> Option<&str> {
        match &self.infrastructure {
            Some(infrastructure) => infrastructure.spec.credentials_ref.as_ref().map(|r| r.name.as_str()),
            None => self.annotation(names::CREDENTIALS),
        }
        .filter(|name| !name.is_empty())
    }

    pub(crate) fn project(&self) -> Option<ProjectId> {
        project(&self.object, self.infrastructure.as_deref())
    }

    /// Whether a machine that is there is the one that this object means. `Err`: why not.
    pub(crate) fn recognise(&self, machine: &Machine, project: &ProjectId) -> Result<(), String> {
        let id = &machine.id;
        if machine.project != *project {
            return Err(format!("machine {id} belongs to another project than {project}"));
        }
        if let Some(of) = machine.tags.get(tags::MACHINE_RESOURCE).filter(|of| !self.resource().is(of)) {
            return Err(format!("machine {id} belongs to {of}"));
        }
        if identity::is_of_engine(&machine.tags) {
            return Err(format!("machine {id} belongs to the engine"));
        }
        if machine.role != MachineRole::Machine {
            return Err(format!("machine {id} is a firewall"));
        }
        let allocation = Some(machine.allocation.as_str()).filter(|is| *is != identity::NO_ALLOCATION);
        match self.allocation().zip(allocation) {
            Some((noted, is)) if noted != is => {
                Err(format!("machine {id} was freed and allocated again by somebody else"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it stays when the object goes although it is, or may be, this object's: nothing proves it.
    pub(crate) fn leaves(&self, machine: &Machine, project: &ProjectId) -> bool {
        let says_so = self.own_tag(machine).is_some();
        let named = self.names(machine) && self.recognise(machine, project).is_ok();
        let is_free_to = machine.project == *project && machine.role == MachineRole::Machine;
        let may_leave = is_free_to && !self.is_adopted();
        may_leave && !identity::is_of_engine(&machine.tags) && (says_so || named) && !self.frees(machine, project)
    }

    /// Whether this object's deletion frees it: what we allocated for it, and what its spec names and says the same of
    /// itself. What a person supplied says nothing of us.
    pub(crate) fn frees(&self, machine: &Machine, project: &ProjectId) -> bool {
        let resource = self.resource();
        let marked = self.attempt().is_some_and(|attempt| identity::is_marked(machine, &resource, attempt));
        let ours = if self.names(machine) && !self.is_adopted() {
            self.recognise(machine, project).is_ok()
        } else {
            marked && machine.project == *project
        };
        ours && self.own_tag(machine).is_some()
    }
}

/// Where the machine is: as noted at its allocation, else where the cluster is.
pub(crate) fn project(object: &MetalStackMachine, infrastructure: Option<&MetalStackCluster>) -> Option<ProjectId> {
    let noted = object.annotations().get(names::PROJECT).and_then(|project| ProjectId::parse(project).ok());
    noted.or_else(|| ProjectId::parse(&infrastructure?.spec.project_id).ok())
}

/// What has labels.
trait Labelled {
    fn has(&self, label: &str) -> bool;
}

impl<T: kube::ResourceExt> Labelled for T {
    fn has(&self, label: &str) -> bool {
        self.labels().contains_key(label)
    }
}
