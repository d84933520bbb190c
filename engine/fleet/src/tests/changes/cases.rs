//! One change of each field.

/// A change, and what is expected where the table alone does not say it.
pub(super) struct Case {
    pub(super) field: &'static str,
    /// JSON pointer and value (empty: removed), before the cluster is resolved.
    pub(super) before: &'static [(&'static str, &'static str)],
    pub(super) change: &'static [(&'static str, &'static str)],
    /// Where an immutable field is told, when not at the field itself.
    pub(super) told_at: Option<&'static str>,
    /// Rules, of fields that depend on what they imply.
    pub(super) never: &'static [&'static str],
    pub(super) always: &'static [&'static str],
}

impl Case {
    pub(super) fn is_identity(&self) -> bool {
        ["metadata.name", "spec.target.", "spec.metal."].iter().any(|start| self.field.starts_with(start))
    }

    const fn before(self, before: &'static [(&'static str, &'static str)]) -> Self {
        Self { before, ..self }
    }

    const fn at(self, field: &'static str) -> Self {
        Self { told_at: Some(field), ..self }
    }

    const fn rules(self, never: &'static [&'static str], always: &'static [&'static str]) -> Self {
        Self { never, always, ..self }
    }
}

const fn one(field: &'static str, change: &'static [(&'static str, &'static str)]) -> Case {
    Case { field, before: &[], change, told_at: None, never: &[], always: &[] }
}

const REINSTALLED: &[&str] = &["addon-replaced"];

