//! The checks that come before a machine is chosen (1 to 15), and the tags a machine gets.

use crate::{
    api::rules,
    image::{self, ImageVersion, VersionRule},
    refusal::Refusal,
    world::{MachineRow, World, is_uuid},
};
use base64::Engine;
use metal_api::wire::{
    AllocationNetwork, DnsServer, FilesystemLayout, FirewallRules, Image, MachineAllocateRequest, MachineNetwork,
    NtpServer, Partition,
};
use std::{collections::BTreeMap, net::IpAddr};

const DNS_MAX: usize = 3;
const NTP_MAX: usize = 5;
const KEY_TYPES: [&str; 6] = [
    "ssh-rsa",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
];

/// A request that may have a machine.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) role: &'static str,
    /// A given machine.
    pub(super) uuid: Option<String>,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) hostname: String,
    pub(super) project: String,
    pub(super) partition: String,
    pub(super) size: String,
    pub(super) image: Image,
    pub(super) layout: FilesystemLayout,
    pub(super) ssh_pub_keys: Option<Vec<String>>,
    pub(super) user_data: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) placement_tags: Vec<String>,
    pub(super) networks: Vec<AllocationNetwork>,
    pub(super) ips: Vec<IpAddr>,
    pub(super) dns_servers: Vec<DnsServer>,
    pub(super) ntp_servers: Vec<NtpServer>,
    pub(super) firewall_rules: Option<FirewallRules>,
}

impl Spec {
    pub(super) fn check(world: &World, request: MachineAllocateRequest, role: &'static str) -> Result<Self, Refusal> {
        let networks = request.networks.ok_or_else(|| Refusal::bad_request("network ids cannot be nil"))?;
        if networks.is_empty() {
            return Err(Refusal::bad_request("network ids cannot be empty"));
        }
        let image = resolve_image(world, request.imageid.as_deref().unwrap_or_default())?;
        let firewall_rules = match request.firewall_rules.filter(|_| role == "firewall") {
            Some(rules) => Some(rules::normalise(rules)?),
            None => None,
        };
        if !image.features.iter().any(|feature| feature == role) {
            let features = image.features.join(", ");
            let text = format!("given image is not usable for a {role}, features: {features}");
            return Err(Refusal::bad_request(text));
        }
        let uuid = request.uuid.filter(|uuid| !uuid.is_empty());
        let (partition, size) = place(world, uuid.as_deref(), request.partitionid, request.sizeid)?;
        let offered = existing(world, &partition, &size)?;
        let dns_servers = check_dns(request.dns_servers, offered)?;
        let ntp_servers = check_ntp(request.ntp_servers, offered)?;
        let project = request.projectid.unwrap_or_default();
        let ips = check_texts(&project, &request.ips.unwrap_or_default(), &request.ssh_pub_keys)?;
        check_autoacquire(role, &networks, &ips)?;
        check_quota(world, &project)?;
        let layout = find_layout(world, request.filesystemlayoutid, &size, &image)?;
        Ok(Self {
            role,
            uuid,
            name: request.name.unwrap_or_default(),
            description: request.description.unwrap_or_default(),
            hostname: request.hostname.filter(|name| !name.is_empty()).unwrap_or_else(|| "metal".to_owned()),
            project,
            partition,
            size,
            image,
            layout,
            ssh_pub_keys: request.ssh_pub_keys,
            user_data: request.user_data,
            tags: request.tags.unwrap_or_default(),
            placement_tags: request.placement_tags.unwrap_or_default(),
            networks,
            ips,
            dns_servers,
            ntp_servers,
            firewall_rules,
        })
    }

    /// Check 17: every device of the layout is there.
    pub(super) fn check_layout_fits(&self, machine: &MachineRow) -> Result<(), Refusal> {
        let disks = &machine.wire.hardware.disks;
        let missing = self.layout.disks.iter().find(|wanted| disks.iter().all(|disk| disk.name != wanted.device));
        match missing {
            Some(disk) => {
                let text =
                    format!("unable to check for fsl match:device:{} does not exist on given hardware", disk.device);
                Err(Refusal::unprocessable(text))
            }
            None => Ok(()),
        }
    }
}

