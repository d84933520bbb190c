//! Would the clusters work, as far as metal-api knows: are pods routed, does the VIP have speakers, is there egress.

use crate::world::{MachineRow, NetworkRow, World};
use metal_api::wire::MachineNetwork;
use model::tags::{CLUSTER_ID, CLUSTER_RESOURCE, EGRESS, PURPOSE, PURPOSE_CONTROL_PLANE};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is known of one cluster, by what its network, machines and addresses are tagged with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reachability {
    /// `<namespace>.<name>`
    pub cluster: String,
    /// Leaf switches take the routes of its pods: a node network below a super network that announces more than node
    /// prefixes, with a firewall in it.
    pub pods_routed: bool,
    /// Control-plane machines that phoned home; each announces the VIP.
    pub vip_speakers: u32,
    /// A firewall phoned home that has a network with a default route.
    pub egress: bool,
    /// Why not, for each of the three.
    pub reasons: Vec<String>,
}

pub(crate) fn reachability(world: &World) -> Vec<Reachability> {
    clusters(world).into_iter().map(|cluster| of_cluster(world, cluster)).collect()
}

fn clusters(world: &World) -> BTreeSet<String> {
    let value = |tag: &String, keys: &[&str]| {
        let (key, value) = tag.split_once('=')?;
        keys.contains(&key).then(|| value.to_owned())
    };
    let networks = world.networks.iter().filter_map(|row| row.wire.labels.get(CLUSTER_ID).cloned());
    let tags = world.machines.iter().flat_map(|row| &row.wire.tags).filter_map(|tag| value(tag, &[CLUSTER_RESOURCE]));
    let ips = world.ips.iter().flat_map(|row| &row.wire.tags);
    let ips = ips.filter_map(|tag| value(tag, &[CLUSTER_RESOURCE, EGRESS]));
    networks.chain(tags).chain(ips).collect()
}

fn of_cluster(world: &World, cluster: String) -> Reachability {
    let mut reasons = Vec::new();
    let labelled = [format!("label={CLUSTER_ID}={cluster}")];
    let network = world.networks.with_terms(&labelled).next();
    let pods_routed = pods_routed(world, network, &mut reasons);
    let speakers = [format!("tag={CLUSTER_RESOURCE}={cluster}"), format!("tag={PURPOSE}={PURPOSE_CONTROL_PLANE}")];
    let vip_speakers = world.machines.with_terms(&speakers).filter(|row| is_up(row)).count();
    if vip_speakers == 0 {
        reasons.push("no control-plane machine phoned home: nothing announces the VIP".to_owned());
    }
    let egress = egress(world, network, &mut reasons);
    let vip_speakers = u32::try_from(vip_speakers).unwrap_or(u32::MAX);
    Reachability { cluster, pods_routed, vip_speakers, egress, reasons }
}

fn pods_routed(world: &World, network: Option<&NetworkRow>, reasons: &mut Vec<String>) -> bool {
    let Some(network) = network else {
        reasons.push(format!("no network has the label {CLUSTER_ID} of this cluster"));
        return false;
    };
    let parent = network.wire.parentnetworkid.as_deref().and_then(|parent| world.networks.get(parent));
    let announces = parent.is_some_and(|parent| !parent.wire.additional_announcable_cidrs.is_empty());
    if !announces {
        reasons.push("the super network announces node prefixes only: no pod of another node is reached".to_owned());
    }
    let has_firewall = firewalls(world, network).next().is_some();
    if !has_firewall {
        reasons.push("no firewall is in the node network".to_owned());
    }
    announces && has_firewall
}

fn egress(world: &World, network: Option<&NetworkRow>, reasons: &mut Vec<String>) -> bool {
    let Some(network) = network else { return false };
    let up: Vec<&MachineRow> = firewalls(world, network).filter(|row| is_up(row)).collect();
    let has_default = |network: &MachineNetwork| {
        network.destinationprefixes.iter().any(|prefix| prefix == "0.0.0.0/0" || prefix == "::/0")
    };
    let networks =
        || up.iter().filter_map(|row| row.wire.allocation.as_ref()).flat_map(|allocation| &allocation.networks);
    let egress = networks().any(has_default);
    if up.is_empty() {
        reasons.push("no firewall phoned home: nothing leaves the node network".to_owned());
    } else if !egress {
        reasons.push("no network of the firewall has a default route".to_owned());
    }
    egress
}

fn firewalls<'a>(world: &'a World, network: &NetworkRow) -> impl Iterator<Item = &'a MachineRow> {
    let id = network.id().to_owned();
    let in_network = move |row: &&MachineRow| {
        let networks = row.wire.allocation.iter().flat_map(|allocation| &allocation.networks);
        row.role() == Some("firewall") && networks.into_iter().any(|network| network.networkid == id)
    };
    world.machines.iter().filter(in_network)
}

fn is_up(row: &MachineRow) -> bool {
    let events = &row.wire.events;
    let phoned_home = events.log.iter().map(|event| event.event.as_str()).take_while(|event| *event != "Installing");
    row.wire.allocation.is_some()
        && row.wire.liveliness == "Alive"
        && !events.crash_loop
        && phoned_home.into_iter().any(|event| event == "Phoned Home")
}
