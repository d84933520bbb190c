//! Deletion: each phase, each wait, each refusal; then whole lives against a metal-api that fails.

mod bed;
mod drive;
mod frees;
mod tombstones;
mod world;

use super::samples::*;
use crate::{Next, plan};
use bed::*;
use model::lock::{DeletionPhase, Ending};
use model::metal::{Gap, GapReason};
use model::{Origin, Reason, Seconds};
use std::sync::Arc;

#[test]
fn r2_guards_must_be_seen_lifted_before_files_leave() {
    let enter = Next::Enter(DeletionPhase::Removing);
    let has_cluster = seen(true, false, &[]);
    for (case, look, since, next, words) in [
        ("guarded", Some(Ok(has_cluster)), Some(0), Next::Wait, "still carries its prune guard"),
        ("lifted", Some(Ok(seen(true, true, &["Machine/a"]))), None, enter, ""),
        ("never applied", Some(Ok(seen(false, false, &[]))), None, enter, ""),
        ("does not answer", Some(Err("no route")), Some(0), Next::Wait, "does not answer: no route"),
        ("no access, too soon", None, Some(NOW - 899), Next::Wait, "waits until 1970-01-01T02:46:41Z"),
        ("no access, after a while", None, Some(NOW - 900), enter, ""),
        ("no access, no history", None, None, Next::Wait, "when this phase was committed is not known"),
    ] {
        let bed = Bed::new(DeletionPhase::Confirmed).looks(look).since(since);
        let one = bed.one();
        assert_eq!(one.next, next, "{case}: {:?}", one.waits);
        assert!(one.waits.join(" ").contains(words), "{case}: {:?}", one.waits);
        assert_eq!(one.refused, None, "{case}");
        assert_eq!(one.until.is_some(), case == "no access, too soon", "{case}");
        assert_eq!(bed.plan().frees, [], "{case}");
    }
}

#[test]
fn r25_the_rest_leaves_when_nobody_needs_the_network_any_more() {
    let gone = || Some(Ok(seen(false, false, &[])));
    let enter = Next::Enter(DeletionPhase::Freeing);
    let bed = || Bed::new(DeletionPhase::Removing).looks(gone());
    for (case, bed, words) in [
        ("gone", bed(), ""),
        ("the Cluster", bed().looks(Some(Ok(seen(true, true, &[])))), "the Cluster is still in"),
        ("its machines", bed().looks(Some(Ok(seen(false, true, &["Machine/a"])))), "yet: Machine/a"),
        ("silent", bed().looks(Some(Err("no route"))), "does not answer: no route"),
        (
            "no access, too soon",
            bed().looks(None).since(Some(NOW - 1)),
            "nobody sees whether the last commit is synced",
        ),
        ("no access, after a while", bed().looks(None).since(Some(0)), ""),
        ("a machine with its marks", bed().machine("default.shop", "elsewhere"), "are not freed yet: 00000000"),
        ("a foreign machine", bed().machine("default.other", "n1"), "(tagged for `default.other`)"),
        ("a machine of nobody", bed().machine("", "n1"), "(tagged for no cluster)"),
        ("a foreign firewall", bed().foreign_firewall("n1"), "(tagged for no cluster)"),
        ("a foreign address", bed().address("10.0.0.9", "n1", None), "n1: 10.0.0.9 (of no machine)"),
        ("an address being released", bed().address("10.0.0.9", "n1", Some(77)), "being released)"),
        ("the own firewall's address", bed().address("10.0.0.9", "n1", Some(1)), ""),
        ("an address elsewhere", bed().address("10.0.0.9", "n2", None), ""),
        ("an address in an adopted network", bed().network_of(Origin::Adopted).address("10.0.0.9", "n1", None), ""),
        (
            "a machine in an adopted network",
            bed().network_of(Origin::Adopted).machine("default.other", "n1"),
            "(tagged for `default.other`)",
        ),
    ] {
        let one = bed.one();
        assert!(one.waits.join(" ").contains(words), "{case}: {:?}", one.waits);
        assert_eq!(one.next, if words.is_empty() { enter } else { Next::Wait }, "{case}: {:?}", one.waits);
        assert_eq!(bed.plan().frees, [], "{case}");
    }
}

