//! A small world: one object, the machines of two projects, a clock, and a process that fails as it is told. The rules
//! of the door are not in it: a free that should not be is seen.

use super::fixture::*;
use crate::Reason;
use crate::api::MetalStackMachine;
use crate::machine::Action;
use crate::machine::decide::decide;
use crate::machine::observed::{Bootstrap, Named, Observed, Reach, Room, Search, Sibling};
use crate::names;
use crate::step::{Failure, Memory, Rest, Step, passed};
use model::metal::{Machine, MachineRequest, MachineState, UserData};
use model::{Allocation, MachineId, ProjectId, Tags, Timestamp, tags};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// What goes wrong at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Nothing,
    /// The process ends before the step, or right after it.
    CrashBefore,
    CrashAfter,
    /// The call is refused.
    Refused,
    /// No answer; what was asked for happens so many seconds later, or never.
    Silent(Option<u8>),
}

pub(super) struct World {
    pub object: Option<Arc<MetalStackMachine>>,
    pub with_cluster: bool,
    pub siblings: Vec<Sibling>,
    pub machines: BTreeMap<MachineId, Machine>,
    /// Them as of the last bulk reading, and when that was; a process begins with a new one.
    view: BTreeMap<MachineId, Machine>,
    read_at: Option<Timestamp>,
    /// Calls that will still have an effect.
    late: Vec<(Timestamp, MachineRequest)>,
    pub faults: VecDeque<Fault>,
    pub now: Timestamp,
    pub memory: Memory,
    /// Machines that were given out, and those that were asked to be freed.
    pub allocated: Vec<MachineId>,
    pub freed: Vec<Machine>,
    pub writes: usize,
    /// The projects that the namespace may use.
    pub allowed: Vec<ProjectId>,
}

impl World {
    pub(super) fn new(object: Arc<MetalStackMachine>) -> Self {
        Self {
            object: Some(object),
            with_cluster: true,
            siblings: Vec::new(),
            machines: BTreeMap::new(),
            view: BTreeMap::new(),
            read_at: None,
            late: Vec::new(),
            faults: VecDeque::new(),
            now: at(0),
            memory: Memory::default(),
            allocated: Vec::new(),
            freed: Vec::new(),
            writes: 0,
            allowed: vec![project()],
        }
    }

    pub(super) fn delete(&mut self) {
        if let Some(object) = &mut self.object {
            let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(self.now);
            Arc::make_mut(object).metadata.deletion_timestamp = Some(time);
        }
        self.drop_if_free();
    }

    /// Passes until the object is gone or nothing changes any more. How it rests.
    pub(super) fn settle(&mut self) -> Option<Rest> {
        let mut quiet = 0;
        for _ in 0..400 {
            self.object.as_ref()?;
            let (writes, late) = (self.writes, self.late.len());
            let rest = self.pass();
            self.object.as_ref()?;
            let wait = match rest {
                Some(Rest::After(wait)) => wait,
                Some(Rest::Soon) => Duration::from_secs(5),
                Some(Rest::Interval | Rest::Change) => Duration::from_secs(60),
                None => Duration::from_secs(1),
            };
            self.now = self.now.checked_add(wait.max(Duration::from_millis(100))).unwrap();
            self.complete_late();
            let is_quiet =
                self.writes == writes && self.late.len() == late && matches!(rest, Some(Rest::Interval | Rest::Change));
            quiet = if is_quiet { quiet + 1 } else { 0 };
            if quiet == 2 {
                return rest;
            }
        }
        panic!("it does not come to rest: {:?}", self.object);
    }

    /// What is still under way comes to its end.
    pub(super) fn later(&mut self) {
        self.now = self.now.checked_add(SETTLE).unwrap();
        self.complete_late();
    }

    /// So many passes, a second apart.
    pub(super) fn passes(&mut self, many: usize) {
        for _ in 0..many {
            self.pass();
            self.now = self.now.checked_add(Duration::from_secs(1)).unwrap();
            self.complete_late();
        }
    }

    /// `None`: the process ended in it.
    fn pass(&mut self) -> Option<Rest> {
        let mut o = self.gather();
        for _ in 0..32 {
            let decision = decide(&o, self.now);
            let action = match decision.step {
                Step::Rest(rest) => {
                    if let Some(status) = decision.status.filter(|status| o.object.status.as_ref() != Some(status)) {
                        self.write(&mut o, |object| object.status = Some(status));
                    }
                    self.memory = o.memory;
                    return Some(rest);
                }
                Step::Act(action) => action,
            };
            let fault = self.faults.pop_front().unwrap_or(Fault::Nothing);
            if fault != Fault::CrashBefore {
                self.act(&mut o, action, fault);
            }
            if matches!(fault, Fault::CrashBefore | Fault::CrashAfter) {
                (self.memory, self.read_at) = (Memory::default(), None);
                return None;
            }
            if self.object.is_none() {
                return Some(Rest::Change);
            }
        }
        panic!("a pass without an end: {:?}", decide(&o, self.now).step);
    }

