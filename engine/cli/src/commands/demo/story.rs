//! What the demo tells: how clusters come to be, who pushed what, and what the engine answered.

use super::remote::{Commit, EXAMPLE, Remote};
use crate::output::clusters::{Cells, short};
use crate::output::{self, count, findings, plain, styles, table::Table, talk};
use gitops::{Phase, Ran};
use model::tree::MemoryTree;
use model::{ClusterId, Finding, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Paths of one push that are named.
const PATHS_MAX: usize = 6;

/// What was told so far.
#[derive(Debug)]
pub(super) struct Story {
    remote: Remote,
    /// The newest commit that was told of.
    tip: String,
    /// The first convergence was told, step by step; from then on commits tell.
    introduced: bool,
    clusters: BTreeMap<ClusterId, Known>,
    findings: Vec<Finding>,
    commits: BTreeMap<ClusterId, String>,
}

/// What came to the branch since the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pushes {
    None,
    /// Nothing of the engine's after it.
    People,
    Answered,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    phase: Option<Phase>,
    firewall_ready: Option<bool>,
    problem: Option<String>,
}

impl Story {
    /// Tells which clusters are defined.
    pub(super) async fn begin(remote: Remote) -> anyhow::Result<Self> {
        let tip = remote.tip().await?;
        let mut story = Self {
            remote,
            tip,
            introduced: false,
            clusters: BTreeMap::new(),
            findings: Vec::new(),
            commits: BTreeMap::new(),
        };
        let mut tree = MemoryTree::default();
        for path in story.remote.paths().await?.into_iter().filter(|path| !gitops::is_engine_owned(path)) {
            let text = story.remote.read(&path).await?;
            tree.files.insert(path, text);
        }
        let loaded = fleet::load(&tree.tree(), &mut fleet::Memo::default(), Timestamp::now());
        for (id, wanted) in loaded.want.clusters {
            step("defined", &id, &styles::dim(&wanted.path));
            story.clusters.insert(id, Known { phase: Some(Phase::Defined), ..Known::default() });
        }
        Ok(story)
    }

    /// Whether a firewall that was told of is not up yet.
    pub(super) fn awaits_firewalls(&self) -> bool {
        self.clusters.values().any(|known| known.firewall_ready == Some(false))
    }

    /// Tells what is new.
    pub(super) async fn tell(&mut self, ran: &Ran) -> anyhow::Result<()> {
        let pushes = self.pushes(ran).await?;
        for (id, state) in &ran.clusters {
            let before = self.clusters.get(id).cloned().unwrap_or_default();
            let problem = state.problem.as_ref().map(|(reason, message)| format!("{reason}: {message}"));
            let now = Known { phase: Some(state.phase), firewall_ready: state.firewall_ready, problem };
            if before == now {
                continue;
            }
            self.cluster(id, state, &before, &now);
            self.clusters.insert(id.clone(), now);
        }
        let gone: BTreeSet<_> = self.clusters.keys().filter(|id| !ran.clusters.contains_key(*id)).cloned().collect();
        self.clusters.retain(|id, _| !gone.contains(id));
        let fresh: Vec<_> = ran.findings.iter().filter(|f| !self.findings.contains(f)).cloned().collect();
        if !fresh.is_empty() {
            talk::say(findings::text(&fresh).trim_end());
        } else if pushes == Pushes::People && self.introduced {
            talk::say(&styles::dim("  nothing changes for any cluster"));
        }
        if ran.findings.is_empty() && !self.findings.is_empty() {
            talk::say(&styles::good("no findings any more"));
        }
        self.findings.clone_from(&ran.findings);
        self.introduced = true;
        Ok(())
    }

    /// Who changed what since the last time, and what the engine answered.
    async fn pushes(&mut self, ran: &Ran) -> anyhow::Result<Pushes> {
        let mut pushes = Pushes::None;
        let Some(tip) = ran.tip.map(|tip| tip.to_string()).filter(|tip| *tip != self.tip) else { return Ok(pushes) };
        for commit in self.remote.between(&self.tip, &tip).await? {
            match gitops::trailers(&commit.message) {
                Some(trailers) => {
                    pushes = Pushes::Answered;
                    if self.introduced {
                        answer(&commit);
                    }
                    let id: String = commit.id.chars().take(7).collect();
                    self.commits.extend(trailers.clusters.into_iter().map(|cluster| (cluster, id.clone())));
                }
                None => {
                    pushes = Pushes::People;
                    pushed(&commit, &self.remote.changed(&commit.id).await?);
                }
            }
        }
        self.tip = tip;
        Ok(pushes)
    }

