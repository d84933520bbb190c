//! Whether a definition is really gone. What is broken, not read, moved or perhaps somebody else's does not look like a
//! removal (I9): the worst that a doubt may do is to keep a cluster.

use super::clusters::Defined;
use super::documents::{Claim, Documents, Whose};
use super::locks::Locked;
use crate::find::folder;
use model::lock::DeletionPhase;
use model::{ClusterId, FleetName};
use std::collections::{BTreeMap, BTreeSet};

/// What became of the definition of a lock that no cluster holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate<'d, 'a> {
    Removed,
    /// It may be there still, and findings of files say why that is not certain.
    InDoubt,
    /// A definition without a lock of its own is, or may be, the same one under another id.
    Renamed(&'d Defined<'a>),
}

/// What the tree has that may be a definition.
pub(super) struct Presence<'d, 'a> {
    documents: &'d Documents,
    fleet: Option<&'d FleetName>,
    named: BTreeSet<&'d ClusterId>,
    /// Definitions without a lock of their own, by name and by folder.
    newcomers: BTreeMap<&'d str, &'d Defined<'a>>,
    newcomers_at: BTreeMap<String, &'d Defined<'a>>,
    /// What definitions of other names confirm the deletion of.
    confirmed: BTreeSet<&'d str>,
    claimed_names: BTreeSet<&'d str>,
    claimed_folders: BTreeSet<String>,
    /// A file is there that may define any of them.
    is_anyones: bool,
}

impl<'d, 'a> Presence<'d, 'a> {
    /// `locks` are all there are.
    pub(super) fn of(
        documents: &'d Documents,
        defined: &'d [Defined<'a>],
        locks: &BTreeMap<ClusterId, Locked>,
    ) -> Self {
        let newcomers: Vec<_> = defined.iter().filter(|d| !locks.contains_key(&d.home.id)).collect();
        let whole: BTreeSet<_> = defined.iter().map(|d| d.path).collect();
        // Those whose stage or management cluster is not known: their namespace is not certain.
        let homeless = documents.definitions.iter().filter(|(path, _)| !whole.contains(path.as_str()));
        let homeless: Vec<_> = homeless.map(|(path, d)| (path.as_str(), d.metadata.name.as_str())).collect();
        let claims = || documents.claims.iter();
        let names = claims().filter_map(|claim| match &claim.whose {
            Whose::Named(name) => Some(name.as_str()),
            Whose::Anyones | Whose::OfItsFolder => None,
        });
        let folders = claims().map(|claim| claim.path.as_str()).chain(homeless.iter().map(|(path, _)| *path));
        let taken: BTreeSet<_> = locks.values().flat_map(Locked::folders).collect();
        let is_anyones = |claim: &Claim| matches!(claim.whose, Whose::Anyones) && !taken.contains(&place(&claim.path));
        let confirms = |(_, d): &'d (String, std::sync::Arc<model::ClusterDefinition>)| {
            d.spec.deletion.confirm.as_deref().filter(|name| *name != d.metadata.name.as_str())
        };
        Self {
            documents,
            fleet: documents.fleet.as_deref().map(|fleet| &fleet.metadata.name),
            named: defined.iter().map(|d| &d.home.id).collect(),
            newcomers: newcomers.iter().map(|d| (d.home.id.name().as_str(), *d)).collect(),
            newcomers_at: newcomers.iter().map(|d| (place(d.path), *d)).collect(),
            confirmed: documents.definitions.iter().filter_map(confirms).collect(),
            claimed_names: names.chain(homeless.iter().map(|(_, name)| *name)).collect(),
            claimed_folders: folders.map(place).collect(),
            is_anyones: claims().any(is_anyones),
        }
    }

    /// Of a lock that no resolved cluster holds.
    pub(super) fn fate(&self, id: &ClusterId, locked: &Locked, is_certain: bool) -> Fate<'d, 'a> {
        let name = id.name().as_str();
        let folders = locked.folders();
        // What lies where it lay is the same file. What has its name elsewhere may have been moved, and is another
        // cluster once the deletion of this one has begun.
        let begun = locked.lock.deletion.as_ref().is_some_and(|deletion| match deletion.phase {
            DeletionPhase::Confirmed => false,
            DeletionPhase::Removing | DeletionPhase::Freeing => true,
        });
        let here = folders.iter().find_map(|folder| self.newcomers_at.get(folder));
        let elsewhere = || self.newcomers.get(name).filter(|_| !begun);
        let is_there = self.named.contains(id);
        if let Some(renamed) = here.or_else(elsewhere).filter(|_| !is_there) {
            return Fate::Renamed(renamed);
        }
        let is_claimed = self.is_anyones
            || self.claimed_names.contains(name)
            || self.confirmed.contains(name)
            || folders.iter().any(|folder| self.claimed_folders.contains(folder));
        let is_below = |unread: &String| locked.lock.source.path.starts_with(&format!("{unread}/"));
        let is_hidden = self.documents.cut_short || self.documents.unread_folders.iter().any(is_below);
        let is_ours = self.fleet == Some(&locked.lock.identity.fleet);
        if is_there || is_claimed || is_hidden || !is_ours || !is_certain { Fate::InDoubt } else { Fate::Removed }
    }
}

impl Locked {
    /// Where its definition lay, and where it lies itself.
    fn folders(&self) -> [String; 2] {
        [place(&self.lock.source.path), place(&self.path)]
    }
}

/// The folder of a path as file systems that ignore case see it: a rename of letters only is none.
fn place(path: &str) -> String {
    folder(path).to_lowercase()
}
