//! R2: what a confirmed deletion leaves of the output, phase by phase, and how all of it comes back.

use super::fixtures::*;
use super::random::clusters;
use crate::deleting::{Files, NAMES, left};
use crate::{Edited, Memo, Settled, edit, tombstone_path};
use model::fleet::{ApiVersion, GitOpsTool};
use model::lock::{ClusterTombstone, Deletion, DeletionPhase, Ending, TombstoneKind, Values};
use model::tree::MemoryTree;
use model::want::{Flavor, OrphanLock, Wanted};
use model::{ClusterId, ClusterLock, CommitId, Want};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

const DIR: &str = "rendered/kclm/payments/billing";
const LOCK: &str = "stages/production/clusters/billing/cluster.lock.yaml";
const PHASES: [DeletionPhase; 3] = [DeletionPhase::Confirmed, DeletionPhase::Removing, DeletionPhase::Freeing];

fn id() -> ClusterId {
    "payments.billing".parse().unwrap()
}

fn deletion(phase: DeletionPhase) -> Option<Deletion> {
    let confirmed_in = CommitId::parse("0123456789abcdef0123456789abcdef01234567").unwrap();
    Some(Deletion { confirmed_in, phase, grace_period: None })
}

/// As the files say: the clusters that have a definition, and the locks of those that have none any more.
fn loaded(clusters: impl IntoIterator<Item = Wanted>, tool: GitOpsTool, files: &MemoryTree) -> Want {
    let mut want = reloaded(want(clusters), files);
    let fleet = Arc::make_mut(want.fleet.as_mut().unwrap());
    fleet.spec.management_clusters[0].gitops = tool;
    fleet.spec.output.source_url = Some("https://git.example.com/fleet.git".to_owned());
    let locks = files.files.iter().filter(|(path, _)| path.ends_with("cluster.lock.yaml"));
    for (path, bytes) in locks {
        let lock: Arc<ClusterLock> = Arc::new(serde_yaml::from_slice(bytes).unwrap());
        let id = lock.cluster().unwrap();
        if !want.clusters.contains_key(&id) {
            want.orphan_locks.insert(id, OrphanLock { path: path.clone(), lock, removed: true });
        }
    }
    if let Some(bytes) = files.files.get(&tombstone_path(&id())) {
        let document: ClusterTombstone = serde_yaml::from_slice(bytes).unwrap();
        want.tombstones.insert(id(), (tombstone_path(&id()), Arc::new(document)));
    }
    want
}

fn run(want: &Want, settled: Settled<'_>, files: &mut MemoryTree) -> Edited {
    let tip = files.tree();
    edit(want, settled, &tip, &tip, &mut Memo::default(), files).unwrap()
}

/// One run in which the cluster has a definition, with this in its lock.
fn with_definition(
    wanted: &Wanted,
    lock: &ClusterLock,
    phase: Option<DeletionPhase>,
    files: &mut MemoryTree,
) -> Edited {
    let lock = ClusterLock { deletion: phase.and_then(deletion), ..lock.clone() };
    let want = loaded([wanted.clone()], wanted.effective.gitops, files);
    run(&want, Settled::live(&BTreeMap::from([(wanted.id.clone(), lock)])), files)
}

/// One run in which it has none; a second one changes nothing.
fn without_definition(tool: GitOpsTool, ending: Ending, files: &mut MemoryTree) -> Edited {
    let (locks, endings) = (BTreeMap::new(), BTreeMap::from([(id(), ending)]));
    let settled = Settled { locks: &locks, endings: &endings };
    let edited = run(&loaded([], tool, files), settled, files);
    let again = run(&loaded([], tool, files), settled, files);
    assert_eq!(again, Edited::default(), "idempotent");
    edited
}

