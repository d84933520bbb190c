//! Whether the invariants hold: looks at every commit of the branch and every change in metal-api, and keeps its own
//! books. Shares no code with the planner.

use super::facts::{Facts, Files, Id, Memo, Named, is_engines};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A decision that was made before somebody changed their mind may still be carried out.
const GRACE_SECONDS: u64 = 60;

const FLEET: &str = "example";

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Of the design, as `I1`.
    pub invariant: &'static str,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

fn violated<T>(invariant: &'static str, what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { invariant, what: what.into() })
}

/// A resource of metal-api.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// `network`, `ip`, `firewall`, `machine`.
    pub kind: String,
    pub id: String,
    pub allocation: String,
    /// `key=value`.
    pub tags: Vec<String>,
}

impl Thing {
    fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find_map(|tag| tag.strip_prefix(key)?.strip_prefix('='))
    }

    /// Whether the engine of this fleet allocated it.
    fn is_ours(&self) -> bool {
        self.tag("fleet.metal-stack.io/managed-by") == Some("engine")
            && self.tag("fleet.metal-stack.io/fleet") == Some(FLEET)
    }

    /// The cluster that its tags name.
    pub(super) fn cluster(&self) -> Option<&str> {
        self.tag("metal-stack.infrastructure.cluster.x-k8s.io/cluster-resource")
            .or_else(|| self.tag("cluster.metal-stack.io/id/egress"))
            .or_else(|| self.tag("cluster.metal-stack.io/id"))
    }

    /// As locks name it: generations of a firewall are one slot.
    fn slot(&self) -> Option<&str> {
        let slot = self.tag("fleet.metal-stack.io/slot")?;
        Some(if slot.starts_with("firewall.") { "firewall" } else { slot })
    }

    fn generation(&self) -> u32 {
        let slot = self.tag("fleet.metal-stack.io/slot").unwrap_or_default();
        slot.strip_prefix("firewall.").and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    fn is(&self, named: &Named) -> bool {
        self.id == named.value && self.allocation == named.allocation
    }
}

/// When a definition left the branch or came back.
#[derive(Clone, Copy, Debug, Default)]
struct Leaving {
    is_defined: bool,
    /// Its last words were `deletion.confirm`, and a lock said that this was seen.
    is_deletable: bool,
    /// Whether it was before it came back, and when that was.
    was_deletable: bool,
    changed: u64,
}

/// What replaces machines when it changes, by object and part.
type Machines = BTreeMap<String, String>;

/// The books.
#[derive(Debug, Default)]
pub struct Checker {
    memo: Memo,
    /// Files of people, as they pushed them.
    people: BTreeMap<String, Id>,
    facts: Facts,
    leaving: BTreeMap<String, Leaving>,
    /// What is in metal-api.
    things: BTreeMap<(String, String), Thing>,
    /// What somebody took away behind everybody's back.
    taken: Vec<Thing>,
    /// What a lock at the branch named last, by cluster and slot.
    committed: BTreeMap<(String, String), Named>,
    /// Some process died: what it allocated and nobody committed may be an orphan.
    had_deaths: bool,
    /// Of each output the inputs that the engine wrote it from last, and the machines that it may say: as the engine
    /// wrote them, and as people's reverts left them.
    machines: BTreeMap<String, (String, Vec<Machines>)>,
}

impl Checker {
    /// People's own commit: what it says is what they want.
    pub fn people_pushed(&mut self, files: &Files, seconds: u64) {
        self.people = people(files);
        let facts = Facts::of(files, &mut self.memo);
        let known: BTreeSet<String> = self.leaving.keys().chain(facts.definitions.keys()).cloned().collect();
        for cluster in known {
            let (before, is_defined) = (self.facts.definitions.get(&cluster), facts.definitions.contains_key(&cluster));
            let was_seen = self.facts.locks.get(&cluster).is_some_and(|locks| locks.iter().any(|l| l.is_confirmed));
            let last_words = before.is_some_and(|all| all.iter().all(|d| d.is_confirmed));
            let leaving = self.leaving.entry(cluster).or_default();
            if leaving.is_defined != is_defined {
                leaving.was_deletable = leaving.is_deletable;
                leaving.is_deletable = !is_defined && last_words && was_seen;
                leaving.changed = seconds;
            }
            leaving.is_defined = is_defined;
        }
        for (cluster, (_, known)) in &mut self.machines {
            known.extend(facts.outputs.get(cluster).map(|output| output.machines.clone()));
        }
        self.facts = facts;
    }

