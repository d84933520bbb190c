//! `ferrofleet run`: the engine, once or until it is ended, for one fleet or for those of a configuration file.

use crate::args::{AccessArgs, Format, RepoArgs, duration};
use crate::commands::provider::{METAL_INTERVAL, ProviderSettings};
use crate::config::Config;
use crate::exit::{Exit, Usage};
use crate::fleets::{self, Handle};
use crate::life;
use crate::output::clusters::RanView;
use crate::output::{self, clusters, findings, talk};
use crate::serve::{self, MetalCounters, Server};
use crate::wiring::{self, Common, FleetSettings, MetalSettings, OutputRepo};
use anyhow::Context as _;
use clap::Args;
use gitops::{Metals, Options, Ran};
use metal_api::HttpMetal;
use provider::Telemetry;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The engine: resolve, render and commit what definitions say, once or until it is ended
///
/// metal-api is named by METAL_API_URL, METAL_API_HMAC and METAL_API_HMAC_AUTH_TYPE, or by `metal:` in a configuration
/// file. Ctrl-C and SIGTERM end it cleanly, a second one at once; SIGHUP makes it look now.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet run --repo https://git.example.com/fleet.git --once\n  \
    ferrofleet run --config ferrofleet.yaml --listen 127.0.0.1:9440\n  \
    ferrofleet run --repo https://git.example.com/fleet.git --observe --listen 127.0.0.1:9440\n  \
    ferrofleet run --repo https://git.example.com/fleet.git --management-kubeconfig mgmt-muc=mgmt.kubeconfig\n  \
    ferrofleet run --repo https://git.example.com/fleet.git --provider")]
pub(crate) struct RunArgs {
    /// Fleets, metal-apis and where to listen, in YAML: `fleets`, `metal`, `managementClusters`, `listen`, `cacheDir`;
    /// --repo takes the place of its fleets
    #[arg(long, env = "FERROFLEET_CONFIG", value_name = "FILE", hide_env = true)]
    config: Option<PathBuf>,
    /// Run until nothing is left that does not wait for hardware, time or a person, and end; exits 0 when every cluster
    /// is complete
    #[arg(long)]
    once: bool,
    /// Longest that --once may take
    #[arg(long, env = "FERROFLEET_TIMEOUT", value_name = "TIME", default_value = "2m", value_parser = duration, hide_env = true)]
    timeout: Duration,
    /// How long a claim is held without renewal
    #[arg(long, env = "FERROFLEET_CLAIM_TIME", value_name = "TIME", default_value = "30s", value_parser = duration, hide_env = true)]
    claim_time: Duration,
    /// This engine is alone: allocate also where the server refuses claims
    #[arg(long, env = "FERROFLEET_SINGLE_WRITER", hide_env = true)]
    single_writer: bool,
    /// Decide, plan and report, and write nothing anywhere: no claim, no commit, nothing in metal-api. A Metal-View key
    /// is enough
    #[arg(long, env = "FERROFLEET_OBSERVE", hide_env = true)]
    observe: bool,
    /// How often the branch is looked at [default: 15s]
    #[arg(long, env = "FERROFLEET_GIT_INTERVAL", value_name = "TIME", value_parser = duration, hide_env = true)]
    git_interval: Option<Duration>,
    /// How often metal-api is read when nothing changes [default: 5m]
    #[arg(long, env = "FERROFLEET_METAL_INTERVAL", value_name = "TIME", value_parser = duration, hide_env = true)]
    metal_interval: Option<Duration>,
    /// Serve health, metrics and control here, for example 127.0.0.1:9440
    #[arg(long, env = "FERROFLEET_LISTEN", value_name = "ADDR", hide_env = true)]
    listen: Option<SocketAddr>,
    /// File with a token that lets others than this machine use `POST /reconcile`, `/pause` and `/resume`
    #[arg(long, env = "FERROFLEET_LISTEN_TOKEN_FILE", value_name = "FILE", hide_env = true)]
    listen_token_file: Option<PathBuf>,
    /// The Cluster API provider, too, as `ferrofleet provider` alone is
    #[arg(long = "provider", env = "FERROFLEET_PROVIDER", conflicts_with = "once", hide_env = true)]
    with_provider: bool,
    /// How the result of --once is shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    // Last: their headings would be those of what follows.
    #[command(flatten)]
    repo: RepoArgs,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    provider: ProviderSettings,
}

