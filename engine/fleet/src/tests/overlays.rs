//! What overlays give, to whom, and who is stopped by a broken one.

use super::kit::{BILLING, Edit, POLICY, SHOP, example, loaded, now, overlay, shown};
use crate::{Memo, load};
use model::Wanted;
use model::definition::VipKind;
use model::tree::MemoryTree;
use model::want::Origin;

fn cluster(tree: &MemoryTree, id: &str) -> Wanted {
    let loaded = loaded(tree);
    assert_eq!(shown(&loaded.findings), "");
    loaded.want.clusters[&id.parse().unwrap()].clone()
}

fn blocked(tree: &MemoryTree) -> Vec<String> {
    let blocked = loaded(tree).want.clusters.into_values().filter(|w| w.blocked.is_some());
    blocked.map(|w| w.id.name().to_string()).collect()
}

#[test]
fn definition_before_overlays_and_a_later_overlay_before_an_earlier_one() {
    let mut tree = example();
    tree.put(
        "overlays/a.yaml",
        &overlay("a", "order: 10\n  definition: {vip: {type: ephemeral}, controlPlane: {replicas: 5}}"),
    );
    tree.put(
        "overlays/b.yaml",
        &overlay(
            "b",
            "order: -1\n  definition: {controlPlane: {replicas: 7, size: c1-large-x86}, vip: {type: static}}",
        ),
    );
    let shop = cluster(&tree, "default.shop").effective;
    let control_plane = &shop.control_plane;
    assert_eq!((shop.vip.kind.value, shop.vip.kind.from), (VipKind::Ephemeral, Origin::Overlay));
    assert_eq!((control_plane.replicas.value, control_plane.size.value.as_str()), (5, "c1-large-x86"));
    assert_eq!((control_plane.size.from, shop.pools[0].machines.replicas.from), (Origin::Overlay, Origin::Definition));
    let billing = cluster(&tree, "payments.billing").effective.control_plane.clone();
    assert_eq!((billing.replicas.value, billing.replicas.from), (3, Origin::Definition));
}

#[test]
fn an_empty_list_and_false_go_before_what_an_overlay_gives() {
    let mut tree = example();
    let chart = "{name: a, repoURL: https://charts.example.com, chart: a, version: 1.0.0, namespace: a}";
    let given = format!(
        "definition: {{addons: {{extra: [{chart}], allowReinstall: true}}, firewall: {{egress: [{{network: internet}}]}}}}"
    );
    tree.put("overlays/all.yaml", &overlay("all", &given));
    let shop = cluster(&tree, "default.shop").effective;
    assert_eq!((shop.charts.len(), shop.allow_reinstall, shop.firewall.egress.len()), (1, true, 1));
    tree.edit(SHOP, "  pools:", "  addons: {extra: [], allowReinstall: false}\n  firewall: {egress: []}\n  pools:");
    let shop = cluster(&tree, "default.shop").effective;
    assert_eq!((shop.charts.len(), shop.allow_reinstall, shop.firewall.egress.len()), (0, false, 0));
}

#[test]
fn lists_are_taken_as_a_whole_and_objects_field_by_field() {
    let mut tree = example();
    let given = "definition: {network: {nodes: {length: 20}, pods: [10.244.0.0/16]}, firewall: {networks: [internet]}}";
    tree.put("overlays/all.yaml", &overlay("all", given));
    let billing = cluster(&tree, "payments.billing").effective;
    assert_eq!((billing.nodes.length, billing.firewall.networks.value.len()), (Some(22), 2));
    assert_eq!(billing.pods.value.to_string(), "10.244.0.0/16");
}

