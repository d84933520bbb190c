//! Objects as people, `clusterctl` and Cluster API write them.

use super::{PARTITION, PROJECT, Site, condition};
use base64::Engine as _;
use serde_json::{Value, json};

/// Our kinds, owners first.
pub const OURS: [&str; 5] = [
    "MetalStackCluster",
    "MetalStackFirewallDeployment",
    "MetalStackFirewallTemplate",
    "MetalStackMachine",
    "MetalStackMachineTemplate",
];

/// All kinds in which a provider could write.
pub const WRITTEN: [&str; 10] = [
    "MetalStackCluster",
    "MetalStackFirewallDeployment",
    "MetalStackFirewallTemplate",
    "MetalStackMachine",
    "MetalStackMachineTemplate",
    "Cluster",
    "Machine",
    "Secret",
    "Event",
    "Lease",
];

pub fn api_version(kind: &str) -> &'static str {
    match kind {
        "Cluster" | "Machine" | "MachineDeployment" | "MachineSet" => "cluster.x-k8s.io/v1beta2",
        "KubeadmControlPlane" => "controlplane.cluster.x-k8s.io/v1beta2",
        "Secret" | "ConfigMap" | "Namespace" => "v1",
        "Event" => "events.k8s.io/v1",
        "Lease" => "coordination.k8s.io/v1",
        _ => "infrastructure.cluster.x-k8s.io/v1alpha1",
    }
}

pub fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": api_version(kind), "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// `over` on top of `base`, field by field.
pub fn merged(mut base: Value, over: &Value) -> Value {
    for (key, value) in over.as_object().into_iter().flatten() {
        base[key] = if value.is_object() { merged(base[key].take(), value) } else { value.clone() };
    }
    base
}

fn reference(kind: &str, name: &str) -> Value {
    let group = api_version(kind).split('/').next();
    json!({"apiGroup": group, "kind": kind, "name": name})
}

/// A role of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    ControlPlane,
    Worker,
}

impl Site {
    /// The Cluster alone.
    #[track_caller]
    pub fn core_cluster(&self, name: &str, spec: &Value) -> Value {
        let base = json!({"infrastructureRef": reference("MetalStackCluster", name)});
        self.apply(&object("Cluster", name, &merged(base, spec)))
    }

    /// The MetalStackCluster alone, which nobody owns.
    #[track_caller]
    pub fn infrastructure(&self, name: &str, spec: &Value) -> Value {
        let base = json!({"projectID": PROJECT, "partition": PARTITION});
        self.apply(&object("MetalStackCluster", name, &merged(base, spec)))
    }

    /// A Cluster and its MetalStackCluster, owned as Cluster API does it.
    #[track_caller]
    pub fn cluster(&self, name: &str, spec: &Value) {
        self.core_cluster(name, &json!({}));
        self.infrastructure(name, spec);
        self.adopt("MetalStackCluster", name, name, "Cluster", name, false);
    }

    /// What Cluster API does when it meets an object: owner and label.
    #[track_caller]
    pub fn adopt(&self, kind: &str, name: &str, cluster: &str, owner_kind: &str, owner: &str, controller: bool) {
        let uid = self.read(owner_kind, owner)["metadata"]["uid"].clone();
        let mut owner = json!({"apiVersion": api_version(owner_kind), "kind": owner_kind, "name": owner, "uid": uid});
        if controller {
            owner["controller"] = json!(true);
            owner["blockOwnerDeletion"] = json!(true);
        }
        let labels = json!({"cluster.x-k8s.io/cluster-name": cluster});
        self.patch(kind, name, &json!({"metadata": {"ownerReferences": [owner], "labels": labels}}));
    }

    #[track_caller]
    pub fn firewall_template(&self, name: &str, spec: &Value) -> Value {
        let any = "0.0.0.0/0";
        let rule = |ports: &[u16], protocol: &str| json!({"ports": ports, "protocol": protocol, "to": [any]});
        let rules = json!({
            "egress": [rule(&[80, 443], "TCP"), rule(&[53, 123], "UDP")],
            "ingress": [{"ports": [443], "protocol": "TCP", "from": [any]}],
        });
        let base = json!({
            "size": "n1-medium-x86", "image": "firewall-ubuntu-3.0.20251001", "partition": PARTITION,
            "project": PROJECT, "networks": ["internet"], "initialRuleSet": rules,
        });
        self.apply(&object("MetalStackFirewallTemplate", name, &merged(base, spec)))
    }

    /// Template and deployment of this name; the MetalStackCluster refers to it by `firewallDeploymentRef`.
    #[track_caller]
    pub fn firewall(&self, name: &str, spec: &Value) {
        self.firewall_template(name, &json!({}));
        let base = json!({"firewallTemplateRef": {"name": name}, "autoUpdate": {"machineImage": true}});
        self.apply(&object("MetalStackFirewallDeployment", name, &merged(base, spec)));
    }

