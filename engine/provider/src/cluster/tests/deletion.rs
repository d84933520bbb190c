//! What is freed, in which order, and what never is.

use super::world::*;
use crate::api::ConditionStatus::{False, True};
use crate::api::Endpoint;
use crate::cluster::decide::{Action, decide};
use crate::cluster::observed::{Found, Observed};
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Decision, Rest, Step};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use model::metal::{IpKind, NetworkKind};
use model::{Tags, tags};
use std::sync::Arc;
use std::time::Duration;

fn vip_is_freed(observed: &Observed) -> bool {
    let step = decide(observed, now()).step;
    matches!(step, Step::Act(Action::FreeAddress { address, .. }) if address.to_string() == VIP)
}

/// With only the address left, with these tags.
fn with_vip(kind: IpKind, tags: Tags) -> Observed {
    let mut observed = deleting();
    let leftovers = observed.leftovers();
    leftovers.networks.clear();
    leftovers.addresses = vec![Arc::new(ip(VIP, kind, tags))];
    observed
}

fn with_network(labels: Tags) -> Observed {
    let mut observed = deleting();
    let leftovers = observed.leftovers();
    leftovers.addresses.clear();
    leftovers.networks = vec![Arc::new(network(NETWORK, labels))];
    observed
}

#[test]
fn without_our_finalizer_it_is_none_of_our_business() {
    let mut observed = deleting();
    observed.edit(|object| object.metadata.finalizers = None);
    assert_eq!(decide(&observed, now()), Decision::leave());
}

// D20: also when the owner is gone.
#[test]
fn everything_goes_in_its_order() {
    let mut observed = deleting();
    observed.cluster = None;
    observed.machines = vec!["shop-a".to_owned(), "shop-b".to_owned()];
    assert_eq!(observed.says(ConditionType::Deleting), (True, Reason::WaitingForMachines));
    assert_eq!(observed.says(ConditionType::Ready), (False, Reason::Deleting));
    observed.machines.clear();
    let mut firewall = deployment(Some(("shop", "our-uid")), None);
    observed.with_firewall(firewall.clone());
    assert_eq!(observed.acts(), Action::DeleteFirewall("shop".to_owned()));
    firewall.metadata.deletion_timestamp = Some(Time(now()));
    observed.with_firewall(firewall);
    assert_eq!(observed.says(ConditionType::Deleting), (True, Reason::WaitingForFirewallDeployment));
    observed.firewall = None;
    observed.firewalls.clear();
    let leftovers = observed.found.leftovers.take();
    assert_eq!(observed.acts(), Action::SearchLeftovers);
    observed.found.leftovers = leftovers;
    assert!(vip_is_freed(&observed));
    observed.leftovers().addresses.clear();
    assert!(matches!(observed.acts(), Action::FreeNetwork { id, .. } if id.as_str() == NETWORK));
    // Later and later, however long somebody's address is in it.
    for wait in [2, 4, 8] {
        observed.memory.failed(failure(Reason::WaitingForRelease), now(), Duration::from_secs(60));
        assert_eq!(observed.says(ConditionType::Deleting), (True, Reason::WaitingForRelease));
        assert_eq!(decide(&observed, now()).step, Step::Rest(Rest::After(Duration::from_secs(wait))));
    }
    observed.memory.succeeded();
    observed.leftovers().networks.clear();
    assert_eq!(observed.acts(), Action::RemoveFinalizer);
}

// D16: and one that is named and gone is no reason to wait.
#[test]
fn a_cluster_without_a_firewall_goes_too() {
    let mut observed = deleting();
    observed.found.leftovers = Some(Default::default());
    assert_eq!(observed.acts(), Action::RemoveFinalizer);
    observed.with_firewall(deployment(None, None));
    observed.firewall = None;
    observed.firewalls.clear();
    assert_eq!(observed.acts(), Action::RemoveFinalizer);
}

#[test]
fn another_clusters_firewall_stays() {
    let others = deployment(Some(("other", "uid")), None);
    let mut of_other = deployment(None, None);
    of_other.metadata.labels = Some([(names::CLUSTER_NAME_LABEL.to_owned(), "other".to_owned())].into());
    for deployment in [others, of_other] {
        let mut observed = deleting();
        observed.with_firewall(deployment);
        assert!(!matches!(observed.acts(), Action::DeleteFirewall(_)));
    }
    // Nobody came to own it, or the owners were lost: it is the cluster's by its name.
    let mut unowned = deleting();
    unowned.with_firewall(deployment(None, None));
    assert_eq!(unowned.acts(), Action::DeleteFirewall("shop".to_owned()));
    unowned.edit(|object| object.spec.firewall_deployment_ref = None);
    assert!(!matches!(unowned.acts(), Action::DeleteFirewall(_)));
}

