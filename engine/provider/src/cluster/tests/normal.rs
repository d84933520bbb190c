//! From nothing to provisioned.

use super::world::*;
use crate::api::{ConditionStatus, Endpoint};
use crate::capi::{ApiEndpoint, ClusterInitialization, ClusterNetwork, ClusterStatus, ContractRef};
use crate::cluster::decide::{Action, decide};
use crate::cluster::observed::{Observed, Presence};
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Decision, Rest, Step};
use ConditionStatus::{False, True, Unknown};
use ConditionType::{ControlPlaneEndpointReady, NodeNetworkReady, Paused, Ready};
use model::metal::{IpKind, NetworkKind};
use model::{NetworkId, PartitionId, ProjectId, Tags, tags};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn what_is_somebody_elses_is_left_alone() {
    // D34: whoever manages it from outside does so on every path, deletion too.
    let mut external = fresh();
    external.annotate(names::MANAGED_BY, "");
    assert_eq!(decide(&external, now()), Decision::leave());
    let mut external = deleting();
    external.annotate(names::MANAGED_BY, "terraform");
    assert_eq!(decide(&external, now()), Decision::leave());
    let mut ownerless = fresh();
    ownerless.cluster = None;
    assert_eq!(decide(&ownerless, now()), Decision::leave());
}

#[test]
fn a_paused_cluster_says_so_and_nothing_else_changes() {
    let by_cluster = |observed: &mut Observed| observed.edit_cluster(|cluster| cluster.spec.paused = Some(true));
    let by_annotation = |observed: &mut Observed| observed.annotate(names::PAUSED, "");
    let by_move = |observed: &mut Observed| observed.annotate("clusterctl.cluster.x-k8s.io/delete-for-move", "");
    for pause in [&by_cluster as &dyn Fn(&mut Observed), &by_annotation, &by_move] {
        for mut observed in [fresh(), served(), deleting()] {
            observed.was(NodeNetworkReady, True, Reason::Verified);
            pause(&mut observed);
            let status = observed.rests();
            let types: Vec<_> = status.conditions.iter().map(|c| (c.type_.as_str(), c.reason.as_str())).collect();
            assert_eq!(types, [("NodeNetworkReady", "Verified"), ("Paused", "Paused")]);
        }
    }
    assert_eq!(served().says(Paused), (False, Reason::NotPaused));
}

// clusterctl pauses, and then waits until nothing holds the move up.
#[test]
fn a_paused_cluster_holds_no_move_up() {
    let mut observed = fresh();
    observed.annotate(names::PAUSED, "");
    observed.annotate(names::ATTEMPT, ATTEMPT);
    observed.annotate(names::BLOCK_MOVE, names::FIELD_MANAGER);
    observed.memory.unsettled_since = Some(now());
    assert_eq!(observed.says(Paused), (True, Reason::Paused));
    assert_eq!(decide(&observed, now()).step, Step::Rest(Rest::After(SETTLE)));
    assert_eq!(decide(&observed, now() + SETTLE).step, Step::Act(Action::End));
    // That of somebody else is not ours to take away.
    observed.annotate(names::BLOCK_MOVE, "true");
    assert_eq!(decide(&observed, now() + SETTLE).step, Step::Rest(Rest::Change));
}

#[test]
fn the_finalizer_comes_first() {
    let mut observed = fresh();
    observed.edit(|object| object.metadata.finalizers = None);
    assert_eq!(observed.acts(), Action::AddFinalizer);
}

// D2, D6: an id that got lost is found by its label; the attempt stands in the object before anything is allocated.
#[test]
fn a_network_is_searched_for_then_begun_then_allocated() {
    let mut observed = fresh();
    assert_eq!(observed.acts(), Action::SearchNetworks);
    observed.found.networks = Some(Vec::new());
    assert_eq!(observed.acts(), Action::Begin);
    observed.annotate(names::ATTEMPT, ATTEMPT);
    assert_eq!(observed.acts(), Action::Begin, "what holds up a move is there before the allocation too");
    observed.annotate(names::BLOCK_MOVE, names::FIELD_MANAGER);
    let Action::AllocateNetwork(request) = observed.acts() else { panic!("{:?}", observed.acts()) };
    assert_eq!((request.name.as_str(), request.description.as_str()), ("shop", "default/shop"));
    assert_eq!((request.partition.as_str(), request.project.as_str()), ("muc-a", ProjectId::EXAMPLE));
    assert_eq!(request.family, model::AddressFamily::V4);
    assert_eq!(request.labels, our_network_tags(ATTEMPT));
}