    fn cluster(&self, id: &ClusterId, state: &gitops::ClusterState, before: &Known, now: &Known) {
        let reached = |phase| before.phase < Some(phase) && state.phase >= phase && !self.introduced;
        if reached(Phase::Resolved) {
            let Cells { network, vip, firewall } = Cells::of(state);
            step("resolved", id, &format!("network {network}, VIP {vip}, firewall {firewall}"));
        }
        if reached(Phase::Rendered) {
            step("rendered", id, &styles::dim(format!("commit {}", self.commit(id, state))));
        }
        if before.firewall_ready == Some(false) && now.firewall_ready == Some(true) {
            step("ready", id, &styles::dim("its firewall phoned home"));
        }
        if let Some(problem) = now.problem.as_ref().filter(|_| now.problem != before.problem) {
            talk::warning(&format!("{id}: {problem}"));
        }
    }

    /// The commit that changed a cluster last, as far as this demo saw.
    fn commit(&self, id: &ClusterId, state: &gitops::ClusterState) -> String {
        self.commits.get(id).cloned().or_else(|| state.commit.map(short)).unwrap_or_default()
    }

    /// Where every cluster stands, as data.
    pub(super) fn table(&self, ran: &Ran) -> anyhow::Result<()> {
        let mut table = Table::new(["CLUSTER", "NETWORK", "VIP", "FIREWALL", "COMMIT"]);
        for (id, state) in &ran.clusters {
            let Cells { network, vip, firewall } = Cells::of(state);
            table.row([id.to_string(), network, vip, firewall, self.commit(id, state)]);
        }
        talk::say("");
        output::data(&table.text())?;
        talk::say("");
        Ok(())
    }

    /// How to clone, how to push a change, how to look at the result.
    pub(super) fn lines_to_copy(&self) -> anyhow::Result<()> {
        let url = quoted(&self.remote.path().display().to_string());
        let definition = |(path, _): &(&'static str, &str)| path.strip_suffix("/shop/cluster.yaml");
        let folder = EXAMPLE.iter().find_map(definition).unwrap_or("stages/development/clusters");
        talk::say(&styles::bold("Clone it, push a fourth cluster, look at the result:"));
        output::data(&format!(
            "git clone -q -c user.name=You -c user.email=you@localhost {url} fleet-demo && cd fleet-demo\n\
             mkdir {folder}/cart && sed s/shop/cart/ {folder}/shop/cluster.yaml > {folder}/cart/cluster.yaml \
             && git add . && git commit -qm 'Add cart' && git push -q\n\
             sleep 1; git pull -q && git log -1 --stat && cat {folder}/cart/cluster.lock.yaml\n"
        ))?;
        talk::say("");
        Ok(())
    }
}

fn step(word: &str, id: &ClusterId, rest: &str) {
    talk::say(&format!("{} {:20} {rest}", styles::good(format!("{word:9}")), id.to_string()));
}

fn pushed(commit: &Commit, changed: &[String]) {
    let Commit { id, author, subject, message: _ } = commit;
    talk::say(&format!("{} pushed {} {}", styles::bold(plain(author)), plain(subject), styles::dim(&id[..7])));
    for path in changed.iter().take(PATHS_MAX) {
        talk::say(&format!("  {}", plain(path)));
    }
    if let Some(more) = changed.len().checked_sub(PATHS_MAX).filter(|more| *more > 0) {
        talk::say(&format!("  and {}", count(more, "more file")));
    }
}

/// The engine's message names clusters, values and reason (I8); trailers are for machines.
fn answer(commit: &Commit) {
    let Commit { id, author, subject, message } = commit;
    talk::say(&format!("{} committed {} {}", styles::accent(plain(author)), plain(subject), styles::dim(&id[..7])));
    let body = message.trim_end().split("\n\n").skip(1);
    let body: Vec<_> = body.flat_map(str::lines).filter(|line| !line.starts_with("Fleet-")).collect();
    for line in body {
        talk::say(&format!("  {}", plain(line)));
    }
}

/// For a shell, only where it is needed.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_split_it() {
        assert_eq!(quoted("/tmp/x/fleet.git"), "/tmp/x/fleet.git");
        assert_eq!(quoted("/tmp/it's me"), r"'/tmp/it'\''s me'");
    }
}
