//! The engine's commit messages (I8): what, which values, why, from which source. Read back by `history` and by the
//! engine itself.

#[cfg(test)]
mod tests;
mod trailers;
mod values;

pub(crate) use trailers::{ACK, RECOVER, all};
pub use trailers::{FreedTrailer, HeldTrailer, OutputTrailer, Trailers, trailers};
pub(crate) use values::{Change, Version};

use crate::holds::Hold;
use git::Oid;
use model::commit::TitleFacts;
use model::request::{Done, FreeOutcome, FreeReason};
use model::{ClusterId, Digest};
use plan::Said;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use trailers::{
    ACK_ENDED, CLUSTER, FREED, HELD, INPUTS, NAME, NONE, OUTPUT, OUTPUT_AT, PARENT, PLAN, REASON, RUN, SOURCE,
};

/// What a message is made of.
pub(crate) struct Facts<'a> {
    pub(crate) run: &'a str,
    /// Whose it is.
    pub(crate) fleet: &'a str,
    /// `spec.commit.message`.
    pub(crate) template: Option<&'a str>,
    pub(crate) source: Oid,
    /// Clusters with changed files.
    pub(crate) clusters: &'a BTreeMap<ClusterId, Change<'a>>,
    pub(crate) done: &'a Done,
    pub(crate) put_right: &'a [String],
    /// For the output's own commit: what it is made on there.
    pub(crate) parent: Option<Option<Oid>>,
    /// For a commit beside which the output goes elsewhere: where, and what was there.
    pub(crate) output: Option<(&'a str, Option<Oid>)>,
    /// What people said.
    pub(crate) said: &'a Said,
    /// What stays as people reverted it.
    pub(crate) held: &'a BTreeMap<ClusterId, Hold>,
    /// Answers that count no more.
    pub(crate) ended: &'a BTreeSet<String>,
    /// Of the plan's view.
    pub(crate) plan: Option<&'a Digest>,
}

/// Why a cluster's files change, in the order in which a title names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    Resolve,
    Recover,
    Replace,
    Change,
    Delete,
    Repair,
    Render,
}

impl Why {
    fn verb(self) -> &'static str {
        match self {
            Self::Resolve => "Resolve",
            Self::Recover => "Recover",
            Self::Replace => "Replace the firewall of",
            Self::Change => "Change",
            Self::Delete => "Delete",
            Self::Repair => "Put right",
            Self::Render => "Render",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::Recover => "recover",
            Self::Replace => "replace",
            Self::Change => "change",
            Self::Delete => "delete",
            Self::Repair => "repair",
            Self::Render => "render",
        })
    }
}

pub(crate) fn message(facts: &Facts<'_>) -> String {
    let reasons = reasons(facts);
    let reason: Vec<_> = reasons.keys().map(ToString::to_string).collect();
    let reason = reason.join(", ");
    let mut text = format!("{}\n\n", title(facts, &reasons, &reason));
    for (id, change) in facts.clusters {
        let _ = writeln!(text, "{id}: {}", change.words());
    }
    let freed = || facts.done.frees.iter().filter(|(_, outcome)| *outcome == FreeOutcome::Freed).map(|(free, _)| free);
    for free in freed() {
        let _ = writeln!(text, "Freed: {} {} of {} ({})", free.slot, free.target, free.cluster, free.why);
    }
    for path in facts.put_right {
        let path = path.escape_debug();
        let _ = writeln!(text, "Put right: {path} (an engine-owned file that a person changed)");
    }
    for (id, hold) in facts.held {
        let _ = writeln!(
            text,
            "Held: {id}, as reverted in {}",
            hold.by.map_or_else(|| NONE.to_owned(), |id| id.to_string())
        );
    }
    let digest = |change: &Change<'_>| change.after.and_then(|after| after.digest.cloned());
    let inputs: Vec<_> = facts.clusters.iter().map(|(id, change)| (id, digest(change))).collect();
    let _ = write!(text, "\n{RUN}: {}\n{SOURCE}: {}\n", facts.run, facts.source);
    for id in facts.clusters.keys() {
        let _ = writeln!(text, "{CLUSTER}: {id}");
    }
    let id = |id: Option<Oid>| id.map_or_else(|| NONE.to_owned(), |id| id.to_string());
    if let Some(parent) = facts.parent {
        let _ = writeln!(text, "{PARENT}: {}", id(parent));
    }
    if !facts.fleet.is_empty() {
        let _ = writeln!(text, "{NAME}: {}", facts.fleet);
    }
    if let Some((place, at)) = facts.output {
        let _ = writeln!(text, "{OUTPUT}: {place}\n{OUTPUT_AT}: {}", id(at));
    }
    let _ = writeln!(text, "{REASON}: {reason}");
    for free in freed() {
        let _ = writeln!(text, "{FREED}: {}", trailers::freed_value(free));
    }
    for (id, hold) in facts.held {
        let by = hold.by.map(|by| format!(" {by}")).unwrap_or_default();
        let _ = writeln!(text, "{HELD}: {id} {}{by}", hold.digest);
    }
    for answer in facts.ended {
        let _ = writeln!(text, "{ACK_ENDED}: {answer}");
    }
    if let Some(plan) = facts.plan {
        let _ = writeln!(text, "{PLAN}: {plan}");
    }
    let _ = writeln!(text, "{INPUTS}: {}", Digest::of(&inputs));
    text
}

