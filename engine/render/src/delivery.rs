//! What makes Argo CD and Flux sync the output: Applications and Kustomizations below `gitops/`, from what is there.

mod argocd;
mod flux;

pub(crate) use argocd::WAVE;
pub(crate) use argocd::wave_of;

use model::Fleet;
use model::fleet::{GitOpsTool, ManagementCluster};
use std::collections::{BTreeMap, BTreeSet};

/// The folder of all of it; nothing else lies there.
pub(crate) const FOLDER: &str = "gitops";

/// The parts of a cluster in the order in which they are applied, with their files.
const PARTS: [(&str, &[&str]); 4] = [
    ("addons", &["addons.yaml"]),
    ("infrastructure", &["infrastructure.yaml", "templates.yaml"]),
    ("control-plane", &["control-plane.yaml"]),
    ("pools", &["pools.yaml"]),
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
pub(crate) struct Output(BTreeMap<String, BTreeMap<Present, BTreeSet<String>>>);

impl Output {
    /// Takes note of a path, where it is a file of a cluster's output folder.
    pub(crate) fn add(&mut self, path: &str) {
        if let [folder, management_cluster, namespace, name, file] = path.split('/').collect::<Vec<_>>()[..]
            && folder == "rendered"
        {
            let present = Present { namespace: namespace.to_owned(), name: name.to_owned() };
            let clusters = self.0.entry(management_cluster.to_owned()).or_default();
            clusters.entry(present).or_default().insert(file.to_owned());
        }
    }

    /// Whether a path below `gitops/` is for a management cluster that has output and that the fleet does not name.
    pub(crate) fn is_of_unknown(&self, fleet: &Fleet, path: &str) -> bool {
        let name = path.splitn(3, '/').nth(2).unwrap_or_default().split(['.', '/']).next().unwrap_or_default();
        self.0.contains_key(name) && fleet.management_cluster(name).is_none()
    }

    /// The opposite.
    pub(crate) fn remove(&mut self, path: &str) {
        if let [_, management_cluster, namespace, name, file] = path.split('/').collect::<Vec<_>>()[..]
            && let Some(clusters) = self.0.get_mut(management_cluster)
        {
            let present = Present { namespace: namespace.to_owned(), name: name.to_owned() };
            if let Some(files) = clusters.get_mut(&present) {
                files.remove(file);
            }
            clusters.retain(|_, files| !files.is_empty());
        }
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
        let Some(clusters) = output.0.get(management.name.as_str()) else { continue };
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
