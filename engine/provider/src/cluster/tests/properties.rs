//! Whatever the object says and wherever it stops: one of each, nothing foreign freed, and it comes to rest.

use super::world::*;
use crate::api::Endpoint;
use crate::cluster::decide::{Action, decide};
use crate::cluster::delete::without_services;
use crate::cluster::observed::{Found, Leftovers, Observed, Presence, address};
use crate::names;
use crate::reason::Reason;
use crate::step::{Failure, Memory, Step};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use model::metal::{Ip, IpKind, Network};
use model::{NetworkId, Tags, Timestamp, tags};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Between two passes; a call that got no answer completes within one.
const PASS: Duration = Duration::from_secs(10);
const BACKOFF: Duration = Duration::from_secs(15);

/// Whose a resource is that was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Person,
    OtherCluster,
    /// Its id begins with ours.
    LongerName,
    Engine,
    Capms,
    /// Marked as ours, with our names and another attempt: of a cluster of the same name in another management cluster,
    /// or of a life whose object lost all that was written into it.
    Former,
}

/// How a call to metal-api, or the process, ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Refused,
    /// It happens at once, and the answer is lost.
    Lost,
    /// It happens before the next pass, and the answer is lost.
    Late,
    /// The process ends, and what was sent happens before the next one's first pass but one.
    Killed,
    /// The process ends before anything is sent.
    KilledBefore,
}

#[derive(Clone, Debug)]
struct Case {
    networks: Vec<Whose>,
    addresses: Vec<(Whose, IpKind)>,
    names_network: Option<usize>,
    names_endpoint: Option<usize>,
    names_ip: Option<usize>,
    engine_slots: bool,
    adopted: bool,
    faults: Vec<(usize, Fault)>,
    deleted_at: usize,
}

struct World {
    observed: Observed,
    networks: BTreeMap<NetworkId, (Network, Option<Whose>)>,
    addresses: BTreeMap<IpAddr, (Ip, Option<Whose>)>,
    pending: VecDeque<Action>,
    now: Timestamp,
    steps: usize,
    faults: BTreeMap<usize, Fault>,
    allocated: [usize; 2],
    /// What the object named when its deletion began.
    named: BTreeSet<String>,
}

impl World {
    fn new(case: &Case) -> Self {
        let mut observed = fresh();
        let id = |n: usize| format!("000000{n:02}-1111-1111-1111-111111111111");
        let at = |n: usize| format!("198.18.0.{}", n + 1);
        observed.edit(|object| {
            object.metadata.finalizers = None;
            object.spec.node_network_id = case.names_network.map(id);
            object.spec.control_plane_ip = case.names_ip.map(at);
            object.spec.control_plane_endpoint = case.names_endpoint.map(|n| Endpoint { host: at(n), port: 443 });
        });
        if case.engine_slots {
            observed.annotate(names::ENGINE_SLOTS, "network,vip");
        }
        if case.adopted {
            observed.annotate(names::ORIGIN, names::ADOPTED);
        }
        let networks = case.networks.iter().enumerate().map(|(n, whose)| {
            let network = network(&id(n), network_labels(*whose));
            (network.id.clone(), (network, Some(*whose)))
        });
        let addresses = case.addresses.iter().enumerate().map(|(n, (whose, kind))| {
            let ip = ip(&at(n), *kind, address_tags(*whose));
            (ip.address, (ip, Some(*whose)))
        });
        Self {
            observed,
            networks: networks.collect(),
            addresses: addresses.collect(),
            pending: VecDeque::new(),
            now: now(),
            steps: 0,
            faults: case.faults.iter().copied().collect(),
            allocated: [0, 0],
            named: BTreeSet::new(),
        }
    }

    /// What a gather does.
    fn gather(&mut self) {
        let Observed { object, memory, found, .. } = &mut self.observed;
        *found = Found::default();
        if object.annotations().contains_key(names::ATTEMPT) && !memory.attempt_is_mine {
            memory.unsettled_since.get_or_insert(self.now);
        }
        self.look();
    }

