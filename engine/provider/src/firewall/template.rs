//! What a template asks for: a request to metal-api, a digest of what needs another firewall, and what it cannot have.

use super::observed::{Observed, Project};
use crate::api::{
    Condition, ConditionStatus, EgressRule, FirewallRules, IngressRule, MetalStackCluster,
    MetalStackFirewallTemplateSpec as Template,
};
use crate::names;
use crate::reason::{ConditionType, Reason};
use kube::ResourceExt as _;
use model::metal::{FirewallRequest, Machine, MachineNetworkKind, RequestNetwork};
use model::net::CidrError;
use model::rules::{self, Port, Protocol, RuleComment};
use model::want::image_version;
use model::{Cidr, Digest, ImageId, NetworkId, PartitionId, ProjectId, SizeId, Slot, Tags, tags};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Display;

/// Names of machines are host names.
const HOSTNAME_MAX: usize = 63;
const SUFFIX: &str = "-firewall";
/// How a baseline is written; another way needs another one, or every firewall would be replaced for it.
const BASELINE: &str = "v1:";
/// What a person writes to have the firewall replaced.
pub(super) const REPLACE: &str = "replace";

/// One firewall to allocate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Blueprint {
    pub request: FirewallRequest,
    pub generation: u32,
}

/// Why there can be none: a reason, and what is wrong with its mend.
pub(super) type Refusal = (Reason, String);

/// What needs another firewall when it changes. The order of networks and keys means nothing.
pub(super) fn baseline(template: &Template) -> String {
    #[derive(Serialize)]
    struct Baseline<'a> {
        size: &'a str,
        image: &'a str,
        networks: BTreeSet<&'a str>,
        ssh_public_keys: BTreeSet<&'a str>,
        rules: Option<&'a FirewallRules>,
    }
    let set = |list: &'_ [String]| -> BTreeSet<String> { list.iter().cloned().collect() };
    let (networks, keys) = (set(&template.networks), set(&template.ssh_public_keys));
    let digest = Digest::of(&Baseline {
        size: &template.size,
        image: &template.image,
        networks: networks.iter().map(String::as_str).collect(),
        ssh_public_keys: keys.iter().map(String::as_str).collect(),
        rules: template.initial_rule_set.as_ref(),
    });
    format!("{BASELINE}{digest}")
}

/// Whether it can be compared with what [`baseline`] says.
pub(super) fn is_known_baseline(text: &str) -> bool {
    text.starts_with(BASELINE) || text == REPLACE
}

