//! One cluster as a tree: what is so, why, and what to do.

use super::{ClusterStatus, DeletionStatus, Said};
use crate::output::clusters::short;
use crate::output::plan::words;
use crate::output::{plain, styles, wrapped};
use model::condition::{ConditionStatus, ReasonKind};
use model::lock::{Firewall, Values};
use model::{ClusterId, Condition, Origin};

/// Wide enough for a line of text where no terminal reads.
const WIDTH: usize = 120;
/// However deep: no text is squeezed into less.
const TEXT_MIN: usize = 24;

/// A line with what belongs to it.
#[derive(Debug, Default)]
struct Node {
    /// Styled; before the text, never wrapped.
    head: String,
    text: String,
    below: Vec<Node>,
}

impl Node {
    fn new(head: impl Into<String>, text: impl AsRef<str>) -> Self {
        Self { head: head.into(), text: plain(text.as_ref()).replace('\n', " "), below: Vec::new() }
    }

    fn with(self, below: impl IntoIterator<Item = Node>) -> Self {
        Self { below: self.below.into_iter().chain(below).collect(), ..self }
    }

    /// `first` and `rest`: what stands before its first line and before the others.
    fn draw(&self, first: &str, rest: &str, width: usize, out: &mut String) {
        let head: usize = anstream::adapter::strip_str(&self.head).map(|part| part.chars().count()).sum();
        let gap = if self.text.is_empty() { "" } else { ": " };
        let indent = first.chars().count() + head + gap.len();
        let lines = wrapped(&self.text, width.saturating_sub(indent).max(TEXT_MIN));
        let bar = if self.below.is_empty() { " " } else { "│" };
        for (i, line) in lines.iter().enumerate() {
            let text = match i {
                0 if first.is_empty() => format!("{}{gap}{line}", self.head),
                0 => format!("{}{}{gap}{line}", styles::dim(first), self.head),
                _ => {
                    let pad = indent.saturating_sub(rest.chars().count() + 1);
                    format!("{}{}{line}", styles::dim(format!("{rest}{bar}")), " ".repeat(pad))
                }
            };
            out.push_str(text.trim_end());
            out.push('\n');
        }
        let last = self.below.len().saturating_sub(1);
        for (i, node) in self.below.iter().enumerate() {
            let (branch, bar) = if i == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            node.draw(&format!("{rest}{branch}"), &format!("{rest}{bar}"), width, out);
        }
    }
}

/// As wide as the terminal that reads.
pub(crate) fn tree(status: &ClusterStatus) -> String {
    drawn(status, crate::output::width().unwrap_or(WIDTH))
}

pub(super) fn drawn(status: &ClusterStatus, width: usize) -> String {
    let mut out = String::new();
    root(status).draw("", "", width, &mut out);
    out
}

fn root(status: &ClusterStatus) -> Node {
    let ClusterStatus { cluster, stage, path, phase, version, values, firewall_ready, commit, .. } = status;
    let stage = stage.as_ref().map(|stage| format!(", stage {stage}")).unwrap_or_default();
    let version = version.as_ref().map(|version| format!(", Kubernetes {version}")).unwrap_or_default();
    let commit = commit.as_ref().map(|commit| {
        let time = commit.time.strftime("%Y-%m-%d %H:%M");
        Node::new("commit", format!("{} {} ({time} UTC)", short(commit.id), commit.title))
    });
    let problem = status.problem.iter().map(|problem| said("problem", problem));
    let notes = status.notes.iter().map(|note| said("note", note));
    let conditions = match &status.conditions[..] {
        [] => None,
        all => Some(Node::new("conditions", "").with(all.iter().map(|one| condition(cluster, one)))),
    };
    let values = values.as_ref().map(|values| slots(values, *firewall_ready));
    let root = Node::new(styles::bold(cluster), format!("{phase:?}{stage}{version}"));
    root.with([Node::new("file", path)])
        .with(commit)
        .with(problem)
        .with(notes)
        .with(conditions)
        .with(values)
        .with(status.deletion.as_ref().map(deletion))
}

fn said(head: &str, said: &Said) -> Node {
    let Said { reason, message, meaning, mend } = said;
    let reason = match reason.kind() {
        ReasonKind::Stalled => styles::bad(reason),
        ReasonKind::Waiting => styles::warn(reason),
        ReasonKind::Good | ReasonKind::Intended => styles::accent(reason),
    };
    Node::new(format!("{head}: {reason}"), message).with(about(meaning, mend))
}

fn about(meaning: &str, mend: &str) -> Vec<Node> {
    let all = [("means", meaning), ("do", mend)].into_iter().filter(|(_, text)| !text.is_empty());
    all.map(|(head, text)| Node::new(styles::dim(head), text)).collect()
}

fn condition(cluster: &ClusterId, condition: &Condition) -> Node {
    let Condition { kind, status, reason, message } = condition;
    let is_good = *status == ConditionStatus::True;
    let shown = match status {
        ConditionStatus::True => styles::good("True"),
        ConditionStatus::False => styles::bad("False"),
        ConditionStatus::Unknown => styles::warn("Unknown"),
    };
    let node = Node::new(format!("{kind} {shown} {reason}"), message);
    if is_good { node } else { node.with(about(reason.doc(), &super::for_cluster(*reason, cluster))) }
}

fn slots(values: &Values, firewall_ready: Option<bool>) -> Node {
    let mut slots = Vec::new();
    if let Some(network) = &values.node_network {
        let prefixes: Vec<_> = network.prefixes.iter().map(ToString::to_string).collect();
        slots.push(Node::new("network", format!("{} {} ({})", network.id, prefixes.join(" "), origin(network.origin))));
    }
    if let Some(vip) = &values.vip {
        let text = format!("{}:{} of {} ({})", vip.address, vip.port.get(), vip.network, origin(vip.origin));
        slots.push(Node::new("vip", text));
    }
    for egress in &values.egress_ips {
        slots
            .push(Node::new("egress", format!("{} of {} ({})", egress.address, egress.network, origin(egress.origin))));
    }
    slots.extend(values.firewall.as_ref().map(|firewall| of_firewall(firewall, firewall_ready)));
    if slots.is_empty() {
        return Node::new("values", "none yet");
    }
    Node::new("values", "").with(slots)
}

fn of_firewall(firewall: &Firewall, ready: Option<bool>) -> Node {
    let Firewall { id, generation, image, origin: from, successor, .. } = firewall;
    let ready = match ready {
        Some(true) => ", ready",
        Some(false) => ", not ready",
        None => "",
    };
    let text = format!("{id} generation {generation}, {image} ({}){ready}", origin(*from));
    let successor = successor.as_ref().map(|next| {
        let text = format!("{} generation {}, {}, on its way", next.id, next.generation, next.image);
        Node::new("successor", text)
    });
    Node::new("firewall", text).with(successor)
}

fn deletion(deletion: &DeletionStatus) -> Node {
    let DeletionStatus { phase, confirmed_in, next, waits, refused } = deletion;
    let confirmed = confirmed_in.iter().map(|commit| Node::new("confirmed in", commit.get(..7).unwrap_or(commit)));
    let next = next.iter().map(|next| Node::new("next", next));
    let refused = refused.iter().map(|refused| said("refused", refused));
    let waits = waits.iter().map(|wait| Node::new("waits", words::wait(wait)));
    Node::new("deletion", *phase).with(confirmed).with(next).with(refused).with(waits)
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Allocated => "allocated",
        Origin::Adopted => "adopted",
        Origin::Delegated => "delegated",
        Origin::Spec => "spec",
    }
}
