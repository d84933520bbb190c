//! Kubernetes versions go up by one minor, and images with them; who fills a slot changes once.

use super::kit::{Edit, POLICY, SHOP, SHOP_LOCK, example, loaded, shown};
use model::Reason;
use model::tree::MemoryTree;
use std::collections::BTreeSet;

/// Shop with this version, resolved.
fn running(version: &str) -> MemoryTree {
    let mut tree = example();
    tree.edit(
        POLICY,
        "      - version: 1.33.6\n",
        "      - version: 1.33.6\n      - version: 1.33.5\n        classification: deprecated\n",
    );
    let image = "        - { classification: deprecated, version: 1.33.5, kubernetes: 1.33.5, kubeVip: v0.8.10 }\n";
    tree.edit(POLICY, "        - { version: 1.33.6,", &format!("{image}        - {{ version: 1.33.6,"));
    tree.edit(
        SHOP,
        "flavor: default",
        "flavor: auto\n  network: {cni: {type: calico}}\n  addons: {ccm: {enabled: true}}",
    );
    tree.edit(SHOP, "\"1.34\"", &format!("\"{version}\""));
    assert_eq!(shown(&loaded(&tree).findings), "");
    tree.lock("default.shop");
    tree
}

/// Version and image of the control plane and of the pool, and the rules that are broken.
fn after(tree: &mut MemoryTree, from: &str, to: &str) -> (String, Vec<String>, Vec<&'static str>) {
    tree.edit(SHOP, &format!("version: \"{from}\""), &format!("version: \"{to}\""));
    let loaded = loaded(tree);
    let shop = &loaded.want.clusters[&"default.shop".parse().unwrap()].effective;
    let images = [&shop.control_plane, &shop.pools[0].machines].map(|machines| machines.image.id.to_string());
    (shop.version.to_string(), images.into(), rules(&loaded.findings))
}

/// Of shop, and of what is not one cluster's.
fn rules(findings: &[model::Finding]) -> Vec<&'static str> {
    let others = |f: &&model::Finding| f.cluster.as_ref().is_none_or(|id| id.name().as_str() == "shop");
    findings.iter().filter(others).map(|f| f.rule).collect::<BTreeSet<_>>().into_iter().collect()
}

fn check(from: &str, to: &str, version: &str, rules: &[&str]) {
    let told = after(&mut running(from), from, to);
    assert_eq!((told.0.as_str(), &told.2[..]), (version, rules), "{from} to {to}");
    assert_eq!(told.1, vec![format!("capms-ubuntu-{version}"); 2], "{from} to {to}");
}

#[test]
fn an_upgrade_takes_the_image_along_and_goes_one_minor_at_a_time() {
    check("1.32", "1.33", "1.33.6", &[]);
    check("1.33", "1.34", "1.34.2", &[]);
    check("1.33.5", "1.33", "1.33.5", &[]);
    check("1.33.5", "1.33.6", "1.33.6", &[]);
    check("1.32", "1.34", "1.34.2", &["version-step"]);
    check("1.34", "1.33", "1.33.6", &["version-step"]);
    check("1.33.6", "1.33.5", "1.33.5", &["version-step"]);
}

#[test]
fn a_refused_step_says_which_one_is_next() {
    let mut tree = running("1.32");
    tree.edit(SHOP, "version: \"1.32\"", "version: \"1.34\"");
    let loaded = loaded(&tree);
    let finding = &loaded.findings[0];
    assert_eq!((finding.reason, finding.field.as_str()), (Some(Reason::Immutable), "spec.kubernetes.version"));
    assert!(finding.mend.contains("set \"1.33\" first"), "{}", finding.mend);
}

/// The image of the old version may have left the policy by then.
#[test]
fn an_upgrade_leaves_behind_what_is_not_offered_any_more() {
    let mut tree = running("1.33");
    let image = "        - { version: 1.33.6, kubernetes: 1.33.6, kubeVip: v0.8.10 }\n";
    tree.edit(POLICY, image, "");
    assert_eq!(loaded(&tree).findings.iter().map(|f| f.rule).collect::<Vec<_>>(), ["in-use"]);
    assert_eq!(after(&mut tree, "1.33", "1.34").2, Vec::<&str>::new());
}

/// An upgrade is offered what a new cluster is offered.
#[test]
fn an_upgrade_to_a_preview_or_to_what_has_expired_is_refused() {
    let refused = |from: &str, to: &str| {
        let mut tree = running("1.33");
        tree.edit(POLICY, from, to);
        after(&mut tree, "1.33", "1.34").2
    };
    let no_preview = "allowPreviewFor: [evaluation, development, testing]";
    assert_eq!(
        refused("      - version: 1.34.2\n", "      - version: 1.34.2\n        classification: preview\n"),
        Vec::<&str>::new()
    );
    let expired = "      - version: 1.34.2\n        expirationDate: 2026-11-20T00:00:00Z\n      - version: 1.35.0\n";
    assert_eq!(refused("      - version: 1.34.2\n", expired), ["version-expired"]);
    let mut tree = running("1.33");
    tree.edit(POLICY, no_preview, "allowPreviewFor: [testing]");
    tree.edit(POLICY, "- { version: 1.34.2,", "- { classification: preview, version: 1.34.2,");
    tree.edit(SHOP, "version: \"1.33\"", "version: \"1.34\"");
    assert_eq!(rules(&loaded(&tree).findings), ["image-preview"]);
}

