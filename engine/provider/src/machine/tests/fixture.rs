//! A cluster `shop` in namespace `default` with a machine `shop-1`, all as they should be.

use crate::api::{ConditionStatus, MetalStackCluster, MetalStackMachine, MetalStackMachineStatus};
use crate::capi;
use crate::machine::Action;
use crate::machine::decide::{Decided, decide};
use crate::machine::observed::{Named, Observed, Reach, Room, Rules};
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Failure, Memory, Rest, Step};
use model::metal::{Machine, MachineNetwork, MachineNetworkKind, MachineRole, MachineState};
use model::{Allocation, ImageId, MachineId, NetworkId, PartitionId, ProjectId, SizeId, Tags, Timestamp, tags};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const PROJECT: &str = "00000000-0000-0000-0000-000000000001";
pub(super) const OTHER_PROJECT: &str = "00000000-0000-0000-0000-000000000002";
pub(super) const ATTEMPT: &str = "7d9c2f0e-93d4-4a51-9a3e-6c7c9d0f1b11";
pub(super) const SETTLE: Duration = Duration::from_secs(30);
pub(super) const GRACE: Duration = Duration::from_secs(30);

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn id(n: u32) -> MachineId {
    MachineId::parse(&format!("00000000-0000-4000-8000-{n:012x}")).unwrap()
}

pub(super) fn provider_id(n: u32) -> String {
    format!("metal://muc-a/{}", id(n))
}

pub(super) fn read<T: DeserializeOwned>(value: Value) -> Arc<T> {
    Arc::new(serde_json::from_value(value).unwrap())
}

pub(super) fn project() -> ProjectId {
    ProjectId::parse(PROJECT).unwrap()
}

/// A machine of metal-api that says that it is `default.shop-1`'s, allocated by us with [`ATTEMPT`], and that runs.
pub(super) fn server(n: u32) -> Machine {
    Machine {
        id: id(n),
        allocation: Allocation::parse(&format!("allocation-{n}")).unwrap(),
        project: project(),
        partition: PartitionId::parse("muc-a").unwrap(),
        size: SizeId::parse("n1-medium-x86").unwrap(),
        image: ImageId::parse("capms-ubuntu-1.34.2").unwrap(),
        role: MachineRole::Machine,
        hostname: "shop-1".to_owned(),
        rack: "rack-1".to_owned(),
        state: MachineState::Available,
        state_description: String::new(),
        tags: Tags::new()
            .with(tags::MACHINE_RESOURCE, "default.shop-1")
            .with(tags::CLUSTER_RESOURCE, "default.shop")
            .with(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER)
            .with(tags::ATTEMPT, ATTEMPT),
        created: Some(at(0)),
        networks: vec![MachineNetwork {
            network: NetworkId::parse("node").unwrap(),
            kind: MachineNetworkKind::PrivatePrimaryUnshared,
            ips: vec!["10.0.0.2".parse().unwrap()],
        }],
        alive: true,
        crash_loop: false,
        failed_reclaim: false,
        phoned_home: true,
        asn: Some(4_210_000_001),
        last_event: None,
    }
}

/// What CAPMS allocated for `shop-1`.
pub(super) fn by_capms(n: u32) -> Machine {
    let tags = Tags::new()
        .with(tags::MACHINE_RESOURCE, "default.shop-1")
        .with(tags::CLUSTER_RESOURCE, "default.shop")
        .with(tags::CLUSTER_ID, "node");
    Machine { tags, ..server(n) }
}

/// Right before the allocation of a worker: attempt drawn by this process, nothing searched yet.
pub(super) fn ready() -> Observed {
    let owner = json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine", "name": "shop-1", "uid": "m"});
    Observed {
        object: read(json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1", "kind": "MetalStackMachine",
            "metadata": {
                "namespace": "default", "name": "shop-1", "uid": "u", "generation": 1, "resourceVersion": "1",
                "labels": {names::CLUSTER_NAME_LABEL: "shop"}, "ownerReferences": [owner],
                "finalizers": [names::MACHINE_FINALIZER],
                "annotations": {names::ATTEMPT: ATTEMPT, names::PROJECT: PROJECT},
            },
            "spec": {"image": "capms-ubuntu-1.34.2", "size": "n1-medium-x86"},
        })),
        owner: Some(read(json!({
            "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine",
            "metadata": {"namespace": "default", "name": "shop-1"},
            "spec": {"clusterName": "shop", "bootstrap": {"dataSecretName": "shop-1"}},
        }))),
        cluster: Some(read(json!({
            "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster",
            "metadata": {"namespace": "default", "name": "shop"}, "spec": {},
            "status": {"initialization": {"infrastructureProvisioned": true}},
        }))),
        infrastructure: Some(read(json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1", "kind": "MetalStackCluster",
            "metadata": {"namespace": "default", "name": "shop"},
            "spec": {"projectID": PROJECT, "partition": "muc-a", "nodeNetworkID": "node"},
        }))),
        siblings: Vec::new(),
        rooms: vec![room(Named::Nothing)],
        bootstrap: None,
        labels_refused: false,
        memory: Memory { attempt_is_mine: true, ..Memory::default() },
        rules: Rules { settle: SETTLE, control_plane_grace: GRACE },
    }
}