#[test]
fn what_stops_every_deletion() {
    let fleet = |to: fn(&mut model::Fleet)| move |bed: &mut Bed| to(Arc::make_mut(bed.want.fleet.as_mut().unwrap()));
    let rewritten = |bed: &mut Bed| bed.said.rewritten = Some("commit 1234 is not there".to_owned());
    let acked = |what: &'static str| {
        move |bed: &mut Bed| {
            rewritten(bed);
            bed.said.acknowledged.insert(what.to_owned());
        }
    };
    let gap = |kind: &'static str| {
        move |bed: &mut Bed| {
            let message = "no".to_owned();
            bed.have.gaps.push(Gap { project: Some(project_id()), kind, why: GapReason::Unreachable, message });
        }
    };
    type Change = Box<dyn Fn(&mut Bed)>;
    let cases: [(&str, Change, Option<Reason>, &str); 10] = [
        ("nothing", Box::new(|_| ()), None, ""),
        ("a pause", Box::new(fleet(|f| f.spec.paused = true)), None, "the fleet is paused"),
        ("a broken fleet.yaml", Box::new(|bed| bed.want.fleet_is_refused = true), None, "fleet.yaml has an error"),
        ("a gap", Box::new(gap("ips")), None, "did not answer for project"),
        ("unknown capacity", Box::new(gap(Gap::CAPACITY)), None, ""),
        ("an unlisted project", Box::new(fleet(|f| f.spec.metal.projects.clear())), Some(Reason::ProjectNotListed), ""),
        ("rewritten history", Box::new(rewritten), Some(Reason::HistoryRewritten), ""),
        ("acknowledged", Box::new(acked("HistoryRewritten example")), None, ""),
        ("acknowledged for it", Box::new(acked("HistoryRewritten default.shop")), None, ""),
        ("for another", Box::new(acked("HistoryRewritten default.b")), Some(Reason::HistoryRewritten), ""),
    ];
    for phase in [DeletionPhase::Confirmed, DeletionPhase::Removing, DeletionPhase::Freeing] {
        for (case, change, refused, words) in &cases {
            let mut bed = Bed::new(phase).looks(Some(Ok(seen(false, true, &[]))));
            change(&mut bed);
            let one = bed.one();
            assert_eq!(one.refused.as_ref().map(|(reason, _)| *reason), *refused, "{case}");
            assert!(one.waits.join(" ").contains(words), "{case}: {:?}", one.waits);
            let goes_on = refused.is_none() && words.is_empty();
            assert_eq!(one.next != Next::Wait, goes_on, "{phase:?}, {case}");
            assert_eq!(bed.plan().frees.is_empty(), !(goes_on && phase == DeletionPhase::Freeing), "{case}");
        }
    }
}

#[test]
fn r15_a_suspect_project_frees_nothing() {
    let mut bed = Bed::new(DeletionPhase::Freeing);
    project(&mut bed.have).networks.push(network("n7", "default.unheard-of", 1));
    let one = bed.one();
    assert_eq!(one.refused.map(|(reason, _)| reason), Some(Reason::Suspect));
    assert_eq!(bed.plan().frees, []);
}

#[test]
fn r15_a_metal_api_without_anything_of_the_cluster_is_doubted() {
    let mut bed = Bed::new(DeletionPhase::Freeing);
    *project(&mut bed.have) = model::metal::HaveProject::default();
    assert_eq!(bed.one().refused.map(|(reason, _)| reason), Some(Reason::Suspect));
    assert_eq!(bed.plan().frees, []);
    bed.said.acknowledged.insert("Suspect default.shop".to_owned());
    assert_eq!(bed.frees(), ["firewall.1 00000000-0000-4000-8000-000000000001", "vip 198.18.0.1", "network n1"]);
}

#[test]
fn i9_without_a_confirmation_or_with_a_broken_definition_nothing_happens() {
    let mut unconfirmed = Bed::new(DeletionPhase::Freeing);
    Arc::make_mut(&mut unconfirmed.orphan().lock).deletion = None;
    let mut broken = Bed::new(DeletionPhase::Freeing);
    broken.orphan().removed = false;
    for bed in [unconfirmed, broken] {
        let plan = bed.plan();
        assert!(plan.deletions.is_empty() && plan.frees.is_empty(), "{:?}", plan.deletions);
        assert!(crate::endings(&bed.want, &plan, &model::request::Done::default()).is_empty());
    }
}

