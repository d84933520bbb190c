//! The example fleet as a repository that is served on loopback, rendered for a tool by the engine's own code.

use ferrofleet_tests::git_http::GitHttp;
use ferrofleet_tests::peers::control_plane::ObjectRef;
use ferrofleet_tests::repo::{Bare, Person};
use model::tree::MemoryTree;
use model::{Finding, Timestamp};
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

/// The management cluster of the example.
pub(crate) const MANAGEMENT: &str = "rendered/mgmt-muc";

/// The repository. It ends with this value.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) ada: Person,
    /// As it was pushed first.
    pub(crate) files: MemoryTree,
    _server: GitHttp,
    _dir: TempDir,
}

impl Fleet {
    /// The example with everything that is rendered for `tool`, pushed.
    pub(crate) fn serve(tool: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let served = dir.path().join("served");
        std::fs::create_dir(&served).unwrap();
        let bare = Bare::init(&served.join("fleet.git"), &home);
        let server = GitHttp::start(&served);
        let files = rendered(tool, &server.url("fleet.git"));
        let ada = bare.person("ada", dir.path());
        for (path, bytes) in &files.files {
            ada.write(path, std::str::from_utf8(bytes).unwrap());
        }
        ada.push("The example fleet, rendered");
        Self { ada, files, _server: server, _dir: dir }
    }

    /// Files below a folder, by their paths.
    pub(crate) fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let folder = format!("{folder}/");
        let files = self.files.files.iter();
        files.filter(move |(path, _)| path.starts_with(&folder)).map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// Every rendered object, by its file.
    pub(crate) fn objects(&self) -> Vec<(&str, Value)> {
        let below = self.below(MANAGEMENT).filter(|(path, _)| !path.ends_with("kustomization.yaml"));
        below.flat_map(|(path, bytes)| documents(bytes).into_iter().map(move |object| (path, object))).collect()
    }

    /// Rendered objects of a cluster or of the namespaces, by the folder below the management cluster's.
    pub(crate) fn names_in(&self, folder: &str) -> Vec<ObjectRef> {
        let folder = format!("{MANAGEMENT}/{folder}/");
        let objects = self.objects().into_iter().filter(|(path, _)| path.starts_with(&folder));
        objects.map(|(_, object)| ObjectRef::of(&object)).collect()
    }

    /// Rewrites the objects of a file in Ada's clone.
    pub(crate) fn edit(&self, path: &str, edit: impl Fn(&mut Vec<Value>)) {
        let mut objects = documents(self.ada.read(path).as_bytes());
        edit(&mut objects);
        let texts: Vec<_> = objects.iter().map(|object| serde_yaml::to_string(object).unwrap()).collect();
        self.ada.write(path, &texts.join("---\n"));
    }

    /// Takes the objects out of a file whose `Kind/name` begins so, one for each.
    pub(crate) fn drop_objects(&self, path: &str, beginnings: &[&str]) {
        let title = |object: &Value| format!("{}/{}", object["kind"].as_str().unwrap(), name_of(object));
        self.edit(path, |objects| {
            let before = objects.len();
            objects.retain(|object| !beginnings.iter().any(|beginning| title(object).starts_with(beginning)));
            assert_eq!(objects.len() + beginnings.len(), before, "{path}");
        });
    }

    /// The ClusterResourceSet that has no guard: it names no Secret.
    pub(crate) fn unguarded(&self) -> ObjectRef {
        let objects = self.objects();
        let is_it = |object: &&Value| object["kind"] == "ClusterResourceSet" && name_of(object).starts_with(UNGUARDED);
        ObjectRef::of(objects.iter().map(|(_, object)| object).find(is_it).unwrap())
    }

    /// Removes a file and its line in the kustomization beside it.
    pub(crate) fn drop_file(&self, folder: &str, file: &str) {
        self.ada.remove(&format!("{folder}/{file}"));
        self.edit(&format!("{folder}/kustomization.yaml"), |objects| {
            objects[0]["resources"].as_array_mut().unwrap().retain(|resource| resource != file);
        });
    }

    /// Names of every rendered object.
    pub(crate) fn references(&self) -> Vec<ObjectRef> {
        self.objects().iter().map(|(_, object)| ObjectRef::of(object)).collect()
    }
}

/// How the set of [`Fleet::unguarded`] is named.
pub(crate) const UNGUARDED: &str = "billing-plain-";

pub(crate) fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// The objects of a file.
pub(crate) fn documents(bytes: &[u8]) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_slice(bytes).map(|d| Value::deserialize(d).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

/// The example's definitions and locks, with what they render for a tool.
fn rendered(tool: &str, url: &str) -> MemoryTree {
    let mut tree = MemoryTree::default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("fleet-example");
    read(&root, &root, &mut tree);
    let definition = tree.files.get_mut("fleet.yaml").unwrap();
    let mut fleet: Value = serde_yaml::from_slice(definition).unwrap();
    fleet["spec"]["managementClusters"][0]["gitops"] = tool.into();
    fleet["spec"]["output"] = json!({"sourceURL": url});
    *definition = fleet.to_string().into_bytes();
    let billing = tree.files.get_mut("stages/production/clusters/billing/cluster.yaml").unwrap();
    let mut cluster: Value = serde_yaml::from_slice(billing).unwrap();
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "plain", "namespace": "default"}});
    cluster["spec"]["addons"] = json!({"manifests": [{"name": "plain", "objects": [object]}]});
    *billing = cluster.to_string().into_bytes();
    let now = Timestamp::from_second(1_790_000_000).unwrap();
    let loaded = fleet::load(&tree.tree(), &mut fleet::Memo::default(), now);
    assert_eq!(loaded.findings, Vec::<Finding>::new());
    let locked = loaded.want.clusters.values().filter_map(|w| Some((w.id.clone(), (**w.lock.as_ref()?).clone())));
    let locks: std::collections::BTreeMap<_, _> = locked.collect();
    assert_eq!(locks.len(), 3, "every cluster is locked");
    let before = tree.tree();
    let mut memo = render::Memo::default();
    let _ = render::edit(&loaded.want, render::Settled::live(&locks), &before, &before, &mut memo, &mut tree).unwrap();
    tree
}

/// Everything but the output, which is rendered anew.
fn read(root: &Path, dir: &Path, tree: &mut MemoryTree) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if path.is_dir() && name != "rendered" && name != "gitops" {
            read(root, &path, tree);
        } else if path.is_file() {
            tree.files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}
