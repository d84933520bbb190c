//! What a change of output does to machines: what Cluster API will make of it.

use serde::Serialize;

/// One object whose change matters to machines, against the last engine commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Impact {
    /// As `KubeadmControlPlane/shop-control-plane`, `MachineDeployment/shop-worker`, `Firewall/shop`.
    pub object: String,
    pub effect: Effect,
    /// Machines before and after; absent where only the management cluster knows (autoscaled pools).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u32>,
    /// Machines that are replaced, at most `before`.
    pub replaced: u32,
    /// Fields that differ, as JSON pointers, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    Create,
    Keep,
    /// Changes, and no machine is replaced.
    InPlace,
    /// Its machines are replaced one after the other.
    Replace,
    Remove,
}