#[test]
fn what_a_search_for_the_network_found() {
    let found = |networks: &[Tags]| {
        let mut observed = fresh();
        let id = |n: usize| format!("1111111{n}-1111-1111-1111-111111111111");
        let networks = networks.iter().enumerate().map(|(n, tags)| Arc::new(network(&id(n + 1), tags.clone())));
        observed.found.networks = Some(networks.collect());
        observed
    };
    let engine = our_network_tags(ATTEMPT).with(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE);
    let unmarked = Tags::new().with(tags::CLUSTER_ID, ID);
    let ours = our_network_tags(ATTEMPT);
    // D14: the attempt says whose it is.
    let mut lost = found(std::slice::from_ref(&ours));
    lost.annotate(names::ATTEMPT, ATTEMPT);
    assert_eq!(lost.acts(), Action::KeepNetwork(NetworkId::parse(NETWORK).unwrap()));
    // The mark alone says nothing: a cluster of this name in another management cluster has it too.
    let mut without = found(std::slice::from_ref(&ours));
    assert_eq!(without.says(NodeNetworkReady), (False, Reason::Claimed));
    without.annotate(names::ATTEMPT, OTHER_ATTEMPT);
    assert_eq!(without.says(NodeNetworkReady), (False, Reason::Claimed));
    // As CAPMS wrote the id before 0.6.
    let old = ["default/shop", "our-uid"].map(|id| Tags::new().with(tags::CLUSTER_ID, id));
    for claimed in [[engine, unmarked.clone()], old].concat() {
        assert_eq!(found(&[claimed]).says(NodeNetworkReady), (False, Reason::Claimed));
    }
    let two = found(&[ours, unmarked]);
    assert_eq!(two.says(NodeNetworkReady), (False, Reason::Ambiguous));
    assert_eq!(two.says(Ready), (False, Reason::Ambiguous));
    let message = two.rests().conditions.into_iter().find(|c| c.type_ == "NodeNetworkReady").unwrap().message;
    assert!(message.contains(NETWORK) && message.contains("11111112-"), "{message}");
    // A longer name that begins with ours is another cluster.
    assert_eq!(found(&[Tags::new().with(tags::CLUSTER_ID, "default.shop2")]).acts(), Action::Begin);
}

#[test]
fn the_engines_slots_are_never_filled() {
    let mut observed = fresh();
    observed.annotate(names::ENGINE_SLOTS, "network,vip,firewall");
    assert_eq!(observed.says(NodeNetworkReady), (False, Reason::WaitingForEngine));
    assert_eq!(observed.says(ControlPlaneEndpointReady), (False, Reason::WaitingForEngine));
    // The engine's values are verified and used.
    let mut given = served();
    given.annotate(names::ENGINE_SLOTS, "network,vip,firewall");
    given.seen().network = Presence::Here(Arc::new(network(NETWORK, Tags::new().with(tags::CLUSTER_ID, ID))));
    assert_eq!(given.says(NodeNetworkReady), (True, Reason::Verified));
    given.edit(|object| {
        object.spec.control_plane_endpoint = None;
        object.spec.control_plane_ip = Some(VIP.to_owned());
    });
    assert_eq!(given.acts(), Action::KeepEndpoint { host: VIP.to_owned(), port: 443 });
}

