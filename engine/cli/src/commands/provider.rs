//! `ferrofleet provider`: the Cluster API provider alone, and what it is installed from.

use crate::args::duration;
use crate::exit::{Exit, Usage};
use crate::kube::KubeArgs;
use crate::life;
use crate::output::{self, talk};
use crate::serve::{self, MetalCounters, Server};
use crate::wiring::{self, SystemClock};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use provider::{Config, CredentialValues, Election, MetalAccess, ProjectMap, Provider, Scope, Telemetry};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Where CAPMS is installed, and its lease with it.
const NAMESPACE: &str = "capms-system";
/// An API server that says nothing for so long is not waited for.
const KUBE_ANSWER_MAX: Duration = Duration::from_secs(30);
/// A watch is ended by the server before.
const KUBE_WATCH_MAX: Duration = Duration::from_secs(300);
/// Between two readings of metal-api.
pub(crate) const METAL_INTERVAL: Duration = Duration::from_secs(60);
const POD_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// The Cluster API provider: machines, firewalls and addresses for the MetalStackClusters of a management cluster
///
/// A drop-in replacement for CAPMS. metal-api is named by METAL_API_URL, METAL_API_HMAC and METAL_API_HMAC_AUTH_TYPE, or
/// for each cluster by the Secret of its `credentialsRef`. Ctrl-C and SIGTERM end it once allocations under way are
/// written down, a second one at once.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  \
    ferrofleet provider --kubeconfig management.kubeconfig --listen 127.0.0.1:9440\n  \
    ferrofleet provider --kubeconfig management.kubeconfig --observe\n  \
    ferrofleet provider components > infrastructure-components.yaml")]
pub(crate) struct ProviderArgs {
    #[command(subcommand)]
    tool: Option<Tool>,
    /// Decide and report in the log, and write nothing anywhere
    #[arg(long, env = "FERROFLEET_OBSERVE", hide_env = true)]
    observe: bool,
    /// How often metal-api is read: one list per project and kind for all objects
    #[arg(long, env = "FERROFLEET_METAL_INTERVAL", value_name = "TIME", default_value = "1m", value_parser = duration, hide_env = true)]
    metal_interval: Duration,
    /// Serve health, metrics and control here, for example 127.0.0.1:9440
    #[arg(long, env = "FERROFLEET_LISTEN", value_name = "ADDR", hide_env = true)]
    listen: Option<SocketAddr>,
    /// File with a token that lets others than this machine use `POST /pause` and `/resume`
    #[arg(long, env = "FERROFLEET_LISTEN_TOKEN_FILE", value_name = "FILE", hide_env = true)]
    listen_token_file: Option<PathBuf>,
    #[command(flatten)]
    capms: CapmsArgs,
    #[command(flatten)]
    settings: ProviderSettings,
}

#[derive(Debug, Subcommand)]
enum Tool {
    Components(ComponentsArgs),
}

/// What the provider is installed from: infrastructure-components.yaml, as clusterctl takes it
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet provider components > infrastructure-components.yaml\n  \
    ferrofleet provider components --image registry.example.com/ferrofleet:0.9.0")]
struct ComponentsArgs {
    /// The image that its Deployment runs
    #[arg(long, env = "FERROFLEET_IMAGE", value_name = "IMAGE", hide_env = true)]
    image: Option<String>,
    /// Where it is installed
    #[arg(long, value_name = "NAMESPACE", default_value = NAMESPACE)]
    namespace: String,
}

/// Flags of CAPMS, so that its Deployment starts this program, too.
#[derive(Args, Debug)]
#[command(next_help_heading = "Flags of CAPMS")]
struct CapmsArgs {
    /// Where CAPMS serves its metrics; here they are on --listen
    #[arg(long, value_name = "ADDR", hide = true)]
    metrics_bind_address: Option<String>,
    /// Where CAPMS serves its probes: taken for --listen when that is not given
    #[arg(long, value_name = "ADDR", hide = true)]
    health_probe_bind_address: Option<String>,
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", hide = true)]
    metrics_secure: Option<bool>,
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", hide = true)]
    enable_http2: Option<bool>,
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", hide = true)]
    zap_devel: Option<bool>,
    #[arg(long, value_name = "WORD", hide = true)]
    zap_encoder: Option<String>,
    #[arg(long, value_name = "WORD", hide = true)]
    zap_log_level: Option<String>,
    #[arg(long, value_name = "WORD", hide = true)]
    zap_stacktrace_level: Option<String>,
    #[arg(long, value_name = "WORD", hide = true)]
    zap_time_encoding: Option<String>,
}

