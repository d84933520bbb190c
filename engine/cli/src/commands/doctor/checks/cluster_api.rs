//! Cluster API and its add-on provider (R26).

use super::{Check, some};
use crate::commands::doctor::facts::{Plane, Release};
use crate::commands::doctor::managers::{Manager, Role};

const KINDS_NAME: &str = "cluster-api-kinds";
const VERSION_NAME: &str = "cluster-api-version";
const GATES_NAME: &str = "feature-gates";
/// Said, and never wrong.
const TOPOLOGY_NAME: &str = "cluster-topology";
const ADDONS_NAME: &str = "add-on-provider";
pub(super) const NAMES: [&str; 4] = [KINDS_NAME, VERSION_NAME, GATES_NAME, ADDONS_NAME];

/// What is rendered needs it (R26).
const CORE_MIN: (u32, u32) = (1, 11);
/// The version that what is rendered has; served from 1.11 on.
const SERVED: &str = "v1beta2";
const IGNITION: &str = "KubeadmBootstrapFormatIgnition";
const TOPOLOGY: &str = "ClusterTopology";
const CHARTS: &str = "helmchartproxies.addons.cluster.x-k8s.io";

const INSTALL: &str = "EXP_KUBEADM_BOOTSTRAP_FORMAT_IGNITION=true clusterctl init --core cluster-api --bootstrap kubeadm \
     --control-plane kubeadm --addon helm";

/// Kinds that clusters consist of, by who brings them.
pub(in crate::commands::doctor) const KINDS: [(&str, &[&str]); 4] = [
    (
        "core",
        &[
            "clusters.cluster.x-k8s.io",
            "machines.cluster.x-k8s.io",
            "machinesets.cluster.x-k8s.io",
            "machinedeployments.cluster.x-k8s.io",
            "machinehealthchecks.cluster.x-k8s.io",
            "clusterresourcesets.addons.cluster.x-k8s.io",
        ],
    ),
    (
        "kubeadm bootstrap",
        &["kubeadmconfigs.bootstrap.cluster.x-k8s.io", "kubeadmconfigtemplates.bootstrap.cluster.x-k8s.io"],
    ),
    (CONTROL_PLANE, &["kubeadmcontrolplanes.controlplane.cluster.x-k8s.io"]),
    (CHART_PROVIDER, &[CHARTS]),
];
const CONTROL_PLANE: &str = "kubeadm control plane";
/// Judged by whether it is needed.
const CHART_PROVIDER: &str = "helm";

pub(super) fn checks(plane: &Plane) -> Vec<Check> {
    let of_providers = KINDS.iter().filter(|(provider, _)| *provider != CHART_PROVIDER);
    let mut checks: Vec<_> = of_providers.map(|(provider, kinds)| served(plane, provider, kinds)).collect();
    checks.push(version(plane));
    checks.extend(gates(plane));
    checks.push(addons(plane));
    checks
}

/// Of the core manager's image, else of what clusterctl wrote down.
pub(super) fn core_release(plane: &Plane) -> Option<&Release> {
    let managers = plane.managers.as_deref().unwrap_or_default();
    let of_image = managers.iter().filter(|manager| manager.role == Role::Core).find_map(|m| m.version.as_ref());
    of_image.or_else(|| plane.inventory.get("cluster-api"))
}

fn served(plane: &Plane, provider: &str, kinds: &[&str]) -> Check {
    let (mut missing, mut old) = (Vec::new(), Vec::new());
    for kind in kinds {
        match plane.crds.get(*kind) {
            Some(Ok(Some(crd))) => {
                let versions = crd.spec.versions.iter().filter(|version| version.served).map(|v| v.name.as_str());
                let versions: Vec<_> = versions.collect();
                if !versions.contains(&SERVED) {
                    old.push(format!("{kind} ({})", versions.join(", ")));
                }
            }
            Some(Ok(None)) | None => missing.push((*kind).to_owned()),
            Some(Err(unread)) => return Check::unread(KINDS_NAME, kind, unread).about(provider),
        }
    }
    let check = match (&missing[..], &old[..]) {
        ([], []) => Check::ok(KINDS_NAME, format!("served as {SERVED}")),
        ([], old) => Check::failed(
            KINDS_NAME,
            format!("not served as {SERVED}: {}", some(old)),
            "upgrade Cluster API to 1.11 or newer: clusterctl upgrade plan",
        ),
        (missing, _) if provider == CONTROL_PLANE => Check::warning(
            KINDS_NAME,
            format!("not there: {}; only clusters with hosted control planes do without", some(missing)),
            INSTALL,
        ),
        (missing, _) => Check::failed(KINDS_NAME, format!("not there: {}", some(missing)), INSTALL),
    };
    check.about(provider)
}