// D1: it stands in the endpoint only. D12: what a person supplied stays.
#[test]
fn d1_d12_only_an_address_that_was_allocated_for_the_cluster_is_freed() {
    assert!(vip_is_freed(&with_vip(IpKind::Ephemeral, our_vip_tags(ATTEMPT))));
    assert!(vip_is_freed(&with_vip(IpKind::Static, our_vip_tags(OTHER_ATTEMPT))), "named and marked");
    for id in [ID, "default/shop", "our-uid"] {
        assert!(vip_is_freed(&with_vip(IpKind::Ephemeral, capms_vip_tags().with(tags::CLUSTER_ID, id))), "{id}");
    }
    assert!(!vip_is_freed(&with_vip(IpKind::Ephemeral, capms_vip_tags().with(tags::CLUSTER_ID, FORMER_UID))));
    let engine = our_vip_tags(ATTEMPT).with(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE);
    let other = Tags::new().with(tags::CLUSTER_ID, "default.other").with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE);
    let without_purpose = Tags::new().with(tags::CLUSTER_ID, ID);
    let ours_of_other = our_vip_tags(ATTEMPT).with(tags::CLUSTER_RESOURCE, "default.other");
    for tags in [engine, other, without_purpose, ours_of_other, Tags::new()] {
        assert_eq!(with_vip(IpKind::Ephemeral, tags.clone()).acts(), Action::RemoveFinalizer, "{tags:?}");
    }
    // CAPMS keeps static ones, too.
    assert_eq!(with_vip(IpKind::Static, capms_vip_tags()).acts(), Action::RemoveFinalizer);
    let mut adopted = with_vip(IpKind::Ephemeral, capms_vip_tags());
    adopted.annotate(names::ORIGIN, names::ADOPTED);
    assert_eq!(adopted.acts(), Action::RemoveFinalizer);
    // controlPlaneIP names it as well as the endpoint does.
    let mut by_field = with_vip(IpKind::Ephemeral, capms_vip_tags());
    by_field.edit(|object| {
        object.spec.control_plane_endpoint = Some(Endpoint { host: "api.example.com".to_owned(), port: 443 });
        object.spec.control_plane_ip = Some(VIP.to_owned());
    });
    assert!(vip_is_freed(&by_field));
}

#[test]
fn what_a_crash_left_is_freed_by_its_attempt() {
    let unnamed = |tags| {
        let mut observed = with_vip(IpKind::Ephemeral, tags);
        observed.edit(|object| object.spec.control_plane_endpoint = None);
        observed
    };
    assert!(vip_is_freed(&unnamed(our_vip_tags(ATTEMPT))));
    // One of the same name in another management cluster; or one of CAPMS that nothing names.
    for tags in [our_vip_tags(OTHER_ATTEMPT), capms_vip_tags()] {
        let mut observed = unnamed(tags);
        assert_eq!(observed.says(ConditionType::Deleting), (True, Reason::LeftBehind));
        observed.was(ConditionType::Deleting, True, Reason::LeftBehind);
        assert_eq!(observed.acts(), Action::RemoveFinalizer);
    }
}

#[test]
fn what_stays_behind_is_said_once() {
    let former = capms_vip_tags().with(tags::CLUSTER_ID, FORMER_UID);
    let mut observed = with_vip(IpKind::Ephemeral, former);
    observed.leftovers().networks = vec![
        Arc::new(network(NETWORK, Tags::new().with(tags::CLUSTER_ID, FORMER_UID))),
        Arc::new(network("55555555-5555-5555-5555-555555555555", our_network_tags(OTHER_ATTEMPT))),
    ];
    let said = |observed: &Observed| {
        let conditions = observed.rests().conditions;
        conditions.into_iter().find(|c| c.type_ == "Deleting").map(|c| (c.reason, c.message)).unwrap()
    };
    let (reason, message) = said(&observed);
    assert_eq!(reason, "LeftBehind");
    for id in [VIP, NETWORK, "55555555"] {
        assert!(message.contains(id), "{message}");
    }
    observed.leftovers().kept = vec!["198.18.0.98 (it was freed and allocated again)".to_owned()];
    assert!(said(&observed).1.contains("198.18.0.98"));
    // What nothing names but that UID is anybody's.
    observed.edit(|object| object.spec.control_plane_endpoint = None);
    assert!(!said(&observed).1.contains(VIP));
    observed.was(ConditionType::Deleting, True, Reason::LeftBehind);
    assert_eq!(observed.acts(), Action::RemoveFinalizer);
}

