//! Output on a branch of its own, or in another repository: the place, and one edit as two commits.
//!
//! The lock's commit lands first: no file ever names a value that no lock names (I1). Each names the other by trailer:
//! the lock's commit the place, the output's commit the lock's commit it was made from.

use crate::draft::Changes;
use crate::engine::Engine;
use crate::error::RunError;
use crate::history::{History, Holds};
use crate::remote::Remote;
use crate::view::{Before, OutputAt, Side, output_side};
use git::{Draft, Expect, Oid, Repo, Worker};
use metal_api::Metal;
use model::fleet::OutputSettings;
use model::{Sink, SinkError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

/// The repositories that output may go to, as `Fleet.output.repo` writes them. A fleet repository alone cannot send the
/// engine's credentials anywhere.
pub type Outputs = BTreeMap<String, Worker>;

/// Where the output goes when it does not go beside the definitions.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) remote: Remote,
    is_beside: bool,
    /// For people and trailers: branch and, where it is another one, repository.
    pub(crate) name: String,
    /// Whose output it is.
    pub(crate) fleet: String,
}

impl Place {
    /// Whether a look at the definitions' refs can ask for this one too.
    pub(crate) fn is_beside(&self) -> bool {
        self.is_beside
    }
}

/// Whether a path is output, which goes to the place.
pub(crate) fn is_output(path: &str) -> bool {
    ["rendered/", "gitops/argocd/", "gitops/flux/"].iter().any(|folder| path.starts_with(folder))
}

/// Takes the files of one edit, each to the commit it belongs to.
#[derive(Debug)]
pub(crate) struct Sinks {
    pub(crate) definitions: Draft,
    /// None where the output goes beside the definitions.
    pub(crate) output: Option<Draft>,
    /// What was put and removed, where somebody wants to see it.
    bytes: Option<Changes>,
}

impl Sinks {
    pub(crate) fn new(definitions: Draft, output: Option<Draft>, keeps_bytes: bool) -> Self {
        Self { definitions, output, bytes: keeps_bytes.then(Changes::new) }
    }

    /// What differs from what the drafts are made on; empty where bytes were not kept.
    pub(crate) fn into_changes(self) -> Changes {
        let paths: BTreeSet<&str> = self.definitions.paths().chain(self.output.iter().flat_map(Draft::paths)).collect();
        let mut changes = self.bytes.unwrap_or_default();
        changes.retain(|path, _| paths.contains(path.as_str()));
        changes
    }

    fn of(&mut self, path: &str) -> &mut Draft {
        match &mut self.output {
            Some(output) if is_output(path) => output,
            Some(_) | None => &mut self.definitions,
        }
    }
}

impl Sink for Sinks {
    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), SinkError> {
        if let Some(kept) = &mut self.bytes {
            kept.insert(path.to_owned(), Some(bytes.to_vec()));
        }
        self.of(path).put(path, bytes)
    }

    fn remove(&mut self, path: &str) -> Result<(), SinkError> {
        if let Some(kept) = &mut self.bytes {
            kept.insert(path.to_owned(), None);
        }
        self.of(path).remove(path)
    }
}

/// What the branch is to be when it is pushed to.
pub(crate) fn expected(tip: Option<Oid>) -> Expect {
    tip.map_or(Expect::Absent, Expect::Id)
}

/// A draft on what is there, or of the branch's first commit.
pub(crate) fn draft(repo: &Repo, tip: Option<Oid>) -> Draft {
    tip.map_or_else(|| repo.draft_root(), |tip| repo.draft(tip))
}

