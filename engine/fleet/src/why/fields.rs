//! Every effective field in the order of the schema, with the document that gives it where nobody wrote it.

use super::{Or, Teller};
use model::definition::{DeletionWish, FirewallMode, RulePreset, SlotMode};
use model::lock::Values;
use model::want::{
    CniSpec, DeletionSpec, Effective, FirewallSpec, Flavor, HealthCheckSpec, ImageSpec, InstalledCni, MachineSpec,
    MetallbSpec, NodesSpec, Origin, PoolSpec, Setting, VipSpec,
};
use serde::Serialize;

pub(super) fn tell(teller: &mut Teller<'_>) {
    let trace = teller.trace;
    let effective = trace.cluster.effective.clone();
    let Effective {
        flavor,
        purpose,
        stage,
        policy,
        provider: _,
        labels,
        kubernetes,
        version: _,
        nodes,
        pods,
        services,
        api_port,
        cni,
        vip,
        firewall,
        control_plane,
        control_plane_drain,
        control_plane_health,
        pools,
        ccm: _,
        metallb,
        charts,
        manifests,
        allow_reinstall,
        images: _,
        patches: _,
        gitops: _,
        node_api_url: _,
        paused,
        allow_replacement,
        deletion,
    } = &*effective;
    teller.given("metadata.labels", (!labels.is_empty()).then_some(labels));
    let name = match flavor.value {
        Flavor::Default => "default",
        Flavor::Calico => "calico",
        Flavor::PreV133 => "pre-v1.33",
    };
    teller.say("spec.flavor", name, Or::BuiltIn);
    teller.say("spec.purpose", purpose.value, stage_or_built_in(purpose, "purpose"));
    teller.say("spec.stage", stage, Or::Folder);
    let of_stage = if trace.home.stage.policy.is_some() { Or::Stage("policy") } else { Or::BuiltIn };
    teller.say("spec.policy", policy, of_stage);
    identity(teller);
    kubernetes_version(teller, &kubernetes.to_string());
    node_network(teller, nodes);
    teller.say("spec.network.pods", [pods.value], Or::Policy("spec.defaults.pods".to_owned()));
    teller.say("spec.network.services", [services.value], Or::Policy("spec.defaults.services".to_owned()));
    teller.say("spec.network.apiServerPort", api_port.value, Or::BuiltIn);
    self::cni(teller, cni.as_ref());
    self::vip(teller, vip);
    self::firewall(teller, firewall);
    machines(teller, "spec.controlPlane", control_plane, true);
    teller.say("spec.controlPlane.drainTimeout", control_plane_drain.value, Or::BuiltIn);
    health(teller, "spec.controlPlane.healthCheck", control_plane_health.as_ref(), true);
    for (index, pool) in pools.iter().enumerate() {
        self::pool(teller, &format!("spec.pools[{index}]"), pool);
    }
    ccm(teller);
    if let Some(MetallbSpec { version, values }) = metallb {
        teller.say("spec.addons.metallb.version", &version.value, Or::Policy("spec.defaults.metallb".to_owned()));
        teller.object("spec.addons.metallb.values", values.as_ref());
    }
    teller.given("spec.addons.extra", (!charts.is_empty()).then_some(charts));
    teller.given("spec.addons.manifests", (!manifests.is_empty()).then_some(manifests));
    teller.say("spec.addons.allowReinstall", allow_reinstall, Or::BuiltIn);
    teller.say("spec.rollout.allowReplacement", allow_replacement.value, Or::BuiltIn);
    let DeletionSpec { is_confirmed: _, grace_period } = deletion;
    let DeletionWish { protect, confirm, grace_period: _ } = trace.cluster.deletion.clone();
    teller.say("spec.deletion.protect", protect.unwrap_or_default(), Or::BuiltIn);
    teller.given("spec.deletion.confirm", confirm);
    teller.say("spec.deletion.gracePeriod", grace_period.value, Or::BuiltIn);
    patches(teller);
    teller.say("spec.paused", paused, Or::BuiltIn);
}

