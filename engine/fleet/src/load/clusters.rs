//! Definitions as clusters: which ids they have, which one of two is meant, and what each is with its lock.

use super::documents::Documents;
use super::locks::Locks;
use crate::find::lock_path;
use crate::issue::{Issue, Report};
use crate::memo::Memo;
use crate::overlays::{Given, Layer, labels, merge, written};
use crate::resolve::{Around, Case, Home, Sources, home, identity};
use crate::rules::{FLAVOR_NOT_YET, OF_A_CLUSTER, Rule, SAME_CLUSTER};
use model::definition::{DeletionWish, FlavorWish};
use model::lock::Identity;
use model::want::Effective;
use model::{ClusterDefinition, ClusterId, ClusterLock, Digest, Reason, Tree, Wanted};
use std::{collections::BTreeMap, sync::Arc};

/// A definition whose id is known.
#[derive(Debug)]
pub(crate) struct Defined<'a> {
    pub(crate) path: &'a str,
    pub(crate) definition: &'a ClusterDefinition,
    pub(crate) home: Home<'a>,
    /// Another definition of the same id is the one that counts.
    pub(crate) loses: bool,
}

/// A cluster that could be resolved.
#[derive(Debug)]
pub(crate) struct Cluster<'a> {
    pub(crate) id: ClusterId,
    pub(crate) path: &'a str,
    pub(crate) identity: Identity,
    /// Of the effective fields that people wrote.
    pub(crate) digest: Digest,
    pub(crate) effective: Arc<Effective>,
    pub(crate) lock: Option<Arc<ClusterLock>>,
    pub(crate) lock_found_at: Option<String>,
    /// As it is written.
    pub(crate) deletion: DeletionWish,
    /// The path of its policy: what is wrong there stops it.
    pub(crate) policy_path: &'a str,
    /// The paths of its overlays, in the order in which they count.
    pub(crate) overlays: Vec<&'a str>,
    /// What overlays gave to the definition.
    pub(crate) given: Option<Given<'a>>,
    /// An overlay that cannot be read and is, or may be, for this cluster.
    pub(crate) broken_overlay: Option<&'a str>,
    /// Its lock is there and cannot be read.
    pub(crate) lock_is_unreadable: bool,
    pub(crate) is_not_yet: bool,
}

impl Cluster<'_> {
    pub(crate) fn is_new(&self) -> bool {
        self.lock.is_none()
    }

    /// An error about a field of the definition, in the file in which it is written.
    pub(crate) fn error(&self, rule: &'static Rule, field: &str, message: impl Into<String>) -> Issue {
        let mut issue = match self.given.as_ref().and_then(|given| given.place(field)) {
            Some((file, field)) => Issue::error(rule, file, &field, message),
            None => Issue::error(rule, self.path, field, message),
        };
        issue.cluster = Some(self.id.clone());
        issue
    }

    /// Not blocked yet.
    pub(super) fn into_wanted(self) -> Wanted {
        Wanted {
            lock_path: lock_path(self.path),
            path: self.path.to_owned(),
            digest: self.digest,
            id: self.id,
            identity: self.identity,
            effective: self.effective,
            lock: self.lock,
            lock_found_at: self.lock_found_at,
            committed_inputs: None,
            blocked: None,
        }
    }
}

pub(super) fn identify<'a>(documents: &'a Documents, around: &Around<'a>, issues: &mut Vec<Issue>) -> Vec<Defined<'a>> {
    let defined = documents.definitions.iter().filter_map(|(path, definition)| {
        let mut report = Report::of(issues, path);
        let home = home(definition, path, around, &mut report)?;
        Some(Defined { path, definition, home, loses: false })
    });
    defined.collect()
}