/// The request for a generation of the deployment's firewall.
pub(super) fn blueprint(
    observed: &Observed,
    project: &Project,
    generation: u32,
    attempt: &str,
) -> Result<Blueprint, Refusal> {
    let name = &observed.deployment.spec.firewall_template_ref.name;
    let (Some(infrastructure), Some(cluster)) = (observed.infrastructure.as_ref(), observed.cluster_tag()) else {
        return Err((Reason::WaitingForClusterInfrastructure, "The MetalStackCluster is not there.".to_owned()));
    };
    if infrastructure.metadata.deletion_timestamp.is_some() {
        return Err((Reason::Deleting, "The cluster is being deleted: it gets no other firewall.".to_owned()));
    }
    let Some(template) = observed.template.as_ref() else {
        let what = format!(
            "There is no MetalStackFirewallTemplate {name}; create it, or name another one in firewallTemplateRef."
        );
        return Err((Reason::FirewallTemplateMissing, what));
    };
    let Some(node_network) = infrastructure.spec.node_network_id.as_deref().filter(|id| !id.is_empty()) else {
        let what = "The MetalStackCluster has no nodeNetworkID yet; the firewall is allocated as soon as it has.";
        return Err((Reason::WaitingForNodeNetwork, what.to_owned()));
    };
    vouched_for(observed, infrastructure)?;
    let (request, spec) = (Fields { template: name }, &template.spec);
    let partition = request.of_cluster("partition", PartitionId::parse(&infrastructure.spec.partition))?;
    let own_project = request.of_cluster("projectID", ProjectId::parse(&infrastructure.spec.project_id))?;
    if own_project != project.id {
        let what = format!(
            "The deployment's firewall is in project {} (annotation {}) and the MetalStackCluster in {own_project}; \
             put one of the two right.",
            project.id,
            names::PROJECT
        );
        return Err((Reason::InvalidSpec, what));
    }
    let node_network = request.of_cluster("nodeNetworkID", NetworkId::parse(node_network))?;
    let networks = networks(&request, spec, node_network.clone())?;
    let Some(rules) = &spec.initial_rule_set else {
        return Err(request.refused(
            "initialRuleSet",
            "it is missing, and without rules nothing passes; add it, as `initialRuleSet: {egress: […], ingress: […]}`",
        ));
    };
    let hostname = hostname(infrastructure);
    let tags = Tags::new()
        .with(tags::CLUSTER_ID, &node_network)
        .with(tags::CLUSTER_RESOURCE, &cluster)
        .with(tags::FIREWALL_MANAGED_BY, tags::FIREWALL_MANAGED_BY_CAPMS)
        .with(tags::FIREWALL_DEPLOYMENT_RESOURCE, observed.deployment_tag())
        .with(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER)
        .with(tags::SLOT, Slot::Firewall(generation))
        .with(tags::ATTEMPT, attempt)
        .with(names::FIREWALL_BASELINE, baseline(spec));
    let request = FirewallRequest {
        project: project.id.clone(),
        partition,
        name: hostname.clone(),
        hostname,
        description: format!(
            "{}/{} for cluster {}/{}",
            observed.deployment.namespace().unwrap_or_default(),
            observed.deployment.name_any(),
            infrastructure.namespace().unwrap_or_default(),
            infrastructure.name_any()
        ),
        size: request.parsed("size", SizeId::parse(&spec.size))?,
        image: request.parsed("image", ImageId::parse(&spec.image))?,
        networks: networks.into_iter().map(|network| RequestNetwork { network, autoacquire: true }).collect(),
        ips: Vec::new(),
        egress: rules
            .egress
            .iter()
            .enumerate()
            .map(|(at, rule)| egress(&request, at, rule))
            .collect::<Result<_, _>>()?,
        ingress: rules
            .ingress
            .iter()
            .enumerate()
            .map(|(at, rule)| ingress(&request, at, rule))
            .collect::<Result<_, _>>()?,
        ssh_public_keys: spec.ssh_public_keys.clone(),
        tags,
    };
    Ok(Blueprint { request, generation })
}

/// The cluster's controller has made the deployment the cluster's, and found the node network to be the cluster's own: a
/// firewall in another one's cuts that off. Who manages a cluster from outside vouches for it.
fn vouched_for(observed: &Observed, infrastructure: &MetalStackCluster) -> Result<(), Refusal> {
    if infrastructure.annotations().contains_key(names::MANAGED_BY) {
        return Ok(());
    }
    let name = infrastructure.name_any();
    let uid = infrastructure.uid().unwrap_or_default();
    if !observed.deployment.owner_references().iter().any(|owner| owner.uid == uid) {
        let what = format!("MetalStackCluster {name} does not own this object yet; see its condition FirewallReady.");
        return Err((Reason::WaitingForClusterInfrastructure, what));
    }
    let conditions = infrastructure.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    let of = ConditionType::NodeNetworkReady;
    let is_current =
        |c: &&Condition| c.observed_generation.is_none_or(|of| Some(of) == infrastructure.metadata.generation);
    match conditions.iter().filter(is_current).find(|c| c.type_ == of.as_str()) {
        Some(ready) if ready.status == ConditionStatus::True => Ok(()),
        Some(not) => {
            let what = format!("MetalStackCluster {name} says that its node network is not ready: {}", not.message);
            Err((Reason::WaitingForNodeNetwork, what))
        }
        None => {
            let what = format!("MetalStackCluster {name} has not said yet that its node network is ready.");
            Err((Reason::WaitingForNodeNetwork, what))
        }
    }
}

/// `<MetalStackCluster>-firewall`, as CAPMS names it, where that is a host name; else shortened, and with a digest of
/// the whole name so that two clusters do not get the same one (D68).
pub(super) fn hostname(infrastructure: &MetalStackCluster) -> String {
    let name = infrastructure.name_any();
    let plain = format!("{name}{SUFFIX}");
    if plain.len() <= HOSTNAME_MAX && !plain.contains('.') {
        return plain;
    }
    let whole = format!("{}/{name}", infrastructure.namespace().unwrap_or_default());
    let digest = Digest::of_bytes(whole.as_bytes());
    let room = HOSTNAME_MAX - SUFFIX.len() - 1 - digest.short().len();
    let short: String = name.replace('.', "-").chars().take(room).collect();
    format!("{}-{}{SUFFIX}", short.trim_end_matches('-'), digest.short())
}