fn lock_in(files: &MemoryTree, phase: DeletionPhase) -> Ending {
    let lock: ClusterLock = serde_yaml::from_slice(&files.files[LOCK]).unwrap();
    Ending::Lock { path: LOCK.to_owned(), lock: Box::new(ClusterLock { deletion: deletion(phase), ..lock }) }
}

fn folder(files: &MemoryTree) -> Files {
    let of = |name| Some((name, files.files.get(&format!("{DIR}/{name}"))?.clone()));
    NAMES.into_iter().filter_map(of).collect()
}

/// Each object of each file, and whether it is guarded.
fn shown(files: &Files) -> String {
    let mut text = String::new();
    for (name, bytes) in files {
        let _ = writeln!(text, "{name}");
        for object in documents(bytes) {
            if let Some(resources) = object["resources"].as_array() {
                let _ = writeln!(text, "  {resources:?}");
                continue;
            }
            let guarded = if object.to_string().contains("Prune=false") { "guarded  " } else { "         " };
            let name = crate::kinds::name_of(&object);
            let _ = writeln!(text, "  {guarded}{}/{name}", object["kind"].as_str().unwrap());
        }
    }
    text
}

#[test]
fn r2_guards_and_files_in_each_phase() {
    let wanted = wanted("billing", Flavor::Calico);
    let (wanted, mut files) = committed(wanted);
    let mut text = format!("== live\n{}", shown(&folder(&files)));
    let _ = with_definition(&wanted, &lock_of(&wanted), Some(DeletionPhase::Confirmed), &mut files);
    let _ = write!(text, "\n== confirmed\n{}", shown(&folder(&files)));
    for phase in [DeletionPhase::Removing, DeletionPhase::Freeing] {
        let ending = lock_in(&files, phase);
        let _ = without_definition(GitOpsTool::None, ending, &mut files);
        let _ = write!(text, "\n== {phase:?}\n{}", shown(&folder(&files)));
    }
    insta::assert_snapshot!("phases", text);
}

#[test]
fn r2_the_folder_while_cluster_api_deletes() {
    let (_, mut files) = committed(wanted("billing", Flavor::Calico));
    let ending = lock_in(&files, DeletionPhase::Removing);
    let _ = without_definition(GitOpsTool::None, ending, &mut files);
    for name in ["templates.yaml", "kustomization.yaml"] {
        let text = std::str::from_utf8(&files.files[&format!("{DIR}/{name}")]).unwrap();
        insta::assert_snapshot!(format!("removing-{name}"), text);
    }
}

#[test]
fn a_deleted_cluster_leaves_its_namespace_and_what_people_wrote() {
    for rest in [false, true] {
        let (wanted, mut files) = committed(wanted("billing", Flavor::Calico));
        let foreign =
            ["rendered/kclm/payments/billing2/pools.yaml", "rendered/kclm/payments/README.md", "tombstones/README.md"];
        for path in foreign {
            files.files.insert(path.to_owned(), b"people".to_vec());
        }
        let lock = lock_of(&wanted);
        let tombstone = ClusterTombstone {
            api_version: ApiVersion::V1Alpha1,
            kind: TombstoneKind::ClusterTombstone,
            identity: lock.identity.clone(),
            values: Values { node_network: lock.values.node_network, vip: lock.values.vip, ..Values::default() },
            deletion: deletion(DeletionPhase::Freeing).unwrap(),
        };
        let ending = if rest { Ending::Tombstone(Box::new(tombstone)) } else { Ending::Nothing };
        let edited = without_definition(GitOpsTool::None, ending, &mut files);
        assert_eq!(edited.changed, [id()]);
        let mut expected: Vec<_> = foreign.into_iter().chain(["rendered/kclm/namespaces/payments.yaml"]).collect();
        expected.extend(rest.then_some("tombstones/payments.billing.yaml"));
        expected.sort_unstable();
        assert_eq!(files.files.keys().collect::<Vec<_>>(), expected);
        if rest {
            insta::assert_snapshot!("tombstone", std::str::from_utf8(&files.files[&tombstone_path(&id())]).unwrap());
            let _ = without_definition(GitOpsTool::None, Ending::Nothing, &mut files);
            assert!(!files.files.contains_key(&tombstone_path(&id())));
        }
    }
}

