//! What a change of output does to machines: what Cluster API and the provider will make of it. Pure, from the objects
//! of the last engine commit and the new ones; what is kept (R1) is the same in both.

mod fields;

use crate::keep::{CONTROL_PLANE_TEMPLATE, POOL_BOOTSTRAP, POOL_TEMPLATE};
use crate::kinds::name_of;
use crate::kinds::pools::MAX_SIZE;
use fields::differing;
use model::want::machine_affecting;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One object whose change matters to machines, against the last engine commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Impact {
    /// As `KubeadmControlPlane/shop-control-plane`, `MachineDeployment/shop-worker`, `Firewall/shop`.
    pub object: String,
    pub effect: Effect,
    /// Machines before and after; absent where only the management cluster knows (autoscaled pools), and where there
    /// are none (other objects).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u32>,
    /// Machines that are replaced: at most `before`, or the most that an autoscaled pool may have.
    pub replaced: u32,
    /// Machines that the rollout takes beside those that are there (R22); 0 when none is replaced.
    #[serde(skip_serializing_if = "is_zero")]
    pub surge: u32,
    /// Fields that differ, as JSON pointers, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    Create,
    Keep,
    /// Changes, and no machine is replaced. Fewer machines `after` than `before` are freed.
    InPlace,
    /// Its machines are replaced one after the other.
    Replace,
    Remove,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

const CLUSTER: &str = "Cluster";
const CONTROL_PLANE: &str = "KubeadmControlPlane";
const POOL: &str = "MachineDeployment";
const FIREWALL: &str = "MetalStackFirewallDeployment";
const FIREWALL_TEMPLATE: &str = "MetalStackFirewallTemplate";
/// What makes the engine's firewall the one that serves (R5).
const FIREWALL_REF: &str = "/spec/managedResourceRef";
/// Renamed with their content: what names them says what becomes of it.
const TEMPLATES: [&str; 2] = ["MetalStackMachineTemplate", "KubeadmConfigTemplate"];

/// The Cluster, the control plane, each pool and the firewall, in this order, kept ones too; then whatever else
/// changes.
/// Empty when there is nothing before and after.
pub(crate) fn impacts<'a>(
    before: impl IntoIterator<Item = &'a Value>,
    after: impl IntoIterator<Item = &'a Value>,
) -> Vec<Impact> {
    let change = Change { before: index(before), after: index(after) };
    let mut impacts = change.all(CLUSTER, other);
    impacts.extend(change.all(CONTROL_PLANE, owner));
    impacts.extend(change.all(POOL, owner));
    impacts.extend(change.names(FIREWALL).map(|name| change.firewall(name)));
    impacts.extend(change.others());
    impacts
}

/// By kind and name.
type Index<'a> = BTreeMap<(&'a str, &'a str), &'a Value>;

fn index<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Index<'a> {
    objects.into_iter().map(|object| ((object["kind"].as_str().unwrap_or_default(), name_of(object)), object)).collect()
}

struct Change<'a> {
    before: Index<'a>,
    after: Index<'a>,
}

/// An object before and after.
type Sides<'a> = (Option<&'a Value>, Option<&'a Value>);

