//! A Kubernetes API server of its own on loopback: etcd, kube-apiserver, and on demand Cluster API and garbage
//! collection.
//!
//! There are no nodes, no kubelet and no service account tokens in pods: objects are stored, checked, defaulted,
//! converted and reconciled by the real programs, and nothing is run.

mod capi;
mod client;
mod crds;
mod pki;
pub(super) mod processes;
mod start;

pub use client::{ApiError, Apply, Client, ObjectRef};
pub use crds::manifests;

use super::{Peer, Skip, installed};
use pki::Pki;
use processes::Processes;
use std::path::{Path, PathBuf};

/// A control plane of its own. It ends with this value and, in any case, with the test process; its logs are shown when
/// the test fails.
#[derive(Debug)]
pub struct ControlPlane {
    client: Client,
    url: String,
    pki: Pki,
    processes: Processes,
    /// Managers of Cluster API run, so its CRDs and webhooks are there.
    has_capi: bool,
}

impl ControlPlane {
    /// Starts etcd and kube-apiserver and waits until it is ready: three to four seconds.
    pub fn start() -> Result<Self, Skip> {
        let (etcd, apiserver) = (installed(Peer::Etcd)?, installed(Peer::KubeApiserver)?);
        Ok(start::api_server(&etcd, &apiserver))
    }

    /// Adds garbage collection by owner references and the end of deleted namespaces.
    pub fn with_controller_manager(mut self) -> Result<Self, Skip> {
        let program = installed(Peer::KubeControllerManager)?;
        start::controller_manager(&mut self, &program);
        Ok(self)
    }

    /// Adds Cluster API's core, kubeadm bootstrap and kubeadm control plane managers with their CRDs, conversion and
    /// webhooks: about nine seconds.
    pub fn with_capi_managers(mut self) -> Result<Self, Skip> {
        let managers = capi::installed_managers()?;
        capi::start(&mut self, &managers);
        self.has_capi = true;
        Ok(self)
    }

    /// The API server as `system:masters`.
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// With the client certificate of [`client`](Self::client).
    pub fn kubeconfig(&self) -> PathBuf {
        self.processes.dir().join("kubeconfig")
    }

    pub fn has_capi_managers(&self) -> bool {
        self.has_capi
    }

    /// For the files of one test: a folder that ends with the control plane.
    pub fn scratch(&self) -> &Path {
        self.processes.dir()
    }

    /// The ends of all logs. A value that several tests share is not dropped when one of them fails; that one can
    /// say this.
    pub fn logs(&self) -> String {
        self.processes.logs()
    }
}
