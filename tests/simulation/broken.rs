//! The checker can fail: for each invariant a world in which it does not hold, and the same world in which it does.

use ferrofleet_tests::simulation::{Checker, Files, Thing, Violation};
use std::collections::{BTreeMap, BTreeSet};

const NETWORK: &str = "net-1";
const VIP: &str = "198.18.0.1";
const FIREWALL: &str = "fw-1";

/// What `default.shop` is, and what of it a test changes.
struct World {
    checker: Checker,
    files: BTreeMap<String, String>,
    things: Vec<Thing>,
}

fn thing(kind: &str, id: &str, slot: &str, fleet: &str) -> Thing {
    let tags = [
        "fleet.metal-stack.io/managed-by=engine".to_owned(),
        format!("fleet.metal-stack.io/fleet={fleet}"),
        format!("fleet.metal-stack.io/slot={slot}"),
        "metal-stack.infrastructure.cluster.x-k8s.io/cluster-resource=default.shop".to_owned(),
    ];
    Thing { kind: kind.to_owned(), id: id.to_owned(), allocation: format!("a-{id}"), tags: tags.into() }
}

fn network(id: &str) -> Thing {
    Thing { allocation: id.to_owned(), ..thing("network", id, "network", "example") }
}

fn lock(network: &str, confirmed: bool) -> String {
    let deletion = if confirmed { "deletion: {confirmedIn: abc, phase: confirmed}\n" } else { "" };
    format!(
        "identity: {{namespace: default, name: shop}}\nvalues:\n  nodeNetwork: {{id: {network}, origin: allocated}}\n  \
         vip: {{address: {VIP}, allocation: a-{VIP}, origin: allocated}}\n  \
         firewall: {{id: {FIREWALL}, allocation: a-{FIREWALL}, generation: 1, origin: allocated}}\n{deletion}"
    )
}

fn definition(confirmed: bool) -> String {
    let deletion = if confirmed { "  deletion: {confirm: shop}\n" } else { "" };
    format!(
        "metadata: {{name: shop}}\nspec:\n  kubernetes: {{version: 1.34.2}}\n  pools: [{{name: a, replicas: 1}}]\n{deletion}"
    )
}

fn infrastructure(network: &str) -> String {
    format!(
        "kind: MetalStackCluster\nspec: {{nodeNetworkID: {network}, controlPlaneIP: {VIP}}}\n---\n\
         kind: MetalStackFirewallDeployment\nspec: {{managedResourceRef: {{name: metal://muc-a/{FIREWALL}}}}}\n"
    )
}

fn control_plane(template: &str) -> String {
    format!(
        "kind: KubeadmControlPlane\nmetadata: {{name: shop-control-plane}}\nspec:\n  version: v1.34.2\n  \
         kubeadmConfigSpec: {{format: ignition}}\n  machineTemplate: {{spec: {{infrastructureRef: {{name: {template}}}}}}}\n"
    )
}

const DEFINITION: &str = "clusters/shop/cluster.yaml";
const LOCK: &str = "clusters/shop/cluster.lock.yaml";
const INFRASTRUCTURE: &str = "rendered/mgmt/default/shop/infrastructure.yaml";
const CONTROL_PLANE: &str = "rendered/mgmt/default/shop/control-plane.yaml";

impl World {
    /// One cluster, resolved and rendered, and somebody else's address.
    fn new() -> Self {
        let mut world = Self { checker: Checker::default(), files: BTreeMap::new(), things: Vec::new() };
        world.there(Thing { tags: Vec::new(), ..thing("ip", "198.18.0.9", "vip", "example") });
        world.there(network(NETWORK));
        world.there(thing("ip", VIP, "vip", "example"));
        world.there(thing("firewall", FIREWALL, "firewall.1", "example"));
        world.people([(DEFINITION, Some(definition(false)))], 0);
        world
            .engine([
                (LOCK, Some(lock(NETWORK, false))),
                (INFRASTRUCTURE, Some(infrastructure(NETWORK))),
                (CONTROL_PLANE, Some(control_plane("shop-control-plane-1"))),
            ])
            .expect("this world is well");
        world
    }

    fn there(&mut self, thing: Thing) {
        self.checker.found(thing.clone());
        self.things.push(thing);
    }

    fn change<const N: usize>(&mut self, changes: [(&str, Option<String>); N]) {
        for (path, text) in changes {
            match text {
                Some(text) => self.files.insert(path.to_owned(), text),
                None => self.files.remove(path),
            };
        }
    }

