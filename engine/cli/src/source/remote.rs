//! The branch of a remote with its history, for commands that only a remote can answer.

use crate::args::{AccessArgs, RepoArgs};
use crate::exit::Usage;
use crate::wiring::{self, Common, FleetSettings, MetalSettings};
use gitops::Engine;
use metal_api::HttpMetal;
use std::sync::Arc;

/// An engine for looks, and for what a person asks for.
pub(crate) struct Remote {
    pub(crate) engine: Engine<HttpMetal>,
    /// Whether a metal-api is configured.
    pub(crate) has_metal: bool,
}

impl Remote {
    /// Nothing is asked yet. Without a configured metal-api only what Git says can be known.
    pub(crate) fn open(command: &str, repo: &RepoArgs, access: &AccessArgs) -> anyhow::Result<Self> {
        let Some(url) = &repo.repo else {
            let what = format!("`{command}` looks at a branch and its history, and no repository is named");
            return Err(Usage::new(what, "use --repo URL, or set FERROFLEET_REPO").into());
        };
        let mut common = Common::new(gitops::Options::CLAIM_TIME, wiring::cache_dir(repo.cache_dir.clone()))?;
        common.access = Arc::new(access.doors(None));
        let settings = MetalSettings::new(None)?;
        let has_metal = !settings.is_empty();
        let metals = if has_metal { settings.clients(common.claim_time)? } else { gitops::Metals::new() };
        let fleet = FleetSettings::of(url, repo)?;
        let engine = wiring::engine(&fleet, &common, metals, Arc::new(metal_api::Unobserved))?;
        Ok(Self { engine, has_metal })
    }

    /// With a metal-api, without which the command makes no sense.
    pub(crate) fn with_metal(command: &str, repo: &RepoArgs, access: &AccessArgs) -> anyhow::Result<Self> {
        let remote = Self::open(command, repo, access)?;
        if remote.has_metal { Ok(remote) } else { Err(wiring::none_named().into()) }
    }
}
