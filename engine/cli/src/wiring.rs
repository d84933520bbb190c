//! From arguments, environment and configuration to engines: the one place where rooms are put together.

use crate::access::Access;
use crate::args::{AccessArgs, GitArgs, RepoArgs};
use crate::config::{Config, auth_type};
use crate::exit::Usage;
use crate::kube::KubeArgs;
use anyhow::Context as _;
use git::{Credentials, RemoteUrl, Source};
use gitops::{Engine, Metals};
use metal_api::{HttpMetal, Observe, Secret};
use model::{Attempt, Clock, Timestamp};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The password or token for HTTPS, where no file is named.
const PASSWORD: &str = "FERROFLEET_GIT_PASSWORD";

/// The system's clock, for the edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// One fleet to be run.
#[derive(Clone, Debug)]
pub(crate) struct FleetSettings {
    pub(crate) url: RemoteUrl,
    pub(crate) branch: String,
    pub(crate) credentials: Credentials,
    /// Where its output may go beside its own repository, as `fleet.yaml` writes it.
    pub(crate) outputs: Vec<OutputRepo>,
    pub(crate) git_interval: Duration,
    pub(crate) metal_interval: Duration,
}

impl FleetSettings {
    /// Of a command's arguments, for a look.
    pub(crate) fn of(url: &str, args: &RepoArgs) -> anyhow::Result<Self> {
        Ok(Self {
            url: remote(url)?,
            branch: args.branch.clone(),
            credentials: args.git.credentials(),
            outputs: args.outputs(),
            git_interval: gitops::Options::GIT_INTERVAL,
            metal_interval: gitops::Options::METAL_INTERVAL,
        })
    }
}

/// A repository for output, and who we are to it.
#[derive(Clone, Debug)]
pub(crate) struct OutputRepo {
    pub(crate) repo: String,
    pub(crate) credentials: Credentials,
}

/// What all fleets of a process share.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) claim_time: Duration,
    pub(crate) single_writer: bool,
    /// Decides and reports, writes nothing anywhere.
    pub(crate) observe: bool,
    /// The management clusters that may be looked at.
    pub(crate) access: Arc<Access>,
    pub(crate) cache_dir: PathBuf,
    /// Drawn once per process: "own" means this one.
    pub(crate) attempt: Attempt,
}

impl Common {
    pub(crate) fn new(claim_time: Duration, cache_dir: PathBuf) -> anyhow::Result<Self> {
        let attempt = Attempt::parse(&uuid::Uuid::new_v4().to_string())?;
        Ok(Self { claim_time, single_writer: false, observe: false, access: Arc::default(), cache_dir, attempt })
    }
}

/// How to reach the metal-apis, by the names that fleets use.
#[derive(Clone, Debug, Default)]
pub(crate) struct MetalSettings(BTreeMap<String, (String, metal_api::Credentials)>);

impl MetalSettings {
    /// The configuration's, with `METAL_API_*` as `default` where that is set.
    pub(crate) fn new(config: Option<&Config>) -> Result<Self, Usage> {
        let mut all = BTreeMap::new();
        for (name, entry) in config.iter().flat_map(|c| &c.metal) {
            all.insert(name.clone(), (entry.url.clone(), entry.credentials()?));
        }
        if let Some(default) = from_environment()? {
            all.insert("default".to_owned(), default);
        }
        Ok(Self(all))
    }

    /// No metal-api is named anywhere.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn of(name: &str, url: String, credentials: metal_api::Credentials) -> Self {
        Self(BTreeMap::from([(name.to_owned(), (url, credentials))]))
    }

    /// Clients that do not outlive a claim: a write that times out ends within a third of its time.
    pub(crate) fn clients(&self, claim_time: Duration) -> anyhow::Result<Metals<HttpMetal>> {
        if self.is_empty() {
            return Err(none_named().into());
        }
        let client = |(name, (url, credentials)): (&String, &(String, metal_api::Credentials))| {
            let mut options = metal_api::Options::new(url, credentials.clone());
            options.write_timeout = options.write_timeout.min(claim_time / 3);
            let client =
                HttpMetal::new(options, Arc::new(SystemClock)).with_context(|| format!("metal-api `{name}`"))?;
            Ok((name.clone(), Arc::new(client)))
        };
        self.0.iter().map(client).collect()
    }

    /// The client that a fleet names, for reading.
    pub(crate) fn client(&self, name: &str) -> anyhow::Result<Arc<HttpMetal>> {
        let known: Vec<_> = self.0.keys().cloned().collect();
        let found = self.clients(gitops::Options::CLAIM_TIME)?.remove(name);
        found.ok_or_else(|| {
            let known = format!("known here: {}", known.join(", "));
            Usage::new(format!("fleet.yaml names the metal-api `{name}`, which is not configured"), known).into()
        })
    }
}

pub(crate) fn none_named() -> Usage {
    let hint =
        "set METAL_API_URL and METAL_API_HMAC (and METAL_API_HMAC_AUTH_TYPE), or `metal:` in a configuration file";
    Usage::new("no metal-api is named", hint)
}

