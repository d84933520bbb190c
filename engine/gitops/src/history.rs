//! What a branch's history says: the last engine commit, which clusters there ever were, what people answered, what was
//! freed. A person's `git pull` may put the engine's newer commit behind a second parent, so the whole history counts,
//! not only first parents.

use crate::answer::Answers;
use crate::message::{Trailers, trailers};
use git::{CommitInfo, Oid, Repo};
use model::{BlobId, ClusterId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Bounds a walk over a history that this process has not seen before.
const COMMITS_MAX: usize = 100_000;

/// `limits.freesPerHour` counts over this.
const HOUR_SECONDS: i64 = 3600;

/// So far a clock may be ahead of ours and be believed.
const AHEAD_SECONDS: i64 = 24 * HOUR_SECONDS;

/// What a branch holds for the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Definitions and locks, and the output where it has no branch of its own. Of the fleet with this name; empty while
    /// nobody could read it.
    Definitions(String),
    /// The output alone, of the fleet with this name.
    Output(String),
}

impl Holds {
    /// Whether an engine made this commit here. One with another parent is somebody's copy, by cherry-pick or squash.
    fn is_engines(&self, commit: &CommitInfo, trailers: &Trailers) -> bool {
        let parent = commit.parents.first().copied();
        match self {
            Self::Definitions(_) => parent.is_some() && parent == trailers.source,
            Self::Output(_) => trailers.parent == Some(parent),
        }
    }

    fn is_own(&self, trailers: &Trailers) -> bool {
        match self {
            // Engines did not always say whose a commit of definitions is.
            Self::Definitions(fleet) => trailers.fleet.as_ref().is_none_or(|name| name == fleet || fleet.is_empty()),
            Self::Output(fleet) => trailers.fleet.as_ref() == Some(fleet),
        }
    }
}

/// Read once, then continued from the tip that was seen last.
#[derive(Clone, Debug)]
pub(crate) struct History {
    holds: Holds,
    seen: Option<Oid>,
    /// The newest commit that an engine made on this branch for this fleet.
    pub(crate) newest: Option<EngineCommit>,
    /// The newest engine commit is another fleet's.
    pub(crate) taken_by: Option<String>,
    /// Clusters that engine commits name: their locks landed.
    pub(crate) clusters: BTreeSet<ClusterId>,
    /// What people said that is not over.
    pub(crate) answers: Answers,
    pub(crate) freed: Freed,
    /// The newest engine commit that this process or its cache ever saw here.
    latest: Option<Oid>,
    /// When the phase of a lock with these bytes, or its tombstone, was committed.
    pub(crate) phases: BTreeMap<BlobId, i64>,
    /// The files of a cluster's output, and since when they are so.
    pub(crate) outputs: BTreeMap<ClusterId, (Vec<BlobId>, i64)>,
    /// Of clusters without a definition, as of a tip.
    last_words: BTreeMap<ClusterId, (Oid, LastWords)>,
}

/// When how many resources were freed that count against the fleet's budget.
#[derive(Clone, Debug, Default)]
pub(crate) struct Freed(Vec<(i64, u32)>);

