//! What one cluster's manifests are made from, and the shape that all its objects share.

use crate::guards::guards;
use model::definition::{FirewallMode, SlotMode};
use model::lock::Values;
use model::rules::Port;
use model::want::{Effective, Wanted};
use serde_json::{Map, Value, json};

pub(crate) const CLUSTER_NAME_LABEL: &str = "cluster.x-k8s.io/cluster-name";
pub(crate) const PROVIDER_LABEL: &str = "cluster.metal-stack.io/infrastructure-provider";
pub(crate) const PROVIDER: &str = "metal-stack";
pub(crate) const CNI_LABEL: &str = "cluster.metal-stack.io/cni";

pub(crate) const CONTROL_PLANE_GROUP: &str = "controlplane.cluster.x-k8s.io";
pub(crate) const BOOTSTRAP_GROUP: &str = "bootstrap.cluster.x-k8s.io";
pub(crate) const INFRASTRUCTURE_GROUP: &str = "infrastructure.cluster.x-k8s.io";

/// The definition with the lock's values.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) values: &'a Values,
}

impl<'a> Facts<'a> {
    pub(crate) fn effective(&self) -> &'a Effective {
        &self.wanted.effective
    }

    pub(crate) fn name(&self) -> &'a str {
        self.wanted.id.name().as_str()
    }

    /// `<cluster>-<suffix>`.
    pub(crate) fn named(&self, suffix: impl std::fmt::Display) -> String {
        format!("{}-{suffix}", self.name())
    }

    /// The one port of endpoint, bind address, kube-vip and firewall (R21).
    pub(crate) fn port(&self) -> Port {
        self.values.vip.as_ref().map_or(self.effective().api_port.value, |vip| vip.port)
    }

    /// The slots that the engine fills, as the annotation names them (R7); what is delegated is not among them.
    pub(crate) fn engine_slots(&self) -> EngineSlots {
        EngineSlots {
            network: self.effective().nodes.mode.value != SlotMode::Delegate,
            vip: self.effective().vip.mode.value != SlotMode::Delegate,
            firewall: self.effective().firewall.mode.value != FirewallMode::Deployment,
        }
    }

    /// Metadata of an object of this cluster. The guards keep the GitOps tools from pruning it before a confirmed
    /// deletion (design, "Deletion"); the namespace stands on every object, so that no tool may put it elsewhere.
    pub(crate) fn metadata(&self, name: &str, labels: &[(&str, &str)]) -> Value {
        let mut all = Map::new();
        all.insert(CLUSTER_NAME_LABEL.to_owned(), self.name().into());
        all.extend(labels.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
        json!({
            "name": name,
            "namespace": self.wanted.id.namespace(),
            "labels": all,
            "annotations": guards(),
        })
    }
}

/// Which slots are the engine's.
#[derive(Clone, Copy)]
pub(crate) struct EngineSlots {
    pub(crate) network: bool,
    pub(crate) vip: bool,
    pub(crate) firewall: bool,
}

impl EngineSlots {
    /// As the annotation `fleet.metal-stack.io/engine-slots` has them; None when none is the engine's.
    pub(crate) fn annotation(self) -> Option<String> {
        let Self { network, vip, firewall } = self;
        let named = [(network, "network"), (vip, "vip"), (firewall, "firewall")];
        let slots: Vec<_> = named.into_iter().filter(|(ours, _)| *ours).map(|(_, slot)| slot).collect();
        (!slots.is_empty()).then(|| slots.join(","))
    }
}

/// One object.
pub(crate) fn object(api_version: &str, kind: &str, metadata: Value, spec: Value) -> Value {
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    object.insert("metadata".to_owned(), metadata);
    object.insert("spec".to_owned(), spec);
    Value::Object(object)
}

/// A reference as contract v1beta2 has it: without version and namespace.
pub(crate) fn reference(group: &str, kind: &str, name: &str) -> Value {
    json!({"apiGroup": group, "kind": kind, "name": name})
}
