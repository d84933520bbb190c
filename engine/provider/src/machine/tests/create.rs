//! Up to the allocation.

use super::fixture::*;
use crate::machine::Action;
use crate::machine::decide::decide;
use crate::machine::identity::Resource;
use crate::machine::observed::{Bootstrap, Named, Observed, Reach, Search, Sibling};
use crate::names;
use crate::reason::Reason;
use crate::step::{Decision, Memory, Rest};
use model::metal::{Machine, MachineRequest, UserData};
use model::{Tags, tags};
use std::sync::Arc;
use std::time::Duration;

fn searched(o: &mut Observed, at_second: i64, mine: Vec<Machine>, control_planes: Vec<Machine>) {
    let arcs = |machines: Vec<Machine>| machines.into_iter().map(Arc::new).collect();
    let search = Search { at: at(at_second), mine: arcs(mine), control_planes: arcs(control_planes) };
    o.rooms[0].searched = Some(search);
}

fn data() -> Option<Bootstrap> {
    Some(Bootstrap::Data(UserData::new(b"ignition".to_vec())))
}

/// The request of an object that is ready for it.
fn request(mut o: Observed) -> MachineRequest {
    searched(&mut o, 0, vec![], vec![]);
    o.bootstrap = data();
    match act(&o) {
        Action::Allocate(request) => *request,
        other => panic!("does {other:?}"),
    }
}

#[test]
fn without_owner_cluster_or_infrastructure_nothing_is_touched() {
    let takers: [fn(&mut Observed); 3] = [|o| o.owner = None, |o| o.cluster = None, |o| o.infrastructure = None];
    for take in takers {
        let mut o = ready();
        change(&mut o, |object| object.metadata.finalizers = None);
        take(&mut o);
        assert_eq!(decide(&o, at(0)), Decision::leave());
    }
}

#[test]
fn paused_by_cluster_or_annotation_only_that_is_said() {
    let mut by_cluster = ready();
    Arc::make_mut(by_cluster.cluster.as_mut().unwrap()).spec.paused = Some(true);
    let mut by_annotation = ready();
    annotate(&mut by_annotation, names::PAUSED, Some(""));
    let mut ending_one = ending();
    annotate(&mut ending_one, names::PAUSED, Some("true"));
    let mut without_owner = ready();
    annotate(&mut without_owner, names::PAUSED, Some("true"));
    without_owner.owner = None;
    for mut o in [by_cluster, by_annotation, ending_one, without_owner] {
        let (rest, said) = rests(decide(&o, at(0)));
        assert_eq!((rest, said.conditions.len()), (Rest::Change, 1));
        assert_eq!(condition(&said, crate::ConditionType::Paused).1, Reason::Paused);
        say(&mut o, said.clone());
        assert_eq!(status(&o), said);
    }
}

#[test]
fn a_pause_leaves_the_other_conditions_as_they_are() {
    let mut o = running();
    let before = status(&o);
    say(&mut o, before.clone());
    annotate(&mut o, names::PAUSED, Some("true"));
    let paused = status(&o);
    let others = |s: &crate::api::MetalStackMachineStatus| {
        s.conditions.iter().filter(|c| c.type_ != "Paused").cloned().collect::<Vec<_>>()
    };
    assert_eq!(others(&before), others(&paused));
    assert_eq!((before.ready, &before.addresses), (paused.ready, &paused.addresses));

    // Those of somebody else, too.
    let mut with_foreign = before;
    let foreign = crate::api::Condition { type_: "Audited".into(), ..with_foreign.conditions[0].clone() };
    with_foreign.conditions.push(foreign.clone());
    say(&mut o, with_foreign);
    assert!(status(&o).conditions.contains(&foreign));
}

