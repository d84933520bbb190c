//! What is asked of metal-api for a machine, or why nothing can be asked yet. Pure.

use super::identity::{self, SLOT};
use super::observed::Observed;
use crate::api::{MetalStackCluster, MetalStackMachineSpec};
use crate::capi::{Cluster, Machine as Owner};
use crate::reason::Reason;
use kube::ResourceExt as _;
use model::metal::{MachineRequest, RequestNetwork, UserData};
use model::{ImageId, MachineId, NetworkId, PartitionId, ProjectId, SizeId, Tags, tags};
use std::collections::BTreeSet;
use std::fmt::Display;

const ZONE: &str = "topology.kubernetes.io/zone";
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Why nothing is allocated: a reason, what is so, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub reason: Reason,
    pub message: String,
}

impl Refusal {
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    fn spec(field: &str, problem: impl Display) -> Self {
        Self::new(Reason::InvalidSpec, format!("{field}: {problem}"))
    }
}

/// What stands ready for an allocation, apart from what is only read right before it: attempt and user data.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub request: MachineRequest,
    /// The bootstrap Secret.
    pub secret: String,
}

/// What the tags of a machine say of its cluster.
struct ClusterTags {
    /// `<namespace>.<name>` of the Cluster: `METAL_CLUSTER_ID` of the cloud controller manager.
    id: String,
    /// That of the MetalStackCluster.
    resource: String,
}

impl Wanted {
    pub(super) fn with(mut self, attempt: &str, data: UserData) -> MachineRequest {
        self.request.tags = self.request.tags.with(tags::ATTEMPT, attempt);
        self.request.user_data = Some(data);
        self.request
    }
}

/// The order is that in which a person meets the obstacles: what others do first, then the spec.
pub(crate) fn wanted(
    o: &Observed,
    owner: &Owner,
    cluster: &Cluster,
    infrastructure: &MetalStackCluster,
) -> Result<Wanted, Refusal> {
    let wait = |reason, message: String| Err(Refusal::new(reason, message));
    if !cluster.is_infrastructure_provisioned() {
        return wait(
            Reason::WaitingForClusterInfrastructure,
            format!(
                "the infrastructure of cluster {} is not provisioned yet; see the conditions of MetalStackCluster {}",
                cluster.name_any(),
                infrastructure.name_any()
            ),
        );
    }
    let network = infrastructure.spec.node_network_id.as_deref().unwrap_or_default();
    if network.is_empty() {
        return wait(
            Reason::WaitingForClusterInfrastructure,
            format!("MetalStackCluster {} has no nodeNetworkID; put it back", infrastructure.name_any()),
        );
    }
    let secret = owner.spec.bootstrap.data_secret_name.clone().filter(|name| !name.is_empty());
    let Some(secret) = secret else {
        return wait(
            Reason::WaitingForBootstrapData,
            format!(
                "Machine {} has no bootstrap data yet; see its condition BootstrapConfigReady: workers wait for the \
                 first control plane machine",
                owner.name_any()
            ),
        );
    };
    let project = project(o, infrastructure)?;
    let partition = parsed("MetalStackCluster's partition", &infrastructure.spec.partition, PartitionId::parse)?;
    if let Some(domain) = owner.spec.failure_domain.as_deref().filter(|d| !d.is_empty() && *d != partition.as_str()) {
        return wait(
            Reason::FailureDomainUnknown,
            format!(
                "Machine {} asks for failure domain {domain}, and the cluster is in partition {partition} alone; \
                 remove failureDomain or name that partition",
                owner.name_any()
            ),
        );
    }
    let spec = &o.object.spec;
    let node = parsed("MetalStackCluster's nodeNetworkID", network, NetworkId::parse)?;
    let (name, namespace) = (o.object.name_any(), o.namespace());
    // The cloud controller manager knows the Cluster; CAPMS, and who looks for machines, the MetalStackCluster.
    let of_cluster = ClusterTags {
        id: format!("{namespace}.{}", cluster.name_any()),
        resource: format!("{namespace}.{}", infrastructure.name_any()),
    };
    let hostname = identity::hostname(&name);
    let placement = format!("{}={}", tags::CLUSTER_RESOURCE, of_cluster.resource);
    let request = MachineRequest {
        project,
        name: hostname.clone(),
        description: format!("{namespace}/{name} for cluster {namespace}/{}", cluster.name_any()),
        size: parsed("size", &spec.size, SizeId::parse)?,
        image: parsed("image", &spec.image, ImageId::parse)?,
        networks: networks(node, spec)?,
        ips: Vec::new(),
        ssh_public_keys: spec.ssh_public_keys.clone(),
        user_data: None,
        tags: all_tags(o, &of_cluster, &partition, &hostname)?,
        placement_tags: vec![placement],
        uuid: uuid(spec)?,
        filesystem_layout: spec.filesystem_layout.clone().filter(|layout| !layout.is_empty()),
        dns_servers: dns_servers(spec)?,
        ntp_servers: spec.ntp_servers.clone(),
        hostname,
        partition,
    };
    Ok(Wanted { request, secret })
}

