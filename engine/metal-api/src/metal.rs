//! What Ferrofleet asks of a metal-api, in its own words. Implemented over HTTP and by the simulator in-process.

pub use model::metal::Capacity;

use crate::Result;
use jiff::Timestamp;
use model::metal::{
    FirewallRequest, Image, Ip, IpRequest, IpUpdate, Machine, MachineRequest, MachineRole, Network, NetworkRequest,
    SizeDetail,
};
use model::{MachineId, NetworkId, PartitionId, ProjectId, SizeId, Tags};
use std::{future::Future, net::IpAddr, sync::Arc};

/// A project that metal-api knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
}

/// Whether metal-api and what it needs is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub healthy: bool,
    pub message: String,
}

/// What runs behind the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    pub version: String,
    pub min_client_version: String,
}

/// The calls. Reads may be repeated by the implementation, writes never are.
///
/// Calls about one project carry it, so that a guard can refuse the others (R16). Where a filter takes tags, a resource
/// must carry all of them; no tags: all resources of the project.
pub trait Metal: Send + Sync {
    fn health(&self) -> impl Future<Output = Result<Health>> + Send;
    fn version(&self) -> impl Future<Output = Result<ServerVersion>> + Send;
    /// metal-api's clock, as its newest answer told it.
    fn server_time(&self) -> Option<Timestamp>;

    /// `NotFound` when metal-api does not know it.
    fn project(&self, project: &ProjectId) -> impl Future<Output = Result<Project>> + Send;
    /// Networks of a project: node networks, mostly.
    fn networks(&self, project: &ProjectId, labels: &Tags) -> impl Future<Output = Result<Vec<Network>>> + Send;
    /// Networks without a project: external, super, underlay.
    fn shared_networks(&self) -> impl Future<Output = Result<Vec<Network>>> + Send;
    fn ips(&self, project: &ProjectId, tags: &Tags) -> impl Future<Output = Result<Vec<Ip>>> + Send;
    /// Allocated machines; both roles when none is named.
    fn machines(
        &self,
        project: &ProjectId,
        role: Option<MachineRole>,
        tags: &Tags,
    ) -> impl Future<Output = Result<Vec<Machine>>> + Send;
    fn images(&self) -> impl Future<Output = Result<Vec<Image>>> + Send;
    fn sizes(&self) -> impl Future<Output = Result<Vec<SizeId>>> + Send;
    /// With what their machines have at least.
    fn size_details(&self) -> impl Future<Output = Result<Vec<SizeDetail>>> + Send;
    fn partitions(&self) -> impl Future<Output = Result<Vec<PartitionId>>> + Send;
    /// Of every partition and size that has machines, as this project may use them.
    fn capacity(&self, project: &ProjectId) -> impl Future<Output = Result<Vec<Capacity>>> + Send;

    /// The network as it is now; `None` when the project has none of that id. By find: the proof of absence (R15).
    fn get_network(&self, project: &ProjectId, id: &NetworkId) -> impl Future<Output = Result<Option<Network>>> + Send;
    /// The address as it is now; `None` when the project does not have it.
    fn get_ip(&self, project: &ProjectId, address: IpAddr) -> impl Future<Output = Result<Option<Ip>>> + Send;
    /// The machine as it is now; `None` when it is not allocated to the project. By find: GET of one machine answers
    /// 404 also when only its image or size is gone.
    fn get_machine(&self, project: &ProjectId, id: &MachineId) -> impl Future<Output = Result<Option<Machine>>> + Send;

    fn allocate_network(&self, request: &NetworkRequest) -> impl Future<Output = Result<Network>> + Send;
    /// With a given address metal-api compares and swaps: `Conflict` when it is taken.
    fn allocate_ip(&self, request: &IpRequest) -> impl Future<Output = Result<Ip>> + Send;
    /// Tags are replaced as a whole: read them just before. `Conflict` when somebody else changed it meanwhile,
    /// `Invalid` for a static address that is to become ephemeral. metal-api compares no project: the caller does.
    fn update_ip(&self, project: &ProjectId, update: &IpUpdate) -> impl Future<Output = Result<Ip>> + Send;
    /// Complete at once: addresses and hostname are set, installation follows.
    fn allocate_machine(&self, request: &MachineRequest) -> impl Future<Output = Result<Machine>> + Send;
    /// As a machine.
    fn allocate_firewall(&self, request: &FirewallRequest) -> impl Future<Output = Result<Machine>> + Send;

