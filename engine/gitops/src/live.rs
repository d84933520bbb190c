//! Management clusters, as far as the engine may look at them (R2, delegation).

use model::ClusterId;
use model::ids::Label;
use model::live::Seen;
use std::future::Future;
use std::pin::Pin;

/// Access to management clusters. The edge implements it with kube, tests with a map.
pub trait Live: Send + Sync {
    /// What the management cluster behind the access of this name (`managementClusters[].kubeconfig`) shows of a
    /// cluster; None where no such access is configured, the error's words where it did not answer.
    fn look<'a>(&'a self, access: &'a Label, cluster: &'a ClusterId) -> Look<'a>;
}

pub type Look<'a> = Pin<Box<dyn Future<Output = Option<Result<Seen, String>>> + Send + 'a>>;

/// No access to any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blind;

impl Live for Blind {
    fn look<'a>(&'a self, _access: &'a Label, _cluster: &'a ClusterId) -> Look<'a> {
        Box::pin(std::future::ready(None))
    }
}
