//! The branch's history as people read it: what engines committed and what people answered.

use crate::engine::{Engine, RunError};
use crate::message::{ACK, RECOVER, Trailers, all};
use git::{CommitInfo, Oid};
use metal_api::Metal;
use model::{ClusterId, Timestamp};
use std::collections::BTreeSet;
use std::sync::PoisonError;

/// Bounds a walk.
const COMMITS_MAX: usize = 100_000;

const ANSWER: &str = "answer";

/// One commit of an engine, or a person's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub id: Oid,
    pub time: Timestamp,
    /// Name and address.
    pub author: String,
    pub title: String,
    /// `resolve`, `render` and so on, several with commas; `answer` for a person's.
    pub reason: String,
    pub clusters: Vec<ClusterId>,
    /// The commit of the definitions that it was made from; of an answer none.
    pub source: Option<Oid>,
    /// What became of the values, a line each.
    pub values: Vec<String>,
    /// What was freed: cluster, slot, id and why.
    pub freed: Vec<String>,
}

impl<M: Metal + 'static> Engine<M> {
    /// The newest first, at most `limit`; of one cluster, or of all.
    pub async fn log(&mut self, limit: usize, cluster: Option<&ClusterId>) -> Result<Vec<LogEntry>, RunError> {
        let tip = self.remote.tip().await?.ok_or_else(|| self.branch_missing())?;
        // Whose commits count is known from the tip.
        self.view(tip).await?;
        let (memory, cluster) = (self.memory.clone(), cluster.cloned());
        let entries = self.remote.call(move |repo| {
            let mut entries = Vec::new();
            for id in repo.ids_since(tip, None, COMMITS_MAX)? {
                if entries.len() >= limit {
                    break;
                }
                let commit = repo.commit_info(id)?;
                let memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
                let engines = memory.history.engines(&commit);
                let found = engines.map_or_else(|| answer(&commit), |says| Some(entry(&commit, says)));
                entries.extend(found.and_then(|entry| entry.of(cluster.as_ref())));
            }
            Ok(entries)
        });
        Ok(entries.await?)
    }
}

impl LogEntry {
    /// What it says of one cluster.
    fn of(mut self, cluster: Option<&ClusterId>) -> Option<Self> {
        let Some(id) = cluster else { return Some(self) };
        let is_freed = |freed: &String| freed.split_whitespace().next() == Some(&id.to_string());
        self.freed.retain(is_freed);
        if self.reason != ANSWER {
            self.values.retain(|line| line.starts_with(&format!("{id}: ")));
        }
        (self.clusters.contains(id) || !self.freed.is_empty()).then_some(self)
    }
}

fn entry(commit: &CommitInfo, says: Trailers) -> LogEntry {
    let Trailers { run: _, source, parent: _, fleet: _, output: _, clusters, reason, held: _, freed, ended: _, plan: _ } =
        says;
    let named: BTreeSet<_> = clusters.iter().map(ToString::to_string).collect();
    let is_value = |line: &&str| line.split_once(": ").is_some_and(|(id, _)| named.contains(id));
    let values = commit.message.lines().skip(1).filter(is_value).map(str::to_owned).collect();
    let freed = freed.into_iter().map(|freed| freed.text).collect();
    LogEntry { reason, clusters, source, values, freed, ..bare(commit) }
}

/// None where a commit answers nothing.
fn answer(commit: &CommitInfo) -> Option<LogEntry> {
    let said: Vec<_> = [ACK, RECOVER].iter().flat_map(|key| all(&commit.message, key)).map(str::to_owned).collect();
    if said.is_empty() {
        return None;
    }
    let words = said.iter().flat_map(|text| text.split_whitespace());
    let clusters = words.filter_map(|word| word.parse().ok()).collect();
    Some(LogEntry { reason: ANSWER.to_owned(), clusters, values: said, ..bare(commit) })
}

fn bare(commit: &CommitInfo) -> LogEntry {
    LogEntry {
        id: commit.id,
        time: Timestamp::from_second(commit.committer_time).unwrap_or(Timestamp::UNIX_EPOCH),
        author: format!("{} <{}>", commit.author_name, commit.author_email),
        title: commit.message.lines().next().unwrap_or_default().to_owned(),
        reason: String::new(),
        clusters: Vec::new(),
        source: None,
        values: Vec::new(),
        freed: Vec::new(),
    }
}