    /// `InUse` while addresses are in it, which may last some seconds after a machine was freed.
    fn free_network(&self, project: &ProjectId, id: &NetworkId) -> impl Future<Output = Result<()>> + Send;
    /// Frees static addresses too.
    fn free_ip(&self, project: &ProjectId, address: IpAddr) -> impl Future<Output = Result<()>> + Send;
    /// There is no precondition in v1: read, compare the allocation, then free, and never repeat it blindly.
    fn free_machine(&self, project: &ProjectId, id: &MachineId) -> impl Future<Output = Result<()>> + Send;
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<M: Metal + ?Sized> Metal for $pointer {
            async fn health(&self) -> Result<Health> {
                (**self).health().await
            }
            async fn version(&self) -> Result<ServerVersion> {
                (**self).version().await
            }
            fn server_time(&self) -> Option<Timestamp> {
                (**self).server_time()
            }
            async fn project(&self, project: &ProjectId) -> Result<Project> {
                (**self).project(project).await
            }
            async fn networks(&self, project: &ProjectId, labels: &Tags) -> Result<Vec<Network>> {
                (**self).networks(project, labels).await
            }
            async fn shared_networks(&self) -> Result<Vec<Network>> {
                (**self).shared_networks().await
            }
            async fn ips(&self, project: &ProjectId, tags: &Tags) -> Result<Vec<Ip>> {
                (**self).ips(project, tags).await
            }
            async fn machines(
                &self,
                project: &ProjectId,
                role: Option<MachineRole>,
                tags: &Tags,
            ) -> Result<Vec<Machine>> {
                (**self).machines(project, role, tags).await
            }
            async fn images(&self) -> Result<Vec<Image>> {
                (**self).images().await
            }
            async fn sizes(&self) -> Result<Vec<SizeId>> {
                (**self).sizes().await
            }
            async fn size_details(&self) -> Result<Vec<SizeDetail>> {
                (**self).size_details().await
            }
            async fn partitions(&self) -> Result<Vec<PartitionId>> {
                (**self).partitions().await
            }
            async fn capacity(&self, project: &ProjectId) -> Result<Vec<Capacity>> {
                (**self).capacity(project).await
            }
            async fn get_network(&self, project: &ProjectId, id: &NetworkId) -> Result<Option<Network>> {
                (**self).get_network(project, id).await
            }
            async fn get_ip(&self, project: &ProjectId, address: IpAddr) -> Result<Option<Ip>> {
                (**self).get_ip(project, address).await
            }
            async fn get_machine(&self, project: &ProjectId, id: &MachineId) -> Result<Option<Machine>> {
                (**self).get_machine(project, id).await
            }
            async fn allocate_network(&self, request: &NetworkRequest) -> Result<Network> {
                (**self).allocate_network(request).await
            }
            async fn allocate_ip(&self, request: &IpRequest) -> Result<Ip> {
                (**self).allocate_ip(request).await
            }
            async fn update_ip(&self, project: &ProjectId, update: &IpUpdate) -> Result<Ip> {
                (**self).update_ip(project, update).await
            }
            async fn allocate_machine(&self, request: &MachineRequest) -> Result<Machine> {
                (**self).allocate_machine(request).await
            }
            async fn allocate_firewall(&self, request: &FirewallRequest) -> Result<Machine> {
                (**self).allocate_firewall(request).await
            }
            async fn free_network(&self, project: &ProjectId, id: &NetworkId) -> Result<()> {
                (**self).free_network(project, id).await
            }
            async fn free_ip(&self, project: &ProjectId, address: IpAddr) -> Result<()> {
                (**self).free_ip(project, address).await
            }
            async fn free_machine(&self, project: &ProjectId, id: &MachineId) -> Result<()> {
                (**self).free_machine(project, id).await
            }
        }
    )*};
}

forward!(&M, Arc<M>);
