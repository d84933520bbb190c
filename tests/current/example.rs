//! The example fleet: its locks and output are committed, and stay what the engine would commit.

use crate::{is_update, root};
use ferrofleet_tests::bed::{Bed, LIMIT};
use ferrofleet_tests::binary::Process;
use model::tree::MemoryTree;
use model::{Finding, Timestamp};
use std::path::{Path, PathBuf};

/// What the simulator had when the locks were committed.
fn state_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fleet-example.state.json")
}

fn example() -> MemoryTree {
    let dir = root().join("fleet-example");
    let mut tree = MemoryTree::default();
    let mut folders = vec![dir.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&dir).expect("below the example").display().to_string();
                tree.files.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    tree
}

/// Resolves the definitions on a fresh simulator and writes locks, output and the simulator's state.
fn update() {
    let state = state_file();
    if state.exists() {
        std::fs::remove_file(&state).expect("it can be removed");
    }
    let bed = Bed::with_state(&state);
    for (path, bytes) in example().files.iter().filter(|(path, _)| !gitops_owned(path)) {
        bed.ada.write(path, std::str::from_utf8(bytes).expect("text"));
    }
    bed.ada.push("The example fleet");
    let _ = bed.run_once().expect(0);
    bed.until_phoned_home();
    let out = root().join("fleet-example");
    for folder in ["rendered", "gitops"].map(|name| out.join(name)).iter().filter(|folder| folder.exists()) {
        std::fs::remove_dir_all(folder).expect("it can be removed");
    }
    for path in bed.remote.paths().into_iter().filter(|path| gitops_owned(path)) {
        let to = out.join(&path);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("it can be made");
        std::fs::write(to, bed.remote.read(&path) + "\n").expect("it can be written");
    }
    bed.stop_sim();
}

fn gitops_owned(path: &str) -> bool {
    path.ends_with("cluster.lock.yaml") || path.starts_with("rendered/") || path.starts_with("gitops/")
}

#[test]
fn the_example_is_what_its_locks_render() {
    if is_update() {
        update();
    }
    let files = example();
    let tree = files.tree();
    let now = Timestamp::from_second(1_790_000_000).expect("a time");
    let loaded = fleet::load(&tree, &mut fleet::Memo::default(), now);
    assert_eq!(loaded.findings, Vec::<Finding>::new());
    let locked = loaded.want.clusters.values().filter_map(|w| Some((w.id.clone(), (**w.lock.as_ref()?).clone())));
    let locks: std::collections::BTreeMap<_, _> = locked.collect();
    assert_eq!(locks.len(), 3, "every cluster is locked");
    let mut changed = MemoryTree::default();
    let edited = render::edit(
        &loaded.want,
        render::Settled::live(&locks),
        &tree,
        &tree,
        &mut render::Memo::default(),
        &mut changed,
    );
    assert_eq!((edited.expect("it renders").files, changed.files.keys().collect::<Vec<_>>()), (0, vec![]));
}

#[test]
fn a_plan_against_a_metal_api_that_was_given_the_example_is_empty() {
    if is_update() {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let state = dir.path().join("state.json");
    std::fs::copy(state_file(), &state).expect("a fixture");
    let bed = Bed::with_state(&state);
    let example = root().join("fleet-example").display().to_string();
    let plan = Process::spawn(&mut bed.command(&["plan", &example])).finish(LIMIT).expect(0);
    assert!(!plan.stdout.contains("allocate"), "{}", plan.stdout);
    assert_eq!(bed.writes(), Vec::<String>::new());
}