#[test]
fn a_cluster_without_output_gets_none() {
    let (_, mut files) = committed(wanted("billing", Flavor::Calico));
    files.files.retain(|path, _| !path.starts_with(DIR));
    for phase in PHASES {
        let ending = lock_in(&files, phase);
        let edited = without_definition(GitOpsTool::None, ending, &mut files);
        assert_eq!((edited.files, edited.impacts.len()), (1, 0), "the lock");
    }
}

#[test]
fn i9_a_broken_definition_keeps_everything() {
    let (_, mut files) = committed(wanted("billing", Flavor::Calico));
    let before = files.clone();
    let mut want = loaded([], GitOpsTool::None, &files);
    want.orphan_locks.values_mut().for_each(|orphan| orphan.removed = false);
    for ending in [lock_in(&files, DeletionPhase::Freeing), Ending::Nothing] {
        let (locks, endings) = (BTreeMap::new(), BTreeMap::from([(id(), ending)]));
        let edited = run(&want, Settled { locks: &locks, endings: &endings }, &mut files);
        assert_eq!((edited, &files), (Edited::default(), &before));
    }
}

#[test]
fn the_tombstone_of_a_cluster_that_came_back_goes_alone() {
    let (wanted, mut files) = committed(wanted("billing", Flavor::Calico));
    let before = files.clone();
    let lock = lock_of(&wanted);
    let document = ClusterTombstone {
        api_version: ApiVersion::V1Alpha1,
        kind: TombstoneKind::ClusterTombstone,
        identity: lock.identity.clone(),
        values: Values::default(),
        deletion: deletion(DeletionPhase::Freeing).unwrap(),
    };
    // Moved by a person.
    let path = "tombstones/moved/payments.billing.yaml".to_owned();
    files.files.insert(path.clone(), crate::tombstone(&document));
    let mut want = loaded([wanted], GitOpsTool::None, &files);
    want.tombstones.insert(id(), (path, Arc::new(document)));
    let locks = BTreeMap::from([(id(), lock)]);
    let endings = BTreeMap::from([(id(), Ending::Nothing)]);
    let edited = run(&want, Settled { locks: &locks, endings: &endings }, &mut files);
    assert_eq!((edited.changed, edited.files), (vec![id()], 1));
    assert_eq!(files, before);
}

#[test]
fn something_in_the_way_stops_its_cluster_only() {
    let (_, mut files) = committed(wanted("billing", Flavor::Calico));
    let lock: ClusterLock = serde_yaml::from_slice(&files.files[LOCK]).unwrap();
    let document = ClusterTombstone {
        api_version: ApiVersion::V1Alpha1,
        kind: TombstoneKind::ClusterTombstone,
        identity: lock.identity.clone(),
        values: lock.values,
        deletion: deletion(DeletionPhase::Freeing).unwrap(),
    };
    files.files.insert("tombstones".to_owned(), b"a file".to_vec());
    let before = files.clone();
    let (locks, endings) = (BTreeMap::new(), BTreeMap::from([(id(), Ending::Tombstone(Box::new(document)))]));
    let want = loaded([], GitOpsTool::None, &files);
    let edited = run(&want, Settled { locks: &locks, endings: &endings }, &mut files);
    assert_eq!(edited.obstructed, BTreeMap::from([(id(), "tombstones".to_owned())]));
    assert_eq!((edited.files, files), (0, before));
}

