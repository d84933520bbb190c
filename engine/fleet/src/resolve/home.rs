//! Where a definition belongs: stage, management cluster, namespace, project, partition.

use super::Around;
use crate::find::stage_of_folder;
use crate::issue::Report;
use crate::rules::{ID_TOO_LONG, MANAGEMENT_CLUSTER, PARTITION, PROJECT, STAGE, choice};
use model::fleet::{FleetProject, ManagementCluster, Stage};
use model::lock::Identity;
use model::{ClusterDefinition, ClusterId, Fleet, Namespace, PartitionId, ProjectId, Reason};

/// What is known of a definition before its lock and its policy are looked at.
#[derive(Debug)]
pub(crate) struct Home<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) management: &'a ManagementCluster,
    pub(crate) id: ClusterId,
}

/// None where not even the cluster's id can be told.
pub(crate) fn home<'a>(
    definition: &ClusterDefinition,
    path: &str,
    around: &Around<'a>,
    report: &mut Report<'_>,
) -> Option<Home<'a>> {
    let stage = stage(definition, path, around.fleet, report)?;
    let target = &definition.spec.target;
    let name = target.management_cluster.as_ref().unwrap_or(&stage.management_cluster);
    let management = around.fleet.management_cluster(name.as_str());
    if management.is_none() && target.management_cluster.is_some() {
        let known = around.fleet.spec.management_clusters.iter().map(|m| m.name.as_str());
        let message = format!("there is no management cluster `{name}` in fleet.yaml");
        report.error(MANAGEMENT_CLUSTER, "spec.target.managementCluster", message).mend(choice(name.as_str(), known));
    }
    let namespace =
        target.namespace.clone().or_else(|| stage.namespace.clone()).or_else(|| Namespace::parse("default").ok())?;
    let id = match ClusterId::new(namespace, definition.metadata.name.clone()) {
        Ok(id) => id,
        Err(error) => {
            report.error(ID_TOO_LONG, "metadata.name", error.to_string()).mend("use a shorter name or namespace");
            return None;
        }
    };
    Some(Home { stage, management: management?, id })
}

fn stage<'a>(
    definition: &ClusterDefinition,
    path: &str,
    fleet: &'a Fleet,
    report: &mut Report<'_>,
) -> Option<&'a Stage> {
    let written = definition.spec.stage.as_ref().map(|s| s.as_str());
    let known = || fleet.spec.stages.iter().map(|s| s.name.as_str());
    let Some(name) = written.or_else(|| stage_of_folder(path)) else {
        report
            .error(STAGE, "spec", "no stage: the file does not lie in stages/<stage>/, and spec.stage is missing")
            .mend(format!("set spec.stage to one of: {}", known().collect::<Vec<_>>().join(", ")));
        return None;
    };
    let stage = fleet.stage(name);
    if stage.is_none() {
        let from = if written.is_some() { "" } else { ", the folder's," };
        let field = if written.is_some() { "spec.stage" } else { "spec" };
        let message = format!("stage `{name}`{from} is not in fleet.yaml");
        report.error(STAGE, field, message).mend(choice(name, known()));
    }
    stage
}

/// The rest of the identity (R9); the project is judged by R16.
pub(crate) fn identity(
    definition: &ClusterDefinition,
    home: &Home<'_>,
    around: &Around<'_>,
    report: &mut Report<'_>,
) -> Option<Identity> {
    let project = project(definition, home, around.fleet, report);
    let partition = partition(definition, around.fleet, report);
    Some(Identity {
        namespace: home.id.namespace().clone(),
        name: home.id.name().clone(),
        management_cluster: home.management.name.clone(),
        project: project?,
        partition: partition?,
        fleet: around.fleet.metadata.name.clone(),
    })
}

fn project(
    definition: &ClusterDefinition,
    home: &Home<'_>,
    fleet: &Fleet,
    report: &mut Report<'_>,
) -> Option<ProjectId> {
    const FIELD: &str = "spec.metal.project";
    let metal = &fleet.spec.metal;
    let only = || match &metal.projects[..] {
        [one] => Some(&one.id),
        _ => None,
    };
    let known = || metal.projects.iter().map(|p| p.id.as_str());
    let Some(id) = definition.spec.metal.project.as_ref().or(metal.project.as_ref()).or_else(only) else {
        let list = known().collect::<Vec<_>>().join(", ");
        report
            .error(PROJECT, FIELD, "no project: the fleet has several and no default one")
            .mend(format!("set spec.metal.project to one of: {list}"));
        return None;
    };
    let Some(listed) = fleet.project(id) else {
        let message = format!("project {id} is not among the fleet's projects");
        report
            .error(PROJECT, FIELD, message)
            .mend(format!("{}; or add it to spec.metal.projects of fleet.yaml", choice(id.as_str(), known())))
            .reason(Reason::ProjectNotListed);
        return None;
    };
    admits(listed, home, report);
    Some(id.clone())
}

/// R16: a project may be kept for stages and namespaces.
fn admits(project: &FleetProject, home: &Home<'_>, report: &mut Report<'_>) {
    let id = &project.id;
    let (stage, namespace) = (&home.stage.name, home.id.namespace());
    let refused = [
        (!project.stages.is_empty() && !project.stages.contains(stage)).then(|| format!("stage `{stage}`")),
        (!project.namespaces.is_empty() && !project.namespaces.contains(namespace))
            .then(|| format!("namespace `{namespace}`")),
    ];
    for what in refused.into_iter().flatten() {
        report
            .error(PROJECT, "spec.metal.project", format!("project {id} is not listed for {what}"))
            .mend("choose another project, or extend its entry in spec.metal.projects of fleet.yaml")
            .reason(Reason::ProjectNotListed);
    }
}

fn partition(definition: &ClusterDefinition, fleet: &Fleet, report: &mut Report<'_>) -> Option<PartitionId> {
    let partition = definition.spec.metal.partition.as_ref().or(fleet.spec.metal.partition.as_ref());
    if partition.is_none() {
        report
            .error(PARTITION, "spec.metal.partition", "no partition, and the fleet has no default one")
            .mend("set spec.metal.partition here or in fleet.yaml");
    }
    partition.cloned()
}
