//! Our requests as v1 takes them.

use crate::wire::{
    AllocationNetwork, DnsServer, EgressRule, FirewallAllocateRequest, FirewallRules, IngressRule, IpAllocateRequest,
    IpFindRequest, IpUpdateRequest, MachineAllocateRequest, MachineFindRequest, NetworkAllocateRequest,
    NetworkFindRequest, NtpServer,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::metal::{
    FirewallRequest, IpKind, IpRequest, IpUpdate, MachineRequest, MachineRole, NetworkRequest, RequestNetwork,
};
use model::rules::{self, Port, Protocol, RuleComment};
use model::{AddressFamily, Cidr, ProjectId, Tags};
use std::collections::BTreeMap;

fn family(family: AddressFamily) -> String {
    match family {
        AddressFamily::V4 => "IPv4".to_owned(),
        AddressFamily::V6 => "IPv6".to_owned(),
    }
}

/// Empty lists and texts are left out: an empty filter filters nothing.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

pub(crate) fn network(request: &NetworkRequest) -> NetworkAllocateRequest {
    NetworkAllocateRequest {
        name: text(&request.name),
        description: text(&request.description),
        partitionid: Some(request.partition.to_string()),
        projectid: Some(request.project.to_string()),
        labels: Some(request.labels.to_labels()),
        length: request.length.map(|length| BTreeMap::from([(family(request.family), length)])),
        addressfamily: Some(family(request.family)),
        ..NetworkAllocateRequest::default()
    }
}

pub(crate) fn ip(request: &IpRequest) -> IpAllocateRequest {
    IpAllocateRequest {
        networkid: Some(request.network.to_string()),
        projectid: Some(request.project.to_string()),
        r#type: Some(kind(request.kind)),
        tags: Some(request.tags.to_strings()),
        name: text(&request.name),
        description: text(&request.description),
        // With a given address metal-api answers 400 to a family (R11 holds by the address itself).
        addressfamily: request.address.is_none().then(|| family(request.family)),
        ..IpAllocateRequest::default()
    }
}

fn kind(kind: IpKind) -> String {
    match kind {
        IpKind::Static => "static".to_owned(),
        IpKind::Ephemeral => "ephemeral".to_owned(),
    }
}

/// Absent fields stay as they are, an empty list of tags clears them.
pub(crate) fn ip_update(update: &IpUpdate) -> IpUpdateRequest {
    IpUpdateRequest {
        ipaddress: Some(update.address.to_string()),
        tags: update.tags.as_ref().map(Tags::to_strings),
        r#type: update.kind.map(kind),
        ..IpUpdateRequest::default()
    }
}

fn networks(networks: &[RequestNetwork]) -> Option<Vec<AllocationNetwork>> {
    let one = |RequestNetwork { network, autoacquire }: &RequestNetwork| AllocationNetwork {
        networkid: Some(network.to_string()),
        autoacquire: Some(*autoacquire),
    };
    Some(networks.iter().map(one).collect())
}

pub(crate) fn machine(request: &MachineRequest) -> MachineAllocateRequest {
    let dns = request.dns_servers.iter().map(|server| DnsServer { ip: server.to_string() }).collect();
    let ntp = request.ntp_servers.iter().map(|server| NtpServer { address: server.clone() }).collect();
    MachineAllocateRequest {
        uuid: request.uuid.as_ref().map(ToString::to_string),
        name: text(&request.name),
        description: text(&request.description),
        hostname: text(&request.hostname),
        projectid: Some(request.project.to_string()),
        partitionid: Some(request.partition.to_string()),
        sizeid: Some(request.size.to_string()),
        imageid: Some(request.image.to_string()),
        filesystemlayoutid: request.filesystem_layout.clone(),
        ssh_pub_keys: Some(request.ssh_public_keys.clone()),
        // R19: metal-api stores what it gets, and what reads it on the machine decodes it.
        user_data: request.user_data.as_ref().map(|data| STANDARD.encode(data.as_bytes())),
        tags: Some(request.tags.to_strings()),
        placement_tags: some(request.placement_tags.clone()),
        networks: networks(&request.networks),
        ips: some(request.ips.iter().map(ToString::to_string).collect()),
        dns_servers: some(dns),
        ntp_servers: some(ntp),
        ..MachineAllocateRequest::default()
    }
}

pub(crate) fn firewall(request: &FirewallRequest) -> FirewallAllocateRequest {
    FirewallAllocateRequest {
        name: text(&request.name),
        description: text(&request.description),
        hostname: text(&request.hostname),
        projectid: Some(request.project.to_string()),
        partitionid: Some(request.partition.to_string()),
        sizeid: Some(request.size.to_string()),
        imageid: Some(request.image.to_string()),
        ssh_pub_keys: Some(request.ssh_public_keys.clone()),
        tags: Some(request.tags.to_strings()),
        networks: networks(&request.networks),
        ips: some(request.ips.iter().map(ToString::to_string).collect()),
        firewall_rules: firewall_rules(&request.egress, &request.ingress),
        ..FirewallAllocateRequest::default()
    }
}

fn firewall_rules(egress: &[rules::EgressRule], ingress: &[rules::IngressRule]) -> Option<FirewallRules> {
    if egress.is_empty() && ingress.is_empty() {
        return None;
    }
    let out = |rules::EgressRule { comment, ports, protocol, to }: &rules::EgressRule| EgressRule {
        protocol: protocol_name(*protocol),
        ports: port_numbers(ports),
        to: texts(to),
        comment: comment_text(comment.as_ref()),
    };
    let into = |rules::IngressRule { comment, ports, protocol, from, to }: &rules::IngressRule| IngressRule {
        protocol: protocol_name(*protocol),
        ports: port_numbers(ports),
        to: texts(to),
        from: texts(from),
        comment: comment_text(comment.as_ref()),
    };
    Some(FirewallRules { egress: egress.iter().map(out).collect(), ingress: ingress.iter().map(into).collect() })
}

fn protocol_name(protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => "tcp".to_owned(),
        Protocol::Udp => "udp".to_owned(),
    }
}

fn port_numbers(ports: &[Port]) -> Vec<i32> {
    ports.iter().map(|port| i32::from(port.get())).collect()
}

fn texts(cidrs: &[Cidr]) -> Vec<String> {
    cidrs.iter().map(ToString::to_string).collect()
}

fn comment_text(comment: Option<&RuleComment>) -> String {
    comment.map_or_else(String::new, |c| c.as_str().to_owned())
}

pub(crate) fn find_networks(project: &ProjectId, labels: &Tags) -> NetworkFindRequest {
    NetworkFindRequest {
        projectid: Some(project.to_string()),
        labels: (!labels.is_empty()).then(|| labels.to_labels()),
        ..NetworkFindRequest::default()
    }
}

pub(crate) fn find_ips(project: &ProjectId, tags: &Tags) -> IpFindRequest {
    IpFindRequest { projectid: Some(project.to_string()), tags: some(tags.to_strings()), ..IpFindRequest::default() }
}

/// By `allocation_project`, so that the server sends no machine of others.
pub(crate) fn find_machines(project: &ProjectId, role: Option<MachineRole>, tags: &Tags) -> MachineFindRequest {
    let role = role.map(|role| match role {
        MachineRole::Machine => "machine".to_owned(),
        MachineRole::Firewall => "firewall".to_owned(),
    });
    MachineFindRequest {
        allocation_project: Some(project.to_string()),
        allocation_role: role,
        tags: some(tags.to_strings()),
        ..MachineFindRequest::default()
    }
}
