//! A plan for people: what a run would do and, where it would do nothing, why.

use super::{count, plain, styles};
use ::plan::{ClusterLine, PlanView, StepLine};
use model::{ClusterId, Finding};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What is shown of a plan beside the plan itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) allocations: usize,
    pub(crate) frees: usize,
    /// Files that would be written or removed.
    pub(crate) files: usize,
}

/// Clusters with something to do or to say; the others are counted. `findings` stand on stderr in full; what a change
/// would do to a running cluster, as an add-on that it uninstalls (R13), is part of the plan.
pub(crate) fn text(view: &PlanView, totals: Totals, files: &[String], findings: &[Finding]) -> String {
    let mut out = String::new();
    let mut warnings: BTreeMap<&ClusterId, Vec<&Finding>> = BTreeMap::new();
    for warning in findings.iter().filter(|finding| !finding.is_error()) {
        if let Some(cluster) = &warning.cluster {
            warnings.entry(cluster).or_default().push(warning);
        }
    }
    let quiet = |c: &&ClusterLine| {
        let keeps = c.steps.iter().all(|s| matches!(s.action, "keep" | "delegate"));
        c.blocked.is_none() && keeps && !warnings.contains_key(&c.cluster)
    };
    for cluster in view.clusters.iter().filter(|c| !quiet(c)) {
        cluster_text(&mut out, cluster, warnings.get(&cluster.cluster).map(Vec::as_slice).unwrap_or_default());
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
    let mut parts = vec![
        format!("{allocations} to allocate"),
        format!("{frees} to free"),
        format!("{} to write", count(files, "file")),
    ];
    if allocations + frees + files == 0 {
        parts = vec!["nothing to do".to_owned()];
    }
    if view.incomplete {
        parts.push(styles::bad("incomplete: part of metal-api did not answer"));
    }
    let _ = writeln!(out, "{} {}", styles::bold("Plan:"), parts.join(", "));
    out
}

fn cluster_text(out: &mut String, cluster: &ClusterLine, warnings: &[&Finding]) {
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
    for warning in warnings {
        let _ = writeln!(out, "  {} {}", styles::warn("warning  "), plain(&warning.message));
    }
}

fn section(out: &mut String, name: &str, lines: &[String]) {
    for line in lines {
        let _ = writeln!(out, "{name} {}", plain(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ClusterName, Namespace, Place};

    fn view(steps: Vec<StepLine>) -> PlanView {
        let cluster =
            ClusterId::new(Namespace::parse("default").unwrap(), ClusterName::parse("shop").unwrap()).unwrap();
        let clusters = vec![ClusterLine { cluster, blocked: None, steps }];
        PlanView { clusters, ..::plan::Plan::default().view() }
    }

    fn shown(view: &PlanView, findings: &[Finding]) -> String {
        let totals = Totals { allocations: 0, frees: 0, files: 1 };
        let text = text(view, totals, &["gitops/x.yaml".to_owned()], findings);
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn r13_what_a_change_would_do_to_a_running_cluster_stands_beside_it() {
        let shop = ClusterId::new(Namespace::parse("default").unwrap(), ClusterName::parse("shop").unwrap()).unwrap();
        let said = "the Helm release tigera-operator would be uninstalled";
        let warning = Finding::warning("addon-removed", Place::file("cluster.yaml"), said).cluster(&shop);
        let elsewhere = Finding::warning("x", Place::file("policies/default.yaml"), "of nobody");
        let error = Finding::error("y", Place::file("cluster.yaml"), "on stderr").cluster(&shop);
        let plan = shown(&view(Vec::new()), &[warning, elsewhere, error]);
        assert_eq!(
            plan,
            format!(
                "default.shop\n  warning   {said}\nwrite gitops/x.yaml\n\nPlan: 0 to allocate, 0 to free, 1 file to write\n"
            )
        );
        assert!(shown(&view(Vec::new()), &[]).starts_with("1 cluster with every value known\n"));
    }
}
