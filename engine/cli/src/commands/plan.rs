//! `ferrofleet plan`: what a run would do, and nothing of it done.

use crate::args::{Format, RepoArgs};
use crate::exit::Exit;
use crate::output::plan::Totals;
use crate::output::{self, findings, talk};
use crate::source::Fleet;
use crate::wiring::{self, Common, FleetSettings, MetalSettings, SystemClock};
use crate::worktree;
use ::plan::{Plan, PlanView};
use clap::Args;
use model::condition::ReasonKind;
use model::request::Done;
use model::{Clock as _, Finding, Have, Sink, SinkError, Tree, Want};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a run would do; nothing is written. Exits 2 when changes are pending
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet plan\n  \
    ferrofleet plan --repo https://git.example.com/fleet.git --branch main -o json")]
pub(crate) struct PlanArgs {
    /// A work tree of a fleet repository, in place of --repo
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How the plan is shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    repo: RepoArgs,
}

/// A plan with what belongs to it, for machines.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tip: Option<git::Oid>,
    pending: bool,
    #[serde(flatten)]
    plan: PlanView,
    /// Paths that a commit would change now; what follows from allocations is not among them.
    files: &'a [String],
    findings: &'a [Finding],
}

/// What is known after planning, wherever the tree came from.
struct Planned {
    tip: Option<git::Oid>,
    plan: Plan,
    files: Vec<String>,
    findings: Vec<Finding>,
}

pub(crate) async fn plan(args: PlanArgs) -> anyhow::Result<Exit> {
    let planned = match (&args.dir, &args.repo.repo) {
        (Some(dir), _) => of_folder(dir).await?,
        (None, Some(url)) => of_repository(url, &args.repo).await?,
        (None, None) => of_folder(Path::new(".")).await?,
    };
    let Planned { tip, plan, files, findings } = planned;
    if args.output == Format::Text && !findings.is_empty() {
        talk::say(findings::text(&findings).trim_end());
        talk::say("");
    }
    let totals = Totals { allocations: plan.allocations().count(), frees: plan.frees.len(), files: files.len() };
    let pending = is_pending(&plan, &files);
    let shown = Shown { tip, pending, plan: plan.view(), files: &files, findings: &findings };
    output::show(args.output, &shown, || output::plan::text(&shown.plan, totals, &files, &findings))?;
    let failed =
        plan.incomplete || !plan.suspect.is_empty() || findings.iter().any(Finding::is_error) || is_stalled(&plan);
    Ok(match (failed, pending) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Pending,
        (false, false) => Exit::Done,
    })
}

/// Whether a run would change anything, now or as soon as what it waits for is there.
fn is_pending(plan: &Plan, files: &[String]) -> bool {
    plan.writes_metal() || !files.is_empty() || reasons(plan).any(|reason| reason.kind() == ReasonKind::Waiting)
}

fn is_stalled(plan: &Plan) -> bool {
    reasons(plan).any(|reason| reason.kind() == ReasonKind::Stalled)
}

/// Why slots and clusters are not acted on.
fn reasons(plan: &Plan) -> impl Iterator<Item = model::Reason> {
    plan.clusters.values().flat_map(|cluster| {
        let refused = cluster.steps.iter().filter_map(|step| match step {
            ::plan::Step::Refuse { reason, .. } => Some(*reason),
            ::plan::Step::Keep { .. }
            | ::plan::Step::Delegate { .. }
            | ::plan::Step::Use { .. }
            | ::plan::Step::Allocate { .. } => None,
        });
        cluster.blocked.iter().map(|b| b.reason).chain(refused)
    })
}

async fn of_repository(url: &str, args: &RepoArgs) -> anyhow::Result<Planned> {
    let fleet = FleetSettings::of(url, args)?;
    let common = Common::new(gitops::Options::CLAIM_TIME, wiring::cache_dir(args.cache_dir.clone()))?;
    let metals = MetalSettings::new(None)?.clients(common.claim_time)?;
    let mut engine = wiring::engine(&fleet, &common, metals, Arc::new(metal_api::Unobserved))?;
    let gitops::Planned { tip, findings, plan, files, .. } = engine.plan().await?;
    let files = files.into_iter().map(|file| file.path).collect();
    Ok(Planned { tip: Some(tip), plan, files, findings })
}

async fn of_folder(dir: &Path) -> anyhow::Result<Planned> {
    let Fleet { tree, mut want, mut findings } = Fleet::of(worktree::tree(dir)?);
    let now = SystemClock.now();
    let have = match want.fleet.as_deref() {
        None => Have::default(),
        Some(fleet) => {
            let metal = MetalSettings::new(None)?.client(fleet.spec.metal.credentials.as_str())?;
            metal_api::gather(&*metal, &want.projects(), now, metal_api::GATHER_DEADLINE).await
        }
    };
    let from_metal = fleet::placed(fleet::metal_findings(&want, &have, now), &tree);
    gitops::block(&mut want, &from_metal);
    findings.extend(from_metal);
    let attempt = Common::new(gitops::Options::CLAIM_TIME, PathBuf::new())?.attempt;
    // A folder has no history: clusters that it does not know make their project suspect.
    let unknown = ::plan::Unknown::default();
    let plan = ::plan::plan(&want, &have, &unknown.setting(&attempt, now));
    let files = files(&want, &plan, &tree)?;
    Ok(Planned { tip: None, plan, files, findings })
}

/// Paths that a commit would change with what is known now.
fn files(want: &Want, plan: &Plan, tree: &Tree) -> anyhow::Result<Vec<String>> {
    let locks = ::plan::settle(want, plan, &Done::default());
    let mut paths = Paths { tree, changed: BTreeSet::new() };
    let edited =
        render::edit(want, render::Settled::live(&locks), tree, tree, &mut render::Memo::default(), &mut paths)?;
    for (cluster, path) in &edited.obstructed {
        talk::warning(&format!("{path} lies where the output of {cluster} must be written; move it away"));
    }
    Ok(paths.changed.into_iter().collect())
}

/// Notes which files would change.
struct Paths<'a> {
    tree: &'a Tree,
    changed: BTreeSet<String>,
}

impl Sink for Paths<'_> {
    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), SinkError> {
        let id = model::digest::blob_id(bytes);
        if self.tree.entry(path).is_none_or(|entry| entry.id != id) {
            self.changed.insert(path.to_owned());
        }
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), SinkError> {
        if self.tree.entry(path).is_some() {
            self.changed.insert(path.to_owned());
        }
        Ok(())
    }
}
