//! A tiny world in memory: an object, a project of metal-api, and everything that can go wrong between them. Whatever
//! happens, nothing of others is freed, there are never more than a firewall and its successor, and it comes to rest.

use super::fixture::*;
use crate::api::{ConditionStatus, ManagedResourceRef, MetalStackFirewallDeploymentStatus as Status};
use crate::firewall::decide::decide;
use crate::firewall::observed::{Action, Metal, Named, Observed, Project, reference};
use crate::names;
use crate::reason::{ConditionType, Reason};
use crate::step::{Memory, Step};
use model::metal::Machine;
use model::{Allocation, MachineId, Tags, Timestamp, tags};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What becomes of a write to metal-api.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Refused,
    /// It happened, and the answer is lost.
    DroppedAfter,
    DroppedBefore,
    /// As the last, but it happens ten seconds later.
    Late,
}

#[derive(Clone, Debug)]
enum Event {
    /// A pass that ends after so many steps.
    Pass(Fault, usize),
    Tick(i64),
    /// A whole reading of metal-api.
    Read,
    PhoneHome,
    Die(usize),
    Heal,
    Vanish(usize),
    Edit(u8),
    LoseReference,
    LoseAnnotations,
    LoseStatus,
    Restart,
}

struct World {
    observed: Observed,
    machines: BTreeMap<MachineId, Machine>,
    /// What the last whole reading had, with own writes and direct reads since.
    view: BTreeMap<MachineId, Arc<Machine>>,
    misses: u32,
    /// Since when the named one was dead whenever it was looked at.
    dead: Option<i64>,
    late: Vec<(i64, Machine)>,
    others: BTreeSet<MachineId>,
    /// What CAPMS had allocated and the object names.
    taken_over: Option<MachineId>,
    now: i64,
    count: u32,
    writes: u32,
}

impl World {
    fn new(taken_over: bool, namesake: bool) -> Self {
        let mut observed = observed();
        let mut machines = vec![
            of_engine(900, 1),
            Machine { tags: Tags::new(), ..firewall(901, 1) },
            Machine { tags: capms_tags().with(tags::FIREWALL_DEPLOYMENT_RESOURCE, "shop.pay"), ..firewall(902, 1) },
            Machine {
                tags: firewall(903, 9).tags.with(tags::FIREWALL_DEPLOYMENT_RESOURCE, "shop.pay-fw2"),
                ..firewall(903, 9)
            },
        ];
        if namesake {
            // F2: a deployment of the same name in another management cluster.
            machines.push(super::fixture::namesake(904));
        }
        machines.iter_mut().for_each(|other| other.networks = in_another_network().networks);
        let others = machines.iter().map(|m| m.id.clone()).collect();
        if taken_over {
            observed = observed.names(800);
            machines.push(of_capms(800));
        }
        let machines = machines.into_iter().map(|m| (m.id.clone(), m)).collect();
        let taken_over = taken_over.then(|| id(800));
        let (view, late) = (BTreeMap::new(), Vec::new());
        let mut world = Self {
            observed,
            machines,
            view,
            misses: 0,
            dead: None,
            late,
            others,
            taken_over,
            now: 0,
            count: 0,
            writes: 0,
        };
        world.read();
        world
    }

    fn read(&mut self) {
        self.view = self.machines.iter().map(|(id, m)| (id.clone(), Arc::new(m.clone()))).collect();
        self.misses = if self.is_gone() { self.misses + 1 } else { 0 };
    }

    /// What is named, or noted where the name was lost, is nowhere.
    fn is_gone(&self) -> bool {
        match (self.observed.named(), self.observed.noted()) {
            (Named::Firewall(id), _) => !self.machines.contains_key(&id),
            (_, Some(noted)) => self.machines.values().all(|m| m.allocation.as_str() != noted),
            (_, None) => false,
        }
    }

    fn dead_since(&mut self) -> Option<Timestamp> {
        let named = self.view.values().find(|f| self.observed.is_named(f));
        self.dead = named.filter(|f| !f.alive).map(|_| self.dead.unwrap_or(self.now));
        self.dead.map(at)
    }

