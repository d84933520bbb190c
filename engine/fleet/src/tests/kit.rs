//! Small fleets, and findings as text.

use crate::{Loaded, Memo, load};
use model::lock::{EgressIp, Firewall, LockKind, NodeNetwork, Source, Values, Vip};
use model::tree::MemoryTree;
use model::want::input_digests;
use model::{Allocation, ClusterLock, Finding, Origin, Timestamp, Want};
use std::fmt::Write as _;
use std::path::Path;

pub(super) const FLEET: &str = "fleet.yaml";
pub(super) const POLICY: &str = "policies/default.yaml";
pub(super) const SHOP: &str = "stages/development/clusters/shop/cluster.yaml";
pub(super) const SHOP_LOCK: &str = "stages/development/clusters/shop/cluster.lock.yaml";
pub(super) const BILLING: &str = "stages/production/clusters/billing/cluster.yaml";
pub(super) const BILLING_LOCK: &str = "stages/production/clusters/billing/cluster.lock.yaml";

pub(super) fn now() -> Timestamp {
    "2026-11-21T00:00:00Z".parse().unwrap()
}

/// All of `fleet-example/`, with what the engine committed.
pub(super) fn whole_example() -> MemoryTree {
    read("../../fleet-example")
}

/// A fleet of three clusters without locks: what the cases here are made from.
pub(super) fn example() -> MemoryTree {
    read("src/tests/fleet")
}

fn read(folder: &str) -> MemoryTree {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut tree = MemoryTree::default();
    read_into(&mut tree, &root, &root);
    tree
}

fn read_into(tree: &mut MemoryTree, root: &Path, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_into(tree, root, &path);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            tree.files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

pub(super) fn loaded(tree: &MemoryTree) -> Loaded {
    load(&tree.tree(), &mut Memo::default(), now())
}

/// An overlay with this in its spec.
pub(super) fn overlay(name: &str, spec: &str) -> String {
    format!("apiVersion: fleet.metal-stack.io/v1alpha1\nkind: Overlay\nmetadata: {{name: {name}}}\nspec:\n  {spec}\n")
}

/// What a test does to a fleet.
pub(super) trait Edit {
    fn put(&mut self, path: &str, text: &str);
    fn edit(&mut self, path: &str, from: &str, to: &str);
    fn append(&mut self, path: &str, text: &str);
    fn remove_file(&mut self, path: &str);
    /// Gives a cluster the lock that the engine would have written.
    fn lock(&mut self, cluster: &str) -> ClusterLock;
    fn put_lock(&mut self, path: &str, lock: &ClusterLock);
}

impl Edit for MemoryTree {
    fn put(&mut self, path: &str, text: &str) {
        self.files.insert(path.to_owned(), text.as_bytes().to_vec());
    }

    fn edit(&mut self, path: &str, from: &str, to: &str) {
        let text = String::from_utf8(self.files[path].clone()).unwrap();
        assert!(text.contains(from), "{path} has no {from:?}");
        self.put(path, &text.replacen(from, to, 1));
    }

    fn append(&mut self, path: &str, more: &str) {
        let text = String::from_utf8(self.files[path].clone()).unwrap();
        self.put(path, &format!("{text}{more}"));
    }

    fn remove_file(&mut self, path: &str) {
        self.files.remove(path).unwrap();
    }

    fn lock(&mut self, cluster: &str) -> ClusterLock {
        let (path, lock) = lock_of(&loaded(self).want, cluster);
        self.put_lock(&path, &lock);
        lock
    }

    fn put_lock(&mut self, path: &str, lock: &ClusterLock) {
        self.put(path, &serde_json::to_string_pretty(lock).unwrap());
    }
}

/// A complete lock, with ids of its own for each cluster.
pub(super) fn lock_of(want: &Want, cluster: &str) -> (String, ClusterLock) {
    let wanted = &want.clusters[&cluster.parse::<model::ClusterId>().unwrap()];
    let e = &wanted.effective;
    let seed = u8::try_from(cluster.len()).unwrap();
    let uuid = |kind: u8| format!("00000000-0000-4000-8000-0000000{kind:02x}{seed:03}");
    let allocation = |kind| Allocation::parse(&uuid(kind)).unwrap();
    let image = |m: &model::want::MachineSpec| (m.image.wish.value.to_string(), m.image.id.clone());
    let egress = |network: &model::NetworkId| EgressIp {
        network: network.clone(),
        address: std::net::Ipv4Addr::new(198, 18, 1, seed).into(),
        allocation: allocation(4),
        origin: Origin::Allocated,
    };
    let values = Values {
        node_network: Some(NodeNetwork {
            id: uuid(1).parse().unwrap(),
            prefixes: vec![format!("10.{seed}.0.0/{}", e.nodes.length.unwrap_or(22)).parse().unwrap()],
            origin: Origin::Allocated,
        }),
        vip: Some(Vip {
            address: e.vip.address.unwrap_or(std::net::Ipv4Addr::new(198, 18, 0, seed)),
            port: e.api_port.value,
            network: e.vip.network.value.clone(),
            kind: e.vip.kind.value,
            allocation: allocation(2),
            origin: Origin::Allocated,
        }),
        egress_ips: e.firewall.egress.iter().map(egress).collect(),
        firewall: Some(Firewall {
            id: e.firewall.machine.clone().unwrap_or_else(|| uuid(3).parse().unwrap()),
            allocation: allocation(3),
            generation: u32::from(e.firewall.machine.is_none()),
            image: "firewall-ubuntu-3.0.20251101".parse().unwrap(),
            networks: e.firewall.networks.value.clone(),
            origin: if e.firewall.machine.is_some() { Origin::Adopted } else { Origin::Allocated },
            inputs: None,
            successor: None,
        }),
        kubernetes: Some(model::lock::Kubernetes { version: e.version.clone() }),
        images: e.pools.iter().map(|p| &p.machines).chain([&e.control_plane]).map(image).collect(),
        autoscaled_pools: vec![],
        empty_pools: vec![],
    };
    let lock = ClusterLock {
        api_version: <_>::default(),
        kind: LockKind::ClusterLock,
        identity: wanted.identity.clone(),
        source: Source { path: wanted.path.clone(), digest: wanted.digest.clone() },
        rendered: input_digests(wanted.id.name(), e, &values),
        values,
        conditions: vec![],
        deletion: None,
    };
    (wanted.lock_path.clone(), lock)
}

/// As a command line would show them.
pub(super) fn shown(findings: &[Finding]) -> String {
    let mut out = String::new();
    for f in findings {
        let place = &f.place;
        let severity = if f.is_error() { "error" } else { "warning" };
        let cluster = f.cluster.as_ref().map_or_else(String::new, |c| format!(" ({c})"));
        let reason = f.reason.map_or_else(String::new, |r| format!(" {r}"));
        writeln!(out, "{}:{}:{}: {severity}[{}]{reason}{cluster}", place.file, place.line, place.column, f.rule)
            .unwrap();
        if !place.text.is_empty() {
            let under = "^".repeat(place.width as usize);
            writeln!(out, "    {}\n    {}{under}", place.text, " ".repeat(place.column as usize - 1)).unwrap();
        }
        let field = if f.field.is_empty() { String::new() } else { format!("{}: ", f.field) };
        writeln!(out, "  {field}{}", f.message).unwrap();
        if !f.mend.is_empty() {
            writeln!(out, "  mend: {}", f.mend).unwrap();
        }
    }
    out
}