impl RunArgs {
    pub(crate) fn is_lasting(&self) -> bool {
        !self.once
    }
}

/// Arguments, environment and file put together.
struct Settings {
    fleets: Vec<FleetSettings>,
    common: Common,
    metals: Metals<HttpMetal>,
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(args: RunArgs) -> anyhow::Result<Exit> {
    let settings = settings(&args)?;
    if args.once { once(&args, settings).await } else { lasting(&args, settings).await }
}

fn settings(args: &RunArgs) -> anyhow::Result<Settings> {
    let config = args.config.as_deref().map(Config::read).transpose()?;
    let fleets = fleets_of(args, config.as_ref())?;
    let mut seen = BTreeSet::new();
    for fleet in &fleets {
        if !seen.insert((fleet.url.canonical(), fleet.branch.clone())) {
            let what = format!("branch {} of {} is named twice", fleet.branch, fleet.url);
            return Err(Usage::new(what, "one fleet belongs to one branch of one repository").into());
        }
    }
    let metals = MetalSettings::new(config.as_ref())?.clients(args.claim_time)?;
    let cache_dir = args.repo.cache_dir.clone().or_else(|| config.as_ref().and_then(|c| c.cache_dir.clone()));
    let mut common = Common::new(args.claim_time, wiring::cache_dir(cache_dir))?;
    common.single_writer = args.single_writer;
    common.observe = args.observe;
    common.access = Arc::new(args.access.doors(config.as_ref()));
    let listen = args.listen.or_else(|| config.as_ref().and_then(|c| c.listen));
    Ok(Settings { fleets, common, metals, listen })
}

/// The fleet of `--repo`, else those of the file; intervals of the command line go before the file's.
fn fleets_of(args: &RunArgs, config: Option<&Config>) -> anyhow::Result<Vec<FleetSettings>> {
    let git_interval = |file: Option<Duration>| args.git_interval.or(file).unwrap_or(Options::GIT_INTERVAL);
    let metal_interval = |file: Option<Duration>| args.metal_interval.or(file).unwrap_or(Options::METAL_INTERVAL);
    if let Some(url) = &args.repo.repo {
        return Ok(vec![FleetSettings {
            url: wiring::remote(url)?,
            branch: args.repo.branch.clone(),
            credentials: args.repo.git.credentials(),
            outputs: args.repo.outputs(),
            git_interval: git_interval(None),
            metal_interval: metal_interval(None),
        }]);
    }
    let Some(config) = config else {
        return Err(
            Usage::new("no fleet repository is named", "use --repo URL, FERROFLEET_REPO or --config FILE").into()
        );
    };
    let output =
        |entry: &crate::config::OutputEntry| OutputRepo { repo: entry.repo.clone(), credentials: entry.credentials() };
    let fleet = |entry: &crate::config::FleetEntry| {
        Ok(FleetSettings {
            url: wiring::remote(&entry.repo)?,
            branch: entry.branch.clone(),
            credentials: entry.credentials(),
            outputs: entry.outputs.iter().map(output).collect(),
            git_interval: git_interval(entry.git_interval),
            metal_interval: metal_interval(entry.metal_interval),
        })
    };
    config.fleets.iter().map(fleet).collect()
}

/// All fleets at the same time; the worst of their results is the exit code.
async fn once(args: &RunArgs, settings: Settings) -> anyhow::Result<Exit> {
    let Settings { fleets, common, metals, listen: _ } = settings;
    let stop = life::listen(|| {})?;
    let several = fleets.len() > 1;
    let counters = Arc::new(MetalCounters::default());
    let mut runs = tokio::task::JoinSet::new();
    for (at, fleet) in fleets.into_iter().enumerate() {
        let (common, metals, counters) = (common.clone(), metals.clone(), counters.clone());
        let (limit, stop) = (args.timeout, life::asked_to_end(stop.clone()));
        runs.spawn(async move {
            let ran = async {
                let mut engine = wiring::engine(&fleet, &common, metals, counters)?;
                anyhow::Ok(engine.run_once(limit, stop).await?)
            };
            (at, format!("{} ({})", fleet.url, fleet.branch), ran.await)
        });
    }
    let mut ended = Vec::new();
    while let Some(run) = runs.join_next().await {
        ended.push(run.context("the run of a fleet ended unexpectedly")?);
    }
    ended.sort_by_key(|(at, ..)| *at);
    report(args.output, several, ended)
}

fn report(format: Format, several: bool, ended: Vec<(usize, String, anyhow::Result<Ran>)>) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let mut rans = Vec::new();
    for (_, name, result) in ended {
        match result {
            Ok(ran) => {
                if !ran.is_complete() {
                    exit = Exit::Failed;
                }
                rans.push((name, ran));
            }
            Err(error) if !several => return Err(error),
            Err(error) => {
                talk::error(&error.context(name));
                exit = Exit::Failed;
            }
        }
    }
    if format == Format::Text {
        for (name, ran) in &rans {
            text(several.then_some(name.as_str()), ran)?;
        }
        return Ok(exit);
    }
    let views: Vec<_> = rans.iter().map(|(_, ran)| RanView::new(ran)).collect();
    match (several, &views[..]) {
        (false, [view]) => output::show(format, view, String::new)?,
        _ => output::show(format, &views, String::new)?,
    }
    Ok(exit)
}