/// What deletes the objects is there as long as there is something to prune.
#[test]
fn r2_delivery_follows_and_deletes_nothing_by_itself() {
    for tool in [GitOpsTool::Argocd, GitOpsTool::Flux] {
        let wanted = with(wanted("billing", Flavor::Calico), |e| e.gitops = tool);
        let mut files = MemoryTree::default();
        let _ = with_definition(&wanted, &lock_of(&wanted), None, &mut files);
        let delivery = |files: &MemoryTree| -> BTreeMap<String, String> {
            let of_tools = files.files.iter().filter(|(path, _)| path.starts_with("gitops/"));
            of_tools.map(|(path, bytes)| (path.clone(), String::from_utf8(bytes.clone()).unwrap())).collect()
        };
        let live = delivery(&files);
        // Old templates stay, and are no reason to sync; once they are to go, they are.
        let templates = String::from_utf8_lossy(&files.files[&format!("{DIR}/templates.yaml")]);
        assert_eq!(templates.matches("IgnoreExtraneous").count(), if tool == GitOpsTool::Argocd { 5 } else { 0 });
        for phase in PHASES {
            let ending = lock_in(&files, phase);
            let _ = without_definition(tool, ending, &mut files);
            assert!(files.files.values().all(|bytes| !String::from_utf8_lossy(bytes).contains("IgnoreExtraneous")));
            assert!(delivery(&files).keys().eq(live.keys()), "{tool:?} {phase:?}");
        }
        if tool == GitOpsTool::Flux {
            let deleting = delivery(&files);
            let parts = deleting.iter().filter(|(path, _)| path.contains("payments.billing/"));
            assert!(parts.map(|(_, text)| text).all(|text| text.ends_with("resources: []\n")));
            let objects = &deleting["gitops/flux/kclm.payments.billing.yaml"];
            assert!(!objects.contains("healthChecks") && objects.contains("deletionPolicy: Orphan"));
        }
        let _ = without_definition(tool, Ending::Nothing, &mut files);
        let mut rest = delivery(&files);
        // The namespaces, and Flux's list.
        rest.retain(|path, _| !path.ends_with("namespaces.yaml") && !path.ends_with("kclm.yaml"));
        assert!(rest.keys().all(|path| path == "gitops/flux/kclm/kustomization.yaml"), "{:?}", rest.keys());
        assert!(rest.values().all(|text| !text.contains("billing")), "{rest:?}");
    }
}

/// One file as one phase left it.
fn mixed(from: &[Files], picks: &[prop::sample::Index]) -> Files {
    let pick = |(name, index): (&'static str, &prop::sample::Index)| Some((name, index.get(from).get(name)?.clone()));
    NAMES.into_iter().zip(picks).filter_map(pick).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// R1, I11: nothing of a deletion that was taken back stays behind, and whatever phase it was in, all comes back.
    #[test]
    fn a_deletion_that_is_taken_back_restores_the_very_bytes((wanted, lock) in clusters(), argocd in any::<bool>()) {
        let tool = if argocd { GitOpsTool::Argocd } else { GitOpsTool::None };
        let wanted = with(wanted, |e| (e.gitops, e.paused) = (tool, false));
        let mut files = MemoryTree::default();
        let _ = with_definition(&wanted, &lock, None, &mut files);
        let live = files.clone();
        let _ = with_definition(&wanted, &lock, Some(DeletionPhase::Confirmed), &mut files);
        prop_assert_ne!(folder(&files), folder(&live));
        let _ = with_definition(&wanted, &lock, None, &mut files);
        prop_assert_eq!(&files, &live);

        let _ = with_definition(&wanted, &lock, Some(DeletionPhase::Confirmed), &mut files);
        for phase in PHASES {
            let ending = lock_in(&files, phase);
            let _ = without_definition(tool, ending, &mut files);
            let mut back = files.clone();
            let _ = with_definition(&wanted, &lock, None, &mut back);
            prop_assert_eq!(&back, &live, "{:?}", phase);
        }
        let _ = without_definition(tool, Ending::Nothing, &mut files);
        let _ = with_definition(&wanted, &lock, None, &mut files);
        prop_assert_eq!(&files, &live);
    }

    /// What is made of committed files is what is rendered, and does not depend on what earlier commits left of them.
    #[test]
    fn every_phase_is_the_same_from_whatever_is_there(
        (wanted, lock) in clusters(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), NAMES.len()),
    ) {
        let wanted = with(wanted, |e| e.paused = false);
        let mut files = MemoryTree::default();
        let _ = with_definition(&wanted, &lock, None, &mut files);
        let live = folder(&files);
        let _ = with_definition(&wanted, &lock, Some(DeletionPhase::Confirmed), &mut files);
        let confirmed = folder(&files);
        let comment = crate::render::comment(&wanted.path);
        let left = |phase, files: &Files| left(&comment, phase, files);
        prop_assert_eq!(&left(DeletionPhase::Confirmed, &live), &confirmed);
        let removing = left(DeletionPhase::Removing, &live);
        // Of what holds the firewall's template one file at least is there.
        let mut later = removing.clone();
        later.insert(NAMES[2], live[NAMES[2]].clone());
        let mixture = mixed(&[live, confirmed, later], &picks);
        for phase in PHASES {
            let result = left(phase, &mixture);
            prop_assert_eq!(&left(phase, &result), &result, "idempotent");
            prop_assert_eq!(left(DeletionPhase::Removing, &result) == removing, phase != DeletionPhase::Freeing);
        }
    }
}

