//! What a grace period keeps, and who gets it.

use super::super::samples::*;
use super::bed::*;
use crate::Next;
use model::lock::{ClusterTombstone, DeletionPhase, Ending, TombstoneKind};
use model::request::FreeOutcome;
use model::{Origin, Reason, Seconds};
use std::sync::Arc;

/// A tombstone with network n1 and VIP 198.18.0.1, kept for `minutes` since `since`.
fn tombstone(minutes: u32, since: i64) -> Bed {
    let mut bed = Bed::new(DeletionPhase::Freeing).since(Some(since));
    let lock = bed.want.orphan_locks.remove(&shop()).unwrap().lock;
    let mut values = lock.values.clone();
    values.firewall = None;
    let kept = ClusterTombstone {
        api_version: lock.api_version,
        kind: TombstoneKind::ClusterTombstone,
        identity: lock.identity.clone(),
        values,
        deletion: deletion(DeletionPhase::Freeing, Some(Seconds::minutes(minutes)), 'a'),
    };
    bed.want.tombstones.insert(shop(), ("tombstones/default.shop.yaml".to_owned(), Arc::new(kept)));
    project(&mut bed.have).firewalls.clear();
    bed
}

#[test]
fn with_a_grace_period_network_and_vip_become_a_tombstone_when_the_rest_is_gone() {
    let mut bed = Bed::new(DeletionPhase::Freeing).grace(60);
    assert_eq!(bed.frees(), ["firewall.1 00000000-0000-4000-8000-000000000001"]);
    project(&mut bed.have).firewalls.clear();
    bed.values().firewall = None;
    assert_eq!((bed.frees(), bed.one().next), (vec![], Next::End), "not even vipHold is waited for");
    let Ending::Tombstone(kept) = bed.ending(vec![]) else { panic!("network and VIP are kept") };
    let expected = values("n1", "198.18.0.1", 1);
    assert_eq!((kept.values.node_network, kept.values.vip), (expected.node_network, expected.vip));
    assert_eq!(kept.deletion.grace_period, Some(Seconds::minutes(60)));
    assert_eq!(kept.identity.cluster(), Some(shop()));

    let Ending::Tombstone(kept) = bed.vip_of(Origin::Adopted).ending(vec![]) else { panic!("the network is kept") };
    assert_eq!(kept.values.vip, None, "what is not ours is not kept");
    let adopted = Bed::new(DeletionPhase::Freeing).grace(60).vip_of(Origin::Adopted).network_of(Origin::Adopted);
    assert_eq!(adopted.ending(vec![FreeOutcome::Freed]), Ending::Nothing);
}

#[test]
fn a_duplicate_is_freed_before_the_tombstone_is_made() {
    let mut bed = Bed::new(DeletionPhase::Freeing).grace(60);
    let had = project(&mut bed.have);
    had.firewalls.clear();
    had.ips.push(vip("198.18.0.2", "default.shop", 1));
    bed.values().firewall = None;
    assert_eq!(bed.frees(), ["vip 198.18.0.2"]);
    assert!(matches!(bed.ending(vec![]), Ending::Lock { .. }));
}

#[test]
fn a_tombstone_is_freed_vip_first_when_its_time_is_over() {
    let long = tombstone(120, NOW - 7_199);
    assert_eq!((long.one().next, long.one().phase), (Next::Wait, None));
    assert!(long.one().waits[0].contains("for a definition that comes back"));
    assert_eq!(long.one().until, Some(time(NOW + 1)));
    assert_eq!(tombstone(120, NOW - 7_200).frees(), ["vip 198.18.0.1"]);

    // The VIP's hold is the longer one.
    assert_eq!(tombstone(1, NOW - 3_599).one().until, Some(time(NOW + 1)));
    let mut bed = tombstone(1, NOW - 3_600);
    assert_eq!(bed.frees(), ["vip 198.18.0.1"]);
    let Ending::Tombstone(kept) = bed.ending(vec![FreeOutcome::Freed]) else { panic!("the network is left") };
    assert_eq!((&kept.values.vip, kept.deletion.grace_period), (&None, None), "its time does not begin again");
    project(&mut bed.have).ips.clear();
    bed.want.tombstones.get_mut(&shop()).unwrap().1 = Arc::new(*kept);
    let mut bed = bed.since(Some(NOW));
    assert_eq!(bed.frees(), ["network n1"]);
    assert_eq!(bed.ending(vec![FreeOutcome::Freed]), Ending::Nothing);
    let before = (*bed.want.tombstones[&shop()].1).clone();
    let failed = FreeOutcome::Failed { message: "no".to_owned() };
    assert_eq!(bed.ending(vec![failed]), Ending::Tombstone(Box::new(before)));
    bed.said.freed_within_hour = 10;
    assert_eq!(bed.one().refused.map(|(reason, _)| reason), Some(Reason::BudgetExceeded));
}

