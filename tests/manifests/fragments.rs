//! What the generated clusters write. A new field is one more line here; `coverage.rs` says which are missing.

/// Kubernetes versions that the policy offers, one of each minor.
pub(super) const VERSIONS: [&str; 5] = ["1.31.14", "1.32.9", "1.33.6", "1.34.2", "1.35.1"];

/// Flavors, and the first and last of [`VERSIONS`] that they are for.
pub(super) const FLAVORS: [(&str, usize, usize); 4] =
    [("auto", 0, 4), ("pre-v1.33", 0, 1), ("default", 2, 4), ("calico", 2, 4)];

/// In every cluster of a flavor and a version.
pub(super) const COMMON: &str = "
metadata: {labels: {team: payments, example.com/cost-center: '4711'}}
spec:
  network: {apiServerPort: 6443, pods: [10.240.0.0/14], services: [10.244.0.0/20]}
  firewall:
    egress: [{network: internet}]
    rules:
      egress: [{comment: mail, ports: [25], protocol: TCP, to: [203.0.113.0/28]}]
      ingress: [{comment: game, ports: [7777, 7778], protocol: UDP, from: [198.51.100.0/24]},
        {ports: [8443], protocol: TCP, from: [198.51.100.0/24, 203.0.113.0/24]}]
  controlPlane: {replicas: 3, size: c1-large-x86}
  pools: [{name: general, replicas: 2, maxSurge: 2}, {name: batch, replicas: 0, size: c1-large-x86,
         maxUnavailable: 1}]
";

