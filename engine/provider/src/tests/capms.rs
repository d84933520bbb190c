//! What CAPMS has, we have.

use super::narrowed::narrowed;
use super::{capms, our, schema_of};
use serde_json::Value;
use std::collections::BTreeSet;

const SETTER: &str = "a list map refuses two conditions of one type: CAPMS's setter never writes two, and objects that \
                      have two can still be updated";
const ALLOCATED: &str = "compares with the old object only, so that every object can be created and every unchanged \
                         one updated; lets pass what CAPMS itself does: set what was empty, remove what was freed";

/// Where we are narrower, on purpose.
const NARROWER: [(&str, &str, &str); 13] = [
    ("MetalStackCluster", ": x-kubernetes-validations", ALLOCATED),
    ("MetalStackCluster", ".status.conditions: x-kubernetes-list-type", SETTER),
    ("MetalStackCluster", ".status.conditions: x-kubernetes-list-map-keys", SETTER),
    ("MetalStackFirewallDeployment", ".status.conditions: x-kubernetes-list-type", SETTER),
    ("MetalStackFirewallDeployment", ".status.conditions: x-kubernetes-list-map-keys", SETTER),
    ("MetalStackMachine", ".spec: x-kubernetes-validations", ALLOCATED),
    ("MetalStackMachine", ".spec.providerID: x-kubernetes-validations", ALLOCATED),
    ("MetalStackMachine", ".status.conditions: x-kubernetes-list-type", SETTER),
    ("MetalStackMachine", ".status.conditions: x-kubernetes-list-map-keys", SETTER),
    ("MetalStackMachineTemplate", ".spec.template.spec: x-kubernetes-validations", ALLOCATED),
    ("MetalStackMachineTemplate", ".spec.template.spec.providerID: x-kubernetes-validations", ALLOCATED),
    ("MetalStackMachineTemplate", ".spec.template.status.conditions: x-kubernetes-list-type", SETTER),
    ("MetalStackMachineTemplate", ".spec.template.status.conditions: x-kubernetes-list-map-keys", SETTER),
];

#[test]
fn what_capms_admits_is_admitted_and_means_the_same() {
    let Some(capms) = capms() else { return };
    let mut found = BTreeSet::new();
    for theirs in &capms {
        let kind = theirs["spec"]["names"]["kind"].as_str().unwrap();
        let narrowed = narrowed(schema_of(theirs), schema_of(&our(kind)));
        found.extend(narrowed.into_iter().map(|what| (kind.to_owned(), what)));
    }
    let allowed = NARROWER.iter().map(|&(kind, what, _)| (kind.to_owned(), what.to_owned())).collect();
    assert_eq!(found, allowed);
}

/// Columns of CAPMS that we show in another way.
const COLUMNS: [(&str, &str, &str); 1] =
    [("MetalStackMachine", "Healthy", "by index: shows another condition when one is missing (D46)")];

#[test]
fn what_kubectl_knows_of_capms_s_kinds_it_knows_of_ours() {
    let Some(capms) = capms() else { return };
    for theirs in &capms {
        let kind = theirs["spec"]["names"]["kind"].as_str().unwrap();
        let ours = our(kind);
        assert_eq!(theirs["metadata"]["name"], ours["metadata"]["name"]);
        assert_eq!(theirs["spec"]["group"], ours["spec"]["group"]);
        assert_eq!(theirs["spec"]["scope"], ours["spec"]["scope"]);
        assert_eq!(theirs["spec"]["names"], ours["spec"]["names"]);
        let (their, our) = (&theirs["spec"]["versions"][0], &ours["spec"]["versions"][0]);
        for key in ["name", "served", "storage"] {
            assert_eq!(their[key], our[key], "{kind}: {key}");
        }
        for (subresource, _) in their["subresources"].as_object().unwrap() {
            assert!(our["subresources"][subresource].is_object(), "{kind}: {subresource}");
        }
        let shown = |column: &Value| ["name", "type", "jsonPath", "priority"].map(|key| column[key].clone());
        let columns: Vec<_> = our["additionalPrinterColumns"].as_array().unwrap().iter().map(shown).collect();
        for column in their["additionalPrinterColumns"].as_array().unwrap() {
            let is_other = COLUMNS.iter().any(|&(of, name, _)| of == kind && column["name"] == name);
            assert_eq!(columns.contains(&shown(column)), !is_other, "{kind}: {column}");
            assert!(columns.iter().any(|[name, ..]| *name == column["name"]), "{kind}: {column}");
        }
    }
}