/// `clusterctl` pauses, and then waits until nothing holds up the move.
#[test]
fn a_pause_lets_a_move_begin_when_nothing_is_under_way() {
    let mut o = ready();
    annotate(&mut o, names::BLOCK_MOVE, Some(""));
    annotate(&mut o, names::PAUSED, Some(""));
    assert_eq!(act(&o), Action::Unblock, "nothing was begun with an attempt that was drawn here");
    o.memory.unsettled_since = Some(at(0));
    assert_eq!(rests(decide(&o, at(10))).0, Rest::After(Duration::from_secs(20)));
    assert_eq!(acts(decide(&o, at(30))), Action::Unblock);
    o.memory = Memory::default();
    assert_eq!(act(&o), Action::NoteAttempt);
    annotate(&mut o, names::ATTEMPT, None);
    assert_eq!(rests(decide(&o, at(0))).0, Rest::Change, "it is somebody else's");
}

#[test]
fn what_a_move_takes_away_is_left_alone() {
    for mut o in [ready(), running(), ending()] {
        annotate(&mut o, "clusterctl.cluster.x-k8s.io/delete-for-move", Some(""));
        (o.owner, o.cluster, o.infrastructure) = (None, None, None);
        assert_eq!(decide(&o, at(0)), Decision::leave());
        assert!(!o.needs_metal());
    }
}

#[test]
fn what_cannot_boot_or_is_claimed_asks_metal_api_nothing_at_every_look() {
    let mut o = ready();
    o.bootstrap = Some(Bootstrap::Unusable("no key `value`".into()));
    assert_eq!(held(&o).0, Reason::InvalidBootstrapData);
    o.bootstrap = data();
    o.rooms[0].reach = Reach::Open { named: Named::Nothing, mine: vec![Arc::new(by_capms(1))] };
    assert_eq!(held(&o).0, Reason::Claimed);
    // What may be ours is asked for before it is written down.
    o.rooms[0].reach = Reach::Open { named: Named::Nothing, mine: vec![Arc::new(server(1))] };
    assert!(matches!(act(&o), Action::Search { .. }));
}

#[test]
fn the_finalizer_is_its_own_step() {
    let mut o = ready();
    change(&mut o, |object| object.metadata.finalizers = None);
    assert_eq!(act(&o), Action::AddFinalizer);
}

#[test]
fn each_obstacle_is_a_condition() {
    type Spoil = fn(&mut Observed);
    let table: [(Reason, Spoil); 17] = [
        (Reason::WaitingForClusterInfrastructure, |o| Arc::make_mut(o.cluster.as_mut().unwrap()).status = None),
        (Reason::WaitingForClusterInfrastructure, |o| infrastructure(o, |i| i.spec.node_network_id = None)),
        (Reason::WaitingForBootstrapData, |o| owner(o, |m| m.spec.bootstrap.data_secret_name = None)),
        (Reason::FailureDomainUnknown, |o| owner(o, |m| m.spec.failure_domain = Some("muc-b".into()))),
        (Reason::InvalidSpec, |o| infrastructure(o, |i| i.spec.project_id = "mine".into())),
        (Reason::InvalidSpec, |o| infrastructure(o, |i| i.spec.project_id = OTHER_PROJECT.into())),
        (Reason::InvalidSpec, |o| infrastructure(o, |i| i.spec.partition = "a b".into())),
        (Reason::InvalidSpec, |o| change(o, |m| m.spec.size = String::new())),
        (Reason::InvalidSpec, |o| change(o, |m| m.spec.image = "x y".into())),
        (Reason::InvalidSpec, |o| change(o, |m| m.spec.machine_uuid = Some("1".into()))),
        (Reason::InvalidSpec, |o| change(o, |m| m.spec.dns_servers = vec!["dns".into()])),
        (Reason::InvalidSpec, |o| change(o, |m| m.spec.tags = vec!["fleet.metal-stack.io/attempt=x".into()])),
        (Reason::InvalidSpec, |o| change(o, |m| m.spec.tags = vec!["a=not a label".into()])),
        (Reason::CredentialsMissing, |o| closed(o, Reason::CredentialsMissing)),
        (Reason::ProjectNotAllowed, |o| closed(o, Reason::ProjectNotAllowed)),
        (Reason::MetalApiUnreachable, |o| closed(o, Reason::MetalApiUnreachable)),
        (Reason::Suspect, |o| o.rooms[0].reach = Reach::Suspect("3 of 4 are missing".into())),
    ];
    for (reason, spoil) in table {
        let mut o = ready();
        spoil(&mut o);
        searched(&mut o, 0, vec![], vec![]);
        o.bootstrap = data();
        let (said, message) = held(&o);
        assert_eq!(said, reason, "{message}");
        assert!(!message.is_empty());
    }
}

