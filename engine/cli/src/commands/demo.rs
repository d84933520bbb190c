//! `ferrofleet demo`: the main job on this machine: a simulated metal-api, a bare remote, and the real engine on them.

mod remote;
mod story;

use crate::exit::{Exit, Usage};
use crate::life;
use crate::output::{styles, talk};
use crate::wiring::{self, Common, FleetSettings, MetalSettings};
use anyhow::Context as _;
use clap::Args;
use gitops::{FleetStatus, Ran, Triggers, Waker};
use metal_api::{AuthType, Credentials, Secret};
use metal_sim::Running;
use remote::Remote;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use story::Story;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::Instant;

/// Longest that `--once` may take: a firewall needs some seconds on the simulator.
const ONCE_MAX: Duration = Duration::from_secs(120);
/// How often a firewall on its way is looked at: a step of its life is a second.
const FIREWALL_LOOK: Duration = Duration::from_millis(500);

/// The whole of it on this machine: simulated metal-api, a local Git remote, the engine
///
/// Needs `git` and nothing else: no account, no cluster, no network. Stays up until Ctrl-C, and leaves nothing behind.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet demo\n  \
    ferrofleet demo --once --dir demo")]
pub(crate) struct DemoArgs {
    /// End after the first convergence, with the firewalls up
    #[arg(long)]
    once: bool,
    /// Keep the repository (and the simulator's state) in this folder; started again, it goes on from there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) async fn demo(args: DemoArgs) -> anyhow::Result<Exit> {
    let stop = life::listen(|| {})?;
    let scratch = tempfile::Builder::new().prefix("ferrofleet-demo-").tempdir().context("no temporary folder")?;
    let result = on_stage(&args, &scratch, stop).await;
    // Said here because a folder that stays would be left behind silently.
    scratch.close().context("the demo's temporary folder cannot be removed")?;
    result
}

async fn on_stage(args: &DemoArgs, scratch: &TempDir, stop: watch::Receiver<bool>) -> anyhow::Result<Exit> {
    let (sim, remote) = stage(args.dir.as_deref(), scratch.path()).await?;
    talk::say(&format!("{} {}", styles::dim("metal-api (simulated)"), sim.url()));
    talk::say(&format!("{}      {}", styles::dim("fleet repository"), remote.path().display()));
    talk::say("");
    let fleet = FleetSettings {
        outputs: Vec::new(),
        url: wiring::remote(&remote.path().display().to_string())?,
        branch: remote::BRANCH.to_owned(),
        credentials: git::Credentials::default(),
        git_interval: gitops::Options::GIT_INTERVAL,
        metal_interval: gitops::Options::METAL_INTERVAL,
    };
    let common = Common::new(gitops::Options::CLAIM_TIME, scratch.path().join("cache"))?;
    let metals = metal_settings(&sim)?.clients(common.claim_time)?;
    let mut engine = wiring::engine(&fleet, &common, metals, Arc::new(metal_api::Unobserved))?;
    let waker = Waker::default();
    let (halt, halted) = watch::channel(false);
    let triggers =
        Triggers::new(waker.clone(), halted).watching(remote.path()).context("the remote cannot be watched")?;
    let status = engine.status();
    let story = Story::begin(remote).await?;
    let running = tokio::spawn(async move { engine.run(triggers).await });
    let keeps = !args.once || args.dir.is_some();
    let exit = play(story, status, &waker, args.once, keeps, stop).await;
    halt.send_replace(true);
    running.await.context("the engine ended unexpectedly")?;
    sim.shutdown().await?;
    exit
}

/// The simulator and the remote; in a folder that stays, as they were left there.
async fn stage(dir: Option<&Path>, scratch: &Path) -> anyhow::Result<(Running, Remote)> {
    let folder = dir.unwrap_or(scratch);
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let folder = folder.canonicalize()?;
    let state = dir.map(|_| folder.join("metal-api.state"));
    let path = folder.join("fleet.git");
    if path.exists() && !state.as_ref().is_some_and(|state| state.exists()) {
        let what = format!("{} is there, and what the simulator had is not", path.display());
        return Err(Usage::new(what, "take another folder").into());
    }
    let remote = if path.exists() { Remote::open(&path) } else { Remote::make(&path).await? };
    let sim = metal_sim::start(metal_sim::Options { state, ..Default::default() }).await?;
    Ok((sim, remote))
}

fn metal_settings(sim: &Running) -> anyhow::Result<MetalSettings> {
    let env = std::collections::BTreeMap::from(sim.env());
    let key = env.get("METAL_API_HMAC").context("the simulator names no key")?;
    let credentials = Credentials::Hmac { auth_type: AuthType::Admin, key: Secret::value(key.clone()) };
    Ok(MetalSettings::of("default", sim.url(), credentials))
}

/// Tells what happens until a signal, or until there is nothing more to tell with `once`.
async fn play(
    mut story: Story,
    mut status: watch::Receiver<FleetStatus>,
    waker: &Waker,
    once: bool,
    keeps: bool,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Exit> {
    let end = Instant::now() + ONCE_MAX;
    let mut introduced = false;
    loop {
        let looking = story.awaits_firewalls();
        tokio::select! {
            biased;
            () = life::asked_to_end(stop.clone()) => return Ok(if once { Exit::Failed } else { Exit::Done }),
            () = tokio::time::sleep_until(end), if once => anyhow::bail!("not done within {ONCE_MAX:?}"),
            changed = status.changed() => changed.context("the engine ended unexpectedly")?,
            () = tokio::time::sleep(FIREWALL_LOOK), if looking => {
                waker.wake();
                continue;
            }
        }
        let seen = status.borrow_and_update().clone();
        if let Some(error) = &seen.error {
            anyhow::ensure!(!once, "{error}");
            talk::warning(error);
        }
        let Some(ran) = seen.ran.filter(|_| seen.error.is_none()) else { continue };
        story.tell(&ran).await?;
        if introduced {
            continue;
        }
        match progress(&ran) {
            Progress::Stuck => {
                story.table(&ran)?;
                return Ok(Exit::Failed);
            }
            // With `once`, what is shown at the end is the end.
            Progress::Rendered if once => {}
            Progress::Rendered | Progress::Ready => {
                introduced = true;
                story.table(&ran)?;
                if keeps {
                    story.lines_to_copy()?;
                }
                if once {
                    return Ok(Exit::Done);
                }
                talk::say(&styles::dim("Pushes are answered as they come; Ctrl-C ends the demo.\n"));
            }
            Progress::OnItsWay => {}
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    OnItsWay,
    /// Every cluster is resolved and rendered; firewalls are starting.
    Rendered,
    Ready,
    /// Nothing will change any more without a person.
    Stuck,
}

fn progress(ran: &Ran) -> Progress {
    match (ran.is_complete(), &ran.due) {
        (true, _) if ran.clusters.values().all(|c| c.firewall_ready.unwrap_or(true)) => Progress::Ready,
        (true, _) => Progress::Rendered,
        (false, Some(_)) => Progress::OnItsWay,
        (false, None) => Progress::Stuck,
    }
}
