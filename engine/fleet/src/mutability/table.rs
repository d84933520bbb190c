//! The table itself, in the order of the schema.

use super::Change;
use super::Mutability::{Depends, Immutable, InPlace, Replaces};
use super::Replaced::{ControlPlane, Firewall, Machines, Pool};

macro_rules! table {
    ($($field:literal: $how:expr => $says:literal;)*) => {
        /// Every field of a definition. A test fails for one that is not here.
        pub const CHANGES: &[Change] = &[$(Change { field: $field, mutability: $how, says: $says },)*];
    };
}

table! {
    "metadata.name": Immutable => "another name is another cluster: define it in a folder of its own";
    "metadata.labels": InPlace => "overlays select by them: what another overlay gives is a change of its own";
    "spec.flavor": Depends =>
        "what it installs counts: CNI and cloud controller manager go only with addons.allowReinstall";
    "spec.purpose": InPlace => "defaults follow it: replicas of the control plane, allowReplacement, the grace period";
    "spec.stage": Depends =>
        "refused where the other stage implies another management cluster or namespace; what its policy and purpose \
         change counts as if written here";
    "spec.policy": Depends => "what the other policy changes counts as if written here";
    "spec.target.managementCluster": Immutable =>
        "moving the output would delete the machines here and make new ones there: define a new cluster there";
    "spec.target.namespace": Immutable => "another namespace is another cluster: define it in a folder of its own";
    "spec.metal.project": Immutable => "define a new cluster in the other project";
    "spec.metal.partition": Immutable => "define a new cluster in the other partition";
    "spec.kubernetes.version": Replaces(Machines) =>
        "up only, and one minor at a time; control plane first, then pools, each machine with the image of its \
         version";
    "spec.network.nodes.mode": Immutable =>
        "but for `adopt` with the very id that the lock holds, which hands it over to you: it is never freed then";
    "spec.network.nodes.id": Immutable => "nodes cannot move to another network: define a new cluster in it";
    "spec.network.nodes.length": Immutable => "a network cannot grow: define a new cluster with a larger one";
    "spec.network.pods": Immutable => "running pods have addresses of it: define a new cluster with the other range";
    "spec.network.services": Immutable =>
        "running services have addresses of it: define a new cluster with the other range";
    "spec.network.apiServerPort": Immutable =>
        "every kubeconfig and every node has the port: define a new cluster with the other one";
    "spec.network.cni.type": Depends =>
        "the CNI of a running cluster goes only with addons.allowReinstall, and with an outage";
    "spec.network.cni.version": InPlace => "the chart is upgraded";
    "spec.network.cni.values": InPlace => "the chart is upgraded";
    "spec.vip.mode": Immutable =>
        "but for `adopt` with the very address that the lock holds, which hands it over to you: it is never freed then";
    "spec.vip.network": Immutable =>
        "the address is in every kubeconfig and certificate: define a new cluster with the other one";
    "spec.vip.type": Immutable => "define a new cluster with the other type";
    "spec.vip.address": Immutable =>
        "the address is in every kubeconfig and certificate: define a new cluster with the other one";
    "spec.firewall.mode": Immutable => "a firewall has one owner for life: define a new cluster with the other mode";
    "spec.firewall.machineID": InPlace => "mode external: you replaced it, and this names the new one";
    "spec.firewall.size": Replaces(Firewall) => "the old one serves until the new one has phoned home";
    "spec.firewall.image": Replaces(Firewall) => "the old one serves until the new one has phoned home";
    "spec.firewall.networks": Replaces(Firewall) =>
        "the old one serves until the new one has phoned home; the first one is where services get their addresses, and another \
         order alone replaces nothing";
    "spec.firewall.rules.presets": Replaces(Firewall) => "rules are read when a firewall is installed, and never again";
    "spec.firewall.rules.egress": Replaces(Firewall) => "rules are read when a firewall is installed, and never again";
    "spec.firewall.rules.ingress": Replaces(Firewall) => "rules are read when a firewall is installed, and never again";
    "spec.firewall.egress[].network": Replaces(Firewall) =>
        "one more gives the firewall one more address; one less is refused: others may know the address, and it would \
         be freed";
    "spec.firewall.healthTimeout": InPlace => "counts at once";
    "spec.controlPlane.replicas": InPlace => "machines are added or freed, one after the other";
    "spec.controlPlane.size": Replaces(ControlPlane) => "one after the other";
    "spec.controlPlane.image": Replaces(ControlPlane) =>
        "one after the other; as does a policy's new version of it for the same Kubernetes version";
    "spec.controlPlane.drainTimeout": InPlace => "counts from the next machine that drains";
    "spec.controlPlane.healthCheck.nodeStartupTimeout": InPlace => "counts from the next machine that fails";
    "spec.controlPlane.healthCheck.unhealthyTimeout": InPlace => "counts from the next machine that fails";
    "spec.controlPlane.healthCheck.maxUnhealthy": InPlace => "not for control planes";
    "spec.pools[].name": Depends =>
        "another name is another pool; the old one is removed, which needs replicas: 0 in a commit before";
    "spec.pools[].replicas": InPlace =>
        "machines are added or freed; what was autoscaled comes back only at 0, else with min and max at one number";
    "spec.pools[].min": InPlace => "with max: from then on the autoscaler decides";
    "spec.pools[].max": InPlace => "with min: from then on the autoscaler decides";
    "spec.pools[].size": Replaces(Pool) => "within maxSurge and maxUnavailable";
    "spec.pools[].image": Replaces(Pool) => "within maxSurge and maxUnavailable";
    "spec.pools[].maxSurge": InPlace => "counts from the next replacement";
    "spec.pools[].maxUnavailable": InPlace => "counts from the next replacement";
    "spec.pools[].labels": Replaces(Pool) =>
        "but for labels of node-role.kubernetes.io, node-restriction.kubernetes.io and node.cluster.x-k8s.io, which \
         Cluster API changes in place";
    "spec.pools[].taints": Replaces(Pool) => "within maxSurge and maxUnavailable";
    "spec.pools[].drainTimeout": InPlace => "counts from the next machine that drains";
    "spec.pools[].healthCheck.nodeStartupTimeout": InPlace => "counts from the next machine that fails";
    "spec.pools[].healthCheck.unhealthyTimeout": InPlace => "counts from the next machine that fails";
    "spec.pools[].healthCheck.maxUnhealthy": InPlace => "counts from the next machine that fails";
    "spec.addons.ccm.enabled": Depends =>
        "the cloud controller manager of a running cluster goes only with addons.allowReinstall";
    "spec.addons.ccm.version": InPlace => "its manifest is applied anew";
    "spec.addons.ccm.defaultExternalNetwork": InPlace => "services that are there keep their addresses";
    "spec.addons.metallb.version": InPlace => "the chart is upgraded";
    "spec.addons.metallb.values": InPlace => "the chart is upgraded";
    "spec.addons.extra[].name": Depends =>
        "another name is another release; the old one stays installed, which a warning says";
    "spec.addons.extra[].repoURL": Depends => "the chart would be uninstalled and installed anew, which a warning says";
    "spec.addons.extra[].chart": Depends => "the chart would be uninstalled and installed anew, which a warning says";
    "spec.addons.extra[].version": InPlace => "the chart is upgraded";
    "spec.addons.extra[].namespace": Depends =>
        "the chart would be uninstalled and installed anew, which a warning says";
    "spec.addons.extra[].values": InPlace => "the chart is upgraded";
    "spec.addons.manifests": InPlace => "applied anew; what leaves the list stays in the workload cluster";
    "spec.addons.allowReinstall": InPlace => "allows, and does nothing by itself";
    "spec.rollout.allowReplacement": InPlace => "allows, and does nothing by itself";
    "spec.deletion.protect": InPlace => "refuses, and does nothing by itself";
    "spec.deletion.confirm": InPlace => "lifts the guards; from then on removing the file deletes the cluster";
    "spec.deletion.gracePeriod": InPlace => "counts when the cluster is deleted";
    "spec.patches": Depends =>
        "in place, unless it touches what makes machines or a firewall: then as the field that it goes before";
    "spec.paused": InPlace => "nothing is done while it is true";
}
