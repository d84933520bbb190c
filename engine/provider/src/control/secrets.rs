//! Keeps the Secrets of `credentialsRef` for as long as something has to be freed with them: a namespace that is deleted
//! takes Secrets first, and no other can be made in it then.

use super::patch::{finalizers, merge};
use crate::api::{MetalStackCluster, MetalStackFirewallDeployment, MetalStackMachine};
use crate::names;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::time::Duration;
use tokio::sync::mpsc;

/// After a look that failed.
const AGAIN: Duration = Duration::from_secs(5);

/// Who asks for a look at a Secret that may be let go.
#[derive(Clone, Debug)]
pub(super) struct Releases(mpsc::UnboundedSender<Named>);

/// Namespace and name of a Secret.
type Named = (String, String);

impl Releases {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Named>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    pub(super) fn look(&self, namespace: &str, name: &str) {
        // Nobody reads it only while the process ends.
        let _ = self.0.send((namespace.to_owned(), name.to_owned()));
    }
}

/// Puts our finalizer on a Secret that was just read, unless it is on its way out already.
pub(super) async fn hold(client: &Client, secret: &Secret) {
    let held = secret.finalizers().iter().any(|f| f == names::CREDENTIALS_FINALIZER);
    if held || secret.metadata.deletion_timestamp.is_some() {
        return;
    }
    if let Err(error) = merge(client, secret, finalizers(secret, names::CREDENTIALS_FINALIZER, true)).await {
        tracing::warn!(secret = %secret.name_any(), %error, "a Secret with credentials could not be held");
    }
}

/// Lets Secrets go that are deleted and that nothing needs any more. Runs as long as the process.
pub(super) async fn release(client: Client, again: Releases, mut due: mpsc::UnboundedReceiver<Named>) {
    while let Some((namespace, name)) = due.recv().await {
        let Err(error) = let_go(&client, &namespace, &name).await else { continue };
        tracing::warn!(%namespace, %name, %error, "whether a Secret with credentials is needed could not be found out");
        let again = again.clone();
        tokio::spawn(async move {
            tokio::time::sleep(AGAIN).await;
            again.look(&namespace, &name);
        });
    }
}

async fn let_go(client: &Client, namespace: &str, name: &str) -> Result<(), super::Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let Some(secret) = api.get_opt(name).await? else { return Ok(()) };
    let held = secret.finalizers().iter().any(|f| f == names::CREDENTIALS_FINALIZER);
    let is_deleted = secret.metadata.deletion_timestamp.is_some();
    if !held || !is_deleted || is_used(client, namespace, name).await? {
        return Ok(());
    }
    merge(client, &secret, finalizers(&secret, names::CREDENTIALS_FINALIZER, false)).await?;
    Ok(())
}

/// Whether anything of the namespace may have to be freed with it: asked of the API server, since another provider may
/// be the one that sees it.
async fn is_used(client: &Client, namespace: &str, name: &str) -> Result<bool, kube::Error> {
    let clusters: Vec<DeserializeGuard<MetalStackCluster>> = all(client, namespace).await?;
    let by_cluster = |cluster: &DeserializeGuard<MetalStackCluster>| match &cluster.0 {
        Ok(cluster) => {
            let names_it = cluster.spec.credentials_ref.as_ref().is_some_and(|r| r.name == name);
            names_it && cluster.finalizers().iter().any(|f| f == names::CLUSTER_FINALIZER)
        }
        // Nobody can say what it names.
        Err(_) => true,
    };
    if clusters.iter().any(by_cluster) {
        return Ok(true);
    }
    let noted = |object: &dyn Noted| object.credentials() == Some(name);
    let machines: Vec<DeserializeGuard<MetalStackMachine>> = all(client, namespace).await?;
    let firewalls: Vec<DeserializeGuard<MetalStackFirewallDeployment>> = all(client, namespace).await?;
    Ok(machines.iter().any(|machine| noted(machine)) || firewalls.iter().any(|firewall| noted(firewall)))
}

async fn all<K>(client: &Client, namespace: &str) -> Result<Vec<K>, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    Ok(Api::<K>::namespaced(client.clone(), namespace).list(&ListParams::default()).await?.items)
}

/// What notes the credentials that it was allocated with.
trait Noted {
    fn credentials(&self) -> Option<&str>;
}

impl<K: ResourceExt> Noted for K {
    fn credentials(&self) -> Option<&str> {
        self.annotations().get(names::CREDENTIALS).map(String::as_str)
    }
}
