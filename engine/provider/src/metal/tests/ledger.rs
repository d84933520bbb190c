//! The order of news.

use super::samples::{address, ip};
use crate::metal::Known;
use crate::metal::ledger::{Ledger, Rows};
use model::metal::Ip;
use std::sync::Arc;

fn row(allocation: &str) -> Arc<Ip> {
    Arc::new(ip(1, allocation, &[]))
}

/// What a list that began then leaves of address 1, when the list has `listed`.
fn over(ledger: &mut Ledger, began: u64, listed: Option<&str>) -> Option<String> {
    let rows: Rows<Ip> = listed.map(|allocation| (address(1), row(allocation))).into_iter().collect();
    let rows = ledger.over::<Ip>(began, rows);
    ledger.listed(began);
    rows.get(&address(1)).map(|ip| ip.allocation.to_string())
}

#[test]
fn a_list_that_began_before_a_write_does_not_undo_it() {
    let mut ledger = Ledger::default();
    let began = ledger.tick();
    ledger.wrote(&address(1), Some(&row("new")));
    assert_eq!(over(&mut ledger, began, None).as_deref(), Some("new"));
    let began = ledger.tick();
    ledger.wrote::<Ip>(&address(1), None);
    assert_eq!(over(&mut ledger, began, Some("new")), None, "freed");
    let began = ledger.tick();
    assert_eq!(over(&mut ledger, began, Some("newer")).as_deref(), Some("newer"), "a later list is newer");
}

#[test]
fn a_direct_read_is_news_only_for_what_began_before_it_ended() {
    let mut ledger = Ledger::default();
    let list = ledger.tick();
    let read = ledger.tick();
    assert!(ledger.read(read, &address(1), Some(&row("read"))));
    assert_eq!(over(&mut ledger, list, Some("old")).as_deref(), Some("read"));
    let late = ledger.tick();
    let list = ledger.tick();
    assert_eq!(over(&mut ledger, list, Some("list")).as_deref(), Some("list"));
    assert!(!ledger.read(late, &address(1), Some(&row("late"))), "it began before the list");
    assert_eq!(over(&mut ledger, list, Some("list")).as_deref(), Some("list"));
}

#[test]
fn a_direct_read_that_began_before_a_write_does_not_undo_it() {
    let mut ledger = Ledger::default();
    let list = ledger.tick();
    let read = ledger.tick();
    ledger.wrote::<Ip>(&address(1), None);
    assert!(!ledger.read(read, &address(1), Some(&row("old"))));
    assert_eq!(over(&mut ledger, list, Some("old")), None);
}

#[test]
fn what_was_freed_here_is_not_missed() {
    let mut ledger = Ledger::default();
    let known = || Known { ips: [address(1), address(2)].into(), ..Known::default() };
    ledger.wrote::<Ip>(&address(1), None);
    assert_eq!(ledger.unfreed(known()).ips, [address(2)].into());
    ledger.wrote(&address(1), Some(&row("again")));
    assert_eq!(ledger.unfreed(known()), known());
    ledger.wrote::<Ip>(&address(1), None);
    ledger.unfreed(Known::default());
    assert_eq!(ledger.unfreed(known()), known(), "forgotten with the object that named it");
}