#[test]
fn an_allocation_of_unknown_outcome_is_waited_for() {
    let mut observed = fresh();
    observed.found.networks = Some(Vec::new());
    observed.annotate(names::ATTEMPT, ATTEMPT);
    observed.annotate(names::BLOCK_MOVE, names::FIELD_MANAGER);
    observed.memory.unsettled_since = Some(now());
    let later = now() + Duration::from_secs(5);
    assert_eq!(decide(&observed, later).step, Step::Rest(Rest::After(Duration::from_secs(15))));
    assert_eq!(observed.says(NodeNetworkReady), (False, Reason::WaitingForUnknownOutcome));
    assert!(matches!(decide(&observed, now() + SETTLE).step, Step::Act(Action::AllocateNetwork(_))));
    // What is found meanwhile is taken at once.
    observed.found.networks = Some(vec![Arc::new(network(NETWORK, our_network_tags(ATTEMPT)))]);
    assert!(matches!(observed.acts(), Action::KeepNetwork(_)));
}

#[test]
fn a_refused_call_is_said_and_repeated_later() {
    let mut observed = fresh();
    observed.memory.failed(failure(Reason::QuotaExceeded), now(), Duration::from_secs(60));
    assert_eq!(observed.says(NodeNetworkReady), (False, Reason::QuotaExceeded));
    assert_eq!(decide(&observed, now()).step, Step::Rest(Rest::After(Duration::from_secs(2))));
    let later = now() + Duration::from_secs(2);
    assert_eq!(decide(&observed, later).step, Step::Act(Action::SearchNetworks));
}

#[test]
fn a_given_network_is_verified() {
    let with = |change: fn(&mut model::metal::Network)| {
        let mut observed = served();
        let mut network = network(NETWORK, Tags::new());
        change(&mut network);
        observed.seen().network = Presence::Here(Arc::new(network));
        observed.says(NodeNetworkReady)
    };
    let labelled = |value: &'static str| {
        let mut observed = served();
        observed.seen().network = Presence::Here(Arc::new(network(NETWORK, Tags::new().with(tags::CLUSTER_ID, value))));
        observed.says(NodeNetworkReady)
    };
    assert_eq!(served().says(NodeNetworkReady), (True, Reason::Allocated));
    assert_eq!(with(|_| {}), (True, Reason::Verified));
    assert_eq!(with(|n| n.kind = NetworkKind::ChildShared), (True, Reason::Verified));
    assert_eq!(with(|n| n.kind = NetworkKind::External), (False, Reason::InvalidSpec));
    assert_eq!(with(|n| n.kind = NetworkKind::Super), (False, Reason::InvalidSpec));
    let elsewhere = |n: &mut model::metal::Network| n.partition = Some(PartitionId::parse("muc-b").unwrap());
    assert_eq!(with(elsewhere), (False, Reason::InvalidSpec));
    let foreign = |n: &mut model::metal::Network| {
        n.project = Some(ProjectId::parse("00000000-0000-0000-0000-000000000009").unwrap());
    };
    assert_eq!(with(foreign), (False, Reason::BelongsToOther));
    assert_eq!(labelled("default.other"), (False, Reason::BelongsToOther));
    // As CAPMS wrote the id before 0.6.
    for own in [ID, "default/shop", "our-uid", FORMER_UID] {
        assert_eq!(labelled(own), (True, Reason::Verified), "{own}");
    }
    let mut nonsense = served();
    nonsense.edit(|object| object.spec.node_network_id = Some("a/../b".to_owned()));
    assert_eq!(nonsense.says(NodeNetworkReady), (False, Reason::InvalidSpec));
}

#[test]
fn i5_a_network_that_vanished_is_never_allocated_again() {
    let mut observed = served();
    observed.seen().network = Presence::Missing;
    assert_eq!(observed.says(NodeNetworkReady), (Unknown, Reason::WaitingForNodeNetwork));
    observed.was(NodeNetworkReady, True, Reason::Verified);
    assert_eq!(observed.says(NodeNetworkReady), (True, Reason::Verified), "once missing says nothing yet (R15)");
    observed.seen().network = Presence::Gone;
    assert_eq!(observed.says(NodeNetworkReady), (False, Reason::DeletedExternally));
    // D14: somebody replaced the object, and the id with it.
    observed.edit(|object| object.spec.node_network_id = None);
    observed.was_provisioned_before();
    observed.found.networks = Some(Vec::new());
    assert_eq!(observed.says(NodeNetworkReady), (False, Reason::DeletedExternally));
}