/// That of the cluster. What was begun in another one is finished by nobody: it would be a second server.
fn project(o: &Observed, infrastructure: &MetalStackCluster) -> Result<ProjectId, Refusal> {
    let project = parsed("MetalStackCluster's projectID", &infrastructure.spec.project_id, ProjectId::parse)?;
    match o.annotation(crate::names::PROJECT) {
        Some(begun) if begun != project.as_str() => Err(Refusal::new(
            Reason::InvalidSpec,
            format!(
                "the allocation of this machine was begun in project {begun}, and the cluster is now in {project}; \
                 delete the Machine and let another be made"
            ),
        )),
        _ => Ok(project),
    }
}

fn networks(node: NetworkId, spec: &MetalStackMachineSpec) -> Result<Vec<RequestNetwork>, Refusal> {
    let mut seen = BTreeSet::from([node.clone()]);
    let mut all = vec![RequestNetwork { network: node, autoacquire: true }];
    for additional in &spec.additional_networks {
        let network = parsed("additionalNetworks", &additional.network_id, NetworkId::parse)?;
        if seen.insert(network.clone()) {
            all.push(RequestNetwork { network, autoacquire: true });
        }
    }
    Ok(all)
}

fn uuid(spec: &MetalStackMachineSpec) -> Result<Option<MachineId>, Refusal> {
    let uuid = spec.machine_uuid.as_deref().filter(|uuid| !uuid.is_empty());
    uuid.map(|uuid| parsed("machineUUID", &uuid.to_ascii_lowercase(), MachineId::parse)).transpose()
}

fn dns_servers(spec: &MetalStackMachineSpec) -> Result<Vec<std::net::IpAddr>, Refusal> {
    let address = |text: &String| {
        text.parse()
            .map_err(|_| Refusal::spec("dnsServers", format!("`{text}` is no address; write one, as 192.0.2.53")))
    };
    spec.dns_servers.iter().map(address).collect()
}

/// Those of the spec, and over them those that say whose the machine is. The cloud controller manager makes labels of
/// the node of all of them.
fn all_tags(o: &Observed, of: &ClusterTags, partition: &PartitionId, hostname: &str) -> Result<Tags, Refusal> {
    let spec = &o.object.spec;
    if let Some(reserved) = spec.reserved_tag() {
        return Err(Refusal::spec("tags", format!("`{reserved}` is the provider's to set; take another key")));
    }
    for (key, value) in spec.tags.iter().filter_map(|tag| tag.split_once('=')) {
        if !identity::is_label_key(key) || !identity::is_label_value(value) {
            let rule = "becomes a label of the node and is not valid as one; keys and values have at most 63 letters, \
                        digits, `-`, `_` and `.`, and begin and end with a letter or digit";
            return Err(Refusal::spec("tags", format!("`{key}={value}` {rule}")));
        }
    }
    if let Some(long) = [&of.id, &of.resource].into_iter().find(|value| !identity::is_label_value(value)) {
        let rule = "is longer than 63 characters, which no tag of a node may be; take a shorter name or namespace";
        return Err(Refusal::new(Reason::InvalidSpec, format!("the cluster's id `{long}` {rule}")));
    }
    let tags = Tags::from_strings(&spec.tags)
        .with(tags::CLUSTER_ID, &of.id)
        .with(tags::CLUSTER_RESOURCE, &of.resource)
        .with(tags::MACHINE_RESOURCE, o.resource().as_str())
        .with(HOSTNAME, hostname)
        .with(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER)
        .with(tags::SLOT, SLOT);
    let tags = if identity::is_label_value(partition.as_str()) { tags.with(ZONE, partition) } else { tags };
    Ok(if o.is_control_plane() { tags.with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE) } else { tags })
}

fn parsed<T, E: Display>(field: &str, text: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<T, Refusal> {
    parse(text).map_err(|error| Refusal::spec(field, error))
}