impl<M: Metal + 'static> Engine<M> {
    /// Where the tip's fleet wants its output; None beside the definitions.
    pub(crate) async fn place(&mut self, tip: Oid) -> Result<Option<Place>, RunError> {
        if let Some((_, place)) = self.placed.as_ref().filter(|(of, _)| *of == tip) {
            return Ok(place.clone());
        }
        let memory = self.memory.clone();
        let fleet = self.remote.call(move |repo| {
            repo.fetch(tip)?;
            let tree = repo.tree(tip)?;
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(fleet::settings(&tree, &mut memory.load))
        });
        let place = match fleet.await? {
            None => None,
            Some(fleet) => {
                self.fleet = fleet.metadata.name.to_string();
                self.memory.lock().unwrap_or_else(PoisonError::into_inner).history.belongs_to(&self.fleet);
                self.place_of(&fleet.spec.output, &self.fleet)?
            }
        };
        let of = |place: &Option<Place>| place.as_ref().map(|place| (place.name.clone(), place.fleet.clone()));
        if self.placed.as_ref().is_none_or(|(_, before)| of(before) != of(&place)) {
            let name = place.as_ref().map(|place| place.fleet.clone()).unwrap_or_default();
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.output_history = History::of(Holds::Output(name));
        }
        self.placed = Some((tip, place.clone()));
        Ok(place)
    }

    /// None beside the definitions.
    fn place_of(&self, settings: &OutputSettings, fleet: &str) -> Result<Option<Place>, RunError> {
        let own = self.options.branch.as_str();
        let branch = settings.branch.as_deref().unwrap_or(own);
        let is_beside = settings.repo.is_none();
        let is_inside = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
        if branch.starts_with(CLAIMS) || (is_beside && (is_inside(branch, own) || is_inside(own, branch))) {
            return Err(RunError::OutputBranch { branch: branch.to_owned(), own: own.to_owned() });
        }
        let (remote, name) = match &settings.repo {
            None if branch == own => return Ok(None),
            None => (self.remote.beside(branch), format!("branch {branch}")),
            Some(repo) => {
                let shown = without_credentials(repo);
                let worker = self.outputs.get(repo).ok_or_else(|| RunError::OutputNotConfigured {
                    repo: shown.clone(),
                    known: self.outputs.keys().map(|url| without_credentials(url)).collect::<Vec<_>>().join(", "),
                })?;
                (Remote::new(worker.clone(), branch), format!("branch {branch}{OF}{shown}"))
            }
        };
        Ok(Some(Place { remote, is_beside, name, fleet: fleet.to_owned() }))
    }

    /// The place with a name that a trailer has.
    fn place_named(&self, name: &str, fleet: &str) -> Option<Place> {
        let (branch, repo) = match name.split_once(OF) {
            Some((branch, repo)) => (branch, Some(repo)),
            None => (name, None),
        };
        let repo = match repo {
            None => None,
            Some(shown) => Some(self.outputs.keys().find(|url| without_credentials(url) == shown)?.clone()),
        };
        let branch = branch.strip_prefix("branch ")?.to_owned();
        let settings = OutputSettings { repo, branch: Some(branch), ..OutputSettings::default() };
        self.place_of(&settings, fleet).ok().flatten()
    }

    /// Where the output is that R1 keeps from: where it goes now, or the place that it moves away from. `output` is the
    /// output's own branch as it was read.
    pub(crate) async fn before(&self, tip: Oid, output: Option<&(OutputAt, Option<Side>)>) -> Result<Found, RunError> {
        let newest_there = output.and_then(|(_, side)| side.as_ref()?.newest.clone());
        let (memory, now_at) = (self.memory.clone(), newest_there.as_ref().and_then(|commit| commit.says.source));
        let known = self.remote.call(move |repo| {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.history.advance(repo, tip)?;
            let newest = memory.history.newest.clone();
            let is_known = now_at.map_or(Ok(true), |source| repo.is_ancestor(source, tip))?;
            // Output that was made from the newest locks, or from later definitions, is where it should be.
            let is_current = match (&newest, now_at) {
                (Some(newest), Some(source)) => is_known && repo.is_ancestor(newest.id, source)?,
                _ => false,
            };
            Ok((newest, memory.history.acknowledged(), is_known, is_current))
        });
        let (newest, acknowledged, is_known, is_current) = known.await?;
        // Output of definitions that this tip does not know: either the tip is behind, or history was rewritten.
        if !is_known && self.remote.tip().await? != Some(tip) {
            return Err(RunError::Behind);
        }
        let here = output.map(|(at, _)| (at.place.name.clone(), at.tip));
        let is_accepted = |place: &str| acknowledged.contains(&format!("OutputLost {place}"));
        let accepted = here.as_ref().is_some_and(|(place, _)| is_accepted(place));
        let found =
            |before, says: &Option<Said>| Found { before, lost: None, accepted, says: says.clone(), record: false };
        let Some(newest) = newest else { return Ok(found(Before::Here, &here)) };
        let said = newest.says.output.map(|output| (output.place, output.at)).filter(|(place, _)| place != BESIDE);
        let lost = |place: &str| {
            let lost = (!is_accepted(place)).then(|| place.to_owned());
            Found { lost, ..found(Before::Nowhere, &here) }
        };
        let place = |said: &Option<Said>| said.as_ref().map(|(place, _)| place.clone());
        if place(&said) == place(&here) {
            let Some(((at, _), (here_name, _))) = output.zip(here.as_ref()) else {
                return Ok(found(Before::Here, &here));
            };
            // What was there when the newest locks were committed must still be there, or below what is.
            let noted = said.and_then(|(_, at)| at);
            return Ok(match noted {
                Some(noted) if !holds(at, noted).await? => lost(here_name),
                None if is_current => Found { record: true, ..found(Before::Here, &here) },
                Some(_) | None => found(Before::Here, &here),
            });
        }
        if is_current {
            return Ok(Found { record: true, ..found(Before::Here, &here) });
        }
        // It moves. Until it has arrived, locks go on naming where it was; beside the definitions it arrives with them.
        let beside = Some((BESIDE.to_owned(), None));
        let says = if here.is_none() { &beside } else { &said };
        let Some((before, at)) = &said else { return Ok(found(Before::Beside, says)) };
        let Some(place) = self.place_named(before, &self.fleet) else { return Ok(lost(before)) };
        Ok(match self.side_of(&place, self.fleet.clone()).await? {
            // Beside the definitions it must be said, also where the same output lies there already.
            Some(side) if side.newest.is_some() => {
                Found { record: here.is_none(), ..found(Before::At(Box::new(side)), says) }
            }
            // Nothing had been written there.
            _ if at.is_none() => found(Before::Nowhere, &here),
            _ => lost(before),
        })
    }

    /// What another place than the present one holds; read anew, which happens only while the output moves.
    async fn side_of(&self, place: &Place, fleet: String) -> Result<Option<Side>, RunError> {
        let Some(tip) = place.remote.tip().await? else { return Ok(None) };
        let full_ref = place.remote.branch_ref();
        let mut history = History::of(Holds::Output(fleet));
        let side = place.remote.call(move |repo| output_side(repo, &full_ref, &mut history, tip));
        Ok(Some(side.await?))
    }
}