#[test]
fn r2_output_is_as_a_phase_has_it_or_not_yet() {
    let (wanted, mut files) = committed(wanted("billing", Flavor::Calico));
    let in_phase = |phase| ClusterLock { deletion: deletion(phase), ..lock_of(&wanted) };
    let is_left = |files: &MemoryTree| PHASES.map(|phase| crate::is_left(&in_phase(phase), &files.tree()));
    assert_eq!(is_left(&files), [false, false, false], "guards are there");
    assert!(!crate::is_left(&lock_of(&wanted), &files.tree()), "it is not being deleted");
    let _ = with_definition(&wanted, &lock_of(&wanted), Some(DeletionPhase::Confirmed), &mut files);
    assert_eq!(is_left(&files), [true, false, false]);
    let _ = without_definition(GitOpsTool::None, lock_in(&files, DeletionPhase::Removing), &mut files);
    // What is left of it has no guards either.
    assert_eq!(is_left(&files), [true, true, false]);
    files.files.insert(format!("{DIR}/more.yaml"), Vec::new());
    assert_eq!(is_left(&files), [false, false, false]);
    files.files.retain(|path, _| !path.starts_with(DIR));
    assert_eq!(is_left(&files), [true, true, true], "there is none");
}

#[test]
fn i9_a_paused_cluster_keeps_nothing_of_a_confirmation_that_was_taken_back() {
    let (live, mut files) = committed(wanted("billing", Flavor::Calico));
    let before = folder(&files);
    let _ = with_definition(&live, &lock_of(&live), Some(DeletionPhase::Confirmed), &mut files);
    assert!(folder(&files) != before);
    let mut paused = live.clone();
    let effective = Arc::make_mut(&mut paused.effective);
    effective.paused = true;
    paused.blocked = Some(model::want::Blocked { reason: model::Reason::Paused, message: String::new() });
    for (is_confirmed, keeps) in [(true, true), (false, false)] {
        Arc::make_mut(&mut paused.effective).deletion.is_confirmed = is_confirmed;
        let want = loaded([paused.clone()], paused.effective.gitops, &files);
        let _ = run(&want, Settled::live(&BTreeMap::new()), &mut files);
        let lock: ClusterLock = serde_yaml::from_slice(&files.files[LOCK]).unwrap();
        assert_eq!(lock.deletion.is_some(), keeps);
    }
    let guarded = |files: &Files| shown(files).matches("guarded").count();
    assert_eq!(guarded(&folder(&files)), guarded(&before), "its guards are back");
}
