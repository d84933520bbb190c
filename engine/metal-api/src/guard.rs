//! The one door to metal-api (R16): calls about projects that the fleet does not list are refused before they are
//! sent; every call is counted.

use crate::Result;
use crate::error::{Call, Error, Op};
use crate::metal::{Capacity, Health, Metal, Project, ServerVersion};
use jiff::Timestamp;
use model::metal::{
    FirewallRequest, Image, Ip, IpRequest, IpUpdate, Machine, MachineRequest, MachineRole, Network, NetworkRequest,
    SizeDetail,
};
use model::{MachineId, NetworkId, PartitionId, ProjectId, SizeId, Tags};
use std::{
    collections::BTreeSet,
    future::Future,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// Hears of every call that went through the door or was refused at it, for metrics.
pub trait Observe: Send + Sync {
    /// `code` is `ok` or the class of the error; `took` includes the tries of a read.
    fn call(&self, op: Op, code: &'static str, took: Duration);
}

/// Nobody counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observe for Unobserved {
    fn call(&self, _: Op, _: &'static str, _: Duration) {}
}

/// A metal-api of which only some projects exist, and that may be one for reading alone.
#[derive(Clone)]
pub struct Guarded<M> {
    inner: M,
    projects: Arc<BTreeSet<ProjectId>>,
    observe: Arc<dyn Observe>,
    is_read_only: bool,
}

impl<M: Metal> Guarded<M> {
    /// `projects` is what `fleet.yaml` lists.
    pub fn new(inner: M, projects: impl IntoIterator<Item = ProjectId>, observe: Arc<dyn Observe>) -> Self {
        Self { inner, projects: Arc::new(projects.into_iter().collect()), observe, is_read_only: false }
    }

    /// The same, where every call that changes anything is refused before it is sent.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { is_read_only: true, ..self }
    }

    pub fn projects(&self) -> &BTreeSet<ProjectId> {
        &self.projects
    }

    async fn counted<T>(&self, op: Op, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let begun = Instant::now();
        let answer = call.await;
        let code = answer.as_ref().err().map_or("ok", Error::code);
        self.observe.call(op, code, begun.elapsed());
        answer
    }

    /// The call, if its project is listed and it may write. The future is built before and polled only then: nothing is sent.
    async fn within<T>(&self, op: Op, project: &ProjectId, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let refused = if !self.projects.contains(project) {
            Error::Outside { call: Call::of(op, project) }
        } else if self.is_read_only && op.is_write() {
            Error::ReadOnly { call: Call::of(op, project) }
        } else {
            return self.counted(op, call).await;
        };
        self.observe.call(op, refused.code(), Duration::ZERO);
        Err(refused)
    }
}

impl<M: Metal> Metal for Guarded<M> {
    async fn health(&self) -> Result<Health> {
        self.counted(Op::Health, self.inner.health()).await
    }

    async fn version(&self) -> Result<ServerVersion> {
        self.counted(Op::Version, self.inner.version()).await
    }

    fn server_time(&self) -> Option<Timestamp> {
        self.inner.server_time()
    }

    async fn project(&self, project: &ProjectId) -> Result<Project> {
        self.within(Op::ProjectGet, project, self.inner.project(project)).await
    }

    async fn networks(&self, project: &ProjectId, labels: &Tags) -> Result<Vec<Network>> {
        self.within(Op::NetworkFind, project, self.inner.networks(project, labels)).await
    }

    async fn shared_networks(&self) -> Result<Vec<Network>> {
        self.counted(Op::NetworkFind, self.inner.shared_networks()).await
    }

    async fn ips(&self, project: &ProjectId, tags: &Tags) -> Result<Vec<Ip>> {
        self.within(Op::IpFind, project, self.inner.ips(project, tags)).await
    }

    async fn machines(&self, project: &ProjectId, role: Option<MachineRole>, tags: &Tags) -> Result<Vec<Machine>> {
        self.within(Op::MachineFind, project, self.inner.machines(project, role, tags)).await
    }

    async fn images(&self) -> Result<Vec<Image>> {
        self.counted(Op::ImageList, self.inner.images()).await
    }

    async fn sizes(&self) -> Result<Vec<SizeId>> {
        self.counted(Op::SizeList, self.inner.sizes()).await
    }

    async fn size_details(&self) -> Result<Vec<SizeDetail>> {
        self.counted(Op::SizeList, self.inner.size_details()).await
    }

    async fn partitions(&self) -> Result<Vec<PartitionId>> {
        self.counted(Op::PartitionList, self.inner.partitions()).await
    }

    async fn capacity(&self, project: &ProjectId) -> Result<Vec<Capacity>> {
        self.within(Op::PartitionCapacity, project, self.inner.capacity(project)).await
    }

    async fn get_network(&self, project: &ProjectId, id: &NetworkId) -> Result<Option<Network>> {
        self.within(Op::NetworkFind, project, self.inner.get_network(project, id)).await
    }

    async fn get_ip(&self, project: &ProjectId, address: IpAddr) -> Result<Option<Ip>> {
        self.within(Op::IpFind, project, self.inner.get_ip(project, address)).await
    }

    async fn get_machine(&self, project: &ProjectId, id: &MachineId) -> Result<Option<Machine>> {
        self.within(Op::MachineFind, project, self.inner.get_machine(project, id)).await
    }

    async fn allocate_network(&self, request: &NetworkRequest) -> Result<Network> {
        self.within(Op::NetworkAllocate, &request.project, self.inner.allocate_network(request)).await
    }

    async fn allocate_ip(&self, request: &IpRequest) -> Result<Ip> {
        self.within(Op::IpAllocate, &request.project, self.inner.allocate_ip(request)).await
    }

    async fn update_ip(&self, project: &ProjectId, update: &IpUpdate) -> Result<Ip> {
        self.within(Op::IpUpdate, project, self.inner.update_ip(project, update)).await
    }

    async fn allocate_machine(&self, request: &MachineRequest) -> Result<Machine> {
        self.within(Op::MachineAllocate, &request.project, self.inner.allocate_machine(request)).await
    }

    async fn allocate_firewall(&self, request: &FirewallRequest) -> Result<Machine> {
        self.within(Op::FirewallAllocate, &request.project, self.inner.allocate_firewall(request)).await
    }

    async fn free_network(&self, project: &ProjectId, id: &NetworkId) -> Result<()> {
        self.within(Op::NetworkFree, project, self.inner.free_network(project, id)).await
    }

    async fn free_ip(&self, project: &ProjectId, address: IpAddr) -> Result<()> {
        self.within(Op::IpFree, project, self.inner.free_ip(project, address)).await
    }

    async fn free_machine(&self, project: &ProjectId, id: &MachineId) -> Result<()> {
        self.within(Op::MachineFree, project, self.inner.free_machine(project, id)).await
    }
}

impl<M> std::fmt::Debug for Guarded<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guarded").field("projects", &self.projects).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
