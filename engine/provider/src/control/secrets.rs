//! Keeps the Secrets of `credentialsRef` for as long as something has to be freed with them: a namespace that is deleted
//! takes Secrets first, and no other can be made in it then.

use super::caches::Caches;
use super::patch::{finalizers, merge};
use super::queues::Queues;
use crate::names;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::mpsc;

/// Who asks for a look at a Secret that may be let go.
#[derive(Clone, Debug)]
pub(super) struct Releases(mpsc::UnboundedSender<(String, String)>);

impl Releases {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<(String, String)>) {
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
pub(super) async fn release(
    client: Client,
    caches: Caches,
    queues: Queues,
    mut due: mpsc::UnboundedReceiver<(String, String)>,
) {
    while let Some((namespace, name)) = due.recv().await {
        if is_used(&caches, &namespace, &name) {
            continue;
        }
        let api: Api<Secret> = Api::namespaced(client.clone(), &namespace);
        let secret = match api.get_opt(&name).await {
            Ok(Some(secret)) => secret,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(%namespace, %name, %error, "a Secret with credentials could not be looked at");
                continue;
            }
        };
        let held = secret.finalizers().iter().any(|f| f == names::CREDENTIALS_FINALIZER);
        if !held || secret.metadata.deletion_timestamp.is_none() {
            continue;
        }
        if let Err(error) = merge(&client, &secret, finalizers(&secret, names::CREDENTIALS_FINALIZER, false)).await {
            tracing::warn!(%namespace, %name, %error, "a Secret with credentials could not be let go");
        }
        // Whoever names it hears that it is gone.
        for cluster in caches.metal_clusters.state_filter(|c| c.namespace().as_deref() == Some(&*namespace)) {
            queues.clusters.add_object(&cluster);
        }
    }
}

/// Whether anything of the namespace may have to be freed with it.
fn is_used(caches: &Caches, namespace: &str, name: &str) -> bool {
    let noted = |object: &dyn Noted| object.namespace_is(namespace) && object.credentials() == Some(name);
    let by_cluster = caches.metal_clusters.find(|cluster| {
        cluster.namespace().as_deref() == Some(namespace)
            && cluster.finalizers().iter().any(|f| f == names::CLUSTER_FINALIZER)
            && cluster.spec.credentials_ref.as_ref().is_some_and(|r| r.name == name)
    });
    by_cluster.is_some()
        || caches.metal_machines.find(|machine| noted(machine)).is_some()
        || caches.firewalls.find(|firewall| noted(firewall)).is_some()
}

/// What notes the credentials that it was allocated with.
trait Noted {
    fn namespace_is(&self, namespace: &str) -> bool;
    fn credentials(&self) -> Option<&str>;
}

impl<K: kube::ResourceExt> Noted for K {
    fn namespace_is(&self, namespace: &str) -> bool {
        self.meta().namespace.as_deref() == Some(namespace)
    }

    fn credentials(&self) -> Option<&str> {
        self.annotations().get(names::CREDENTIALS).map(String::as_str)
    }
}
