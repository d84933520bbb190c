//! `deploy/crds` is what the types say.

use super::{documents, root, yaml_files};
use std::collections::BTreeSet;

#[test]
fn the_files_to_install_are_what_the_types_say() {
    let dir = root().join("deploy/crds");
    let is_update = std::env::var_os("FERROFLEET_UPDATE").is_some_and(|value| value == "1");
    for (name, text) in crate::files() {
        let path = dir.join(&name);
        if is_update {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(&path, text).unwrap();
        } else {
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                committed == text,
                "{} is not current; run FERROFLEET_UPDATE=1 cargo test -p ferrofleet-provider",
                path.display()
            );
        }
    }
    let names: BTreeSet<_> = crate::files().into_iter().map(|(name, _)| dir.join(name)).collect();
    assert_eq!(yaml_files(&dir).into_iter().collect::<BTreeSet<_>>(), names, "a file that nothing writes");
}

#[test]
fn files_and_the_stream_say_the_same() {
    let together: String = crate::files().into_iter().map(|(_, text)| text).collect();
    assert_eq!(crate::yaml(), together);
    assert_eq!(documents(&together), crate::objects());
    assert_eq!(crate::objects().len(), 8);
}
