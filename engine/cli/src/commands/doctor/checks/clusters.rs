//! Each MetalStackCluster: what it names is in metal-api, and its API server is reached.

use super::Check;
use super::metal::words;
use crate::commands::doctor::facts::{Answers, Cluster, Firewall, Metal, MetalState, Plane, Project, Spec};
use std::collections::BTreeMap;

pub(super) const NAME: &str = "clusters";
const NETWORK_NAME: &str = "node-network";
const FIREWALL_NAME: &str = "firewall";
const ENDPOINT_NAME: &str = "endpoint";

pub(super) fn checks(plane: &Plane, metals: &BTreeMap<Option<String>, Metal>) -> Vec<Check> {
    let clusters = match &plane.clusters {
        Ok(clusters) => clusters,
        Err(unread) => return vec![Check::unread(NAME, "MetalStackClusters", unread)],
    };
    if clusters.is_empty() {
        return vec![Check::skipped(NAME, "there are no MetalStackClusters")];
    }
    // One subject after another, so that what belongs together stands together.
    let mut checks: Vec<_> = clusters.iter().filter_map(unusable).collect();
    let of = |check: fn(&Spec, &BTreeMap<Option<String>, Metal>) -> Check| {
        let usable = clusters.iter().filter_map(move |cluster| Some((&cluster.id, cluster.spec.as_ref().ok()?)));
        usable.map(move |(id, spec)| check(spec, metals).about(id))
    };
    checks.extend(of(network));
    checks.extend(of(firewall));
    checks.extend(of(|spec, _| endpoint(spec)));
    checks
}

fn unusable(cluster: &Cluster) -> Option<Check> {
    let error = cluster.spec.as_ref().err()?;
    let mend = "give it a spec with projectID and partition, or delete it";
    Some(Check::warning(NAME, format!("says nothing that can be used: {error}"), mend).about(&cluster.id))
}

/// What metal-api answered for the cluster's credentials and project; else why nothing is known.
fn project<'a>(spec: &Spec, metals: &'a BTreeMap<Option<String>, Metal>) -> Result<(&'a Answers, &'a Project), String> {
    let metal = metals.get(&spec.credentials).map(|metal| &metal.state);
    let Some(MetalState::Asked(answers)) = metal else { return Err("its metal-api was not asked".to_owned()) };
    match answers.projects.get(&spec.project) {
        Some(project) => Ok((answers, project)),
        None => Err("its metal-api did not answer".to_owned()),
    }
}

fn network(spec: &Spec, metals: &BTreeMap<Option<String>, Metal>) -> Check {
    let Some(network) = &spec.network else {
        return Check::skipped(NETWORK_NAME, "spec.nodeNetworkID is empty: none is allocated yet");
    };
    match project(spec, metals).map(|(_, project)| &project.networks) {
        Err(why) => Check::skipped(NETWORK_NAME, why),
        Ok(Err(trouble)) => Check::skipped(NETWORK_NAME, format!("networks cannot be listed: {}", words(trouble))),
        Ok(Ok(networks)) if networks.contains(network) => Check::ok(NETWORK_NAME, network),
        Ok(Ok(_)) => Check::failed(
            NETWORK_NAME,
            format!("metal-api has no network {network} in project {}", spec.project),
            "is this the metal-api that allocated it, and spec.projectID right? Nothing is allocated in its place",
        ),
    }
}

fn firewall(spec: &Spec, metals: &BTreeMap<Option<String>, Metal>) -> Check {
    let named = match &spec.firewall {
        Firewall::Unnamed => return Check::skipped(FIREWALL_NAME, "spec.firewallDeploymentRef names none"),
        Firewall::Waiting(name) => {
            let why = format!("MetalStackFirewallDeployment {name} names no firewall: none is allocated yet");
            return Check::skipped(FIREWALL_NAME, why);
        }
        Firewall::Unread(why) => return Check::skipped(FIREWALL_NAME, why),
        Firewall::NoDeployment(name) => {
            let why = format!("there is no MetalStackFirewallDeployment {name}, which it names");
            return Check::failed(FIREWALL_NAME, why, "apply it, or mend spec.firewallDeploymentRef");
        }
        Firewall::Named(named) => named,
    };
    let id = named.strip_prefix("metal://").and_then(|rest| rest.rsplit_once('/')).map(|(_, id)| id);
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        let why = format!("managedResourceRef.name is `{named}`");
        return Check::failed(FIREWALL_NAME, why, "it is written as metal://<partition>/<id>");
    };
    let firewalls = match project(spec, metals).map(|(_, project)| &project.firewalls) {
        Err(why) => return Check::skipped(FIREWALL_NAME, why),
        Ok(Err(trouble)) => {
            return Check::skipped(FIREWALL_NAME, format!("firewalls cannot be listed: {}", words(trouble)));
        }
        Ok(Ok(firewalls)) => firewalls,
    };
    if firewalls.contains_key(id) {
        return Check::ok(FIREWALL_NAME, id);
    }
    // A firewall is replaceable (R4); the object learns of the successor a moment later (R5).
    let successor = firewalls.iter().find(|(_, cluster)| cluster.as_deref() == Some(&spec.tag));
    match successor {
        Some((successor, _)) => Check::warning(
            FIREWALL_NAME,
            format!("metal-api has no firewall {id}, but {successor} of this cluster"),
            "wait for the provider or for the engine's commit; does it stay so, name the other in managedResourceRef",
        ),
        None => Check::failed(
            FIREWALL_NAME,
            format!("metal-api has no firewall {id} in project {}", spec.project),
            "its owner replaces it once the loss is certain; until then nothing leaves or enters the cluster",
        ),
    }
}

fn endpoint(spec: &Spec) -> Check {
    let Some((host, port)) = &spec.endpoint else {
        return Check::skipped(ENDPOINT_NAME, "spec.controlPlaneEndpoint is empty: no address is allocated yet");
    };
    let at = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    match (&spec.reach, spec.initialized) {
        (Some(Ok(())), _) => Check::ok(ENDPOINT_NAME, format!("{at} answers")),
        (_, Some(false)) => {
            Check::skipped(ENDPOINT_NAME, format!("{at} does not answer, and no control plane was there yet"))
        }
        (Some(Err(why)), _) => Check::warning(
            ENDPOINT_NAME,
            format!("{at} does not answer here: {why}"),
            "Cluster API needs the way from the management cluster: firewall rules, routes, and the control plane itself",
        ),
        (None, _) => Check::skipped(ENDPOINT_NAME, format!("{at} was not tried")),
    }
}
