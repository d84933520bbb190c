//! metal-api v1 over HTTP: one pooled client per URL and credential, every call with a deadline.

mod body;
mod carry;
mod headers;
mod send;

pub use carry::{Asked, Carry, Lost, Told};

use crate::convert::{self, LeanMachine, Odd, Ours};
use crate::error::{Call, Op, failed};
use crate::metal::{Capacity, Health, Metal, Project, ServerVersion};
use crate::{Credentials, Result, wire};
use body::{Document, Ignored};
use jiff::Timestamp;
use model::metal::{
    FirewallRequest, Image, Ip, IpRequest, IpUpdate, Machine, MachineRequest, MachineRole, Network, NetworkRequest,
    SizeDetail,
};
use model::{Clock, MachineId, NetworkId, PartitionId, ProjectId, SizeId, Tags};
use send::Request;
use serde::de::DeserializeOwned;
use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use url::{Host, Url};
use wire::ListDecoder;

/// Where metal-api is and how to speak to it.
#[derive(Clone, Debug)]
pub struct Options {
    /// `scheme://host[:port]/base`, as in METAL_API_URL; `/v1/…` is appended.
    pub url: String,
    pub credentials: Credentials,
    /// For a read with all its tries.
    pub read_timeout: Duration,
    /// For a write, which is tried once. At most a third of the claim time (design, "Why one of each holds" 1).
    pub write_timeout: Duration,
}

impl Options {
    pub const READ_TIMEOUT: Duration = Duration::from_secs(5);
    /// A third of the default claim time.
    pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

    pub fn new(url: impl Into<String>, credentials: Credentials) -> Self {
        Self { url: url.into(), credentials, read_timeout: Self::READ_TIMEOUT, write_timeout: Self::WRITE_TIMEOUT }
    }
}