/// Who names exactly what the engine allocated takes it over; there is no way back.
#[test]
fn what_was_allocated_is_adopted_by_its_very_id_only() {
    let check = |network: &str, vip: &str, expected: &[&str]| {
        let mut tree = example();
        tree.lock("default.shop");
        tree.edit(SHOP, "  pools:", &format!("  network: {{nodes: {network}}}\n  vip: {vip}\n  pools:"));
        let loaded = loaded(&tree);
        let told: Vec<_> = loaded.findings.iter().map(|f| f.field.as_str()).collect();
        assert_eq!(told, expected, "{}", shown(&loaded.findings));
        assert!(loaded.findings.iter().all(|f| f.reason == Some(Reason::Immutable)));
    };
    let lock = example().lock("default.shop").values;
    let (network, vip) = (lock.node_network.unwrap().id, lock.vip.unwrap().address);
    let (network, vip) = (format!("{{mode: adopt, id: {network}}}"), format!("{{mode: adopt, address: {vip}}}"));
    check(&network, &vip, &[]);
    check("{mode: adopt, id: other}", &vip, &["spec.network.nodes.id"]);
    check(&network, "{mode: adopt, address: 198.18.0.200}", &["spec.vip.address"]);

    let mut tree = example();
    let mut lock = tree.lock("default.shop");
    lock.values.vip.as_mut().unwrap().origin = model::Origin::Adopted;
    lock.values.node_network.as_mut().unwrap().origin = model::Origin::Adopted;
    tree.put_lock(SHOP_LOCK, &lock);
    let told: Vec<_> = loaded(&tree).findings.into_iter().map(|f| f.rule).collect();
    assert_eq!(told, ["value-changed", "value-changed"]);
}

/// An address that others may know stays; one more is no loss.
#[test]
fn i5_an_egress_address_is_not_given_up() {
    let mut tree = example();
    let billing = super::kit::BILLING;
    let mut lock = tree.lock("payments.billing");
    tree.edit(billing, "      - network: internet\n", "      - network: internet\n      - network: mpls-muc-a\n");
    tree.edit(billing, "  controlPlane:", "  rollout: {allowReplacement: always}\n  controlPlane:");
    assert_eq!(shown(&loaded(&tree).findings), "");
    tree.edit(billing, "      - network: internet\n", "");
    let told: Vec<_> = loaded(&tree).findings.into_iter().map(|f| (f.rule, f.field)).collect();
    assert_eq!(told, [("value-changed", "spec.firewall.egress".to_owned())]);
    // An adopted firewall has none.
    lock.values.egress_ips.clear();
    tree.put_lock(super::kit::BILLING_LOCK, &lock);
    assert_eq!(shown(&loaded(&tree).findings), "");
}

#[test]
fn a_pool_is_removed_once_it_is_empty() {
    let mut tree = example();
    tree.append(SHOP, "    - {name: second, replicas: 0}\n    - {name: third, min: 1, max: 2}\n");
    let mut lock = tree.lock("default.shop");
    lock.values.autoscaled_pools = vec!["third".parse().unwrap()];
    tree.put_lock(SHOP_LOCK, &lock);
    let rules = |tree: &MemoryTree| loaded(tree).findings.into_iter().map(|f| f.rule).collect::<Vec<_>>();
    assert_eq!(rules(&tree), Vec::<&str>::new());
    let mut without = tree.clone();
    without.edit(SHOP, "    - {name: second, replicas: 0}\n", "");
    assert_eq!(rules(&without), ["pool-removed"]);
    lock.values.empty_pools = vec!["second".parse().unwrap()];
    without.put_lock(SHOP_LOCK, &lock);
    assert_eq!(rules(&without), Vec::<&str>::new());
    // R23: a number would be a guess; none at all is what a removal needs.
    tree.edit(SHOP, "min: 1, max: 2", "replicas: 1");
    assert_eq!(rules(&tree), ["autoscaled-pool-back"]);
    tree.edit(SHOP, "name: third, replicas: 1", "name: third, replicas: 0");
    assert_eq!(rules(&tree), Vec::<&str>::new());
}

#[test]
fn a_reserve_of_the_policy_reaches_the_machines() {
    let mut tree = example();
    let digest = loaded(&tree).want.clusters[&"default.shop".parse().unwrap()].digest.clone();
    tree.edit(POLICY, "memory: 64Gi }", "memory: 64Gi, reserve: 3 }");
    let loaded = loaded(&tree);
    let shop = &loaded.want.clusters[&"default.shop".parse().unwrap()];
    assert_eq!((shop.effective.control_plane.reserve, shop.effective.pools[0].machines.reserve), (3, 3));
    assert_eq!(loaded.want.clusters[&"payments.billing".parse().unwrap()].effective.pools[0].machines.reserve, 0);
    assert_eq!(shop.digest, digest, "what nobody renders changes no cluster");
}
