//! The whole provider: lease, watches, controllers, and their end.

use super::caches::{self, Caches};
use super::config::Config;
use super::context::Context;
use super::credentials::Credentials;
use super::drive::{Kind, reconcile};
use super::error::Error;
use super::leader::{Election, Leadership};
use super::queues::{Queue, Queues};
use super::secrets::{self, Releases};
use super::telemetry::{Outcome, Telemetry};
use crate::api::{
    MetalStackCluster, MetalStackFirewallDeployment, MetalStackFirewallTemplate, MetalStackMachine,
    MetalStackMachineTemplate,
};
use crate::capi::{Cluster, Machine};
use crate::metal::{CredentialValues, Doors, ProjectMap, Settings};
use futures::{FutureExt as _, StreamExt as _, stream};
use kube::api::ListParams;
use kube::runtime::controller::{self, Action, applier};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, Resource, ResourceExt};
use metal_api::Observe;
use model::{Clock, ProjectId};
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// After a pass that failed for the API server's sake.
const AGAIN: Duration = Duration::from_secs(5);

/// Why the provider ended, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the management cluster does not know the kind {kind} ({group}): {mend}")]
    KindMissing { kind: &'static str, group: &'static str, mend: &'static str },
    #[error("the API server cannot be asked: {0}")]
    Kube(#[source] Box<kube::Error>),
    #[error("the lease: {0}")]
    Lease(#[source] Box<kube_lease_manager::LeaseManagerError>),
    #[error("the lease was lost: another provider may act by now")]
    Deposed,
}

/// How metal-api is reached.
pub struct MetalAccess {
    /// The provider's own credentials; without them only clusters with a `credentialsRef` are served.
    pub own: Option<CredentialValues>,
    /// Which projects each namespace may use (R16); without one all.
    pub map: Option<ProjectMap>,
    /// Hears of every call.
    pub observe: Arc<dyn Observe>,
}

/// Everything that a provider is made of.
pub struct Provider {
    /// Its requests end in a bounded time.
    pub client: Client,
    /// For watches, which last.
    pub watches: Client,
    pub config: Config,
    pub metal: MetalAccess,
    pub clock: Arc<dyn Clock>,
    pub election: Option<Election>,
    pub telemetry: Telemetry,
    /// True: nothing is decided or written until it turns false.
    pub paused: watch::Receiver<bool>,
}

impl Provider {
    /// Until `stop` turns true. What is being allocated then is brought to its end and written down first.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), RunError> {
        preflight(&self.client).await?;
        let lease = |error| RunError::Lease(Box::new(error));
        // Who only observes must not keep another from acting, nor wait for one that does.
        let election = self.election.as_ref().filter(|_| !self.config.observe);
        let Some(election) = election else { return self.lead(stop).await };
        let mut leadership = Leadership::seek(&self.client, election).await.map_err(lease)?;
        tracing::info!(namespace = %election.namespace, identity = %election.identity, "waiting for the lease");
        let won = tokio::select! {
            won = leadership.won() => Some(won),
            () = asked(&mut stop) => None,
        };
        let outcome = match won {
            None => Ok(()),
            Some(Err(error)) => Err(lease(error)),
            Some(Ok(())) => {
                tracing::info!("this provider leads");
                let (end, ended) = watch::channel(false);
                let leading = self.lead(ended);
                tokio::pin!(leading);
                tokio::select! {
                    outcome = &mut leading => outcome,
                    () = asked(&mut stop) => {
                        end.send_replace(true);
                        leading.await
                    }
                    () = leadership.lost() => Err(RunError::Deposed),
                }
            }
        };
        leadership.release().await;
        outcome
    }

    async fn lead(&self, stop: watch::Receiver<bool>) -> Result<(), RunError> {
        let (clusters, due_clusters) = Queue::new();
        let (machines, due_machines) = Queue::new();
        let (firewalls, due_firewalls) = Queue::new();
        let (machine_templates, due_templates) = Queue::new();
        let queues = Queues { clusters, machines, firewalls, machine_templates };
        let credentials = Arc::new(Credentials::default());
        let (releases, due_secrets) = Releases::new();
        let (caches, watching) = caches::start(&self.watches, &self.config.scope, &queues, &credentials, &releases);
        self.telemetry.leads(caches.clone());
        let mut background = JoinSet::new();
        background.spawn(watching);
        let mut ended = stop.clone();
        tokio::select! {
            () = caches.until_ready() => {}
            () = asked(&mut ended) => {}
        }
        if !self.config.observe {
            background.spawn(secrets::release(self.client.clone(), releases, due_secrets));
        }
        self.telemetry.reconciles();
        tracing::info!(
            clusters = caches.metal_clusters.len(),
            machines = caches.metal_machines.len(),
            firewalls = caches.firewalls.len(),
            observe = self.config.observe,
            "reconciling"
        );
        let context = Arc::new(self.context(caches.clone(), credentials, stop.clone()));
        tokio::join!(
            controller::<crate::cluster::Clusters>(&context, &caches.metal_clusters, due_clusters, &stop),
            controller::<crate::machine::Machines>(&context, &caches.metal_machines, due_machines, &stop),
            controller::<crate::firewall::Firewalls>(&context, &caches.firewalls, due_firewalls, &stop),
            controller::<crate::machine_template::Templates>(&context, &caches.machine_templates, due_templates, &stop),
        );
        background.shutdown().await;
        Ok(())
    }

    fn context(&self, caches: Caches, credentials: Arc<Credentials>, stop: watch::Receiver<bool>) -> Context {
        let reporter = Reporter { controller: crate::names::FIELD_MANAGER.to_owned(), instance: None };
        let doors = self.doors(&caches);
        Context::new(
            self.client.clone(),
            caches,
            Arc::clone(&self.clock),
            self.config.clone(),
            Recorder::new(self.client.clone(), reporter),
            doors,
            credentials,
            self.telemetry.clone(),
            self.paused.clone(),
            stop,
        )
    }
}

impl Provider {
    fn doors(&self, caches: &Caches) -> Doors {
        let settings = Settings {
            interval: self.config.metal_interval,
            min_interval: self.config.metal_haste,
            writes_per_project: self.config.metal_writes,
            write_timeout: self.config.metal_write_timeout,
            map: self.metal.map.clone(),
            ..Settings::default()
        };
        let caches = caches.clone();
        let map = self.metal.map.clone();
        let known = Arc::new(move |project: &ProjectId| super::known::known(&caches, map.as_ref(), project));
        Doors::new(
            settings,
            self.metal.own.clone(),
            known,
            self.telemetry.heard(Arc::clone(&self.metal.observe)),
            Arc::clone(&self.clock),
        )
    }
}

impl Debug for MetalAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetalAccess").field("own", &self.own).field("map", &self.map).finish_non_exhaustive()
    }
}