#[test]
fn the_partition_as_failure_domain_is_where_the_machine_goes_anyway() {
    for domain in ["muc-a", ""] {
        let mut o = ready();
        owner(&mut o, |m| m.spec.failure_domain = Some(domain.to_owned()));
        assert_eq!(request(o).partition.as_str(), "muc-a");
    }
}

#[test]
fn bootstrap_data_is_read_before_anything_is_begun_and_again_before_the_allocation() {
    let mut o = ready();
    annotate(&mut o, names::ATTEMPT, None);
    annotate(&mut o, names::PROJECT, None);
    assert_eq!(act(&o), Action::ReadBootstrap("shop-1".into()));
    o.bootstrap = Some(Bootstrap::Unusable("no key `value`".into()));
    assert_eq!(held(&o), (Reason::InvalidBootstrapData, "no key `value`".into()));
    o.bootstrap = data();
    assert_eq!(act(&o), Action::Begin { project: project(), credentials: None });

    let mut o = ready();
    searched(&mut o, 0, vec![], vec![]);
    assert_eq!(act(&o), Action::ReadBootstrap("shop-1".into()));
}

#[test]
fn nothing_is_allocated_without_a_search_in_the_same_pass() {
    let mut o = ready();
    o.bootstrap = data();
    assert_eq!(act(&o), Action::Search { project: project(), control_planes: false });
    control_plane(&mut o);
    assert_eq!(act(&o), Action::Search { project: project(), control_planes: true });
}

#[test]
fn the_request_says_whose_the_machine_is() {
    let mut o = ready();
    control_plane(&mut o);
    change(&mut o, |m| {
        m.spec.tags = vec!["plain".into(), "example.com/tier=gold".into(), "kubernetes.io/hostname=liar".into()];
        m.spec.ssh_public_keys = vec!["ssh-ed25519 AAAA".into()];
        let networks = [json_network("storage"), json_network("node"), json_network("storage")];
        m.spec.additional_networks = networks.to_vec();
        m.spec.machine_uuid = Some(id(7).to_string().to_uppercase());
        m.spec.filesystem_layout = Some("big".into());
        m.spec.dns_servers = vec!["192.0.2.53".into()];
        m.spec.ntp_servers = vec!["ntp.example.com".into()];
    });
    insta::assert_debug_snapshot!(request(o));
}

fn json_network(id: &str) -> crate::api::AdditionalNetwork {
    crate::api::AdditionalNetwork { network_id: id.to_owned() }
}

#[test]
fn d51_d52_placement_follows_a_tag_that_machines_carry() {
    let request = request(ready());
    let all = request.tags.to_strings();
    assert!(request.placement_tags.iter().all(|tag| all.contains(tag)), "{all:?}");
    assert_eq!(request.tags.get(tags::CLUSTER_ID), Some("default.shop"));
}

