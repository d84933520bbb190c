//! What was asked and done beside the whole lists, in an order: a list that began before an own write or a direct read
//! never overwrites it with older news.

use super::{Known, View, expected::Found};
use model::metal::{Ip, Machine, Network};
use model::{MachineId, NetworkId};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

/// A point in the order of what this door does; no time.
pub(super) type Moment = u64;

/// A resource that views and ledgers keep.
pub(super) trait Kept: Found<Id: Ord + Clone> + Sized {
    fn shelf(ledger: &mut Ledger) -> &mut Shelf<Self>;
    fn rows(view: &mut View) -> &mut Rows<Self>;
    fn ids(known: &mut Known) -> &mut BTreeSet<Self::Id>;
}

pub(super) type Rows<K> = BTreeMap<<K as Found>::Id, Arc<K>>;

/// News of one kind: what each id was last found to be, None for not there, and when that was known.
#[derive(Debug)]
pub(super) struct Shelf<K: Kept>(BTreeMap<K::Id, (Moment, Option<Arc<K>>)>);

impl<K: Kept> Default for Shelf<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    moment: Moment,
    /// When the newest list that was taken began.
    listed: Moment,
    machines: Shelf<Machine>,
    ips: Shelf<Ip>,
    networks: Shelf<Network>,
    /// What was freed through this door: that it is missing is no surprise.
    freed: Known,
}

impl Ledger {
    pub(super) fn tick(&mut self) -> Moment {
        self.moment += 1;
        self.moment
    }

    /// The result of a direct read that began then; whether it is news.
    pub(super) fn read<K: Kept>(&mut self, began: Moment, id: &K::Id, found: Option<&Arc<K>>) -> bool {
        let (at, listed) = (self.tick(), self.listed);
        let shelf = K::shelf(self);
        let is_news = began > listed && shelf.0.get(id).is_none_or(|(known, _)| began > *known);
        if is_news {
            shelf.0.insert(id.clone(), (at, found.cloned()));
        }
        is_news
    }

    /// The result of an own write, just now. Nothing is newer.
    pub(super) fn wrote<K: Kept>(&mut self, id: &K::Id, now: Option<&Arc<K>>) {
        let at = self.tick();
        K::shelf(self).0.insert(id.clone(), (at, now.cloned()));
        let freed = K::ids(&mut self.freed);
        match now {
            Some(_) => freed.remove(id),
            None => freed.insert(id.clone()),
        };
    }

    /// A list that began then, with what is newer laid over it.
    pub(super) fn over<K: Kept>(&mut self, began: Moment, mut rows: Rows<K>) -> Rows<K> {
        let shelf = K::shelf(self);
        shelf.0.retain(|_, (at, _)| *at > began);
        for (id, (_, now)) in &shelf.0 {
            match now {
                Some(row) => rows.insert(id.clone(), Arc::clone(row)),
                None => rows.remove(id),
            };
        }
        rows
    }

    /// All lists of a reading that began then were taken.
    pub(super) fn listed(&mut self, began: Moment) {
        self.listed = self.listed.max(began);
    }

    /// What is known, without what went through this door.
    pub(super) fn unfreed(&mut self, mut known: Known) -> Known {
        fn take<Id: Ord>(known: &mut BTreeSet<Id>, freed: &mut BTreeSet<Id>) {
            // What nobody names any more needs no remembering.
            freed.retain(|id| known.contains(id));
            known.retain(|id| !freed.contains(id));
        }
        take(&mut known.machines, &mut self.freed.machines);
        take(&mut known.ips, &mut self.freed.ips);
        take(&mut known.networks, &mut self.freed.networks);
        known
    }
}

impl Kept for Machine {
    fn shelf(ledger: &mut Ledger) -> &mut Shelf<Self> {
        &mut ledger.machines
    }

    fn rows(view: &mut View) -> &mut BTreeMap<MachineId, Arc<Self>> {
        &mut view.machines
    }

    fn ids(known: &mut Known) -> &mut BTreeSet<MachineId> {
        &mut known.machines
    }
}

impl Kept for Ip {
    fn shelf(ledger: &mut Ledger) -> &mut Shelf<Self> {
        &mut ledger.ips
    }

    fn rows(view: &mut View) -> &mut BTreeMap<IpAddr, Arc<Self>> {
        &mut view.ips
    }

    fn ids(known: &mut Known) -> &mut BTreeSet<IpAddr> {
        &mut known.ips
    }
}

impl Kept for Network {
    fn shelf(ledger: &mut Ledger) -> &mut Shelf<Self> {
        &mut ledger.networks
    }

    fn rows(view: &mut View) -> &mut BTreeMap<NetworkId, Arc<Self>> {
        &mut view.networks
    }

    fn ids(known: &mut Known) -> &mut BTreeSet<NetworkId> {
        &mut known.networks
    }
}