    /// An engine's commit, and whether it descends from what the branch was.
    pub fn engine_pushed(&mut self, files: &Files, descends: bool) -> Result<(), Violation> {
        if !descends {
            return violated("I3", "an engine rewrote the branch");
        }
        self.human_bytes(files)?;
        let facts = Facts::of(files, &mut self.memo);
        self.one_of_each(&facts)?;
        for (cluster, locks) in &facts.locks {
            for (slot, named) in locks.iter().flat_map(|lock| &lock.named) {
                self.sticky(cluster, slot, named)?;
            }
        }
        self.two_steps(&facts)?;
        self.no_surprise(&facts)?;
        for (cluster, locks) in &facts.locks {
            for (slot, named) in locks.iter().flat_map(|lock| &lock.named) {
                self.committed.insert((cluster.clone(), slot.clone()), named.clone());
            }
        }
        self.facts = facts;
        Ok(())
    }

    fn human_bytes(&self, files: &Files) -> Result<(), Violation> {
        let now = people(files);
        let paths: BTreeSet<&String> = now.keys().chain(self.people.keys()).collect();
        match paths.into_iter().find(|path| now.get(*path) != self.people.get(*path)) {
            Some(path) => violated("I3", format!("an engine changed people's {path}")),
            None => Ok(()),
        }
    }

    /// I1: no value of two clusters, and the output names what the lock names.
    fn one_of_each(&self, facts: &Facts) -> Result<(), Violation> {
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        for (cluster, locks) in &facts.locks {
            for named in locks.iter().flat_map(|lock| lock.named.values()) {
                if let Some(other) = owners.insert(&named.value, cluster).filter(|other| other != cluster) {
                    return violated("I1", format!("{} is named by the locks of {cluster} and {other}", named.value));
                }
            }
            let Some(output) = facts.outputs.get(cluster) else { continue };
            let slots = [("network", &output.network), ("vip", &output.vip), ("firewall", &output.firewall)];
            for (slot, written) in slots {
                let locked: Vec<_> = locks.iter().filter_map(|l| l.named.get(slot).map(|n| &n.value)).collect();
                // R5: the output may go on naming the firewall of before.
                let before = self.facts.outputs.get(cluster).and_then(|o| o.firewall.as_ref());
                let is_old = slot == "firewall" && written.as_ref() == before;
                let names = written.as_ref().filter(|w| !locked.is_empty() && !locked.contains(w));
                if let Some(written) = names.filter(|_| !is_old) {
                    return violated("I1", format!("{slot} of {cluster}: output {written}, lock {locked:?}"));
                }
            }
        }
        Ok(())
    }

    /// I5 and I12: what was committed stays while it is there, and what is committed first is ours or adopted.
    fn sticky(&self, cluster: &str, slot: &str, named: &Named) -> Result<(), Violation> {
        let before = self.committed.get(&(cluster.to_owned(), slot.to_owned()));
        if before == Some(named) {
            return Ok(());
        }
        if let Some(before) = before.filter(|_| slot != "firewall") {
            let is_there = self.things.values().any(|thing| thing.is(before));
            let was_taken = self.taken.iter().any(|thing| thing.is(before));
            if is_there || was_taken {
                let (old, new) = (&before.value, &named.value);
                return violated("I5", format!("{slot} of {cluster} changed from {old} to {new}"));
            }
        }
        // It may have vanished since its allocation was answered.
        let mut known = self.things.values().chain(&self.taken);
        let Some(thing) = known.find(|thing| thing.is(named)) else {
            return violated("I1", format!("{slot} of {cluster} is {}, which is not there", named.value));
        };
        let is_own = thing.is_ours() && thing.cluster() == Some(cluster) && thing.slot() == Some(slot);
        if !is_own && !named.is_adopted {
            return violated("I12", format!("{slot} of {cluster} is {}, which is somebody else's", named.value));
        }
        Ok(())
    }

    /// I9: nothing of a cluster leaves the branch without a confirmation and a removal.
    fn two_steps(&self, facts: &Facts) -> Result<(), Violation> {
        let lost = self.facts.locks.keys().find(|c| !facts.locks.contains_key(*c) && !self.is_deletable(c));
        if let Some(cluster) = lost {
            return violated("I9", format!("the lock of {cluster} is gone, whose deletion nobody confirmed"));
        }
        let lost = self.facts.outputs.keys().find(|c| !facts.outputs.contains_key(*c) && !self.is_deletable(c));
        match lost {
            Some(cluster) => violated("I9", format!("the output of {cluster} is gone, and nobody confirmed that")),
            None => Ok(()),
        }
    }

