//! Output on a branch of its own, or in another repository: the place, and one edit as two commits.
//!
//! The lock's commit lands first: no file ever names a value that no lock names (I1). Each names the other by trailer:
//! the lock's commit the place, the output's commit the lock's commit it was made from.

use crate::engine::{Engine, RunError};
use crate::remote::Remote;
use git::{Draft, Expect, Oid, Repo, Worker};
use metal_api::Metal;
use model::fleet::OutputSettings;
use model::{Sink, SinkError};
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// The repositories that output may go to, as `Fleet.output.repo` writes them. A fleet repository alone cannot send the
/// engine's credentials anywhere.
pub type Outputs = BTreeMap<String, Worker>;

/// Where the output goes when it does not go beside the definitions.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    settings: OutputSettings,
    pub(crate) remote: Remote,
    /// For people: branch and, where it is another one, repository.
    pub(crate) name: String,
}

impl Place {
    /// Whether a look at the definitions' refs can ask for this one too.
    pub(crate) fn is_beside(&self) -> bool {
        self.settings.repo.is_none()
    }
}

/// Whether a path is output, which goes to the place.
pub(crate) fn is_output(path: &str) -> bool {
    path.starts_with("rendered/") || path.starts_with("gitops/")
}

/// Takes the files of one edit, each to the commit it belongs to.
#[derive(Debug)]
pub(crate) struct Sinks {
    pub(crate) definitions: Draft,
    /// None where the output goes beside the definitions.
    pub(crate) output: Option<Draft>,
}

impl Sinks {
    fn of(&mut self, path: &str) -> &mut Draft {
        match &mut self.output {
            Some(output) if is_output(path) => output,
            Some(_) | None => &mut self.definitions,
        }
    }
}

impl Sink for Sinks {
    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), SinkError> {
        self.of(path).put(path, bytes)
    }

    fn remove(&mut self, path: &str) -> Result<(), SinkError> {
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
        let settings = self.remote.call(move |repo| {
            repo.fetch(tip)?;
            let tree = repo.tree(tip)?;
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(fleet::settings(&tree, &mut memory.load).map(|fleet| fleet.spec.output.clone()))
        });
        let place = self.place_of(settings.await?.unwrap_or_default())?;
        let moved = match (&place, self.placed.as_ref().and_then(|(_, before)| before.as_ref())) {
            (Some(now), Some(before)) => now.settings.repo != before.settings.repo || now.name != before.name,
            (None, None) => false,
            _ => true,
        };
        if moved {
            self.memory.lock().unwrap_or_else(PoisonError::into_inner).output_history = crate::view::output_history();
        }
        self.placed = Some((tip, place.clone()));
        Ok(place)
    }

    fn place_of(&self, settings: OutputSettings) -> Result<Option<Place>, RunError> {
        let own = self.options.branch.as_str();
        let branch = settings.branch.clone().unwrap_or_else(|| own.to_owned());
        let (remote, name) = match &settings.repo {
            None if branch == own => return Ok(None),
            None => (self.remote.beside(&branch), format!("branch {branch}")),
            Some(repo) => {
                let worker = self.outputs.get(repo).ok_or_else(|| RunError::OutputNotConfigured {
                    repo: repo.clone(),
                    known: self.outputs.keys().cloned().collect::<Vec<_>>().join(", "),
                })?;
                (Remote::new(worker.clone(), &branch), format!("branch {branch} of {repo}"))
            }
        };
        Ok(Some(Place { settings, remote, name }))
    }
}
