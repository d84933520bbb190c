//! One cluster with all that it is made from, for saying where its values come from.

use super::clusters::{self, Cluster, Resolving};
use super::documents::Documents;
use super::locks::Locks;
use crate::memo::Memo;
use crate::resolve::{Around, Home, Offer};
use model::{ClusterId, Fleet, Timestamp, Tree};
use std::collections::BTreeMap;

pub(crate) struct Trace<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) home: &'a Home<'a>,
    pub(crate) cluster: &'a Cluster<'a>,
    pub(crate) offer: &'a Offer,
}

/// What `tell` makes of a cluster. None where there is no such cluster, or where it cannot be resolved.
pub(crate) fn traced<R>(
    tree: &Tree,
    memo: &mut Memo,
    now: Timestamp,
    id: &ClusterId,
    tell: impl FnOnce(&Trace<'_>) -> R,
) -> Option<R> {
    let issues = &mut Vec::new();
    memo.begin();
    let documents = Documents::read(tree, memo, issues);
    let fleet = documents.fleet.as_deref()?;
    let around = Around { fleet, policies: &documents.policies, broken_policies: &documents.broken_policies, now };
    let mut defined = clusters::identify(&documents, &around, issues);
    let locks = Locks::of(&documents, &defined, issues);
    clusters::elect(&mut defined, &locks, issues);
    let defined = defined.iter().find(|d| d.home.id == *id && !d.loses)?;
    let mut resolving = Resolving { tree, around: &around, documents: &documents, locks: &locks, memo };
    let cluster = resolving.resolve(defined, issues)?;
    memo.end();
    let offer = documents.policies.get(&cluster.effective.policy)?;
    Some(tell(&Trace { fleet, home: &defined.home, cluster: &cluster, offer }))
}

/// File and field in which overlays wrote these fields of clusters, in their order; None where a definition did, or
/// nobody.
pub(crate) fn given_places(tree: &Tree, fields: &[(&ClusterId, &str)]) -> Vec<Option<(String, String)>> {
    let nothing = || vec![None; fields.len()];
    if fields.is_empty() || tree.below("overlays").next().is_none() {
        return nothing();
    }
    let (memo, issues) = (&mut Memo::default(), &mut Vec::new());
    let documents = Documents::read(tree, memo, issues);
    let Some(fleet) = documents.fleet.as_deref() else { return nothing() };
    // Nothing is resolved here: no version expires.
    let now = Timestamp::UNIX_EPOCH;
    let around = Around { fleet, policies: &documents.policies, broken_policies: &documents.broken_policies, now };
    let mut defined = clusters::identify(&documents, &around, issues);
    let locks = Locks::of(&documents, &defined, issues);
    clusters::elect(&mut defined, &locks, issues);
    let defined: BTreeMap<_, _> = defined.iter().filter(|d| !d.loses).map(|d| (&d.home.id, d)).collect();
    let mut resolving = Resolving { tree, around: &around, documents: &documents, locks: &locks, memo };
    let mut place = |(id, field): &(&ClusterId, &str)| {
        let defined = defined.get(id)?;
        let layers = resolving.selected(defined.definition, &defined.home).layers;
        let given = resolving.given(defined.path, defined.definition, &layers)?;
        given.place(field).map(|(file, field)| (file.to_owned(), field))
    };
    fields.iter().map(&mut place).collect()
}