    fn tick(&mut self, seconds: i64) {
        self.now += seconds;
        let (done, open) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= self.now);
        self.late = open;
        let done: Vec<(i64, Machine)> = done;
        self.machines.extend(done.into_iter().map(|(_, m)| (m.id.clone(), m)));
    }

    /// Of this deployment, those on their way among them.
    fn own(&self) -> Vec<&Machine> {
        let late = self.late.iter().map(|(_, machine)| machine);
        self.machines.values().chain(late).filter(|m| !self.others.contains(&m.id)).collect()
    }

    /// How many actions it took. `None`: the object is gone.
    fn pass(&mut self, fault: Fault, steps: usize) -> Option<usize> {
        let named_is_gone = self.misses > 1 && self.is_gone();
        let dead_since = self.dead_since();
        self.observed.metal = Metal::Read(Project {
            id: PROJECT.parse().unwrap(),
            firewalls: self.view.values().cloned().collect(),
            named_is_gone,
            dead_since,
            is_outage: false,
            newest_image: None,
            searched: None,
            freed: Vec::new(),
        });
        for taken in 0..steps {
            let decision = decide(&self.observed, at(self.now));
            match decision.step {
                Step::Act(Action::RemoveFinalizer) => return None,
                Step::Act(action) => self.act(action, fault),
                Step::Rest(_) => {
                    if let Some(status) = decision.status {
                        self.observed.object().status = Some(status);
                    }
                    return Some(taken);
                }
            }
            assert!(self.own().len() <= 2, "{:#?}", self.own());
            assert!(taken < 20, "it goes round in circles");
        }
        Some(steps)
    }

    fn act(&mut self, action: Action, fault: Fault) {
        match action {
            Action::AddFinalizer | Action::RemoveFinalizer => panic!("{action:?}"),
            Action::DrawAttempt { project, .. } => {
                self.count += 1;
                let attempt = format!("22222222-0000-4000-8000-{:012x}", self.count);
                self.note(&[(names::ATTEMPT, attempt), (names::PROJECT, project.to_string())]);
                self.note(&[(names::BLOCK_MOVE, String::new())]);
                self.observed.memory.attempt_is_mine = true;
            }
            Action::AwaitAttempt => self.observed.memory.unsettled_since = Some(at(self.now)),
            Action::Search => {
                let tag = self.observed.deployment_tag();
                let named = self.observed.named();
                let is_hit = |m: &&Machine| {
                    m.tags.has(tags::FIREWALL_DEPLOYMENT_RESOURCE, &tag) || named == Named::Firewall(m.id.clone())
                };
                let found: Vec<Arc<Machine>> =
                    self.machines.values().filter(is_hit).map(|m| Arc::new(m.clone())).collect();
                self.view.extend(found.iter().map(|m| (m.id.clone(), Arc::clone(m))));
                let now = at(self.now);
                let project = self.observed.project();
                project.firewalls.retain(|m| !is_hit(&m.as_ref()));
                project.firewalls.extend(found);
                project.searched = Some(now);
            }
            Action::Allocate(blueprint) => self.allocate(*blueprint, fault),
            Action::Name { firewall, baseline } => {
                let name = reference(&firewall.partition, &firewall.id);
                self.observed.object().spec.managed_resource_ref = Some(ManagedResourceRef { name });
                self.note(&[(names::ALLOCATION, firewall.allocation.to_string())]);
                let annotations = self.observed.object().metadata.annotations.get_or_insert_default();
                annotations.remove(names::BLOCK_MOVE);
                match baseline {
                    Some(baseline) => annotations.insert(names::FIREWALL_BASELINE.to_owned(), baseline),
                    None => annotations.remove(names::FIREWALL_BASELINE),
                };
                self.misses = 0;
                self.observed.project().named_is_gone = false;
                let attempt = self.observed.annotation(names::ATTEMPT).map(str::to_owned);
                if attempt.is_some_and(|attempt| firewall.tags.has(tags::ATTEMPT, &attempt)) {
                    self.observed.memory.unsettled_since = None;
                }
                self.observed.memory.succeeded();
            }
            Action::Note(notes) => self.note(&notes),
            Action::Unblock => {
                self.observed.object().metadata.annotations.as_mut().unwrap().remove(names::BLOCK_MOVE).unwrap();
            }
            Action::Free(firewall) => self.free(&firewall, fault),
        }
    }

    fn note<V: ToString>(&mut self, notes: &[(&str, V)]) {
        let annotations = self.observed.object().metadata.annotations.get_or_insert_default();
        annotations.extend(notes.iter().map(|(key, value)| ((*key).to_owned(), value.to_string())));
    }

    fn allocate(&mut self, blueprint: crate::firewall::template::Blueprint, fault: Fault) {
        self.writes += 1;
        self.count += 1;
        let request = blueprint.request;
        let machine = Machine {
            id: id(self.count),
            allocation: Allocation::parse(&format!("allocation-{}", self.count)).unwrap(),
            size: request.size,
            tags: request.tags,
            created: Some(at(self.now)),
            phoned_home: false,
            ..firewall(self.count, 1)
        };
        let memory = &mut self.observed.memory;
        memory.unsettled_since = Some(at(self.now));
        match fault {
            Fault::None => {
                memory.succeeded();
                memory.attempt_is_mine = false;
                let arc = Arc::new(machine.clone());
                self.view.insert(machine.id.clone(), Arc::clone(&arc));
                self.observed.project().firewalls.push(arc);
                self.machines.insert(machine.id.clone(), machine);
                return;
            }
            Fault::Refused => memory.unsettled_since = None,
            Fault::DroppedBefore => {}
            Fault::DroppedAfter => _ = self.machines.insert(machine.id.clone(), machine),
            Fault::Late => self.late.push((self.now + 10, machine)),
        }
        self.fails(fault != Fault::Refused);
        self.observed.project().searched = None;
    }

    fn free(&mut self, firewall: &Arc<Machine>, fault: Fault) {
        self.writes += 1;
        assert!(!self.others.contains(&firewall.id), "{firewall:?} is freed");
        let proof = crate::firewall::act::proof(&self.observed, firewall);
        assert!(
            proof.allocation.is_some() && proof.tags.get(tags::FIREWALL_DEPLOYMENT_RESOURCE) == Some("shop.pay-fw")
        );
        if Some(&firewall.id) == self.taken_over.as_ref() {
            assert!(proof.without.get(tags::MANAGED_BY).is_some());
        } else {
            assert!(proof.tags.get(tags::ATTEMPT).is_some());
        }
        if !matches!(fault, Fault::None | Fault::DroppedAfter) {
            return self.fails(false);
        }
        self.machines.remove(&firewall.id);
        self.view.remove(&firewall.id);
        if fault == Fault::DroppedAfter {
            return self.fails(false);
        }
        self.observed.memory.succeeded();
        let project = self.observed.project();
        project.firewalls.retain(|f| f.id != firewall.id);
        project.freed.push(Arc::clone(firewall));
    }

    fn fails(&mut self, unknown_outcome: bool) {
        let reason = if unknown_outcome { Reason::WaitingForUnknownOutcome } else { Reason::MetalApiBusy };
        self.observed.memory.failed(failure(reason, unknown_outcome), at(self.now), Duration::from_secs(60));
    }

    fn happens(&mut self, event: &Event) {
        let own = |world: &Self, n: usize| {
            let all: Vec<MachineId> = world.machines.keys().filter(|id| !world.others.contains(*id)).cloned().collect();
            (!all.is_empty()).then(|| all[n % all.len()].clone())
        };
        match event {
            Event::Pass(fault, steps) => assert!(self.pass(*fault, *steps).is_some()),
            Event::Tick(seconds) => self.tick(*seconds),
            Event::Read => self.read(),
            Event::PhoneHome => self.machines.values_mut().for_each(|m| m.phoned_home = true),
            Event::Heal => self.machines.values_mut().for_each(|m| m.alive = true),
            Event::Die(n) => {
                if let Some(id) = own(self, *n) {
                    self.machines.get_mut(&id).unwrap().alive = false;
                }
            }
            Event::Vanish(n) => {
                if let Some(id) = own(self, *n) {
                    self.machines.remove(&id);
                }
            }
            Event::Edit(n) => self.observed.wanted().size = format!("size-{n}"),
            // What neither name nor annotation tells of would be `Claimed`, until a person names it.
            Event::LoseReference if self.observed.noted().is_some() && !self.others.contains(&id(904)) => {
                self.observed.object().spec.managed_resource_ref = None;
            }
            Event::LoseReference => {}
            Event::LoseAnnotations
                if self.observed.named() != Named::Nothing
                    && self.own().iter().all(|own| self.observed.is_named(own)) =>
            {
                self.observed.object().metadata.annotations = None;
            }
            Event::LoseAnnotations => {}
            Event::LoseStatus => self.observed.object().status = None,
            Event::Restart => (self.observed.memory, self.dead) = (Memory::default(), None),
        }
    }

    /// Time passes and nothing goes wrong any more, until nothing was done for longer than anything is waited for.
    fn comes_to_rest(&mut self) {
        let mut quiet = 0;
        for _ in 0..100 {
            self.happens(&Event::PhoneHome);
            self.happens(&Event::Heal);
            self.read();
            let before = self.observed.deployment.status.clone();
            let taken = self.pass(Fault::None, usize::MAX).unwrap();
            quiet = if taken == 0 && before == self.observed.deployment.status { quiet + 1 } else { 0 };
            if quiet == 8 {
                return;
            }
            self.tick(600);
        }
        panic!("no rest: {:#?}", self.observed.deployment);
    }

    fn says(&self, of: ConditionType) -> (ConditionStatus, String) {
        let status: &Status = self.observed.deployment.status.as_ref().unwrap();
        let condition = status.conditions.iter().find(|c| c.type_ == of.as_str()).unwrap();
        (condition.status, condition.reason.clone())
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::Refused),
        1 => Just(Fault::DroppedAfter),
        1 => Just(Fault::DroppedBefore),
        1 => Just(Fault::Late),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (fault(), 1usize..9).prop_map(|(fault, steps)| Event::Pass(fault, steps)),
        3 => prop_oneof![Just(1i64), Just(5), Just(40), Just(70), Just(1300), Just(4000)].prop_map(Event::Tick),
        4 => Just(Event::Read),
        3 => Just(Event::PhoneHome),
        1 => (0usize..3).prop_map(Event::Die),
        1 => Just(Event::Heal),
        1 => (0usize..3).prop_map(Event::Vanish),
        2 => (0u8..3).prop_map(Event::Edit),
        1 => Just(Event::LoseReference),
        1 => Just(Event::LoseAnnotations),
        1 => Just(Event::LoseStatus),
        2 => Just(Event::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_there_is_one_in_the_end_and_after_deletion_none(
        taken_over: bool,
        namesake: bool,
        events in proptest::collection::vec(event(), 0..60),
        last in proptest::collection::vec((fault(), 1usize..9), 0..6),
    ) {
        let mut world = World::new(taken_over, namesake && taken_over);
        for event in &events {
            world.happens(event);
        }
        world.comes_to_rest();
        let own: Vec<String> = world.own().iter().map(|m| reference(&m.partition, &m.id)).collect();
        let named = world.observed.deployment.spec.managed_resource_ref.clone().unwrap().name;
        prop_assert_eq!(own, vec![named]);
        let ready = (ConditionStatus::True, "Provisioned".to_owned());
        prop_assert_eq!(world.says(ConditionType::Ready), ready);

        world.observed = world.observed.deleted();
        (world.observed.infrastructure, world.observed.cluster, world.observed.template) = (None, None, None);
        let mut last = last.into_iter();
        let gone = (0..60).any(|_| {
            let (fault, steps) = last.next().unwrap_or((Fault::None, usize::MAX));
            let gone = world.pass(fault, steps).is_none();
            world.tick(70);
            world.read();
            gone
        });
        prop_assert!(gone, "{:#?}", world.observed.deployment);
        prop_assert!(world.own().is_empty());
        prop_assert!(world.others.iter().all(|id| world.machines.contains_key(id)));
    }

    /// Nothing of the world changes: one allocation, however often and wherever the process dies.
    #[test]
    fn one_allocation_whatever_dies(
        passes in proptest::collection::vec((fault(), 1usize..9, any::<bool>(), 0i64..50), 0..20),
    ) {
        let mut world = World::new(false, false);
        for (fault, steps, restart, wait) in passes {
            world.pass(fault, steps);
            if restart {
                world.happens(&Event::Restart);
            }
            world.tick(wait);
            world.read();
            prop_assert!(world.own().len() <= 1);
        }
        world.comes_to_rest();
        prop_assert_eq!(world.own().len(), 1);
    }
}

/// Taken over from CAPMS, and nothing is wrong: nothing is written to metal-api, once or ever after.
#[test]
fn a_take_over_writes_nothing_to_metal_api() {
    let mut world = World::new(true, true);
    world.comes_to_rest();
    assert_eq!(world.writes, 0);
    assert_eq!(world.says(ConditionType::FirewallUpToDate).1, "UpToDate");
}
