//! Where images and charts come from: the bill, rewriting, and air-gapped policies.

use super::addons::{VERSIONS, everything, values};
use super::fixtures::*;
use crate::images::image_findings;
use crate::{BillEntry, Fetched};
use model::images::host;
use model::patch::{Patch, PatchTarget};
use model::policy::{ImagePolicy, ImageRewrite};
use model::want::{Flavor, InstalledCni, SourcedPatch, Wanted};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const HOSTS: [&str; 6] =
    ["ghcr.io", "docker.io", "quay.io", "registry.k8s.io", "docs.tigera.io/calico", "helm.cilium.io"];

fn rules(rules: &[(&str, &str)]) -> Vec<ImageRewrite> {
    rules.iter().map(|(from, to)| ImageRewrite { from: (*from).to_owned(), to: (*to).to_owned() }).collect()
}

/// A cluster that may fetch from one host only, and a rule for everything that it fetches.
fn airgapped(flavor: Flavor, version: &str, cni: InstalledCni) -> Wanted {
    with(everything("billing", flavor, version, cni), |e| {
        let mut rewrite: Vec<_> = HOSTS.iter().map(|from| (*from, format!("mirror.example.com/{from}"))).collect();
        rewrite.push(("metallb.github.io/metallb", "oci://mirror.example.com/charts".to_owned()));
        let rewrite: Vec<_> = rewrite.iter().map(|(from, to)| (*from, to.as_str())).collect();
        e.images = ImagePolicy { airgapped: true, rewrite: rules(&rewrite) };
    })
}

fn bill(wanted: &Wanted) -> Vec<BillEntry> {
    crate::images(wanted, &lock_of(wanted))
}

/// Everything in an output that reads like the name of a host with a path or a tag behind it.
fn hosts(files: &[(String, Vec<u8>)]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, bytes) in files {
        let text = std::str::from_utf8(bytes).unwrap();
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "._-/:@".contains(c)));
        for word in words.map(|word| word.trim_start_matches("https://").trim_start_matches("oci://")) {
            let Some((name, rest)) = word.split_once('/') else { continue };
            let is_domain = name.rsplit_once('.').is_some_and(|(_, top)| ["io", "com", "org"].contains(&top));
            if is_domain && !rest.is_empty() {
                found.insert(name.to_owned());
            }
        }
    }
    found
}

