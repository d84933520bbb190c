//! One provider acts at a time: the Lease of CAPMS's name decides, so that the two never act together.

use crate::names;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Seconds without renewal after which another takes over; controller-runtime's.
const LEASE_SECONDS: u64 = 15;
const RENEW_BEFORE_SECONDS: u64 = 5;

/// Where the lease is, and who we are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Election {
    pub namespace: String,
    pub identity: String,
}

/// How often the holder looks whether it still is.
const LOOK: Duration = Duration::from_secs(3);

/// A hold on the lease, or the wait for one.
pub(super) struct Leadership {
    leases: Api<Lease>,
    identity: String,
    leads: watch::Receiver<bool>,
    keeper: JoinHandle<Result<LeaseManager, LeaseManagerError>>,
}

impl Leadership {
    pub(super) async fn seek(client: &Client, election: &Election) -> Result<Self, LeaseManagerError> {
        // Each identity is a field manager of its own: that is how the API server tells two holders apart.
        let manager = LeaseManagerBuilder::new(client.clone(), names::LEASE)
            .with_namespace(&election.namespace)
            .with_identity(&election.identity)
            .with_duration(LEASE_SECONDS)
            .with_grace(RENEW_BEFORE_SECONDS)
            .build()
            .await?;
        let (leads, keeper) = manager.watch().await;
        let leases = Api::namespaced(client.clone(), &election.namespace);
        Ok(Self { leases, identity: election.identity.clone(), leads, keeper })
    }

    /// Until the lease is ours.
    pub(super) async fn won(&mut self) -> Result<(), LeaseManagerError> {
        self.until(true).await
    }

    /// Until it is not ours any more, or for so long not known to be ours that another may have taken it: the keeper
    /// tries on without a word when the API server is out of reach.
    pub(super) async fn lost(&mut self) {
        let (leases, identity) = (self.leases.clone(), self.identity.clone());
        let doubted = async move {
            let mut confirmed = Instant::now();
            while confirmed.elapsed() < Duration::from_secs(LEASE_SECONDS) {
                tokio::time::sleep(LOOK).await;
                let Ok(Ok(Some(lease))) = tokio::time::timeout(LOOK, leases.get_opt(names::LEASE)).await else {
                    continue;
                };
                if lease.spec.and_then(|spec| spec.holder_identity).as_deref() != Some(&*identity) {
                    return;
                }
                confirmed = Instant::now();
            }
        };
        tokio::select! {
            _ = self.until(false) => {}
            () = doubted => {}
        }
    }

    /// Gives it back, so that nobody has to wait for its end.
    pub(super) async fn release(self) {
        let Self { leads, keeper, .. } = self;
        // The keeper gives it back when nobody listens any more.
        drop(leads);
        let Ok(ended) = tokio::time::timeout(LOOK, keeper).await else {
            return tracing::warn!("the lease could not be given back in time: the next leader waits for its end");
        };
        match ended {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the lease was not given back: the next leader waits for its end"),
            Err(error) => tracing::warn!(%error, "the keeper of the lease ended unexpectedly"),
        }
    }

    async fn until(&mut self, wanted: bool) -> Result<(), LeaseManagerError> {
        if self.leads.wait_for(|leads| *leads == wanted).await.is_ok() {
            return Ok(());
        }
        // The keeper ended: its error says why.
        match (&mut self.keeper).await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }
}
