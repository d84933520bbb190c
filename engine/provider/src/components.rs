//! How Ferrofleet is installed: the objects of the provider and of the engine, made here and nowhere else.
//!
//! `deploy/` is written from [`files`] and the release file of clusterctl from [`yaml`], so that they cannot differ.
//! What objects do when they run is none of this module's.

mod around;
mod layout;
mod pods;
mod rights;
mod text;

#[cfg(test)]
mod tests;

pub use layout::files;

use crate::crds;
use serde_json::{Value, json};
use text::Manifest;

/// What an installation may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Of the Deployment, with tag or digest.
    pub image: String,
    /// Of the provider. The Lease is in it: CAPMS in another namespace would run at the same time.
    pub namespace: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { image: IMAGE.to_owned(), namespace: NAMESPACE.to_owned() }
    }
}

/// The image of this version, for the engine and the provider.
pub const IMAGE: &str = concat!("ghcr.io/ferrofleet/ferrofleet:v", env!("CARGO_PKG_VERSION"));

/// CAPMS's namespace, with its Lease and its Secret.
pub const NAMESPACE: &str = "capms-system";

/// The engine's namespace: it has credentials for Git, the provider has the bootstrap data of machines.
pub const ENGINE_NAMESPACE: &str = "ferrofleet-system";

/// CAPMS's Secret, which the provider takes over: `api-url`, `api-hmac`, `api-hmac-auth-type`.
pub const SECRET: &str = "capms-controller-manager-config";

/// The keys of [`SECRET`] and the environment variables that carry them, in the process and in clusterctl.
pub const CREDENTIALS: [(&str, &str); 3] =
    [("api-url", "METAL_API_URL"), ("api-hmac", "METAL_API_HMAC"), ("api-hmac-auth-type", "METAL_API_HMAC_AUTH_TYPE")];

/// `infrastructure-components.yaml` of a release for clusterctl: all that the provider needs, with `${METAL_API_URL}`,
/// `${METAL_API_HMAC}` and `${METAL_API_HMAC_AUTH_TYPE}` for clusterctl to fill.
pub fn yaml(options: &Options) -> String {
    let [namespace, rest @ ..] = provider(options);
    let secret = Manifest::new("What the provider says to metal-api. clusterctl puts the values in.", secret(options));
    let [account, cluster_role, cluster_binding, role, binding, deployment] = rest;
    [namespace.text(), crds::yaml()]
        .into_iter()
        .chain([account, cluster_role, cluster_binding, role, binding, secret, deployment].map(|m| m.text()))
        .collect()
}

/// The provider without its kinds and its credentials: its Namespace, its ServiceAccount, a ClusterRole, a Role, their
/// bindings, its Deployment.
fn provider(options: &Options) -> [Manifest; 7] {
    let [cluster_role, cluster_binding, role, binding] = rights::provider(options);
    [
        Manifest::new(
            "Nothing in it may run with more than the least rights.",
            pods::namespace(&options.namespace, PROVIDER),
        ),
        Manifest::new("", pods::service_account(&options.namespace, PROVIDER)),
        cluster_role,
        cluster_binding,
        role,
        binding,
        pods::provider(options),
    ]
}

/// The engine: its Namespace, its ServiceAccount, its Deployment.
///
/// It has no rights in the cluster: it reads and writes Git and metal-api, and a claim in Git elects who writes. What it
/// may look at is in a component of its own.
fn engine(image: &str) -> [Manifest; 3] {
    [
        Manifest::new(
            "Nothing in it may run with more than the least rights.",
            pods::namespace(ENGINE_NAMESPACE, ENGINE),
        ),
        Manifest::new(
            "Without a role: the engine asks the API server nothing, unless the component management-access lets it look. \
            A claim in Git elects who writes.",
            pods::service_account(ENGINE_NAMESPACE, ENGINE),
        ),
        pods::engine(image),
    ]
}

/// One half of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// Of its ServiceAccount, its roles and its Deployment.
    name: &'static str,
    component: &'static str,
    /// clusterctl finds, upgrades and deletes a provider by a label, and only the provider is one.
    is_provider: bool,
}

const PROVIDER: Part = Part { name: "ferrofleet-provider", component: "provider", is_provider: true };
const ENGINE: Part = Part { name: "ferrofleet-engine", component: "engine", is_provider: false };

impl Part {
    /// On every object.
    fn labels(self) -> Value {
        let mut labels = self.selector();
        if self.is_provider {
            let (key, value) = crds::PROVIDER;
            labels[key] = json!(value);
        }
        labels
    }

    /// On pods, and how Deployments find them. CAPMS's Deployment looks for other labels, so neither takes the pods of
    /// the other.
    fn selector(self) -> Value {
        json!({"app.kubernetes.io/name": "ferrofleet", "app.kubernetes.io/component": self.component})
    }
}

/// Values in blocks of their own: whatever characters a key has, YAML reads them as they are, and digits stay text.
fn secret(options: &Options) -> Value {
    let data = CREDENTIALS.iter().map(|(key, variable)| ((*key).to_owned(), json!(format!("${{{variable}}}"))));
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": options.namespace, "labels": PROVIDER.labels()},
        "type": "Opaque",
        "stringData": data.collect::<serde_json::Map<_, _>>(),
    })
}
