//! R1: what would replace a machine or a firewall stays as the last engine commit has it, object by object, until the
//! inputs of that object change.

use crate::kinds::{CONTROL_PLANE, INFRASTRUCTURE, Objects, POOLS, Pool, TEMPLATES, name_of};
use model::Digest;
use model::want::machine_affecting;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Files with machine-affecting objects.
pub(crate) const FILES: [&str; 4] = [CONTROL_PLANE, INFRASTRUCTURE, POOLS, TEMPLATES];

/// Where owners name their templates.
pub(crate) const CONTROL_PLANE_TEMPLATE: &str = "/spec/machineTemplate/spec/infrastructureRef/name";
pub(crate) const POOL_TEMPLATE: &str = "/spec/template/spec/infrastructureRef/name";
pub(crate) const POOL_BOOTSTRAP: &str = "/spec/template/spec/bootstrap/configRef/name";

/// The digests of the inputs of each object, as recorded and as they are now.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) recorded: &'a BTreeMap<String, Digest>,
    pub(crate) now: &'a BTreeMap<String, Digest>,
}

impl Inputs<'_> {
    /// Whether nobody changed what feeds this object. What was never recorded was never rendered.
    fn unchanged(&self, key: &str) -> bool {
        self.recorded.get(key).is_some_and(|recorded| self.now.get(key) == Some(recorded))
    }

    pub(crate) fn any_unchanged(&self) -> bool {
        self.recorded.keys().any(|key| self.unchanged(key))
    }
}

/// The objects of the last engine commit, by kind and name.
#[derive(Default)]
pub(crate) struct Committed(BTreeMap<(String, String), Value>);

impl Committed {
    /// A file that cannot be read as YAML holds nothing that could be kept.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let documents = serde_yaml::Deserializer::from_slice(bytes).map_while(|d| Value::deserialize(d).ok());
        for document in documents {
            let kind = document["kind"].as_str().unwrap_or_default().to_owned();
            self.0.insert((kind, name_of(&document).to_owned()), document);
        }
    }

    fn get(&self, kind: &str, name: &str) -> Option<&Value> {
        self.0.get(&(kind.to_owned(), name.to_owned()))
    }

    /// The committed form of an object.
    fn of(&self, object: &Value) -> Option<&Value> {
        self.get(object["kind"].as_str()?, name_of(object))
    }
}

/// Puts back what must not change. Says which objects are other than this binary would render them, as `Kind/name`.
pub(crate) fn keep(objects: &mut Objects, inputs: Inputs<'_>, committed: &Committed) -> Vec<String> {
    let mut keeper = Keeper { committed, outdated: Vec::new() };
    if inputs.unchanged("clusterNetwork") {
        keeper.keep(&mut objects.cluster);
    }
    if inputs.unchanged("firewall") && !keeper.is_new_firewall(&objects.firewall_deployment) {
        keeper.keep(&mut objects.firewall_template);
    }
    if inputs.unchanged("controlPlane") {
        keeper.control_plane(objects);
    }
    for pool in &mut objects.pools {
        if inputs.unchanged(&format!("pool.{}", pool.name)) {
            keeper.pool(pool);
        }
    }
    keeper.outdated
}

struct Keeper<'a> {
    committed: &'a Committed,
    outdated: Vec<String>,
}

impl Keeper<'_> {
    /// R5: a firewall of another generation was made by this binary's template; its predecessor's says nothing of it.
    fn is_new_firewall(&self, deployment: &Value) -> bool {
        const REF: &str = "/spec/managedResourceRef";
        self.committed.of(deployment).is_some_and(|old| old.pointer(REF) != deployment.pointer(REF))
    }

    fn control_plane(&mut self, objects: &mut Objects) {
        let Objects { control_plane, control_plane_template, .. } = objects;
        let named = names(control_plane, CONTROL_PLANE_TEMPLATE, control_plane_template);
        self.keep(control_plane);
        self.template(control_plane_template, control_plane, named);
    }

    fn pool(&mut self, pool: &mut Pool) {
        let Pool { name: _, deployment, machines, bootstrap, health: _ } = pool;
        let named = names(deployment, POOL_TEMPLATE, machines);
        let bootstrap_named = names(deployment, POOL_BOOTSTRAP, bootstrap);
        self.keep(deployment);
        self.template(machines, deployment, named);
        self.template(bootstrap, deployment, bootstrap_named);
    }

    /// The committed values at the places that replace machines, absent where they were absent.
    fn keep(&mut self, object: &mut Value) {
        let Some(old) = self.committed.of(object) else { return };
        let places = machine_affecting(object["kind"].as_str().unwrap_or_default());
        let mut changed = false;
        for place in places {
            changed |= graft(old, object, place);
        }
        self.note(changed, object);
    }

    /// The template that its owner names, under that name. Where the commit does not have it, this binary's content
    /// stands under the old name: the name alone is what replaces machines.
    fn template(&mut self, template: &mut Value, owner: &Value, place: Option<&str>) {
        let Some(name) = place.and_then(|place| owner.pointer(place)).and_then(Value::as_str) else { return };
        let mut changed = name != name_of(template);
        template["metadata"]["name"] = name.into();
        if let Some(old) = self.committed.of(template) {
            changed |= graft(old, template, "/spec");
        }
        self.note(changed, template);
    }

    fn note(&mut self, changed: bool, object: &Value) {
        if changed {
            self.outdated.push(format!("{}/{}", object["kind"].as_str().unwrap_or_default(), name_of(object)));
        }
    }
}

/// The place at which an owner names this template. A patch may have made it name another one, which is not ours.
fn names(owner: &Value, place: &'static str, template: &Value) -> Option<&'static str> {
    (owner.pointer(place)? == name_of(template)).then_some(place)
}

/// Makes the value at a place what it is in `from`; whether that was a change.
fn graft(from: &Value, to: &mut Value, place: &str) -> bool {
    let Some((parent, key)) = place.rsplit_once('/') else { return false };
    let Some(parent) = to.pointer_mut(parent).and_then(Value::as_object_mut) else { return false };
    let old = from.pointer(place);
    if old == parent.get(key) {
        return false;
    }
    match old {
        Some(old) => parent.insert(key.to_owned(), old.clone()),
        None => parent.shift_remove(key),
    };
    true
}