impl Freed {
    /// A clock that is ahead of ours counts, too; one that is wrong by years must not use up the budget for years.
    pub(crate) fn within_hour(&self, now: Timestamp) -> u32 {
        let age = |at: &i64| now.as_second().saturating_sub(*at);
        let recent = self.0.iter().filter(|(at, _)| (-AHEAD_SECONDS..HOUR_SECONDS).contains(&age(at)));
        recent.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

/// A commit by an engine.
#[derive(Clone, Debug)]
pub(crate) struct EngineCommit {
    pub(crate) id: Oid,
    pub(crate) says: Trailers,
}

impl History {
    pub(crate) fn of(holds: Holds) -> Self {
        Self {
            holds,
            seen: None,
            newest: None,
            taken_by: None,
            clusters: BTreeSet::new(),
            answers: Answers::default(),
            freed: Freed::default(),
            latest: None,
            phases: BTreeMap::new(),
            outputs: BTreeMap::new(),
            last_words: BTreeMap::new(),
        }
    }

    /// Whose commits count. Another fleet's on the same branch (a copy of its repository) are nobody's.
    pub(crate) fn belongs_to(&mut self, fleet: &str) {
        let holds = match &self.holds {
            Holds::Definitions(_) => Holds::Definitions(fleet.to_owned()),
            Holds::Output(_) => Holds::Output(fleet.to_owned()),
        };
        if holds != self.holds {
            *self = Self { latest: self.latest, ..Self::of(holds) };
        }
    }

    /// What an engine of this fleet says in a commit here; None for anybody else's.
    pub(crate) fn engines(&self, commit: &CommitInfo) -> Option<Trailers> {
        trailers(&commit.message).filter(|says| self.holds.is_engines(commit, says) && self.holds.is_own(says))
    }

    /// Reads what is new since the tip that was seen last.
    pub(crate) fn advance(&mut self, repo: &Repo, tip: Oid) -> Result<(), git::Error> {
        if self.seen == Some(tip) {
            return Ok(());
        }
        // A rewritten history does not hold what was seen: then only what it holds itself counts.
        let continued = self.seen.map_or(Ok(false), |seen| repo.is_ancestor(seen, tip))?;
        if !continued {
            let clusters = std::mem::take(&mut self.clusters);
            *self = Self { clusters, latest: self.latest, ..Self::of(self.holds.clone()) };
        }
        // Parents before their children: what is said later counts.
        for commit in repo.since(tip, self.seen, COMMITS_MAX)?.into_iter().rev() {
            self.read(repo, &commit)?;
        }
        self.seen = Some(tip);
        Ok(())
    }

    fn read(&mut self, repo: &Repo, commit: &CommitInfo) -> Result<(), git::Error> {
        let engines = trailers(&commit.message).filter(|says| self.holds.is_engines(commit, says));
        let Some(says) = engines else { return self.read_answers(repo, commit) };
        if !self.holds.is_own(&says) {
            self.taken_by = Some(says.fleet.unwrap_or_default());
            return Ok(());
        }
        self.clusters.extend(says.clusters.iter().cloned());
        self.answers.end(&says.ended);
        let freed = says.freed.iter().filter(|freed| freed.is_deletion).count();
        if freed > 0 {
            self.freed.0.push((commit.committer_time, u32::try_from(freed).unwrap_or(u32::MAX)));
        }
        self.taken_by = None;
        self.newest = Some(EngineCommit { id: commit.id, says });
        Ok(())
    }

    /// People answer by a commit that changes nothing.
    fn read_answers(&mut self, repo: &Repo, commit: &CommitInfo) -> Result<(), git::Error> {
        if Answers::are_in(&commit.message)
            && let Some(parent) = commit.parents.first()
            && repo.commit_info(*parent)?.tree == commit.tree
        {
            self.answers.add(commit);
        }
        Ok(())
    }

    /// What people accept by name, whenever they said so.
    pub(crate) fn acknowledged(&self) -> BTreeSet<String> {
        self.answers.acknowledged()
    }

    /// The engine commit that was the newest once and is not in this tip's history. None also where one of these commits
    /// accepts that: then this tip is what counts from now on. `name` is of the note in the cache.
    pub(crate) fn missing(
        &mut self,
        repo: &Repo,
        name: &str,
        tip: Oid,
        accepted: &[Oid],
    ) -> Result<Option<Oid>, git::Error> {
        let noted = match self.latest {
            Some(latest) => Some(latest),
            None => repo.noted(name)?,
        };
        if let Some(latest) = noted
            && !repo.is_ancestor(latest, tip)?
        {
            self.latest = noted;
            // What was said before that commit was made is about something else.
            let mut is_accepted = false;
            for by in accepted {
                is_accepted |= !repo.is_ancestor(*by, latest)?;
            }
            if !is_accepted {
                return Ok(noted);
            }
        }
        self.landed(repo, name, self.newest.as_ref().map(|commit| commit.id))?;
        Ok(None)
    }

    /// Remembers the newest engine commit beyond this process.
    pub(crate) fn landed(&mut self, repo: &Repo, name: &str, newest: Option<Oid>) -> Result<(), git::Error> {
        if self.latest != newest || newest.is_none() {
            repo.note(name, newest)?;
            self.latest = newest;
        }
        Ok(())
    }
}

/// How far back definitions are looked for.
const DEFINITION_COMMITS_MAX: usize = 1_000;

/// What the last definition of a cluster said of its deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastWords {
    Confirmed,
    /// Or it was taken back.
    Unconfirmed,
    /// It was there, and cannot be resolved: nobody knows what it said.
    Unreadable,
    /// This history does not hold it.
    Unknown,
}

impl History {
    /// Of a cluster without a definition: of the one that the commit before its removal had. Each commit is looked at
    /// once.
    pub(crate) fn last_words(
        &mut self,
        repo: &Repo,
        memo: &mut fleet::Memo,
        tip: Oid,
        id: &ClusterId,
        now: Timestamp,
    ) -> Result<LastWords, git::Error> {
        let known = self.last_words.get(id).copied();
        let mut found = LastWords::Unknown;
        for commit in repo.first_parent(tip).take(DEFINITION_COMMITS_MAX) {
            let commit = commit?;
            if let Some((_, words)) = known.filter(|(at, _)| *at == commit.id) {
                found = words;
                break;
            }
            let Some(before) = commit.parents.first() else { break };
            if !repo.changed_paths(commit.id)?.iter().any(|path| is_definition(path)) {
                continue;
            }
            let want = fleet::load(&repo.tree(*before)?, memo, now).want;
            if let Some(wanted) = want.clusters.get(id) {
                let is_confirmed = wanted.effective.deletion.is_confirmed;
                found = if is_confirmed { LastWords::Confirmed } else { LastWords::Unconfirmed };
                break;
            }
            if want.orphan_locks.get(id).is_some_and(|orphan| !orphan.removed) {
                found = LastWords::Unreadable;
                break;
            }
        }
        self.last_words.insert(id.clone(), (tip, found));
        Ok(found)
    }
}

fn is_definition(path: &str) -> bool {
    path.rsplit('/').next() == Some("cluster.yaml")
}

/// Every cluster that a definition ever named, newest commits first.
pub(crate) fn defined_clusters(
    repo: &Repo,
    memo: &mut fleet::Memo,
    tip: Oid,
    now: Timestamp,
) -> Result<BTreeSet<ClusterId>, git::Error> {
    let mut known = BTreeSet::new();
    for commit in repo.first_parent(tip).take(DEFINITION_COMMITS_MAX) {
        let commit = commit?;
        if repo.changed_paths(commit.id)?.iter().any(|path| is_definition(path)) {
            let loaded = fleet::load(&repo.tree(commit.id)?, memo, now);
            known.extend(loaded.want.clusters.into_keys());
        }
    }
    Ok(known)
}
