//! R1 and I11: another binary replaces no machine, a person's change of inputs does.

use super::fixtures::*;
use super::patches::patched;
use crate::Rendered;
use model::ClusterLock;
use model::tree::MemoryTree;
use model::want::{Flavor, Wanted};
use serde_json::{Value, json};

const DIR: &str = "rendered/kclm/payments/billing";

/// A cluster committed by a binary that wrote other bytes in every machine-affecting object.
fn by_another_binary() -> (Wanted, MemoryTree) {
    committed_by_another_binary(wanted("billing", Flavor::Calico))
}

pub(super) fn committed_by_another_binary(wanted: Wanted) -> (Wanted, MemoryTree) {
    let (wanted, mut files) = committed(wanted);
    for (path, bytes) in &mut files.files {
        let old = String::from_utf8(bytes.clone()).unwrap();
        let mut new = old.replace("value: lo\n", "value: lo0\n").replace("allow outgoing", "let out");
        if path.starts_with("rendered/") {
            new = new.replace("billing-general-", "billing-general-x").replace("billing-control-plane-", "billing-cp-");
            new = new.replace("billing-batch-", "billing-batch-y").replace("cloud-provider", "cloudy-provider");
        }
        *bytes = new.into_bytes();
    }
    (wanted, files)
}

fn render(wanted: &Wanted, lock: &ClusterLock, files: &MemoryTree) -> Rendered {
    crate::cluster(wanted, lock, &|path| files.files.get(path).cloned())
}

fn all(files: &MemoryTree) -> Vec<Value> {
    let list: Vec<_> =
        files.files.iter().filter(|(p, _)| p.starts_with(DIR)).map(|(p, b)| (p.clone(), b.clone())).collect();
    objects(&list)
}

