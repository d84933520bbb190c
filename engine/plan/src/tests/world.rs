//! One cluster whose lock is complete, metal-api as it should be, and readings as time goes by.

use super::samples::*;
use crate::{Plan, Question, Said, Setting, Unknown, Watch, plan, settle};
use model::lock::Values;
use model::metal::Machine;
use model::request::{Done, Outcome};
use model::want::firewall_inputs;
use model::{ClusterId, ClusterLock, Digest, Have, Reason, SizeId, Slot, Want, tags};
use std::sync::Arc;
use std::time::Duration;

pub(super) const SHOP: &str = "default.shop";
pub(super) const INTERVAL: Duration = Duration::from_secs(300);

pub(super) struct World {
    pub(super) want: Want,
    pub(super) have: Have,
    pub(super) said: Said,
    pub(super) watch: Watch,
    pub(super) now: i64,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(&[SHOP])
    }

    /// Several clusters, so that one that loses something does not look like another metal-api.
    pub(super) fn with(ids: &[&str]) -> Self {
        let mut world =
            Self { want: want(ids), have: have(), said: Said::default(), watch: Watch::default(), now: 100_000 };
        for (n, id) in ids.iter().enumerate() {
            let mut values = values(&format!("n{n}"), &format!("198.18.0.{n}"), u32::try_from(n).unwrap());
            values.firewall.as_mut().unwrap().inputs = Some(world.inputs());
            stock(&mut world.have, id, &values);
            lock(&mut world.want, id, values);
        }
        world.at(world.now);
        let locks = settle(&world.want, &world.plan(), &Done::default());
        for (id, lock) in locks {
            world.want.clusters.get_mut(&id).unwrap().lock = Some(Arc::new(lock));
        }
        world
    }

    pub(super) fn at(&mut self, now: i64) {
        self.now = now;
        self.have.server_time = Some(time(now));
        self.have.read_at = Some(time(now));
    }

    pub(super) fn id() -> ClusterId {
        SHOP.parse().unwrap()
    }

    pub(super) fn inputs(&self) -> Digest {
        firewall_inputs(&self.want.clusters[&Self::id()].effective)
    }

    pub(super) fn lock(&self) -> &ClusterLock {
        self.want.clusters[&Self::id()].lock.as_ref().unwrap()
    }

    pub(super) fn values(&mut self) -> &mut Values {
        let wanted = self.want.clusters.get_mut(&Self::id()).unwrap();
        &mut Arc::make_mut(wanted.lock.as_mut().unwrap()).values
    }

    /// A person wants another size.
    pub(super) fn resize(&mut self, size: &str) {
        change(&mut self.want, SHOP, |effective| {
            let size = SizeId::parse(size).unwrap();
            effective.firewall.size = model::want::Setting::new(size, model::want::Origin::Definition);
        });
    }

    /// A firewall of ours that was made from what is wanted now.
    pub(super) fn add(&mut self, n: u32, generation: u32, age: i64) -> &mut Machine {
        let mut machine = firewall(n, SHOP, generation, self.now - age);
        machine.tags = machine.tags.with(tags::INPUTS, self.inputs());
        let firewalls = &mut project(&mut self.have).firewalls;
        firewalls.push(machine);
        firewalls.last_mut().unwrap()
    }

    /// The firewall that `values` names.
    pub(super) fn first(&mut self) -> &mut Machine {
        project(&mut self.have).firewalls.iter_mut().find(|f| f.id == machine_id(0)).unwrap()
    }

    pub(super) fn lose_first(&mut self) {
        project(&mut self.have).firewalls.retain(|f| f.id != machine_id(0));
    }

    pub(super) fn lose_vip(&mut self) {
        project(&mut self.have).ips.retain(|ip| ip.address.to_string() != "198.18.0.0");
    }

    /// A reading some time later; returns what is asked.
    pub(super) fn read_after(&mut self, seconds: i64) -> Vec<Question> {
        self.at(self.now + seconds);
        self.watch.see(&self.want, &self.have, INTERVAL)
    }

    /// Two readings and the finds that find nothing.
    pub(super) fn conclude(&mut self) {
        for _ in 0..2 {
            for question in self.read_after(300) {
                self.watch.asked(&question, false);
            }
        }
    }

    pub(super) fn plan(&self) -> Plan {
        let (attempt, unknown) = (attempt(), Unknown::default());
        let setting = unknown.setting(&attempt, time(self.now));
        plan(&self.want, &self.have, &Setting { watch: &self.watch, said: &self.said, ..setting })
    }

    pub(super) fn actions(&self) -> Vec<String> {
        super::actions(&self.plan(), SHOP)
    }

    /// What happens to the firewall's slot.
    pub(super) fn firewall(&self) -> Vec<String> {
        self.actions().into_iter().filter(|action| action.contains("firewall")).collect()
    }

    pub(super) fn notes(&self) -> Vec<Reason> {
        self.plan().clusters[&Self::id()].notes.iter().map(|note| note.reason).collect()
    }

    /// What is freed, as `slot id: why`.
    pub(super) fn frees(&self) -> Vec<String> {
        let plan = self.plan();
        plan.frees.iter().map(|free| format!("{} {}: {}", free.slot, short(&free.target), free.why)).collect()
    }

    pub(super) fn settled(&self, outcomes: Vec<(Slot, Outcome)>) -> ClusterLock {
        let mut done = Done::default();
        done.slots.insert(Self::id(), outcomes);
        settle(&self.want, &self.plan(), &done).remove(&Self::id()).unwrap()
    }

    /// The lock lands.
    pub(super) fn land(&mut self, outcomes: Vec<(Slot, Outcome)>) {
        let lock = self.settled(outcomes);
        self.want.clusters.get_mut(&Self::id()).unwrap().lock = Some(Arc::new(lock));
    }
}

/// The number of a firewall of `samples`.
pub(super) fn short(target: &model::request::Target) -> String {
    target.to_string().trim_start_matches("00000000-0000-4000-8000-").trim_start_matches('0').to_owned()
}