    /// I11: machines change only when people changed what they are made from.
    fn no_surprise(&mut self, facts: &Facts) -> Result<(), Violation> {
        for (cluster, output) in &facts.outputs {
            let Some([definition]) = facts.definitions.get(cluster).map(Vec::as_slice) else { continue };
            let now = &output.machines;
            let differs = |was: &Machines| {
                let other = |(part, was): &(&String, &String)| now.get(*part).is_some_and(|is| is != *was);
                was.iter().find(other).map(|(part, _)| part.clone())
            };
            let same = self.machines.get(cluster).filter(|(inputs, _)| *inputs == definition.inputs);
            if let Some((_, known)) = same {
                if let (true, Some(part)) =
                    (known.iter().all(|was| differs(was).is_some()), known.first().and_then(differs))
                {
                    return violated("I11", format!("{part} of {cluster} changed, and nobody asked for that"));
                }
                // A reverted cluster may go on later with what the revert took away.
                if known.contains(now) {
                    continue;
                }
            }
            self.machines.insert(cluster.clone(), (definition.inputs.clone(), vec![now.clone()]));
        }
        self.machines.retain(|cluster, _| facts.outputs.contains_key(cluster));
        Ok(())
    }

    /// A process died, with whatever it was at.
    pub fn died(&mut self) {
        self.had_deaths = true;
    }

    /// Something is in metal-api now.
    pub fn found(&mut self, thing: Thing) {
        self.things.insert((thing.kind.clone(), thing.id.clone()), thing);
    }

    /// Somebody took it away, and nobody is to blame.
    pub fn taken(&mut self, kind: &str, id: &str) {
        self.taken.extend(self.things.remove(&(kind.to_owned(), id.to_owned())));
    }

    /// An engine freed it. `phoned_home` is which firewalls work.
    pub fn freed(&mut self, kind: &str, id: &str, seconds: u64, phoned_home: &[String]) -> Result<(), Violation> {
        let Some(thing) = self.things.remove(&(kind.to_owned(), id.to_owned())) else { return Ok(()) };
        let (Some(cluster), Some(slot)) = (thing.cluster().filter(|_| thing.is_ours()), thing.slot()) else {
            return violated("I12", format!("{kind} {id} was freed, which is not ours"));
        };
        let leaving = self.leaving.get(cluster).copied().unwrap_or_default();
        let is_late = seconds.saturating_sub(leaving.changed) <= GRACE_SECONDS;
        if self.is_deletable(cluster) || (leaving.was_deletable && is_late) {
            return Ok(());
        }
        let locks = self.facts.locks.get(cluster).map(Vec::as_slice).unwrap_or_default();
        let named: Vec<&Named> = locks.iter().filter_map(|lock| lock.named.get(slot)).collect();
        if slot == "firewall" {
            let serves = named.iter().any(|named| thing.is(named));
            let heir = |other: &&Thing| {
                let is_younger = other.generation() > thing.generation() && other.cluster() == Some(cluster);
                // One that vanished a moment ago was there when it was decided.
                let works = phoned_home.contains(&other.id) || self.taken.contains(other);
                is_younger && other.kind == "firewall" && works
            };
            return match serves && !self.things.values().chain(&self.taken).any(|other| heir(&other)) {
                true => violated("I9", format!("firewall {id} of {cluster} was freed while it served")),
                false => Ok(()),
            };
        }
        let was_committed = self.committed.iter().any(|((of, _), named)| of == cluster && thing.is(named));
        if was_committed {
            return violated("I9", format!("{slot} {id} of {cluster} was freed, and nobody confirmed its deletion"));
        }
        let is_gone = !leaving.is_defined && locks.is_empty();
        if named.is_empty() && !is_gone && !is_late {
            return violated("I1", format!("{slot} {id} of {cluster} was freed before a lock named another one"));
        }
        Ok(())
    }

    fn is_deletable(&self, cluster: &str) -> bool {
        self.leaving.get(cluster).is_some_and(|leaving| leaving.is_deletable)
    }