/// With a ClusterClass the two have different names: `METAL_CLUSTER_ID` is the Cluster's, all else goes by the other.
#[test]
fn the_cluster_is_named_as_the_cloud_controller_manager_and_as_capms_name_it() {
    let mut o = ready();
    infrastructure(&mut o, |i| i.metadata.name = Some("shop-x7k2p".into()));
    let request = request(o.clone());
    assert_eq!(request.tags.get(tags::CLUSTER_ID), Some("default.shop"));
    assert_eq!(request.tags.get(tags::CLUSTER_RESOURCE), Some("default.shop-x7k2p"));
    assert_eq!(request.placement_tags, [format!("{}=default.shop-x7k2p", tags::CLUSTER_RESOURCE)]);
    let searches = o.control_plane_searches();
    assert!(searches.iter().all(|tags| tags.has(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE)));
    let by = |key| searches.iter().filter_map(move |tags| tags.get(key)).collect::<Vec<_>>();
    assert_eq!(by(tags::CLUSTER_RESOURCE), ["default.shop-x7k2p", "default/shop-x7k2p"]);
    assert_eq!(by(tags::CLUSTER_ID), ["default.shop"], "R8: a new infrastructure has another name");
    infrastructure(&mut o, |i| i.metadata.name = Some("c".repeat(60)));
    assert_eq!(held(&o).0, Reason::InvalidSpec);
}

#[test]
fn d68_a_long_name_makes_a_valid_request_that_is_found_again() {
    let mut o = ready();
    change(&mut o, |m| m.metadata.name = Some(format!("{}.x", "shop-".repeat(16))));
    let resource = o.resource();
    let request = request(o);
    assert!(request.hostname.len() <= 63 && !request.hostname.contains('.'));
    for (key, value) in request.tags.iter() {
        assert!(crate::machine::identity::is_label_value(value), "{key}={value}");
    }
    assert!(resource.is(request.tags.get(tags::MACHINE_RESOURCE).unwrap()));
}

#[test]
fn a_cluster_id_that_no_tag_can_be_is_refused() {
    let mut o = ready();
    Arc::make_mut(o.cluster.as_mut().unwrap()).metadata.name = Some("c".repeat(60));
    assert_eq!(held(&o).0, Reason::InvalidSpec);
}

#[test]
fn d4_what_an_earlier_try_allocated_is_found_by_its_tags_and_written_down() {
    let mut o = ready();
    searched(&mut o, 0, vec![server(1)], vec![]);
    let persist = Action::Persist { provider_id: provider_id(1), allocation: server(1).allocation, project: project() };
    assert_eq!(act(&o), persist);
    // Also while the outcome of that try is unknown.
    o.memory = Memory { unsettled_since: Some(at(0)), ..Memory::default() };
    assert_eq!(act(&o), persist);
}

#[test]
fn what_was_allocated_in_this_pass_is_written_down_whatever_its_tags() {
    let mut o = ready();
    o.rooms[0].allocated = Some(Arc::new(Machine { tags: Tags::new(), ..server(1) }));
    assert!(matches!(act(&o), Action::Persist { .. }));
}

#[test]
fn r6_a_hit_without_our_mark_is_named_and_not_taken() {
    let engine = server(1).tags.with(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE);
    let other_attempt = server(1).tags.with(tags::ATTEMPT, "00000000-93d4-4a51-9a3e-6c7c9d0f1b11");
    let hits = [by_capms(1), Machine { tags: engine, ..server(1) }, Machine { tags: other_attempt, ..server(1) }];
    for hit in hits {
        let mut o = ready();
        o.bootstrap = data();
        searched(&mut o, 0, vec![hit], vec![]);
        let (reason, message) = held(&o);
        assert_eq!(reason, Reason::Claimed);
        assert!(message.contains(id(1).as_str()) && message.contains("spec.providerID"), "{message}");
    }
    let mut o = ready();
    o.siblings = vec![Sibling { resource: Resource::of("default", "shop-2"), id: Some(id(1)) }];
    searched(&mut o, 0, vec![server(1)], vec![]);
    assert_eq!(held(&o).0, Reason::Claimed, "another object has it");
}

