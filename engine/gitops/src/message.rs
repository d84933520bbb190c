//! The engine's commit messages (I8): what, which values, why, from which source. Read back by `history` and by the
//! engine itself.

use git::Oid;
use model::lock::Values;
use model::request::{Done, FreeOutcome};
use model::{ClusterId, ClusterLock, Digest, Origin};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const RUN: &str = "Fleet-Run";
const CLUSTER: &str = "Fleet-Cluster";
const PARENT: &str = "Fleet-Parent";
const NAME: &str = "Fleet-Name";
const OUTPUT: &str = "Fleet-Output";
const OUTPUT_AT: &str = "Fleet-Output-At";
const ACK: &str = "Fleet-Ack";
const NONE: &str = "none";

/// What a message is made of.
pub(crate) struct Facts<'a> {
    pub(crate) run: &'a str,
    pub(crate) source: Oid,
    /// Clusters with changed files, with their locks.
    pub(crate) clusters: &'a BTreeMap<ClusterId, ClusterLock>,
    /// Those whose values are new.
    pub(crate) resolved: &'a [ClusterId],
    pub(crate) done: &'a Done,
    pub(crate) put_right: &'a [String],
    /// For the output's own commit: what it is made on there, and whose it is.
    pub(crate) parent: Option<(Option<Oid>, &'a str)>,
    /// For a commit beside which the output goes elsewhere: where, and what was there.
    pub(crate) output: Option<(&'a str, Option<Oid>)>,
}

pub(crate) fn message(facts: &Facts<'_>) -> String {
    let mut text = format!("{}\n\n", title(facts));
    for (id, lock) in facts.clusters {
        let _ = writeln!(text, "{id}: {}", values(&lock.values));
    }
    for path in facts.put_right {
        let _ = writeln!(text, "Put right: {path} (an engine-owned file that a person changed)");
    }
    let reason = if !facts.resolved.is_empty() {
        "resolve"
    } else if facts.put_right.is_empty() {
        "render"
    } else {
        "repair"
    };
    let inputs: Vec<_> = facts.clusters.iter().map(|(id, lock)| (id, &lock.source.digest)).collect();
    let _ = write!(text, "\n{RUN}: {}\nFleet-Source: {}\n", facts.run, facts.source);
    for id in facts.clusters.keys() {
        let _ = writeln!(text, "{CLUSTER}: {id}");
    }
    let id = |id: Option<Oid>| id.map_or_else(|| NONE.to_owned(), |id| id.to_string());
    if let Some((parent, fleet)) = facts.parent {
        let _ = writeln!(text, "{PARENT}: {}\n{NAME}: {fleet}", id(parent));
    }
    if let Some((place, at)) = facts.output {
        let _ = writeln!(text, "{OUTPUT}: {place}\n{OUTPUT_AT}: {}", id(at));
    }
    let _ = writeln!(text, "Fleet-Reason: {reason}");
    for (free, outcome) in &facts.done.frees {
        if *outcome == FreeOutcome::Freed {
            let _ = writeln!(text, "Fleet-Freed: {} {} {}", free.cluster, free.slot, free.target);
        }
    }
    let _ = writeln!(text, "Fleet-Inputs: {}", Digest::of(&inputs));
    text
}

fn title(facts: &Facts<'_>) -> String {
    let verb = if !facts.resolved.is_empty() {
        "Resolve"
    } else if facts.put_right.is_empty() {
        "Render"
    } else {
        "Put right"
    };
    let named = if facts.resolved.is_empty() {
        facts.clusters.keys().collect()
    } else {
        facts.resolved.iter().collect::<Vec<_>>()
    };
    match named[..] {
        [] if facts.output.is_some() && facts.put_right.is_empty() => "Note where the output is".to_owned(),
        [] => format!("{verb} engine-owned files"),
        [one] => format!("{verb} {one}"),
        [one, two] => format!("{verb} {one} and {two}"),
        [one, two, three] => format!("{verb} {one}, {two} and {three}"),
        [one, two, ..] => format!("{verb} {one}, {two} and {} more", named.len() - 2),
    }
}

fn values(values: &Values) -> String {
    let Values { node_network, vip, egress_ips, firewall, kubernetes, images: _, autoscaled_pools: _, empty_pools: _ } =
        values;
    let mut parts = Vec::new();
    if let Some(network) = node_network {
        let prefixes: Vec<_> = network.prefixes.iter().map(ToString::to_string).collect();
        parts.push(format!("network {} {} ({})", network.id, prefixes.join(" "), origin(network.origin)));
    }
    if let Some(vip) = vip {
        parts.push(format!("VIP {}:{} ({})", vip.address, vip.port.get(), origin(vip.origin)));
    }
    for egress in egress_ips {
        parts.push(format!("egress {} in {} ({})", egress.address, egress.network, origin(egress.origin)));
    }
    if let Some(firewall) = firewall {
        parts.push(format!("firewall {} ({})", firewall.id, origin(firewall.origin)));
    }
    if let Some(kubernetes) = kubernetes {
        parts.push(format!("Kubernetes {}", kubernetes.version));
    }
    parts.join(", ")
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Allocated => "allocated",
        Origin::Adopted => "adopted",
        Origin::Delegated => "delegated",
        Origin::Spec => "spec",
    }
}

