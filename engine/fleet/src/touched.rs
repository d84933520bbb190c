//! Which clusters a changed policy or overlay changes: for reviewers, who see the one line that was edited.

use crate::load::load;
use crate::memo::Memo;
use model::{ClusterId, Digest, Entry, ImageId, Timestamp, Tree, Want};
use std::collections::{BTreeMap, BTreeSet};

/// For each document of `policies/` and `overlays/` that differs between two trees: the clusters whose effective settings
/// it changes, or which it stops or lets go on. Documents that change nothing are there with no cluster.
///
/// Each document is looked at by itself: put into the tree of before, and taken back from the tree of after.
pub fn touched(before: &Tree, after: &Tree, memo: &mut Memo, now: Timestamp) -> BTreeMap<String, Vec<ClusterId>> {
    let changed = changed(before, after);
    if changed.is_empty() {
        return BTreeMap::new();
    }
    let mut settings = |tree: &Tree| Settings::of(&load(tree, memo, now).want);
    let (was, is) = (settings(before), settings(after));
    let all: BTreeSet<_> = was.differing(&is).collect();
    let touches = |path: &String| {
        let put = settings(&with(before, after, path));
        let taken_back = settings(&with(after, before, path));
        let by_putting: BTreeSet<_> = was.differing(&put).collect();
        // A cluster that was not there before is not touched: it is new.
        let by_taking_back = is.differing(&taken_back).filter(|id| was.0.contains_key(*id));
        let touched: BTreeSet<_> = by_putting.into_iter().chain(by_taking_back).filter(|id| all.contains(id)).collect();
        (path.clone(), touched.into_iter().cloned().collect())
    };
    changed.iter().map(touches).collect()
}

fn changed(before: &Tree, after: &Tree) -> BTreeSet<String> {
    let documents = |tree: &Tree| -> BTreeMap<String, Entry> {
        let folders = ["policies", "overlays"];
        let entries = folders.iter().flat_map(|folder| tree.below(folder));
        entries.map(|entry| (entry.path.clone(), entry.clone())).collect()
    };
    let (was, is) = (documents(before), documents(after));
    let differs = |path: &&String| was.get(*path) != is.get(*path);
    was.keys().chain(is.keys()).filter(differs).cloned().collect()
}

/// A tree with one path as it is in the other one.
fn with(tree: &Tree, other: &Tree, path: &str) -> Tree {
    let mut entries: Vec<Entry> = tree.entries().iter().filter(|entry| entry.path != path).cloned().collect();
    entries.extend(other.entry(path).cloned());
    tree.joined(other, entries)
}

/// What makes a difference to a cluster.
#[derive(PartialEq, Eq)]
struct Setting {
    written: Digest,
    version: String,
    images: Vec<ImageId>,
    is_stopped: bool,
}

struct Settings(BTreeMap<ClusterId, Setting>);

impl Settings {
    fn of(want: &Want) -> Self {
        let setting = |wanted: &model::Wanted| {
            let e = &wanted.effective;
            let machines = e.pools.iter().map(|pool| &pool.machines).chain([&e.control_plane]);
            Setting {
                written: wanted.digest.clone(),
                version: e.version.to_string(),
                images: machines.map(|machines| machines.image.id.clone()).collect(),
                is_stopped: wanted.blocked.is_some(),
            }
        };
        Self(want.clusters.iter().map(|(id, wanted)| (id.clone(), setting(wanted))).collect())
    }

    fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a ClusterId> {
        let here = self.0.iter().filter(|(id, setting)| other.0.get(id) != Some(setting)).map(|(id, _)| id);
        let only_there = other.0.keys().filter(|id| !self.0.contains_key(id));
        here.chain(only_there)
    }
}