#[test]
fn two_hits_stop_and_name_both() {
    for second in [server(2), by_capms(2)] {
        let mut o = ready();
        o.bootstrap = data();
        searched(&mut o, 0, vec![server(1), second], vec![]);
        let (reason, message) = held(&o);
        assert_eq!(reason, Reason::Ambiguous);
        assert!(message.contains(id(1).as_str()) && message.contains(id(2).as_str()), "{message}");
    }
}

#[test]
fn an_attempt_of_another_process_is_waited_for() {
    let mut o = ready();
    o.bootstrap = data();
    o.memory = Memory::default();
    assert_eq!(act(&o), Action::NoteAttempt);
    o.memory.unsettled_since = Some(at(0));
    assert_eq!(act(&o), Action::Search { project: project(), control_planes: false });
    searched(&mut o, 10, vec![], vec![]);
    let (rest, said) = rests(decide(&o, at(10)));
    assert_eq!(rest, Rest::After(Duration::from_secs(20)));
    assert_eq!(condition(&said, crate::ConditionType::MachineAllocated).1, Reason::WaitingForUnknownOutcome);
    // A search of before the end of the wait proves nothing after it.
    searched(&mut o, 29, vec![], vec![]);
    assert_eq!(rests(decide(&o, at(31))).0, Rest::After(Duration::ZERO));
    searched(&mut o, 31, vec![], vec![]);
    assert!(matches!(acts(decide(&o, at(31))), Action::Allocate(_)));
}

#[test]
fn a_refused_allocation_is_a_condition_and_repeated_later() {
    for reason in [Reason::NoMachineAvailable, Reason::QuotaExceeded, Reason::Unauthorized, Reason::Refused] {
        let mut o = ready();
        o.bootstrap = data();
        o.memory.failed(failure(reason), at(0), Duration::from_secs(60));
        assert_eq!(held(&o), (reason, "the server's words".into()));
        assert_eq!(rests(decide(&o, at(0))).0, Rest::After(Duration::from_secs(2)));
        assert!(matches!(acts(decide(&o, at(2))), Action::Search { .. }));
    }
}

#[test]
fn r8_no_second_control_plane_beside_one_that_nobody_here_knows() {
    let foreign = |n: u32| {
        let tags = Tags::new()
            .with(tags::CLUSTER_RESOURCE, "default.shop")
            .with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE)
            .with(tags::MACHINE_RESOURCE, format!("default.old-{n}"));
        Machine { tags, ..server(n) }
    };
    let mut o = ready();
    control_plane(&mut o);
    o.bootstrap = data();
    searched(&mut o, 0, vec![], vec![foreign(8), foreign(9)]);
    let (reason, message) = held(&o);
    assert_eq!(reason, Reason::ControlPlaneExists);
    assert!(message.contains(id(8).as_str()) && message.contains(id(9).as_str()));

    let by_id = Sibling { resource: Resource::of("default", "shop-2"), id: Some(id(9)) };
    let by_name = Sibling { resource: Resource::of("default", "old-8"), id: None };
    for sibling in [by_id, by_name] {
        o.siblings = vec![sibling];
        assert!(matches!(act(&o), Action::Allocate(_)), "one of them has an object: the cluster is known here");
    }
    o.siblings = vec![];
    change(&mut o, |m| m.metadata.labels = None);
    assert!(matches!(act(&o), Action::Allocate(_)), "workers do not begin a cluster");
}

#[test]
fn i7_no_user_data_in_what_is_logged() {
    let mut o = ready();
    o.bootstrap = Some(Bootstrap::Data(UserData::new(b"token-of-the-cluster".to_vec())));
    searched(&mut o, 0, vec![], vec![]);
    let bytes = format!("{:?}", b"token-of-the-cluster");
    for text in [format!("{:?}", act(&o)), format!("{o:?}")] {
        assert!(!text.contains("token-of") && !text.contains(bytes.trim_matches(['[', ']'])));
    }
}