fn version(plane: &Plane) -> Check {
    let managers = match &plane.managers {
        Ok(managers) => managers,
        Err(unread) if core_release(plane).is_none() => return Check::unread(VERSION_NAME, "Deployments", unread),
        Err(_) => &Vec::new(),
    };
    let core = managers.iter().find(|manager| manager.role == Role::Core);
    let Some(release) = core_release(plane) else {
        let seen = core.map_or_else(
            || "no Deployment of the core manager is there".to_owned(),
            |core| format!("the image of Deployment {} says no version: {}", core.id(), core.image),
        );
        return Check::skipped(VERSION_NAME, format!("{seen}; 1.11 or newer is needed"));
    };
    if release.minor < CORE_MIN {
        let why = format!("Cluster API is {}, and what is rendered needs 1.11", release.text);
        return Check::failed(VERSION_NAME, why, "clusterctl upgrade plan, then clusterctl upgrade apply");
    }
    match core.filter(|core| core.replicas == 0) {
        Some(core) => Check::warning(
            VERSION_NAME,
            format!("Deployment {} of {} has no replicas: nothing reconciles clusters", core.id(), release.text),
            scale(core, 1),
        ),
        None => Check::ok(VERSION_NAME, release.text.clone()),
    }
}

pub(super) fn scale(manager: &Manager, replicas: i32) -> String {
    let Manager { namespace, name, .. } = manager;
    format!("kubectl --namespace {namespace} scale deployment {name} --replicas {replicas}")
}

/// Machines of metal-stack boot with ignition, which kubeadm's managers make only when told so; webhooks of both ask.
fn gates(plane: &Plane) -> Vec<Check> {
    let managers = match &plane.managers {
        Ok(managers) => managers,
        Err(unread) => return vec![Check::unread(GATES_NAME, "Deployments", unread)],
    };
    let mut checks = Vec::new();
    for (role, provider) in [(Role::KubeadmBootstrap, "kubeadm bootstrap"), (Role::KubeadmControlPlane, CONTROL_PLANE)]
    {
        let mut found = managers.iter().filter(|manager| manager.role == role).peekable();
        if found.peek().is_none() {
            let why = format!("no Deployment of its manager is there; it needs --feature-gates={IGNITION}=true");
            checks.push(Check::skipped(GATES_NAME, why).about(provider));
        }
        checks.extend(found.map(|manager| ignition(manager).about(provider)));
    }
    for core in managers.iter().filter(|manager| manager.role == Role::Core) {
        let is_on = core.gates.get(TOPOLOGY).copied().flatten().unwrap_or(false);
        let said = if is_on { "on" } else { "off: ClusterClasses are not available, and not needed" };
        checks.push(Check::ok(TOPOLOGY_NAME, format!("{TOPOLOGY} is {said}")));
    }
    checks
}

fn ignition(manager: &Manager) -> Check {
    let id = manager.id();
    match manager.gates.get(IGNITION) {
        Some(Some(true)) => Check::ok(GATES_NAME, format!("{IGNITION} is on")),
        Some(None) => Check::warning(
            GATES_NAME,
            format!("whether {IGNITION} is on in Deployment {id} cannot be told: its value comes from elsewhere"),
            format!("see that it is true in the arguments of Deployment {id}"),
        ),
        Some(Some(false)) | None => Check::failed(
            GATES_NAME,
            format!("{IGNITION} is off in Deployment {id}: machines of metal-stack boot with ignition"),
            format!(
                "give its container `manager` the argument --feature-gates={IGNITION}=true, or export \
                 EXP_KUBEADM_BOOTSTRAP_FORMAT_IGNITION=true before clusterctl init or upgrade"
            ),
        ),
    }
}

fn addons(plane: &Plane) -> Check {
    let wanting = || {
        let clusters = plane.clusters.as_deref().unwrap_or_default().iter();
        let wanting = clusters.filter(|cluster| cluster.spec.as_ref().is_ok_and(|spec| spec.wants_charts));
        wanting.map(|cluster| cluster.id.clone()).collect::<Vec<_>>()
    };
    let mend = "clusterctl init --addon helm";
    match plane.crds.get(CHARTS) {
        Some(Err(unread)) => Check::unread(ADDONS_NAME, CHARTS, unread),
        Some(Ok(Some(_))) => match (&plane.has_charts, &plane.managers) {
            (Ok(true), Ok(managers)) if !managers.iter().any(|m| m.role == Role::Helm && m.replicas > 0) => {
                Check::warning(
                    ADDONS_NAME,
                    "there are HelmChartProxies, and no Deployment of the add-on provider for Helm runs",
                    format!("{mend}, or scale its Deployment up"),
                )
            }
            (Err(unread), _) => Check::unread(ADDONS_NAME, "HelmChartProxies", unread),
            _ => Check::ok(ADDONS_NAME, "the add-on provider for Helm is there"),
        },
        Some(Ok(None)) | None => match &wanting()[..] {
            [] => Check::skipped(ADDONS_NAME, "the add-on provider for Helm is not there, and no cluster asks for it"),
            clusters => {
                let why = format!("the add-on provider for Helm is not there, and {} need it", some(clusters));
                Check::failed(ADDONS_NAME, why, mend)
            }
        },
    }
}