    /// All is quiet: nothing is left over, and what can be complete is. `excused` are clusters that wait for a person.
    pub fn quiet(&mut self, files: &Files, things: &[Thing], excused: &BTreeSet<String>) -> Result<(), Violation> {
        let facts = Facts::of(files, &mut self.memo);
        let foreign = self.things.values().filter(|thing| !thing.is_ours());
        if let Some(lost) = foreign.clone().find(|thing| !things.contains(thing)) {
            return violated("I12", format!("{} {} is gone or changed, which is not ours", lost.kind, lost.id));
        }
        let owned = things.iter().filter_map(|thing| thing.cluster().filter(|_| thing.is_ours()));
        let clusters: BTreeSet<&str> = owned.chain(facts.locks.keys().map(String::as_str)).collect();
        for cluster in clusters {
            self.nothing_over(cluster, &facts, things, excused)?;
        }
        for (cluster, definitions) in &facts.definitions {
            let is_asked = !definitions.iter().any(|d| d.is_paused) && definitions.len() == 1;
            if is_asked && !excused.contains(cluster) {
                complete(cluster, &facts)?;
            }
        }
        Ok(())
    }

    fn nothing_over(
        &self,
        cluster: &str,
        facts: &Facts,
        things: &[Thing],
        excused: &BTreeSet<String>,
    ) -> Result<(), Violation> {
        let own: Vec<&Thing> = things.iter().filter(|t| t.is_ours() && t.cluster() == Some(cluster)).collect();
        let Some(locks) = facts.locks.get(cluster) else {
            let kept = facts.tombstones.get(cluster).cloned().unwrap_or_default();
            let leaked = own.iter().find(|thing| !kept.values().any(|named| thing.is(named)));
            // Reported, never freed: no lock ever said whose it is, and nobody who knows lives.
            let was_committed = self.committed.keys().any(|(of, _)| of == cluster);
            let is_orphan = self.had_deaths && !was_committed && !facts.definitions.contains_key(cluster);
            return match leaked.filter(|_| !excused.contains(cluster) && !is_orphan) {
                Some(thing) => violated("I2", format!("{} {} of {cluster} was never freed", thing.kind, thing.id)),
                None => Ok(()),
            };
        };
        if self.is_deletable(cluster) && !excused.contains(cluster) {
            return violated("I2", format!("the deletion of {cluster} never ended"));
        }
        for thing in &own {
            let slot = thing.slot().unwrap_or_default();
            let named: Vec<&Named> = locks.iter().filter_map(|lock| lock.named.get(slot)).collect();
            let is_successor = locks.iter().any(|lock| lock.successor.as_deref() == Some(&thing.id));
            if !named.iter().any(|named| thing.is(named)) && !is_successor && !excused.contains(cluster) {
                return violated("I1", format!("{} {} of {cluster} is there besides {named:?}", thing.kind, thing.id));
            }
        }
        for (slot, named) in locks.iter().flat_map(|lock| &lock.named) {
            let is_there = things.iter().any(|thing| thing.is(named));
            let is_said = locks.iter().any(|lock| lock.problems.iter().any(|p| p.ends_with("Lost")));
            // A firewall is replaced where somebody wants the cluster and can be understood (R4).
            let is_wanted = facts.definitions.get(cluster).is_some_and(|all| all.iter().all(|d| !d.is_paused));
            let is_left = slot == "firewall" && (!is_wanted || excused.contains(cluster));
            if !is_there && !is_said && !is_left {
                return violated(
                    "I5",
                    format!("{slot} {} of {cluster} is gone, and no condition says so", named.value),
                );
            }
        }
        Ok(())
    }
}

fn people(files: &Files) -> BTreeMap<String, Id> {
    files.iter().filter(|(path, _)| !is_engines(path)).map(|(path, id)| (path.clone(), *id)).collect()
}

/// I6: whatever else is broken, this one has all it needs.
fn complete(cluster: &str, facts: &Facts) -> Result<(), Violation> {
    let locks = facts.locks.get(cluster).map(Vec::as_slice).unwrap_or_default();
    let missing =
        ["network", "vip", "firewall"].into_iter().find(|slot| !locks.iter().any(|l| l.named.contains_key(*slot)));
    if let Some(slot) = missing {
        return violated("I6", format!("{cluster} has no {slot}"));
    }
    match facts.outputs.get(cluster) {
        Some(output) if output.machines.is_empty() => violated("I6", format!("{cluster} has no machines")),
        Some(_) => Ok(()),
        None => violated("I6", format!("{cluster} has no output")),
    }
}