pub(super) fn room(named: Named) -> Room {
    Room {
        project: project(),
        reach: Reach::Open { named, mine: Vec::new() },
        searched: None,
        looked: BTreeMap::new(),
        allocated: None,
    }
}

/// `shop-1` runs on machine 1, and all of that is written down.
pub(super) fn running() -> Observed {
    let mut o = ready();
    let (project, allocation) = (PROJECT, "allocation-1");
    change(&mut o, |object| {
        object.spec.provider_id = Some(provider_id(1));
        let annotations = object.metadata.annotations.get_or_insert_default();
        annotations.insert(names::PROJECT.to_owned(), project.to_owned());
        annotations.insert(names::ALLOCATION.to_owned(), allocation.to_owned());
        let labels = object.metadata.labels.get_or_insert_default();
        let known = crate::machine::report::labels(&server(1));
        labels.extend(known.into_iter().map(|(key, value)| (key.to_owned(), value)));
    });
    o.rooms = vec![room(Named::Here(Arc::new(server(1))))];
    o.memory = Memory::default();
    o
}

/// The same, being deleted.
pub(super) fn ending() -> Observed {
    let mut o = running();
    change(&mut o, |object| {
        object.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(0)));
    });
    o
}

pub(super) fn change(o: &mut Observed, change: impl FnOnce(&mut MetalStackMachine)) {
    change(Arc::make_mut(&mut o.object));
}

pub(super) fn infrastructure(o: &mut Observed, change: impl FnOnce(&mut MetalStackCluster)) {
    change(Arc::make_mut(o.infrastructure.as_mut().unwrap()));
}

pub(super) fn owner(o: &mut Observed, change: impl FnOnce(&mut capi::Machine)) {
    change(Arc::make_mut(o.owner.as_mut().unwrap()));
}

pub(super) fn control_plane(o: &mut Observed) {
    change(o, |object| {
        object.metadata.labels.get_or_insert_default().insert(names::CONTROL_PLANE_LABEL.to_owned(), String::new());
    });
}

pub(super) fn annotate(o: &mut Observed, key: &str, value: Option<&str>) {
    change(o, |object| {
        let annotations = object.metadata.annotations.get_or_insert_default();
        match value {
            Some(value) => annotations.insert(key.to_owned(), value.to_owned()),
            None => annotations.remove(key),
        };
    });
}

pub(super) fn failure(reason: Reason) -> Failure {
    Failure { reason, message: "the server's words".to_owned(), unknown_outcome: false, after: None }
}

pub(super) fn closed(o: &mut Observed, reason: Reason) {
    o.rooms[0].reach = Reach::Closed(failure(reason));
}

pub(super) fn act(o: &Observed) -> Action {
    acts(decide(o, at(0)))
}

pub(super) fn acts(decided: Decided) -> Action {
    match decided.step {
        Step::Act(action) => action,
        Step::Rest(rest) => panic!("rests ({rest:?}) and says {:?}", decided.status),
    }
}

pub(super) fn rests(decided: Decided) -> (Rest, MetalStackMachineStatus) {
    match decided.step {
        Step::Rest(rest) => (rest, decided.status.expect("something is said")),
        Step::Act(action) => panic!("does {action:?}"),
    }
}

pub(super) fn status(o: &Observed) -> MetalStackMachineStatus {
    rests(decide(o, at(0))).1
}

/// Status, reason and message of a condition.
pub(super) fn condition(status: &MetalStackMachineStatus, of: ConditionType) -> (ConditionStatus, Reason, String) {
    let found = status.conditions.iter().find(|c| c.type_ == of.as_str());
    let found = found.unwrap_or_else(|| panic!("no condition {of} in {:?}", status.conditions));
    (found.status, Reason::parse(&found.reason).unwrap(), found.message.clone())
}

/// Rests, not allocated for this reason; the message.
pub(super) fn held(o: &Observed) -> (Reason, String) {
    let status = status(o);
    let (is, reason, message) = condition(&status, ConditionType::MachineAllocated);
    assert_eq!(is, ConditionStatus::False);
    assert_eq!(condition(&status, ConditionType::Ready), (ConditionStatus::False, reason, message.clone()));
    assert_eq!(condition(&status, ConditionType::Paused).1, Reason::NotPaused);
    (reason, message)
}

/// The status becomes the object's.
pub(super) fn say(o: &mut Observed, status: MetalStackMachineStatus) {
    change(o, |object| object.status = Some(status));
}