fn stage_or_built_in<T>(setting: &Setting<T>, field: &'static str) -> Or {
    if setting.from == Origin::Stage { Or::Stage(field) } else { Or::BuiltIn }
}

fn values<'t>(teller: &Teller<'t>) -> Option<&'t Values> {
    teller.trace.cluster.lock.as_deref().map(|lock| &lock.values)
}

fn identity(teller: &mut Teller<'_>) {
    let (cluster, metal) = (teller.trace.cluster, &teller.trace.fleet.spec.metal);
    teller.say("spec.target.managementCluster", &cluster.identity.management_cluster, Or::Stage("managementCluster"));
    let of_stage = if teller.trace.home.stage.namespace.is_some() { Or::Stage("namespace") } else { Or::BuiltIn };
    teller.say("spec.target.namespace", cluster.id.namespace(), of_stage);
    // Without a default the only project of the fleet is meant.
    let project = if metal.project.is_some() { "spec.metal.project" } else { "spec.metal.projects[0].id" };
    teller.say("spec.metal.project", &cluster.identity.project, Or::Fleet(project.to_owned()));
    teller.say("spec.metal.partition", &cluster.identity.partition, Or::Fleet("spec.metal.partition".to_owned()));
}

/// What is written is a wish; the version is the lock's while the wish admits it.
fn kubernetes_version(teller: &mut Teller<'_>, wish: &str) {
    const FIELD: &str = "spec.kubernetes.version";
    let version = teller.trace.cluster.effective.version.clone();
    let locked = values(teller).and_then(|v| v.kubernetes.as_ref()).is_some_and(|k| k.version == version);
    if !locked {
        let is_chosen = version.to_string() != wish;
        let note = if is_chosen {
            format!("`{wish}`: the best that {} offers", teller.trace.offer.path)
        } else {
            String::new()
        };
        return teller.noted(FIELD, version, Or::BuiltIn, note);
    }
    let (_, file, line) = teller.written(FIELD).unwrap_or_else(|| teller.other(Or::BuiltIn));
    let note = format!("`{wish}` in {file}:{line}");
    locked_value(teller, FIELD, version, "values.kubernetes.version", note);
}

/// A value of the lock, whatever stands in the definition.
fn locked_value(teller: &mut Teller<'_>, field: &str, value: impl Serialize, at: &'static str, note: String) {
    let (origin, file, line) = teller.other(Or::Lock(at));
    let value = serde_json::json!(value);
    teller.settings.push(super::Setting { field: field.to_owned(), value, origin, file, line, note });
}

fn node_network(teller: &mut Teller<'_>, nodes: &NodesSpec) {
    let NodesSpec { mode, id, length } = nodes;
    teller.say("spec.network.nodes.mode", mode.value, Or::BuiltIn);
    let locked = values(teller).and_then(|v| v.node_network.as_ref());
    if let Some(id) = id.as_ref().or(locked.map(|network| &network.id)) {
        let prefixes: Vec<_> = locked.iter().flat_map(|n| n.prefixes.iter().map(ToString::to_string)).collect();
        teller.noted("spec.network.nodes.id", id, Or::Lock("values.nodeNetwork.id"), prefixes.join(", "));
    } else if mode.value == SlotMode::Allocate {
        not_yet(teller, "spec.network.nodes.id");
    }
    teller.given("spec.network.nodes.length", *length);
}

/// A slot that the engine will fill.
fn not_yet(teller: &mut Teller<'_>, field: &str) {
    teller.noted(field, (), Or::BuiltIn, "not allocated yet".to_owned());
}

fn cni(teller: &mut Teller<'_>, cni: Option<&CniSpec>) {
    let Some(CniSpec { kind, version, values }) = cni else {
        return teller.say("spec.network.cni.type", "none", Or::BuiltIn);
    };
    teller.say("spec.network.cni.type", kind, Or::BuiltIn);
    let default = match kind {
        InstalledCni::Calico => "spec.defaults.calico",
        InstalledCni::Cilium => "spec.defaults.cilium",
    };
    teller.say("spec.network.cni.version", &version.value, Or::Policy(default.to_owned()));
    teller.object("spec.network.cni.values", values.as_ref());
}