/// Groups and label domains of Kubernetes are names, and nothing is fetched from them.
fn is_fetched_from(host: &str) -> bool {
    let names = ["k8s.io", "x-k8s.io", "kubernetes.io", "metal-stack.io", "argoproj.io", "fluxcd.io", "config.k8s.io"];
    let is_name =
        names.iter().any(|name| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    !is_name || host == "registry.k8s.io"
}

#[test]
fn an_airgapped_output_names_the_allowed_hosts_only() {
    for (flavor, version) in VERSIONS {
        for cni in [InstalledCni::Calico, InstalledCni::Cilium] {
            let wanted = airgapped(flavor, version, cni);
            let found: BTreeSet<_> =
                hosts(&rendered(&wanted)).into_iter().filter(|host| is_fetched_from(host)).collect();
            // The path of a mirror has the host in it that it mirrors, and is no word of its own.
            assert_eq!(found, BTreeSet::from(["mirror.example.com".to_owned()]), "{flavor:?} {version}");
            assert!(crate::unmapped(&wanted, &lock_of(&wanted)).is_empty());
            assert!(image_findings(&wanted).is_empty());
            // The same search finds what is fetched without rules.
            let open = with(wanted, |e| e.images = ImagePolicy::default());
            assert!(hosts(&rendered(&open)).contains("ghcr.io") && hosts(&rendered(&open)).contains("quay.io"));
        }
    }
}

#[test]
fn without_a_fitting_rule_no_byte_changes() {
    for (flavor, version) in VERSIONS {
        let plain = everything("billing", flavor, version, InstalledCni::Calico);
        let ruled = with(plain.clone(), |e| {
            e.images = ImagePolicy { airgapped: true, rewrite: rules(&[("example.org", "mirror.example.com")]) };
        });
        assert_eq!(rendered(&plain), rendered(&ruled));
    }
}

#[test]
fn the_bill_of_a_cluster_with_everything() {
    let shown = |wanted: &Wanted| {
        let line = |entry: BillEntry| {
            let BillEntry { kind, reference, upstream, object, from, mapped } = entry;
            format!("{kind:?} {reference} < {upstream} | {object} | {from} | {mapped}")
        };
        bill(wanted).into_iter().map(line).collect::<Vec<_>>()
    };
    insta::assert_debug_snapshot!(shown(&everything("billing", Flavor::Calico, "1.34.2", InstalledCni::Calico)));
    insta::assert_debug_snapshot!(shown(&airgapped(Flavor::Calico, "1.34.2", InstalledCni::Calico)));
    insta::assert_debug_snapshot!(shown(&airgapped(Flavor::Default, "1.35.0", InstalledCni::Cilium)));
}

/// The bill says of every entry what it would be without rules: the same places, in the same order.
#[test]
fn upstream_names_are_those_of_the_output_without_rules() {
    for (flavor, version) in VERSIONS {
        for cni in [InstalledCni::Calico, InstalledCni::Cilium] {
            let plain = bill(&everything("billing", flavor, version, cni));
            let ruled = bill(&airgapped(flavor, version, cni));
            let names = |bill: &[BillEntry]| bill.iter().map(|e| e.upstream.clone()).collect::<Vec<_>>();
            assert_eq!(names(&plain), names(&ruled));
            assert!(plain.iter().all(|e| e.upstream == e.reference && !e.mapped));
            assert!(ruled.iter().all(|e| e.upstream != e.reference && e.mapped));
            assert!(ruled.iter().filter(|e| e.kind == Fetched::Chart).count() == 3);
        }
    }
}

#[test]
fn calicos_registries_follow_the_rules_in_the_form_that_it_takes() {
    let of = |rewrite: &[(&str, &str)], version: &str| {
        let wanted = with(everything("billing", Flavor::Calico, "1.34.2", InstalledCni::Calico), |e| {
            e.images.rewrite = rules(rewrite);
            e.cni.as_mut().unwrap().version.value = version.to_owned();
        });
        let objects = objects(&rendered(&wanted));
        let values = values(find(&objects, "HelmChartProxy", "billing-calico-cni"));
        let found = ["/tigeraOperator", "/installation/registry", "/installation/imagePath", "/calicoctl/image"];
        json!(found.map(|place| values.pointer(place).cloned()))
    };
    assert_eq!(of(&[("ghcr.io", "m.io")], "v3.28.3"), json!([null, null, null, null]));
    assert_eq!(
        of(&[("docker.io", "m.io/hub"), ("quay.io", "m.io/quay")], "v3.28.3"),
        json!([{"registry": "m.io/quay"}, "m.io/hub/", null, "m.io/hub/calico/ctl"])
    );
    assert_eq!(
        of(&[("docker.io/calico", "m.io/c"), ("quay.io/tigera/operator", "m.io/op")], "v3.28.3"),
        json!([{"registry": "m.io", "image": "op"}, "m.io/", "c", "m.io/c/ctl"])
    );
    // Published elsewhere from 3.31 on.
    assert_eq!(of(&[("docker.io", "m.io/hub")], "v3.31.0"), json!([null, null, null, null]));
    assert_eq!(
        of(&[("quay.io", "m.io/q")], "v3.31.0"),
        json!([{"registry": "m.io/q"}, "m.io/q/", null, "m.io/q/calico/ctl"])
    );
}

#[test]
fn a_written_image_of_calicos_operator_is_behind_its_registry() {
    let wanted = with(everything("billing", Flavor::Calico, "1.34.2", InstalledCni::Calico), |e| {
        e.images.rewrite = rules(&[("docker.io", "m.io/hub"), ("quay.io", "m.io/quay")]);
        let written =
            json!({"tigeraOperator": {"image": "own/operator", "version": "v1"}, "goldmane": {"enabled": true}});
        e.cni.as_mut().unwrap().values = serde_json::from_value(written).unwrap();
    });
    let bill = bill(&wanted);
    let operator = bill.iter().find(|entry| entry.reference.contains("operator:v1")).unwrap();
    assert_eq!(operator.reference, "m.io/quay/own/operator:v1");
    assert_eq!(operator.upstream, "quay.io/own/operator:v1");
    let names = |name: &str| bill.iter().any(|entry| entry.upstream == format!("docker.io/calico/{name}:v3.28.3"));
    assert!(names("goldmane") && !names("whisker"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is in a definition: with a rule for every host, nothing is fetched from elsewhere.
    #[test]
    fn a_rule_for_every_host_leaves_none((wanted, lock) in super::random::clusters()) {
        let open = with(wanted, |e| e.images = ImagePolicy::default());
        let hosts: BTreeSet<_> = crate::images(&open, &lock).iter().map(|entry| host(&entry.upstream)).collect();
        let rewrite = hosts.iter().map(|from| ImageRewrite { from: from.clone(), to: "mirror.example.com".to_owned() });
        let images = ImagePolicy { airgapped: true, rewrite: rewrite.collect() };
        let closed = with(open.clone(), |e| e.images = images);
        let bill = crate::images(&closed, &lock);
        let left: Vec<_> = bill.iter().filter(|e| !e.mapped || host(&e.reference) != "mirror.example.com").collect();
        prop_assert!(left.is_empty(), "{left:?}");
        let upstream: BTreeSet<_> = bill.into_iter().map(|entry| entry.upstream).collect();
        let before: BTreeSet<_> = crate::images(&open, &lock).into_iter().map(|entry| entry.reference).collect();
        prop_assert_eq!(upstream, before);
        prop_assert!(image_findings(&closed).is_empty());
    }
}

#[test]
fn written_values_win_over_rules_for_what_they_say() {
    let wanted = with(everything("billing", Flavor::Calico, "1.34.2", InstalledCni::Cilium), |e| {
        e.images = ImagePolicy { airgapped: true, rewrite: rules(&[("quay.io", "m.io/q"), ("ghcr.io", "m.io/g")]) };
        let written = json!({"image": {"repository": "own.example.com/cilium", "tag": "v9"}, "envoy": {"image": {"repository": "quay.io/e/envoy"}}});
        e.cni.as_mut().unwrap().values = serde_json::from_value(written).unwrap();
    });
    let objects = objects(&rendered(&wanted));
    let values = values(find(&objects, "HelmChartProxy", "billing-cilium-cni"));
    assert_eq!(values["image"]["repository"], "own.example.com/cilium");
    assert_eq!(values["envoy"]["image"]["repository"], "m.io/q/e/envoy");
    assert_eq!(values["operator"]["image"]["repository"], "m.io/q/cilium/operator");
    let unmapped: Vec<_> = crate::unmapped(&wanted, &lock_of(&wanted)).into_iter().map(|e| e.reference).collect();
    assert!(unmapped.contains(&"own.example.com/cilium:v9".to_owned()), "{unmapped:?}");
}

/// Before anything is allocated: without a lock.
#[test]
fn an_airgapped_policy_names_the_field_of_everything_that_it_does_not_map() {
    let wanted = with(everything("billing", Flavor::Calico, "1.34.2", InstalledCni::Calico), |e| {
        e.images = ImagePolicy { airgapped: true, rewrite: rules(&[("ghcr.io", "mirror.example.com/g")]) };
    });
    assert!(wanted.lock.is_none());
    let found = crate::findings(&wanted);
    assert!(found.iter().all(|f| f.rule == "airgapped-host" && f.is_error() && f.place.file == wanted.path));
    let shown: Vec<_> = found.iter().map(|f| format!("{}: {}", f.field, f.message)).collect();
    insta::assert_debug_snapshot!(shown, @r#"
    [
        "spec.addons.extra[0].repoURL: oci://registry.k8s.io/charts/ingress:4.1.0: policy `default` is air-gapped, and none of its rules leads to `registry.k8s.io`",
        "spec.addons.extra[0].values: registry.k8s.io/ingress/controller:v1.13: policy `default` is air-gapped, and none of its rules leads to `registry.k8s.io`",
        "spec.addons.manifests[0].objects: busybox: policy `default` is air-gapped, and none of its rules leads to `docker.io`",
        "spec.addons.manifests[0].objects: quay.io/team/b:v1 and 1 more: policy `default` is air-gapped, and none of its rules leads to `quay.io`",
        "spec.addons.metallb: https://metallb.github.io/metallb/metallb:0.15.2: policy `default` is air-gapped, and none of its rules leads to `metallb.github.io`",
        "spec.addons.metallb: quay.io/metallb/controller:v0.15.2 and 2 more: policy `default` is air-gapped, and none of its rules leads to `quay.io`",
        "spec.network.cni: docker.io/calico/apiserver:v3.28.3 and 8 more: policy `default` is air-gapped, and none of its rules leads to `docker.io`",
        "spec.network.cni: https://docs.tigera.io/calico/charts/tigera-operator:v3.28.3: policy `default` is air-gapped, and none of its rules leads to `docs.tigera.io`",
        "spec.network.cni: quay.io/tigera/operator: policy `default` is air-gapped, and none of its rules leads to `quay.io`",
    ]
    "#);
    let open = with(wanted, |e| e.images.airgapped = false);
    assert!(crate::findings(&open).is_empty());
}

fn patched(kind: &str, name: Option<&str>, merge: Value) -> SourcedPatch {
    let target = PatchTarget { api_version: None, kind: kind.to_owned(), name: name.map(str::to_owned) };
    let merge = serde_json::from_value(merge).unwrap();
    SourcedPatch {
        file: "overlays/debug.yaml".to_owned(),
        field: "spec.patches[0]".to_owned(),
        patch: Patch { target, json: None, merge: Some(merge), force: true },
    }
}

#[test]
fn what_patches_bring_in_is_on_the_bill_and_is_refused() {
    let pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: evil.example.com/x:v1\n";
    let files = json!([{"path": "/etc/kubernetes/manifests/x.yaml", "content": pod}]);
    let in_template = patched("KubeadmConfigTemplate", None, json!({"spec": {"template": {"spec": {"files": files}}}}));
    let in_chart =
        patched("HelmChartProxy", Some("billing-ingress"), json!({"spec": {"repoURL": "https://charts.example.org"}}));
    let wanted =
        with(airgapped(Flavor::Calico, "1.34.2", InstalledCni::Calico), |e| e.patches = vec![in_template, in_chart]);
    let unmapped: Vec<_> =
        crate::unmapped(&wanted, &lock_of(&wanted)).into_iter().map(|e| (e.object, host(&e.reference))).collect();
    assert_eq!(unmapped[0], ("HelmChartProxy/billing-ingress".to_owned(), "charts.example.org".to_owned()));
    assert_eq!(unmapped.len(), 1 + wanted.effective.pools.len());
    assert!(unmapped[1..].iter().all(|(_, host)| host == "evil.example.com"));
    let fields: Vec<_> = image_findings(&wanted).into_iter().map(|f| f.field).collect();
    assert_eq!(fields, ["spec.addons.extra[0].repoURL", "spec.patches"]);
}

#[test]
fn a_patch_that_fails_hides_no_images() {
    let wanted = with(airgapped(Flavor::Calico, "1.34.2", InstalledCni::Calico), |e| {
        e.patches = vec![patched("Nothing", None, json!({}))];
        e.images.rewrite.clear();
    });
    let rules: BTreeSet<_> = crate::findings(&wanted).into_iter().map(|f| f.rule).collect();
    assert_eq!(rules, BTreeSet::from(["airgapped-host", "patch-target"]));
}

#[test]
fn images_of_written_manifests_are_rewritten_in_place() {
    let wanted = airgapped(Flavor::Calico, "1.34.2", InstalledCni::Calico);
    let objects = objects(&rendered(&wanted));
    let text = find(&objects, "ConfigMap", "billing-team")["data"]["objects.yaml"].as_str().unwrap();
    for expected in [
        "image: mirror.example.com/docker.io/library/busybox",
        "image: mirror.example.com/quay.io/team/b:v1",
        "# kept\n",
        "- image: mirror.example.com/quay.io/team/c:v2",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}