/// A cluster of version 1.34.2 each: its name, and what is merged into the smallest definition. `$network`,
/// `$address` and
/// `$firewall` are what a person made in metal-api.
pub(super) const FRAGMENTS: &[(&str, &str)] = &[
    ("minor", "spec: {kubernetes: {version: '1.34'}}"),
    ("with-v", "spec: {kubernetes: {version: v1.34.2}}"),
    // The longest that fits beside its namespace.
    ("a23456789-123456789-123456789-123456789-123456789-123", "spec: {flavor: calico}"),
    ("evaluation", "spec: {purpose: evaluation}"),
    ("development", "spec: {purpose: development}"),
    ("testing", "spec: {purpose: testing}"),
    ("production", "spec: {purpose: production}"),
    ("stage", "spec: {stage: development}"),
    ("policy-calico", "spec: {policy: frugal, flavor: calico, addons: {metallb: {}}}"),
    ("policy-cilium", "spec: {policy: frugal, network: {cni: {type: cilium}}}"),
    ("target", "spec: {target: {managementCluster: mgmt-b, namespace: payments}}"),
    ("project", "spec: {metal: {project: 00000000-0000-0000-0000-000000000002}}"),
    ("partition", "spec: {metal: {partition: muc-b}}"),
    // Slots.
    ("nodes-length", "spec: {network: {nodes: {mode: allocate, length: 24}}}"),
    ("nodes-adopt", "spec: {network: {nodes: {mode: adopt, id: $network}}}"),
    (
        "nodes-delegate",
        "spec: {flavor: default, network: {nodes: {mode: delegate}}, firewall: {mode: deployment},
         addons: {ccm: {enabled: false}}}",
    ),
    ("vip-allocate", "spec: {vip: {mode: allocate, network: internet, type: static, address: 198.18.3.7}}"),
    ("vip-ephemeral", "spec: {vip: {type: ephemeral}}"),
    ("vip-adopt", "spec: {vip: {mode: adopt, address: $address}}"),
    ("firewall-engine", "spec: {firewall: {mode: engine, size: c1-large-x86, image: firewall-ubuntu-3.0.20251001}}"),
    ("firewall-deployment", "spec: {firewall: {mode: deployment}}"),
    (
        "firewall-external",
        "spec: {network: {nodes: {mode: adopt, id: $firewall_network}}, firewall: {mode: external,
         machineID: $firewall}}",
    ),
    ("firewall-networks", "spec: {firewall: {networks: [internet, mpls-muc-a], egress: [{network: mpls-muc-a}]}}"),
    ("rules-base", "spec: {firewall: {rules: {presets: [base]}}}"),
    (
        "rules-own",
        "spec: {firewall: {rules: {presets: [], egress: [{ports: [443, 53, 123], to: [0.0.0.0/0]},
         {ports: [53, 123], protocol: UDP, to: [0.0.0.0/0]}], ingress: [{ports: [443], from: [0.0.0.0/0]}]}}}",
    ),
    // Machines.
    ("control-plane-image", "spec: {controlPlane: {replicas: 5, image: capms-ubuntu-1.34.2}}"),
    ("pool-image", "spec: {pools: [{name: general, image: capms-ubuntu, replicas: 1000}]}"),
    ("drain", "spec: {controlPlane: {drainTimeout: 15m}, pools: [{name: general, drainTimeout: 1h30m}]}"),
    (
        "health",
        "spec: {controlPlane: {replicas: 3, healthCheck: {nodeStartupTimeout: 50m, unhealthyTimeout: 20m}}, pools:
         [{name: general, replicas: 5, healthCheck: {nodeStartupTimeout: 45m, unhealthyTimeout: 10m,
         maxUnhealthy: 40%}},
         {name: batch, replicas: 3, healthCheck: {maxUnhealthy: 2}}, {name: web, healthCheck: {}}]}",
    ),
    ("autoscaled", "spec: {pools: [{name: general, min: 1, max: 5}, {name: batch, min: 0, max: 1}]}"),
    (
        "node-labels",
        "spec: {pools: [{name: general, labels: {disk: ssd, example.com/tier: 'true'}, taints: [{key: dedicated,
         value:
         batch, effect: NoSchedule}, {key: example.com/slow, effect: PreferNoSchedule}, {key: gone,
         effect: NoExecute}]}]}",
    ),
    // Add-ons.
    ("calico-chart", "spec: {flavor: calico, network: {cni: {type: calico, version: v3.28.4}}}"),
    ("no-cni", "spec: {flavor: calico, network: {cni: {type: none}}}"),
    ("ccm-version", "spec: {flavor: calico, addons: {ccm: {enabled: true, version: v0.9.8}}}"),
    ("no-ccm", "spec: {flavor: calico, addons: {ccm: {enabled: false}}}"),
    ("ccm-network", "spec: {flavor: calico, addons: {ccm: {defaultExternalNetwork: internet}}}"),
    (
        "calico-values",
        "spec: {flavor: calico, network: {cni: {values: {whisker: {enabled: true}, apiServer: {enabled: false}}}}}",
    ),
    ("cilium", "spec: {network: {cni: {type: cilium, version: 1.18.3, values: {hubble: {enabled: true}}}}}"),
    ("metallb-own", "spec: {addons: {metallb: {version: 0.15.2, values: {controller: {logLevel: warn}}}}}"),
    ("metallb-of-the-policy", "spec: {addons: {metallb: {}}}"),
    (
        "extra",
        "spec: {addons: {allowReinstall: true, extra: [{name: metrics, repoURL: 'https://charts.example.com', chart:
         metrics-server, version: 3.12.2, namespace: kube-system, values: {replicas: 2, args: ['--v=2'],
         brace: '{{ .x }}'}},
         {name: web, repoURL: 'oci://registry.example.com/charts', chart: nginx, version: 1.0.0, namespace: web}]}}",
    ),
    (
        "manifests",
        "spec: {addons: {manifests: [{name: base, secretRefs: [registry-login], objects: [{apiVersion: v1,
         kind: Namespace,
         metadata: {name: web}}, {apiVersion: v1, kind: ConfigMap, metadata: {name: site, namespace: web},
         data: {n: 'yes',
         lines: \"a\\nb\\n\"}}]}]}}",
    ),
    // Patches.
    (
        "patched-json",
        "spec: {patches: [{target: {apiVersion: cluster.x-k8s.io/v1beta2, kind: Cluster, name: patched-json}, json:
         [{op: add, path: /metadata/annotations/cost-center, value: '4711'},
         {op: test, path: /metadata/annotations/cost-center, value: '4711'},
         {op: copy, from: /metadata/annotations/cost-center, path: /metadata/annotations/copied},
         {op: move, from: /metadata/annotations/copied, path: /metadata/annotations/moved},
         {op: replace, path: /metadata/annotations/moved, value: 'on'},
         {op: add, path: /metadata/annotations/short, value: x}, {op: remove, path: /metadata/annotations/short}]}]}",
    ),
    (
        "patched-merge",
        "spec: {patches: [{target: {kind: KubeadmControlPlane, name: '*'}, merge: {spec: {rollout: {before:
         {certificatesExpiryDays: 30}}}}}, {target: {kind: MachineDeployment}, merge: {spec: {replicas: 2}},
         force: true},
         {target: {kind: KubeadmConfigTemplate, name: 'patched-merge-*'}, merge: {spec: {template: {spec:
         {preKubeadmCommands: ['echo \"yes\"']}}}}}]}",
    ),
];

