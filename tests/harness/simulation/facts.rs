//! What the files of one commit say, read as plain YAML: nothing here knows the engine's types.

use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// A blob.
pub(super) type Id = [u8; 20];

/// The bytes of a path.
type Reader = Box<dyn Fn(&str) -> Vec<u8>>;

/// The files of one commit; bytes are read when somebody asks.
pub struct Files {
    ids: BTreeMap<String, Id>,
    read: Reader,
}

impl Files {
    pub(super) fn new(ids: BTreeMap<String, Id>, read: impl Fn(&str) -> Vec<u8> + 'static) -> Self {
        Self { ids, read: Box::new(read) }
    }

    /// Texts by path, for worlds that a test makes up.
    pub fn of(texts: &BTreeMap<String, String>) -> Self {
        let id = |text: &String| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            let mut id = [0; 20];
            id[..8].copy_from_slice(&hasher.finish().to_le_bytes());
            id
        };
        let texts = texts.clone();
        let ids = texts.iter().map(|(path, text)| (path.clone(), id(text))).collect();
        Self::new(ids, move |path| texts[path].clone().into_bytes())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Id)> {
        self.ids.iter()
    }

    pub(super) fn text(&self, path: &str) -> String {
        String::from_utf8_lossy(&(self.read)(path)).into_owned()
    }
}

/// Documents that were read before, by blob.
#[derive(Debug, Default)]
pub(super) struct Memo(HashMap<Id, Arc<Vec<Value>>>);

impl Memo {
    /// The documents of a file; None where it is no YAML.
    fn documents(&mut self, files: &Files, path: &str) -> Arc<Vec<Value>> {
        let Some(id) = files.ids.get(path) else { return Arc::default() };
        self.0.entry(*id).or_insert_with(|| Arc::new(documents(&files.text(path)))).clone()
    }
}

fn documents(text: &str) -> Vec<Value> {
    use serde::Deserialize as _;
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        match Value::deserialize(document) {
            Ok(Value::Null) => {}
            Ok(value) => found.push(value),
            Err(_) => return Vec::new(),
        }
    }
    found
}

