use super::*;
use model::definition::SlotMode;
use model::metal::{HaveProject, Network, NetworkKind};
use model::tree::MemoryTree;
use model::{NetworkId, ProjectId, Tags, Timestamp, tags};
use plan::ClusterPlan;
use std::sync::Arc;

const CLUSTER: &str = "default.shop";

/// The example fleet, of which shop's node network is the provider's to allocate.
fn want() -> Want {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fleet-example/");
    let folder = "stages/development/clusters/shop/cluster.yaml";
    let files = ["fleet.yaml", "policies/default.yaml", folder, "stages/production/clusters/billing/cluster.lock.yaml"];
    let read = |path: &&str| ((*path).to_owned(), std::fs::read(format!("{root}{path}")).unwrap());
    let tree = MemoryTree { files: files.iter().map(read).collect() };
    let mut want = fleet::load(&tree.tree(), &mut fleet::Memo::default(), Timestamp::UNIX_EPOCH).want;
    let shop = want.clusters.get_mut(&cluster()).unwrap();
    Arc::make_mut(&mut shop.effective).nodes.mode.value = SlotMode::Delegate;
    want
}

fn cluster() -> ClusterId {
    CLUSTER.parse().unwrap()
}

fn network(want: &Want, id: &str, tags: Tags) -> Network {
    let identity = &want.clusters[&cluster()].identity;
    Network {
        id: NetworkId::parse(id).unwrap(),
        name: String::new(),
        kind: NetworkKind::Child,
        project: Some(identity.project.clone()),
        partition: Some(identity.partition.clone()),
        parent: None,
        prefixes: vec!["10.0.4.0/22".parse().unwrap()],
        destination_prefixes: vec![],
        announceable: vec![],
        labels: tags,
        created: None,
    }
}

fn delegates_its_network(project: ProjectId) -> ClusterPlan {
    let (steps, notes, lost) = (vec![Step::Delegate { slot: Slot::Network }], vec![], vec![]);
    ClusterPlan { project, steps, blocked: None, notes, lost, drops_successor: false, frees: Vec::new() }
}

/// What becomes of the slot when the management cluster shows the network `seen`.
fn slot(want: &Want, networks: Vec<Network>) -> (Step, Option<(Reason, String)>) {
    let project = want.clusters[&cluster()].identity.project.clone();
    let had = HaveProject { networks, ..HaveProject::default() };
    let have = Have { projects: [(project.clone(), had)].into(), ..Have::default() };
    let mut seen = Seen::default();
    seen.values.node_network = Some(NetworkId::parse("seen").unwrap());
    let own = delegates_its_network(project);
    let mut plan = Plan { clusters: [(cluster(), own)].into(), ..Plan::default() };
    let mut notes = read_back(&mut plan, want, &have, &[(cluster(), seen)].into());
    let note = notes.remove(&cluster()).map(|note| (note.reason, note.message));
    (plan.clusters.remove(&cluster()).unwrap().steps.remove(0), note)
}

#[test]
fn i5_what_the_provider_filled_in_is_used_when_it_is_this_clusters_or_nobodys() {
    let want = want();
    for tags in [Tags::new(), Tags::new().with(tags::CLUSTER_ID, CLUSTER)] {
        let (step, refused) = slot(&want, vec![network(&want, "seen", tags)]);
        let Step::Use { slot, resource, origin } = step else { panic!("{step:?}") };
        assert_eq!((slot, resource.id(), origin, refused), (Slot::Network, "seen".to_owned(), Origin::Delegated, None));
    }
}

#[test]
fn i12_what_is_somebody_elses_or_not_there_stays_delegated_with_the_reason() {
    let want = want();
    let others = Tags::new().with(tags::CLUSTER_ID, "default.other");
    let elsewhere = Network { partition: None, ..network(&want, "seen", Tags::new()) };
    let mut locked = want.clone();
    let orphan = locked.orphan_locks.values_mut().next().unwrap();
    let lock = Arc::make_mut(&mut orphan.lock);
    lock.values.node_network.as_mut().unwrap().id = NetworkId::parse("seen").unwrap();
    for (want, networks, words) in [
        (&want, vec![], "does not have in partition"),
        (&want, vec![elsewhere], "does not have in partition"),
        (&want, vec![network(&want, "seen", others)], "tagged for `default.other`"),
        (&locked, vec![network(&want, "seen", Tags::new())], "the lock of `payments.billing` names"),
    ] {
        let (step, refused) = slot(want, networks);
        assert_eq!(step, Step::Delegate { slot: Slot::Network });
        let (reason, message) = refused.unwrap();
        assert_eq!(reason, Reason::Claimed);
        assert!(message.contains(words), "{message}");
    }
}