/// How the provider behaves, alone or beside the engine.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Provider")]
pub(crate) struct ProviderSettings {
    /// Only objects of this namespace [default: all]
    #[arg(long, env = "FERROFLEET_NAMESPACE", value_name = "NAMESPACE", hide_env = true)]
    namespace: Option<String>,
    /// Only objects with the label cluster.x-k8s.io/watch-filter of this value
    #[arg(long, env = "FERROFLEET_WATCH_FILTER", value_name = "VALUE", hide_env = true)]
    watch_filter: Option<String>,
    /// Which projects of metal-stack each namespace may use: YAML with `namespaces: {<namespace>: [<project id>]}`
    #[arg(long, env = "FERROFLEET_PROJECT_MAP", value_name = "FILE", hide_env = true)]
    project_map: Option<PathBuf>,
    /// Wait for the Lease that CAPMS uses, too, and act only while it is held
    #[arg(long, env = "FERROFLEET_LEADER_ELECT", value_name = "BOOL", num_args = 0..=1, default_value = "false", default_missing_value = "true", hide_env = true)]
    leader_elect: bool,
    /// Where that Lease is [default: the pod's namespace, else capms-system]
    #[arg(long, env = "FERROFLEET_LEADER_ELECT_NAMESPACE", value_name = "NAMESPACE", hide_env = true)]
    leader_elect_namespace: Option<String>,
    /// Every object is looked at again after this long
    #[arg(long, env = "FERROFLEET_RESYNC", value_name = "TIME", default_value = "10m", value_parser = duration, hide_env = true)]
    resync: Duration,
    /// Objects of one kind in work at once
    #[arg(long, env = "FERROFLEET_CONCURRENCY", value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..), hide_env = true)]
    concurrency: u16,
    /// Requests to the API server per second
    #[arg(long, env = "FERROFLEET_KUBE_API_QPS", value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..), hide_env = true)]
    kube_api_qps: u32,
    /// So many of them at once
    #[arg(long, env = "FERROFLEET_KUBE_API_BURST", value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..), hide_env = true)]
    kube_api_burst: u32,
    /// Writes to one project of metal-api in flight at once
    #[arg(long, env = "FERROFLEET_METAL_WRITES_PER_PROJECT", value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..), hide_env = true)]
    metal_writes_per_project: u16,
    /// Whether a cluster counts as provisioned only when its firewall has phoned home
    #[arg(long, env = "FERROFLEET_WAIT_FOR_FIREWALL", value_name = "BOOL", num_args = 0..=1, default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set, hide_env = true)]
    wait_for_firewall: bool,
    /// How long a firewall may be dead before it is replaced
    #[arg(long, env = "FERROFLEET_FIREWALL_HEALTH_TIMEOUT", value_name = "TIME", default_value = "20m", value_parser = duration, hide_env = true)]
    firewall_health_timeout: Duration,
    /// Honour `autoUpdate.machineImage` of MetalStackFirewallDeployments: replace firewalls whose image has a newer patch
    #[arg(long, env = "FERROFLEET_FIREWALL_IMAGE_UPDATES", hide_env = true)]
    firewall_image_updates: bool,
    #[command(flatten)]
    timing: Timing,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    kube: KubeArgs,
}

/// Times that nobody but a test has reason to change.
#[derive(Args, Clone, Debug)]
struct Timing {
    #[arg(long, env = "FERROFLEET_METAL_HASTE", value_name = "TIME", value_parser = duration, hide = true)]
    metal_haste: Option<Duration>,
    #[arg(long, env = "FERROFLEET_METAL_WRITE_TIMEOUT", value_name = "TIME", value_parser = duration, hide = true)]
    metal_write_timeout: Option<Duration>,
    #[arg(long, env = "FERROFLEET_SETTLE", value_name = "TIME", value_parser = duration, hide = true)]
    settle: Option<Duration>,
    #[arg(long, env = "FERROFLEET_CONTROL_PLANE_GRACE", value_name = "TIME", value_parser = duration, hide = true)]
    control_plane_grace: Option<Duration>,
    #[arg(long, env = "FERROFLEET_BACKOFF", value_name = "TIME", value_parser = duration, hide = true)]
    backoff: Option<Duration>,
    #[arg(long, env = "FERROFLEET_FIREWALL_REPLACEMENT_PAUSE", value_name = "TIME", value_parser = duration, hide = true)]
    firewall_replacement_pause: Option<Duration>,
}

impl ProviderArgs {
    pub(crate) fn is_lasting(&self) -> bool {
        self.tool.is_none()
    }
}

pub(crate) async fn provider(args: ProviderArgs) -> anyhow::Result<Exit> {
    if let Some(Tool::Components(components)) = &args.tool {
        return print_components(components);
    }
    let ProviderArgs { tool: _, observe, metal_interval, listen, listen_token_file, capms, settings } = args;
    let listen = listen.or(capms.listen()?);
    let counters = Arc::new(MetalCounters::default());
    let paused = Arc::new(watch::Sender::new(false));
    let telemetry = Telemetry::default();
    let stop = life::listen(|| {})?;
    let config = settings.config(metal_interval, observe);
    let wired = settings.wire(config, counters.clone(), telemetry.clone(), paused.subscribe()).await?;
    let server = match listen {
        None => None,
        Some(address) => {
            let state = Server::new([].into(), counters, paused, listen_token_file).with_provider(telemetry);
            Some(serve::start(address, state, stop.clone()).await?)
        }
    };
    wired.run(stop).await?;
    if let Some(server) = server {
        // A client that reads slowly keeps nobody.
        let _ = tokio::time::timeout(Duration::from_millis(500), server).await;
    }
    Ok(Exit::Done)
}

