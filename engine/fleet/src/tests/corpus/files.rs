//! Files that are no documents, and documents with wrong fields.

use super::Case;
use crate::tests::kit::{BILLING, Edit, FLEET, POLICY, SHOP};

pub(super) const CASES: &[Case] = &[
    ("misnamed-document", |t| {
        t.put("stages/development/clusters/x/cluster.yml", "");
        t.put("policies/other.yml", "");
        t.put("stages/development/clusters/y/Cluster.yaml", "");
    }),
    ("file-too-large", |t| t.put(SHOP, &"# big\n".repeat(200_000))),
    ("not-utf8", |t| {
        t.files.insert(SHOP.to_owned(), b"apiVersion: fleet\nkind: \xffCluster\n".to_vec());
    }),
    // A tab.
    ("invalid-yaml", |t| t.edit(SHOP, "  name: shop", "\tname: shop")),
    // Truncated in a quoted text.
    ("invalid-yaml", |t| {
        t.put(SHOP, "apiVersion: fleet.metal-stack.io/v1alpha1\nkind: ClusterDefinition\nmetadata: {name: \"sho")
    }),
    // Bad indentation.
    ("invalid-yaml", |t| t.edit(SHOP, "  pools:\n    - name: general", "  pools:\n    - name: general\n   size: x")),
    ("empty-document", |t| t.put(SHOP, "# nothing yet\n")),
    ("one-document", |t| t.append(SHOP, "---\nkind: ClusterDefinition\n")),
    ("too-deep", |t| t.put(SHOP, &"[".repeat(100_000))),
    ("too-many-values", |t| {
        let mut text = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (before, name) in "abcdefgh".chars().zip("bcdefghi".chars()) {
            let alias = format!("*{before}");
            text.push_str(&format!("{name}: &{name} [{}]\n", [alias.as_str(); 9].join(", ")));
        }
        t.put(SHOP, &text);
    }),
    ("too-many-aliases", |t| t.append(SHOP, &format!("x: &x 1\ny: [{}]\n", ["*x"; 600].join(", ")))),
    ("merge-key", |t| t.edit(SHOP, "    - name: general", "    - <<: {size: n1-medium-x86}\n      name: general")),
    ("duplicate-key", |t| t.edit(SHOP, "  name: shop", "  name: shop\n  name: shop")),
    // Every wrong field of a file is told.
    ("unknown-field", |t| {
        t.edit(SHOP, "  flavor: default", "  flavour: default\n  vip: {mode: adpot, adress: 198.18.0.1}");
        t.edit(SHOP, "      replicas: 2", "      replica: 2\n      size: \"N1 medium\"");
        t.edit(BILLING, "length: 22", "lenght: 22");
        t.edit(FLEET, "nodeApiCIDRs", "nodeAPICidrs");
        t.edit(POLICY, "defaultNetwork", "default_network");
    }),
    ("missing-field", |t| {
        t.edit(SHOP, "  kubernetes:\n    version: \"1.34\"\n", "");
        t.edit(SHOP, "  name: shop\n", "");
    }),
    ("wrong-type", |t| {
        t.edit(
            SHOP,
            "  pools:\n    - name: general\n      replicas: 2\n",
            "  pools: {name: general}\n  paused: \"no\"\n  network: []\n",
        );
    }),
    ("unknown-value", |t| {
        t.edit(SHOP, "kind: ClusterDefinition", "kind: ClusterDefinitions");
        t.edit(SHOP, "flavor: default", "flavor: Calico");
        t.edit(BILLING, "apiVersion: fleet.metal-stack.io/v1alpha1", "apiVersion: fleet.metal-stack.io/v1");
    }),
    // A manifest of Cluster API.
    ("unknown-value", |t| {
        t.put(SHOP, "apiVersion: cluster.x-k8s.io/v1beta2\nkind: Cluster\nmetadata: {name: shop, namespace: default}\nspec: {}\n");
    }),
    ("out-of-range", |t| {
        t.edit(SHOP, "  pools:", "  network: {apiServerPort: 0}\n  controlPlane: {replicas: 11}\n  pools:");
        t.edit(SHOP, "replicas: 2", "replicas: -1");
        t.edit(BILLING, "replicas: 4", "replicas: 4000");
    }),
    ("invalid-value", |t| {
        t.edit(SHOP, "replicas: 2", "replicas: 2.0");
        t.edit(BILLING, "team: payments", "team: ~");
    }),
    ("invalid-value", |t| {
        t.edit(SHOP, "version: \"1.34\"", "version: latest");
        t.edit(SHOP, "  pools:", "  network:\n    pods: [10.240.0.5/13, 10.0.0/8]\n  vip: {address: 198.18.0}\n  target: {namespace: Pay_ments}\n  pools:");
        t.edit(FLEET, "https://metal.example.com/metal", "https://me:hunter2@metal.example.com/metal");
        t.edit(POLICY, "- version: 1.34.2", "- version: 1.34.2-rc.1\n        expirationDate: tomorrow");
    }),
];
