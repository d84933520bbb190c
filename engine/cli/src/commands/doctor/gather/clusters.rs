//! MetalStackClusters with what is around them, and whether their endpoints answer.

use super::{each, read_all};
use crate::commands::doctor::facts::{Cluster, Firewall, Reach, Read, Spec};
use crate::kube;
use ::kube::api::{Api, DynamicObject, ListParams};
use ::kube::core::DeserializeGuard;
use ::kube::{Client, ResourceExt as _};
use provider::api::{MetalStackCluster, MetalStackFirewallDeployment};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpStream;

/// A network plugin from a chart is chosen by this label of a Cluster.
const CNI_LABEL: &str = "cluster.metal-stack.io/cni";
/// Longest that a connection may take: beyond it no controller waits either.
const CONNECT_MAX: Duration = Duration::from_secs(3);

pub(super) async fn clusters(client: &Client) -> Read<Vec<Cluster>> {
    let ours = Api::<DeserializeGuard<MetalStackCluster>>::all(client.clone());
    let deployments = Api::<DeserializeGuard<MetalStackFirewallDeployment>>::all(client.clone());
    let (ours, deployments, owners) = tokio::join!(
        kube::all(&ours, ListParams::default()),
        kube::all(&deployments, ListParams::default()),
        kube::clusters(client),
    );
    let deployments = read_all(deployments).map(|all| all.into_iter().map(|d| (id(&d), d)).collect());
    let owners = owners.unwrap_or_default();
    let mut found: Vec<_> = read_all(ours)?.into_iter().map(|c| cluster(c, &deployments, &owners)).collect();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    let tried = each(endpoints(&found), |(host, port)| async move {
        let reach = reach(&host, port).await;
        ((host, port), reach)
    });
    let tried: BTreeMap<_, _> = tried.await.into_iter().collect();
    for spec in found.iter_mut().filter_map(|cluster| cluster.spec.as_mut().ok()) {
        spec.reach = spec.endpoint.as_ref().and_then(|endpoint| tried.get(endpoint).cloned());
    }
    Ok(found)
}

fn id<K: ::kube::Resource>(object: &K) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

type Deployments = Read<BTreeMap<String, DeserializeGuard<MetalStackFirewallDeployment>>>;

fn cluster(
    object: DeserializeGuard<MetalStackCluster>,
    deployments: &Deployments,
    owners: &[DynamicObject],
) -> Cluster {
    let id = id(&object);
    let object = match object.0 {
        Ok(object) => object,
        // Which field is missing; values are not repeated.
        Err(invalid) => return Cluster { id, spec: Err(invalid.error) },
    };
    let namespace = object.namespace().unwrap_or_default();
    let owner = owners.iter().find(|owner| {
        let reference = &owner.data["spec"]["infrastructureRef"];
        owner.metadata.namespace.as_deref() == Some(&namespace)
            && reference["kind"] == "MetalStackCluster"
            && reference["name"] == object.name_any()
    });
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let spec = object.spec;
    let endpoint = spec.control_plane_endpoint.and_then(|endpoint| {
        let port = u16::try_from(endpoint.port).ok().filter(|port| *port > 0)?;
        Some((filled(Some(endpoint.host))?, port))
    });
    let firewall = match spec.firewall_deployment_ref {
        None => Firewall::Unnamed,
        Some(reference) => firewall(&namespace, reference.name, deployments),
    };
    let spec = Spec {
        tag: id.replacen('/', ".", 1),
        project: spec.project_id,
        partition: spec.partition,
        network: filled(spec.node_network_id),
        credentials: spec.credentials_ref.map(|reference| format!("{namespace}/{}", reference.name)),
        firewall,
        endpoint,
        reach: None,
        initialized: owner.and_then(|owner| initialized(&owner.data)),
        wants_charts: owner.is_some_and(|owner| {
            owner.labels().get(CNI_LABEL).is_some_and(|cni| matches!(cni.as_str(), "calico" | "cilium"))
        }),
    };
    Cluster { id, spec: Ok(spec) }
}

/// Whether a control plane has been there once; the older contract says it by another field.
fn initialized(owner: &Value) -> Option<bool> {
    let status = owner["status"].as_object()?;
    let is_initialized = status.get("initialization").is_some_and(|i| i["controlPlaneInitialized"] == true);
    Some(is_initialized || status.get("controlPlaneReady").is_some_and(|ready| ready == true))
}

fn firewall(namespace: &str, name: String, deployments: &Deployments) -> Firewall {
    let deployments = match deployments {
        Ok(deployments) => deployments,
        Err(unread) => {
            return Firewall::Unread(format!("MetalStackFirewallDeployments cannot be read: {}", unread.why));
        }
    };
    match deployments.get(&format!("{namespace}/{name}")).map(|found| &found.0) {
        None => Firewall::NoDeployment(name),
        Some(Err(invalid)) => {
            Firewall::Unread(format!("MetalStackFirewallDeployment {name} cannot be read: {}", invalid.error))
        }
        Some(Ok(found)) => match &found.spec.managed_resource_ref {
            Some(reference) if !reference.name.is_empty() => Firewall::Named(reference.name.clone()),
            Some(_) | None => Firewall::Waiting(name),
        },
    }
}

fn endpoints(clusters: &[Cluster]) -> std::collections::BTreeSet<(String, u16)> {
    clusters.iter().filter_map(|cluster| cluster.spec.as_ref().ok()?.endpoint.clone()).collect()
}

async fn reach(host: &str, port: u16) -> Reach {
    match tokio::time::timeout(CONNECT_MAX, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no connection in {} s", CONNECT_MAX.as_secs())),
    }
}