#[test]
fn r16_one_cluster_at_a_time_loses_its_last_files() {
    let mut bed = Bed::new(DeletionPhase::Removing).looks(Some(Ok(seen(false, false, &[]))));
    let mut second = bed.orphan().clone();
    Arc::make_mut(&mut second.lock).identity.name = model::ClusterName::parse("tail").unwrap();
    Arc::make_mut(&mut second.lock).values = model::lock::Values::default();
    bed.want.orphan_locks.insert("default.tail".parse().unwrap(), second);
    bed.seen.insert("default.tail".parse().unwrap(), seen(false, false, &[]));
    let plan = bed.plan();
    let next: Vec<_> = plan.deletions.values().map(|one| one.next).collect();
    assert_eq!(next, [Next::Enter(DeletionPhase::Freeing), Next::Wait]);
}

#[test]
fn a_phase_is_written_into_the_lock_and_nothing_else_is() {
    for (phase, next) in
        [(DeletionPhase::Confirmed, DeletionPhase::Removing), (DeletionPhase::Removing, DeletionPhase::Freeing)]
    {
        let mut bed = Bed::new(phase).looks(Some(Ok(seen(false, true, &[]))));
        let before = (*bed.orphan().lock).clone();
        let Ending::Lock { path, lock } = bed.ending(vec![]) else { panic!("the lock stays") };
        assert_eq!(path, "default.shop/cluster.lock.yaml");
        assert_eq!(lock.deletion.as_ref().unwrap().phase, next);
        assert_eq!(model::ClusterLock { deletion: before.deletion.clone(), ..*lock }, before);

        let waiting = Bed::new(phase).looks(Some(Err("no route")));
        assert_eq!(waiting.ending(vec![]), Ending::Lock { path, lock: Box::new(before) }, "unchanged while it waits");
    }
}

#[test]
fn the_lock_of_a_live_cluster_says_what_its_definition_confirms() {
    let hour = Some(Seconds::minutes(60));
    let before = |phase, grace| Some(deletion(phase, grace, 'b'));
    let tip = commit('c');
    for (case, confirmed, grace, before, with_tip, expected) in [
        ("not confirmed", false, None, None, true, None),
        ("confirmed now", true, None, None, true, Some(deletion(DeletionPhase::Confirmed, None, 'c'))),
        ("with a grace period", true, hour, None, true, Some(deletion(DeletionPhase::Confirmed, hour, 'c'))),
        ("in a folder", true, None, None, false, None),
        (
            "confirmed before",
            true,
            hour,
            before(DeletionPhase::Confirmed, None),
            true,
            Some(deletion(DeletionPhase::Confirmed, hour, 'b')),
        ),
        (
            "in a folder, confirmed before",
            true,
            None,
            before(DeletionPhase::Confirmed, None),
            false,
            Some(deletion(DeletionPhase::Confirmed, None, 'b')),
        ),
        ("taken back", false, None, before(DeletionPhase::Confirmed, None), true, None),
        ("come back while freed", false, None, before(DeletionPhase::Freeing, hour), true, None),
        (
            "come back with its confirmation",
            true,
            None,
            before(DeletionPhase::Removing, None),
            true,
            Some(deletion(DeletionPhase::Confirmed, None, 'b')),
        ),
    ] {
        let mut want = want(&["default.shop"]);
        lock(&mut want, "default.shop", values("n1", "198.18.0.1", 1));
        let id = "default.shop".parse().unwrap();
        let wanted = want.clusters.get_mut(&id).unwrap();
        Arc::make_mut(wanted.lock.as_mut().unwrap()).deletion = before;
        let effective = Arc::make_mut(&mut wanted.effective);
        effective.deletion.is_confirmed = confirmed;
        effective.deletion.grace_period = model::want::Setting::built_in(grace.unwrap_or(Seconds::new(0)));
        let (attempt, unknown) = (attempt(), crate::Unknown::default());
        let setting = crate::Setting { tip: with_tip.then_some(&tip), ..unknown.setting(&attempt, time(NOW)) };
        let mut have = have();
        stock(&mut have, "default.shop", &values("n1", "198.18.0.1", 1));
        let plan = plan(&want, &have, &setting);
        assert_eq!(plan.confirmed.get(&id).cloned(), expected, "{case}");
        let locks = crate::settle(&want, &plan, &model::request::Done::default());
        assert_eq!(locks[&id].deletion, expected, "{case}");
    }
}
