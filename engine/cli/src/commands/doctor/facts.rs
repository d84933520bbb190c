//! What was found out, before anybody judges it.

use super::managers::Manager;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use model::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) now: Timestamp,
    /// The API server's.
    pub(super) url: String,
    pub(super) version: Read<Release>,
    /// Absent where the API server does not answer.
    pub(super) plane: Option<Plane>,
    /// The metal-apis by who names their credentials; None are the provider's own.
    pub(super) metals: BTreeMap<Option<String>, Metal>,
}

/// What was read, or why it was not.
pub(super) type Read<T> = Result<T, Unread>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unread {
    /// The user may not read it; else something is wrong.
    pub(super) forbidden: bool,
    pub(super) why: String,
}

/// Major and minor version of a program, and how it writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) minor: (u32, u32),
    pub(super) text: String,
}

impl Release {
    /// Of `v1.35.2`, `1.35`, `v1.35.2-gke.100`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).split(['.', '-', '+']);
        let mut number = || parts.next()?.parse().ok();
        Some(Self { minor: (number()?, number()?), text: text.to_owned() })
    }
}

/// The objects of the management cluster.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    /// By name; None: there is none.
    pub(super) crds: BTreeMap<String, Read<Option<CustomResourceDefinition>>>,
    pub(super) policy: Read<Option<ValidatingAdmissionPolicy>>,
    pub(super) binding: Read<Option<ValidatingAdmissionPolicyBinding>>,
    pub(super) managers: Read<Vec<Manager>>,
    /// What clusterctl wrote down: version by provider, as `cluster-api`.
    pub(super) inventory: BTreeMap<String, Release>,
    pub(super) leases: Read<Vec<Lease>>,
    /// What the user of the kubeconfig may not do of what the provider does.
    pub(super) denied: Read<Vec<Right>>,
    pub(super) has_charts: Read<bool>,
    pub(super) clusters: Read<Vec<Cluster>>,
}

/// Who holds the lease that the provider takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) namespace: String,
    /// Empty: nobody.
    pub(super) holder: String,
    pub(super) renewed: Option<Timestamp>,
}

/// Something done with a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    pub(super) group: String,
    /// With the subresource: `metalstackclusters/status`.
    pub(super) resource: String,
    pub(super) verb: String,
}

/// A MetalStackCluster and what is around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cluster {
    /// `<namespace>/<name>`
    pub(super) id: String,
    /// Or why the object says nothing.
    pub(super) spec: Result<Spec, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spec {
    /// As tags name it: `<namespace>.<name>`
    pub(super) tag: String,
    pub(super) project: String,
    pub(super) partition: String,
    pub(super) network: Option<String>,
    /// The Secret that it names, as `<namespace>/<name>`; a key of [`Facts::metals`].
    pub(super) credentials: Option<String>,
    pub(super) firewall: Firewall,
    /// Host and port.
    pub(super) endpoint: Option<(String, u16)>,
    pub(super) reach: Option<Reach>,
    /// Whether its Cluster says that the control plane has been there once; None where that is not known.
    pub(super) initialized: Option<bool>,
    /// Its Cluster asks for a network plugin from a chart.
    pub(super) wants_charts: bool,
}

/// What a connection to an endpoint came to.
pub(super) type Reach = Result<(), String>;

/// The firewall that a cluster names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Firewall {
    /// It names none.
    #[default]
    Unnamed,
    /// The MetalStackFirewallDeployment that it names is not there.
    NoDeployment(String),
    /// It could not be read.
    Unread(String),
    /// There is one, and it names no machine yet.
    Waiting(String),
    /// `metal://<partition>/<id>`, as it stands there.
    Named(String),
}

/// One metal-api with one credential.
#[derive(Clone, Debug)]
pub(super) struct Metal {
    /// Where the credentials are from, for people.
    pub(super) from: String,
    pub(super) state: MetalState,
}

#[derive(Clone, Debug)]
pub(super) enum MetalState {
    /// Nobody said where it is.
    Unnamed,
    /// `--metal none`
    Unwanted,
    /// The credentials cannot be used; why and the mend.
    Unusable(String, String),
    Asked(Box<Answers>),
}

/// What a metal-api answered.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    pub(super) url: String,
    pub(super) version: Result<String, Trouble>,
    /// Whether it is well, and its words.
    pub(super) health: Result<(bool, String), Trouble>,
    /// Seconds that its clock is ahead of ours.
    pub(super) skew: Option<i64>,
    pub(super) partitions: Result<BTreeSet<String>, Trouble>,
    /// Those of the MetalStackClusters.
    pub(super) projects: BTreeMap<String, Project>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Denied { skew: bool, text: String },
    NotFound(String),
    Other(String),
}

/// A project, and what is in it.
#[derive(Clone, Debug)]
pub(super) struct Project {
    /// Its name.
    pub(super) known: Result<String, Trouble>,
    pub(super) networks: Result<BTreeSet<String>, Trouble>,
    /// The cluster that its tags name, by id.
    pub(super) firewalls: Result<BTreeMap<String, Option<String>>, Trouble>,
}
