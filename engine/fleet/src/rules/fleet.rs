//! What `fleet.yaml` must be by itself, and with the clusters that are there.

use super::policy::unique;
use super::{
    COMMIT_AUTHOR, DEFAULT_PROJECT, EMPTY_LIST, HOSTS_ROLE, NODE_API, PROJECT_STAGE, STAGE_MANAGEMENT, UNKNOWN_HOST,
    choice,
};
use crate::issue::Report;
use model::Fleet;
use model::fleet::{FleetMetal, FleetSpec, ManagementRole};
use std::collections::BTreeSet;

/// `clusters` are the names of all that is defined.
pub(crate) fn fleet(fleet: &Fleet, clusters: &BTreeSet<&str>, report: &mut Report<'_>) {
    let FleetSpec {
        metal,
        addons: _,
        management_clusters,
        stages,
        output: _,
        commit: _,
        limits: _,
        deletion: _,
        paused: _,
    } = &fleet.spec;
    for (field, length) in [
        ("spec.metal.projects", metal.projects.len()),
        ("spec.managementClusters", management_clusters.len()),
        ("spec.stages", stages.len()),
    ] {
        if length == 0 {
            report.error(EMPTY_LIST, field, "the list is empty").mend("clusters need it: add an entry");
        }
    }
    unique("spec.metal.projects", "id", metal.projects.iter().map(|p| &p.id), report);
    unique("spec.managementClusters", "name", management_clusters.iter().map(|m| &m.name), report);
    unique("spec.stages", "name", stages.iter().map(|s| &s.name), report);
    projects(fleet, report);
    stages_of(fleet, report);
    node_api(metal, report);
    author(fleet, report);
    hosts(fleet, clusters, report);
    super::output::output(fleet, report);
}

fn projects(fleet: &Fleet, report: &mut Report<'_>) {
    let metal = &fleet.spec.metal;
    if let Some(default) = metal.project.as_ref().filter(|id| fleet.project(id).is_none()) {
        let known = metal.projects.iter().map(|p| p.id.as_str());
        let message = format!("the default project {default} is not in spec.metal.projects");
        report.error(DEFAULT_PROJECT, "spec.metal.project", message).mend(choice(default.as_str(), known));
    }
    for (i, project) in metal.projects.iter().enumerate() {
        for (s, stage) in project.stages.iter().enumerate().filter(|(_, s)| fleet.stage(s.as_str()).is_none()) {
            let known = fleet.spec.stages.iter().map(|s| s.name.as_str());
            let field = format!("spec.metal.projects[{i}].stages[{s}]");
            report
                .error(PROJECT_STAGE, &field, format!("stage `{stage}` is not in spec.stages"))
                .mend(choice(stage.as_str(), known));
        }
    }
}

fn stages_of(fleet: &Fleet, report: &mut Report<'_>) {
    let known = fleet.spec.management_clusters.iter().map(|m| m.name.as_str());
    for (index, stage) in fleet.spec.stages.iter().enumerate() {
        let name = &stage.management_cluster;
        if fleet.management_cluster(name.as_str()).is_none() {
            let message = format!("management cluster `{name}` is not in spec.managementClusters");
            report
                .error(STAGE_MANAGEMENT, &format!("spec.stages[{index}].managementCluster"), message)
                .mend(choice(name.as_str(), known.clone()));
        }
    }
}

/// The base rules let nodes out to ports 80 and 443 anywhere; any other port needs its addresses.
fn node_api(metal: &FleetMetal, report: &mut Report<'_>) {
    match (&metal.node_api_url, metal.node_api_cidrs.is_empty()) {
        (Some(url), true) if !matches!(url.port(), 80 | 443) => {
            let message =
                format!("nodes reach metal-api at port {}, and no addresses are given for the firewall", url.port());
            report.error(NODE_API, "spec.metal.nodeApiUrl", message).mend("set spec.metal.nodeApiCIDRs");
        }
        (None, false) => {
            report
                .error(
                    NODE_API,
                    "spec.metal.nodeApiCIDRs",
                    "addresses of metal-api without its URL: no rule is made from them",
                )
                .mend("set spec.metal.nodeApiUrl, or remove them")
                .warning();
        }
        (Some(_), _) | (None, true) => {}
    }
}

fn author(fleet: &Fleet, report: &mut Report<'_>) {
    let Some(author) = &fleet.spec.commit.author else { return };
    let bad = |text: &str| text.trim().is_empty() || text.contains(['<', '>']) || text.chars().any(char::is_control);
    for (name, text) in [("name", &author.name), ("email", &author.email)] {
        if bad(text) {
            let message = format!("`{}` is no {name} of a Git author", crate::place::shown(text));
            report
                .error(COMMIT_AUTHOR, &format!("spec.commit.author.{name}"), message)
                .mend("one line, not empty, without `<` and `>`");
        }
    }
}

fn hosts(fleet: &Fleet, clusters: &BTreeSet<&str>, report: &mut Report<'_>) {
    for (m, management) in fleet.spec.management_clusters.iter().enumerate() {
        let field = format!("spec.managementClusters[{m}].hosts");
        let runs_metal = matches!(management.role, ManagementRole::Metal | ManagementRole::Shared);
        if !management.hosts.is_empty() && !runs_metal {
            let message =
                format!("management cluster `{}` has hosts, and its role does not run metal-api", management.name);
            report.error(HOSTS_ROLE, &field, message).mend("set its role to metal, or remove the hosts");
        }
        for (h, host) in management.hosts.iter().enumerate().filter(|(_, host)| !clusters.contains(host.as_str())) {
            let message = format!("there is no cluster `{host}` in this fleet");
            report
                .error(UNKNOWN_HOST, &format!("{field}[{h}]"), message)
                .mend(choice(host.as_str(), clusters.iter().copied()))
                .warning();
        }
    }
}