/// Why there is no client. The URL is shown without user and password.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    #[error("the URL of metal-api cannot be read ({0}); it looks like https://metal.example.com/metal")]
    Url(#[from] url::ParseError),
    #[error("the URL of metal-api begins with `{0}:`; http and https are spoken")]
    Scheme(String),
    #[error("the URL of metal-api holds {0}; it looks like https://metal.example.com/metal")]
    Extra(&'static str),
    #[error("no HTTP client: {0}")]
    Client(String),
}

/// The client. Cheap to clone; all clones share connections.
#[derive(Clone)]
pub struct HttpMetal {
    way: Way,
    base: Url,
    credentials: Credentials,
    read_timeout: Duration,
    write_timeout: Duration,
    clock: Arc<dyn Clock>,
    server_time: Arc<Mutex<Option<Timestamp>>>,
}

/// How requests get there.
#[derive(Clone)]
enum Way {
    Http(reqwest::Client),
    Within(Arc<dyn Carry>),
}

impl HttpMetal {
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OptionsError> {
        let Options { url, credentials, read_timeout, write_timeout } = options;
        let base = base_url(&url)?;
        Ok(Self {
            way: Way::Http(send::client(&base, write_timeout)?),
            base,
            credentials,
            read_timeout,
            write_timeout,
            clock,
            server_time: Arc::default(),
        })
    }

    /// The base URL, for people.
    pub fn url(&self) -> &Url {
        &self.base
    }

    async fn list<W, T>(&self, request: Request) -> Result<Vec<T>>
    where
        W: DeserializeOwned + Send,
        Ours<T>: TryFrom<W, Error = Odd>,
    {
        Ok(convert::all(self.read::<ListDecoder<W>>(&request).await?))
    }

    async fn one<W, T>(&self, request: Request) -> Result<T>
    where
        W: DeserializeOwned + Send,
        Ours<T>: TryFrom<W, Error = Odd>,
    {
        let answer = self.read::<Document<W>>(&request).await?;
        Ours::try_from(answer).map(|Ours(value)| value).map_err(|odd| failed(request.call, odd.to_string()))
    }

    /// A 2xx that we cannot read was done all the same: the outcome is unknown.
    async fn allocate<W, T>(&self, request: Request) -> Result<T>
    where
        W: DeserializeOwned + Send,
        Ours<T>: TryFrom<W, Error = Odd>,
    {
        let answer = self.write::<Document<W>>(&request).await?;
        Ours::try_from(answer).map(|Ours(value)| value).map_err(|odd| failed(request.call, odd.to_string()))
    }

    async fn free(&self, request: Request) -> Result<()> {
        self.write::<Ignored>(&request).await
    }
}

/// The one of an id; a server that ignored the filter is not believed.
fn sole<T>(found: Vec<T>, is: impl Fn(&T) -> bool) -> Option<T> {
    found.into_iter().find(is)
}

impl Metal for HttpMetal {
    async fn health(&self) -> Result<Health> {
        self.one::<wire::Health, _>(Request::get(Call::new(Op::Health), ["health"])).await
    }

    async fn version(&self) -> Result<ServerVersion> {
        self.one::<wire::Version, _>(Request::get(Call::new(Op::Version), ["version"])).await
    }

    fn server_time(&self) -> Option<Timestamp> {
        *self.server_time.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn project(&self, project: &ProjectId) -> Result<Project> {
        let call = Call::of(Op::ProjectGet, project);
        self.one::<wire::Project, _>(Request::get(call, ["project", project.as_str()])).await
    }

    async fn networks(&self, project: &ProjectId, labels: &Tags) -> Result<Vec<Network>> {
        let find = convert::find_networks(project, labels);
        let call = Call::of(Op::NetworkFind, project);
        self.list::<wire::Network, _>(Request::post(call, ["network", "find"], &find)?).await
    }

    async fn shared_networks(&self) -> Result<Vec<Network>> {
        // The stored project of these is `""`, which a filter can ask for though metal-go cannot.
        let find = wire::NetworkFindRequest { projectid: Some(String::new()), ..Default::default() };
        let request = Request::post(Call::new(Op::NetworkFind), ["network", "find"], &find)?;
        let mut networks: Vec<Network> = self.list::<wire::Network, _>(request).await?;
        networks.retain(|network| network.project.is_none());
        Ok(networks)
    }

    async fn ips(&self, project: &ProjectId, tags: &Tags) -> Result<Vec<Ip>> {
        let find = convert::find_ips(project, tags);
        self.list::<wire::Ip, _>(Request::post(Call::of(Op::IpFind, project), ["ip", "find"], &find)?).await
    }

    async fn machines(&self, project: &ProjectId, role: Option<MachineRole>, tags: &Tags) -> Result<Vec<Machine>> {
        let find = convert::find_machines(project, role, tags);
        let call = Call::of(Op::MachineFind, project);
        self.list::<LeanMachine, _>(Request::post(call, ["machine", "find"], &find)?).await
    }

    async fn images(&self) -> Result<Vec<Image>> {
        self.list::<wire::Image, _>(Request::get(Call::new(Op::ImageList), ["image"])).await
    }

    async fn sizes(&self) -> Result<Vec<SizeId>> {
        self.list::<wire::Size, _>(Request::get(Call::new(Op::SizeList), ["size"])).await
    }

    async fn size_details(&self) -> Result<Vec<SizeDetail>> {
        self.list::<wire::Size, _>(Request::get(Call::new(Op::SizeList), ["size"])).await
    }

    async fn partitions(&self) -> Result<Vec<PartitionId>> {
        self.list::<wire::Partition, _>(Request::get(Call::new(Op::PartitionList), ["partition"])).await
    }

    async fn capacity(&self, project: &ProjectId) -> Result<Vec<Capacity>> {
        let query = wire::CapacityQuery { projectid: Some(project.to_string()), ..Default::default() };
        let call = Call::of(Op::PartitionCapacity, project);
        let request = Request::post(call, ["partition", "capacity"], &query)?;
        let partitions: Vec<Vec<Capacity>> = self.list::<wire::PartitionCapacity, _>(request).await?;
        Ok(partitions.into_iter().flatten().collect())
    }

    async fn get_network(&self, project: &ProjectId, id: &NetworkId) -> Result<Option<Network>> {
        let find =
            wire::NetworkFindRequest { id: Some(id.to_string()), ..convert::find_networks(project, &Tags::new()) };
        let call = Call::of(Op::NetworkFind, project).about(id);
        let found: Vec<Network> =
            self.list::<wire::Network, _>(Request::post(call, ["network", "find"], &find)?).await?;
        Ok(sole(found, |n| n.id == *id && n.project.as_ref() == Some(project)))
    }

    async fn get_ip(&self, project: &ProjectId, address: IpAddr) -> Result<Option<Ip>> {
        let find =
            wire::IpFindRequest { ipaddress: Some(address.to_string()), ..convert::find_ips(project, &Tags::new()) };
        let call = Call::of(Op::IpFind, project).about(address);
        let found: Vec<Ip> = self.list::<wire::Ip, _>(Request::post(call, ["ip", "find"], &find)?).await?;
        Ok(sole(found, |ip| ip.address == address && ip.project == *project))
    }

    async fn get_machine(&self, project: &ProjectId, id: &MachineId) -> Result<Option<Machine>> {
        let find = wire::MachineFindRequest {
            id: Some(id.to_string()),
            ..convert::find_machines(project, None, &Tags::new())
        };
        let call = Call::of(Op::MachineFind, project).about(id);
        let found: Vec<Machine> = self.list::<LeanMachine, _>(Request::post(call, ["machine", "find"], &find)?).await?;
        Ok(sole(found, |m| m.id == *id && m.project == *project))
    }

    async fn allocate_network(&self, request: &NetworkRequest) -> Result<Network> {
        let call = Call::of(Op::NetworkAllocate, &request.project).about(&request.name);
        let body = convert::network(request);
        self.allocate::<wire::Network, _>(Request::post(call, ["network", "allocate"], &body)?).await
    }

    async fn allocate_ip(&self, request: &IpRequest) -> Result<Ip> {
        let subject = request.address.map_or_else(|| request.name.clone(), |a| format!("{a} for {}", request.name));
        let call = Call::of(Op::IpAllocate, &request.project).about(subject);
        let body = convert::ip(request);
        let request = match request.address {
            Some(address) => Request::post(call, ["ip", "allocate", &address.to_string()], &body)?,
            None => Request::post(call, ["ip", "allocate"], &body)?,
        };
        self.allocate::<wire::Ip, _>(request).await
    }

    async fn update_ip(&self, project: &ProjectId, update: &IpUpdate) -> Result<Ip> {
        let call = Call::of(Op::IpUpdate, project).about(update.address);
        self.allocate::<wire::Ip, _>(Request::post(call, ["ip"], &convert::ip_update(update))?).await
    }

    async fn allocate_machine(&self, request: &MachineRequest) -> Result<Machine> {
        let call = Call::of(Op::MachineAllocate, &request.project).about(&request.name);
        let body = convert::machine(request);
        self.allocate::<LeanMachine, _>(Request::post(call, ["machine", "allocate"], &body)?).await
    }

    async fn allocate_firewall(&self, request: &FirewallRequest) -> Result<Machine> {
        let call = Call::of(Op::FirewallAllocate, &request.project).about(&request.name);
        let body = convert::firewall(request);
        self.allocate::<LeanMachine, _>(Request::post(call, ["firewall", "allocate"], &body)?).await
    }

    async fn free_network(&self, project: &ProjectId, id: &NetworkId) -> Result<()> {
        let call = Call::of(Op::NetworkFree, project).about(id);
        self.free(Request::delete(call, ["network", "free", id.as_str()])).await
    }

    async fn free_ip(&self, project: &ProjectId, address: IpAddr) -> Result<()> {
        let call = Call::of(Op::IpFree, project).about(address);
        self.free(Request::delete(call, ["ip", "free", &address.to_string()])).await
    }

    async fn free_machine(&self, project: &ProjectId, id: &MachineId) -> Result<()> {
        let call = Call::of(Op::MachineFree, project).about(id);
        self.free(Request::delete(call, ["machine", id.as_str(), "free"])).await
    }
}

/// A URL to which `/v1/…` can be appended. Credentials in it would end up in logs (I7).
fn base_url(text: &str) -> Result<Url, OptionsError> {
    let url = Url::parse(text.trim())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(OptionsError::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OptionsError::Extra("a user or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(OptionsError::Extra("a query or a fragment"));
    }
    Ok(url)
}

/// Whether the host is this machine, which no proxy reaches.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Debug for HttpMetal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpMetal")
            .field("url", &self.base.as_str())
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