impl Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider")
            .field("config", &self.config)
            .field("election", &self.election)
            .finish_non_exhaustive()
    }
}

/// What would otherwise be a watch that fails for ever.
async fn preflight(client: &Client) -> Result<(), RunError> {
    let ours = "`ferrofleet crds | kubectl apply --server-side -f -`";
    knows::<MetalStackCluster>(client, "MetalStackCluster", crate::api::GROUP, ours).await?;
    knows::<MetalStackMachine>(client, "MetalStackMachine", crate::api::GROUP, ours).await?;
    knows::<MetalStackMachineTemplate>(client, "MetalStackMachineTemplate", crate::api::GROUP, ours).await?;
    knows::<MetalStackFirewallDeployment>(client, "MetalStackFirewallDeployment", crate::api::GROUP, ours).await?;
    knows::<MetalStackFirewallTemplate>(client, "MetalStackFirewallTemplate", crate::api::GROUP, ours).await?;
    let mend = "install Cluster API 1.11 or newer: `clusterctl init`";
    knows::<Machine>(client, "Machine", "cluster.x-k8s.io/v1beta2", mend).await?;
    knows::<Cluster>(client, "Cluster", "cluster.x-k8s.io/v1beta2", mend).await
}

async fn knows<K>(client: &Client, kind: &'static str, group: &'static str, mend: &'static str) -> Result<(), RunError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let api: Api<kube::core::DeserializeGuard<K>> = Api::all(client.clone());
    match api.list_metadata(&ListParams::default().limit(1)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Err(RunError::KindMissing { kind, group, mend }),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(()),
        Err(error) => Err(RunError::Kube(Box::new(error))),
    }
}

/// One controller, until `stop`: what is in work then ends by itself.
async fn controller<K: Kind>(
    context: &Arc<Context>,
    store: &Store<K::Object>,
    mut due: mpsc::UnboundedReceiver<ObjectRef<K::Object>>,
    stop: &watch::Receiver<bool>,
) {
    let mut stop = stop.clone();
    let due = stream::poll_fn(move |poll| due.poll_recv(poll))
        .take_until(async move { asked(&mut stop).await })
        .map(Ok::<_, Infallible>);
    let config = controller::Config::default().concurrency(context.config.concurrency);
    let pass = |object: Arc<K::Object>, context: Arc<Context>| {
        async move {
            let begun = Instant::now();
            let outcome = reconcile::<K>(object, Arc::clone(&context)).await;
            context.telemetry.passed(&K::Object::kind(&()), Outcome::of(&outcome), begun.elapsed());
            outcome
        }
        .boxed()
    };
    let passes = applier(pass, again, Arc::clone(context), store.clone(), due, config);
    passes
        .for_each(async |passed| match passed {
            Ok(_) | Err(controller::Error::ObjectNotFound(_)) => {}
            Err(controller::Error::ReconcilerFailed(error, object)) => match error {
                Error::Conflict | Error::Gone => tracing::debug!(%object, %error, "a pass is repeated"),
                Error::Kube(_) | Error::Restless(..) => {
                    tracing::warn!(%object, %error, "a pass failed and is repeated")
                }
            },
            Err(error) => tracing::error!(%error, "a controller"),
        })
        .await;
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is kube's")]
fn again<O: ResourceExt>(object: Arc<O>, error: &Error, context: Arc<Context>) -> Action {
    match error {
        Error::Conflict => Action::requeue(context.stale(&object.uid().unwrap_or_default()).min(AGAIN * 6)),
        Error::Gone => Action::await_change(),
        Error::Kube(_) => Action::requeue(AGAIN),
        Error::Restless(..) => Action::requeue(AGAIN * 6),
    }
}

async fn asked(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
