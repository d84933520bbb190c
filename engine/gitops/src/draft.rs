//! One edit as commits in the cache: what the locks and the output come to, with messages that say why (I8).

use crate::engine::{Engine, RunError};
use crate::message::{Facts, message};
use crate::outcome::Commit;
use crate::output::{Sinks, draft};
use crate::view::View;
use git::{Draft, Oid};
use metal_api::Metal;
use model::request::Done;
use model::{ClusterId, ClusterLock, Sink};
use render::Edited;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

/// Commits in the cache, where something changes.
#[derive(Debug, Default)]
pub(crate) struct Drafted {
    pub(crate) edited: Edited,
    /// What they change.
    pub(crate) paths: Vec<String>,
    /// Locks, and output that goes beside the definitions.
    pub(crate) definitions: Option<Commit>,
    /// Output that has a branch of its own; it names the commit above.
    pub(crate) output: Option<Commit>,
}

impl<M: Metal + 'static> Engine<M> {
    /// Makes the commits in the cache; none when nothing changes (I4).
    pub(crate) async fn draft(
        &mut self,
        view: &Arc<View>,
        locks: &Arc<BTreeMap<ClusterId, ClusterLock>>,
        done: &Done,
    ) -> Result<Drafted, RunError> {
        if view.want.fleet.as_deref().is_none_or(|f| f.spec.paused) {
            return Ok(Drafted::default());
        }
        let output = match &view.output {
            None => None,
            Some(at) => {
                let tip = at.tip;
                Some(at.place.remote.call(move |repo| Ok(draft(repo, tip))).await?)
            }
        };
        let (memory, now) = (self.memory.clone(), self.clock.now());
        let made = Making { run: self.run.clone(), view: view.clone(), locks: locks.clone(), done: done.clone() };
        let draft = move |repo: &mut git::Repo| -> Result<Drafted, RunError> {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            let view = &made.view;
            let mut sinks = Sinks { definitions: repo.draft(view.tip), output };
            put_right(view, &mut sinks)?;
            let (previous, tip) = (&view.corrected, &view.tree);
            let edited = render::edit(
                &view.want,
                render::Settled::live(&made.locks),
                previous,
                tip,
                &mut memory.render,
                &mut sinks,
            )?;
            made.commits(repo, edited, sinks, now.as_second())
        };
        self.remote.call(move |repo| Ok(draft(repo))).await?
    }
}

/// What the messages are made of.
struct Making {
    run: String,
    view: Arc<View>,
    locks: Arc<BTreeMap<ClusterId, ClusterLock>>,
    done: Done,
}

impl Making {
    fn commits(&self, repo: &git::Repo, edited: Edited, sinks: Sinks, now: i64) -> Result<Drafted, RunError> {
        let Sinks { definitions, output } = sinks;
        let mut drafted = Drafted { edited, ..Drafted::default() };
        drafted.paths.extend(definitions.paths().map(str::to_owned));
        drafted.paths.extend(output.iter().flat_map(Draft::paths).map(str::to_owned));
        let output = output.filter(|draft| !draft.is_empty());
        if !definitions.is_empty() || self.view.record {
            // Elsewhere each commit names its own clusters.
            let changed = match &self.view.output {
                None => drafted.edited.changed.clone(),
                Some(_) => self.changed(&definitions, &drafted.edited),
            };
            let about = About { source: self.view.tip, parent: None, place: self.view.says.clone() };
            drafted.definitions = Some(self.commit(repo, definitions, changed, &about, now)?);
        }
        if let (Some(draft), Some(at)) = (output, &self.view.output) {
            let source = drafted.definitions.as_ref().map_or(self.view.tip, |commit| commit.id);
            let changed = self.changed(&draft, &drafted.edited);
            let about = About { source, parent: Some((at.tip, at.place.fleet.clone())), place: None };
            drafted.output = Some(self.commit(repo, draft, changed, &about, now)?);
        }
        Ok(drafted)
    }

    /// The changed clusters that a draft has files of; all of them where it has only what they share.
    fn changed(&self, draft: &Draft, edited: &Edited) -> Vec<ClusterId> {
        let folders: BTreeSet<_> = draft.paths().filter_map(|path| path.rsplit_once('/')).map(|(dir, _)| dir).collect();
        let has = |id: &&ClusterId| {
            self.view.want.clusters.get(*id).is_some_and(|wanted| {
                let lock = wanted.lock_path.rsplit_once('/').map_or("", |(dir, _)| dir);
                folders.contains(lock) || folders.contains(wanted.output_dir().as_str())
            })
        };
        let own: Vec<_> = edited.changed.iter().filter(has).cloned().collect();
        if own.is_empty() { edited.changed.clone() } else { own }
    }

    fn commit(
        &self,
        repo: &git::Repo,
        draft: Draft,
        changed: Vec<ClusterId>,
        about: &About,
        now: i64,
    ) -> Result<Commit, RunError> {
        let of = |id: &ClusterId| self.locks.get(id).map(|lock| (id.clone(), lock.clone()));
        let clusters: BTreeMap<_, _> = changed.iter().filter_map(of).collect();
        let is_new = |id: &&ClusterId| {
            let before = self.view.want.clusters.get(*id).and_then(|w| w.lock.as_deref()).map(|l| &l.values);
            before != clusters.get(*id).map(|l| &l.values)
        };
        // The output's own commit resolves nothing: the one of the locks did.
        let resolved: Vec<_> = changed.iter().filter(is_new).filter(|_| about.parent.is_none()).cloned().collect();
        let put_right: Vec<_> =
            self.view.put_right.iter().filter(|path| draft.paths().any(|p| p == *path)).cloned().collect();
        let none = Done::default();
        let facts = Facts {
            run: &self.run,
            source: about.source,
            clusters: &clusters,
            resolved: &resolved,
            done: if about.parent.is_none() { &self.done } else { &none },
            put_right: &put_right,
            parent: about.parent.as_ref().map(|(id, fleet)| (*id, fleet.as_str())),
            output: about.place.as_ref().map(|(place, at)| (place.as_str(), *at)),
        };
        let text = message(&facts);
        let title = text.lines().next().unwrap_or_default().to_owned();
        let author = author(&self.view);
        let id = if draft.is_empty() {
            repo.commit_tree_of(self.view.tip, &text, &author, now)?
        } else {
            repo.commit(draft, &text, &author, now)?
        };
        Ok(Commit { id, title, clusters: changed })
    }
}

/// What sets the two commits of one edit apart.
struct About {
    source: Oid,
    parent: Option<(Option<Oid>, String)>,
    place: Option<(String, Option<Oid>)>,
}

/// Files that a person changed and the engine owns get their bytes back.
fn put_right(view: &View, sink: &mut dyn Sink) -> Result<(), git::Error> {
    for path in view.put_right.iter().chain(&view.carried) {
        match view.corrected.entry(path) {
            Some(entry) => sink.put(path, &view.corrected.read(&entry.id, usize::MAX)?)?,
            None => sink.remove(path)?,
        }
    }
    Ok(())
}

fn author(view: &View) -> git::Author {
    let written = view.want.fleet.as_deref().and_then(|f| f.spec.commit.author.as_ref());
    let (name, email) = written.map_or(("Ferrofleet", "ferrofleet@localhost"), |a| (&a.name, &a.email));
    git::Author { name: name.to_owned(), email: email.to_owned() }
}