    fn look(&mut self) {
        let object = Arc::clone(&self.observed.object);
        let network = object.spec.node_network_id.as_deref().and_then(|id| NetworkId::parse(id).ok());
        let network = network.and_then(|id| Some(Arc::new(self.networks.get(&id)?.0.clone())));
        let address = address(&object).and_then(|at| Some(Arc::new(self.addresses.get(&at)?.0.clone())));
        let seen = self.observed.seen();
        seen.network = network.map_or(Presence::Gone, Presence::Here);
        seen.address = address.map_or(Presence::Gone, Presence::Here);
    }

    /// One pass; whether it rested without having done anything.
    fn pass(&mut self) -> bool {
        self.gather();
        // What was sent in an earlier pass arrives now, after this one looked.
        let mut late: Vec<Action> = self.pending.drain(..).collect();
        let mut quiet = true;
        for _ in 0..32 {
            let decision = decide(&self.observed, self.now);
            let action = match decision.step {
                Step::Rest(_) => {
                    if let Some(status) = decision.status {
                        quiet &= self.observed.object.status.as_ref() == Some(&status);
                        self.observed.edit(|object| object.status = Some(status));
                    }
                    late.drain(..).for_each(|action| self.happens(&action));
                    self.now += PASS;
                    return quiet;
                }
                Step::Act(action) => action,
            };
            quiet &= is_search(&action);
            self.steps += 1;
            let fault = self.faults.get(&self.steps).copied();
            if matches!(fault, Some(Fault::Killed | Fault::KilledBefore)) {
                if fault == Some(Fault::Killed) {
                    match is_kube(&action) {
                        true => self.patch(&action),
                        false => self.pending.push_back(action),
                    }
                }
                self.observed.memory = Memory::default();
                late.drain(..).for_each(|action| self.happens(&action));
                self.now += PASS;
                return false;
            }
            match (is_kube(&action), fault) {
                (true, None) => self.patch(&action),
                // The API server refused or said nothing: the pass ends and is repeated.
                (true, Some(fault)) => {
                    if fault != Fault::Refused {
                        self.patch(&action);
                        self.observed.memory.attempt_is_mine = false;
                    }
                    late.drain(..).for_each(|action| self.happens(&action));
                    self.now += PASS;
                    return false;
                }
                (false, None) => self.ask(&action),
                (false, Some(fault)) => {
                    match fault {
                        Fault::Lost => self.happens(&action),
                        Fault::Late => self.pending.push_back(action.clone()),
                        _ => {}
                    }
                    let allocates = matches!(action, Action::AllocateNetwork(_) | Action::AllocateVip(_));
                    let unknown_outcome = allocates && fault != Fault::Refused;
                    let failure = Failure { unknown_outcome, ..failure(Reason::MetalApiUnreachable) };
                    self.observed.memory.failed(failure, self.now, BACKOFF);
                    self.observed.found.networks = None;
                    self.observed.found.vips = None;
                }
            }
        }
        panic!("no rest: {:?}", decide(&self.observed, self.now).step);
    }

    fn patch(&mut self, action: &Action) {
        let observed = &mut self.observed;
        match action {
            Action::AddFinalizer => {
                observed.edit(|o| o.metadata.finalizers = Some(vec![names::CLUSTER_FINALIZER.to_owned()]));
            }
            Action::RemoveFinalizer => observed.edit(|object| object.metadata.finalizers = None),
            Action::Begin => {
                observed.annotate(names::BLOCK_MOVE, names::FIELD_MANAGER);
                if observed.attempt().is_none() {
                    observed.annotate(names::ATTEMPT, ATTEMPT);
                    observed.memory.attempt_is_mine = true;
                    observed.found = Found::default();
                }
            }
            Action::End => observed.edit(|object| {
                object.metadata.annotations.as_mut().unwrap().remove(names::BLOCK_MOVE);
            }),
            Action::KeepNetwork(id) => observed.edit(|o| o.spec.node_network_id = Some(id.to_string())),
            Action::KeepEndpoint { host, port } => {
                let endpoint = Endpoint { host: host.clone(), port: *port };
                observed.edit(|object| object.spec.control_plane_endpoint = Some(endpoint));
            }
            other => panic!("not of this world: {other:?}"),
        }
        self.look();
    }

