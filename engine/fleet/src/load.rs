//! The load: documents of a tree, resolved and judged. Never fails.

mod blocking;
mod clusters;
mod documents;
mod locks;
mod presence;
mod trace;

use crate::issue::{Issue, Report};
use crate::memo::Memo;
use crate::place::Placer;
use crate::read::Parsed;
use crate::resolve::Around;
use crate::rules::{self, NO_FLEET};
pub(crate) use clusters::Cluster;
use documents::Documents;
pub(crate) use documents::Tombstones;
use locks::Locks;
use model::want::OrphanLock;
use model::{EntryKind, Finding, Fleet, Severity, Timestamp, Tree, Want, Wanted};
use std::collections::BTreeMap;
use std::sync::Arc;
use trace::given_places;
pub(crate) use trace::{Trace, traced};

/// What a tree says, and what is wrong with it.
#[must_use]
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub want: Want,
    /// By file, line, column and rule.
    pub findings: Vec<Finding>,
}

/// Reads and judges every document of a tree. `now` decides only which versions have expired for new clusters.
///
/// A second load with the same memo parses only the documents that changed.
pub fn load(tree: &Tree, memo: &mut Memo, now: Timestamp) -> Loaded {
    let mut issues = Vec::new();
    memo.begin();
    let documents = Documents::read(tree, memo, &mut issues);
    let want = want(tree, &documents, memo, &mut issues, now);
    memo.end();
    Loaded { want, findings: findings(tree, documents.findings, issues) }
}

/// The fleet of a tree, where its document can be read; nothing is judged.
pub fn settings(tree: &Tree, memo: &mut Memo) -> Option<Arc<Fleet>> {
    let entry =
        tree.entry("fleet.yaml").filter(|entry| matches!(entry.kind, EntryKind::File | EntryKind::Executable))?;
    match memo.fleet(tree, &entry.id) {
        Parsed::Good(fleet) => Some(fleet),
        Parsed::Broken(_) => None,
    }
}

fn want(tree: &Tree, documents: &Documents, memo: &mut Memo, issues: &mut Vec<Issue>, now: Timestamp) -> Want {
    let Some(fleet) = &documents.fleet else {
        if !documents.fleet_is_broken {
            issues.push(no_fleet());
        }
        return Want { orphan_locks: Locks::of(documents, &[], issues).all_orphans(), ..Want::default() };
    };
    let around = Around { fleet, policies: &documents.policies, broken_policies: &documents.broken_policies, now };
    judge_policies(documents, issues);
    judge_overlays(documents, issues);
    let mut defined = clusters::identify(documents, &around, issues);
    let locks = Locks::of(documents, &defined, issues);
    clusters::elect(&mut defined, &locks, issues);
    let mut resolving = clusters::Resolving { tree, around: &around, documents, locks: &locks, memo };
    let clusters: Vec<Cluster<'_>> = defined.iter().filter_map(|d| resolving.resolve(d, issues)).collect();
    rules::overlays_unused(&documents.overlays, &clusters, clusters.len() == defined.len(), issues);
    let mut orphans = locks.orphans(documents, &defined, &clusters, issues);
    let unresolved = locks.unresolved(documents, &defined, &clusters);
    let hosts = defined.iter().map(|d| d.home.id.name().as_str()).collect();
    rules::fleet(fleet, &hosts, &mut Report::of(issues, "fleet.yaml"));
    crate::topology::cycles(fleet, &clusters, issues);
    rules::across(&clusters, &orphans, &documents.tombstones, issues);
    rules::installed(tree, &clusters, issues);
    if is_refused(issues) {
        // Whose cluster is where is not certain: nothing is concluded from a definition that is not there.
        orphans.values_mut().for_each(|orphan| orphan.removed = false);
    }
    rules::orphans(&orphans, issues);
    rules::tombstones(&documents.tombstones, &fleet.metadata.name, issues);
    rules::uses(issues);
    Want { unresolved, ..assemble(documents, clusters, orphans, issues) }
}

fn assemble(
    documents: &Documents,
    clusters: Vec<Cluster<'_>>,
    orphan_locks: BTreeMap<model::ClusterId, OrphanLock>,
    issues: &[Issue],
) -> Want {
    let blocks = blocking::Blocks::of(issues);
    let fleet = documents.fleet.clone();
    let fleet_paused = fleet.as_ref().is_some_and(|f| f.spec.paused);
    let wanted = |cluster: Cluster<'_>| {
        let blocked = blocks.of_cluster(&cluster, fleet_paused);
        (cluster.id.clone(), Wanted { blocked, ..cluster.into_wanted() })
    };
    let fleet_is_refused = is_refused(issues);
    let clusters = clusters.into_iter().map(wanted).collect();
    let mut tombstones = documents.tombstones.clone();
    let name = fleet.as_ref().map(|fleet| &fleet.metadata.name);
    tombstones.retain(|_, (_, tombstone)| Some(&tombstone.identity.fleet) == name);
    Want { fleet, fleet_is_refused, clusters, orphan_locks, tombstones, unresolved: <_>::default() }
}

/// Whether `fleet.yaml` has an error.
fn is_refused(issues: &[Issue]) -> bool {
    issues.iter().any(|issue| issue.file == "fleet.yaml" && issue.severity == Severity::Error)
}

fn judge_policies(documents: &Documents, issues: &mut Vec<Issue>) {
    for offer in documents.policies.values() {
        rules::policy(&offer.policy, &mut Report::of(issues, &offer.path));
    }
}

fn judge_overlays(documents: &Documents, issues: &mut Vec<Issue>) {
    for layer in &documents.overlays.layers {
        rules::overlay(&layer.overlay, &mut Report::of(issues, &layer.path));
    }
}

fn no_fleet() -> Issue {
    let mut issue = Issue::error(NO_FLEET, "fleet.yaml", "", "there is no fleet.yaml at the root of this repository");
    issue.mend = "`ferrofleet init` writes one".to_owned();
    issue
}

/// Gives line and column to findings that know only file and field, as those of `metal_findings`; what an overlay gave
/// to a definition is said of the overlay.
pub fn placed(mut findings: Vec<Finding>, tree: &Tree) -> Vec<Finding> {
    let mut open: Vec<_> = findings.iter_mut().filter(|finding| finding.place.line == 0).collect();
    let fields: Vec<_> = open.iter().filter_map(|f| Some((f.cluster.clone()?, f.field.clone()))).collect();
    let fields: Vec<_> = fields.iter().map(|(cluster, field)| (cluster, field.as_str())).collect();
    let mut given = given_places(tree, &fields).into_iter();
    let mut placer = Placer::new(tree);
    for finding in &mut open {
        let place = finding.cluster.as_ref().and_then(|_| given.next()).flatten();
        if let Some((file, field)) = place {
            finding.place.file = file;
            finding.field = field;
        }
        finding.place = placer.find(&finding.place.file, &finding.field);
    }
    findings
}

fn findings(tree: &Tree, mut findings: Vec<Finding>, mut issues: Vec<Issue>) -> Vec<Finding> {
    issues.sort_by(|a, b| a.file.cmp(&b.file));
    let mut placer = Placer::new(tree);
    findings.extend(issues.into_iter().map(|issue| placer.place(issue)));
    findings.sort_by(|a, b| (&a.place, a.rule, &a.field, &a.message).cmp(&(&b.place, b.rule, &b.field, &b.message)));
    findings.dedup();
    findings
}
