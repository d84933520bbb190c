//! The claim: who may allocate and free for this branch right now (design, "Why one of each holds" 1). A ref on the
//! remote, taken and kept by compare-and-swap; it saves work and prevents duplicates, the fence stays the branch.

use crate::Options;
use allocate::Gate;
use git::{Expect, Oid, Push, Refusal, RefusalKind, Repo, Worker};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const TIME: &str = "Claim-Time";

/// Takes claims for one branch, on a connection and thread of its own.
#[derive(Debug)]
pub(crate) struct Claims {
    worker: Worker,
    options: Options,
    run: String,
    /// The second place, where the server refuses refs outside of heads.
    fallback: bool,
    refused: u32,
    seen: Option<Seen>,
    /// A claim whose push was begun: where the run ends within it, it may have landed.
    pending: Option<Oid>,
    author: git::Author,
}

/// The value that somebody else's claim had, since when, by our own monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Seen {
    id: Oid,
    since: Instant,
    /// As written in the claim; None until it was read.
    time: Option<Duration>,
}

/// What one look at the claim came to.
#[derive(Debug)]
pub(crate) enum Look {
    Held(Held),
    /// Somebody else holds it; look again in a second.
    Other,
    /// The server refuses such refs in both places.
    Refused(String),
}

impl Claims {
    pub(crate) fn new(worker: Worker, options: Options, run: String, author: git::Author) -> Self {
        Self { worker, options, run, fallback: false, refused: 0, seen: None, pending: None, author }
    }

    /// Tries once to take the claim.
    pub(crate) async fn look(&mut self, tip: Oid, now_seconds: i64) -> Result<Look, git::Error> {
        let name = self.name();
        let found = self.worker.call(move |repo| repo.ls_ref(&name)).await??;
        let (expect, wait_for_frees) = match found {
            None => (Expect::Absent, false),
            Some(id) => match self.expired(id).await? {
                true => (Expect::Id(id), true),
                false => return Ok(Look::Other),
            },
        };
        let began = Instant::now();
        let commit = self.commit(tip, 0, now_seconds).await?;
        self.pending = Some(commit);
        let pushed = push(&self.worker, &self.name(), commit, expect).await;
        self.pending = None;
        match pushed? {
            Pushed::Ours => {
                self.refused = 0;
                self.seen = None;
                Ok(Look::Held(self.held(tip, commit, began, wait_for_frees, now_seconds)))
            }
            Pushed::Other | Pushed::NotYet(_) => Ok(Look::Other),
            Pushed::Refused(refusal) => self.refused(&refusal),
        }
    }

    /// Deletes what a push that was cut short may have left.
    pub(crate) async fn give_up(&mut self) {
        let Some(id) = self.pending.take() else { return };
        let name = self.name();
        // The worker does one thing after the other: the push has ended when this begins.
        let deleted = self.worker.call(move |repo| repo.delete_ref(&name, id)).await;
        tracing::debug!(outcome = ?deleted, "gave up a claim whose push was cut short");
    }

    /// Where nothing may be claimed and somebody said that this engine is alone.
    pub(crate) fn alone(&self) -> Held {
        Held { state: Arc::new(State::unlimited()), keeper: None }
    }

    /// The ref that is claimed.
    pub(crate) fn name(&self) -> String {
        let prefix = if self.fallback { "refs/heads/ferrofleet-claim" } else { "refs/ferrofleet/claim" };
        format!("{prefix}/{}", self.options.branch)
    }

    /// Absent after a refusal, twice: the server refuses such refs, and the other place is tried.
    fn refused(&mut self, refusal: &Refusal) -> Result<Look, git::Error> {
        let words = refusal.words.clone();
        // A login that failed, or a server that is busy, says nothing about which refs it takes.
        if matches!(refusal.kind, RefusalKind::Auth | RefusalKind::Busy) {
            return Err(git::Error::Remote { remote: self.options.branch.clone(), words });
        }
        self.refused += 1;
        if self.refused < 2 {
            return Ok(Look::Other);
        }
        if self.fallback {
            return Ok(Look::Refused(words));
        }
        self.fallback = true;
        self.refused = 0;
        Ok(Look::Other)
    }

    /// Notes what the claim's ref was at a look that was made anyway.
    pub(crate) fn note(&mut self, found: Option<Oid>) {
        if self.seen.as_ref().map(|s| s.id) != found {
            self.seen = found.map(|id| Seen { id, since: Instant::now(), time: None });
        }
    }

    /// Somebody's claim, as it was seen last.
    pub(crate) fn others(&self) -> Option<Oid> {
        self.seen.as_ref().map(|s| s.id)
    }

