//! What is decided without asking: proofs, suspects, absences.

use super::samples::{address, ip, machine, network, view};
use super::{ONE, TWO, id};
use crate::metal::expected::not_ours;
use crate::metal::suspect::{suspect, unknown_project};
use crate::metal::{Absence, Expected, Known, Suspect};
use model::metal::NetworkKind;
use model::{Allocation, Tags};
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_proof_must_fit_what_is_found_in_everything() {
    let mut found = ip(1, "a", &[]);
    // An address may carry a key more than once.
    found.tags = Tags::from_address_strings(["c=shop", "p=vip", "p=lb", "bare"]);
    let base = || Expected { allocation: Allocation::parse("a").ok(), ..Expected::new(&id(ONE), address(1)) };
    let tags = |tags: &[&str]| Tags::from_strings(tags);
    let none = || Expected { allocation: None, ..base() };
    for (expected, why) in [
        (base(), None),
        (Expected { tags: tags(&["c=shop", "bare"]), ..base() }, None),
        (Expected { tags: tags(&["c=shop"]), ..none() }, None),
        (Expected { without: tags(&["c=other", "x="]), ..base() }, None),
        (none(), Some("neither its allocation nor a tag")),
        (Expected { project: id(TWO), ..base() }, Some("belongs to 00000000-0000-0000-0000-000000000001")),
        (Expected { id: address(2), ..base() }, Some("another resource")),
        (Expected { allocation: Allocation::parse("b").ok(), ..base() }, Some("its allocation is a and not b")),
        (Expected { tags: tags(&["c=other"]), ..base() }, Some("its tag c is `shop` and not `other`")),
        (Expected { tags: tags(&["d=x"]), ..base() }, Some("it has no tag d=x")),
        (Expected { without: tags(&["p=vip"]), ..base() }, Some("it has the tag p")),
        (Expected { without: tags(&["p=lb"]), ..base() }, Some("it has the tag p")),
        (Expected { tags: tags(&["p=vip"]), ..none() }, None),
        (Expected { without: tags(&["p"]), ..base() }, Some("it has the tag p")),
    ] {
        let said = not_ours(&expected, &found);
        match why {
            None => assert_eq!(said, None, "{expected:?}"),
            Some(why) => assert!(said.as_ref().is_some_and(|said| said.contains(why)), "{expected:?}: {said:?}"),
        }
    }
}

#[test]
fn what_the_engine_allocated_is_never_freed() {
    let found = machine("a", &["fleet.metal-stack.io/managed-by=engine", "c=shop"]);
    let expected = Expected {
        allocation: Allocation::parse("a").ok(),
        tags: found.tags.clone(),
        ..Expected::new(&id(ONE), found.id.clone())
    };
    assert_eq!(not_ours(&expected, &found).as_deref(), Some("the engine allocated it, and the engine frees it"));
}

#[test]
fn a_network_is_told_by_its_labels_and_only_node_networks_are_freed() {
    let expected =
        |labels: &[&str]| Expected { tags: Tags::from_strings(labels), ..Expected::new(&id(ONE), id("node")) };
    let child = network(NetworkKind::Child, &["c=shop"]);
    assert_eq!(not_ours(&expected(&["c=shop"]), &child), None);
    assert!(not_ours(&expected(&[]), &child).is_some());
    let with_allocation = Expected { allocation: Allocation::parse("none").ok(), ..expected(&[]) };
    assert!(not_ours(&with_allocation, &child).is_some(), "a network has no allocation that could tell it");
    for kind in [NetworkKind::External, NetworkKind::Underlay, NetworkKind::Super, NetworkKind::ChildShared] {
        let why = not_ours(&expected(&["c=shop"]), &network(kind, &["c=shop"]));
        assert_eq!(why.as_deref(), Some("it is no node network"));
    }
}

#[test]
fn r15_more_than_two_and_a_fifth_missing_at_once_is_suspect() {
    let judge = |known: u8, there: u8| {
        let mut view = view(1, 0);
        view.ips = (0..there).map(|n| (address(n), Arc::new(ip(n, "a", &[])))).collect();
        let known = Known { ips: (0..known).map(address).collect(), ..Known::default() };
        suspect(&known, &view).map(|suspect| (suspect.missing, suspect.of))
    };
    for (known, there, expected) in [
        (0, 0, None),
        (2, 0, None),
        (3, 0, Some((3, 3))),
        (3, 1, None),
        (14, 11, Some((3, 14))),
        (15, 12, None),
        (100, 80, None),
        (100, 79, Some((21, 100))),
        (5, 20, None),
    ] {
        assert_eq!(judge(known, there), expected, "{there} of {known}");
    }
}

#[test]
fn r15_an_unknown_partition_or_project_is_suspect_and_the_words_are_stable() {
    let mut known = Known { partitions: [id("muc-a")].into(), networks: [id("super")].into(), ..Known::default() };
    let mut view = view(1, 0);
    assert_eq!(suspect(&known, &view), None);
    assert_eq!(unknown_project(&known, &view).missing, 1);
    known.partitions.insert(id("muc-z"));
    let found = suspect(&known, &view).unwrap();
    assert_eq!(found.to_string(), "metal-api does not know the partition muc-z");
    known.partitions.clear();
    known.ips = (1..6).map(address).collect();
    let found = suspect(&known, &view).unwrap();
    assert!(found.why.contains("6 of 6") && found.why.contains("198.18.0.1, 198.18.0.2, 198.18.0.3, …"), "{found}");
    let shared = network(NetworkKind::Super, &[]);
    view.shared_networks = Arc::new([(id("super"), Arc::new(shared))].into());
    assert_eq!(suspect(&known, &view).unwrap().missing, 5, "a shared network is there");
}

#[test]
fn r15_gone_is_absent_in_two_readings_an_interval_apart_and_in_a_find() {
    let seen = |absence: Absence, round, second| absence.seen(false, &view(round, second), MINUTE, false);
    let first = seen(Absence::default(), 1, 0);
    assert_eq!(seen(first, 1, 0), first, "the same reading twice");
    assert_eq!(seen(first, 2, 59), first, "too soon");
    assert_eq!(seen(first, 2, -60), first, "the clock was set back");
    assert!(!first.asked(false).is_concluded(), "a find alone proves nothing");
    let second = seen(first, 3, 60);
    assert!(second.must_ask() && !second.is_concluded() && !first.must_ask());
    assert!(second.asked(false).is_concluded());
    assert_eq!(second.asked(true), Absence::Present);
    assert!(seen(second.asked(false), 4, 120).is_concluded());
    for absence in [first, second, second.asked(false)] {
        assert_eq!(absence.seen(true, &view(9, 500), MINUTE, false), Absence::Present);
    }
}

#[test]
fn r15_a_suspect_view_says_nothing_about_absence() {
    let mut suspicious = view(2, 60);
    suspicious.suspect = Some(Suspect { missing: 9, of: 9, why: String::new() });
    let first = Absence::default().seen(false, &view(1, 0), MINUTE, false);
    assert_eq!(first.seen(false, &suspicious, MINUTE, false), first);
    assert_eq!(Absence::default().seen(false, &suspicious, MINUTE, false), Absence::Present);
    let acknowledged = first.seen(false, &suspicious, MINUTE, true);
    assert_ne!(acknowledged, first, "a person said that it is so");
}