fn resolve_image(world: &World, id: &str) -> Result<Image, Refusal> {
    let found = image::query(&world.catalog.images, id).into_iter().next();
    found
        .cloned()
        .ok_or_else(|| Refusal::bad_request(format!("NotFound no image for id:{id} found:no version matches")))
}

/// Partition and size: those of a given machine, else the named ones.
fn place(
    world: &World,
    uuid: Option<&str>,
    partition: Option<String>,
    size: Option<String>,
) -> Result<(String, String), Refusal> {
    let Some(uuid) = uuid else {
        let given = |value: Option<String>, text: &str| {
            let text = format!("when no machine id is given, a {text} must be specified");
            value.filter(|value| !value.is_empty()).ok_or_else(|| Refusal::bad_request(text))
        };
        return Ok((given(partition, "partition id")?, given(size, "size id")?));
    };
    let unknown = || {
        Refusal::bad_request(format!(
            "uuid given, but no machine found with uuid:{uuid} err:NotFound no machine with id {uuid:?} found"
        ))
    };
    if !is_uuid(uuid) {
        return Err(unknown());
    }
    let row = world.machines.get(uuid).ok_or_else(unknown)?;
    Ok((row.partition().to_owned(), row.size().to_owned()))
}

fn existing<'a>(world: &'a World, partition: &str, size: &str) -> Result<&'a Partition, Refusal> {
    let missing = |kind: &str, id: &str| {
        Refusal::bad_request(format!("{kind}:{id} not found err:NotFound no {kind} with id {id:?} found"))
    };
    if !world.catalog.sizes.contains_key(size) {
        return Err(missing("size", size));
    }
    world.catalog.partitions.get(partition).ok_or_else(|| missing("partition", partition))
}

fn check_dns(servers: Option<Vec<DnsServer>>, partition: &Partition) -> Result<Vec<DnsServer>, Refusal> {
    let Some(servers) = servers.filter(|servers| !servers.is_empty()) else { return Ok(partition.dns_servers.clone()) };
    if servers.len() > DNS_MAX {
        return Err(Refusal::bad_request("please specify a maximum of three dns servers"));
    }
    match servers.iter().find(|server| server.ip.parse::<IpAddr>().is_err()) {
        Some(server) => Err(Refusal::bad_request(format!("ip: {} for dns server not correct", server.ip))),
        None => Ok(servers),
    }
}

fn check_ntp(servers: Option<Vec<NtpServer>>, partition: &Partition) -> Result<Vec<NtpServer>, Refusal> {
    let Some(servers) = servers.filter(|servers| !servers.is_empty()) else { return Ok(partition.ntp_servers.clone()) };
    if servers.len() > NTP_MAX {
        return Err(Refusal::bad_request("please specify a minimum of 3 and a maximum of 5 ntp servers"));
    }
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .split('.')
                .all(|label| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
    };
    match servers.iter().find(|server| server.address.parse::<IpAddr>().is_err() && !is_name(&server.address)) {
        Some(server) => Err(Refusal::bad_request(format!("dns name: {} for ntp server not correct", server.address))),
        None => Ok(servers),
    }
}

/// Check 9.
fn check_texts(project: &str, ips: &[String], keys: &Option<Vec<String>>) -> Result<Vec<IpAddr>, Refusal> {
    if project.is_empty() {
        return Err(Refusal::unprocessable("project id must be specified"));
    }
    let parse =
        |ip: &String| ip.parse().map_err(|_| Refusal::unprocessable(format!("{ip:?} is not a valid IP address")));
    let ips = ips.iter().map(parse).collect::<Result<_, _>>()?;
    match keys.iter().flatten().find(|key| !is_authorized_key(key)) {
        Some(key) => Err(Refusal::unprocessable(format!("invalid public SSH key: {key}"))),
        None => Ok(ips),
    }
}