#[test]
fn d3_a_vip_is_searched_for_then_allocated() {
    let mut observed = served();
    observed.edit(|object| object.spec.control_plane_endpoint = None);
    observed.annotate(names::BLOCK_MOVE, names::FIELD_MANAGER);
    assert_eq!(observed.acts(), Action::SearchVips);
    let others = Tags::new().with(tags::CLUSTER_RESOURCE, "default.other").with(tags::PURPOSE, "control-plane");
    observed.found.vips = Some(vec![Arc::new(ip("198.18.0.9", IpKind::Ephemeral, others))]);
    let Action::AllocateVip(request) = observed.acts() else { panic!("{:?}", observed.acts()) };
    assert_eq!((request.name.as_str(), request.network.as_str()), ("shop-control-plane", "internet"));
    assert_eq!((request.kind, request.address), (IpKind::Ephemeral, None));
    // With the cluster's id the cloud controller manager would take it for services.
    assert_eq!(request.tags, our_vip_tags(ATTEMPT));
    assert_eq!(request.tags.get(tags::CLUSTER_ID), None);
    observed.found.vips = Some(vec![Arc::new(ip(VIP, IpKind::Ephemeral, our_vip_tags(ATTEMPT)))]);
    assert_eq!(observed.acts(), Action::KeepEndpoint { host: VIP.to_owned(), port: 443 });
    let old = Tags::new().with(tags::CLUSTER_ID, "default/shop").with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE);
    // Of a cluster of this name in another management cluster, or CAPMS's.
    for claimed in [our_vip_tags(OTHER_ATTEMPT), capms_vip_tags(), old] {
        observed.found.vips = Some(vec![Arc::new(ip(VIP, IpKind::Ephemeral, claimed))]);
        assert_eq!(observed.says(ControlPlaneEndpointReady), (False, Reason::Claimed));
    }
}

#[test]
fn the_default_network_is_the_one_that_is_labelled() {
    let with = |networks: &[&str]| {
        let mut observed = served();
        observed.edit(|object| object.spec.control_plane_endpoint = None);
        observed.seen().default_networks = networks.iter().map(|id| NetworkId::parse(id).unwrap()).collect();
        observed.found.vips = Some(Vec::new());
        observed.says(ControlPlaneEndpointReady)
    };
    assert_eq!(with(&[]), (False, Reason::NoDefaultNetwork));
    assert_eq!(with(&["internet", "mpls"]), (False, Reason::AmbiguousDefaultNetwork));
}

#[test]
fn no_second_vip_for_a_cluster_that_was_provisioned() {
    let mut observed = served();
    observed.edit(|object| object.spec.control_plane_endpoint = None);
    observed.found.vips = Some(Vec::new());
    let initialization = ClusterInitialization { infrastructure_provisioned: Some(true), ..Default::default() };
    observed.edit_cluster(|c| c.status = Some(ClusterStatus { initialization: Some(initialization) }));
    assert_eq!(observed.says(ControlPlaneEndpointReady), (False, Reason::DeletedExternally));
}