/// The trailers of an engine commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailers {
    pub run: String,
    /// The commit of the definitions that it was made from, and on where the output has no branch of its own.
    pub source: Option<Oid>,
    /// Of a commit of output alone: what it was made on, inner None for a branch's first commit.
    pub parent: Option<Option<Oid>>,
    /// Of a commit of output alone: whose.
    pub fleet: Option<String>,
    /// Of a commit of definitions whose output goes elsewhere: where.
    pub output: Option<OutputTrailer>,
    pub clusters: Vec<ClusterId>,
}

/// Where the output of a commit's locks is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputTrailer {
    pub place: String,
    /// What was there before.
    pub at: Option<Oid>,
}

/// What a person accepts, as `<condition> <subject>`: the last paragraph of a message says so.
pub(crate) fn acknowledged(message: &str) -> impl Iterator<Item = &str> {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    last.lines().filter_map(|line| Some(line.strip_prefix(ACK)?.strip_prefix(": ")?.trim()))
}

/// Reads the trailers back; None for a commit of anybody else.
pub fn trailers(message: &str) -> Option<Trailers> {
    // Trailers are the last paragraph: a person who quotes one in a body is no engine.
    let last = message.trim_end().rsplit("\n\n").next()?;
    let value = |line: &str, key: &str| Some(line.strip_prefix(key)?.strip_prefix(": ")?.trim().to_owned());
    let run = last.lines().find_map(|line| value(line, RUN))?;
    let clusters = last.lines().filter_map(|line| value(line, CLUSTER)?.parse().ok()).collect();
    let source = last.lines().find_map(|line| value(line, "Fleet-Source")?.parse().ok());
    let found = |key| last.lines().find_map(|line| value(line, key));
    let id = |text: String| match text.as_str() {
        NONE => Some(None),
        id => id.parse().ok().map(Some),
    };
    let parent = found(PARENT).and_then(id);
    let at = found(OUTPUT_AT).and_then(id).flatten();
    let output = found(OUTPUT).map(|place| OutputTrailer { place, at });
    Some(Trailers { run, source, parent, fleet: found(NAME), output, clusters })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_the_engine_reads_its_own_trailers_and_nobody_elses() {
        let facts = Facts {
            run: "0f0e",
            source: "1234567890123456789012345678901234567890".parse().unwrap(),
            clusters: &BTreeMap::new(),
            resolved: &["default.shop".parse().unwrap()],
            done: &Done::default(),
            put_right: &[],
            parent: None,
            output: None,
        };
        let text = message(&facts);
        assert!(text.starts_with("Resolve default.shop\n\n"), "{text}");
        assert_eq!(trailers(&text).unwrap().run, "0f0e");
        assert_eq!(trailers("Quote\n\nFleet-Run: 1\n\nbut that was not me"), None);
        assert_eq!(trailers(""), None);
    }
}
