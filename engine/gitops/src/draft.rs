//! One edit as commits in the cache: locks and output, with the messages that say why (I8).

use crate::engine::Engine;
use crate::error::RunError;
use crate::message::{Change, Facts, Version, message};
use crate::outcome::Commit;
use crate::output::{Sinks, draft};
use crate::view::View;
use git::{Draft, Oid};
use metal_api::Metal;
use model::lock::Ending;
use model::request::{Done, Free, FreeOutcome};
use model::{ClusterId, ClusterLock, Digest, Sink};
use plan::{Plan, Said};
use render::Edited;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

/// What a pass came to, before any of it is committed.
#[derive(Clone, Debug)]
pub(crate) struct Settling {
    pub(crate) view: Arc<View>,
    pub(crate) plan: Plan,
    pub(crate) said: Said,
    pub(crate) done: Done,
    pub(crate) locks: BTreeMap<ClusterId, ClusterLock>,
    /// What is left of clusters that are being deleted.
    pub(crate) endings: BTreeMap<ClusterId, Ending>,
    /// Answers that are over already; the next commit says so.
    pub(crate) over: BTreeSet<String>,
}

impl Settling {
    pub(crate) fn of(view: Arc<View>, plan: Plan, said: Said, done: Done) -> Self {
        let locks = plan::settle(&view.want, &plan, &done);
        let endings = plan::endings(&view.want, &plan, &done);
        Self { view, plan, said, done, locks, endings, over: BTreeSet::new() }
    }

    fn change(&self, id: &ClusterId) -> Change<'_> {
        let want = &self.view.want;
        let live = want.clusters.get(id).and_then(|wanted| wanted.lock.as_deref()).map(Version::from);
        let orphan = || want.orphan_locks.get(id).map(|orphan| Version::from(&*orphan.lock));
        let tombstone = || want.tombstones.get(id).map(|(_, tombstone)| Version::from(&**tombstone));
        let before = live.or_else(orphan).or_else(tombstone);
        let after = match (self.locks.get(id), self.endings.get(id)) {
            (Some(lock), _) => Some(Version::from(lock)),
            (None, Some(Ending::Lock { lock, .. })) => Some(Version::from(&**lock)),
            (None, Some(Ending::Tombstone(tombstone))) => Some(Version::from(&**tombstone)),
            (None, Some(Ending::Nothing)) => None,
            (None, None) => before,
        };
        Change::new(before, after)
    }
}

/// Commits in the cache, where something changes.
#[derive(Debug, Default)]
pub(crate) struct Drafted {
    pub(crate) edited: Edited,
    /// Locks, and output that goes beside the definitions.
    pub(crate) definitions: Option<Commit>,
    /// Output that has a branch of its own; it names the commit above.
    pub(crate) output: Option<Commit>,
}

/// What would change, by path: the bytes after it, None for a file that goes.
pub(crate) type Changes = BTreeMap<String, Option<Vec<u8>>>;

impl<M: Metal + 'static> Engine<M> {
    /// Makes the commits in the cache; none when nothing changes (I4).
    pub(crate) async fn draft(&mut self, settling: &Arc<Settling>) -> Result<Drafted, RunError> {
        let (settling, run, now) = (settling.clone(), self.run.clone(), self.clock.now().as_second());
        let making = settling.clone();
        let commits = move |repo: &git::Repo, edited: Edited, sinks: Sinks| {
            Making { run: &run, settling: &making, now }.commits(repo, edited, sinks)
        };
        let drafted = self.edited(&settling, false, commits).await?;
        Ok(drafted.unwrap_or_default())
    }

    /// What the commits would change, and what that does to machines.
    pub(crate) async fn changes(&mut self, settling: &Arc<Settling>) -> Result<(Edited, Changes), RunError> {
        let changes = |_: &git::Repo, edited: Edited, sinks: Sinks| Ok((edited, sinks.into_changes()));
        let found = self.edited(settling, true, changes).await?;
        Ok(found.unwrap_or_default())
    }

    /// The edit, and what is made of it; None while the whole fleet is paused.
    async fn edited<R: Send + 'static>(
        &mut self,
        settling: &Arc<Settling>,
        keeps_bytes: bool,
        make: impl FnOnce(&git::Repo, Edited, Sinks) -> Result<R, RunError> + Send + 'static,
    ) -> Result<Option<R>, RunError> {
        let view = &settling.view;
        if view.want.fleet.as_deref().is_none_or(|f| f.spec.paused) {
            return Ok(None);
        }
        let output = match &view.output {
            None => None,
            Some(at) => {
                let tip = at.tip;
                Some(at.place.remote.call(move |repo| Ok(draft(repo, tip))).await?)
            }
        };
        let (memory, settling) = (self.memory.clone(), settling.clone());
        let work = move |repo: &mut git::Repo| -> Result<R, RunError> {
            let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            let Settling { view, locks, endings, .. } = &*settling;
            let mut sinks = Sinks::new(repo.draft(view.tip), output, keeps_bytes);
            put_right(view, &mut sinks)?;
            let edited = render::edit(
                &view.want,
                render::Settled { locks, endings },
                &view.corrected,
                &view.tree,
                &mut memory.render,
                &mut sinks,
            )?;
            make(repo, edited, sinks)
        };
        self.remote.call(move |repo| Ok(work(repo))).await?.map(Some)
    }
}

