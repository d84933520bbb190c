//! Defaults and where they come from; what is sticky.

use super::kit::{BILLING, Edit, FLEET, POLICY, SHOP, example, loaded, now, shown};
use crate::{Memo, load};
use model::Wanted;
use model::tree::MemoryTree;
use model::want::{Flavor, Origin};

fn shop(tree: &MemoryTree) -> Wanted {
    let loaded = loaded(tree);
    assert_eq!(shown(&loaded.findings), "");
    loaded.want.clusters[&"default.shop".parse().unwrap()].clone()
}

#[test]
fn every_default_knows_where_it_comes_from() {
    let wanted = shop(&example());
    let e = &wanted.effective;
    let pool = &e.pools[0];
    let origins = [
        ("flavor", e.flavor.from, Origin::Definition),
        ("purpose", e.purpose.from, Origin::Stage),
        ("provider", e.provider.from, Origin::Fleet),
        ("pods", e.pods.from, Origin::Policy),
        ("api port", e.api_port.from, Origin::BuiltIn),
        ("vip network", e.vip.network.from, Origin::Policy),
        ("firewall image", e.firewall.image.from, Origin::Policy),
        ("firewall networks", e.firewall.networks.from, Origin::Policy),
        ("replicas", pool.machines.replicas.from, Origin::Definition),
        ("size", pool.machines.size.from, Origin::Policy),
        ("image", pool.machines.image.wish.from, Origin::Policy),
        ("surge", pool.max_surge.from, Origin::BuiltIn),
        ("control plane", e.control_plane.replicas.from, Origin::BuiltIn),
    ];
    for (what, is, should) in origins {
        assert_eq!(is, should, "{what}");
    }
    assert_eq!(e.version.to_string(), "1.34.2");
    assert_eq!(pool.machines.image.id.as_str(), "capms-ubuntu-1.34.2");
    assert_eq!(pool.machines.size.value.as_str(), "n1-medium-x86");
    assert_eq!(e.firewall.node_api_port, Some(443));
    assert_eq!((e.control_plane.replicas.value, e.cni.is_none(), e.ccm.is_none()), (1, true, true));
    assert_eq!(wanted.identity.partition.as_str(), "muc-a");
}

#[test]
fn auto_is_calico_from_1_33_on() {
    for (version, flavor) in [("1.34", Flavor::Calico), ("1.33", Flavor::Calico), ("1.32", Flavor::PreV133)] {
        let mut tree = example();
        tree.edit(SHOP, "  flavor: default\n", "");
        tree.edit(SHOP, "\"1.34\"", &format!("\"{version}\""));
        let e = shop(&tree).effective;
        assert_eq!((e.flavor.value, e.flavor.from), (flavor, Origin::BuiltIn), "{version}");
        assert_eq!((e.cni.is_some(), e.ccm.is_some()), (flavor == Flavor::Calico, flavor == Flavor::Calico));
    }
}

#[test]
fn a_production_control_plane_has_three_machines() {
    let mut tree = example();
    tree.edit(BILLING, "  controlPlane:\n    replicas: 3\n", "");
    let want = loaded(&tree).want;
    assert_eq!(want.clusters[&"payments.billing".parse().unwrap()].effective.control_plane.replicas.value, 3);
}

#[test]
fn a_lower_supported_version_goes_before_a_higher_deprecated_one() {
    let mut tree = example();
    tree.edit(
        POLICY,
        "      - version: 1.33.6",
        "      - version: 1.34.9\n        classification: deprecated\n      - version: 1.33.6",
    );
    assert_eq!(shop(&tree).effective.version.to_string(), "1.34.2");
}

#[test]
fn i5_a_version_alias_sticks_to_the_lock() {
    let mut tree = example();
    tree.lock("default.shop");
    tree.edit(
        POLICY,
        "      - version: 1.34.2",
        "      - version: 1.34.3\n      - version: 1.34.2\n        classification: deprecated\n        expirationDate: 2020-01-01T00:00:00Z",
    );
    tree.edit(
        POLICY,
        "        - { version: 1.34.2,",
        "        - { version: 1.34.3, kubernetes: 1.34.3, kubeVip: v0.9.0 }\n        - { classification: deprecated, version: 1.34.2,",
    );
    let loaded = loaded(&tree);
    assert!(loaded.findings.iter().all(|f| f.rule == "expires-in-use"), "{}", shown(&loaded.findings));
    let versions: Vec<_> = loaded.want.clusters.values().map(|w| w.effective.version.to_string()).collect();
    assert_eq!(versions, ["1.32.9", "1.34.2", "1.34.3"], "legacy, shop, billing");
}

