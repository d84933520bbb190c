//! A management cluster's API server: reading objects, and asking what applying them would do.

use crate::compare::{CLUSTER_LABEL, Name};
use anyhow::{Context as _, anyhow};
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, Scope};
use kube::{Api, Client, Config};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// A server that accepts connections and says nothing.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Objects of one kind and one cluster come in pages.
const PAGE: u32 = 500;
const PAGES_MAX: usize = 100;

/// One API server.
pub(crate) struct Server {
    client: Client,
    kinds: Mutex<HashMap<(String, String), (ApiResource, ApiCapabilities)>>,
}

impl Server {
    /// The one of a file and a context; without either as kubectl would take it, or the one this process runs in.
    pub(crate) async fn connect(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<Self> {
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let mut config = match (kubeconfig, context) {
            (Some(file), _) => {
                let cannot = || format!("{} cannot be used", file.display());
                let parsed = Kubeconfig::read_from(file).with_context(cannot)?;
                Config::from_custom_kubeconfig(parsed, &options).await.with_context(cannot)?
            }
            (None, Some(_)) => Config::from_kubeconfig(&options).await.context("the kubeconfig cannot be used")?,
            (None, None) => {
                Config::infer().await.context("no management cluster is known here: name one with --kubeconfig FILE")?
            }
        };
        config.read_timeout = Some(ANSWER_MAX);
        config.connect_timeout = Some(ANSWER_MAX);
        let url = config.cluster_url.to_string();
        let client = Client::try_from(config)?;
        // Asked once, so that a server that is not there is said once; what it answers does not matter.
        match client.apiserver_version().await {
            Ok(_) | Err(kube::Error::Api(_)) => {}
            Err(error) => return Err(said(error)).with_context(|| format!("the API server {url} does not answer")),
        }
        Ok(Self { client, kinds: Mutex::default() })
    }

    /// The object as it is; None where there is none, or its namespace is not there.
    pub(crate) async fn get(&self, name: &Name) -> anyhow::Result<Option<Value>> {
        let api = self.api(name).await?;
        let found = api.get_opt(&name.name).await.map_err(said).with_context(|| format!("{name} cannot be read"))?;
        found.map(|object| valued(object, name)).transpose()
    }

    /// The object as applying it would make it; nothing is stored.
    pub(crate) async fn dry_run(&self, name: &Name, object: &Value, manager: &str) -> anyhow::Result<Value> {
        let api = self.api(name).await?;
        let params = PatchParams { dry_run: true, ..PatchParams::apply(manager).force() };
        let applied = api.patch(&name.name, &params, &Patch::Apply(object)).await.map_err(said);
        valued(applied.with_context(|| format!("{name} would be refused"))?, name)
    }

    /// The objects of a kind that belong to a cluster.
    pub(crate) async fn of_cluster(&self, like: &Name, cluster: &str) -> anyhow::Result<Vec<Value>> {
        let api = self.api(like).await?;
        let mut params = ListParams::default().labels(&format!("{CLUSTER_LABEL}={cluster}")).limit(PAGE);
        let mut all = Vec::new();
        for _ in 0..PAGES_MAX {
            let listed =
                api.list(&params).await.map_err(said).with_context(|| format!("{} cannot be listed", like.kind))?;
            let next = listed.metadata.continue_.filter(|token| !token.is_empty());
            for object in listed.items {
                all.push(valued(object, like)?);
            }
            match next {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(all),
            }
        }
        anyhow::bail!("there are more than {} objects of kind {}", PAGES_MAX * PAGE as usize, like.kind)
    }

    async fn api(&self, name: &Name) -> anyhow::Result<Api<DynamicObject>> {
        let (resource, capabilities) = self.kind(name).await?;
        Ok(match (capabilities.scope, &name.namespace) {
            (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            (Scope::Namespaced, None) => Api::default_namespaced_with(self.client.clone(), &resource),
            (Scope::Cluster, _) => Api::all_with(self.client.clone(), &resource),
        })
    }

    async fn kind(&self, name: &Name) -> anyhow::Result<(ApiResource, ApiCapabilities)> {
        let key = (name.api_version.clone(), name.kind.clone());
        if let Some(known) = self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let (group, version) = name.api_version.split_once('/').unwrap_or(("", &name.api_version));
        let kind = GroupVersionKind::gvk(group, version, &name.kind);
        let found = match kube::discovery::pinned_kind(&self.client, &kind).await {
            Ok(found) => found,
            Err(kube::Error::Discovery(_)) => return Err(no_kind(name)),
            Err(kube::Error::Api(status)) if status.code == 404 => return Err(no_kind(name)),
            Err(error) => {
                return Err(said(error))
                    .with_context(|| format!("the API server does not say what {} is", name.api_version));
            }
        };
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
        Ok(found)
    }
}

fn no_kind(name: &Name) -> anyhow::Error {
    let Name { api_version, kind, .. } = name;
    anyhow!("the API server has no {api_version} {kind}; is what brings it installed in this management cluster?")
}

/// An API server's own words without what kube says around them.
fn said(error: kube::Error) -> anyhow::Error {
    match error {
        kube::Error::Api(status) => anyhow!("{}", status.message),
        kube::Error::Service(error) => anyhow!("{error}"),
        other => other.into(),
    }
}

/// As JSON; items of lists leave out what they are.
fn valued(object: DynamicObject, name: &Name) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(object)?;
    value["apiVersion"] = name.api_version.clone().into();
    value["kind"] = name.kind.clone().into();
    Ok(value)
}