// D11: given ones of before 0.8 carry no label.
#[test]
fn d11_only_a_network_that_was_allocated_for_the_cluster_is_freed() {
    let freed = |observed: &Observed| matches!(decide(observed, now()).step, Step::Act(Action::FreeNetwork { .. }));
    assert!(freed(&with_network(our_network_tags(ATTEMPT))));
    // In each form that CAPMS had; of a UID of before a move nobody can tell whose it is.
    for id in [ID, "default/shop", "our-uid"] {
        assert!(freed(&with_network(Tags::new().with(tags::CLUSTER_ID, id))), "{id}");
    }
    assert!(!freed(&with_network(Tags::new().with(tags::CLUSTER_ID, FORMER_UID))));
    let engine = our_network_tags(ATTEMPT).with(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE);
    for labels in [Tags::new(), engine, Tags::new().with(tags::CLUSTER_ID, "default.other")] {
        assert_eq!(with_network(labels.clone()).acts(), Action::RemoveFinalizer, "{labels:?}");
    }
    let mut shared = with_network(our_network_tags(ATTEMPT));
    Arc::make_mut(&mut shared.leftovers().networks[0]).kind = NetworkKind::External;
    assert_eq!(shared.acts(), Action::RemoveFinalizer);
    let mut adopted = with_network(our_network_tags(OTHER_ATTEMPT));
    adopted.annotate(names::ORIGIN, names::ADOPTED);
    assert_eq!(adopted.acts(), Action::RemoveFinalizer);
    // What was allocated with the object's own attempt was not there before it.
    let mut allocated = with_network(our_network_tags(ATTEMPT));
    allocated.annotate(names::ORIGIN, names::ADOPTED);
    assert!(freed(&allocated));
}

// D9 and R14.
#[test]
fn d9_addresses_of_services_go_with_the_cluster() {
    let with = |kind, strings: &[&str]| {
        let tags = strings.iter().map(|s| s.replace("S=", &format!("{}=", tags::SERVICE)));
        let mut observed = with_vip(kind, Tags::new());
        observed.leftovers().addresses = vec![Arc::new(ip("198.18.0.99", kind, Tags::from_address_strings(tags)))];
        observed
    };
    let freed = with(IpKind::Ephemeral, &["S=default.shop/web/a", "S=default.shop/web/b"]);
    assert!(matches!(freed.acts(), Action::FreeAddress { .. }), "both services are the cluster's");
    let untagged = |observed: &Observed| match observed.acts() {
        Action::UntagAddress { tags, .. } => tags.to_strings(),
        other => panic!("{other:?}"),
    };
    assert_eq!(untagged(&with(IpKind::Static, &["S=default.shop/web/a"])), [""; 0]);
    assert_eq!(untagged(&with(IpKind::Ephemeral, &["S=default.shop/web/a", "keep=me"])), ["keep=me"]);
    // Another cluster uses it too: its tag stays, whichever comes last.
    for other in ["default.aaa/web/a", "default.zzz/web/a"] {
        let shared = with(IpKind::Ephemeral, &["S=default.shop/web/a", &format!("S={other}")]);
        assert_eq!(untagged(&shared), [format!("{}={other}", tags::SERVICE)]);
    }
    // The slash: `default.shop2` is another cluster.
    let longer = with(IpKind::Ephemeral, &["S=default.shop2/web/a"]);
    assert_eq!(longer.acts(), Action::RemoveFinalizer);
}

// The cloud controller manager may have taken it for a service: then that tag goes first, and the address after it.
#[test]
fn d1_an_address_of_the_control_plane_that_a_service_used_goes_too() {
    let service = |cluster: &str| format!("{}={cluster}/web/a", tags::SERVICE);
    for tags in [capms_vip_tags(), our_vip_tags(ATTEMPT)] {
        let strings = |more: String| Tags::from_address_strings(tags.to_strings().into_iter().chain([more]));
        let used = with_vip(IpKind::Ephemeral, strings(service(ID)));
        let Action::UntagAddress { tags: stays, .. } = used.acts() else { panic!("{:?}", used.acts()) };
        assert_eq!(stays, tags);
        assert!(vip_is_freed(&with_vip(IpKind::Ephemeral, stays)));
        // As long as a service of another cluster needs it, it stays.
        assert!(!vip_is_freed(&with_vip(IpKind::Ephemeral, strings(service("default.other")))));
    }
    // D12: a person's address was not made by the manager, whatever it wrote there.
    let given = with_vip(IpKind::Ephemeral, Tags::from_address_strings([service(ID)]));
    assert!(matches!(given.acts(), Action::UntagAddress { .. }));
}

