//! What a cluster says: Ready, provisioned, its firewall and its credentials.

use super::world::*;
use crate::api::ConditionStatus;
use crate::cluster::decide::{Action, decide};
use crate::cluster::observed::{Credentials, Presence};
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Rest, Step};
use ConditionStatus::{False, True, Unknown};
use ConditionType::{
    CloudControllerCredentialsReady, ControlPlaneEndpointReady, FirewallReady, NodeNetworkReady, Ready,
};
use model::metal::IpKind;
use model::{Tags, tags};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn ready_does_not_flap_while_metal_api_cannot_be_read() {
    let reasons = [Reason::MetalApiUnreachable, Reason::Unauthorized, Reason::MetalApiBusy];
    for reason in reasons {
        let mut never = fresh();
        never.metal = Err(failure(reason));
        assert_eq!(never.says(NodeNetworkReady), (Unknown, reason));
        assert_eq!(never.says(Ready), (False, reason));
        let mut once = served();
        once.edit(|object| object.status = None);
        let mut status = once.rests();
        status.conditions.iter_mut().for_each(|c| c.message = "as it was".to_owned());
        once.edit(|object| object.status = Some(status));
        once.metal = Err(failure(reason));
        assert_eq!(once.says(NodeNetworkReady), (True, Reason::Allocated));
        assert_eq!(once.says(Ready), (True, Reason::Provisioned));
        // The same for a project that looks wrong (R15).
        once.metal = served().metal;
        once.seen().suspect = Some(failure(Reason::Suspect));
        once.seen().network = Presence::Gone;
        assert_eq!(once.says(NodeNetworkReady), (True, Reason::Allocated));
    }
    let mut refused = served();
    refused.was(NodeNetworkReady, True, Reason::Verified);
    refused.metal = Err(failure(Reason::ProjectNotAllowed));
    assert_eq!(refused.says(NodeNetworkReady), (False, Reason::ProjectNotAllowed), "what a person can mend is said");
}

#[test]
fn a_suspect_project_gets_nothing_allocated() {
    let mut observed = fresh();
    observed.found.networks = Some(Vec::new());
    observed.seen().suspect = Some(failure(Reason::Suspect));
    assert_eq!(observed.says(NodeNetworkReady), (Unknown, Reason::Suspect));
}

#[test]
fn the_steady_state_is_said_once() {
    let mut observed = served();
    let first = observed.rests();
    assert!(first.ready && first.initialization.unwrap().provisioned == Some(true));
    let domains: Vec<_> = first.failure_domains.iter().map(|d| (d.name.as_str(), d.control_plane)).collect();
    assert_eq!(domains, [("muc-a", true)]);
    observed.edit(|object| object.status = Some(first.clone()));
    let later = decide(&observed, now() + Duration::from_secs(3600));
    assert_eq!(later.status, Some(first));
    assert_eq!(later.step, Step::Rest(Rest::Interval));
}

#[test]
fn a_move_may_go_on_once_everything_is_kept() {
    let mut observed = served();
    observed.annotate(names::BLOCK_MOVE, names::FIELD_MANAGER);
    assert_eq!(observed.acts(), Action::End);
    observed.annotate(names::BLOCK_MOVE, "somebody else's");
    observed.rests();
}

#[test]
fn a_firewall_deployment_is_owned_and_its_state_is_ours() {
    let with = |owner: Option<(&str, &str)>, ready| {
        let mut observed = served();
        observed.with_firewall(deployment(owner, ready));
        observed
    };
    let own = Action::OwnFirewall { cluster: "shop".to_owned() };
    assert_eq!(with(None, None).acts(), own);
    // D24: the UID of an object that was restored is another.
    assert_eq!(with(Some(("shop", "former")), None).acts(), own);
    // D23: one firewall deployment for two clusters.
    let taken = with(Some(("other", "uid")), Some((True, Reason::Provisioned)));
    assert_eq!(taken.says(FirewallReady), (False, Reason::FirewallDeploymentTaken));
    assert_eq!(taken.rests().initialization, None);
    let ours = Some(("shop", "our-uid"));
    assert_eq!(with(ours, None).says(FirewallReady), (False, Reason::WaitingForFirewall));
    let waiting = with(ours, Some((False, Reason::WaitingForPhoneHome)));
    assert_eq!(waiting.says(Ready), (False, Reason::WaitingForPhoneHome));
    let mut missing = with(ours, None);
    missing.firewall = None;
    assert_eq!(missing.says(FirewallReady), (False, Reason::FirewallDeploymentMissing));
    // D45: without the reference there is no condition.
    assert!(served().rests().conditions.iter().all(|c| c.type_ != "FirewallReady"));
}

#[test]
fn d40_provisioned_waits_for_the_phone_home_and_then_stays() {
    let ours = Some(("shop", "our-uid"));
    let mut observed = served();
    observed.with_firewall(deployment(ours, Some((False, Reason::WaitingForPhoneHome))));
    assert!(!observed.rests().ready && observed.rests().initialization.is_none());
    observed.rules.wait_for_firewall = false;
    assert!(observed.rests().ready);
    observed.rules.wait_for_firewall = true;
    observed.with_firewall(deployment(ours, Some((True, Reason::Provisioned))));
    let status = observed.rests();
    assert!(status.ready);
    observed.edit(|object| object.status = Some(status));
    // R4: a dead firewall makes it unready, not unprovisioned.
    observed.with_firewall(deployment(ours, Some((False, Reason::NotAlive))));
    assert_eq!(observed.says(Ready), (False, Reason::NotAlive));
    assert_eq!(observed.rests().initialization.unwrap().provisioned, Some(true));
}

#[test]
fn r12_credentials_are_said_and_gate_nothing() {
    let with = |credentials: Credentials| {
        let mut observed = served();
        observed.credentials = credentials;
        observed
    };
    let secret = || "shop-metal-ccm".to_owned();
    assert_eq!(with(Credentials::Due { secret: secret(), inherited: false }).acts(), Action::WriteCredentials);
    let written = with(Credentials::Written { secret: secret(), inherited: true });
    assert_eq!(written.says(CloudControllerCredentialsReady), (True, Reason::Written));
    let missing = with(Credentials::Missing("There is no Secret metal-ccm.".to_owned()));
    assert_eq!(missing.says(CloudControllerCredentialsReady), (False, Reason::CredentialsMissing));
    assert_eq!(missing.says(Ready), (True, Reason::Provisioned));
    let foreign = with(Credentials::Foreign(secret()));
    assert_eq!(foreign.says(CloudControllerCredentialsReady), (False, Reason::Claimed));
}

#[test]
fn d10_what_capms_left_is_used_as_it_is() {
    let mut observed = served();
    observed.seen().network = Presence::Here(Arc::new(network(NETWORK, Tags::new().with(tags::CLUSTER_ID, ID))));
    // In each form that CAPMS wrote the id in; the UID may be that of before a move.
    for id in [ID, "default/shop", "our-uid", FORMER_UID] {
        let tags = capms_vip_tags().with(tags::CLUSTER_ID, id);
        observed.seen().address = Presence::Here(Arc::new(ip(VIP, IpKind::Ephemeral, tags)));
        assert_eq!(observed.says(NodeNetworkReady), (True, Reason::Verified));
        assert_eq!(observed.says(ControlPlaneEndpointReady), (True, Reason::Verified));
        assert_eq!(observed.says(Ready), (True, Reason::Provisioned));
    }
}