    /// What the door does, and what it answers.
    fn ask(&mut self, action: &Action) {
        self.happens(action);
        let networks = || self.networks.values().map(|(network, _)| Arc::new(network.clone()));
        let addresses = || self.addresses.values().map(|(ip, _)| Arc::new(ip.clone()));
        let found = &mut self.observed.found;
        match action {
            Action::SearchNetworks | Action::AllocateNetwork(_) => found.networks = Some(networks().collect()),
            Action::SearchVips | Action::AllocateVip(_) => found.vips = Some(addresses().collect()),
            _ => {
                found.leftovers = Some(Leftovers {
                    networks: networks().collect(),
                    addresses: addresses().collect(),
                    done: 0,
                    kept: Vec::new(),
                });
            }
        }
        if !is_search(action) {
            self.observed.memory.succeeded();
        }
    }

    /// What metal-api does, whether or not anybody hears of it.
    fn happens(&mut self, action: &Action) {
        match action {
            Action::AllocateNetwork(request) => {
                self.allocated[0] += 1;
                let id = format!("000000f{}-1111-1111-1111-111111111111", self.allocated[0]);
                let network = network(&id, request.labels.clone());
                self.networks.insert(network.id.clone(), (network, None));
            }
            Action::AllocateVip(request) => {
                self.allocated[1] += 1;
                let ip = ip(&format!("198.18.1.{}", self.allocated[1]), request.kind, request.tags.clone());
                self.addresses.insert(ip.address, (ip, None));
            }
            Action::FreeNetwork { id, labels, .. } => {
                // Repeated by nobody, a late one finds it gone.
                let Some((network, whose)) = self.networks.get(id) else { return };
                assert!(labels.iter().all(|(key, value)| network.labels.has(key, value)));
                self.may_be_freed(&id.to_string(), *whose, IpKind::Ephemeral);
                self.networks.remove(id);
            }
            Action::FreeAddress { address, tags, .. } => {
                let Some((ip, whose)) = self.addresses.get(address) else { return };
                assert!(tags.iter().all(|(key, value)| ip.tags.has(key, value)));
                self.may_be_freed(&address.to_string(), *whose, ip.kind);
                self.addresses.remove(address);
            }
            Action::UntagAddress { address, .. } => {
                let (ip, _) = self.addresses.get_mut(address).unwrap();
                ip.tags = without_services(ID, &ip.tags);
            }
            _ => {}
        }
    }

    fn may_be_freed(&self, id: &str, whose: Option<Whose>, kind: IpKind) {
        let adopted = self.observed.is_adopted() && self.named.contains(id);
        match whose {
            None => {}
            Some(Whose::Former) => assert!(self.named.contains(id) && !adopted, "{id} is of another attempt"),
            Some(Whose::Capms) => {
                assert!(self.named.contains(id) && !adopted && kind == IpKind::Ephemeral, "{id} is not the cluster's");
            }
            Some(foreign) => panic!("{id} is of {foreign:?}"),
        }
    }

    fn delete(&mut self) {
        self.observed.edit(|object| object.metadata.deletion_timestamp = Some(Time(now())));
        let spec = self.observed.object.spec.clone();
        self.named.extend(spec.node_network_id);
        self.named.extend(spec.control_plane_ip);
        self.named.extend(spec.control_plane_endpoint.map(|endpoint| endpoint.host));
    }
}

fn is_search(action: &Action) -> bool {
    matches!(action, Action::SearchNetworks | Action::SearchVips | Action::SearchLeftovers)
}

fn is_kube(action: &Action) -> bool {
    matches!(
        action,
        Action::AddFinalizer
            | Action::RemoveFinalizer
            | Action::Begin
            | Action::End
            | Action::KeepNetwork(_)
            | Action::KeepEndpoint { .. }
    )
}

fn network_labels(whose: Whose) -> Tags {
    match whose {
        Whose::Person => Tags::new(),
        Whose::OtherCluster => our_network_tags(OTHER_ATTEMPT).with(tags::CLUSTER_ID, "default.other"),
        Whose::LongerName => our_network_tags(OTHER_ATTEMPT).with(tags::CLUSTER_ID, "default.shop2"),
        Whose::Engine => our_network_tags(OTHER_ATTEMPT).with(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE),
        Whose::Capms => Tags::new().with(tags::CLUSTER_ID, ID),
        Whose::Former => our_network_tags(OTHER_ATTEMPT),
    }
}