// Where a Cluster has a class, its infrastructure has another name; the cloud controller manager knows the Cluster's.
#[test]
fn d9_services_are_those_of_the_cluster_and_not_of_its_infrastructure() {
    let service_of = |cluster: &str| {
        let mut observed = with_vip(IpKind::Ephemeral, Tags::new());
        let tags = Tags::new().with(tags::SERVICE, format!("{cluster}/web/a"));
        observed.leftovers().addresses = vec![Arc::new(ip("198.18.0.99", IpKind::Ephemeral, tags))];
        observed.edit(|o| o.metadata.labels = Some([(names::CLUSTER_NAME_LABEL.to_owned(), "web".to_owned())].into()));
        observed
    };
    assert!(matches!(service_of("default.web").acts(), Action::FreeAddress { .. }));
    // Another Cluster may have the name of this infrastructure.
    assert_eq!(service_of(ID).acts(), Action::RemoveFinalizer);
    // Nothing ever ran in a cluster without a network.
    let mut never = service_of("default.web");
    never.edit(|object| object.spec.node_network_id = None);
    assert_eq!(never.acts(), Action::RemoveFinalizer);
    never.was_provisioned_before();
    assert!(matches!(never.acts(), Action::FreeAddress { .. }));
}

#[test]
fn a_pass_has_an_end_however_many_services_there_were() {
    let mut observed = deleting();
    assert!(vip_is_freed(&observed));
    observed.leftovers().done = 20;
    assert_eq!(observed.says(ConditionType::Deleting), (True, Reason::WaitingForRelease));
}

#[test]
fn what_may_still_complete_is_waited_for() {
    let mut observed = deleting();
    observed.memory.unsettled_since = Some(now());
    assert_eq!(observed.says(ConditionType::Deleting), (True, Reason::WaitingForUnknownOutcome));
    assert!(matches!(decide(&observed, now() + SETTLE).step, Step::Act(Action::FreeAddress { .. })));
}

// D18: whatever is in the way is said and tried again.
#[test]
fn d18_a_refusal_is_said_and_tried_again() {
    let mut observed = deleting();
    observed.memory.failed(failure(Reason::MetalApiUnreachable), now(), Duration::from_secs(60));
    assert_eq!(observed.says(ConditionType::Deleting), (True, Reason::MetalApiUnreachable));
    assert_eq!(decide(&observed, now()).step, Step::Rest(Rest::After(Duration::from_secs(2))));
}

#[test]
fn nothing_is_freed_where_it_is_not_safe() {
    for reason in [Reason::ProjectNotAllowed, Reason::ProjectUnknown, Reason::CredentialsMissing] {
        let mut observed = deleting();
        observed.metal = Err(failure(reason));
        assert_eq!(observed.says(ConditionType::Deleting), (True, reason));
    }
    let mut suspect = deleting();
    suspect.seen().suspect = Some(failure(Reason::Suspect));
    assert_eq!(suspect.says(ConditionType::Deleting), (True, Reason::Suspect));
    // A mistyped project that never had anything does not hold the cluster for ever.
    let mut never = fresh();
    never.edit(|object| object.metadata.deletion_timestamp = Some(Time(now())));
    never.metal = Err(failure(Reason::ProjectUnknown));
    assert_eq!(never.acts(), Action::RemoveFinalizer);
    // Templates give an address.
    let mut given = never.clone();
    given.edit(|object| {
        object.spec.control_plane_ip = Some(VIP.to_owned());
        object.spec.control_plane_endpoint = Some(Endpoint { host: VIP.to_owned(), port: 443 });
    });
    for reason in [Reason::InvalidSpec, Reason::ProjectNotAllowed, Reason::ProjectUnknown, Reason::CredentialsMissing] {
        given.metal = Err(failure(reason));
        assert_eq!(given.acts(), Action::RemoveFinalizer);
    }
    // What passes by itself is waited for.
    given.metal = Err(failure(Reason::MetalApiUnreachable));
    assert_eq!(given.says(ConditionType::Deleting), (True, Reason::MetalApiUnreachable));
    given.was_provisioned_before();
    given.metal = Err(failure(Reason::ProjectNotAllowed));
    assert_eq!(given.says(ConditionType::Deleting), (True, Reason::ProjectNotAllowed));
    never.metal = fresh().metal;
    never.found = Found::default();
    assert_eq!(never.acts(), Action::SearchLeftovers, "where metal-api can be asked, it is");
}
