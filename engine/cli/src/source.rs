//! Where reading commands read a fleet from: a work tree, or a branch of a remote, which goes through the cache.

mod planned;
mod remote;
mod standing;

pub(crate) use planned::plan;
pub(crate) use remote::Remote;
pub(crate) use standing::{Standing, standing};

use crate::args::RepoArgs;
use crate::exit::Usage;
use crate::wiring::{self, Common, FleetSettings, SystemClock};
use crate::{words, worktree};
use fleet::Loaded;
use model::{Clock as _, ClusterId, Finding, Tree, Want, Wanted};
use std::path::Path;
use std::sync::Arc;

/// A fleet as its documents say, offline.
pub(crate) struct Fleet {
    pub(crate) tree: Tree,
    pub(crate) want: Want,
    pub(crate) findings: Vec<Finding>,
}

impl Fleet {
    /// Of a folder, else of the remote that is named, else of the folder here.
    pub(crate) fn read(dir: Option<&Path>, repo: &RepoArgs) -> anyhow::Result<Self> {
        match (dir, &repo.repo) {
            (Some(dir), _) => Ok(Self::of(worktree::tree(dir)?)),
            (None, Some(url)) => crate::commands::block_on(of_repository(url, repo)),
            (None, None) => Ok(Self::of(worktree::tree(Path::new("."))?)),
        }
    }

    /// Judged together with what is rendered from it: a patch or an image that cannot be is a finding of its line.
    pub(crate) fn of(tree: Tree) -> Self {
        let Loaded { mut want, mut findings } = fleet::load(&tree, &mut fleet::Memo::default(), SystemClock.now());
        findings.extend(fleet::placed(render::judge(&mut want, &mut render::Judged::default()), &tree));
        Self { tree, want, findings }
    }

    /// The clusters that were asked for: all, or the one of a name.
    pub(crate) fn chosen(&self, name: Option<&str>) -> Result<Vec<&Wanted>, Usage> {
        match name {
            None => Ok(self.want.clusters.values().collect()),
            Some(name) => Ok(vec![self.cluster(name)?]),
        }
    }

    /// The cluster of a name: `<name>`, or `<namespace>.<name>`.
    pub(crate) fn cluster(&self, name: &str) -> Result<&Wanted, Usage> {
        let is_named = |id: &ClusterId| id.to_string() == name || id.name().as_str() == name;
        let mut found = self.want.clusters.values().filter(|w| is_named(&w.id));
        let ids: Vec<_> = self.want.clusters.keys().map(ToString::to_string).collect();
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => {
                let same: Vec<_> = ids.iter().filter(|id| id.ends_with(&format!(".{name}"))).cloned().collect();
                Err(Usage::new(
                    format!("several clusters are named {name}"),
                    format!("take one of {}", same.join(", ")),
                ))
            }
            (None, _) => {
                let names = self.want.clusters.keys().map(|id| id.name().as_str());
                let near = words::nearest(name, names.chain(ids.iter().map(String::as_str)));
                let known = if near.is_empty() { ids.iter().map(String::as_str).collect() } else { near };
                let hint = words::hint(name, known, "`ferrofleet validate` says what is there");
                Err(Usage::new(format!("there is no cluster {name} with a readable definition"), hint))
            }
        }
    }

    /// Findings of severity error that stop any of these clusters, or all of them.
    pub(crate) fn errors<'a>(&'a self, chosen: &'a [&Wanted]) -> impl Iterator<Item = &'a Finding> {
        let concerns = |f: &Finding| f.cluster.as_ref().is_none_or(|id| chosen.iter().any(|w| w.id == *id));
        self.findings.iter().filter(move |f| f.is_error() && concerns(f))
    }
}

/// As the engine reads it: also where the output has a branch or a repository of its own.
async fn of_repository(url: &str, args: &RepoArgs) -> anyhow::Result<Fleet> {
    let settings = FleetSettings::of(url, args)?;
    let common = Common::new(gitops::Options::CLAIM_TIME, wiring::cache_dir(args.cache_dir.clone()))?;
    let observe = Arc::new(metal_api::Unobserved);
    let mut engine = wiring::engine(&settings, &common, gitops::Metals::new(), observe)?;
    let gitops::Read { tree, want, findings } = engine.read().await?;
    Ok(Fleet { tree, want, findings })
}