#[test]
fn r24_an_image_sticks_to_the_lock() {
    let mut tree = example();
    tree.lock("default.shop");
    let mut lock = tree.lock("default.shop");
    lock.values.images.insert("capms-ubuntu".to_owned(), "capms-ubuntu-1.34.2".parse().unwrap());
    tree.put_lock(super::kit::SHOP_LOCK, &lock);
    tree.edit(
        POLICY,
        "        - { version: 1.34.2,",
        "        - { version: 1.34.201, kubernetes: 1.34.2, kubeVip: v0.9.0 }\n        - { classification: deprecated, version: 1.34.2,",
    );
    let want = loaded(&tree).want;
    let image = |id: &str| want.clusters[&id.parse().unwrap()].effective.control_plane.image.id.to_string();
    assert_eq!(
        (image("default.shop"), image("payments.billing")),
        ("capms-ubuntu-1.34.2".into(), "capms-ubuntu-1.34.201".into())
    );
}

#[test]
fn expiry_stops_only_clusters_without_a_lock() {
    let mut tree = example();
    tree.edit(POLICY, "classification: deprecated", "expirationDate: 2026-12-01T00:00:00Z");
    let at = |tree: &MemoryTree, time: &str| load(&tree.tree(), &mut Memo::default(), time.parse().unwrap()).findings;
    assert_eq!(shown(&at(&tree, "2026-11-30T00:00:00Z")), "");
    assert_eq!(at(&tree, "2026-12-02T00:00:00Z")[0].rule, "version-expired");
    tree.lock("default.legacy");
    let rules: Vec<_> = at(&tree, "2026-12-02T00:00:00Z").iter().map(|f| (f.rule, f.is_error())).collect();
    assert_eq!(rules, [("expires-in-use", false)]);
}

#[test]
fn r1_what_a_binary_fills_in_is_not_digested() {
    let tree = example();
    let digest = |tree: &MemoryTree| shop(tree).digest;
    let mut comment = tree.clone();
    comment.append(SHOP, "# a comment\n");
    assert_eq!(digest(&tree), digest(&comment));
    let mut policy = tree.clone();
    policy.edit(POLICY, "10.248.0.0/18", "10.248.0.0/19");
    assert_ne!(digest(&tree), digest(&policy), "what people wrote in a policy is");
    let mut fleet = tree.clone();
    fleet.edit(FLEET, "credentialsRef: metal-ccm", "credentialsRef: other");
    assert_eq!(digest(&tree), digest(&fleet), "shop has no cloud controller manager of ours");
}

#[test]
fn a_complete_lock_of_an_unchanged_definition_has_no_findings() {
    let mut tree = example();
    let ids: Vec<_> = loaded(&tree).want.clusters.into_keys().collect();
    for id in &ids {
        let lock = tree.lock(&id.to_string());
        let path = &loaded(&tree).want.clusters[id].lock_path;
        if id.name().as_str() == "billing" {
            // Its egress address belongs to a complete lock.
            let mut lock = lock;
            lock.values.egress_ips.push(model::lock::EgressIp {
                network: "internet".parse().unwrap(),
                address: "198.18.0.200".parse().unwrap(),
                allocation: lock.values.vip.as_ref().unwrap().allocation.clone(),
                origin: model::Origin::Allocated,
            });
            tree.put_lock(path, &lock);
        }
    }
    let findings = load(&tree.tree(), &mut Memo::default(), now()).findings;
    assert_eq!(shown(&findings), "");
}

#[test]
fn replicas_change_freely() {
    let mut tree = example();
    tree.lock("default.shop");
    tree.edit(SHOP, "replicas: 2", "replicas: 5\n      maxSurge: 2");
    tree.append(SHOP, "    - name: more\n");
    assert_eq!(shop(&tree).effective.pools.len(), 2);
}
