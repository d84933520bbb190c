//! What a run would do to a fleet, from wherever its documents are read.

use crate::args::{AccessArgs, RepoArgs};
use crate::output::plan::Report;
use crate::source::{Fleet, Remote};
use crate::wiring::{Common, MetalSettings, SystemClock};
use crate::worktree;
use ::plan::{Plan, Unknown};
use gitops::FileChange;
use model::request::Done;
use model::{Clock as _, ClusterId, Have, Sink, SinkError, Tree, Want};
use render::{Edited, Impact, Settled};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Output files are some kilobytes; what is larger is not compared line by line.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Of a folder, else of the remote that is named, else of the folder here.
pub(crate) async fn plan(dir: Option<&Path>, repo: &RepoArgs, access: &AccessArgs) -> anyhow::Result<Report> {
    let dir = match (dir, &repo.repo) {
        (Some(dir), _) => dir,
        (None, None) => Path::new("."),
        (None, Some(_)) => {
            let mut remote = Remote::with_metal("plan", repo, access)?;
            return Ok(Report::of(remote.engine.plan().await?));
        }
    };
    let mut fleet = Fleet::of(worktree::tree(dir)?);
    of_folder(&mut fleet).await
}

/// What metal-api says against a cluster stops it in `fleet`, too.
pub(super) async fn of_folder(fleet: &mut Fleet) -> anyhow::Result<Report> {
    let Fleet { tree, want, findings } = fleet;
    let now = SystemClock.now();
    let have = match want.fleet.as_deref() {
        None => Have::default(),
        Some(fleet) => {
            let metal = MetalSettings::new(None)?.client(fleet.spec.metal.credentials.as_str())?;
            metal_api::gather(&*metal, &want.projects(), now, metal_api::GATHER_DEADLINE).await
        }
    };
    let from_metal = fleet::placed(fleet::metal_findings(want, &have, now), tree);
    gitops::block(want, &from_metal);
    findings.extend(from_metal);
    let attempt = Common::new(gitops::Options::CLAIM_TIME, PathBuf::new())?.attempt;
    // A folder has no history: clusters that it does not know make their project suspect.
    let plan = ::plan::plan(want, &have, &Unknown::default().setting(&attempt, now));
    let Pending { files, impacts, obstructed } = Pending::of(want, &plan, tree)?;
    let mut unknown = not_in_a_folder(&plan);
    unknown.extend(obstructed);
    Ok(Report { tip: None, plan, files, impacts, findings: findings.clone(), unknown })
}

/// What only the history, another process or a management cluster could tell, where it matters.
fn not_in_a_folder(plan: &Plan) -> Vec<String> {
    let mut unknown = Vec::new();
    if !plan.deletions.is_empty() {
        unknown.push(
            "a folder does not say since when a deletion is in its phase, and management clusters are not asked: what it \
             waits for may be over; use --repo"
                .to_owned(),
        );
    }
    if !plan.suspect.is_empty() {
        unknown.push(
            "a folder has no history: clusters that were deleted look like those of another fleet, and what people \
             acknowledged is not known; use --repo"
                .to_owned(),
        );
    }
    unknown
}

/// What a commit would change with what is known now.
#[derive(Default)]
struct Pending {
    files: Vec<FileChange>,
    impacts: BTreeMap<ClusterId, Vec<Impact>>,
    obstructed: Vec<String>,
}

impl Pending {
    fn of(want: &Want, plan: &Plan, tree: &Tree) -> anyhow::Result<Self> {
        let done = Done::default();
        let (locks, endings) = (::plan::settle(want, plan, &done), ::plan::endings(want, plan, &done));
        let mut changes = Changes { tree, changed: BTreeMap::new() };
        let settled = Settled { locks: &locks, endings: &endings };
        let edited = render::edit(want, settled, tree, tree, &mut render::Memo::default(), &mut changes)?;
        let Edited { impacts, obstructed, .. } = edited;
        let in_the_way = |(cluster, path): (&ClusterId, &String)| {
            format!("{path} lies where the output of {cluster} must be written; move it away")
        };
        let obstructed = obstructed.iter().map(in_the_way).collect();
        Ok(Self { files: changes.changed.into_values().collect(), impacts, obstructed })
    }
}

/// Notes which files would change.
struct Changes<'a> {
    tree: &'a Tree,
    changed: BTreeMap<String, FileChange>,
}

impl Changes<'_> {
    fn before(&self, path: &str) -> Option<Vec<u8>> {
        let entry = self.tree.entry(path)?;
        Some(self.tree.read(&entry.id, FILE_BYTES_MAX).unwrap_or_default())
    }

    fn note(&mut self, path: &str, after: Option<Vec<u8>>) {
        let change = FileChange { path: path.to_owned(), before: self.before(path), after };
        self.changed.insert(path.to_owned(), change);
    }
}

impl Sink for Changes<'_> {
    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), SinkError> {
        let id = model::digest::blob_id(bytes);
        if self.tree.entry(path).is_none_or(|entry| entry.id != id) {
            self.note(path, Some(bytes.to_owned()));
        }
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), SinkError> {
        if self.tree.entry(path).is_some() {
            self.note(path, None);
        }
        Ok(())
    }
}
