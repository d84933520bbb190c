//! A plan for people: what a run would do and, where it would do nothing, why.

use super::{Report, files, words};
use crate::output::{count, diff, plain, styles};
use ::plan::{ClusterLine, Deleting, PlanView, StepLine};
use model::{ClusterId, Finding};
use render::{Effect, Impact};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Clusters with something to do or to say; the others are counted. Errors among the findings stand on stderr.
pub(crate) fn text(report: &Report, with_diff: bool) -> String {
    let mut out = String::new();
    let view = report.plan.view();
    if view.incomplete {
        let _ = writeln!(out, "{} {}\n", styles::bad("INCOMPLETE:"), words::INCOMPLETE);
    }
    section(&mut out, &styles::bad("suspect"), &view.suspect);
    clusters(&mut out, report, &view);
    for (id, deleting) in &report.plan.deletions {
        deletion(&mut out, id, deleting);
    }
    section(&mut out, &styles::bad("free"), &view.frees);
    section(&mut out, &styles::bad("lost"), &view.losses);
    section(&mut out, &styles::warn("duplicate"), &view.duplicates);
    section(&mut out, &styles::warn("orphan"), &view.orphans);
    capacity(&mut out, report);
    changes(&mut out, report, with_diff);
    if !out.is_empty() {
        out.push('\n');
    }
    let _ = write!(out, "{} {}", styles::bold("Plan:"), words::totals(report));
    if view.incomplete {
        let _ = write!(out, ", {}", styles::bad("incomplete"));
    }
    out.push('\n');
    out
}

/// What is to be said of one cluster.
struct Cluster<'a> {
    line: &'a ClusterLine,
    impacts: &'a [Impact],
    warnings: &'a [&'a Finding],
}

impl Cluster<'_> {
    fn is_quiet(&self) -> bool {
        let keeps = self.line.steps.iter().all(|step| matches!(step.action, "keep" | "delegate"));
        self.line.blocked.is_none()
            && keeps
            && self.line.notes.is_empty()
            && self.impacts.is_empty()
            && self.warnings.is_empty()
    }
}

fn clusters(out: &mut String, report: &Report, view: &PlanView) {
    let warnings = report.warnings();
    let of = |line| cluster(line, &report.impacts, &warnings);
    let all = || view.clusters.iter().map(of);
    for cluster in all().filter(|cluster| !cluster.is_quiet()) {
        cluster_text(out, &cluster);
    }
    let unchanged = all().filter(Cluster::is_quiet).count();
    if unchanged > 0 {
        let _ = writeln!(out, "{}", styles::dim(format!("{} with every value known", count(unchanged, "cluster"))));
    }
}

fn cluster<'a>(
    line: &'a ClusterLine,
    impacts: &'a BTreeMap<ClusterId, Vec<Impact>>,
    warnings: &'a BTreeMap<&ClusterId, Vec<&Finding>>,
) -> Cluster<'a> {
    let impacts = impacts.get(&line.cluster).map(Vec::as_slice).unwrap_or_default();
    let warnings = warnings.get(&line.cluster).map(Vec::as_slice).unwrap_or_default();
    Cluster { line, impacts, warnings }
}

fn cluster_text(out: &mut String, cluster: &Cluster<'_>) {
    let ClusterLine { cluster: id, blocked, steps, notes } = cluster.line;
    let _ = writeln!(out, "{}", styles::bold(id));
    if let Some(blocked) = blocked {
        let _ = writeln!(out, "  {} {}", styles::bad("blocked  "), plain(blocked));
    }
    for StepLine { slot, action, detail } in steps {
        let padded = format!("{action:9}");
        let painted = match *action {
            "allocate" => styles::good(padded),
            "use" => styles::accent(padded),
            "refuse" => styles::bad(padded),
            _ => styles::dim(padded),
        };
        let line = format!("  {painted} {:16} {}", slot.to_string(), plain(detail));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    for impact in cluster.impacts.iter().filter(|impact| words::is_told(impact)) {
        let padded = format!("{:9}", words::action(impact.effect));
        let painted = match impact.effect {
            Effect::Create => styles::good(padded),
            Effect::Keep => styles::dim(padded),
            Effect::InPlace => styles::accent(padded),
            Effect::Replace | Effect::Remove => styles::bad(padded),
        };
        let said = words::impact(impact);
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let _ = writeln!(out, "  {painted} {}{}", plain(&impact.object), plain(&said));
    }
    for note in notes {
        let _ = writeln!(out, "  {} {}", styles::warn("note     "), plain(note));
    }
    for warning in cluster.warnings {
        let _ = writeln!(out, "  {} {}", styles::warn("warning  "), plain(&warning.message));
    }
}

fn deletion(out: &mut String, id: &ClusterId, deleting: &Deleting) {
    let _ = writeln!(out, "{} {}", styles::bold(id), styles::bad(format!("deletion, {}", words::stage(deleting))));
    if let Some((reason, message)) = &deleting.refused {
        let _ = writeln!(out, "  {} {reason}: {}", styles::bad("refused  "), plain(message));
    }
    let _ = writeln!(out, "  {} {}", styles::accent("next     "), words::next(deleting));
    for wait in &deleting.waits {
        let _ = writeln!(out, "  {} {}", styles::warn("waits    "), plain(words::wait(wait)));
    }
}

/// Where machines are wanted.
fn capacity(out: &mut String, report: &Report) {
    for line in report.plan.capacity.iter().filter(|line| line.need > 0) {
        let name = if line.waiting.is_empty() { styles::dim("capacity") } else { styles::warn("capacity") };
        let _ = writeln!(out, "{name} {}", words::capacity(line));
    }
}

fn changes(out: &mut String, report: &Report, with_diff: bool) {
    for change in &report.files {
        let (kind, counts) = (words::file(files::kind(change)), words::counts(files::counts(change)));
        let counts = if counts.is_empty() { counts } else { styles::dim(format!(" {counts}")) };
        let _ = writeln!(out, "{} {}{counts}", styles::accent(kind), plain(&change.path));
    }
    if with_diff {
        for change in &report.files {
            let _ = write!(out, "\n{}", styles::bold(plain(files::head(change).trim_end())));
            let _ = write!(out, "\n{}", diff::painted(&files::unified(change)));
        }
    }
}

fn section(out: &mut String, name: &str, lines: &[String]) {
    for line in lines {
        let _ = writeln!(out, "{name} {}", plain(line));
    }
}