    /// Deletes somebody's claim that ran out: whoever held it is gone. What is left of its time, where it did not.
    pub(crate) async fn sweep(&mut self) -> Result<Option<Duration>, git::Error> {
        let Some(Seen { id, since, .. }) = self.seen else { return Ok(None) };
        // Twice its time: whoever takes a claim over at once waits as long before it frees anything.
        let time = self.time_of(id).await? * 2;
        if let Some(left) = time.checked_sub(since.elapsed()).filter(|left| !left.is_zero()) {
            return Ok(Some(left));
        }
        let name = self.name();
        let deleted = self.worker.call(move |repo| repo.delete_ref(&name, id)).await?;
        tracing::debug!(claim = %id, outcome = ?deleted, "deleted a claim that ran out");
        self.seen = None;
        Ok(None)
    }

    /// Whether the value stood for its own written time on our monotonic clock.
    async fn expired(&mut self, id: Oid) -> Result<bool, git::Error> {
        self.note(Some(id));
        let time = self.time_of(id).await?;
        Ok(self.seen.as_ref().is_some_and(|s| s.since.elapsed() >= time))
    }

    /// The time that is written in a claim.
    async fn time_of(&mut self, id: Oid) -> Result<Duration, git::Error> {
        if let Some(Seen { time: Some(time), .. }) = self.seen {
            return Ok(time);
        }
        let name = self.name();
        let message =
            self.worker.call(move |repo| repo.fetch_ref(&name, id).and_then(|()| repo.commit_info(id))).await?;
        // Replaced while we looked: the next look sees the new one.
        let time = message.ok().and_then(|info| written_time(&info.message)).unwrap_or(self.options.claim_time);
        if let Some(seen) = &mut self.seen {
            seen.time = Some(time);
        }
        Ok(time)
    }

    async fn commit(&self, tip: Oid, counter: u64, now: i64) -> Result<Oid, git::Error> {
        let message = claim_message(&self.options, &self.run, counter);
        let author = self.author.clone();
        // A no-op where both workers share the cache.
        self.worker
            .call(move |repo| repo.fetch(tip).and_then(|()| repo.commit_tree_of(tip, &message, &author, now)))
            .await?
    }

    fn held(&self, tip: Oid, commit: Oid, began: Instant, took_over: bool, now: i64) -> Held {
        let time = self.options.claim_time;
        let state = Arc::new(State {
            limits: Some(Limits { time, no_frees_until: took_over.then(|| began + time) }),
            confirmed: Mutex::new(Some((began, commit))),
            lost: AtomicBool::new(false),
            stop: Notify::new(),
        });
        let keeper = Keeper {
            worker: self.worker.clone(),
            name: self.name(),
            tip,
            options: self.options.clone(),
            run: self.run.clone(),
            author: self.author.clone(),
            state: state.clone(),
            began,
            now,
        };
        Held {
            state,
            keeper: Some(Kept { task: tokio::spawn(keeper.run()), worker: self.worker.clone(), name: self.name() }),
        }
    }
}

fn claim_message(options: &Options, run: &str, counter: u64) -> String {
    format!(
        "Claim of {} by Ferrofleet\n\nClaim-Run: {run}\nClaim-Host: {}\nClaim-Counter: {counter}\n{TIME}: {}\n",
        options.branch,
        options.host,
        options.claim_time.as_millis(),
    )
}

/// The time written in a claim; whoever waits uses this one and not its own setting.
fn written_time(message: &str) -> Option<Duration> {
    let line = message.lines().find_map(|l| l.strip_prefix(TIME)?.strip_prefix(": "))?;
    let longest = Duration::from_secs(3600);
    line.trim().parse().ok().map(Duration::from_millis).filter(|t| *t <= longest)
}

enum Pushed {
    Ours,
    Other,
    /// It did not land and nobody else's did: try again.
    NotYet(String),
    Refused(Refusal),
}

/// Pushes a claim and settles every doubt by reading the ref.
async fn push(worker: &Worker, name: &str, commit: Oid, expect: Expect) -> Result<Pushed, git::Error> {
    let name = name.to_owned();
    worker
        .call(move |repo: &mut Repo| match repo.push_forced(commit, &name, expect) {
            Push::Landed => Ok(Pushed::Ours),
            Push::Stale { .. } => Ok(Pushed::Other),
            Push::Unknown(words) => Ok(match (repo.ls_ref(&name)?, expect) {
                (Some(found), _) if found == commit => Pushed::Ours,
                (Some(found), Expect::Id(before)) if found == before => Pushed::NotYet(words),
                (None, Expect::Absent) => Pushed::NotYet(words),
                (Some(_) | None, _) => Pushed::Other,
            }),
            Push::Refused(refusal) => match repo.ls_ref(&name)? {
                Some(found) if found == commit => Ok(Pushed::Ours),
                Some(_) => Ok(Pushed::Other),
                None => Ok(Pushed::Refused(refusal)),
            },
        })
        .await?
}

/// A claim that is ours. Released by `release`; dropped without it, it runs out by itself.
#[derive(Debug)]
pub(crate) struct Held {
    state: Arc<State>,
    keeper: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    task: JoinHandle<()>,
    worker: Worker,
    name: String,
}