#[test]
fn what_carries_the_mark_and_is_not_in_the_tombstone_is_not_its() {
    // Adopted in the cluster's life, and marked: it was dropped when the lock went.
    let mut bed = tombstone(1, 0);
    let kept = Arc::make_mut(&mut bed.want.tombstones.get_mut(&shop()).unwrap().1);
    kept.values.vip = None;
    assert_eq!(bed.frees(), ["network n1"]);
}

#[test]
fn r25_a_network_in_which_somebody_lives_stays() {
    let mut bed = tombstone(1, 0).machine("default.b", "n1");
    project(&mut bed.have).ips.clear();
    Arc::make_mut(&mut bed.want.tombstones.get_mut(&shop()).unwrap().1).values.vip = None;
    assert!(bed.one().waits[0].contains("(tagged for `default.b`)"), "{:?}", bed.one());
    assert_eq!(bed.frees(), [] as [String; 0]);
}

#[test]
fn a_definition_that_comes_back_gets_its_values_and_the_tombstone_goes_with_its_lock() {
    let mut bed = tombstone(120, 0);
    bed.want.clusters = want(&["default.shop"]).clusters;
    let plan = bed.plan();
    let steps: Vec<_> = plan.clusters[&shop()].steps.iter().filter_map(crate::Step::used).map(|r| r.id()).collect();
    assert_eq!(steps, ["n1", "198.18.0.1"]);
    assert_eq!(plan.frees, [], "also when the time of the tombstone is over");
    assert_eq!(bed.ending(vec![]), Ending::Nothing);

    // It is blocked: nothing is taken over yet, and nothing is freed.
    bed.want.clusters.get_mut(&shop()).unwrap().blocked =
        Some(model::want::Blocked { reason: Reason::InvalidDefinition, message: "no".to_owned() });
    assert!(bed.one().waits[0].contains("the definition is back"));
    assert_eq!(bed.plan().frees, []);
    assert!(matches!(bed.ending(vec![]), Ending::Tombstone(_)));

    // Its lock names both.
    let mut bed = tombstone(120, 0);
    let mut back = want(&["default.shop"]);
    lock(&mut back, "default.shop", values("n1", "198.18.0.1", 1));
    bed.want.clusters = back.clusters;
    assert_eq!((bed.ending(vec![]), bed.plan().frees), (Ending::Nothing, vec![]));
}

#[test]
fn a_definition_that_came_back_with_other_values_leaves_the_old_ones_to_their_time() {
    for (since, frees) in [(NOW - 7_199, vec![]), (NOW - 7_200, vec!["vip 198.18.0.1"])] {
        let mut bed = tombstone(120, since);
        let mut back = want(&["default.shop"]);
        lock(&mut back, "default.shop", values("n2", "198.18.0.2", 1));
        bed.want.clusters = back.clusters;
        stock(&mut bed.have, "default.shop", &values("n2", "198.18.0.2", 1));
        assert_eq!(bed.frees(), frees);
    }
}

#[test]
fn r15_what_a_tombstone_keeps_is_no_orphan_and_no_sign_of_a_copy() {
    let bed = tombstone(120, NOW);
    let plan = bed.plan();
    assert!(plan.orphans.is_empty() && plan.suspect.is_empty(), "{:?} {:?}", plan.orphans, plan.suspect);
}

#[test]
fn a_definition_that_is_back_and_cannot_be_resolved_keeps_the_tombstone() {
    let mut bed = tombstone(120, 0);
    assert_eq!(bed.frees(), ["vip 198.18.0.1"]);
    bed.want.unresolved.ids.insert(shop(), "shop/cluster.yaml".to_owned());
    assert_eq!((bed.frees(), bed.one().next), (vec![], Next::Wait));
    assert!(bed.one().waits[0].starts_with("shop/cluster.yaml is or may be its definition"), "{:?}", bed.one());
    bed.want.unresolved = <_>::default();
    bed.want.unresolved.any = Some("not all definitions were read".to_owned());
    assert_eq!(bed.frees(), [] as [String; 0]);
    // One that is resolved has its say itself.
    let mut back = want(&["default.shop"]);
    lock(&mut back, "default.shop", values("n1", "198.18.0.1", 1));
    bed.want.clusters = back.clusters;
    assert_eq!(bed.ending(vec![]), Ending::Nothing);
}