/// Two definitions of one id: the one whose lock is there goes on, else neither (I6).
pub(super) fn elect(defined: &mut [Defined<'_>], locks: &Locks, issues: &mut Vec<Issue>) {
    let mut groups: BTreeMap<ClusterId, Vec<usize>> = BTreeMap::new();
    for (index, one) in defined.iter().enumerate() {
        groups.entry(one.home.id.clone()).or_default().push(index);
    }
    for (id, group) in groups.into_iter().filter(|(_, group)| group.len() > 1) {
        let locked = locks.get(&id);
        let holds = |i: &usize| {
            locked.is_some_and(|l| lock_path(defined[*i].path) == l.path)
                || locked.is_some_and(|l| l.lock.source.path == defined[*i].path)
        };
        let holder = group.iter().copied().find(|i| holds(i));
        let meant = holder.unwrap_or(group[0]);
        for index in group {
            if Some(index) != holder {
                let other = defined[if index == meant { group_other(defined, &id, index) } else { meant }].path;
                issues.push(same_cluster(&id, defined[index].path, other, holder.is_some()));
            }
            defined[index].loses = index != meant;
        }
    }
}

fn group_other(defined: &[Defined<'_>], id: &ClusterId, index: usize) -> usize {
    defined.iter().enumerate().position(|(i, d)| i != index && d.home.id == *id).unwrap_or(index)
}

fn same_cluster(id: &ClusterId, path: &str, other: &str, has_holder: bool) -> Issue {
    let mut issue = Issue::error(SAME_CLUSTER, path, "metadata.name", format!("{id} is also defined in {other}"));
    issue.mend = "give one of the two another name or namespace".to_owned();
    // Where one of them holds the lock, the cluster goes on; only this file is stopped.
    issue.cluster = (!has_holder).then(|| id.clone());
    issue
}

/// What every definition is resolved with.
pub(super) struct Resolving<'a, 'm> {
    pub(super) tree: &'m Tree,
    pub(super) around: &'m Around<'a>,
    pub(super) documents: &'a Documents,
    pub(super) locks: &'m Locks,
    pub(super) memo: &'m mut Memo,
}

impl<'a> Resolving<'a, '_> {
    /// The cluster with its effective settings, judged by every rule of a cluster alone.
    pub(super) fn resolve(&mut self, defined: &Defined<'a>, issues: &mut Vec<Issue>) -> Option<Cluster<'a>> {
        if defined.loses {
            return None;
        }
        let Defined { path, definition, home, loses: _ } = defined;
        let flavor = definition.spec.flavor.unwrap_or_default();
        let is_not_yet = matches!(flavor, FlavorWish::Kamaji | FlavorWish::Metal3Kamaji | FlavorWish::GardenerShoot);
        if is_not_yet {
            let mut report = Report { cluster: Some(&home.id), ..Report::of(&mut *issues, path) };
            let message = "this flavor is not built yet: nothing is done for the cluster";
            report.error(FLAVOR_NOT_YET, "spec.flavor", message).reason(Reason::FlavorNotYet).warning();
        }
        let Selected { layers, broken } = self.selected(definition, home);
        let given = self.given(path, definition, &layers);
        let definition = given.as_ref().map_or(*definition, |given| &given.merged.definition);
        // Nothing else is said of a cluster that nobody could build, or whose settings are not known.
        let mut unheard = Vec::new();
        let issues = if is_not_yet || broken.is_some() { &mut unheard } else { issues };
        let mut report = Report { issues, file: path, cluster: Some(&home.id), given: given.as_ref() };
        let (around, locks) = (self.around, self.locks);
        let identity = identity(definition, home, around, &mut report)?;
        let locked = locks.get(&home.id);
        let lock = locked.map(|l| l.lock.clone());
        let sources = Sources {
            around,
            definition,
            path,
            home,
            identity: &identity,
            lock: lock.as_deref(),
            given: given.as_ref(),
            layers: &layers,
        };
        let effective = Arc::new(crate::resolve::resolve(&sources, &mut report)?);
        let mut case = Case {
            around,
            definition,
            identity: &identity,
            effective: &effective,
            lock: lock.as_deref(),
            tombstone: self.documents.tombstones.get(&home.id).map(|(path, tombstone)| (path.as_str(), &**tombstone)),
            report,
        };
        OF_A_CLUSTER.iter().for_each(|rule| rule(&mut case));
        let policy_path = around.policies.get(&effective.policy).map_or("", |offer| offer.path.as_str());
        Some(Cluster {
            id: home.id.clone(),
            path,
            identity,
            digest: Digest::of(&*effective),
            effective,
            lock,
            deletion: definition.spec.deletion.clone(),
            lock_found_at: locked.map(|l| l.path.clone()).filter(|p| *p != lock_path(path)),
            policy_path,
            overlays: layers.iter().map(|layer| layer.path.as_str()).collect(),
            given,
            broken_overlay: broken,
            lock_is_unreadable: locks.is_unreadable(&home.id),
            is_not_yet,
        })
    }

    pub(super) fn selected(&self, definition: &ClusterDefinition, home: &Home<'_>) -> Selected<'a> {
        let overlays = &self.documents.overlays;
        if overlays.is_empty() {
            return Selected { layers: Vec::new(), broken: None };
        }
        let labels = labels(definition, home.stage.name.as_str());
        let broken = overlays.broken.iter().find(|broken| broken.may_be_for(&labels));
        Selected { layers: overlays.selected(&labels), broken: broken.map(|broken| broken.path.as_str()) }
    }

    /// None where no overlay gives anything: then the definition is used as it is.
    pub(super) fn given(
        &mut self,
        path: &str,
        definition: &ClusterDefinition,
        layers: &[&'a Layer],
    ) -> Option<Given<'a>> {
        let layers: Vec<&Layer> = layers.iter().copied().filter(|layer| layer.gives.is_some()).collect();
        if layers.is_empty() {
            return None;
        }
        let tree = self.tree;
        let blob = tree.entry(path)?.id;
        let merged = self.memo.merged(blob, layers.iter().map(|layer| layer.blob).collect(), || {
            let spec = written(tree, &blob, serde_json::json!(definition.spec), &["spec"]);
            let values: Vec<_> = layers.iter().filter_map(|layer| layer.gives.as_ref()).collect();
            merge(definition, spec, &values).map(Arc::new)
        });
        Some(Given { merged: merged?, layers })
    }
}

/// The overlays of one cluster.
pub(super) struct Selected<'a> {
    pub(super) layers: Vec<&'a Layer>,
    /// One that cannot be read and is, or may be, for this cluster.
    broken: Option<&'a str>,
}
