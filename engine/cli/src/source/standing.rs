//! Where the clusters of a fleet stand: what Git says, and what metal-api adds where one is configured.

use crate::args::{AccessArgs, RepoArgs};
use crate::output::plan::Report;
use crate::source::{Fleet, Remote, planned};
use crate::wiring::MetalSettings;
use crate::worktree;
use ::plan::Step;
use gitops::{ClusterState, LogEntry, Phase};
use model::condition::ConditionStatus;
use model::want::{OrphanLock, Wanted};
use model::{ClusterId, ClusterLock, Condition, Reason, Want};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// How far back the last commit of a cluster is looked for.
const LOG_MAX: usize = 1_000;

#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) want: Want,
    pub(crate) states: BTreeMap<ClusterId, ClusterState>,
    /// None where no metal-api is configured.
    pub(crate) report: Option<Report>,
    /// What engines committed and people answered, the newest first; nothing of a folder.
    pub(crate) log: Vec<LogEntry>,
}

/// Of a folder, else of the remote that is named, else of the folder here.
pub(crate) async fn standing(dir: Option<&Path>, repo: &RepoArgs, access: &AccessArgs) -> anyhow::Result<Standing> {
    match (dir, &repo.repo) {
        (Some(dir), _) => of_folder(dir).await,
        (None, None) => of_folder(Path::new(".")).await,
        (None, Some(_)) => Standing::of_remote(&mut Remote::open("status", repo, access)?).await,
    }
}

async fn of_folder(dir: &Path) -> anyhow::Result<Standing> {
    let mut fleet = Fleet::of(worktree::tree(dir)?);
    let report = match MetalSettings::new(None)?.is_empty() {
        true => None,
        false => Some(planned::of_folder(&mut fleet).await?),
    };
    let mut states = states(&fleet.want);
    if let Some(report) = &report {
        judge(&mut states, report);
    }
    Ok(Standing { want: fleet.want, states, report, log: Vec::new() })
}

impl Standing {
    pub(crate) async fn of_remote(remote: &mut Remote) -> anyhow::Result<Self> {
        let gitops::Read { want, .. } = remote.engine.read().await?;
        let log = remote.engine.log(LOG_MAX, None).await?;
        if !remote.has_metal {
            return Ok(Self { states: states(&want), want, report: None, log });
        }
        let mut planned = remote.engine.plan().await?;
        let states = std::mem::take(&mut planned.clusters);
        Ok(Self { want, states, report: Some(Report::of(planned)), log })
    }
}

/// As documents and locks say it.
fn states(want: &Want) -> BTreeMap<ClusterId, ClusterState> {
    let wanted = want.clusters.iter().map(|(id, wanted)| (id.clone(), of_definition(wanted)));
    let locks = want.orphan_locks.iter().map(|(id, orphan)| (id.clone(), of_lock(orphan)));
    locks.chain(wanted).collect()
}

fn of_definition(wanted: &Wanted) -> ClusterState {
    let phase = match &wanted.lock {
        None => Phase::Defined,
        Some(lock) if !render::complete(wanted, lock) => Phase::Resolving,
        Some(_) if wanted.blocked.is_some() => Phase::Resolved,
        Some(_) => Phase::Rendered,
    };
    let blocked = wanted.blocked.as_ref().map(|blocked| (blocked.reason, blocked.message.clone()));
    let problem = blocked.or_else(|| wanted.lock.as_deref().and_then(condition));
    state(&wanted.path, phase, wanted.lock.clone(), problem)
}

fn of_lock(orphan: &OrphanLock) -> ClusterState {
    let (phase, problem) = match (orphan.removed, &orphan.lock.deletion) {
        (true, Some(deletion)) => {
            let phase = crate::output::plan::words::phase(deletion.phase);
            (Phase::Deleting, (Reason::Deleting, format!("the deletion is in phase {phase}")))
        }
        (true, None) => {
            let message = "the definition is gone and its deletion was not confirmed: nothing is deleted by that";
            (Phase::Resolved, (Reason::DefinitionRemoved, message.to_owned()))
        }
        (false, _) => {
            let message = "its definition cannot be read or resolved; `ferrofleet validate` says why";
            (Phase::Resolved, (Reason::InvalidDefinition, message.to_owned()))
        }
    };
    state(&orphan.path, phase, Some(orphan.lock.clone()), Some(problem))
}

fn state(path: &str, phase: Phase, lock: Option<Arc<ClusterLock>>, problem: Option<(Reason, String)>) -> ClusterState {
    let (path, notes) = (path.to_owned(), Vec::new());
    ClusterState { path, phase, lock, problem, notes, firewall_ready: None, commit: None }
}

/// The first condition of a lock that is not good.
fn condition(lock: &ClusterLock) -> Option<(Reason, String)> {
    let is_bad = |condition: &&Condition| condition.status != ConditionStatus::True;
    lock.conditions.iter().find(is_bad).map(|condition| (condition.reason, condition.message.clone()))
}

/// What the plan of a folder says against its clusters, and of them.
fn judge(states: &mut BTreeMap<ClusterId, ClusterState>, report: &Report) {
    for (id, plan) in &report.plan.clusters {
        let Some(state) = states.get_mut(id) else { continue };
        let refused = plan.steps.iter().find_map(|step| match step {
            Step::Refuse { reason, message, .. } => Some((*reason, message.clone())),
            Step::Keep { .. } | Step::Delegate { .. } | Step::Use { .. } | Step::Allocate { .. } => None,
        });
        let blocked = plan.blocked.as_ref().map(|blocked| (blocked.reason, blocked.message.clone()));
        state.problem = blocked.or(refused).or_else(|| state.problem.take());
        state.notes = plan.notes.iter().map(|note| (note.reason, note.message.clone())).collect();
    }
}
