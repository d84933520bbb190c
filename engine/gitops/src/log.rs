//! The branch's history as people read it: what engines committed and what people answered.

use crate::engine::Engine;
use crate::error::RunError;
use crate::history::History;
use crate::message::{ACK, RECOVER, Trailers, all};
use git::{CommitInfo, Oid, Repo};
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
            let memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            entries(repo, &memory.history, tip, limit, cluster.as_ref())
        });
        Ok(entries.await?)
    }
}

fn entries(
    repo: &Repo,
    history: &History,
    tip: Oid,
    limit: usize,
    cluster: Option<&ClusterId>,
) -> Result<Vec<LogEntry>, git::Error> {
    let mut entries = Vec::new();
    for id in repo.ids_since(tip, None, COMMITS_MAX)? {
        if entries.len() >= limit {
            break;
        }
        let commit = repo.commit_info(id)?;
        let found = history.engines(&commit).map_or_else(|| answer(&commit), |says| Some(entry(&commit, says)));
        entries.extend(found.and_then(|entry| entry.of(cluster)));
    }
    Ok(entries)
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
    let Trailers {
        run: _,
        source,
        parent: _,
        fleet: _,
        output: _,
        clusters,
        reason,
        held: _,
        freed,
        ended: _,
        plan: _,
    } = says;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::{Branch, LEGACY, Made, SHOP, id};

    #[test]
    fn i8_history_tells_engine_commits_and_answers_and_nobody_elses() {
        let mut branch = Branch::new();
        let source = branch.tip;
        let first = branch.engine(&[SHOP, LEGACY], "");
        branch.person("work", &[("README.md", Some("x"))]);
        let answered = branch.empty("Take it\n\nFleet-Recover: same vip default.shop");
        branch.engine_says(&Made { fleet: "other", clusters: &[SHOP], ended: &[], more: "# other\n" });
        let tip = branch.tip;
        let freed =
            "Fleet-Freed: default.legacy vip 10.0.0.1 deletion\nFleet-Freed: default.shop vip 10.0.0.2 duplicate";
        let last = branch.empty(&format!(
            "Delete default.legacy\n\ndefault.legacy: VIP 10.0.0.1 → none\nFreed: x\n\nFleet-Run: x\nFleet-Source: {tip}\n\
             Fleet-Cluster: default.legacy\nFleet-Reason: delete\n{freed}\n"
        ));
        branch.view();
        let log = |limit, cluster: Option<&str>| {
            let cluster = cluster.map(id);
            entries(&branch.repo, &branch.memory.history, branch.tip, limit, cluster.as_ref()).unwrap()
        };
        let ids = |entries: &[LogEntry]| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();
        let all = log(10, None);
        assert_eq!(ids(&all), [last, answered, first]);
        assert_eq!(all[0].reason, "delete");
        assert_eq!(all[0].values, ["default.legacy: VIP 10.0.0.1 → none"]);
        assert_eq!(all[0].freed.len(), 2);
        assert_eq!(all[0].author, "Ada <ada@example.com>");
        assert_eq!((all[1].reason.as_str(), all[1].clusters.as_slice()), ("answer", [id(SHOP)].as_slice()));
        assert_eq!(all[2].source, Some(source));
        assert_eq!(ids(&log(1, None)), [last]);
        let shop = log(10, Some(SHOP));
        assert_eq!(ids(&shop), [last, answered, first]);
        assert_eq!(
            (shop[0].values.len(), shop[0].freed.as_slice()),
            (0, ["default.shop vip 10.0.0.2 duplicate".to_owned()].as_slice())
        );
        assert_eq!(ids(&log(10, Some("payments.billing"))), []);
    }
}
