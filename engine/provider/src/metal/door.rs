//! One project through one credential: a reading for all, direct questions, and few writes at once.

use super::{
    DoorError, Expected, Failure, KnownIds, Settings, View,
    access::Access,
    free::{self, FreeOutcome, Freeable},
    ledger::{Kept, Ledger, Moment, Rows},
    pulse::Pulse,
    shared::SharedLists,
    suspect::{suspect, unknown_project},
};
use metal_api::{Call, Error, Guarded, HttpMetal, Metal as _, Observe, Op};
use model::metal::{
    FirewallRequest, Image, Ip, IpKind, IpRequest, IpUpdate, Machine, MachineRequest, MachineRole, Network,
    NetworkRequest, SizeDetail,
};
use model::{Clock, MachineId, NetworkId, ProjectId, Tags, Timestamp};
use std::{
    fmt,
    future::Future,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::Semaphore;

/// The project as it is, or why that is not known.
pub(super) type Reading = Result<Arc<View>, Failure>;

/// As often is the change of an address tried whose tags somebody else changes at the same time.
const CHANGE_TRIES_MAX: u32 = 3;

/// What a door gets from all doors.
pub(super) struct Parts {
    pub(super) settings: Arc<Settings>,
    pub(super) known: KnownIds,
    pub(super) observe: Arc<dyn Observe>,
    pub(super) clock: Arc<dyn Clock>,
    /// The newest number of a reading.
    pub(super) rounds: Arc<AtomicU64>,
}

pub(crate) struct ProjectDoor {
    project: ProjectId,
    access: Arc<Access>,
    /// Everything about another project is refused before it is sent (R16).
    pub(super) metal: Guarded<HttpMetal>,
    parts: Parts,
    /// Held by the one who reads.
    turn: tokio::sync::Mutex<()>,
    writes: Semaphore,
    state: Mutex<State>,
}

struct State {
    pulse: Pulse,
    ledger: Ledger,
    view: Option<Arc<View>>,
    /// The newest, and since when there is one after another.
    failure: Option<(DoorError, Timestamp)>,
}

/// What a whole reading brought.
struct Lists {
    is_known: bool,
    machines: Vec<Machine>,
    ips: Vec<Ip>,
    networks: Vec<Network>,
    shared: SharedLists,
}

impl ProjectDoor {
    pub(super) fn new(project: ProjectId, access: Arc<Access>, parts: Parts) -> Self {
        let metal = Guarded::new(access.metal.clone(), [project.clone()], Arc::clone(&parts.observe));
        let Settings { interval, min_interval, writes_per_project, .. } = &*parts.settings;
        let writes = Semaphore::new((*writes_per_project).clamp(1, Semaphore::MAX_PERMITS));
        let pulse = Pulse::new(*interval, *min_interval);
        let state = Mutex::new(State { pulse, ledger: Ledger::default(), view: None, failure: None });
        Self { project, access, metal, parts, turn: tokio::sync::Mutex::new(()), writes, state }
    }

    pub(crate) fn project(&self) -> &ProjectId {
        &self.project
    }

    /// The project as it was read an interval ago at most, or is being read anew now: one of the callers reads, and
    /// only the very first reading has others wait for it. So a hung metal-api holds up one caller (I6).
    pub(crate) async fn reading(&self) -> Reading {
        if let Some(reading) = self.current() {
            return reading;
        }
        let turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => {
                if let Some(failure) = self.failing() {
                    return Err(failure);
                }
                self.turn.lock().await
            }
        };
        let reading = match self.current() {
            Some(reading) => reading,
            None => self.read().await,
        };
        drop(turn);
        reading
    }

    /// What was read last, if ever, however old; nothing is asked.
    #[cfg(test)]
    pub(super) fn last(&self) -> Option<Arc<View>> {
        self.state().view.clone()
    }

    /// The next reading is due soon: somebody waits for a machine.
    pub(crate) fn hasten(&self) {
        self.state().pulse.hasten();
    }

    /// The machine or firewall as it is now; None when it is not allocated to the project. By find: what R15 asks for.
    pub(crate) async fn machine_now(&self, id: &MachineId) -> Result<Option<Arc<Machine>>, DoorError> {
        self.now::<Machine>(id).await
    }

    /// The address as it is now; None when the project does not have it.
    pub(crate) async fn ip_now(&self, address: IpAddr) -> Result<Option<Arc<Ip>>, DoorError> {
        self.now::<Ip>(&address).await
    }

    /// The network as it is now; None when the project has none of that id.
    pub(crate) async fn network_now(&self, id: &NetworkId) -> Result<Option<Arc<Network>>, DoorError> {
        self.now::<Network>(id).await
    }

    /// Machines with all of these tags, now; of one role when it is named.
    pub(crate) async fn find_machines(
        &self,
        role: Option<MachineRole>,
        tags: &Tags,
    ) -> Result<Vec<Arc<Machine>>, DoorError> {
        self.find(self.metal.machines(&self.project, role, tags)).await
    }

    /// Addresses with all of these tags, now.
    pub(crate) async fn find_ips(&self, tags: &Tags) -> Result<Vec<Arc<Ip>>, DoorError> {
        self.find(self.metal.ips(&self.project, tags)).await
    }

    /// Networks of the project with all of these labels, now.
    pub(crate) async fn find_networks(&self, labels: &Tags) -> Result<Vec<Arc<Network>>, DoorError> {
        self.find(self.metal.networks(&self.project, labels)).await
    }

    /// All images, as they were an interval ago at most; read only where somebody asks.
    pub(crate) async fn images(&self) -> Result<Arc<[Image]>, DoorError> {
        let Parts { clock, settings, .. } = &self.parts;
        self.access.shared.images(&self.access, &self.metal, &**clock, settings.interval).await
    }

    /// What machines of each size have at least, now.
    pub(crate) async fn size_details(&self) -> Result<Vec<SizeDetail>, DoorError> {
        self.call(self.metal.size_details()).await
    }

    pub(crate) async fn allocate_network(&self, request: &NetworkRequest) -> Result<Arc<Network>, DoorError> {
        self.allocate(self.metal.allocate_network(request)).await
    }

    pub(crate) async fn allocate_ip(&self, request: &IpRequest) -> Result<Arc<Ip>, DoorError> {
        self.allocate(self.metal.allocate_ip(request)).await
    }

    pub(crate) async fn allocate_machine(&self, request: &MachineRequest) -> Result<Arc<Machine>, DoorError> {
        self.allocate(self.metal.allocate_machine(request)).await
    }

    pub(crate) async fn allocate_firewall(&self, request: &FirewallRequest) -> Result<Arc<Machine>, DoorError> {
        self.allocate(self.metal.allocate_firewall(request)).await
    }

    /// Changes an address: `change` says from the address as it is now which tags it shall have, None for the same.
    /// What would change nothing is not sent; what met somebody else's change is read and tried again.
    pub(crate) async fn update_ip(
        &self,
        address: IpAddr,
        kind: Option<IpKind>,
        change: impl Fn(&Ip) -> Option<Tags> + Send + Sync,
    ) -> Result<Arc<Ip>, DoorError> {
        let _permit = self.writes.acquire().await;
        let mut tries = 1;
        loop {
            let Some(ip) = self.ip_now(address).await? else {
                let call = Call::of(Op::IpUpdate, &self.project).about(address);
                return Err(Error::NotFound { call, text: "the project does not have it".to_owned() }.into());
            };
            let tags = change(&ip).filter(|tags| *tags != ip.tags);
            let kind = kind.filter(|kind| *kind != ip.kind);
            if tags.is_none() && kind.is_none() {
                return Ok(ip);
            }
            let update = IpUpdate { address, kind, tags };
            match self.call(self.metal.update_ip(&self.project, &update)).await {
                Ok(changed) => return Ok(self.wrote(changed)),
                Err(DoorError::Metal(Error::Conflict { .. })) if tries < CHANGE_TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Frees a machine or firewall that is what is expected of it.
    pub(crate) async fn free_machine(&self, expected: &Expected<MachineId>) -> Result<FreeOutcome, DoorError> {
        free::free::<Machine>(self, expected).await
    }

    /// Frees an address that is what is expected of it, a static one too.
    pub(crate) async fn free_ip(&self, expected: &Expected<IpAddr>) -> Result<FreeOutcome, DoorError> {
        free::free::<Ip>(self, expected).await
    }

    /// Frees a node network that is what is expected of it.
    pub(crate) async fn free_network(&self, expected: &Expected<NetworkId>) -> Result<FreeOutcome, DoorError> {
        free::free::<Network>(self, expected).await
    }

    pub(super) fn writes(&self) -> &Semaphore {
        &self.writes
    }

    pub(super) async fn call<T>(
        &self,
        call: impl Future<Output = metal_api::Result<T>> + Send,
    ) -> Result<T, DoorError> {
        self.access.call(call).await
    }

    /// One resource as it is now, put into the view.
    pub(super) async fn now<K: Freeable>(&self, id: &K::Id) -> Result<Option<Arc<K>>, DoorError> {
        let began = self.state().ledger.tick();
        let found = self.call(K::get(&self.metal, &self.project, id)).await?.map(Arc::new);
        self.state().found(began, id, found.as_ref());
        Ok(found)
    }

    /// What was freed is out of the view.
    pub(super) fn freed<K: Kept>(&self, id: &K::Id) {
        self.state().wrote::<K>(id, None);
    }

    async fn find<K: Kept>(
        &self,
        call: impl Future<Output = metal_api::Result<Vec<K>>> + Send,
    ) -> Result<Vec<Arc<K>>, DoorError> {
        let began = self.state().ledger.tick();
        let mut found: Vec<Arc<K>> = self.call(call).await?.into_iter().map(Arc::new).collect();
        found.retain(|row| row.project() == Some(&self.project));
        let mut state = self.state();
        for row in &found {
            state.found(began, row.id(), Some(row));
        }
        Ok(found)
    }

    async fn allocate<K: Kept>(
        &self,
        call: impl Future<Output = metal_api::Result<K>> + Send,
    ) -> Result<Arc<K>, DoorError> {
        let _permit = self.writes.acquire().await;
        Ok(self.wrote(self.call(call).await?))
    }

    fn wrote<K: Kept>(&self, row: K) -> Arc<K> {
        let row = Arc::new(row);
        self.state().wrote(row.id(), Some(&row));
        row
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of the state is whole before anything that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What serves yet.
    fn current(&self) -> Option<Reading> {
        let state = self.state();
        if state.pulse.left(self.parts.clock.now()).is_zero() {
            return None;
        }
        match state.failure(self.parts.clock.now()) {
            Some(failure) => Some(Err(failure)),
            None => state.view.clone().map(Ok),
        }
    }

    fn failing(&self) -> Option<Failure> {
        self.state().failure(self.parts.clock.now())
    }

    /// Asks metal-api for everything, once.
    async fn read(&self) -> Reading {
        let now = self.parts.clock.now();
        let began = {
            let mut state = self.state();
            state.pulse.begin(now);
            state.ledger.tick()
        };
        match self.lists().await {
            Ok(lists) => Ok(self.take(lists, began, now)),
            Err(error) => {
                let now = self.parts.clock.now();
                let mut state = self.state();
                // From its end: a reading that took long to fail is not begun again at once.
                state.pulse.begin(now);
                state.pulse.failed();
                let since = state.failure.as_ref().map_or(now, |(_, since)| *since);
                state.failure = Some((error.clone(), since));
                let (retry_after, stale) = (state.pulse.left(now), state.view.clone());
                Err(Failure { error, since, retry_after, stale })
            }
        }
    }

    async fn lists(&self) -> Result<Lists, DoorError> {
        let (project, every) = (&self.project, Tags::new());
        let known = async {
            match self.call(self.metal.project(project)).await {
                Ok(_) => Ok(true),
                Err(DoorError::Metal(Error::NotFound { .. })) => Ok(false),
                Err(error) => Err(error),
            }
        };
        let Parts { clock, settings, .. } = &self.parts;
        let (is_known, machines, ips, networks, shared) = tokio::try_join!(
            known,
            self.call(self.metal.machines(project, None, &every)),
            self.call(self.metal.ips(project, &every)),
            self.call(self.metal.networks(project, &every)),
            self.access.shared.lists(&self.access, &self.metal, &**clock, settings.interval),
        )?;
        Ok(Lists { is_known, machines, ips, networks, shared })
    }

    /// A whole reading becomes the view, with what is newer laid over it.
    fn take(&self, lists: Lists, began: Moment, read_at: Timestamp) -> Arc<View> {
        // Not under the lock: it looks into the caches of others.
        let known = (self.parts.known)(&self.project);
        let round = self.parts.rounds.fetch_add(1, Ordering::Relaxed) + 1;
        let mut state = self.state();
        let State { pulse, ledger, view, failure } = &mut *state;
        let mut new = View {
            project: self.project.clone(),
            round,
            read_at,
            machines: ledger.over(began, self.rows(lists.machines)),
            ips: ledger.over(began, self.rows(lists.ips)),
            networks: ledger.over(began, self.rows(lists.networks)),
            shared_networks: lists.shared.networks,
            partitions: lists.shared.partitions,
            suspect: None,
        };
        ledger.listed(began);
        let known = ledger.unfreed(known);
        new.suspect = if lists.is_known { suspect(&known, &new) } else { Some(unknown_project(&known, &new)) };
        let new = Arc::new(new);
        (*view, *failure) = (Some(Arc::clone(&new)), None);
        pulse.read();
        new
    }

    fn rows<K: Kept>(&self, list: Vec<K>) -> Rows<K> {
        // A server that ignores the filter is not believed.
        let own = list.into_iter().filter(|row| row.project() == Some(&self.project));
        own.map(|row| (row.id().clone(), Arc::new(row))).collect()
    }
}

impl State {
    fn failure(&self, now: Timestamp) -> Option<Failure> {
        let (error, since) = self.failure.clone()?;
        Some(Failure { error, since, retry_after: self.pulse.left(now), stale: self.view.clone() })
    }

    fn found<K: Kept>(&mut self, began: Moment, id: &K::Id, found: Option<&Arc<K>>) {
        if self.ledger.read(began, id, found) {
            self.put(id, found);
        }
    }

    fn wrote<K: Kept>(&mut self, id: &K::Id, now: Option<&Arc<K>>) {
        self.ledger.wrote(id, now);
        self.put(id, now);
    }

    fn put<K: Kept>(&mut self, id: &K::Id, row: Option<&Arc<K>>) {
        let Some(view) = &mut self.view else { return };
        let rows = K::rows(Arc::make_mut(view));
        match row {
            Some(row) => rows.insert(id.clone(), Arc::clone(row)),
            None => rows.remove(id),
        };
    }
}

impl fmt::Debug for ProjectDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectDoor")
            .field("project", &self.project)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
