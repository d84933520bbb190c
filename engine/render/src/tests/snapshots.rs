//! The files as they are committed, whole, for each flavor.

use super::fixtures::*;
use model::want::Flavor;

fn check(flavor: Flavor, name: &str) {
    let (_, files) = committed(wanted(name, flavor));
    for (path, bytes) in &files.files {
        let file = path.rsplit('/').next().unwrap();
        let file = if path.contains("/namespaces/") { "namespace.yaml" } else { file };
        insta::assert_snapshot!(format!("{name}-{file}"), std::str::from_utf8(bytes).unwrap());
    }
}

#[test]
fn calico() {
    check(Flavor::Calico, "billing");
}

#[test]
fn default() {
    check(Flavor::Default, "shop");
}

#[test]
fn pre_v1_33() {
    check(Flavor::PreV133, "legacy");
}
