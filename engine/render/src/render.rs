//! One cluster's output: pure, from what is wanted, what is known and what was committed before.

use crate::delivery;
use crate::facts::Facts;
use crate::guards::{self, guards};
use crate::keep::{Committed, FILES, Inputs, keep};
use crate::kinds::Objects;
use crate::patch::{self, PatchError};
use model::definition::{FirewallMode, SlotMode};
use model::fleet::GitOpsTool;
use model::ids::Label;
use model::want::{Wanted, input_digests};
use model::{ClusterLock, Digest, Namespace, NetworkId};
use serde_json::json;
use std::collections::BTreeMap;

/// The output of one cluster.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Whole paths with their bytes, sorted; all below `Wanted::output_dir`.
    pub files: Vec<(String, Vec<u8>)>,
    /// Of the inputs of each machine-affecting object: what the lock records with this output (R1).
    pub digests: BTreeMap<String, Digest>,
    /// Objects kept as they were committed although this binary would render them otherwise, as `Kind/name` (R1).
    pub outdated: Vec<String>,
    /// Why there are no files: patches that cannot be applied.
    pub unpatched: Vec<PatchError>,
}

/// Renders a cluster whose slots are known (`complete`). `wanted.lock` is the committed lock: its `rendered` decides
/// which objects are kept; `committed` gives the last engine commit's bytes of a path.
pub fn cluster(wanted: &Wanted, lock: &ClusterLock, committed: &dyn Fn(&str) -> Option<Vec<u8>>) -> Rendered {
    let is_committed = |path: &str, bytes: &[u8]| committed(path).is_none_or(|old| old == bytes);
    match output(wanted, lock, &is_committed, committed) {
        Ok(Output { files, digests, outdated, objects: _ }) => {
            let dir = wanted.output_dir();
            let files = files.into_iter().map(|(name, bytes)| (format!("{dir}/{name}"), bytes)).collect();
            Rendered { files, digests, outdated, unpatched: Vec::new() }
        }
        Err(unpatched) => Rendered { unpatched, ..Rendered::default() },
    }
}

/// Whether every slot is known, or the provider's to fill: only then output is written (R7).
pub fn complete(wanted: &Wanted, lock: &ClusterLock) -> bool {
    let effective = &wanted.effective;
    let values = &lock.values;
    let has_egress = |network: &NetworkId| values.egress_ips.iter().any(|egress| egress.network == *network);
    (values.node_network.is_some() || effective.nodes.mode.value == SlotMode::Delegate)
        && (values.vip.is_some() || effective.vip.mode.value == SlotMode::Delegate)
        && (values.firewall.is_some() || effective.firewall.mode.value == FirewallMode::Deployment)
        && effective.firewall.egress.iter().all(has_egress)
}

/// The path and bytes of a namespace's own file. It is never removed: pruning it would delete every cluster in it.
pub fn namespace(management_cluster: &Label, namespace: &Namespace) -> (String, Vec<u8>) {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "annotations": guards()},
    });
    let comment = format!("Written by Ferrofleet for the clusters of namespace {namespace}; never removed.");
    let path = format!("rendered/{management_cluster}/namespaces/{namespace}.yaml");
    (path, crate::emit::file(&comment, [&object]))
}

/// How each file of an output begins.
pub(crate) fn comment(definition: &str) -> String {
    format!("Written by Ferrofleet from {definition}; changes are put right.")
}

/// As `Rendered`, with names inside the output folder.
pub(crate) struct Output {
    pub(crate) files: Vec<(&'static str, Vec<u8>)>,
    pub(crate) digests: BTreeMap<String, Digest>,
    pub(crate) outdated: Vec<String>,
    pub(crate) objects: Objects,
}

/// `is_committed` says whether a path holds these bytes, or nothing: then there is nothing to be kept, and `committed`
/// is not asked.
pub(crate) fn output(
    wanted: &Wanted,
    lock: &ClusterLock,
    is_committed: &dyn Fn(&str, &[u8]) -> bool,
    committed: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<Output, Vec<PatchError>> {
    let comment = comment(&wanted.path);
    let dir = wanted.output_dir();
    let digests = input_digests(wanted.id.name(), &wanted.effective, &lock.values);
    let mut objects = Objects::of(Facts { wanted, values: &lock.values });
    if wanted.effective.gitops == GitOpsTool::Argocd {
        objects.all_mut().into_iter().for_each(delivery::annotate_for_argocd);
    }
    patch::apply(&mut objects, &wanted.effective.patches)?;
    guards::lift_of_empty_pools(&mut objects, &wanted.effective.pools);
    if lock.deletion.is_some() {
        objects.all_mut().into_iter().for_each(guards::lift);
    }
    let mut files = objects.files(&comment);
    let mut outdated = Vec::new();
    let never = BTreeMap::new();
    let of_lock = wanted.lock.as_deref().map_or(&never, |lock| &lock.rendered);
    let recorded = wanted.committed_inputs.as_ref().unwrap_or(of_lock);
    let inputs = Inputs { recorded, now: &digests };
    let affecting = || files.iter().filter(|(name, _)| FILES.contains(name));
    let differs = || affecting().any(|(name, bytes)| !is_committed(&format!("{dir}/{name}"), bytes));
    if inputs.any_unchanged() && differs() {
        let mut before = Committed::default();
        for name in FILES {
            if let Some(bytes) = committed(&format!("{dir}/{name}")) {
                before.read(&bytes);
            }
        }
        outdated = keep(&mut objects, inputs, &before);
        if !outdated.is_empty() {
            files = objects.files(&comment);
        }
    }
    Ok(Output { files, digests, outdated, objects })
}