#[test]
fn another_binary_changes_replicas_and_nothing_that_replaces_a_machine() {
    let (wanted, files) = by_another_binary();
    let wanted = with(wanted, |e| {
        e.control_plane.replicas.value = 5;
        e.pools[0].machines.replicas.value = 9;
    });
    let rendered = render(&wanted, &lock_of(&wanted), &files);
    insta::assert_debug_snapshot!(rendered.outdated, @r#"
    [
        "MetalStackFirewallTemplate/billing",
        "KubeadmControlPlane/billing-control-plane",
        "MetalStackMachineTemplate/billing-cp-3ce1bc44",
        "MachineDeployment/billing-general",
        "MetalStackMachineTemplate/billing-general-xd38fa64c",
        "KubeadmConfigTemplate/billing-general-xc69eee36",
        "MachineDeployment/billing-batch",
        "MetalStackMachineTemplate/billing-batch-yd38fa64c",
        "KubeadmConfigTemplate/billing-batch-yc69eee36",
    ]
    "#);
    let (before, after) = (all(&files), objects(&rendered.files));

    let (old, new) = (find(&before, "KubeadmControlPlane", "billing"), find(&after, "KubeadmControlPlane", "billing"));
    assert_eq!(new["spec"]["kubeadmConfigSpec"], old["spec"]["kubeadmConfigSpec"]);
    assert_eq!(new["spec"]["machineTemplate"], old["spec"]["machineTemplate"]);
    assert_eq!((&old["spec"]["replicas"], &new["spec"]["replicas"]), (&3.into(), &5.into()));
    for (pool, replicas) in [("billing-general", 9), ("billing-batch", 4)] {
        let (old, new) = (find(&before, "MachineDeployment", pool), find(&after, "MachineDeployment", pool));
        assert_eq!(new["spec"]["template"], old["spec"]["template"]);
        assert_eq!(new["spec"]["replicas"], replicas);
    }
    for kind in ["MetalStackMachineTemplate", "KubeadmConfigTemplate", "MetalStackFirewallTemplate"] {
        let of = |objects: &[Value]| objects.iter().filter(|o| o["kind"] == kind).cloned().collect::<Vec<_>>();
        assert_eq!(of(&after), of(&before), "{kind}");
    }
}

#[test]
fn what_was_kept_is_kept_for_ever_and_settles() {
    let (wanted, files) = by_another_binary();
    let lock = lock_of(&wanted);
    let first = render(&wanted, &lock, &files);
    assert!(!first.outdated.is_empty());
    let mut again = files;
    again.files.extend(first.files.iter().cloned());
    assert_eq!(render(&wanted, &lock, &again), first);
}

#[test]
fn a_changed_input_renders_its_own_object_anew_and_no_other() {
    let (wanted, files) = by_another_binary();
    let fresh = rendered(&wanted);
    let wanted = with(wanted, |e| e.pools[0].machines.size.value = model::SizeId::parse("c1-large-x86").unwrap());
    let rendered = render(&wanted, &lock_of(&wanted), &files);
    let (before, after, fresh) = (all(&files), objects(&rendered.files), objects(&fresh));
    let spec = |objects: &[Value], pool| find(objects, "MachineDeployment", pool)["spec"]["template"]["spec"].clone();
    let changed = spec(&after, "billing-general");
    assert_ne!(changed["infrastructureRef"], spec(&before, "billing-general")["infrastructureRef"]);
    assert_eq!(changed["bootstrap"], spec(&fresh, "billing-general")["bootstrap"]);
    assert_eq!(spec(&after, "billing-batch"), spec(&before, "billing-batch"));
    assert!(!rendered.outdated.iter().any(|o| o.contains("general")), "{:?}", rendered.outdated);
}

#[test]
fn a_new_kube_vip_of_the_policy_is_a_persons_change() {
    let (wanted, files) = by_another_binary();
    let wanted = with(wanted, |e| e.control_plane.image.kube_vip = "v0.9.0".to_owned());
    let rendered = render(&wanted, &lock_of(&wanted), &files);
    let after = objects(&rendered.files);
    let config = find(&after, "KubeadmControlPlane", "billing")["spec"]["kubeadmConfigSpec"].to_string();
    assert!(config.contains("kube-vip:v0.9.0") && config.contains("value: lo\\n"), "{config}");
}

#[test]
fn r5_a_replaced_firewall_is_described_by_the_template_that_made_it() {
    let (wanted, files) = by_another_binary();
    let mut lock = lock_of(&wanted);
    let kept = render(&wanted, &lock, &files);
    assert!(kept.outdated.contains(&"MetalStackFirewallTemplate/billing".to_owned()));
    if let Some(firewall) = &mut lock.values.firewall {
        firewall.id = model::MachineId::parse("00000000-0000-4000-8000-0000000000f2").unwrap();
        firewall.image = model::ImageId::parse("firewall-ubuntu-3.0.20251201").unwrap();
    }
    let replaced = render(&wanted, &lock, &files);
    assert!(!replaced.outdated.contains(&"MetalStackFirewallTemplate/billing".to_owned()));
    let objects = objects(&replaced.files);
    assert_eq!(
        find(&objects, "MetalStackFirewallTemplate", "billing")["spec"]["image"],
        "firewall-ubuntu-3.0.20251201"
    );
    assert_eq!(
        find(&objects, "MetalStackFirewallDeployment", "billing")["spec"]["managedResourceRef"]["name"],
        "metal://muc-a/00000000-0000-4000-8000-0000000000f2"
    );
}

#[test]
fn absent_services_stay_absent_until_a_person_changes_the_network() {
    let (wanted, mut files) = committed(wanted("billing", Flavor::Calico));
    let path = format!("{DIR}/infrastructure.yaml");
    let text = String::from_utf8(files.files[&path].clone()).unwrap();
    let without = text.replace("    services:\n      cidrBlocks:\n      - 10.248.0.0/16\n", "");
    assert_ne!(text, without);
    files.files.insert(path, without.into_bytes());
    let network = |wanted: &Wanted| {
        let objects = objects(&render(wanted, &lock_of(wanted), &files).files);
        find(&objects, "Cluster", "billing")["spec"]["clusterNetwork"].clone()
    };
    assert_eq!(network(&wanted).get("services"), None);
    let changed = with(wanted, |e| e.services.value = cidr("10.249.0.0/16"));
    assert_eq!(network(&changed)["services"]["cidrBlocks"][0], "10.249.0.0/16");
}

#[test]
fn a_template_that_the_commit_lost_keeps_its_name() {
    let (wanted, mut files) = by_another_binary();
    files.files.remove(&format!("{DIR}/templates.yaml"));
    let rendered = render(&wanted, &lock_of(&wanted), &files);
    let after = objects(&rendered.files);
    let owner = find(&after, "KubeadmControlPlane", "billing");
    let name = owner["spec"]["machineTemplate"]["spec"]["infrastructureRef"]["name"].as_str().unwrap();
    assert!(name.starts_with("billing-cp-"));
    find(&after, "MetalStackMachineTemplate", name);
}

#[test]
fn without_a_recorded_digest_nothing_is_kept() {
    let (mut wanted, files) = by_another_binary();
    wanted.lock = None;
    assert_eq!(render(&wanted, &lock_of(&wanted), &files).files, rendered(&wanted));
}

#[test]
fn committed_bytes_that_are_no_yaml_keep_nothing_and_break_nothing() {
    let (wanted, mut files) = by_another_binary();
    for (path, bytes) in &mut files.files {
        if path.starts_with(DIR) {
            *bytes = b"\xff\xfe: [ &a *a".to_vec();
        }
    }
    let rendered = render(&wanted, &lock_of(&wanted), &files);
    assert_eq!((rendered.files, rendered.outdated.len()), (super::fixtures::rendered(&wanted), 0));
}

/// A patch with this value at a place, or none.
fn patch_of(kind: &str, name: &str, path: &str, value: Option<&Value>) -> Vec<Value> {
    let of = |value| json!({"target": {"kind": kind, "name": name}, "force": true, "json": [{"op": "add", "path": path, "value": value}]});
    value.map(of).into_iter().collect()
}

/// Which machines the output replaces: by the objects that are not kept.
fn anew(rendered: &Rendered) -> String {
    let owners = [
        ("MetalStackFirewallTemplate/billing", "firewall"),
        ("KubeadmControlPlane/billing-control-plane", "controlPlane"),
        ("MachineDeployment/billing-general", "general"),
        ("MachineDeployment/billing-batch", "batch"),
    ];
    let anew = owners.iter().filter(|(object, _)| !rendered.outdated.iter().any(|outdated| outdated == object));
    anew.map(|(_, owner)| *owner).collect::<Vec<_>>().join(" ")
}

#[test]
fn r1_a_patch_replaces_machines_only_where_it_touches_what_replaces_them() {
    let config = "/spec/kubeadmConfigSpec/preKubeadmCommands";
    let pool = "/spec/template/spec/preKubeadmCommands";
    let cases = [
        ("KubeadmControlPlane", "billing-control-plane", config, "controlPlane"),
        ("KubeadmControlPlane", "billing-control-plane", "/spec/machineNaming", ""),
        ("KubeadmControlPlane", "billing-control-plane", "/metadata/annotations/a", ""),
        ("MetalStackMachineTemplate", "billing-control-plane", "/spec/template/spec/size", "controlPlane"),
        ("MetalStackMachineTemplate", "billing-*", "/metadata/labels/a", ""),
        ("KubeadmConfigTemplate", "billing-batch", pool, "batch"),
        ("KubeadmConfigTemplate", "billing-*", pool, "general batch"),
        ("KubeadmConfigTemplate", "billing-batch", "/metadata/labels/a", ""),
        ("MachineDeployment", "billing-general", "/spec/template/spec/bootstrap/dataSecretName", "general"),
        ("MachineDeployment", "billing-general", "/spec/template/metadata/annotations", ""),
        ("MachineDeployment", "*", "/spec/rollout/strategy/type", ""),
        ("MachineDeployment", "*", "/spec/rollout/after", "general batch"),
        ("MachineDeployment", "billing-batch", "/spec/template/spec/failureDomain", "batch"),
        ("MachineDeployment", "billing-batch", "/spec/template/spec/deletion/order", ""),
        ("KubeadmControlPlane", "*", "/spec/rollout/after", "controlPlane"),
        ("MetalStackFirewallTemplate", "billing", "/spec/size", "firewall"),
        ("MetalStackFirewallTemplate", "billing", "/spec/dnsServerAddress", ""),
        ("MetalStackCluster", "billing", "/metadata/annotations/a", ""),
        ("HelmChartProxy", "*", "/spec/timeout", ""),
    ];
    let (one, two) = (json!("one"), json!("two"));
    for (kind, name, path, expected) in cases {
        for (before, after) in
            [(None, Some(&one)), (Some(&one), Some(&two)), (Some(&one), None), (Some(&one), Some(&one))]
        {
            let case = format!("{kind}/{name} {path}: {before:?} -> {after:?}");
            let first = patched(wanted("billing", Flavor::Calico), &patch_of(kind, name, path, before));
            let (wanted, files) = committed_by_another_binary(first);
            let wanted = patched(wanted, &patch_of(kind, name, path, after));
            let rendered = render(&wanted, &lock_of(&wanted), &files);
            let expected = if before == after { "" } else { expected };
            assert_eq!(anew(&rendered), expected, "{case}");

            // Kept or not, what is written is what the patches say.
            let fresh = crate::cluster(&patched(wanted.clone(), &[]), &lock_of(&wanted), &|_| None);
            let prefix = name.trim_end_matches('*');
            let values = |files: &[(String, Vec<u8>)]| -> Vec<Option<Value>> {
                let objects = objects(files);
                let of_kind = |o: &&Value| o["kind"] == kind && crate::kinds::name_of(o).starts_with(prefix);
                objects.iter().filter(of_kind).map(|o| o.pointer(path).cloned()).collect()
            };
            let wished = after.cloned();
            for (value, unpatched) in values(&rendered.files).into_iter().zip(values(&fresh.files)) {
                assert_eq!(value, wished.clone().or(unpatched), "{case}");
            }
        }
    }
}

#[test]
fn a_removed_patch_restores_what_is_rendered_without_it() {
    let unpatched = wanted("billing", Flavor::Calico);
    let (_, plain) = committed(unpatched.clone());
    let value = json!(["touch /etc/patched"]);
    let patches =
        patch_of("KubeadmConfigTemplate", "billing-batch", "/spec/template/spec/preKubeadmCommands", Some(&value));
    let (with_patch, files) = committed(patched(unpatched, &patches));
    assert_ne!(files, plain);
    let without = patched(with_patch, &[]);
    let rendered = render(&without, &lock_of(&without), &files);
    let expected: Vec<_> = plain.files.into_iter().filter(|(path, _)| path.starts_with(DIR)).collect();
    assert_eq!((rendered.files, rendered.outdated.len()), (expected, 0));
}

#[test]
fn r1_a_template_that_a_patch_names_is_not_ours_to_keep() {
    let name = "/spec/template/spec/infrastructureRef/name";
    let patches = patch_of("MachineDeployment", "billing-batch", name, Some(&json!("theirs")));
    let (wanted, files) = committed_by_another_binary(patched(wanted("billing", Flavor::Calico), &patches));
    let after = objects(&render(&wanted, &lock_of(&wanted), &files).files);
    assert_eq!(find(&after, "MachineDeployment", "billing-batch").pointer(name).unwrap(), "theirs");
    assert!(after.iter().all(|object| crate::kinds::name_of(object) != "theirs"));
}