/// Which clusters change why. Rendering is no reason beside another one.
fn reasons<'a>(facts: &Facts<'a>) -> BTreeMap<Why, Vec<&'a ClusterId>> {
    let mut reasons: BTreeMap<Why, Vec<&ClusterId>> = BTreeMap::new();
    for (id, change) in facts.clusters {
        reasons.entry(why(facts, id, change)).or_default().push(id);
    }
    let freed = facts
        .done
        .frees
        .iter()
        .filter(|(free, outcome)| *outcome == FreeOutcome::Freed && free.why == FreeReason::Deletion);
    let freed: BTreeSet<_> = freed.map(|(free, _)| &free.cluster).collect();
    if reasons.is_empty() && !freed.is_empty() {
        reasons.insert(Why::Delete, freed.into_iter().collect());
    }
    if reasons.len() > 1 {
        reasons.remove(&Why::Render);
    }
    if reasons.is_empty() {
        let rest = if facts.put_right.is_empty() { Why::Render } else { Why::Repair };
        reasons.insert(rest, Vec::new());
    }
    reasons
}

fn why(facts: &Facts<'_>, id: &ClusterId, change: &Change<'_>) -> Why {
    let rest = if facts.put_right.is_empty() { Why::Render } else { Why::Repair };
    let deletion = [change.before, change.after].map(|version| version.and_then(|v| v.deletion));
    // The output's own commit resolves nothing: the one of the locks did.
    if facts.parent.is_some() {
        return if deletion[1].is_some() { Why::Delete } else { rest };
    }
    if change.after.is_none() || deletion[1].is_some() {
        return Why::Delete;
    }
    let is_recovered = |slot: &model::Slot| facts.said.recover.contains_key(&(id.clone(), slot.clone()));
    if change.replaced().iter().any(is_recovered) {
        return Why::Recover;
    }
    if change.fills() {
        return Why::Resolve;
    }
    if change.replaces_firewall() {
        return Why::Replace;
    }
    let digest = |version: Option<Version<'_>>| version.and_then(|v| v.digest.cloned());
    let is_other = digest(change.before) != digest(change.after) || deletion[0] != deletion[1];
    // A change of values without one of the inputs: the world changed.
    let values = [change.before, change.after].map(|version| version.map(|v| v.values));
    if is_other || values[0] != values[1] { Why::Change } else { rest }
}

fn title(facts: &Facts<'_>, reasons: &BTreeMap<Why, Vec<&ClusterId>>, reason: &str) -> String {
    let only = |why| reasons.len() == 1 && reasons.get(&why).is_some_and(Vec::is_empty);
    let plain = if only(Why::Render) && facts.output.is_some() {
        "Note where the output is".to_owned()
    } else {
        let parts: Vec<_> = reasons.iter().map(|(why, named)| part(*why, named)).collect();
        parts.join("; ")
    };
    let clusters = names(&facts.clusters.keys().collect::<Vec<_>>());
    let made = TitleFacts { title: &plain, reason, clusters: &clusters, fleet: facts.fleet };
    // A template that cannot be used is a finding of fleet.yaml; it stops no commit.
    facts.template.and_then(|template| model::commit::title(template, made).ok()).unwrap_or(plain)
}

fn part(why: Why, named: &[&ClusterId]) -> String {
    let names = if named.is_empty() { "engine-owned files".to_owned() } else { names(named) };
    format!("{} {names}", why.verb())
}

fn names(named: &[&ClusterId]) -> String {
    match named {
        [] => String::new(),
        [one] => one.to_string(),
        [one, two] => format!("{one} and {two}"),
        [one, two, three] => format!("{one}, {two} and {three}"),
        [one, two, ..] => format!("{one}, {two} and {} more", named.len() - 2),
    }
}
