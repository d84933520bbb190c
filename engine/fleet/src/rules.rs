//! The table of rules: everything that a finding can be about, by id. Ids are stable: filters and runbooks use them.

mod across;
mod addons;
mod choice;
mod fleet;
mod health;
mod held;
mod installed;
mod labels;
mod life;
mod network;
mod nodes;
mod offered;
mod output;
mod overlay;
mod patches;
mod policy;
mod reach;
mod replaced;
mod uses;

pub(crate) use across::{across, orphans, tombstones};
pub(crate) use choice::{choice, nearest};
pub(crate) use fleet::fleet;
pub(crate) use installed::installed;
pub(crate) use overlay::{overlay, unused as overlays_unused};
pub(crate) use policy::{image_numbers, policy};
pub(crate) use uses::uses;

use crate::resolve::Case;

/// One rule: its id and what must hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: &'static str,
    pub says: &'static str,
}

macro_rules! table {
    ($($(#[$doc:meta])* $name:ident = $id:literal: $says:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: &Rule = &Rule { id: $id, says: $says };)*

        /// Every rule there is.
        pub const ALL: &[&Rule] = &[$($name,)*];
    };
}

table! {
    // Files and YAML
    NOT_A_FILE = "not-a-file": "Documents are plain files: symlinks and submodules are never followed.";
    MISNAMED = "misnamed-document": "Documents are named fleet.yaml, policies/<name>.yaml, overlays/<name>.yaml and cluster.yaml.";
    TOO_MANY_DOCUMENTS = "too-many-documents": "A fleet has at most 10,000 definitions, 200 policies and 200 overlays.";
    FILE_TOO_LARGE = "file-too-large": "A document has at most 1 MiB.";
    UNREADABLE = "unreadable-file": "A document can be read from the repository.";
    NOT_UTF8 = "not-utf8": "A document is UTF-8 text.";
    INVALID_YAML = "invalid-yaml": "A document is YAML.";
    EMPTY = "empty-document": "A document has content.";
    ONE_DOCUMENT = "one-document": "A file holds one document.";
    TOO_DEEP = "too-deep": "A document is nested at most 64 levels deep.";
    TOO_BIG = "too-many-values": "A document has at most 50,000 values, aliases followed.";
    ALIASES = "too-many-aliases": "A document has at most 500 aliases.";
    MERGE_KEY = "merge-key": "Merge keys (`<<`) are not used.";
    DUPLICATE_KEY = "duplicate-key": "A key occurs once.";

    // Schema
    UNKNOWN_FIELD = "unknown-field": "A document has only the fields of its schema.";
    MISSING_FIELD = "missing-field": "A document has the required fields of its schema.";
    WRONG_TYPE = "wrong-type": "A field holds the type of value that its schema names.";
    UNKNOWN_VALUE = "unknown-value": "A field with a list of values holds one of them.";
    OUT_OF_RANGE = "out-of-range": "A number or a list keeps to the limits of its schema.";
    INVALID_VALUE = "invalid-value": "A name, id, address or version has its form.";

    // Fleet
    NO_FLEET = "no-fleet": "A fleet repository has a fleet.yaml at its root.";
    EMPTY_LIST = "empty-list": "Lists that clusters choose from have an entry.";
    DUPLICATE_NAME = "duplicate-name": "Entries of a list have names of their own.";
    DEFAULT_PROJECT = "default-project": "The default project is one of the fleet's projects.";
    STAGE_MANAGEMENT = "stage-management-cluster": "A stage names a management cluster of the fleet.";
    PROJECT_STAGE = "project-stage": "The stages of a project are stages of the fleet.";
    NODE_API = "node-api": "nodeApiUrl and nodeApiCIDRs are given together where the base rules do not open its port (R21).";
    COMMIT_AUTHOR = "commit-author": "Name and email of an author are one line without `<` and `>`.";
    OUTPUT = "output": "Output goes to a repository and a branch that Git knows.";
    GITOPS_SOURCE = "gitops-source": "Argo CD and Flux are told where the output lies, each as it understands it.";
    SECRET_IN_GIT = "secret-in-git": "No credentials and no Secrets are written into Git (I7).";
    HOSTS_ROLE = "hosts-role": "Only management clusters that run metal-api have hosts.";
    UNKNOWN_HOST = "unknown-host": "Hosts are clusters of this fleet.";
    MANAGEMENT_CYCLE = "management-cycle": "No cluster is managed through a chain that ends at itself.";
    SHARED_PRODUCTION = "shared-production": "Production clusters are better not managed by a cluster that also runs metal-api.";

    // Policies
    POLICY_VERSIONS = "policy-versions": "Offered versions are unique, one per minor is supported, the highest Kubernetes version never expires.";
    POLICY_IMAGE = "policy-image": "The versions of a machine image give valid, pinned image ids (R24).";
    POLICY_PARTITION = "policy-partition": "A partition is offered once, what it lacks is a machine type of the policy, and its default network is one that clusters may use.";
    QUANTITY = "quantity": "Amounts of memory are Kubernetes quantities.";
    IMAGE_REWRITE = "image-rewrite": "Rewritten registries are hosts with or without a path, each once, without credentials (I7).";
    LIMITS = "limits": "Limits are at least 1, and no part of a cluster may have more machines than the whole.";
    IN_USE = "in-use": "What a cluster has of a policy stays in the policy.";
    EXPIRES_IN_USE = "expires-in-use": "What a cluster has of a policy does not expire within 30 days.";
    VERSION_TAG = "version-tag": "Versions of kube-vip, charts and images read like `v1.2.3`.";

    // Overlays and patches
    OVERLAY_STOPS = "overlay-stops-clusters": "No cluster is acted on while an overlay that may be for it cannot be read.";
    OVERLAY_UNUSED = "overlay-selects-nothing": "An overlay selects a cluster.";
    SELECTOR = "selector": "A selector has label keys and values; In and NotIn have values, Exists and DoesNotExist have none.";
    PATCH = "patch": "A patch has a kind of the cluster's objects, and valid operations or a document to merge.";

    // Whose a cluster is, and where
    SAME_CLUSTER = "same-cluster": "A namespace has one cluster of a name.";
    PREFIX = "prefix-of-cluster": "No cluster id begins with another one (R14).";
    ID_TOO_LONG = "cluster-id-too-long": "Namespace and name have at most 63 characters together with the dot.";
    STAGE = "unknown-stage": "A cluster is in a stage of the fleet.";
    MANAGEMENT_CLUSTER = "unknown-management-cluster": "A cluster is managed by a management cluster of the fleet.";
    POLICY = "unknown-policy": "A cluster follows a policy of policies/.";
    PROJECT = "project-not-listed": "A cluster is in a project that the fleet lists for its stage and namespace (R16).";
    PARTITION = "unknown-partition": "A cluster is in a partition of its policy.";
    FLAVOR_NOT_YET = "flavor-not-yet": "The flavor is in the schema and not built yet.";
    LABEL = "invalid-label": "Labels are Kubernetes labels, and not ones that Ferrofleet sets.";

    // Versions and machines
    VERSION = "unknown-version": "A version is offered by the policy.";
    VERSION_EXPIRED = "version-expired": "Clusters get a version that has not expired.";
    VERSION_PREVIEW = "version-preview": "Clusters get a preview version only where the policy allows it for their purpose.";
    IMAGE_EXPIRED = "image-expired": "Clusters get a machine image that has not expired.";
    IMAGE_PREVIEW = "image-preview": "Clusters get a preview of a machine image only where the policy allows it for their purpose.";
    FLAVOR_VERSION = "flavor-version": "The flavor fits the Kubernetes version.";
    SIZE = "unknown-size": "A size is a machine type that the policy offers in the partition.";
    IMAGE = "unknown-image": "An image is offered by the policy.";
    IMAGE_VERSION = "image-version": "A machine image is built for the cluster's Kubernetes version.";
    IMAGE_PINNED = "image-not-pinned": "A machine image named by id has a patch: metal-api takes the newest one for 0 (R24).";
    EVEN_CONTROL_PLANE = "even-control-plane": "A control plane has an odd number of machines.";
    NO_POOLS = "no-pools": "A cluster has a pool.";
    NODE_LABEL = "node-label": "Labels of nodes are Kubernetes labels that kubelet may set.";
    AUTOSCALED = "autoscaled-pool": "An autoscaled pool has min and max, and no replicas (R23).";
    HEALTH_CHECK = "health-check": "Health checks leave bare metal its time, and never touch a single control plane or local volumes (R22).";
    TAINT = "taint": "Taints are Kubernetes taints, each effect of a key once.";
    OVER_LIMIT = "over-limit": "A cluster keeps to the limits of its policy.";
    ROLLOUT_STUCK = "rollout-stuck": "A pool may surge or miss machines during a rollout.";

    // Networks
    ONE_CIDR = "one-cidr": "Pods and services have one IPv4 CIDR each (R11).";
    OVERLAP = "cidr-overlap": "Pods, services, node prefixes and VIP of a cluster are disjoint.";
    PREFIX_LENGTH = "prefix-length": "A node network is between /8 and /30.";
    SLOT_MODE = "slot-mode": "What is adopted or external is named, and only that.";
    DELEGATE = "delegate": "A slot is delegated only where nothing that is rendered needs its value (R7).";
    SAME_RESOURCE = "same-resource": "No two clusters use one address, node network or firewall (I1).";

    // Firewall
    REACHABILITY = "firewall-reachability": "The firewall lets the API port in, and registry, DNS, NTP and metal-api out (R21).";
    VIP_NETWORK = "vip-network": "The network of the VIP is among the firewall's networks (R21).";
    RULE = "firewall-rule": "A firewall rule has ports and CIDRs, all of one address family.";
    SERVICE_NETWORK = "service-network": "The default external network of services is among the firewall's networks (R21).";
    NETWORK = "network-not-offered": "External networks are ones that the policy offers in the partition.";
    EGRESS = "egress-network": "Egress addresses are in networks of the firewall, one per network (R17).";

    // Add-ons
    CNI_VERSION = "cni-version": "Where a CNI is installed, its version is known.";
    METALLB_VERSION = "metallb-version": "Where MetalLB is installed, its version is known.";
    ADDON = "addon": "Charts and manifests are whole: repository, chart and version, or objects with kind and name.";
    ADDON_NAME = "addon-name": "Names of charts and manifests are not ones that Ferrofleet uses itself.";
    CILIUM = "cilium-experimental": "Cilium is experimental (R26).";
    CNI_OFF = "no-cni": "Nodes are ready only with a CNI.";
    CCM_OFF = "no-ccm": "Nodes are initialised by a cloud controller manager.";
    CCM = "ccm": "Where the cloud controller manager is installed, its version and credentials are known (R12).";

    // Locks and what they hold
    SAME_LOCK = "same-lock": "A cluster has one lock.";
    IDENTITY_CHANGED = "identity-changed": "Name, namespace, management cluster, project, partition and fleet of a resolved cluster never change (R9).";
    VALUE_CHANGED = "value-changed": "What a cluster was resolved with stays: node network, VIP, API port, pods, services, egress networks and the firewall's mode (I5).";
    VERSION_STEP = "version-step": "A Kubernetes version goes up, one minor at a time.";
    MACHINES_CHANGED = "machines-changed": "Machines and firewalls are replaced only where rollout.allowReplacement says always (R1).";
    POOL_REMOVED = "pool-removed": "A pool is removed once it was rendered without machines.";
    ADDON_REMOVED = "addon-removed": "CNI and cloud controller manager of a running cluster are removed only with allowReinstall; other add-ons with a warning (R13).";
    ADDON_REPLACED = "addon-replaced": "Chart, repository and namespace of an installed add-on stay; CNI and cloud controller manager change only with allowReinstall (R13).";
    AUTOSCALED_BACK = "autoscaled-pool-back": "A pool leaves the autoscaler only at a known number of machines (R23).";
    CONFIRM = "deletion-confirm": "A deletion is confirmed by the cluster's own name, and not while it is protected.";
    DEFINITION_REMOVED = "definition-removed": "Removing a definition deletes nothing whose deletion was not confirmed (I9).";
    BEING_DELETED = "being-deleted": "A cluster whose deletion was confirmed is deleted when its definition is gone.";
    TOMBSTONE = "tombstone": "A tombstone is of this fleet, and lies in tombstones/<namespace>.<name>.yaml.";

    // What metal-api knows
    ANNOUNCEABLE = "pods-not-announceable": "The partition announces the pods CIDR (R10).";
    METAL_UNKNOWN = "unknown-in-metal": "Partition, sizes and networks exist in metal-api.";
    IMAGE_GONE = "image-gone": "Images exist in metal-api, for machines or firewalls (R24).";
    IMAGE_EXPIRES = "image-expires": "Images do not expire within 30 days (R24).";
}

/// The rules of one cluster alone, in the order of the table.
pub(crate) const OF_A_CLUSTER: &[fn(&mut Case<'_>)] = &[
    life::shared_production,
    labels::of_cluster,
    labels::of_nodes,
    patches::of_cluster,
    nodes::control_plane,
    nodes::pools,
    nodes::autoscaled,
    offered::limits,
    offered::networks,
    health::checks,
    network::overlaps,
    network::node_network,
    network::modes,
    network::delegates,
    reach::rules,
    reach::ingress,
    reach::egress,
    reach::vip_network,
    reach::egress_networks,
    reach::service_network,
    addons::versions,
    addons::choices,
    addons::extra,
    life::confirmed,
    held::identity,
    replaced::changes,
    replaced::autoscaled_back,
];

/// A rule of the table by its id.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}