impl Held {
    pub(crate) fn gate(&self) -> Arc<dyn Gate> {
        self.state.clone()
    }

    /// False for one claim time after a take-over: the one before may still be writing.
    pub(crate) fn may_free(&self) -> bool {
        let waited = |limits: &Limits| limits.no_frees_until.is_none_or(|until| Instant::now() >= until);
        self.state.is_open() && self.state.limits.as_ref().is_none_or(waited)
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// Ends renewal and deletes the ref, if it is still ours, in a push of its own.
    pub(crate) async fn release(self) {
        let Some(Kept { task, worker, name }) = self.keeper else { return };
        self.state.stop.notify_one();
        if task.await.is_err() {
            tracing::debug!("the renewal of the claim ended early");
        }
        let Some((_, id)) = self.state.take() else { return };
        let deleted = worker.call(move |repo| repo.delete_ref(&name, id)).await;
        match deleted {
            Ok(Push::Landed | Push::Stale { .. }) => {}
            other => tracing::warn!(outcome = ?other, "the claim was not deleted; it runs out by itself"),
        }
    }
}

#[derive(Debug)]
struct Limits {
    time: Duration,
    no_frees_until: Option<Instant>,
}

#[derive(Debug)]
struct State {
    /// None: alone, by a person's word.
    limits: Option<Limits>,
    /// When the push began that the remote confirmed last, and what it set.
    confirmed: Mutex<Option<(Instant, Oid)>>,
    lost: AtomicBool,
    stop: Notify,
}

impl State {
    fn unlimited() -> Self {
        Self { limits: None, confirmed: Mutex::new(None), lost: AtomicBool::new(false), stop: Notify::new() }
    }

    fn take(&self) -> Option<(Instant, Oid)> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn confirm(&self, began: Instant, id: Oid) {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = Some((began, id));
    }

    fn confirmed(&self) -> Option<(Instant, Oid)> {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for State {
    /// No write after half the time without renewal: a write takes at most a third, so none outlives the claim.
    fn is_open(&self) -> bool {
        let Some(limits) = &self.limits else { return true };
        let fresh = self.confirmed().is_some_and(|(began, _)| began.elapsed() < limits.time / 2);
        fresh && !self.lost.load(Ordering::Relaxed)
    }
}

/// Renews the claim every third of its time.
struct Keeper {
    worker: Worker,
    name: String,
    tip: Oid,
    options: Options,
    run: String,
    author: git::Author,
    state: Arc<State>,
    began: Instant,
    now: i64,
}

impl Keeper {
    async fn run(self) {
        let mut counter = 0;
        loop {
            tokio::select! {
                () = self.state.stop.notified() => return,
                () = tokio::time::sleep(self.options.claim_time / 3) => {}
            }
            counter += 1;
            let Some((_, last)) = self.state.confirmed() else { return };
            match self.renew(last, counter).await {
                Ok(Pushed::Other) => {
                    tracing::warn!("the claim was taken over by somebody else; this run writes nothing more");
                    self.state.lost.store(true, Ordering::Relaxed);
                    self.state.take();
                    return;
                }
                Ok(Pushed::Ours) => {}
                // The gate closes by itself when this goes on.
                Ok(Pushed::Refused(Refusal { words, .. }) | Pushed::NotYet(words)) => {
                    tracing::warn!(words, "the claim could not be renewed")
                }
                Err(error) => tracing::warn!(%error, "the claim could not be renewed"),
            }
        }
    }

    async fn renew(&self, last: Oid, counter: u64) -> Result<Pushed, git::Error> {
        let began = Instant::now();
        let message = claim_message(&self.options, &self.run, counter);
        let (tip, author) = (self.tip, self.author.clone());
        let now = self.now.saturating_add(i64::try_from(self.began.elapsed().as_secs()).unwrap_or(i64::MAX));
        let commit = self.worker.call(move |repo| repo.commit_tree_of(tip, &message, &author, now)).await??;
        let pushed = push(&self.worker, &self.name, commit, Expect::Id(last)).await?;
        if matches!(pushed, Pushed::Ours) {
            self.state.confirm(began, commit);
        }
        let (took, time) = (began.elapsed(), self.options.claim_time);
        if took > time / 4 {
            tracing::warn!(?took, claim_time = ?time, "renewing the claim takes long; a longer --claim-time leaves time to write");
        }
        Ok(pushed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_uses_the_written_time() {
        let attempt = model::Attempt::parse(model::Attempt::EXAMPLE).unwrap();
        let options = Options { claim_time: Duration::from_millis(1500), ..Options::new("main", attempt, "host") };
        let text = claim_message(&options, "run", 3);
        assert_eq!(written_time(&text), Some(Duration::from_millis(1500)));
        assert_eq!(written_time("Claim-Time: 99999999999"), None);
        assert_eq!(written_time("nothing"), None);
    }
}
