//! The objects of the management cluster.

use super::{clusters, each, read, read_all, rights};
use crate::commands::doctor::checks::{CLUSTER_API_KINDS, policy_name};
use crate::commands::doctor::facts::{Lease, Plane, Read, Release};
use crate::commands::doctor::managers::Manager;
use crate::kube::{self, Server};
use ::kube::api::{Api, ApiResource, DynamicObject, ListParams};
use ::kube::core::GroupVersionKind;
use ::kube::{Client, ResourceExt as _};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use model::Timestamp;
use provider::names;
use std::collections::BTreeMap;

pub(super) async fn plane(server: &Server) -> Plane {
    let client = &server.client;
    let policies = Api::<ValidatingAdmissionPolicy>::all(client.clone());
    let bindings = Api::<ValidatingAdmissionPolicyBinding>::all(client.clone());
    let name = policy_name();
    let (crds, policy, binding, managers, inventory, leases, denied, has_charts, clusters) = tokio::join!(
        crds(client),
        policies.get_opt(&name),
        bindings.get_opt(&name),
        managers(client),
        inventory(client),
        leases(client),
        rights::denied(client),
        has_charts(client),
        clusters::clusters(client),
    );
    let (policy, binding) = (read(policy), read(binding));
    Plane { crds, policy, binding, managers, inventory, leases, denied, has_charts, clusters }
}

/// By name: a management cluster has hundreds of others.
async fn crds(client: &Client) -> BTreeMap<String, Read<Option<CustomResourceDefinition>>> {
    let theirs = CLUSTER_API_KINDS.iter().flat_map(|(_, kinds)| *kinds).map(|kind| (*kind).to_owned());
    let ours = provider::crds().into_iter().map(|crd| crd.name_any());
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    let one = |name: String| {
        let api = api.clone();
        async move {
            let found = read(api.get_opt(&name).await);
            (name, found)
        }
    };
    each(theirs.chain(ours), one).await.into_iter().collect()
}

async fn managers(client: &Client) -> Read<Vec<Manager>> {
    let all = kube::all(&Api::<Deployment>::all(client.clone()), ListParams::default()).await;
    read(all).map(|all| all.iter().filter_map(Manager::of).collect())
}

/// clusterctl's own list of what it installed. Who installs otherwise has none.
async fn inventory(client: &Client) -> BTreeMap<String, Release> {
    let kind = GroupVersionKind::gvk("clusterctl.cluster.x-k8s.io", "v1alpha3", "Provider");
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, "providers"));
    let Ok(found) = kube::all(&api, ListParams::default()).await else { return BTreeMap::new() };
    let release = |provider: DynamicObject| {
        let text = |field: &str| provider.data[field].as_str();
        Some((text("providerName")?.to_owned(), Release::parse(text("version")?)?))
    };
    found.into_iter().filter_map(release).collect()
}

/// In all namespaces: CAPMS's may be another than the provider's.
async fn leases(client: &Client) -> Read<Vec<Lease>> {
    let named = ListParams::default().fields(&format!("metadata.name={}", names::LEASE));
    let found = read(kube::all(&Api::<v1::Lease>::all(client.clone()), named).await)?;
    let lease = |lease: v1::Lease| {
        let namespace = lease.namespace().unwrap_or_default();
        let spec = lease.spec.unwrap_or_default();
        let renewed = spec.renew_time.and_then(|time| Timestamp::from_second(time.0.as_second()).ok());
        Lease { namespace, holder: spec.holder_identity.unwrap_or_default(), renewed }
    };
    Ok(found.into_iter().map(lease).collect())
}

/// Whether there is any HelmChartProxy; none where the kind is not there.
async fn has_charts(client: &Client) -> Read<bool> {
    let kind = GroupVersionKind::gvk("addons.cluster.x-k8s.io", "v1alpha1", "HelmChartProxy");
    let api: Api<DynamicObject> =
        Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, "helmchartproxies"));
    let found = api.list_metadata(&ListParams::default().limit(1)).await.map(|list| list.items);
    read_all(found).map(|found| !found.is_empty())
}