/// Branches of this name are claims where a server refuses other refs.
const CLAIMS: &str = "ferrofleet-claim/";

/// Whether the output's branch has a commit in its history.
async fn holds(at: &OutputAt, noted: Oid) -> Result<bool, RunError> {
    let Some(tip) = at.tip else { return Ok(false) };
    Ok(at.place.remote.call(move |repo| repo.is_ancestor(noted, tip)).await?)
}

/// What a commit says whose output lies beside the definitions again.
const BESIDE: &str = "beside the definitions";

/// Between branch and repository in the name of a place.
const OF: &str = " of ";

/// What a commit of locks says of the output: where it is, and at what.
pub(crate) type Said = (String, Option<Oid>);

/// Where the output is that R1 keeps from.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) before: Before,
    /// The place that should hold it and does not.
    pub(crate) lost: Option<String>,
    /// A person said that lost output may be rendered anew.
    pub(crate) accepted: bool,
    /// What the next commit of locks says.
    pub(crate) says: Option<Said>,
    /// The output has arrived at another place than the locks say: a commit must say so, whatever else it changes.
    pub(crate) record: bool,
}

/// A URL for people and trailers: without user, password and query (I7).
fn without_credentials(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            if path.is_empty() { format!("{scheme}://{host}") } else { format!("{scheme}://{host}/{path}") }
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i7_a_url_is_shown_without_what_could_be_a_secret() {
        for (url, shown) in [
            ("https://bot:hunter2@git.example.com/x.git", "https://git.example.com/x.git"),
            ("https://git.example.com/x.git?private_token=hunter2", "https://git.example.com/x.git"),
            ("ssh://git@git.example.com", "ssh://git.example.com"),
            ("/srv/output.git", "/srv/output.git"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }
}
