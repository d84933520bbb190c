use super::*;
use crate::output::plan::Report;
use crate::source::Fleet;
use ::plan::Next;
use model::condition::ConditionStatus;
use model::lock::{DeletionPhase, Successor};
use std::path::Path;
use std::sync::Arc;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fleet-example");

/// fleet-example on a bad day: a lost VIP, a firewall that is replaced, a cluster that is deleted.
fn standing() -> Standing {
    let Fleet { mut want, .. } = Fleet::of(crate::worktree::tree(Path::new(EXAMPLE)).unwrap());
    let id = |text: &str| text.parse::<ClusterId>().unwrap();
    let state = |want: &model::Want, id: &ClusterId| ClusterState {
        path: want.clusters[id].path.clone(),
        phase: Phase::Rendered,
        lock: want.clusters[id].lock.clone(),
        problem: None,
        notes: Vec::new(),
        firewall_ready: Some(true),
        commit: None,
    };
    let mut states: std::collections::BTreeMap<_, _> =
        want.clusters.keys().map(|id| (id.clone(), state(&want, id))).collect();
    let shop = states.get_mut(&id("default.shop")).unwrap();
    let mut lock = shop.lock.as_deref().unwrap().clone();
    lock.conditions.push(Condition {
        kind: "Available".to_owned(),
        status: ConditionStatus::False,
        reason: Reason::Lost,
        message: "vip `198.18.0.1` is not in metal-api any more".to_owned(),
    });
    let firewall = lock.values.firewall.as_mut().unwrap();
    firewall.successor = Some(Successor {
        id: "10000000-0000-4000-8000-000000000009".parse().unwrap(),
        allocation: firewall.allocation.clone(),
        generation: 2,
        image: firewall.image.clone(),
        inputs: None,
    });
    shop.lock = Some(Arc::new(lock));
    shop.problem = Some((Reason::Lost, "vip `198.18.0.1` is not in metal-api any more".to_owned()));
    shop.notes = vec![(Reason::FirewallReplacing, "generation 2 has not phoned home yet".to_owned())];
    let legacy = states.get_mut(&id("default.legacy")).unwrap();
    let mut lock = legacy.lock.as_deref().unwrap().clone();
    let confirmed_in = model::CommitId::parse("abcdef7890123456789012345678901234567890").unwrap();
    lock.deletion = Some(Deletion { confirmed_in, phase: DeletionPhase::Removing, grace_period: None });
    let project = lock.identity.project.clone();
    legacy.lock = Some(Arc::new(lock));
    legacy.phase = Phase::Deleting;
    legacy.problem = Some((Reason::Deleting, String::new()));
    legacy.firewall_ready = None;
    let mut report = Report { tip: "1234567890123456789012345678901234567890".parse().ok(), ..Report::default() };
    let waits = vec!["the Cluster is still in management cluster `mgmt-muc`".to_owned()];
    let phase = Some(DeletionPhase::Removing);
    let deleting =
        Deleting { project, phase, next: Next::Wait, waits, until: None, refused: None, ends: false, gone: Vec::new() };
    report.plan.deletions.insert(id("default.legacy"), deleting);
    want.clusters.remove(&id("default.legacy"));
    let entry = LogEntry {
        id: "fedcba7890123456789012345678901234567890".parse().unwrap(),
        time: Timestamp::from_second(1_790_000_000).unwrap(),
        author: "Ferrofleet <ferrofleet@localhost>".to_owned(),
        title: "Resolve default.shop and payments.billing".to_owned(),
        reason: "resolve".to_owned(),
        clusters: vec![id("default.shop"), id("payments.billing")],
        source: None,
        values: Vec::new(),
        freed: Vec::new(),
    };
    Standing { want, states, report: Some(report), log: vec![entry] }
}

fn plainly(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn a_table_of_all_and_what_is_wrong() {
    let fleet = FleetStatus::new(&standing());
    insta::assert_snapshot!("table", plainly(&format!("{}\n{}", fleet.table().text(), fleet.problems())));
}

#[test]
fn for_machines() {
    insta::assert_json_snapshot!("json", FleetStatus::new(&standing()));
}

#[test]
fn one_cluster_with_what_it_means_and_what_to_do() {
    let fleet = FleetStatus::new(&standing());
    let of = |name: &str, width| {
        let status = fleet.clusters.iter().find(|status| status.cluster.name().as_str() == name).unwrap();
        plainly(&tree::drawn(status, width))
    };
    insta::assert_snapshot!("tree_120", of("shop", 120));
    insta::assert_snapshot!("tree_80", of("shop", 80));
    insta::assert_snapshot!("tree_deleting", of("legacy", 100));
    assert!(of("shop", 80).lines().all(|line| line.chars().count() <= 80), "{}", of("shop", 80));
}

#[test]
fn every_reason_that_needs_a_person_says_what_to_do() {
    for reason in Reason::ALL.iter().filter(|reason| reason.kind() == ReasonKind::Stalled) {
        assert!(!mend(*reason).is_empty(), "{reason}");
    }
    // Commands that are named are there.
    for reason in Reason::ALL {
        for command in mend(*reason).split("`ferrofleet ").skip(1) {
            let name = command.split([' ', '`']).next().unwrap();
            let known = ["validate", "plan", "status", "recover", "ack", "images"];
            assert!(known.contains(&name), "{reason}: {name}");
        }
    }
}