impl<'a> Change<'a> {
    fn sides(&self, kind: &'a str, name: &'a str) -> Sides<'a> {
        (self.before.get(&(kind, name)).copied(), self.after.get(&(kind, name)).copied())
    }

    /// Every object, once.
    fn keys(&self) -> BTreeSet<(&'a str, &'a str)> {
        self.before.keys().chain(self.after.keys()).copied().collect()
    }

    fn names(&self, kind: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let names: Vec<_> = self.keys().into_iter().filter(|(of, _)| *of == kind).map(|(_, name)| name).collect();
        names.into_iter()
    }

    fn all(&self, kind: &'static str, judge: fn(&str, &str, Sides<'_>) -> Impact) -> Vec<Impact> {
        self.names(kind).map(|name| judge(kind, name, self.sides(kind, name))).collect()
    }

    /// Both of its objects as one.
    fn firewall(&self, name: &'a str) -> Impact {
        let deployment = self.sides(FIREWALL, name);
        let template = self.sides(FIREWALL_TEMPLATE, name);
        let mut impact = other("Firewall", name, deployment);
        impact.before = Some(u32::from(deployment.0.is_some()));
        impact.after = Some(u32::from(deployment.1.is_some()));
        if let (Some(old), Some(new)) = deployment {
            impact.fields.extend(differing(template.0.unwrap_or(&Value::Null), template.1.unwrap_or(&Value::Null)));
            impact.fields.sort();
            impact.fields.dedup();
            let is_new = old.pointer(FIREWALL_REF) != new.pointer(FIREWALL_REF);
            impact.replaced = u32::from(is_new || replaces(FIREWALL_TEMPLATE, template));
            impact.effect = effect(&impact.fields, impact.replaced);
            impact.surge = impact.replaced;
        }
        impact
    }

    /// What is neither of these, where it changes.
    fn others(&self) -> Vec<Impact> {
        let named = self.named_by_changed_owners();
        let mut impacts = Vec::new();
        for (kind, name) in self.keys() {
            let is_of_firewall = || [&self.before, &self.after].iter().any(|side| side.contains_key(&(FIREWALL, name)));
            if [CLUSTER, CONTROL_PLANE, POOL, FIREWALL].contains(&kind) || kind == FIREWALL_TEMPLATE && is_of_firewall()
            {
                continue;
            }
            let impact = other(kind, name, self.sides(kind, name));
            let is_told = match impact.effect {
                Effect::Keep => true,
                Effect::Create | Effect::Remove => TEMPLATES.contains(&kind) && named.contains(name),
                Effect::InPlace | Effect::Replace => false,
            };
            if !is_told {
                impacts.push(impact);
            }
        }
        impacts
    }

    /// Templates that an object which changes names, or named.
    fn named_by_changed_owners(&self) -> BTreeSet<&'a str> {
        let owners = [(CONTROL_PLANE, &[CONTROL_PLANE_TEMPLATE][..]), (POOL, &[POOL_TEMPLATE, POOL_BOOTSTRAP][..])];
        let mut named = BTreeSet::new();
        for (kind, places) in owners {
            for name in self.names(kind) {
                let (before, after) = self.sides(kind, name);
                if before == after {
                    continue;
                }
                let owners = before.into_iter().chain(after);
                let names = owners.flat_map(|owner| places.iter().filter_map(|place| owner.pointer(place)));
                named.extend(names.filter_map(Value::as_str));
            }
        }
        named
    }
}

/// An object without machines of its own.
fn other(kind: &str, name: &str, sides: Sides<'_>) -> Impact {
    let (effect, fields) = match sides {
        (None, None) => (Effect::Keep, Vec::new()),
        (None, Some(_)) => (Effect::Create, Vec::new()),
        (Some(_), None) => (Effect::Remove, Vec::new()),
        (Some(old), Some(new)) => {
            let fields = differing(old, new);
            (effect(&fields, 0), fields)
        }
    };
    Impact { object: format!("{kind}/{name}"), effect, before: None, after: None, replaced: 0, surge: 0, fields }
}

/// A control plane or a pool.
fn owner(kind: &str, name: &str, sides: Sides<'_>) -> Impact {
    let mut impact = other(kind, name, sides);
    impact.before = sides.0.map_or(Some(0), machines);
    impact.after = sides.1.map_or(Some(0), machines);
    if let (Some(old), Some(new)) = sides
        && replaces(kind, sides)
    {
        // Those that go because there are to be fewer are freed, and none comes for them.
        impact.replaced = most(old).min(most(new));
        impact.effect = effect(&impact.fields, impact.replaced);
        impact.surge = if impact.replaced > 0 { surge(new) } else { 0 };
    }
    impact
}

fn effect(fields: &[String], replaced: u32) -> Effect {
    match (fields.is_empty(), replaced) {
        (true, _) => Effect::Keep,
        (false, 0) => Effect::InPlace,
        (false, _) => Effect::Replace,
    }
}

/// Whether an object that stays differs where that replaces machines.
fn replaces(kind: &str, sides: Sides<'_>) -> bool {
    let (Some(old), Some(new)) = sides else { return false };
    machine_affecting(kind).iter().any(|place| old.pointer(place) != new.pointer(place))
}

/// None where the cluster autoscaler decides (R23).
fn machines(owner: &Value) -> Option<u32> {
    owner.pointer("/spec/replicas").and_then(Value::as_u64).and_then(|replicas| u32::try_from(replicas).ok())
}

fn most(owner: &Value) -> u32 {
    let bound = || owner["metadata"]["annotations"][MAX_SIZE].as_str().and_then(|max| max.parse().ok());
    machines(owner).or_else(bound).unwrap_or_default()
}

/// A number, or a share of the machines, rounded up as Cluster API does; 1 where nothing is said.
fn surge(owner: &Value) -> u32 {
    let said = owner.pointer("/spec/rollout/strategy/rollingUpdate/maxSurge");
    let share = |said: &Value| said.as_str()?.strip_suffix('%')?.parse::<u64>().ok();
    let number = match said {
        None => 1,
        Some(said) => {
            said.as_u64().or_else(|| share(said).map(|s| (s * u64::from(most(owner))).div_ceil(100))).unwrap_or(1)
        }
    };
    u32::try_from(number).unwrap_or(u32::MAX)
}