    fn gather(&mut self) -> Observed {
        if self.read_at.is_none_or(|read_at| passed(read_at, self.now, Duration::from_secs(60))) {
            (self.view, self.read_at) = (self.machines.clone(), Some(self.now));
        }
        let mut o = ready();
        o.object = Arc::clone(self.object.as_ref().unwrap());
        o.memory = self.memory.clone();
        o.siblings = self.siblings.clone();
        if !self.with_cluster {
            (o.owner, o.cluster, o.infrastructure) = (None, None, None);
        }
        let projects = match o.project() {
            Some(project) => vec![project],
            None if o.is_deleted() && o.may_have_machine() => self.allowed.clone(),
            None => Vec::new(),
        };
        o.rooms = projects.into_iter().map(|project| self.room(&o, project)).collect();
        o
    }

    fn room(&self, o: &Observed, project: ProjectId) -> Room {
        let mut room = room(Named::Nothing);
        room.reach = if self.allowed.contains(&project) {
            let id = o.provider_id().and_then(crate::control::server);
            let here = id.as_ref().and_then(|id| self.view.get(id)).filter(|machine| machine.project == project);
            let named = match (id, here) {
                (_, Some(machine)) => Named::Here(Arc::new(machine.clone())),
                (Some(_), None) => Named::MissingTwice,
                (None, None) => Named::Nothing,
            };
            let mine = |m: &&Machine| m.project == project && o.own_tag(m).is_some();
            Reach::Open { named, mine: self.view.values().filter(mine).cloned().map(Arc::new).collect() }
        } else {
            Reach::Closed(failure(Reason::ProjectNotAllowed))
        };
        room.project = project;
        room
    }

