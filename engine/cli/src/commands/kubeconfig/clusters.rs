//! Which cluster was asked for, and how far it is.

use crate::exit::Usage;
use crate::words;
use kube::api::DynamicObject;
use serde_json::Value;

/// What a person wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    namespace: Option<String>,
    name: String,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A Cluster of Cluster API.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) namespace: String,
    pub(super) name: String,
    object: Value,
}

impl Asked {
    /// `name`, `namespace/name`, or `namespace.name`: a namespace has no dot, a name of ours neither.
    pub(super) fn parse(text: &str, namespace: Option<&str>) -> Result<Self, Usage> {
        let split = text.split_once('/').or_else(|| text.split_once('.'));
        let (written, name) = split.map_or((None, text), |(namespace, name)| (Some(namespace), name));
        if let (Some(written), Some(named)) = (written, namespace)
            && written != named
        {
            let what = format!("{text} is in namespace {written}, and --namespace says {named}");
            return Err(Usage::new(what, "leave one of them out"));
        }
        let namespace = written.or(namespace);
        if ![Some(name), namespace].into_iter().flatten().all(is_label) {
            let hint = "a cluster is written as shop, payments/billing or payments.billing";
            return Err(Usage::new(format!("`{text}` is no name of a cluster"), hint));
        }
        Ok(Self { namespace: namespace.map(str::to_owned), name: name.to_owned() })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The one of all clusters.
    pub(super) fn among(&self, known: &[Known]) -> Result<Found, Usage> {
        let is_meant = |cluster: &&Known| {
            cluster.name == self.name && self.namespace.as_ref().is_none_or(|namespace| *namespace == cluster.namespace)
        };
        let found: Vec<_> = known.iter().filter(is_meant).collect();
        match &found[..] {
            [only] => Ok(Found { namespace: only.namespace.clone(), name: only.name.clone() }),
            [] => Err(self.none_of(known)),
            several => {
                let ids: Vec<_> = several.iter().map(|cluster| cluster.id()).collect();
                let hint = format!("take one of {}", ids.join(", "));
                Err(Usage::new(format!("several clusters are named {}", self.name), hint))
            }
        }
    }

    /// Where clusters cannot be listed.
    pub(super) fn unseen(&self, default: &str) -> Found {
        let namespace = self.namespace.clone().unwrap_or_else(|| default.to_owned());
        Found { namespace, name: self.name.clone() }
    }

    fn none_of(&self, known: &[Known]) -> Usage {
        let ids: Vec<_> = known.iter().map(Known::id).collect();
        let (what, wanted) = match &self.namespace {
            Some(namespace) => {
                let id = format!("{namespace}/{}", self.name);
                (format!("there is no cluster {} in namespace {namespace}", self.name), id)
            }
            None => (format!("there is no cluster {}", self.name), self.name.clone()),
        };
        // Of the same name elsewhere, else of a name that is near, else all.
        let same: Vec<_> = known.iter().filter(|cluster| cluster.name == self.name).map(Known::id).collect();
        let near_names = words::nearest(&self.name, known.iter().map(|cluster| cluster.name.as_str()));
        let near: Vec<_> =
            known.iter().filter(|cluster| near_names.contains(&cluster.name.as_str())).map(Known::id).collect();
        let hint = match (&same[..], &near[..]) {
            ([], []) if known.is_empty() => "there are no clusters in this management cluster".to_owned(),
            ([], []) => words::hint(&wanted, ids.iter().map(String::as_str), "`kubectl get clusters -A` lists them"),
            ([], offered) | (offered, _) => format!("did you mean {}?", offered.join(" or ")),
        };
        Usage::new(what, hint)
    }
}

/// A DNS label, as namespaces and names are.
fn is_label(text: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.len() <= 63 && is_edge(text.chars().next()) && is_edge(text.chars().last()) && text.chars().all(is_inner)
}

impl Known {
    pub(super) fn of(object: &DynamicObject) -> Option<Self> {
        let metadata = &object.metadata;
        let (namespace, name) = (metadata.namespace.clone()?, metadata.name.clone()?);
        let object = serde_json::to_value(object).ok()?;
        Some(Self { namespace, name, object })
    }

    fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// What its kubeconfig waits for: a control plane writes it once its cluster has infrastructure and an endpoint.
    pub(super) fn waits_for(&self) -> String {
        let (spec, status) = (&self.object["spec"], &self.object["status"]);
        let because = |condition: &str| said(status, condition).map_or_else(String::new, |why| format!(" ({why})"));
        let is_provisioned =
            status["initialization"]["infrastructureProvisioned"] == true || status["infrastructureReady"] == true;
        let has_endpoint = spec["controlPlaneEndpoint"]["host"].as_str().is_some_and(|host| !host.is_empty());
        if !self.object["metadata"]["deletionTimestamp"].is_null() {
            return "the cluster is being deleted".to_owned();
        }
        if spec["paused"] == true {
            return "the cluster is paused: nothing goes on until spec.paused is taken away".to_owned();
        }
        if !is_provisioned {
            let why = because("InfrastructureReady");
            return format!("it waits for the infrastructure{why}; `kubectl describe metalstackcluster` says more");
        }
        if !has_endpoint {
            return "it waits for a control plane endpoint: the infrastructure has none".to_owned();
        }
        if spec["controlPlaneRef"].is_null() {
            return "it names no control plane (spec.controlPlaneRef), and whoever made it has the kubeconfig"
                .to_owned();
        }
        let why = because("ControlPlaneInitialized");
        format!("it waits for its control plane provider to write it{why}; does its manager run?")
    }
}

/// The words of a condition that is not good: its message, else its reason.
fn said(status: &Value, condition: &str) -> Option<String> {
    let all = status["conditions"].as_array()?;
    let found = all.iter().find(|c| c["type"] == condition && c["status"] != "True")?;
    let words = ["message", "reason"].into_iter().filter_map(|field| found[field].as_str());
    words.map(str::trim).find(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
