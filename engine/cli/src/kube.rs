//! Which management cluster, and as whom: `--kubeconfig`, else `KUBECONFIG`, else the pod that this runs in, else
//! `~/.kube/config`, as programs of Kubernetes do it.
//!
//! Nothing that a kubeconfig holds beside names and addresses is ever shown (I7).

mod file;

pub(crate) use file::{chosen, parsed};

use crate::exit::Usage;
use clap::Args;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::core::GroupVersionKind;
use kube::{Client, Config};
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use std::time::Duration;

/// For a connection, and for an answer: a server that accepts connections and says nothing.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Objects come in pages.
const PAGE: u32 = 500;
/// Served by Cluster API of the last years, the newest first.
const CLUSTER_VERSIONS: [&str; 2] = ["v1beta2", "v1beta1"];

/// The management cluster. To be flattened last: its heading would be that of what follows.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Management cluster")]
pub(crate) struct KubeArgs {
    /// How it is reached [default: $KUBECONFIG, else the pod's service account, else ~/.kube/config]
    #[arg(long, env = "FERROFLEET_KUBECONFIG", value_name = "FILE", hide_env = true)]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig [default: the current one]
    #[arg(long, env = "FERROFLEET_CONTEXT", value_name = "NAME", hide_env = true)]
    pub(crate) context: Option<String>,
}

impl KubeArgs {
    /// Where the API server is and how to speak to it; nothing is asked of it. What is wrong is a [`Usage`] that names
    /// file, field and mend.
    pub(crate) async fn config(&self) -> Result<Config, Usage> {
        let files = match (&self.kubeconfig, file::of_environment()) {
            (Some(file), _) => vec![file.clone()],
            (None, Some(files)) => files,
            // A context is one of a file.
            (None, None) if self.context.is_none() && in_pod() => return of_pod(),
            (None, None) => vec![file::of_home().ok_or_else(none_known)?],
        };
        let place = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
        let merged = file::read(&files)?;
        chosen(&merged, self.context.as_deref()).map_err(|wrong| wrong.at(&place))?;
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let mut config = Config::from_custom_kubeconfig(merged, &options).await.map_err(|e| unusable(&e, &place))?;
        config.connect_timeout = Some(ANSWER_MAX);
        Ok(config)
    }

    /// A client whose calls end: for commands that ask and go. A watch needs [`config`](Self::config) as it is.
    pub(crate) async fn server(&self) -> Result<Server, Usage> {
        let mut config = self.config().await?;
        config.read_timeout = Some(ANSWER_MAX);
        config.reset_reader_on_write = true;
        let (url, namespace) = (config.cluster_url.to_string(), config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| {
            let what = format!("no client for the API server {url}: {}", said(&error));
            Usage::new(what, "see to the user of the context: its certificate, key, token file or exec command")
        })?;
        Ok(Server { client, url, namespace })
    }
}

impl KubeArgs {
    /// A client of which at most `qps` requests begin in a second, `burst` of them at once; each ends when nothing was
    /// heard for `silence`.
    pub(crate) async fn limited_client(&self, qps: u32, burst: u32, silence: Duration) -> anyhow::Result<Client> {
        let mut config = self.config().await?;
        config.read_timeout = Some(silence);
        config.reset_reader_on_write = true;
        let window = Duration::from_secs_f64(f64::from(burst) / f64::from(qps));
        let limit = tower::limit::RateLimitLayer::new(u64::from(burst), window);
        Ok(ClientBuilder::try_from(config)?.with_layer(&limit).build())
    }
}

/// An API server, not asked yet.
pub(crate) struct Server {
    pub(crate) client: Client,
    pub(crate) url: String,
    /// The context's.
    pub(crate) namespace: String,
}

/// All objects, page by page.
pub(crate) async fn all<K>(api: &Api<K>, params: ListParams) -> kube::Result<Vec<K>>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut params = params.limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = api.list(&params).await?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}

/// Cluster API's Clusters of all namespaces, in the newest version that is served.
pub(crate) async fn clusters(client: &Client) -> kube::Result<Vec<DynamicObject>> {
    let mut last = None;
    for version in CLUSTER_VERSIONS {
        let kind = GroupVersionKind::gvk("cluster.x-k8s.io", version, "Cluster");
        let api = Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, "clusters"));
        match all(&api, ListParams::default()).await {
            Err(error) if is_missing(&error) => last = Some(error),
            answer => return answer,
        }
    }
    last.map_or(Ok(Vec::new()), Err)
}

/// Whether the server answered that there is no such thing: an object, or its kind.
pub(crate) fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Whether the server refused because of who asked.
pub(crate) fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403))
}

/// An API server's own words, or why there are none, without what kube says around them.
pub(crate) fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.message.is_empty() => format!("{} {}", status.code, status.reason),
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::Service(error) => chain(error.as_ref()),
        kube::Error::InferKubeconfig(error) => chain(error),
        other => other.to_string(),
    }
}

/// What happened and why, each said once: some errors quote their source.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

fn in_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some_and(|host| !host.is_empty())
}

fn of_pod() -> Result<Config, Usage> {
    let mut config = Config::incluster().map_err(|error| {
        let hint = "let the pod have its service account (automountServiceAccountToken), or name a --kubeconfig FILE";
        Usage::new(format!("the service account of this pod cannot be used: {}", chain(&error)), hint)
    })?;
    config.connect_timeout = Some(ANSWER_MAX);
    Ok(config)
}

fn none_known() -> Usage {
    Usage::new("no management cluster is known here", "name one with --kubeconfig FILE, or set KUBECONFIG")
}

/// What only reading the files and data that a kubeconfig names brings to light.
fn unusable(error: &KubeconfigError, place: &str) -> Usage {
    let (field, mend) = match error {
        KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => (
            "certificate-authority",
            "certificate-authority-data is a PEM certificate in base64, certificate-authority a file with one",
        ),
        KubeconfigError::ParseProxyUrl(_) => ("proxy-url", "a proxy is written like http://proxy.example.com:3128"),
        _ => return Usage::new(format!("{place} cannot be used: {}", chain(error)), "fetch the kubeconfig anew"),
    };
    Usage::new(format!("{place}: {field} of the cluster cannot be used: {}", chain(error)), mend)
}

/// A kubeconfig for tests and messages: never its content.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("url", &self.url).field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// Files merged by kubectl's rules: the first that says something wins.
fn merged(configs: Vec<Kubeconfig>) -> Result<Kubeconfig, KubeconfigError> {
    configs.into_iter().try_fold(Kubeconfig::default(), Kubeconfig::merge)
}