fn vip(teller: &mut Teller<'_>, vip: &VipSpec) {
    let VipSpec { mode, network, kind, address } = vip;
    teller.say("spec.vip.mode", mode.value, Or::BuiltIn);
    let default = of_partition(teller, "defaultNetwork");
    teller.say("spec.vip.network", &network.value, default);
    teller.say("spec.vip.type", kind.value, Or::BuiltIn);
    let locked = values(teller).and_then(|v| v.vip.as_ref()).map(|vip| vip.address);
    match (address.or(locked), mode.value) {
        (Some(address), _) => teller.say("spec.vip.address", address, Or::Lock("values.vip.address")),
        (None, SlotMode::Allocate) => not_yet(teller, "spec.vip.address"),
        (None, SlotMode::Adopt | SlotMode::Delegate) => {}
    }
}

/// A field of the cluster's partition in its policy.
fn of_partition(teller: &Teller<'_>, field: &str) -> Or {
    let wanted = &teller.trace.cluster.identity.partition;
    let regions = &teller.trace.offer.policy.spec.regions;
    let found = regions.iter().enumerate().find_map(|(r, region)| {
        region.partitions.iter().position(|partition| partition.name == *wanted).map(|p| (r, p))
    });
    let (r, p) = found.unwrap_or_default();
    Or::Policy(format!("spec.regions[{r}].partitions[{p}].{field}"))
}

fn firewall(teller: &mut Teller<'_>, firewall: &FirewallSpec) {
    let FirewallSpec {
        mode,
        machine,
        size,
        image,
        networks,
        base_rules,
        written_egress,
        written_ingress,
        node_api_cidrs: _,
        node_api_port: _,
        egress,
        health_timeout,
    } = firewall;
    teller.say("spec.firewall.mode", mode.value, Or::BuiltIn);
    let locked = values(teller).and_then(|v| v.firewall.as_ref());
    match machine.as_ref().or(locked.map(|firewall| &firewall.id)) {
        Some(id) => teller.say("spec.firewall.machineID", id, Or::Lock("values.firewall.id")),
        None if mode.value == FirewallMode::Engine => not_yet(teller, "spec.firewall.machineID"),
        None => {}
    }
    if mode.value != FirewallMode::External {
        let default = of_partition(teller, "firewall.types[0]");
        teller.say("spec.firewall.size", &size.value, default);
        let resolved = locked.map(|firewall| firewall.image.to_string()).filter(|id| *id != image.value.to_string());
        let note = resolved.map_or_else(String::new, |id| format!("resolved to {id}"));
        let default = of_partition(teller, "firewall.images[0]");
        teller.noted("spec.firewall.image", &image.value, default, note);
        let default = of_partition(teller, "defaultNetwork");
        teller.say("spec.firewall.networks", &networks.value, default);
        let presets: &[RulePreset] = if base_rules.value { &[RulePreset::Base] } else { &[] };
        teller.say("spec.firewall.rules.presets", presets, Or::BuiltIn);
    }
    teller.given("spec.firewall.rules.egress", (!written_egress.is_empty()).then_some(written_egress));
    teller.given("spec.firewall.rules.ingress", (!written_ingress.is_empty()).then_some(written_ingress));
    if !egress.is_empty() {
        let addresses = values(teller).into_iter().flat_map(|v| &v.egress_ips).map(|ip| ip.address.to_string());
        let note = addresses.collect::<Vec<_>>().join(", ");
        let networks: Vec<_> = egress.iter().map(|network| serde_json::json!({"network": network})).collect();
        teller.noted("spec.firewall.egress", networks, Or::BuiltIn, note);
    }
    if mode.value == FirewallMode::Engine {
        teller.say("spec.firewall.healthTimeout", health_timeout.value, Or::BuiltIn);
    }
}

