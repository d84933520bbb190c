//! Whether a definition is really gone. What is broken, not read, moved or perhaps somebody else's does not look like a
//! removal (I9): the worst that a doubt may do is to keep a cluster.

use super::clusters::Defined;
use super::documents::{Claim, Documents, Whose};
use super::locks::Locked;
use crate::find::folder;
use model::lock::DeletionPhase;
use model::want::Unresolved;
use model::{ClusterDefinition, ClusterId, FleetName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What became of the definition of a lock that no cluster holds.
#[derive(Clone, Debug)]
pub(super) enum Fate<'d, 'a> {
    Removed,
    /// A definition of this very id is there; findings say what is wrong with it.
    Unresolved,
    /// It may be there still, and why.
    InDoubt(String),
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
    /// What definitions of other names confirm the deletion of, with their paths.
    confirmed: BTreeMap<&'d str, &'d str>,
    /// Files that may be a definition, by the name that they give and by their folders.
    claimed_names: BTreeMap<&'d str, &'d str>,
    claimed_folders: BTreeMap<String, &'d str>,
    /// A file that may define any of them.
    anyones: Option<&'d str>,
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
            Whose::Named(name) => Some((name.as_str(), claim.path.as_str())),
            Whose::Anyones | Whose::OfItsFolder => None,
        });
        let folders = claims().map(|claim| claim.path.as_str()).chain(homeless.iter().map(|(path, _)| *path));
        let taken: BTreeSet<_> = locks.values().flat_map(Locked::folders).collect();
        let is_anyones = |claim: &&Claim| matches!(claim.whose, Whose::Anyones) && !taken.contains(&place(&claim.path));
        let confirms = |(path, d): &'d (String, Arc<ClusterDefinition>)| {
            let name = d.spec.deletion.confirm.as_deref().filter(|name| *name != d.metadata.name.as_str());
            name.map(|name| (name, path.as_str()))
        };
        Self {
            documents,
            fleet: documents.fleet.as_deref().map(|fleet| &fleet.metadata.name),
            named: defined.iter().map(|d| &d.home.id).collect(),
            newcomers: newcomers.iter().map(|d| (d.home.id.name().as_str(), *d)).collect(),
            newcomers_at: newcomers.iter().map(|d| (place(d.path), *d)).collect(),
            confirmed: documents.definitions.iter().filter_map(confirms).collect(),
            claimed_names: names.chain(homeless.iter().map(|(path, name)| (*name, *path))).collect(),
            claimed_folders: folders.map(|path| (place(path), path)).collect(),
            anyones: claims().find(is_anyones).map(|claim| claim.path.as_str()),
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
        if self.named.contains(id) {
            return Fate::Unresolved;
        }
        if let Some(renamed) = here.or_else(elsewhere) {
            return Fate::Renamed(renamed);
        }
        self.doubt(id, locked, is_certain).map_or(Fate::Removed, Fate::InDoubt)
    }

    /// What may be a definition of a cluster that was not resolved, whoever's it is.
    pub(super) fn unresolved(&self, defined: &[Defined<'_>], resolved: &BTreeSet<&ClusterId>) -> Unresolved {
        let ids = defined.iter().filter(|d| !resolved.contains(&d.home.id));
        let names = self.claimed_names.iter();
        let unread =
            || self.documents.unread_folders.first().map(|folder| format!("what lies in {folder} is not read"));
        let anyones = || self.anyones.map(|path| format!("{path} may be its definition, and cannot be read as one"));
        let cut_short = self.documents.cut_short.then(|| "not all definitions were read".to_owned());
        Unresolved {
            ids: ids.map(|d| (d.home.id.clone(), d.path.to_owned())).collect(),
            names: names.map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect(),
            any: cut_short.or_else(unread).or_else(anyones),
        }
    }

    /// Why it is not certain that it is gone.
    fn doubt(&self, id: &ClusterId, locked: &Locked, is_certain: bool) -> Option<String> {
        let name = id.name().as_str();
        if !is_certain {
            return Some("there is a second lock, or a tombstone that cannot be read".to_owned());
        }
        if self.fleet != Some(&locked.lock.identity.fleet) {
            return Some(format!("it belongs to fleet `{}`", locked.lock.identity.fleet));
        }
        if self.documents.cut_short {
            return Some("not all definitions were read".to_owned());
        }
        let is_below = |unread: &&String| locked.lock.source.path.starts_with(&format!("{unread}/"));
        if let Some(unread) = self.documents.unread_folders.iter().find(is_below) {
            return Some(format!("what lies in {unread} is not read"));
        }
        let at = || locked.folders().iter().find_map(|folder| self.claimed_folders.get(folder).copied());
        if let Some(path) = self.claimed_names.get(name).copied().or_else(at).or(self.anyones) {
            return Some(format!("{path} may be its definition, and cannot be read as one"));
        }
        self.confirmed.get(name).map(|path| format!("{path} confirms it under another name"))
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
