//! All state of the simulation and its passing of time. Synchronous, driven by one owner at a time.

mod lifecycle;
mod network;
mod row;

pub(crate) use network::is_private;
pub(crate) use row::{IpRow, MachineRow, NetworkRow};

use crate::{
    ipam::Ipam,
    landscape::{Auth, ReservationSpec, Timing},
    refusal::Refusal,
    table::Table,
};
use fastrand::Rng;
use jiff::Timestamp;
use metal_api::wire::{FilesystemLayout, Image, Partition, Project, Size};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// VRFs and ASNs come from pools of this size.
const POOL: u32 = 131_072;
const ASN_BASE: i64 = 4_210_000_000;
/// metal-api's own tag on addresses that a machine uses.
pub(crate) const MACHINE_TAG: &str = "machine.metal-stack.io/id";

/// What operators offer; never changed by the routes that are simulated.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Catalog {
    pub(crate) projects: BTreeMap<String, Project>,
    pub(crate) partitions: BTreeMap<String, Partition>,
    pub(crate) sizes: BTreeMap<String, Size>,
    pub(crate) images: BTreeMap<String, Image>,
    pub(crate) layouts: Vec<FilesystemLayout>,
    pub(crate) reservations: Vec<ReservationSpec>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct World {
    /// The simulator's time, as of the last `advance`.
    pub(crate) now: Timestamp,
    #[serde(with = "seed")]
    pub(crate) rng: Rng,
    pub(crate) auth: Auth,
    pub(crate) timing: Timing,
    pub(crate) catalog: Catalog,
    pub(crate) ipam: Ipam,
    pub(crate) networks: Table<NetworkRow>,
    pub(crate) ips: Table<IpRow>,
    pub(crate) machines: Table<MachineRow>,
    vrfs: BTreeSet<u32>,
    asns: BTreeSet<u32>,
    due: BTreeSet<lifecycle::Entry>,
    entries: u64,
    /// What the current call did, for the call log.
    #[serde(skip)]
    effects: Vec<String>,
    /// Grows with every change.
    #[serde(skip)]
    revision: u64,
}

impl World {
    pub(crate) fn new(now: Timestamp, seed: u64, auth: Auth, timing: Timing, catalog: Catalog) -> Self {
        Self {
            now,
            rng: Rng::with_seed(seed),
            auth,
            timing,
            catalog,
            ipam: Ipam::default(),
            networks: Table::default(),
            ips: Table::default(),
            machines: Table::default(),
            vrfs: BTreeSet::new(),
            asns: BTreeSet::new(),
            due: BTreeSet::new(),
            entries: 0,
            effects: Vec::new(),
            revision: 0,
        }
    }

    /// Names something that was created, changed or freed.
    pub(crate) fn note(&mut self, effect: String) {
        self.revision += 1;
        self.effects.push(effect);
    }

    /// What was noted since the last time.
    pub(crate) fn take_effects(&mut self) -> Option<String> {
        let effects = std::mem::take(&mut self.effects);
        (!effects.is_empty()).then(|| effects.join(", "))
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn touch(&mut self) {
        self.revision += 1;
    }

    /// A random UUID of version 4, from the seeded generator.
    pub(crate) fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        self.rng.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    pub(crate) fn acquire_vrf(&mut self) -> Result<u32, Refusal> {
        let vrf = draw(&mut self.rng, &mut self.vrfs);
        vrf.ok_or_else(|| Refusal::unprocessable("unable to acquire a vrf id: pool is exhausted"))
    }

    pub(crate) fn take_vrf(&mut self, vrf: u32) -> bool {
        self.vrfs.insert(vrf)
    }

    pub(crate) fn release_vrf(&mut self, vrf: u64) {
        self.vrfs.retain(|taken| u64::from(*taken) != vrf);
    }

    /// An autonomous system number that no machine has.
    pub(crate) fn acquire_asn(&mut self) -> Result<i64, Refusal> {
        let number = draw(&mut self.rng, &mut self.asns);
        let number = number.ok_or_else(|| Refusal::unprocessable("unable to acquire an asn: pool is exhausted"))?;
        Ok(ASN_BASE + i64::from(number))
    }

    pub(crate) fn release_asn(&mut self, asn: i64) {
        self.asns.retain(|taken| ASN_BASE + i64::from(*taken) != asn);
    }

    pub(crate) fn project(&self, id: &str) -> Result<&Project, Refusal> {
        self.catalog.projects.get(id).ok_or_else(|| Refusal::no("project", id))
    }

    pub(crate) fn network(&self, id: &str) -> Result<&NetworkRow, Refusal> {
        self.networks.get(id).ok_or_else(|| Refusal::no("network", id))
    }

    pub(crate) fn machine(&self, id: &str) -> Result<&MachineRow, Refusal> {
        self.machines.get(id).ok_or_else(|| Refusal::no("machine", id))
    }
}

/// Whether a text is the id of something: any UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    Uuid::parse_str(text).is_ok()
}

/// A number of 1..=POOL that is not taken yet.
fn draw(rng: &mut Rng, taken: &mut BTreeSet<u32>) -> Option<u32> {
    if taken.len() >= POOL as usize {
        return None;
    }
    loop {
        let number = rng.u32(1..=POOL);
        if taken.insert(number) {
            return Some(number);
        }
    }
}

/// The generator in a state file: its seed goes on where it was.
mod seed {
    use fastrand::Rng;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(rng: &Rng, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(rng.get_seed())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rng, D::Error> {
        u64::deserialize(deserializer).map(Rng::with_seed)
    }
}