/// Clusters that are changed after they were stored: name, before, and what is merged into that. Changes that replace
/// machines or firewalls are refused so far.
pub(super) const CHANGES: &[(&str, &str, &str)] = &[
    ("paused", "spec: {}", "spec: {paused: true}"),
    ("resumed", "spec: {paused: false}", "spec: {controlPlane: {replicas: 5}}"),
    ("cluster-labels", "metadata: {labels: {team: a}}", "metadata: {labels: {team: b, tier: gold}}"),
    (
        "replicas",
        "spec: {controlPlane: {replicas: 1}}",
        "spec: {controlPlane: {replicas: 3}, pools: [{name: general, replicas: 9}]}",
    ),
    ("pool-added", "spec: {}", "spec: {pools: [{name: general}, {name: more, labels: {disk: ssd}}]}"),
    (
        "pool-rollout",
        "spec: {}",
        "spec: {pools: [{name: general, maxSurge: 0, maxUnavailable: 2,
         drainTimeout: 5m}]}",
    ),
    (
        "health-on",
        "spec: {controlPlane: {replicas: 3}}",
        "spec: {controlPlane: {healthCheck: {}}, pools: [{name: general, healthCheck: {}}]}",
    ),
    (
        "health-changed",
        "spec: {pools: [{name: general, healthCheck: {maxUnhealthy: 1}}]}",
        "spec: {pools: [{name: general, healthCheck: {maxUnhealthy: 30%, unhealthyTimeout: 7m}}]}",
    ),
    ("autoscaled-on", "spec: {}", "spec: {pools: [{name: general, min: 1, max: 3}]}"),
    ("drain-changed", "spec: {}", "spec: {controlPlane: {drainTimeout: 1h}}"),
    (
        "calico-upgraded",
        "spec: {flavor: calico}",
        "spec: {network: {cni: {version: v3.28.5, values: {whisker: {enabled: true}}}}}",
    ),
    ("ccm-upgraded", "spec: {flavor: calico}", "spec: {addons: {ccm: {version: v0.9.9}}}"),
    ("metallb-added", "spec: {flavor: calico}", "spec: {addons: {metallb: {}}}"),
    (
        "extra-upgraded",
        "spec: {addons: {extra: [{name: web, repoURL: 'https://charts.example.com', chart: nginx, version: 1.0.0,
      namespace: web}]}}",
        "spec: {addons: {extra: [{name: web, repoURL: 'https://charts.example.com', chart: nginx, version: 1.0.1,
      namespace: web, values: {replicas: 2}}]}}",
    ),
    (
        "manifests-changed",
        "spec: {addons: {manifests: [{name: base, objects: [{apiVersion: v1, kind: Namespace,
      metadata: {name: web}}]}]}}",
        "spec: {addons: {manifests: [{name: base, objects: [{apiVersion: v1, kind: Namespace,
         metadata: {name: site}}]}]}}",
    ),
    (
        "patch-added",
        "spec: {}",
        "spec: {patches: [{target: {kind: MachineDeployment}, merge: {spec: {template: {spec: {deletion:
         {nodeDeletionTimeoutSeconds: 60}}}}}}]}",
    ),
];

/// Values of the schema that no generated cluster writes, and why.
pub(super) const EXCEPTIONS: &[(&str, &str)] = &[
    ("spec.flavor=kamaji", "not built yet"),
    ("spec.flavor=metal3-kamaji", "not built yet"),
    ("spec.flavor=gardener-shoot", "not built yet"),
    ("spec.controlPlane.healthCheck.maxUnhealthy", "refused: Cluster API replaces one control-plane machine at a time"),
    ("spec.firewall.healthTimeout", "the engine's own: nothing of it is rendered"),
    ("spec.rollout.allowReplacement=never", "decides whether a change is rendered, not what"),
    ("spec.rollout.allowReplacement=always", "decides whether a change is rendered, not what"),
    ("spec.deletion.protect", "refuses a confirmation"),
    ("spec.deletion.confirm", "takes prune guards away: tests of engine/render, tests/engine/life"),
    ("spec.deletion.gracePeriod", "the engine's own: nothing of it is rendered"),
    ("spec.vip.mode=delegate", "refused with every flavor there is: kube-vip's manifest needs the address"),
];