#[test]
fn selectors_read_labels_stage_and_name() {
    let mut tree = example();
    let selects = |tree: &mut MemoryTree, selector: &str| {
        tree.put(
            "overlays/a.yaml",
            &overlay("a", &format!("selector: {selector}\n  definition: {{network: {{nodes: {{length: 21}}}}}}")),
        );
        let want = loaded(tree).want;
        let given = want.clusters.values().filter(|w| w.effective.nodes.length == Some(21));
        given.map(|w| w.id.name().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(selects(&mut tree, "{}"), ["legacy", "shop"]);
    assert_eq!(selects(&mut tree, "{matchLabels: {fleet.metal-stack.io/stage: development}}"), ["legacy", "shop"]);
    assert_eq!(selects(&mut tree, "{matchLabels: {fleet.metal-stack.io/cluster: shop}}"), ["shop"]);
    assert_eq!(selects(&mut tree, "{matchExpressions: [{key: team, operator: Exists}]}"), Vec::<String>::new());
}

#[test]
fn patches_of_overlays_come_first_and_in_their_order() {
    let mut tree = example();
    let patch = |label: &str| {
        format!("patches: [{{target: {{kind: Cluster}}, merge: {{metadata: {{labels: {{x: {label}}}}}}}}}]")
    };
    tree.put("overlays/a.yaml", &overlay("a", &format!("order: 2\n  {}", patch("second"))));
    tree.put("overlays/z.yaml", &overlay("z", &format!("order: 1\n  {}", patch("first"))));
    tree.edit(SHOP, "  pools:", &format!("  {}\n  pools:", patch("third")));
    let shop = cluster(&tree, "default.shop").effective;
    let patches: Vec<_> = shop.patches.iter().map(|p| (p.file.as_str(), p.field.as_str())).collect();
    assert_eq!(
        patches,
        [("overlays/z.yaml", "spec.patches[0]"), ("overlays/a.yaml", "spec.patches[0]"), (SHOP, "spec.patches[0]")]
    );
}

#[test]
fn a_disabled_overlay_is_as_if_it_were_not_there() {
    let mut tree = example();
    let digest = cluster(&tree, "default.shop").digest;
    tree.put("overlays/a.yaml", &overlay("a", "disabled: true\n  definition: {controlPlane: {replicas: 2}}"));
    assert_eq!(cluster(&tree, "default.shop").digest, digest);
}

#[test]
fn i6_a_broken_overlay_stops_those_it_selects_and_nobody_is_rendered_without_it() {
    let mut tree = example();
    for id in ["default.shop", "default.legacy"] {
        tree.lock(id);
    }
    tree.put("overlays/a.yaml", &overlay("a", "selector: {matchLabels: {team: payments}}\n  definition: {pools: []}"));
    assert_eq!(blocked(&tree), ["billing"]);
    // Readable, and wrong by itself.
    tree.put(
        "overlays/a.yaml",
        &overlay("a", "selector: {matchLabels: {team: payments}}\n  patches: [{target: {kind: Cluster}}]"),
    );
    assert_eq!(blocked(&tree), ["billing"]);
    // Wrong for one that it selects: shop has replicas of its own.
    tree.put("overlays/a.yaml", &overlay("a", "definition: {controlPlane: {replicas: 2}}"));
    assert_eq!(blocked(&tree), ["legacy", "shop"]);
    for unreadable in ["overlays/b.yml", "overlays/b.yaml"] {
        let mut tree = example();
        tree.put(unreadable, "spec: {selector: {matchLabels: {team: [a]}}}");
        assert_eq!(blocked(&tree), ["legacy", "shop", "billing"], "{unreadable}");
    }
}

#[test]
fn i6_what_a_policy_offers_no_more_stays_for_those_that_have_it_and_stops_nobody() {
    let mut tree = example();
    tree.lock("default.shop");
    tree.edit(POLICY, "      - version: 1.34.2\n", "      - version: 1.34.3\n");
    let kubernetes = "        - { version: 1.34.3, kubernetes: 1.34.3, kubeVip: v0.8.10 }\n        - { classification: deprecated, version: 1.34.2,";
    tree.edit(POLICY, "        - { version: 1.34.2,", kubernetes);
    let loaded = loaded(&tree);
    assert_eq!(loaded.findings.iter().map(|f| f.rule).collect::<Vec<_>>(), ["in-use"]);
    let versions: Vec<_> =
        loaded.want.clusters.values().map(|w| (w.effective.version.to_string(), w.blocked.is_none())).collect();
    assert_eq!(
        versions,
        [("1.32.9".into(), true), ("1.34.2".into(), true), ("1.34.3".into(), true)],
        "legacy, shop, billing"
    );
}

#[test]
fn an_overlay_may_be_called_as_a_definition_is() {
    let mut tree = example();
    tree.put("overlays/cluster.yaml", &overlay("cluster", "definition: {controlPlane: {replicas: 5}}"));
    assert_eq!(cluster(&tree, "default.shop").effective.control_plane.replicas.value, 5);
    tree.put("overlays/prod/kustomization.yaml", "kind: Kustomization");
    assert_eq!(loaded(&tree).want.clusters.len(), 3);
}

#[test]
fn a_second_load_merges_nothing_again_and_sees_every_change() {
    let (mut tree, mut memo) = (example(), Memo::default());
    let replicas = |tree: &MemoryTree, memo: &mut Memo| {
        let want = load(&tree.tree(), memo, now()).want;
        want.clusters[&"default.shop".parse().unwrap()].effective.control_plane.replicas.value
    };
    tree.put("overlays/a.yaml", &overlay("a", "definition: {controlPlane: {replicas: 5}}"));
    assert_eq!(replicas(&tree, &mut memo), 5);
    assert_eq!((replicas(&tree, &mut memo), memo.parsed()), (5, 0));
    tree.put("overlays/a.yaml", &overlay("a", "definition: {controlPlane: {replicas: 7}}"));
    assert_eq!((replicas(&tree, &mut memo), memo.parsed()), (7, 1));
    tree.edit(SHOP, "  pools:", "  controlPlane: {replicas: 3}\n  pools:");
    assert_eq!((replicas(&tree, &mut memo), memo.parsed()), (3, 1));
}

#[test]
fn the_digest_of_a_value_is_the_same_whoever_wrote_it() {
    let mut by_overlay = example();
    by_overlay.put(
        "overlays/a.yaml",
        &overlay("a", "selector: {matchLabels: {team: payments}}\n  definition: {network: {apiServerPort: 6443}}"),
    );
    let mut by_definition = example();
    by_definition.edit(BILLING, "    nodes:", "    apiServerPort: 6443\n    nodes:");
    let digest = |tree: &MemoryTree| cluster(tree, "payments.billing").digest;
    assert_eq!(digest(&by_overlay), digest(&by_definition));
}
