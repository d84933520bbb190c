//! The management clusters that the engine may look at: what of a cluster is there, and what the provider filled in.
//!
//! Only reads. A look that fails is words, never an absence: absence lets a deletion go on (R2).

mod seen;

use crate::kube::{self, KubeArgs};
use ::kube::api::{Api, ApiResource, DynamicObject, ListParams};
use ::kube::core::GroupVersionKind;
use ::kube::{Client, discovery};
use model::ClusterId;
use model::ids::Label;
use model::live::Seen;
use seen::Objects;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Mutex;

/// For all that one look asks.
const LOOK_MAX: Duration = Duration::from_secs(5);
const CLUSTER_API: &str = "cluster.x-k8s.io";
const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io";
/// By which an object belongs to a cluster.
const CLUSTER_LABEL: &str = "cluster.x-k8s.io/cluster-name";

/// What Cluster API deletes with a cluster, by group and kind, with the versions that are served somewhere, the newest
/// first. Templates and add-ons are passive and not among it.
const ACTIVE: [(&str, &[&str], &str); 7] = [
    (CLUSTER_API, &["v1beta2", "v1beta1"], "Machine"),
    (CLUSTER_API, &["v1beta2", "v1beta1"], "MachineSet"),
    (CLUSTER_API, &["v1beta2", "v1beta1"], "MachineDeployment"),
    ("controlplane.cluster.x-k8s.io", &["v1beta2", "v1beta1"], "KubeadmControlPlane"),
    (INFRASTRUCTURE, &["v1alpha1"], "MetalStackMachine"),
    (INFRASTRUCTURE, &["v1alpha1"], seen::INFRASTRUCTURE_CLUSTER),
    (INFRASTRUCTURE, &["v1alpha1"], seen::FIREWALL),
];

/// How each is reached, by the name that `fleet.yaml` uses for it.
#[derive(Debug, Default)]
pub(crate) struct Access {
    doors: BTreeMap<Label, Door>,
}

/// One API server. The connection is made at the first look and anew after one that failed: a kubeconfig may have been
/// replaced meanwhile.
struct Door {
    args: KubeArgs,
    connection: Mutex<Option<Connection>>,
}

#[derive(Clone)]
struct Connection {
    client: Client,
    cluster: ApiResource,
    active: Vec<ApiResource>,
}

impl Access {
    pub(crate) fn new(doors: impl IntoIterator<Item = (Label, KubeArgs)>) -> Self {
        let door = |(name, args)| (name, Door { args, connection: Mutex::default() });
        Self { doors: doors.into_iter().map(door).collect() }
    }
}

impl gitops::Live for Access {
    fn look<'a>(&'a self, access: &'a Label, cluster: &'a ClusterId) -> gitops::Look<'a> {
        Box::pin(async move { Some(self.doors.get(access)?.look(cluster).await) })
    }
}

impl Door {
    async fn look(&self, cluster: &ClusterId) -> Result<Seen, String> {
        let looked = match tokio::time::timeout(LOOK_MAX, self.asked(cluster)).await {
            Ok(looked) => looked,
            Err(_) => Err(format!("the management cluster did not answer within {} s", LOOK_MAX.as_secs())),
        };
        if looked.is_err() {
            *self.connection.lock().await = None;
        }
        looked
    }

    async fn asked(&self, cluster: &ClusterId) -> Result<Seen, String> {
        let connection = self.connected().await?;
        let namespace = cluster.namespace().as_str();
        connection.knows(namespace).await?;
        let (found, active) = tokio::try_join!(connection.cluster(cluster), connection.active(cluster))?;
        Ok(seen::seen(found.as_ref(), &active))
    }

    async fn connected(&self) -> Result<Connection, String> {
        let mut known = self.connection.lock().await;
        if let Some(connection) = &*known {
            return Ok(connection.clone());
        }
        let mut config = self.args.config().await.map_err(|usage| format!("{usage}; {}", usage.hint()))?;
        config.connect_timeout = Some(LOOK_MAX);
        config.read_timeout = Some(LOOK_MAX);
        config.reset_reader_on_write = true;
        let client = Client::try_from(config).map_err(|error| kube::said(&error))?;
        let connection = Connection::of(client).await?;
        *known = Some(connection.clone());
        Ok(connection)
    }
}