/// What a lock, a tombstone or the output names for a slot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub value: String,
    /// Of the address or machine; the network's own id.
    pub allocation: String,
    pub is_adopted: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Definition {
    pub is_confirmed: bool,
    pub is_paused: bool,
    /// Everything that may change machines.
    pub inputs: String,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Lock {
    /// By `network`, `vip`, `firewall`, `egress.<network>`.
    pub named: BTreeMap<String, Named>,
    pub successor: Option<String>,
    pub is_confirmed: bool,
    /// Types of the conditions that are not well, with their reasons.
    pub problems: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Output {
    pub network: Option<String>,
    pub vip: Option<String>,
    pub firewall: Option<String>,
    /// What replaces machines when it changes.
    pub machines: BTreeMap<String, String>,
}

/// What one commit says, by cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub definitions: BTreeMap<String, Vec<Definition>>,
    /// Definitions that nobody can read.
    pub unreadable: Vec<String>,
    pub locks: BTreeMap<String, Vec<Lock>>,
    pub tombstones: BTreeMap<String, BTreeMap<String, Named>>,
    pub outputs: BTreeMap<String, Output>,
}

/// Whether a path is the engine's to write.
pub(super) fn is_engines(path: &str) -> bool {
    let begins = ["rendered/", "tombstones/", "gitops/argocd/", "gitops/flux/"];
    path.rsplit('/').next() == Some("cluster.lock.yaml") || begins.iter().any(|folder| path.starts_with(folder))
}

impl Facts {
    pub(super) fn of(files: &Files, memo: &mut Memo) -> Self {
        let mut facts = Self::default();
        // A change of these may change the machines of all.
        let shared: String =
            files.iter().filter(|(path, _)| is_shared(path)).map(|(path, id)| format!("{path} {id:?} ")).collect();
        for path in files.ids.keys() {
            let name = path.rsplit('/').next().unwrap_or(path);
            if name == "cluster.lock.yaml" {
                facts.lock(&memo.documents(files, path));
            } else if path.starts_with("tombstones/") {
                facts.tombstone(&memo.documents(files, path));
            } else if let Some(rest) = path.strip_prefix("rendered/") {
                facts.output(rest, &memo.documents(files, path));
            } else if name == "cluster.yaml" {
                facts.definition(path, &memo.documents(files, path), &shared);
            }
        }
        facts
    }

    fn definition(&mut self, path: &str, documents: &[Value], shared: &str) {
        let [document] = documents else { return self.unreadable.push(path.to_owned()) };
        let spec = &document["spec"];
        let Some(name) = document["metadata"]["name"].as_str().filter(|_| spec.is_object()) else {
            return self.unreadable.push(path.to_owned());
        };
        let namespace = spec["target"]["namespace"].as_str().unwrap_or("default");
        let mut inputs = spec.clone();
        if let Some(fields) = inputs.as_object_mut() {
            ["deletion", "paused", "firewall", "rollout"].into_iter().for_each(|field| drop(fields.remove(field)));
            for pool in fields.get_mut("pools").and_then(Value::as_array_mut).into_iter().flatten() {
                pool.as_object_mut().and_then(|pool| pool.remove("replicas"));
            }
        }
        let definition = Definition {
            is_confirmed: spec["deletion"]["confirm"].as_str() == Some(name),
            is_paused: spec["paused"] == true,
            inputs: format!("{shared}{inputs}"),
        };
        self.definitions.entry(format!("{namespace}.{name}")).or_default().push(definition);
    }

    fn lock(&mut self, documents: &[Value]) {
        let [document] = documents else { return };
        let Some(cluster) = cluster(document) else { return };
        let values = &document["values"];
        let problem = |condition: &Value| {
            let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
            (text("status") == "False").then(|| format!("{} {}", text("type"), text("reason")))
        };
        let lock = Lock {
            named: named(values),
            successor: values["firewall"]["successor"]["id"].as_str().map(str::to_owned),
            is_confirmed: document["deletion"]["confirmedIn"].is_string(),
            problems: document["conditions"].as_array().into_iter().flatten().filter_map(problem).collect(),
        };
        self.locks.entry(cluster).or_default().push(lock);
    }

    fn tombstone(&mut self, documents: &[Value]) {
        let [document] = documents else { return };
        if let Some(cluster) = cluster(document) {
            self.tombstones.insert(cluster, named(&document["values"]));
        }
    }

    /// `rest` is `<management cluster>/<namespace>/<name>/<file>`.
    fn output(&mut self, rest: &str, documents: &[Value]) {
        let [_, namespace, name, _] = rest.split('/').collect::<Vec<_>>()[..] else { return };
        let output = self.outputs.entry(format!("{namespace}.{name}")).or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        for document in documents {
            let (spec, named) = (&document["spec"], document["metadata"]["name"].as_str().unwrap_or_default());
            let mut machine = |part: &str, value: &Value| {
                output.machines.insert(format!("{named} {part}"), value.to_string());
            };
            match document["kind"].as_str() {
                Some("MetalStackCluster") => {
                    output.network = text(&spec["nodeNetworkID"]);
                    output.vip = text(&spec["controlPlaneIP"]);
                }
                Some("MetalStackFirewallDeployment") => {
                    let of = spec["managedResourceRef"]["name"].as_str();
                    output.firewall = of.and_then(|name| name.rsplit('/').next()).map(str::to_owned);
                }
                Some("KubeadmControlPlane") => {
                    machine("template", &spec["machineTemplate"]["spec"]["infrastructureRef"]["name"]);
                    machine("version", &spec["version"]);
                    machine("kubeadmConfigSpec", &spec["kubeadmConfigSpec"]);
                }
                Some("MachineDeployment") => {
                    let machines = &spec["template"]["spec"];
                    machine("template", &machines["infrastructureRef"]["name"]);
                    machine("version", &machines["version"]);
                    machine("bootstrap", &machines["bootstrap"]["configRef"]["name"]);
                }
                Some(_) | None => {}
            }
        }
    }
}

fn is_shared(path: &str) -> bool {
    path == "fleet.yaml" || path.starts_with("policies/") || path.starts_with("overlays/")
}

fn cluster(document: &Value) -> Option<String> {
    let identity = &document["identity"];
    Some(format!("{}.{}", identity["namespace"].as_str()?, identity["name"].as_str()?))
}

fn named(values: &Value) -> BTreeMap<String, Named> {
    let one = |value: &Value, field: &str| {
        let id = value[field].as_str()?;
        let allocation = value["allocation"].as_str().unwrap_or(id);
        let is_adopted = value["origin"] == "adopted";
        Some(Named { value: id.to_owned(), allocation: allocation.to_owned(), is_adopted })
    };
    let mut found = BTreeMap::new();
    let mut put =
        |slot: String, named: Option<Named>| named.into_iter().for_each(|n| drop(found.insert(slot.clone(), n)));
    put("network".to_owned(), one(&values["nodeNetwork"], "id"));
    put("vip".to_owned(), one(&values["vip"], "address"));
    put("firewall".to_owned(), one(&values["firewall"], "id"));
    for egress in values["egressIPs"].as_array().into_iter().flatten() {
        put(format!("egress.{}", egress["network"].as_str().unwrap_or_default()), one(egress, "address"));
    }
    found
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.ids.keys()).finish()
    }
}