fn address_tags(whose: Whose) -> Tags {
    match whose {
        Whose::Person => Tags::new(),
        Whose::OtherCluster => our_vip_tags(OTHER_ATTEMPT).with(tags::CLUSTER_RESOURCE, "default.other"),
        Whose::LongerName => Tags::new().with(tags::SERVICE, "default.shop2/web/a"),
        Whose::Engine => our_vip_tags(OTHER_ATTEMPT).with(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE),
        Whose::Capms => capms_vip_tags(),
        Whose::Former => our_vip_tags(OTHER_ATTEMPT),
    }
}

fn whose() -> impl Strategy<Value = Whose> {
    use Whose::{Capms, Engine, Former, LongerName, OtherCluster, Person};
    prop::sample::select(vec![Person, OtherCluster, LongerName, Engine, Capms, Former])
}

fn cases() -> impl Strategy<Value = Case> {
    use Fault::{Killed, KilledBefore, Late, Lost, Refused};
    let kind = prop::sample::select(vec![IpKind::Static, IpKind::Ephemeral]);
    let fault = prop::sample::select(vec![Refused, Lost, Late, Killed, KilledBefore]);
    // Beyond the list: an id that metal-api does not know.
    let named = || prop::option::weighted(0.3, 0..3_usize);
    (
        prop::collection::vec(whose(), 0..3),
        prop::collection::vec((whose(), kind), 0..3),
        (named(), named(), named()),
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.15),
        prop::collection::vec((1..24_usize, fault), 0..5),
        0..20_usize,
    )
        .prop_map(|(networks, addresses, named, engine_slots, adopted, faults, deleted_at)| Case {
            networks,
            addresses,
            names_network: named.0,
            names_endpoint: named.1,
            names_ip: named.2,
            engine_slots,
            adopted,
            faults,
            deleted_at,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn i1_i2_one_of_each_and_nothing_is_left_or_stolen(case in cases()) {
        let mut world = World::new(&case);
        for _ in 0..case.deleted_at {
            world.pass();
        }
        prop_assert!(world.allocated.iter().all(|n| *n <= 1), "I1: {:?}", world.allocated);
        // Without faults it comes to rest, and then writes nothing.
        let quiet_at = (0..40).find(|_| world.pass() && world.pending.is_empty());
        prop_assert!(quiet_at.is_some(), "I4: {:?}", decide(&world.observed, world.now));
        prop_assert!(world.allocated.iter().all(|n| *n <= 1), "I1: {:?}", world.allocated);
        world.delete();
        world.faults = case.faults.iter().map(|(step, fault)| (step + world.steps, *fault)).collect();
        let gone = (0..60).find(|_| {
            world.pass();
            !world.observed.has_finalizer()
        });
        prop_assert!(gone.is_some(), "it is deleted in the end: {:?}", decide(&world.observed, world.now));
        let ours = |whose: &Option<Whose>| whose.is_none();
        let networks = world.networks.values().filter(|(_, whose)| ours(whose)).count();
        let addresses = world.addresses.values().filter(|(_, whose)| ours(whose)).count();
        prop_assert_eq!((networks, addresses), (0, 0), "I2");
    }

    /// The deletion may begin in the middle of everything.
    #[test]
    fn i2_a_deletion_at_any_time_leaves_nothing(case in cases()) {
        let mut world = World::new(&case);
        for _ in 0..case.deleted_at % 6 {
            world.pass();
        }
        world.delete();
        if !world.observed.has_finalizer() {
            return Ok(());
        }
        let gone = (0..60).find(|_| {
            world.pass();
            !world.observed.has_finalizer()
        });
        prop_assert!(gone.is_some());
        prop_assert!(world.networks.values().all(|(_, whose)| whose.is_some()), "I2: {:?}", world.networks);
        prop_assert!(world.addresses.values().all(|(_, whose)| whose.is_some()), "I2: {:?}", world.addresses);
        prop_assert!(world.pending.is_empty(), "nothing of it completes afterwards: {:?}", world.pending);
    }
}