impl Connection {
    /// Asks which kinds are served. Without Cluster API and the infrastructure's kinds nothing can be said of absence.
    async fn of(client: Client) -> Result<Self, String> {
        let versions = ["v1beta2", "v1beta1"];
        let cluster = served(&client, CLUSTER_API, &versions, "Cluster").await?;
        let cluster =
            cluster.ok_or("the API server does not serve Cluster API's Clusters; is this the management cluster?")?;
        let mut active = Vec::new();
        for (group, versions, kind) in ACTIVE {
            let found = served(&client, group, versions, kind).await?;
            if found.is_none() && kind == seen::INFRASTRUCTURE_CLUSTER {
                return Err(format!(
                    "the API server does not serve {kind} of {group}; is the provider installed there?"
                ));
            }
            active.extend(found);
        }
        Ok(Self { client, cluster, active })
    }

    /// Namespaces are never pruned: where the cluster's is missing, this is another management cluster.
    async fn knows(&self, namespace: &str) -> Result<(), String> {
        let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Namespace"), "namespaces");
        let found = Api::<DynamicObject>::all_with(self.client.clone(), &kind).get_metadata_opt(namespace).await;
        match found {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(format!(
                "there is no namespace {namespace}, and namespaces are never pruned: is this the management cluster? If it is, \
                 make the namespace"
            )),
            Err(error) => Err(format!("namespace {namespace} cannot be read: {}", kube::said(&error))),
        }
    }

    async fn cluster(&self, cluster: &ClusterId) -> Result<Option<Value>, String> {
        let api =
            Api::<DynamicObject>::namespaced_with(self.client.clone(), cluster.namespace().as_str(), &self.cluster);
        let found = api.get_opt(cluster.name().as_str()).await;
        let found = found.map_err(|error| format!("the Cluster cannot be read: {}", kube::said(&error)))?;
        found.map(value).transpose()
    }

    /// By kind.
    async fn active(&self, cluster: &ClusterId) -> Result<Objects, String> {
        let params = ListParams::default().labels(&format!("{CLUSTER_LABEL}={}", cluster.name()));
        let list = |kind: &ApiResource| {
            let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), cluster.namespace().as_str(), kind);
            let (params, name) = (params.clone(), kind.kind.clone());
            async move {
                let found = kube::all(&api, params).await;
                let found = found.map_err(|error| format!("{name}s cannot be listed: {}", kube::said(&error)))?;
                let values: Vec<_> = found.into_iter().map(value).collect::<Result<_, _>>()?;
                Ok::<_, String>((name, values))
            }
        };
        let mut objects = Objects::new();
        let mut lists = tokio::task::JoinSet::new();
        for kind in &self.active {
            lists.spawn(list(kind));
        }
        while let Some(listed) = lists.join_next().await {
            let (kind, found) = listed.map_err(|error| format!("a list ended unexpectedly: {error}"))??;
            objects.insert(kind, found);
        }
        Ok(objects)
    }
}

/// The kind in the newest version that is served; None where no version is.
async fn served(client: &Client, group: &str, versions: &[&str], kind: &str) -> Result<Option<ApiResource>, String> {
    for version in versions {
        match discovery::pinned_kind(client, &GroupVersionKind::gvk(group, version, kind)).await {
            Ok((resource, _)) => return Ok(Some(resource)),
            Err(::kube::Error::Discovery(_)) => {}
            Err(error) if kube::is_missing(&error) => {}
            Err(error) => return Err(format!("the API server does not say what it serves: {}", kube::said(&error))),
        }
    }
    Ok(None)
}

fn value(object: DynamicObject) -> Result<Value, String> {
    serde_json::to_value(object).map_err(|error| error.to_string())
}

/// Never a client: it holds credentials (I7).
impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("args", &self.args).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
