//! Overlays and patches.

use super::Case;
use crate::tests::kit::{BILLING, Edit, SHOP, overlay};

const OVERLAY: &str = "overlays/common.yaml";

pub(super) const CASES: &[Case] = &[
    ("misnamed-document", |t| t.put("overlays/common.yml", "")),
    // The selector can be read: only billing is stopped.
    ("overlay-stops-clusters", |t| {
        t.put(OVERLAY, &overlay("common", "selector: {matchLabels: {team: payments}}\n  definitions: {}"));
    }),
    // Nobody knows whom it is for.
    ("overlay-stops-clusters", |t| t.put(OVERLAY, "kind: Overlay\nspec: {selector: [\n")),
    // Out of use, and still to be mended.
    ("unknown-field", |t| t.put(OVERLAY, &overlay("common", "disabled: true\n  patch: []"))),
    ("overlay-selects-nothing", |t| {
        t.put(OVERLAY, &overlay("common", "selector: {matchLabels: {team: payment}}"));
    }),
    ("duplicate-name", |t| {
        t.put(OVERLAY, &overlay("common", "selector: {matchLabels: {team: payments}}"));
        t.put("overlays/second.yaml", &overlay("common", "disabled: true"));
    }),
    ("selector", |t| {
        let selector = "
    matchLabels: {\"a b\": c, team: \"-\"}
    matchExpressions:
      - {key: team, operator: In}
      - {key: team, operator: Exists, values: [a]}
      - {key: \"/x\", operator: NotIn, values: [\"a b\"]}";
        t.put(OVERLAY, &overlay("common", &format!("selector:{selector}")));
    }),
    // A wrong value of an overlay is said of the overlay, once for each cluster that it stops.
    ("even-control-plane", |t| {
        t.put(
            OVERLAY,
            &overlay("common", "definition: {controlPlane: {replicas: 2}, firewall: {networks: [mpls-muc-a]}}"),
        );
    }),
    // What two clusters may not share is said of the overlay, too.
    ("same-resource", |t| {
        let given = "selector: {matchLabels: {fleet.metal-stack.io/stage: development}}\n  definition: {vip: {mode: adopt, address: 198.18.0.9}}";
        t.put(OVERLAY, &overlay("common", given));
    }),
    ("invalid-value", |t| {
        let definition = "{controlPlane: {drainTimeout: 5, healthCheck: {maxUnhealthy: 101%}}, addons: {manifests: [{name: a, secretRefs: [A]}]}}";
        t.put(OVERLAY, &overlay("common", &format!("definition: {definition}")));
    }),
    ("patch", |t| {
        let patches = "
    - {target: {kind: MachineDeployment}}
    - {target: {kind: Namespace}, merge: {metadata: {labels: {a: b}}}, json: []}
    - {target: {kind: machines, apiVersion: cluster.x-k8s.io, name: \"\"}, json: []}
    - {target: {kind: Cluster}, merge: {}}";
        t.put(OVERLAY, &overlay("common", &format!("patches:{patches}")));
        let patches = "  patches:
    - target: {kind: Cluster, apiVersion: cluster.x-k8s.io/v1beta2}
      json:
        - {op: add, path: spec.paused}
        - {op: remove, path: \"/a~2b\", value: 1}
        - {op: move, path: /a/b, from: /a}
        - {op: copy, path: /a, value: ~}
        - {op: test, path: /a, value: ~}
";
        t.edit(BILLING, "  controlPlane:", &format!("{patches}  controlPlane:"));
    }),
    ("node-label", |t| {
        t.append(
            SHOP,
            "      labels: {node-role.kubernetes.io/worker: \"\", \"a b\": c, zone: \"-\", node.kubernetes.io/x: y}\n",
        );
    }),
    ("taint", |t| {
        t.append(SHOP, "      taints: [{key: a/b/c, effect: NoExecute}, {key: a, value: \"b c\", effect: NoSchedule}, {key: a, effect: NoSchedule}]\n");
    }),
];
