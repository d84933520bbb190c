//! What makes Argo CD and Flux sync the output: Applications and Kustomizations below `gitops/`, from what is there.

mod argocd;
mod flux;

pub(crate) use argocd::{COMPARE, WAVE, wave_of};

use crate::kinds::{ADDONS, CONTROL_PLANE, INFRASTRUCTURE, POOLS, TEMPLATES};
use model::Fleet;
use model::fleet::{GitOpsTool, ManagementCluster};
use std::collections::{BTreeMap, BTreeSet};

/// The folder of all of it; nothing else lies there.
pub(crate) const FOLDER: &str = "gitops";

/// The parts of a cluster in the order in which they are applied, with their files.
const PARTS: [(&str, &[&str]); 4] = [
    ("addons", &[ADDONS]),
    ("infrastructure", &[INFRASTRUCTURE, TEMPLATES]),
    ("control-plane", &[CONTROL_PLANE]),
    ("pools", &[POOLS]),
];

/// The output of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Present {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The output that there is, by management cluster: read off its paths, so that what belongs to a cluster that is not
/// rendered now is synced as before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output(BTreeMap<String, There>);

/// The output for one management cluster.
#[derive(Clone, Debug, Default)]
struct There {
    clusters: BTreeMap<Present, BTreeSet<String>>,
    /// Namespaces stay when the last cluster is deleted, and go on being synced.
    has_namespaces: bool,
}

impl Output {
    /// Takes note of a path, where it is a file of a cluster's output folder or a namespace's.
    pub(crate) fn add(&mut self, path: &str) {
        match path.split('/').collect::<Vec<_>>()[..] {
            ["rendered", management_cluster, namespace, name, file] => {
                let present = Present { namespace: namespace.to_owned(), name: name.to_owned() };
                let there = self.0.entry(management_cluster.to_owned()).or_default();
                there.clusters.entry(present).or_default().insert(file.to_owned());
            }
            ["rendered", management_cluster, "namespaces", _] => {
                self.0.entry(management_cluster.to_owned()).or_default().has_namespaces = true;
            }
            _ => {}
        }
    }

    /// Whether a path below `gitops/` is for a management cluster that has clusters and that the fleet does not name.
    pub(crate) fn is_of_unknown(&self, fleet: &Fleet, path: &str) -> bool {
        let name = path.splitn(3, '/').nth(2).unwrap_or_default().split(['.', '/']).next().unwrap_or_default();
        let has_clusters = self.0.get(name).is_some_and(|there| !there.clusters.is_empty());
        has_clusters && fleet.management_cluster(name).is_none()
    }

    /// A file of a cluster is gone; namespaces never are.
    pub(crate) fn remove(&mut self, path: &str) {
        if let ["rendered", management_cluster, namespace, name, file] = path.split('/').collect::<Vec<_>>()[..]
            && let Some(there) = self.0.get_mut(management_cluster)
        {
            let present = Present { namespace: namespace.to_owned(), name: name.to_owned() };
            if let Some(files) = there.clusters.get_mut(&present) {
                files.remove(file);
            }
            there.clusters.retain(|_, files| !files.is_empty());
            if there.clusters.is_empty() && !there.has_namespaces {
                self.0.remove(management_cluster);
            }
        }
    }
}

/// Tells Argo CD when to apply an object of a cluster, and what not to miss.
pub(crate) fn annotate_for_argocd(object: &mut serde_json::Value) {
    let kind = object["kind"].as_str().unwrap_or_default();
    let (wave, leaves_old_ones) = (wave_of(kind), argocd::leaves_old_ones(kind));
    let annotations = &mut object["metadata"]["annotations"];
    annotations[WAVE] = wave.to_string().into();
    if leaves_old_ones {
        let (key, value) = COMPARE;
        annotations[key] = value.into();
    }
}

/// What is delivered to one management cluster, and from where.
struct Delivery<'a> {
    fleet: &'a str,
    management: &'a ManagementCluster,
    source_url: &'a str,
    branch: &'a str,
    secret: Option<&'a str>,
    clusters: &'a BTreeMap<Present, BTreeSet<String>>,
}

impl Delivery<'_> {
    fn folder(&self, present: &Present) -> String {
        format!("rendered/{}/{}/{}", self.management.name, present.namespace, present.name)
    }

    fn namespaces(&self) -> String {
        format!("rendered/{}/namespaces", self.management.name)
    }
}

/// Whether the fleet says what is needed. What it says wrongly is a finding, and what is delivered stays as it is.
pub(crate) fn is_sound(fleet: &Fleet) -> bool {
    let has_tool = fleet.spec.management_clusters.iter().any(|management| management.gitops != GitOpsTool::None);
    !has_tool || fleet.spec.output.source_url.is_some()
}

/// Every file below `gitops/`, sorted. None for a management cluster without a tool, without output, or while nobody
/// says how the output is reached.
pub(crate) fn files(fleet: &Fleet, output: &Output) -> Vec<(String, Vec<u8>)> {
    let settings = &fleet.spec.output;
    let Some(source_url) = &settings.source_url else { return Vec::new() };
    let branch = settings.source_branch.as_deref().or(settings.branch.as_deref()).unwrap_or("main");
    let mut files = Vec::new();
    for management in &fleet.spec.management_clusters {
        let Some(There { clusters, has_namespaces: _ }) = output.0.get(management.name.as_str()) else { continue };
        let secret = settings.secret_ref.as_ref().map(model::ids::SecretName::as_str);
        let fleet = fleet.metadata.name.as_str();
        let delivery = Delivery { fleet, management, source_url, branch, secret, clusters };
        match management.gitops {
            GitOpsTool::Argocd => files.extend(argocd::files(&delivery)),
            GitOpsTool::Flux => files.extend(flux::files(&delivery)),
            GitOpsTool::None => {}
        }
    }
    files.sort();
    files
}