#[test]
fn r21_ports_of_endpoints_that_are_filled_in() {
    let with = |kind: Option<&str>, port: Option<i64>| {
        let mut observed = served();
        observed.edit(|object| {
            object.spec.control_plane_endpoint = Some(Endpoint { host: String::new(), port: 0 });
            object.spec.control_plane_ip = Some(VIP.to_owned());
        });
        observed.edit_cluster(|cluster| {
            let reference = |kind: &str| ContractRef { kind: kind.to_owned(), ..Default::default() };
            cluster.spec.control_plane_ref = kind.map(reference);
            cluster.spec.cluster_network = Some(ClusterNetwork { api_server_port: port });
        });
        match observed.acts() {
            Action::KeepEndpoint { port, .. } => port,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with(Some("KubeadmControlPlane"), Some(6443)), 443);
    assert_eq!(with(None, Some(6443)), 443);
    assert_eq!(with(Some("KamajiControlPlane"), Some(8443)), 8443);
    assert_eq!(with(Some("KamajiControlPlane"), None), 6443);
}

#[test]
fn d56_an_endpoint_of_the_cluster_is_taken_over() {
    let mut observed = served();
    observed.edit(|object| object.spec.control_plane_endpoint = None);
    let endpoint = ApiEndpoint { host: Some("api.example.com".to_owned()), port: Some(6443) };
    observed.edit_cluster(|cluster| cluster.spec.control_plane_endpoint = Some(endpoint));
    assert_eq!(observed.acts(), Action::KeepEndpoint { host: "api.example.com".to_owned(), port: 6443 });
    let half = ApiEndpoint { host: Some("api.example.com".to_owned()), port: None };
    observed.edit_cluster(|cluster| cluster.spec.control_plane_endpoint = Some(half));
    assert_eq!(observed.acts(), Action::SearchVips);
}

#[test]
fn a_control_plane_ip_is_verified_before_it_becomes_the_endpoint() {
    let with = |address: &str, presence: Presence<Arc<model::metal::Ip>>| {
        let mut observed = served();
        observed.edit(|object| {
            object.spec.control_plane_endpoint = None;
            object.spec.control_plane_ip = Some(address.to_owned());
        });
        observed.seen().address = presence;
        observed
    };
    let others = Tags::new().with(tags::CLUSTER_RESOURCE, "default.other").with(tags::PURPOSE, "control-plane");
    let given = Presence::Here(Arc::new(ip(VIP, IpKind::Static, Tags::new())));
    assert_eq!(with(VIP, given).acts(), Action::KeepEndpoint { host: VIP.to_owned(), port: 443 });
    let other = Presence::Here(Arc::new(ip(VIP, IpKind::Static, others)));
    assert_eq!(with(VIP, other).says(ControlPlaneEndpointReady), (False, Reason::BelongsToOther));
    let missing = with(VIP, Presence::Missing).says(ControlPlaneEndpointReady);
    assert_eq!(missing, (Unknown, Reason::WaitingForControlPlaneEndpoint));
    assert_eq!(with(VIP, Presence::Gone).says(ControlPlaneEndpointReady), (False, Reason::InvalidSpec));
    let nonsense = with("api", Presence::Missing).says(ControlPlaneEndpointReady);
    assert_eq!(nonsense, (False, Reason::InvalidSpec));
}

#[test]
fn a_given_endpoint_is_verified_where_metal_api_knows_it() {
    let with = |host: &str, port: i64, presence: Presence<Arc<model::metal::Ip>>| {
        let mut observed = served();
        observed.edit(|o| o.spec.control_plane_endpoint = Some(Endpoint { host: host.to_owned(), port }));
        observed.seen().address = presence;
        observed
    };
    let given = with("api.example.com", 443, Presence::Missing);
    assert_eq!(given.says(ControlPlaneEndpointReady), (True, Reason::Given));
    assert_eq!(given.says(Ready), (True, Reason::Provisioned));
    assert_eq!(with(VIP, 443, Presence::Gone).says(ControlPlaneEndpointReady), (True, Reason::Given));
    assert_eq!(served().says(ControlPlaneEndpointReady), (True, Reason::Allocated));
    for port in [0, -1, 65536] {
        let invalid = with(VIP, port, Presence::Missing);
        assert_eq!(invalid.says(ControlPlaneEndpointReady), (False, Reason::InvalidSpec));
    }
    // I5: one that was there is not silently `Given` when it goes.
    let mut lost = with(VIP, 443, Presence::Missing);
    lost.was(ControlPlaneEndpointReady, True, Reason::Allocated);
    assert_eq!(lost.says(ControlPlaneEndpointReady), (True, Reason::Allocated));
    lost.seen().address = Presence::Gone;
    assert_eq!(lost.says(ControlPlaneEndpointReady), (False, Reason::DeletedExternally));
}