fn machines(teller: &mut Teller<'_>, field: &str, machines: &MachineSpec, has_replicas: bool) {
    let MachineSpec { replicas, size, image, reserve: _ } = machines;
    if has_replicas {
        teller.say(&format!("{field}.replicas"), replicas.value, Or::BuiltIn);
    }
    let policy = &teller.trace.offer.policy.spec;
    let type_index = policy.machine_types.iter().position(|one| one.name == size.value).unwrap_or_default();
    teller.say(&format!("{field}.size"), &size.value, Or::Policy(format!("spec.machineTypes[{type_index}].name")));
    let ImageSpec { wish, id, kube_vip } = image;
    let note =
        format!("`{}` for Kubernetes {}, with kube-vip {kube_vip}", wish.value, teller.trace.cluster.effective.version);
    teller.noted(&format!("{field}.image"), id, Or::Policy("spec.machineImages[0].name".to_owned()), note);
}

fn health(teller: &mut Teller<'_>, field: &str, health: Option<&HealthCheckSpec>, is_control_plane: bool) {
    let Some(HealthCheckSpec { node_startup_timeout, unhealthy_timeout, max_unhealthy }) = health else { return };
    teller.say(&format!("{field}.nodeStartupTimeout"), node_startup_timeout.value, Or::BuiltIn);
    teller.say(&format!("{field}.unhealthyTimeout"), unhealthy_timeout.value, Or::BuiltIn);
    if !is_control_plane {
        let value = max_unhealthy.map_or_else(|| serde_json::json!("1 or 20%"), |max| serde_json::json!(max));
        teller.say(&format!("{field}.maxUnhealthy"), value, Or::BuiltIn);
    }
}

fn pool(teller: &mut Teller<'_>, field: &str, pool: &PoolSpec) {
    let PoolSpec { name, machines, autoscale, max_surge, max_unavailable, labels, taints, drain, health } = pool;
    let at = |name: &str| format!("{field}.{name}");
    teller.say(&at("name"), name, Or::BuiltIn);
    if let Some(scale) = autoscale {
        teller.say(&at("min"), scale.min, Or::BuiltIn);
        teller.say(&at("max"), scale.max, Or::BuiltIn);
    }
    self::machines(teller, field, machines, autoscale.is_none());
    teller.say(&at("maxSurge"), max_surge.value, Or::BuiltIn);
    teller.say(&at("maxUnavailable"), max_unavailable.value, Or::BuiltIn);
    teller.given(&at("labels"), (!labels.is_empty()).then_some(labels));
    teller.given(&at("taints"), (!taints.is_empty()).then_some(taints));
    teller.say(&at("drainTimeout"), drain.value, Or::BuiltIn);
    self::health(teller, &at("healthCheck"), health.as_ref(), false);
}

fn ccm(teller: &mut Teller<'_>) {
    let effective = teller.trace.cluster.effective.clone();
    teller.say("spec.addons.ccm.enabled", effective.ccm.is_some(), Or::BuiltIn);
    let Some(ccm) = &effective.ccm else { return };
    teller.say("spec.addons.ccm.version", &ccm.version.value, Or::Policy("spec.defaults.ccm".to_owned()));
    // The first of the firewall's, wherever these come from.
    let network = ccm.default_external_network.as_ref().or(effective.firewall.networks.value.first());
    if let Some(network) = network {
        let is_written = ccm.default_external_network.is_some();
        let note = if is_written { "" } else { "the first of spec.firewall.networks" };
        teller.noted("spec.addons.ccm.defaultExternalNetwork", network, Or::BuiltIn, note.to_owned());
    }
}

/// Of overlays in their order, then the definition's.
fn patches(teller: &mut Teller<'_>) {
    let effective = teller.trace.cluster.effective.clone();
    for (index, sourced) in effective.patches.iter().enumerate() {
        let is_own = sourced.file == teller.trace.cluster.path;
        let origin = if is_own { super::Source::Definition } else { super::Source::Overlay };
        let line = teller.line(&sourced.file, &sourced.field).unwrap_or_default();
        teller.settings.push(super::Setting {
            field: format!("spec.patches[{index}]"),
            value: serde_json::json!(sourced.patch),
            origin,
            file: sourced.file.clone(),
            line,
            note: format!("{} there", sourced.field),
        });
    }
}