pub(super) const CASES: &[Case] = &[
    one("metadata.name", &[("/metadata/name", "\"other\"")]),
    one("metadata.labels", &[("/metadata/labels/team", "\"other\"")]),
    one("spec.flavor", &[("/spec/flavor", "\"default\"")]).rules(&["addon-removed"], &["addon-removed"]),
    one("spec.flavor", &[("/spec/flavor", "\"auto\"")]),
    one("spec.purpose", &[("/spec/purpose", "\"testing\"")]),
    one("spec.stage", &[("/spec/stage", "\"other\"")]).rules(&["identity-changed"], &["identity-changed"]),
    one("spec.stage", &[("/spec/stage", "\"development\"")]),
    one("spec.policy", &[("/spec/policy", "\"other\"")]).rules(&["machines-changed"], &[]),
    one("spec.target.managementCluster", &[("/spec/target/managementCluster", "\"mgmt-other\"")]),
    one("spec.target.namespace", &[("/spec/target/namespace", "\"other\"")]),
    one("spec.metal.project", &[("/spec/metal", r#"{"project": "00000000-0000-0000-0000-000000000002"}"#)]),
    one("spec.metal.partition", &[("/spec/metal", r#"{"partition": "muc-b"}"#)]),
    one("spec.kubernetes.version", &[("/spec/kubernetes/version", "\"1.34\"")]),
    one("spec.network.nodes.mode", &[("/spec/network/nodes", r#"{"mode": "adopt", "id": "mine"}"#)])
        .at("spec.network.nodes.id"),
    one("spec.network.nodes.id", &[("/spec/network/nodes", r#"{"mode": "adopt", "id": "other"}"#)]),
    one("spec.network.nodes.length", &[("/spec/network/nodes/length", "21")]),
    one("spec.network.pods", &[("/spec/network/pods", r#"["10.244.0.0/14"]"#)])
        .before(&[("/spec/network/services", "")]),
    one("spec.network.services", &[("/spec/network/services", r#"["10.248.0.0/18"]"#)])
        .before(&[("/spec/network/pods", "")]),
    one("spec.network.services", &[("/spec/network/services", r#"["10.248.0.0/18"]"#)]).at("spec.network"),
    one("spec.network.apiServerPort", &[("/spec/network/apiServerPort", "6443")]),
    one("spec.network.cni.type", &[("/spec/network/cni", r#"{"type": "none"}"#)])
        .rules(&["addon-removed", "no-cni"], &["addon-removed", "no-cni"]),
    one("spec.network.cni.version", &[("/spec/network/cni/version", "\"v3.29.0\"")]),
    one("spec.network.cni.values", &[("/spec/network/cni/values/installation/variant", "\"Other\"")]),
    one("spec.vip.mode", &[("/spec/vip/mode", "\"adopt\""), ("/spec/vip/address", "\"198.18.0.200\"")])
        .at("spec.vip.address"),
    one("spec.vip.network", &[("/spec/vip/network", "\"mpls-muc-a\"")]),
    one("spec.vip.type", &[("/spec/vip/type", "\"ephemeral\"")]),
    one("spec.vip.address", &[("/spec/vip/address", "\"198.18.0.200\"")]),
    one("spec.firewall.mode", &[("/spec/firewall/mode", "\"deployment\"")]).before(&[("/spec/firewall/egress", "")]),
    one("spec.firewall.machineID", &[("/spec/firewall/machineID", "\"00000000-0000-4000-8000-00000000000b\"")]).before(
        &[
            (
                "/spec/firewall",
                r#"{"mode": "external", "machineID": "00000000-0000-4000-8000-00000000000a", "networks": ["internet", "mpls-muc-a"]}"#,
            ),
        ],
    ),
    one("spec.firewall.size", &[("/spec/firewall/size", "\"c1-large-x86\"")]),
    one("spec.firewall.image", &[("/spec/firewall/image", "\"firewall-ubuntu-3.0.20251001\"")]),
    one("spec.firewall.networks", &[("/spec/firewall/networks", r#"["internet"]"#)]),
    one("spec.firewall.rules.presets", &[("/spec/firewall/rules/presets", "[]")]).before(&[(
        "/spec/firewall/rules/egress/",
        r#"{"ports": [53, 80, 123, 443], "protocol": "TCP", "to": ["0.0.0.0/0"]}"#,
    ), (
        "/spec/firewall/rules/egress/",
        r#"{"ports": [53, 123], "protocol": "UDP", "to": ["0.0.0.0/0"]}"#,
    ), (
        "/spec/firewall/rules/ingress/",
        r#"{"ports": [443], "protocol": "TCP", "from": ["0.0.0.0/0"]}"#,
    )]),
    one("spec.firewall.rules.egress", &[("/spec/firewall/rules/egress/0/ports", "[9443]")]),
    one("spec.firewall.rules.ingress", &[("/spec/firewall/rules/ingress/0/from", r#"["192.0.2.0/25"]"#)]),
    one("spec.firewall.egress[].network", &[("/spec/firewall/egress/", r#"{"network": "mpls-muc-a"}"#)]),
    one("spec.firewall.healthTimeout", &[("/spec/firewall/healthTimeout", "\"30m\"")]),
    one("spec.controlPlane.replicas", &[("/spec/controlPlane/replicas", "5")]),
    one("spec.controlPlane.size", &[("/spec/controlPlane/size", "\"c1-large-x86\"")]),
    // The very same one by its id.
    one("spec.controlPlane.image", &[("/spec/controlPlane/image", "\"other-ubuntu\"")]),
    one("spec.controlPlane.drainTimeout", &[("/spec/controlPlane/drainTimeout", "\"20m\"")]),
    one(
        "spec.controlPlane.healthCheck.nodeStartupTimeout",
        &[("/spec/controlPlane/healthCheck/nodeStartupTimeout", "\"50m\"")],
    ),
    one(
        "spec.controlPlane.healthCheck.unhealthyTimeout",
        &[("/spec/controlPlane/healthCheck/unhealthyTimeout", "\"20m\"")],
    ),
    one("spec.pools[].name", &[("/spec/pools/0/name", "\"other\"")]).rules(&["pool-removed"], &["pool-removed"]),
    one("spec.pools[].replicas", &[("/spec/pools/0/replicas", "0")]),
    one("spec.pools[].min", &[("/spec/pools/1/min", "2")]),
    one("spec.pools[].max", &[("/spec/pools/1/max", "4")]),
    one(
        "spec.pools[].max",
        &[("/spec/pools/0/replicas", ""), ("/spec/pools/0/min", "1"), ("/spec/pools/0/max", "4")],
    ),
    one("spec.pools[].size", &[("/spec/pools/0/size", "\"c1-large-x86\"")]),
    one("spec.pools[].image", &[("/spec/pools/0/image", "\"other-ubuntu\"")]),
    one("spec.pools[].maxSurge", &[("/spec/pools/0/maxSurge", "2")]),
    one("spec.pools[].maxUnavailable", &[("/spec/pools/0/maxUnavailable", "1")]),
    one("spec.pools[].labels", &[("/spec/pools/0/labels/a", "\"c\"")]),
    one("spec.pools[].taints", &[("/spec/pools/0/taints/0/effect", "\"NoExecute\"")]),
    one("spec.pools[].drainTimeout", &[("/spec/pools/0/drainTimeout", "\"3m\"")]),
    one(
        "spec.pools[].healthCheck.nodeStartupTimeout",
        &[("/spec/pools/0/healthCheck/nodeStartupTimeout", "\"50m\"")],
    ),
    one("spec.pools[].healthCheck.unhealthyTimeout", &[("/spec/pools/0/healthCheck/unhealthyTimeout", "\"20m\"")]),
    one("spec.pools[].healthCheck.maxUnhealthy", &[("/spec/pools/0/healthCheck/maxUnhealthy", "1")]),
    one("spec.addons.ccm.enabled", &[("/spec/addons/ccm", r#"{"enabled": false}"#)])
        .rules(&["addon-removed", "no-ccm"], &["addon-removed", "no-ccm"]),
    one("spec.addons.ccm.version", &[("/spec/addons/ccm/version", "\"v0.9.8\"")]),
    one("spec.addons.ccm.defaultExternalNetwork", &[("/spec/addons/ccm/defaultExternalNetwork", "\"mpls-muc-a\"")]),
    one("spec.addons.metallb.version", &[("/spec/addons/metallb/version", "\"0.15.3\"")]),
    one("spec.addons.metallb.values", &[("/spec/addons/metallb/values/a", "2")]),
    one("spec.addons.extra[].name", &[("/spec/addons/extra/0/name", "\"other\"")])
        .rules(&["addon-removed"], &["addon-removed"]),
    one("spec.addons.extra[].repoURL", &[("/spec/addons/extra/0/repoURL", "\"https://charts.example.com\"")])
        .rules(REINSTALLED, REINSTALLED),
    one("spec.addons.extra[].chart", &[("/spec/addons/extra/0/chart", "\"other\"")]).rules(REINSTALLED, REINSTALLED),
    one("spec.addons.extra[].version", &[("/spec/addons/extra/0/version", "\"v1.19.2\"")]),
    one("spec.addons.extra[].namespace", &[("/spec/addons/extra/0/namespace", "\"other\"")])
        .rules(REINSTALLED, REINSTALLED),
    one("spec.addons.extra[].values", &[("/spec/addons/extra/0/values/a", "2")]),
    one("spec.addons.manifests", &[("/spec/addons/manifests/0/secretRefs", r#"["b"]"#)]),
    one("spec.addons.allowReinstall", &[("/spec/addons/allowReinstall", "true")]),
    one("spec.rollout.allowReplacement", &[("/spec/rollout/allowReplacement", "\"always\"")]),
    one("spec.rollout.allowReplacement", &[("/spec/rollout/allowReplacement", "\"never\"")]),
    one("spec.deletion.protect", &[("/spec/deletion", r#"{"protect": true}"#)]),
    one("spec.deletion.confirm", &[("/spec/deletion", r#"{"confirm": "full"}"#)]),
    one("spec.deletion.gracePeriod", &[("/spec/deletion", r#"{"gracePeriod": "24h"}"#)]),
    one(
        "spec.patches",
        &[("/spec/patches", r#"[{"target": {"kind": "Cluster"}, "merge": {"metadata": {"labels": {"a": "b"}}}}]"#)],
    ),
    one(
        "spec.patches",
        &[(
            "/spec/patches",
            r#"[{"target": {"kind": "KubeadmControlPlane"}, "merge": {"spec": {"kubeadmConfigSpec": {"format": "ignition"}}}}]"#,
        )],
    )
    .rules(&["machines-changed"], &[]),
    one("spec.paused", &[("/spec/paused", "true")]),
];