    fn act(&mut self, o: &mut Observed, action: Action, fault: Fault) {
        let now = self.now;
        let refused = |memory: &mut Memory, unknown_outcome| {
            let failure = Failure { unknown_outcome, ..failure(Reason::MetalApiBusy) };
            memory.failed(failure, now, Duration::from_secs(60));
        };
        match action {
            Action::AddFinalizer => self.write(o, |object| {
                object.metadata.finalizers = Some(vec![names::MACHINE_FINALIZER.to_owned()]);
            }),
            Action::RemoveFinalizer => self.write(o, |object| object.metadata.finalizers = None),
            Action::Begin { project, credentials } => {
                let attempt = format!("00000000-0000-4000-9000-{:012x}", self.writes);
                self.annotate(
                    o,
                    &[
                        (names::ATTEMPT, Some(&attempt)),
                        (names::PROJECT, Some(project.as_str())),
                        (names::CREDENTIALS, credentials.as_deref()),
                        (names::BLOCK_MOVE, Some("")),
                    ],
                );
                o.memory.attempt_is_mine = true;
            }
            Action::NoteAttempt => o.memory.unsettled_since = Some(now),
            Action::ReadBootstrap(_) => o.bootstrap = Some(Bootstrap::Data(UserData::new(b"{}".to_vec()))),
            Action::Search { project, control_planes } => {
                if fault == Fault::Refused {
                    return refused(&mut o.memory, false);
                }
                let is = |m: &&Machine, key, value: &str| m.project == project && m.tags.get(key) == Some(value);
                let arc = |m: &Machine| Arc::new(m.clone());
                let searches = o.searches();
                let has = |m: &Machine, tags: &Tags| tags.iter().all(|(key, value)| m.tags.has(key, value));
                let of = |m: &&Machine| searches.iter().any(|tags| has(m, tags));
                let mine = self.machines.values().filter(|m| m.project == project).filter(of).map(arc);
                let planes =
                    self.machines.values().filter(|m| is(m, tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE)).map(arc);
                let control_planes = if control_planes { planes.collect() } else { Vec::new() };
                o.rooms.iter_mut().find(|r| r.project == project).unwrap().searched =
                    Some(Search { at: now, mine: mine.collect(), control_planes });
            }
            Action::Look { project, id } => {
                if fault == Fault::Refused {
                    return refused(&mut o.memory, false);
                }
                let found = self.machines.get(&id).filter(|m| m.project == project).cloned().map(Arc::new);
                self.news(&id);
                o.memory.succeeded();
                o.rooms.iter_mut().find(|r| r.project == project).unwrap().looked.insert(id, found);
            }
            Action::Allocate(request) => {
                assert_eq!(request.tags.get(tags::ATTEMPT), o.attempt());
                o.memory.attempt_is_mine = true;
                match fault {
                    Fault::Refused => {
                        o.memory.unsettled_since = None;
                        refused(&mut o.memory, false);
                    }
                    Fault::Silent(after) => {
                        if let Some(after) = after {
                            let due = now.checked_add(Duration::from_secs(after.into())).unwrap();
                            self.late.push((due, *request));
                            self.complete_late();
                        }
                        refused(&mut o.memory, true);
                    }
                    _ => {
                        let machine = self.give(&request);
                        self.news(&machine.id);
                        o.memory.unsettled_since = Some(now);
                        o.rooms[0].allocated = Some(Arc::new(machine));
                    }
                }
                o.rooms[0].searched = None;
            }
            Action::Persist { provider_id, allocation, project } => {
                self.annotate(
                    o,
                    &[
                        (names::PROJECT, Some(project.as_str())),
                        (names::ALLOCATION, Some(allocation.as_str())),
                        (names::BLOCK_MOVE, None),
                    ],
                );
                self.write(o, |object| object.spec.provider_id = Some(provider_id));
                o.memory.unsettled_since = None;
                o.memory.succeeded();
            }
            Action::Note { project, credentials, allocation } => {
                self.annotate(
                    o,
                    &[
                        (names::PROJECT, Some(project.as_str())),
                        (names::CREDENTIALS, credentials.as_deref()),
                        (names::BLOCK_MOVE, None),
                    ],
                );
                if let Some(allocation) = allocation {
                    self.annotate(o, &[(names::ALLOCATION, Some(allocation.as_str()))]);
                }
            }
            Action::Unblock => self.annotate(o, &[(names::BLOCK_MOVE, None)]),
            Action::Label(labels) if fault == Fault::Refused => {
                assert!(!labels.is_empty());
                o.labels_refused = true;
            }
            Action::Label(labels) => self.write(o, |object| {
                let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value));
                object.metadata.labels.get_or_insert_default().extend(labels);
            }),
            Action::Free { project, id, allocation, .. } => {
                if matches!(fault, Fault::Refused | Fault::Silent(None)) {
                    return refused(&mut o.memory, false);
                }
                if let Some(machine) = self.machines.remove(&id) {
                    assert_eq!((&machine.project, &machine.allocation), (&project, &allocation));
                    assert_ne!(machine.state, MachineState::Locked);
                    self.freed.push(machine);
                }
                if matches!(fault, Fault::Silent(Some(_))) {
                    return refused(&mut o.memory, false);
                }
                self.news(&id);
                o.memory.succeeded();
                o.rooms.iter_mut().find(|r| r.project == project).unwrap().looked.insert(id, None);
            }
        }
    }

    fn give(&mut self, request: &MachineRequest) -> Machine {
        let n = 1000 + u32::try_from(self.allocated.len()).unwrap();
        let machine = Machine {
            project: request.project.clone(),
            allocation: Allocation::parse(&format!("given-{n}")).unwrap(),
            hostname: request.hostname.clone(),
            tags: request.tags.clone(),
            ..server(n)
        };
        self.allocated.push(machine.id.clone());
        self.machines.insert(machine.id.clone(), machine.clone());
        machine
    }

    /// What is written or read directly is put into the view.
    fn news(&mut self, id: &MachineId) {
        match self.machines.get(id) {
            Some(machine) => self.view.insert(id.clone(), machine.clone()),
            None => self.view.remove(id),
        };
    }

    fn complete_late(&mut self) {
        let now = self.now;
        for (_, request) in self.late.extract_if(.., |(due, _)| *due <= now).collect::<Vec<_>>() {
            self.give(&request);
        }
    }

    fn annotate(&mut self, o: &mut Observed, all: &[(&str, Option<&str>)]) {
        self.write(o, |object| {
            let annotations = object.metadata.annotations.get_or_insert_default();
            for (key, value) in all {
                match value {
                    Some(value) => annotations.insert((*key).to_owned(), (*value).to_owned()),
                    None => annotations.remove(*key),
                };
            }
        });
    }

    fn write(&mut self, o: &mut Observed, change: impl FnOnce(&mut MetalStackMachine)) {
        change(Arc::make_mut(&mut o.object));
        self.writes += 1;
        self.object = Some(Arc::clone(&o.object));
        self.drop_if_free();
    }

    /// As the API server: a deleted object without finalizers is gone.
    fn drop_if_free(&mut self) {
        let gone = |object: &Arc<MetalStackMachine>| {
            object.metadata.deletion_timestamp.is_some()
                && object.metadata.finalizers.as_ref().is_none_or(|finalizers| finalizers.is_empty())
        };
        if self.object.as_ref().is_some_and(gone) {
            self.object = None;
        }
    }

    pub(super) fn ours(&self) -> Vec<&MachineId> {
        self.allocated.iter().filter(|id| self.machines.contains_key(*id)).collect()
    }
}

/// Before anything was done.
pub(super) fn fresh() -> Arc<MetalStackMachine> {
    let mut o = ready();
    change(&mut o, |object| {
        object.metadata.finalizers = None;
        object.metadata.annotations = None;
    });
    o.object
}