fn text(name: Option<&str>, ran: &Ran) -> anyhow::Result<()> {
    if !ran.findings.is_empty() {
        talk::say(findings::text(&ran.findings).trim_end());
        talk::say("");
    }
    for line in ran.plan.view().leftovers() {
        talk::warning(&line);
    }
    if let Some(name) = name {
        output::data(&format!("{}\n", output::styles::bold(name)))?;
    }
    if ran.clusters.is_empty() {
        talk::note("no cluster is defined");
        return Ok(());
    }
    output::data(&clusters::table(ran).text())?;
    let problems = clusters::problems(ran);
    if !problems.is_empty() {
        output::data(&format!("\n{problems}"))?;
    }
    Ok(())
}

/// Until a signal: one task per fleet, so that a hung one delays nobody else.
async fn lasting(args: &RunArgs, settings: Settings) -> anyhow::Result<Exit> {
    let Settings { fleets, common, metals, listen } = settings;
    let handles: Arc<[Handle]> = fleets.iter().map(|fleet| Handle::new(fleet, &common)).collect();
    let wake = handles.clone();
    let stop = life::listen(move || wake.iter().for_each(Handle::wake))?;
    let paused = Arc::new(watch::Sender::new(false));
    let counters = Arc::new(MetalCounters::default());
    let provider = match args.with_provider {
        false => None,
        true => {
            let config = args.provider.config(args.metal_interval.unwrap_or(METAL_INTERVAL), false);
            let telemetry = Telemetry::default();
            Some(args.provider.wire(config, counters.clone(), telemetry, paused.subscribe()).await?)
        }
    };
    let server = match listen {
        None => None,
        Some(address) => {
            let state = Server::new(handles.clone(), counters.clone(), paused.clone(), args.listen_token_file.clone())
                .observing(args.observe);
            let state = match &provider {
                Some(provider) => state.with_provider(provider.telemetry.clone()),
                None => state,
            };
            Some(serve::start(address, state, stop.clone()).await?)
        }
    };
    let mut tasks = tokio::task::JoinSet::new();
    let provider = provider.map(|provider| provider.run(stop.clone()));
    for (fleet, handle) in fleets.into_iter().zip(handles.iter().cloned()) {
        let engine = {
            let (common, metals, counters) = (common.clone(), metals.clone(), counters.clone());
            move || wiring::engine(&fleet, &common, metals.clone(), counters.clone())
        };
        let alone = handles.len() == 1;
        tasks.spawn(fleets::keep(handle, engine, alone, stop.clone(), paused.subscribe()));
    }
    let fleets = async {
        let mut exit = Exit::Done;
        while let Some(ended) = tasks.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => exit = crate::exit::failed(&error),
                // A defect of ours in one fleet's task: the others go on, and readiness says so.
                Err(error) => {
                    tracing::error!(%error, "the task of a fleet ended unexpectedly");
                    exit = Exit::Failed;
                }
            }
        }
        anyhow::Ok(exit)
    };
    let exit = match provider {
        None => fleets.await?,
        // A provider that lost its lease ends the process: what it held may be another's by now.
        Some(provider) => tokio::try_join!(fleets, async { provider.await.context("the provider") })?.0,
    };
    if let Some(server) = server.filter(|_| *stop.borrow()) {
        // A client that reads slowly keeps nobody.
        let _ = tokio::time::timeout(Duration::from_millis(500), server).await;
    }
    Ok(exit)
}
