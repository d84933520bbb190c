//! A plan for people: what a run would do and, where it would do nothing, why.

use super::{count, plain, styles};
use ::plan::{ClusterLine, PlanView, StepLine};
use std::fmt::Write as _;

/// What is shown of a plan beside the plan itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) allocations: usize,
    pub(crate) frees: usize,
    /// Files that would be written or removed.
    pub(crate) files: usize,
}

/// Clusters with something to do or to say; the others are counted.
pub(crate) fn text(view: &PlanView, totals: Totals, files: &[String]) -> String {
    let mut out = String::new();
    let quiet =
        |c: &&ClusterLine| c.blocked.is_none() && c.steps.iter().all(|s| matches!(s.action, "keep" | "delegate"));
    for cluster in view.clusters.iter().filter(|c| !quiet(c)) {
        cluster_text(&mut out, cluster);
    }
    let unchanged = view.clusters.iter().filter(quiet).count();
    if unchanged > 0 {
        let _ = writeln!(out, "{}", styles::dim(format!("{} with every value known", count(unchanged, "cluster"))));
    }
    section(&mut out, &styles::bad("free"), &view.frees);
    section(&mut out, &styles::warn("duplicate"), &view.duplicates);
    section(&mut out, &styles::warn("orphan"), &view.orphans);
    section(&mut out, &styles::bad("suspect"), &view.suspect);
    section(&mut out, &styles::accent("write"), files);
    if !out.is_empty() {
        out.push('\n');
    }
    let Totals { allocations, frees, files } = totals;
    let mut parts =
        vec![format!("{allocations} to allocate"), format!("{frees} to free"), format!("{files} files to write")];
    if allocations + frees + files == 0 {
        parts = vec!["nothing to do".to_owned()];
    }
    if view.incomplete {
        parts.push(styles::bad("incomplete: part of metal-api did not answer"));
    }
    let _ = writeln!(out, "{} {}", styles::bold("Plan:"), parts.join(", "));
    out
}

fn cluster_text(out: &mut String, cluster: &ClusterLine) {
    let ClusterLine { cluster, blocked, steps } = cluster;
    let _ = writeln!(out, "{}", styles::bold(cluster));
    if let Some(blocked) = blocked {
        let _ = writeln!(out, "  {} {}", styles::bad("blocked"), plain(blocked));
    }
    for StepLine { slot, action, detail } in steps {
        let padded = format!("{action:9}");
        let painted = match *action {
            "allocate" => styles::good(padded),
            "use" => styles::accent(padded),
            "refuse" => styles::bad(padded),
            _ => styles::dim(padded),
        };
        let _ = writeln!(out, "  {painted} {:16} {}", slot.to_string(), plain(detail));
    }
}

fn section(out: &mut String, name: &str, lines: &[String]) {
    for line in lines {
        let _ = writeln!(out, "{name} {}", plain(line));
    }
}