    fn people<const N: usize>(&mut self, changes: [(&str, Option<String>); N], seconds: u64) {
        self.change(changes);
        self.checker.people_pushed(&Files::of(&self.files), seconds);
    }

    fn engine<const N: usize>(&mut self, changes: [(&str, Option<String>); N]) -> Result<(), Violation> {
        self.change(changes);
        self.checker.engine_pushed(&Files::of(&self.files), true)
    }

    fn freed(&mut self, kind: &str, id: &str) -> Result<(), Violation> {
        self.things.retain(|thing| thing.id != id);
        self.checker.freed(kind, id, 10_000, &[])
    }

    fn quiet(&mut self) -> Result<(), Violation> {
        self.checker.quiet(&Files::of(&self.files), &self.things, &BTreeSet::new())
    }

    /// As people and the engine delete it, up to where its things are freed.
    fn deleted(&mut self) {
        self.people([(DEFINITION, Some(definition(true)))], 100);
        self.engine([(LOCK, Some(lock(NETWORK, true)))]).expect("confirmed");
        self.people([(DEFINITION, None)], 200);
    }
}

#[track_caller]
fn violates(invariant: &str, found: Result<(), Violation>) {
    match found {
        Err(violation) => assert_eq!(violation.invariant, invariant, "{violation}"),
        Ok(()) => panic!("nobody saw that {invariant} does not hold"),
    }
}

#[test]
fn a_world_that_is_well() {
    assert_eq!(World::new().quiet(), Ok(()));
    let mut world = World::new();
    world.deleted();
    for (kind, id) in [("firewall", FIREWALL), ("ip", VIP), ("network", NETWORK)] {
        assert_eq!(world.freed(kind, id), Ok(()), "{id}");
    }
    assert_eq!(world.engine([(LOCK, None), (INFRASTRUCTURE, None), (CONTROL_PLANE, None)]), Ok(()));
    assert_eq!(world.quiet(), Ok(()));
}

#[test]
fn i1_the_output_names_another_one() {
    let mut world = World::new();
    violates("I1", world.engine([(INFRASTRUCTURE, Some(infrastructure("net-2")))]));
}

#[test]
fn i1_two_clusters_name_one() {
    let mut world = World::new();
    let other = lock(NETWORK, false).replace("name: shop", "name: other");
    violates("I1", world.engine([("clusters/other/cluster.lock.yaml", Some(other))]));
}

#[test]
fn i1_a_second_one_is_left() {
    let mut world = World::new();
    world.there(network("net-2"));
    violates("I1", world.quiet());
}

#[test]
fn i1_freed_before_a_lock_says_whose_it_is() {
    let mut world = World::new();
    world.there(thing("ip", "198.18.0.3", "egress.internet", "example"));
    violates("I1", world.freed("ip", "198.18.0.3"));
}

#[test]
fn i1_a_lock_names_what_is_not_there() {
    let mut world = World::new();
    world.things.clear();
    let egress = "  egressIPs: [{network: internet, address: 198.18.0.4, allocation: x, origin: allocated}]\n";
    violates("I1", world.engine([(LOCK, Some(lock(NETWORK, false) + egress))]));
}

#[test]
fn i2_something_of_a_deleted_cluster_is_left() {
    let mut world = World::new();
    world.deleted();
    for (kind, id) in [("firewall", FIREWALL), ("ip", VIP)] {
        assert_eq!(world.freed(kind, id), Ok(()), "{id}");
    }
    world.engine([(LOCK, None), (INFRASTRUCTURE, None), (CONTROL_PLANE, None)]).expect("its files may go");
    violates("I2", world.quiet());
}

#[test]
fn i2_a_leak_is_no_orphan() {
    // Of a death nobody committed anything of; committed values are never excused by it.
    let mut world = World::new();
    world.checker.died();
    world.deleted();
    world.engine([(LOCK, None), (INFRASTRUCTURE, None), (CONTROL_PLANE, None)]).expect("its files may go");
    violates("I2", world.quiet());
}

#[test]
fn i2_a_deletion_that_never_ends() {
    let mut world = World::new();
    world.deleted();
    violates("I2", world.quiet());
}