/// `[options] type base64 [comment]`
fn is_authorized_key(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let key = words.windows(2).find(|pair| KEY_TYPES.contains(&pair[0]));
    let blob = key.and_then(|pair| base64::engine::general_purpose::STANDARD.decode(pair[1]).ok());
    blob.is_some_and(|blob| blob.len() > 4)
}

/// Checks 10 and 11.
fn check_autoacquire(role: &str, networks: &[AllocationNetwork], ips: &[IpAddr]) -> Result<(), Refusal> {
    let without = networks.iter().filter(|network| network.autoacquire == Some(false)).count();
    if role == "firewall" && ips.is_empty() && without == networks.len() {
        return Err(Refusal::unprocessable("when no ip is given at least one auto acquire network must be specified"));
    }
    match without > ips.len() {
        true => Err(Refusal::unprocessable("missing ip(s) for network(s) without automatic ip allocation")),
        false => Ok(()),
    }
}

/// Checks 13 and 14. The machine quota is held against the project's firewalls: metal-api filters by the wrong role.
fn check_quota(world: &World, project: &str) -> Result<(), Refusal> {
    let quotas = world.project(project)?.quotas.as_ref();
    let Some(max) = quotas.and_then(|quotas| quotas.machine.as_ref()).and_then(|quota| quota.quota) else {
        return Ok(());
    };
    let terms = [format!("project={project}"), "role=firewall".to_owned()];
    let firewalls = world.machines.with_terms(&terms).count();
    match i32::try_from(firewalls).is_ok_and(|count| count >= max) {
        true => Err(Refusal::unprocessable(format!("project quota for machines reached max:{max}"))),
        false => Ok(()),
    }
}

/// Check 15.
fn find_layout(world: &World, id: Option<String>, size: &str, image: &Image) -> Result<FilesystemLayout, Refusal> {
    let layouts = &world.catalog.layouts;
    if let Some(id) = id.filter(|id| !id.is_empty()) {
        let found = layouts.iter().find(|layout| layout.id == id);
        return found.cloned().ok_or_else(|| Refusal::no("filesystemlayout", &id));
    }
    let fits = |layout: &&FilesystemLayout| {
        let image = ImageVersion::parse(&image.id);
        let rule = image.as_ref().and_then(|image| layout.constraints.images.get(&image.os));
        let admits = rule.and_then(|rule| VersionRule::parse(rule)).zip(image);
        layout.constraints.sizes.iter().any(|known| known == size)
            && admits.is_some_and(|(rule, image)| rule.admits(image.version))
    };
    layouts.iter().find(fits).cloned().ok_or_else(|| {
        let text = format!("could not find a matching filesystemLayout for size:{size} and image:{}", image.id);
        Refusal::unprocessable(text)
    })
}

/// Tags without `=`, one per key of the others (the last wins), and metal-api's own, which override.
pub(in crate::api) fn machine_tags(row: &MachineRow, tags: &[String], networks: &[MachineNetwork]) -> Vec<String> {
    let mut bare: Vec<&String> = Vec::new();
    let mut labels: BTreeMap<&str, String> = BTreeMap::new();
    for tag in tags {
        match tag.split_once('=') {
            Some((key, value)) => {
                labels.insert(key, value.to_owned());
            }
            None if !bare.contains(&tag) => bare.push(tag),
            None => {}
        }
    }
    if let Some(network) = networks.iter().find(|network| network.private) {
        labels.insert("machine.metal-stack.io/network.primary.asn", network.asn.to_string());
    }
    let system = [("machine.metal-stack.io/rack", &row.wire.rackid), ("machine.metal-stack.io/chassis", &row.chassis)];
    for (key, value) in system {
        if !value.is_empty() {
            labels.insert(key, value.clone());
        }
    }
    bare.into_iter().cloned().chain(labels.iter().map(|(key, value)| format!("{key}={value}"))).collect()
}