/// `METAL_API_URL`, `METAL_API_HMAC`, `METAL_API_HMAC_AUTH_TYPE`, as metal-stack's own programs name them.
pub(crate) fn from_environment() -> Result<Option<(String, metal_api::Credentials)>, Usage> {
    let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(url) = read("METAL_API_URL") else { return Ok(None) };
    let key = read("METAL_API_HMAC")
        .ok_or_else(|| Usage::new("METAL_API_URL is set and METAL_API_HMAC is not", "set METAL_API_HMAC to the key"))?;
    let auth_type = auth_type(read("METAL_API_HMAC_AUTH_TYPE").as_deref())?;
    Ok(Some((url, metal_api::Credentials::Hmac { auth_type, key: Secret::value(key) })))
}

/// The remote's address, as a usage error where it is none.
pub(crate) fn remote(text: &str) -> anyhow::Result<RemoteUrl> {
    Ok(RemoteUrl::parse(text)
        .map_err(|e| Usage::new(e.to_string(), "for example --repo https://git.example.com/fleet.git"))?)
}

impl RepoArgs {
    pub(crate) fn outputs(&self) -> Vec<OutputRepo> {
        let credentials = self.git.credentials();
        let output = |repo: &String| OutputRepo { repo: repo.clone(), credentials: credentials.clone() };
        self.output_repos.iter().map(output).collect()
    }
}

impl AccessArgs {
    /// What the command line names goes before the configuration.
    pub(crate) fn doors(&self, config: Option<&Config>) -> Access {
        let of_file =
            config.iter().flat_map(|c| &c.management_clusters).map(|(name, entry)| (name.clone(), entry.args()));
        let named = self.management_kubeconfig.iter().map(|(name, file)| {
            let args = KubeArgs { kubeconfig: Some(file.clone()), context: None };
            (name.clone(), args)
        });
        Access::new(of_file.chain(named))
    }
}

impl GitArgs {
    pub(crate) fn credentials(&self) -> Credentials {
        let Self { git_username, git_password_file, git_ssh_key, git_known_hosts, git_ca_file } = self.clone();
        Credentials {
            username: git_username.map(|name| Source::Value(name.into())),
            password: git_password_file.map(Source::File).or_else(password_variable),
            ssh_key: git_ssh_key,
            known_hosts: git_known_hosts,
            ca_file: git_ca_file,
        }
    }
}

/// A secret in the environment is read by its name, like a file, and never becomes an argument.
fn password_variable() -> Option<Source> {
    std::env::var_os(PASSWORD).filter(|value| !value.is_empty()).map(|_| Source::Env(PASSWORD.to_owned()))
}

/// `--cache-dir`, else `$XDG_CACHE_HOME/ferrofleet`, else `$HOME/.cache/ferrofleet`, else a temporary one.
pub(crate) fn cache_dir(named: Option<PathBuf>) -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    named
        .or_else(|| variable("XDG_CACHE_HOME").filter(|dir| dir.is_absolute()).map(|dir| dir.join("ferrofleet")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/ferrofleet")))
        .unwrap_or_else(|| std::env::temp_dir().join("ferrofleet"))
}

/// An engine for one fleet: two workers on its remote, so that a claim's renewal never waits behind a fetch.
pub(crate) fn engine(
    fleet: &FleetSettings,
    common: &Common,
    metals: Metals<HttpMetal>,
    observe: Arc<dyn Observe>,
) -> anyhow::Result<Engine<HttpMetal>> {
    let options = |url: &RemoteUrl, credentials: &Credentials| git::Options {
        url: url.clone(),
        branch: fleet.branch.clone(),
        cache_dir: common.cache_dir.clone(),
        credentials: credentials.clone(),
        timeouts: git::Timeouts::default(),
    };
    let repo = git::Worker::spawn(options(&fleet.url, &fleet.credentials))?;
    let claims = git::Worker::spawn(options(&fleet.url, &fleet.credentials))?;
    let mut outputs = gitops::Outputs::new();
    for OutputRepo { repo, credentials } in &fleet.outputs {
        outputs.insert(repo.clone(), git::Worker::spawn(options(&remote(repo)?, credentials))?);
    }
    let mut settings = gitops::Options::new(&fleet.branch, common.attempt.clone(), &host());
    settings.claim_time = common.claim_time;
    settings.single_writer = common.single_writer;
    settings.observe = common.observe;
    settings.git_interval = fleet.git_interval;
    settings.metal_interval = fleet.metal_interval;
    let engine = Engine::new(settings, metals, observe, Arc::new(SystemClock), repo, claims);
    Ok(engine.with_outputs(outputs).with_live(common.access.clone()))
}

/// Named in claims and leases, for people.
pub(crate) fn host() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let plain: String = name.trim().chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
    if plain.is_empty() { "unknown".to_owned() } else { plain }
}