fn print_components(args: &ComponentsArgs) -> anyhow::Result<Exit> {
    let mut options = provider::components::Options { namespace: args.namespace.clone(), ..Default::default() };
    if let Some(image) = &args.image {
        options.image.clone_from(image);
    }
    output::data(&provider::components::yaml(&options))?;
    Ok(Exit::Done)
}

impl CapmsArgs {
    /// CAPMS's `:8081` listens everywhere.
    fn listen(&self) -> anyhow::Result<Option<SocketAddr>> {
        let without_effect = [
            ("--metrics-bind-address", self.metrics_bind_address.is_some()),
            ("--metrics-secure", self.metrics_secure.is_some()),
            ("--enable-http2", self.enable_http2.is_some()),
            ("--zap-devel", self.zap_devel.is_some()),
            ("--zap-encoder", self.zap_encoder.is_some()),
            ("--zap-log-level", self.zap_log_level.is_some()),
            ("--zap-stacktrace-level", self.zap_stacktrace_level.is_some()),
            ("--zap-time-encoding", self.zap_time_encoding.is_some()),
        ];
        for (flag, _) in without_effect.iter().filter(|(_, given)| *given) {
            talk::warning(&format!("{flag} is CAPMS's and has no effect here: see --listen and --log-format"));
        }
        let Some(address) = self.health_probe_bind_address.as_deref().filter(|address| *address != "0") else {
            return Ok(None);
        };
        let whole = if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_owned() };
        let parsed = whole.parse().map_err(|_| {
            Usage::new(format!("--health-probe-bind-address {address} is no address"), "for example :8081")
        })?;
        Ok(Some(parsed))
    }
}

impl ProviderSettings {
    pub(crate) fn config(&self, metal_interval: Duration, observe: bool) -> Config {
        let default = Config::default();
        let Timing {
            metal_haste,
            metal_write_timeout,
            settle,
            control_plane_grace,
            backoff,
            firewall_replacement_pause,
        } = self.timing;
        Config {
            scope: Scope {
                namespace: self.namespace.clone().filter(|namespace| !namespace.is_empty()),
                watch_filter: self.watch_filter.clone().filter(|value| !value.is_empty()),
            },
            metal_interval,
            metal_haste: metal_haste.unwrap_or(default.metal_haste).min(metal_interval),
            metal_write_timeout: metal_write_timeout.unwrap_or(default.metal_write_timeout),
            resync: self.resync,
            concurrency: self.concurrency,
            metal_writes: usize::from(self.metal_writes_per_project),
            observe,
            wait_for_firewall: self.wait_for_firewall,
            firewall_health_timeout: self.firewall_health_timeout,
            firewall_replacement_pause: firewall_replacement_pause.unwrap_or(default.firewall_replacement_pause),
            firewall_image_updates: self.firewall_image_updates,
            settle: settle.unwrap_or(default.settle),
            control_plane_grace: control_plane_grace.unwrap_or(default.control_plane_grace),
            backoff: backoff.unwrap_or(default.backoff),
        }
    }

    /// The provider with its clients; nothing is asked of anybody yet.
    pub(crate) async fn wire(
        &self,
        config: Config,
        counters: Arc<MetalCounters>,
        telemetry: Telemetry,
        paused: watch::Receiver<bool>,
    ) -> anyhow::Result<Provider> {
        let (qps, burst) = (self.kube_api_qps, self.kube_api_burst);
        let client = self.kube.limited_client(qps, burst, KUBE_ANSWER_MAX).await?;
        let watches = self.kube.limited_client(qps, burst, KUBE_WATCH_MAX).await?;
        let variable = |name: &str| std::env::var(name).ok();
        let own = CredentialValues::from_environment(variable)
            .map_err(|error| Usage::new(error.to_string(), "they are the provider's own credentials for metal-api"))?;
        if own.is_none() {
            talk::warning("METAL_API_URL is not set: only clusters with a credentialsRef are served");
        }
        let map = self.project_map.as_deref().map(|path| {
            let text = std::fs::read_to_string(path).with_context(|| format!("the project map {}", path.display()))?;
            anyhow::Ok(ProjectMap::parse(&text, path)?)
        });
        let map = map.transpose()?;
        let election = self.leader_elect.then(|| Election {
            namespace: self
                .leader_elect_namespace
                .clone()
                .or_else(pod_namespace)
                .unwrap_or_else(|| NAMESPACE.to_owned()),
            identity: format!("ferrofleet_{}_{}", wiring::host(), uuid::Uuid::new_v4()),
        });
        let metal = MetalAccess { own, map, observe: counters };
        Ok(Provider { client, watches, config, metal, clock: Arc::new(SystemClock), election, telemetry, paused })
    }
}

fn pod_namespace() -> Option<String> {
    let namespace = std::fs::read_to_string(POD_NAMESPACE).ok()?;
    Some(namespace.trim().to_owned()).filter(|namespace| !namespace.is_empty())
}