#[test]
fn i3_a_persons_byte_or_the_branch_is_changed() {
    let mut world = World::new();
    violates("I3", world.engine([(DEFINITION, Some(definition(false) + "\n"))]));
    let mut world = World::new();
    violates("I3", world.engine([(DEFINITION, None)]));
    let mut world = World::new();
    violates("I3", world.checker.engine_pushed(&Files::of(&world.files), false));
}

#[test]
fn i5_a_committed_value_changes() {
    let mut world = World::new();
    world.there(network("net-2"));
    let changes = [(LOCK, Some(lock("net-2", false))), (INFRASTRUCTURE, Some(infrastructure("net-2")))];
    violates("I5", world.engine(changes.clone()));
    // Nor when somebody took the old one away.
    let mut world = World::new();
    world.there(network("net-2"));
    world.checker.taken("network", NETWORK);
    violates("I5", world.engine(changes));
}

#[test]
fn i5_a_loss_that_nobody_is_told_of() {
    let mut world = World::new();
    world.checker.taken("network", NETWORK);
    world.things.retain(|thing| thing.id != NETWORK);
    violates("I5", world.quiet());
    let said = lock(NETWORK, false) + "conditions: [{type: Available, status: \"False\", reason: Lost}]\n";
    world.engine([(LOCK, Some(said))]).expect("it is said");
    assert_eq!(world.quiet(), Ok(()));
}

#[test]
fn i6_another_cluster_is_stopped() {
    let mut world = World::new();
    world.people([("clusters/x/cluster.yaml", Some("spec: [".to_owned()))], 100);
    assert_eq!(world.quiet(), Ok(()), "the broken one is nobody's");
    let second = definition(false).replace("shop", "second");
    world.people([("clusters/second/cluster.yaml", Some(second))], 100);
    violates("I6", world.quiet());
}

#[test]
fn i9_freed_without_two_steps() {
    violates("I9", World::new().freed("network", NETWORK));
    violates("I9", World::new().freed("firewall", FIREWALL));
    // Removed, and nobody confirmed it.
    let mut world = World::new();
    world.people([(DEFINITION, None)], 100);
    violates("I9", world.freed("ip", VIP));
    // Confirmed and removed at once: no engine ever saw the confirmation.
    let mut world = World::new();
    world.people([(DEFINITION, Some(definition(true)))], 100);
    world.people([(DEFINITION, None)], 101);
    violates("I9", world.freed("ip", VIP));
}

#[test]
fn i9_files_leave_without_two_steps() {
    let mut world = World::new();
    world.people([(DEFINITION, None)], 100);
    violates("I9", world.engine([(LOCK, None)]));
    let mut world = World::new();
    world.people([(DEFINITION, None)], 100);
    violates("I9", world.engine([(INFRASTRUCTURE, None), (CONTROL_PLANE, None)]));
}

#[test]
fn i11_machines_are_replaced_and_nobody_asked() {
    let changed = || [(CONTROL_PLANE, Some(control_plane("shop-control-plane-2")))];
    violates("I11", World::new().engine(changed()));
    // A change of a number, or another place, is no wish for other machines.
    let mut world = World::new();
    world.people([(DEFINITION, Some(definition(false).replace("replicas: 1", "replicas: 2")))], 100);
    violates("I11", world.engine(changed()));
    let mut world = World::new();
    world.people([(DEFINITION, None), ("elsewhere/cluster.yaml", Some(definition(false)))], 100);
    violates("I11", world.engine(changed()));
    let mut world = World::new();
    world.people([(DEFINITION, Some(definition(false).replace("1.34.2", "1.34.3")))], 100);
    assert_eq!(world.engine(changed()), Ok(()));
}

#[test]
fn i12_somebody_elses_is_freed_or_used() {
    violates("I12", World::new().freed("ip", "198.18.0.9"));
    let mut world = World::new();
    world.there(thing("ip", "198.18.0.5", "vip", "another"));
    violates("I12", world.freed("ip", "198.18.0.5"));
    let mut world = World::new();
    world.there(thing("ip", "198.18.0.5", "egress.internet", "another"));
    let egress =
        "  egressIPs: [{network: internet, address: 198.18.0.5, allocation: a-198.18.0.5, origin: allocated}]\n";
    violates("I12", world.engine([(LOCK, Some(lock(NETWORK, false) + egress))]));
    let mut world = World::new();
    world.things.retain(|thing| thing.id != "198.18.0.9");
    violates("I12", world.quiet());
}