    /// A Cluster with a firewall, both of this name.
    #[track_caller]
    pub fn cluster_with_firewall(&self, name: &str, spec: &Value) {
        self.firewall(name, &json!({}));
        self.cluster(name, &merged(json!({"firewallDeploymentRef": {"name": name}}), spec));
    }

    /// What the kubeadm bootstrap provider writes.
    #[track_caller]
    pub fn bootstrap(&self, cluster: &str, name: &str, format: &str, value: Option<&str>) {
        let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "cluster.x-k8s.io/secret",
            "metadata": {"name": name, "labels": {"cluster.x-k8s.io/cluster-name": cluster}},
            "data": {"format": encoded(format)},
        });
        if let Some(value) = value {
            secret["data"]["value"] = json!(encoded(value));
        }
        self.apply(&secret);
    }

    /// A Machine with bootstrap data and its MetalStackMachine, owned as Cluster API does it.
    #[track_caller]
    pub fn machine(&self, cluster: &str, name: &str, role: Role) {
        self.machine_with(cluster, name, role, &json!({}), &json!({}));
    }

    #[track_caller]
    pub fn machine_with(&self, cluster: &str, name: &str, role: Role, core: &Value, spec: &Value) {
        self.bootstrap(cluster, name, "ignition", Some(&format!("{{\"ignition\": \"of {name}\"}}")));
        self.machine_without_bootstrap(cluster, name, role, &merged(bootstrapped(name), core), spec);
    }

    /// The same without the Secret.
    #[track_caller]
    pub fn machine_without_bootstrap(&self, cluster: &str, name: &str, role: Role, core: &Value, spec: &Value) {
        let base = json!({
            "clusterName": cluster, "version": "v1.34.2", "bootstrap": {},
            "infrastructureRef": reference("MetalStackMachine", name),
        });
        let mut machine = object("Machine", name, &merged(base, core));
        let base = json!({"size": "n1-medium-x86", "image": "capms-ubuntu-1.34.2"});
        let mut metal = object("MetalStackMachine", name, &merged(base, spec));
        for object in [&mut machine, &mut metal] {
            object["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"] = json!(cluster);
            if role == Role::ControlPlane {
                object["metadata"]["labels"]["cluster.x-k8s.io/control-plane"] = json!("");
            }
        }
        self.apply(&machine);
        self.apply(&metal);
        self.adopt("MetalStackMachine", name, cluster, "Machine", name, true);
    }

    /// What Cluster API's core does once the infrastructure is provisioned.
    #[track_caller]
    pub fn until_core_knows(&self, cluster: &str) {
        let infrastructure = self.until(&format!("{cluster} is provisioned"), || {
            let found = self.read("MetalStackCluster", cluster);
            let is = found["status"]["initialization"]["provisioned"] == true;
            if is { Ok(found) } else { Err(found.to_string()) }
        });
        let endpoint = &infrastructure["spec"]["controlPlaneEndpoint"];
        self.patch("Cluster", cluster, &json!({"spec": {"controlPlaneEndpoint": endpoint}}));
        self.patch_status("Cluster", cluster, &json!({"initialization": {"infrastructureProvisioned": true}}));
    }

    /// A cluster with firewall and machines, all of it ready.
    #[track_caller]
    pub fn whole_cluster(&self, name: &str, machines: &[(&str, Role)]) {
        self.cluster_with_firewall(name, &json!({}));
        self.complete(name, machines);
    }

    /// Adds machines to a cluster that comes up, and waits until all of it is ready.
    #[track_caller]
    pub fn complete(&self, cluster: &str, machines: &[(&str, Role)]) {
        self.until_core_knows(cluster);
        for (name, role) in machines {
            self.machine(cluster, name, *role);
        }
        for (name, _) in machines {
            self.until_ready("MetalStackMachine", name);
        }
        self.until_ready("MetalStackCluster", cluster);
    }

    /// In the order of Cluster API: machines, infrastructure, Cluster. The firewall goes with the infrastructure.
    #[track_caller]
    pub fn delete_whole_cluster(&self, name: &str) {
        let of_cluster = |object: &Value| object["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"] == name;
        let machines: Vec<Value> = self.list("MetalStackMachine").into_iter().filter(of_cluster).collect();
        let names = || machines.iter().filter_map(|machine| machine["metadata"]["name"].as_str());
        names().for_each(|machine| self.delete("MetalStackMachine", machine));
        for machine in names() {
            self.until_gone("MetalStackMachine", machine);
            self.delete("Machine", machine);
        }
        self.delete_whole("MetalStackCluster", name);
        self.delete("Cluster", name);
    }

    /// `(status, reason)` of a condition, empty where there is none.
    #[track_caller]
    pub fn said(&self, kind: &str, name: &str, of: &str) -> (String, String) {
        let object = self.read(kind, name);
        let text = |field: &str| condition(&object, of).and_then(|c| c[field].as_str()).unwrap_or_default().to_owned();
        (text("status"), text("reason"))
    }
}

pub fn bootstrapped(name: &str) -> Value {
    json!({"bootstrap": {"dataSecretName": name}})
}