/// What the messages are made of.
struct Making<'a> {
    run: &'a str,
    settling: &'a Settling,
    now: i64,
}

impl Making<'_> {
    fn commits(&self, repo: &git::Repo, edited: Edited, sinks: Sinks) -> Result<Drafted, RunError> {
        let Sinks { definitions, output, .. } = sinks;
        let view = &self.settling.view;
        let mut drafted = Drafted { edited, ..Drafted::default() };
        let output = output.filter(|draft| !draft.is_empty());
        // What counts against the budget is in Git, also where no file names it (I8, R16).
        let done = &self.settling.done;
        let is_counted =
            |(free, outcome): &(Free, FreeOutcome)| *outcome == FreeOutcome::Freed && free.why.is_counted();
        let frees = done.frees.iter().any(is_counted);
        if !definitions.is_empty() || view.record || frees {
            // Elsewhere each commit names its own clusters.
            let changed = match &view.output {
                None => drafted.edited.changed.clone(),
                Some(_) => self.changed(&definitions, &drafted.edited),
            };
            let about = About { source: view.tip, parent: None, place: view.says.clone() };
            drafted.definitions = Some(self.commit(repo, definitions, changed, &about)?);
        }
        if let (Some(draft), Some(at)) = (output, &view.output) {
            let source = drafted.definitions.as_ref().map_or(view.tip, |commit| commit.id);
            let changed = self.changed(&draft, &drafted.edited);
            let about = About { source, parent: Some(at.tip), place: None };
            drafted.output = Some(self.commit(repo, draft, changed, &about)?);
        }
        Ok(drafted)
    }

    /// The changed clusters that a draft has files of; all of them where it has only what they share.
    fn changed(&self, draft: &Draft, edited: &Edited) -> Vec<ClusterId> {
        let want = &self.settling.view.want;
        let folders: BTreeSet<_> = draft.paths().filter_map(|path| path.rsplit_once('/')).map(|(dir, _)| dir).collect();
        let paths: BTreeSet<_> = draft.paths().collect();
        let folder = |path: &str| folders.contains(path.rsplit_once('/').map_or("", |(dir, _)| dir));
        let has = |id: &&ClusterId| {
            let live = want.clusters.get(*id);
            let orphan = want.orphan_locks.get(*id);
            let identity = live.map(|w| &w.identity).or_else(|| orphan.map(|orphan| &orphan.lock.identity));
            let output = identity.map(|i| format!("rendered/{}/{}/{}", i.management_cluster, i.namespace, i.name));
            live.is_some_and(|wanted| folder(&wanted.lock_path))
                || orphan.is_some_and(|orphan| folder(&orphan.path))
                || output.is_some_and(|dir| folders.contains(dir.as_str()))
                || want.tombstones.get(*id).is_some_and(|(path, _)| paths.contains(path.as_str()))
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
    ) -> Result<Commit, RunError> {
        let Settling { view, plan, said, done, over, .. } = self.settling;
        let clusters: BTreeMap<_, _> = changed.iter().map(|id| (id.clone(), self.settling.change(id))).collect();
        let put_right: Vec<_> =
            view.put_right.iter().filter(|path| draft.paths().any(|p| p == *path)).cloned().collect();
        // The output's own commit frees and ends nothing: the one of the locks did.
        let is_of_locks = about.parent.is_none();
        let none = Done::default();
        let mut ended = BTreeSet::new();
        if is_of_locks {
            ended = crate::answer::ended(said, plan, &clusters);
            ended.extend(over.iter().cloned());
        }
        let fleet = view.want.fleet.as_deref();
        let plan = Digest::of(&plan.view());
        let facts = Facts {
            run: self.run,
            fleet: fleet.map_or("", |fleet| fleet.metadata.name.as_str()),
            template: fleet.and_then(|fleet| fleet.spec.commit.message.as_deref()),
            source: about.source,
            clusters: &clusters,
            done: if is_of_locks { done } else { &none },
            put_right: &put_right,
            parent: about.parent,
            output: about.place.as_ref().map(|(place, at)| (place.as_str(), *at)),
            said,
            held: if is_of_locks { &view.held } else { &view.held_output },
            ended: &ended,
            plan: Some(&plan),
        };
        let text = message(&facts);
        let title = text.lines().next().unwrap_or_default().to_owned();
        let author = author(view);
        let id = if draft.is_empty() {
            repo.commit_tree_of(view.tip, &text, &author, self.now)?
        } else {
            repo.commit(draft, &text, &author, self.now)?
        };
        Ok(Commit { id, title, clusters: changed })
    }
}

/// What sets the two commits of one edit apart.
struct About {
    source: Oid,
    /// What the output's own commit is made on.
    parent: Option<Option<Oid>>,
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

#[cfg(test)]
mod tests;
