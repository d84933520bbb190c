//! The example fleet.

use super::kit::{loaded, shown, whole_example};
use model::want::Flavor;

#[test]
fn the_example_loads_without_findings() {
    let mut tree = whole_example();
    tree.files.retain(|path, _| !path.ends_with(".lock.yaml"));
    let loaded = loaded(&tree);
    assert_eq!(shown(&loaded.findings), "");
    let clusters: Vec<_> =
        loaded.want.clusters.values().map(|w| (w.id.to_string(), w.effective.flavor.value)).collect();
    let expected = [
        ("default.legacy".to_owned(), Flavor::PreV133),
        ("default.shop".to_owned(), Flavor::Default),
        ("payments.billing".to_owned(), Flavor::Calico),
    ];
    assert_eq!(clusters, expected);
    assert!(loaded.want.clusters.values().all(|w| w.blocked.is_none()));
}

#[test]
fn the_committed_locks_fit_the_definitions() {
    let loaded = loaded(&whole_example());
    assert_eq!(shown(&loaded.findings), "");
    for wanted in loaded.want.clusters.values() {
        let lock = wanted.lock.as_deref().expect("each has a lock");
        assert_eq!(lock.source.digest, wanted.digest, "{}", wanted.id);
        assert_eq!(
            lock.rendered,
            model::want::input_digests(wanted.id.name(), &wanted.effective, &lock.values),
            "{}",
            wanted.id
        );
    }
}