/// The template's, and the nodes' once.
fn networks(request: &Fields<'_>, spec: &Template, node_network: NetworkId) -> Result<Vec<NetworkId>, Refusal> {
    let mut networks: Vec<NetworkId> = Vec::new();
    for (at, id) in spec.networks.iter().enumerate() {
        let id = request.parsed(format_args!("networks[{at}]"), NetworkId::parse(id))?;
        if !networks.contains(&id) {
            networks.push(id);
        }
    }
    if !networks.contains(&node_network) {
        networks.push(node_network);
    }
    Ok(networks)
}

/// Where a running firewall is not what the template says, as far as metal-api tells: rules and keys it does not.
pub(super) fn differences(observed: &Observed, template: &Template, firewall: &Machine) -> Vec<String> {
    let mut all = Vec::new();
    if firewall.size.as_str() != template.size {
        all.push(format!("size {} instead of {}", firewall.size, template.size));
    }
    let admits = || {
        let wanted = image_version(&ImageId::parse(&template.image).ok()?)?;
        Some(wanted.admits(&image_version(&firewall.image)?))
    };
    if firewall.image.as_str() != template.image && admits() != Some(true) {
        all.push(format!("image {} instead of {}", firewall.image, template.image));
    }
    let node = observed.infrastructure.as_ref().and_then(|i| i.spec.node_network_id.as_deref());
    if let Some(node) = node.filter(|id| !id.is_empty()) {
        let wanted: BTreeSet<&str> = template.networks.iter().map(String::as_str).chain([node]).collect();
        let own = firewall.networks.iter().filter(|n| n.kind != MachineNetworkKind::Underlay);
        let has: BTreeSet<&str> = own.map(|n| n.network.as_str()).collect();
        if has != wanted {
            let list = |set: &BTreeSet<&str>| set.iter().copied().collect::<Vec<_>>().join(", ");
            all.push(format!("networks {} instead of {}", list(&has), list(&wanted)));
        }
    }
    all
}

/// A newer image of what the template says, where the firewall runs an older one.
pub(super) fn newer_image<'a>(project: &'a Project, firewall: &Machine) -> Option<&'a ImageId> {
    let newest = project.newest_image.as_ref()?;
    let (new, old) = (image_version(newest)?, image_version(&firewall.image)?);
    (new.os == old.os && new.version > old.version).then_some(newest)
}

/// Fields that a person may think have an effect.
pub(super) fn without_effect(observed: &Observed, template: &Template) -> Vec<&'static str> {
    let cluster = observed.infrastructure.as_ref().map(|i| &i.spec);
    let differs = |own: &str, of: Option<&str>| !own.is_empty() && of.is_some_and(|of| of != own);
    [
        ("partition", differs(&template.partition, cluster.map(|c| c.partition.as_str()))),
        ("project", differs(&template.project, cluster.map(|c| c.project_id.as_str()))),
        ("userdata", template.userdata.is_some()),
        ("userdataContents", !template.userdata_contents.is_empty()),
        ("rateLimits", !template.rate_limits.is_empty()),
        ("internalPrefixes", !template.internal_prefixes.is_empty()),
        ("egressRules", !template.egress_rules.is_empty()),
        ("interval", template.interval.is_some()),
        ("dryRun", template.dry_run.is_some()),
        ("ipv4RuleFile", template.ipv4_rule_file.is_some()),
        ("logAcceptedConnections", template.log_accepted_connections.is_some()),
        ("controllerVersion", template.controller_version.is_some()),
        ("controllerURL", template.controller_url.is_some()),
        ("nftablesExporterVersion", template.nftables_exporter_version.is_some()),
        ("nftablesExporterURL", template.nftables_exporter_url.is_some()),
        ("dnsServerAddress", template.dns_server_address.is_some()),
        ("dnsPort", template.dns_port.is_some()),
        ("allowedNetworks", template.allowed_networks.is_some()),
    ]
    .into_iter()
    .filter_map(|(field, is_set)| is_set.then_some(field))
    .collect()
}

