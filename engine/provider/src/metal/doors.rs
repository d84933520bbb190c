//! All doors: a client per credential, a door per credential and project.

use super::{
    CredentialName, CredentialValues, CredentialsError, Known, ProjectDoor, ProjectMap, access::Access,
    credentials::Fingerprint, door::Parts,
};
use metal_api::{HttpMetal, Observe, Options, OptionsError};
use model::{Clock, ProjectId};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

/// Tells which resources of a project the Kubernetes objects name. It is called once per reading.
pub(crate) type KnownIds = Arc<dyn Fn(&ProjectId) -> Known + Send + Sync>;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Between two whole readings of a project.
    pub interval: Duration,
    /// The same while somebody waits for a machine.
    pub min_interval: Duration,
    /// Writes under way at once.
    pub writes_per_project: usize,
    /// For a list with all its tries: of a project with thousands of machines it has tens of MB.
    pub read_timeout: Duration,
    /// metal-api waits ten seconds and more for its own lock when it allocates machines.
    pub write_timeout: Duration,
    /// None: every namespace may use every project.
    pub map: Option<ProjectMap>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_mins(1),
            min_interval: Duration::from_secs(5),
            writes_per_project: 4,
            read_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(30),
            map: None,
        }
    }
}

/// Why there is no door.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(
        "namespace {namespace} may not use project {project}: the project map lists it neither there nor under \"*\""
    )]
    NotAllowed { namespace: String, project: ProjectId },
    #[error(
        "there are no credentials for metal-api: set METAL_API_URL and METAL_API_HMAC, or name a Secret in \
         credentialsRef"
    )]
    NoCredentials,
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Options(#[from] OptionsError),
}

/// All doors of a provider.
pub(crate) struct Doors {
    settings: Arc<Settings>,
    default: Option<CredentialValues>,
    known: KnownIds,
    observe: Arc<dyn Observe>,
    clock: Arc<dyn Clock>,
    rounds: Arc<AtomicU64>,
    open: Mutex<Open>,
}

/// What is open now.
#[derive(Default)]
struct Open {
    /// The values that each Secret had last.
    names: BTreeMap<CredentialName, Fingerprint>,
    clients: BTreeMap<Fingerprint, Arc<Access>>,
    doors: BTreeMap<(Fingerprint, ProjectId), Arc<ProjectDoor>>,
}

impl Doors {
    pub(crate) fn new(
        settings: Settings,
        default: Option<CredentialValues>,
        known: KnownIds,
        observe: Arc<dyn Observe>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (rounds, open) = (Arc::default(), Mutex::default());
        Self { settings: Arc::new(settings), default, known, observe, clock, rounds, open }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The provider's own credentials.
    pub(crate) fn own(&self) -> Option<&CredentialValues> {
        self.default.as_ref()
    }

    /// The door of a project for objects of a namespace, with the provider's own credentials.
    pub(crate) fn open_default(&self, namespace: &str, project: &ProjectId) -> Result<Arc<ProjectDoor>, OpenError> {
        let values = self.default.as_ref().ok_or(OpenError::NoCredentials)?;
        self.door(namespace, None, values, project)
    }

    /// The same with the credentials of a Secret, as it is now: other values than before make a new client, and what
    /// the old ones opened is closed as soon as nobody uses it.
    pub(crate) fn open(
        &self,
        namespace: &str,
        name: &CredentialName,
        values: &CredentialValues,
        project: &ProjectId,
    ) -> Result<Arc<ProjectDoor>, OpenError> {
        self.door(namespace, Some(name), values, project)
    }

    fn door(
        &self,
        namespace: &str,
        name: Option<&CredentialName>,
        values: &CredentialValues,
        project: &ProjectId,
    ) -> Result<Arc<ProjectDoor>, OpenError> {
        if self.settings.map.as_ref().is_some_and(|map| !map.allows(namespace, project)) {
            return Err(OpenError::NotAllowed { namespace: namespace.to_owned(), project: project.clone() });
        }
        let print = values.fingerprint();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let access = match open.clients.get(&print) {
            Some(access) => Arc::clone(access),
            None => Arc::new(self.client(values)?),
        };
        open.clients.insert(print, Arc::clone(&access));
        if let Some(old) = name.and_then(|name| open.names.insert(name.clone(), print)).filter(|old| *old != print) {
            self.close(&mut open, old);
        }
        let make = || Arc::new(ProjectDoor::new(project.clone(), access, self.parts()));
        Ok(Arc::clone(open.doors.entry((print, project.clone())).or_insert_with(make)))
    }

    /// Lets go of values that no Secret has any more.
    fn close(&self, open: &mut Open, old: Fingerprint) {
        let is_default = self.default.as_ref().is_some_and(|values| values.fingerprint() == old);
        if !is_default && !open.names.values().any(|print| *print == old) {
            open.clients.remove(&old);
            open.doors.retain(|(print, _), _| *print != old);
        }
    }

    fn client(&self, values: &CredentialValues) -> Result<Access, OptionsError> {
        let Settings { read_timeout, write_timeout, .. } = *self.settings;
        let options = Options { read_timeout, write_timeout, ..Options::new(values.url(), values.credentials()) };
        Ok(Access::new(HttpMetal::new(options, Arc::clone(&self.clock))?, Arc::clone(&self.clock)))
    }

    fn parts(&self) -> Parts {
        Parts {
            settings: Arc::clone(&self.settings),
            known: Arc::clone(&self.known),
            observe: Arc::clone(&self.observe),
            clock: Arc::clone(&self.clock),
            rounds: Arc::clone(&self.rounds),
        }
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors")
            .field("settings", &self.settings)
            .field("default", &self.default)
            .finish_non_exhaustive()
    }
}
