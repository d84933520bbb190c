//! Whether a death is to be believed.

use super::fixture::*;
use crate::firewall::deaths::{is_outage, seen};
use crate::step::Memory;
use model::metal::{Machine, MachineRole};
use std::time::Duration;

/// F10: readings without a gap, in one process.
#[test]
fn f10_a_gap_or_a_sign_of_life_begins_anew() {
    let terms = observed().terms;
    let mut memory = Memory::default();
    let mut look = |is_dead, second| seen(&mut memory, is_dead, at(second), Duration::from_secs(60), &terms);
    assert_eq!(look(false, 0), None);
    for second in [60, 60, 120, 240] {
        assert_eq!(look(true, second), Some(at(60)));
    }
    assert_eq!(look(true, 540), Some(at(540)), "five minutes without a reading");
    assert_eq!(look(true, 600), Some(at(540)));
    assert_eq!(look(true, 500), Some(at(500)), "the clock was set back");
    assert_eq!(look(false, 560), None);
    assert_eq!(look(true, 620), Some(at(620)));
    let mut restarted = Memory::default();
    assert_eq!(seen(&mut restarted, true, at(680), Duration::from_secs(60), &terms), Some(at(680)));
}

/// F8.
#[test]
fn f8_too_many_at_once_are_an_outage_of_metal_stack() {
    let servers = |firewalls: u32, dead: u32, machines: u32| {
        let of = |n| Machine { alive: n >= dead, ..firewall(n, 1) };
        let machine = |n| Machine { role: MachineRole::Machine, ..firewall(1000 + n, 1) };
        (0..firewalls).map(of).chain((0..machines).map(machine)).collect::<Vec<_>>()
    };
    let partition = firewall(1, 1).partition;
    let cases = [
        ((1, 1, 0), false),
        ((1, 1, 5), false),
        ((2, 2, 1), false),
        ((2, 2, 0), true),
        ((3, 3, 5), true),
        ((15, 3, 0), false),
        ((14, 3, 0), true),
    ];
    for ((firewalls, dead, machines), is) in cases {
        let mut all = servers(firewalls, dead, machines);
        assert_eq!(is_outage(all.iter(), &partition), is, "{dead} of {firewalls} beside {machines}");
        // What is being installed, and another partition, say nothing.
        all.push(Machine { phoned_home: false, alive: false, ..firewall(900, 1) });
        all.extend((901..910).map(|n| Machine { partition: "muc-b".parse().unwrap(), ..firewall(n, 1) }));
        assert_eq!(is_outage(all.iter(), &partition), is);
    }
}