/// Whether the rules let nothing pass.
pub(super) fn passes_nothing(template: &Template) -> bool {
    template.initial_rule_set.as_ref().is_some_and(|rules| rules.egress.is_empty() && rules.ingress.is_empty())
}

fn egress(request: &Fields<'_>, at: usize, rule: &EgressRule) -> Result<rules::EgressRule, Refusal> {
    let field = format!("initialRuleSet.egress[{at}]");
    let to = cidrs(request, &field, "to", &rule.to)?;
    one_family(request, &field, to.iter())?;
    let (comment, ports, protocol) = common(request, &field, rule.comment.as_deref(), &rule.ports, &rule.protocol)?;
    Ok(rules::EgressRule { comment, ports, protocol, to })
}

fn ingress(request: &Fields<'_>, at: usize, rule: &IngressRule) -> Result<rules::IngressRule, Refusal> {
    let field = format!("initialRuleSet.ingress[{at}]");
    let (from, to) = (cidrs(request, &field, "from", &rule.from)?, cidrs(request, &field, "to", &rule.to)?);
    one_family(request, &field, from.iter().chain(&to))?;
    let (comment, ports, protocol) = common(request, &field, rule.comment.as_deref(), &rule.ports, &rule.protocol)?;
    Ok(rules::IngressRule { comment, ports, protocol, from, to })
}

type Common = (Option<RuleComment>, Vec<Port>, Protocol);

fn common(
    request: &Fields<'_>,
    field: &str,
    comment: Option<&str>,
    ports: &[i32],
    protocol: &str,
) -> Result<Common, Refusal> {
    let comment = comment.map(RuleComment::parse).transpose();
    let comment = request.parsed(format_args!("{field}.comment"), comment)?;
    let port = |port: &i32| {
        let valid = u16::try_from(*port).ok().and_then(Port::new);
        valid.ok_or_else(|| {
            request.refused(format_args!("{field}.ports"), format_args!("`{port}` is no port: 1 to 65535"))
        })
    };
    let protocol = match protocol.to_ascii_uppercase().as_str() {
        "" | "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        _ => {
            let why = format_args!("`{protocol}` is no protocol: TCP or UDP");
            return Err(request.refused(format_args!("{field}.protocol"), why));
        }
    };
    Ok((comment, ports.iter().map(port).collect::<Result<_, _>>()?, protocol))
}

fn cidrs(request: &Fields<'_>, field: &str, list: &str, values: &[String]) -> Result<Vec<Cidr>, Refusal> {
    // metal-api does not mind host bits.
    let lenient = |value: &String| match value.parse() {
        Err(CidrError::HostBits { network, .. }) => Ok(Cidr::from(network)),
        other => other,
    };
    values.iter().map(|value| request.parsed(format_args!("{field}.{list}"), lenient(value))).collect()
}

fn one_family<'a>(request: &Fields<'_>, field: &str, mut all: impl Iterator<Item = &'a Cidr>) -> Result<(), Refusal> {
    let first = all.next().map(Cidr::family);
    match all.find(|cidr| Some(cidr.family()) != first) {
        Some(_) => {
            Err(request.refused(field, "metal-api takes IPv4 or IPv6 in one rule, not both; make two rules of it"))
        }
        None => Ok(()),
    }
}

/// Says where something is wrong.
struct Fields<'a> {
    template: &'a str,
}

impl Fields<'_> {
    fn parsed<T, E: Display>(&self, field: impl Display, parsed: Result<T, E>) -> Result<T, Refusal> {
        parsed.map_err(|why| self.refused(field, why))
    }

    fn of_cluster<T, E: Display>(&self, field: &str, parsed: Result<T, E>) -> Result<T, Refusal> {
        parsed.map_err(|why| (Reason::InvalidSpec, format!("MetalStackCluster, spec.{field}: {why}.")))
    }

    fn refused(&self, field: impl Display, why: impl Display) -> Refusal {
        let template = self.template;
        (Reason::InvalidSpec, format!("MetalStackFirewallTemplate {template}, spec.{field}: {why}."))
    }
}
