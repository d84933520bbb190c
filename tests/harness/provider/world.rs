//! What metal-api has: read past the provider, and changed past it.

use super::{PARTITION, PROJECT, Site};
use metal_sim::{Call, MachineIncident};
use serde_json::{Value, json};

impl Site {
    /// Everything that somebody has, in any project: `network <id>`, `ip <address>`, `machine <id>`, `firewall <id>`.
    /// Addresses that machines acquired go with them.
    pub fn left(&self) -> Vec<String> {
        let mut left: Vec<String> = self.networks().iter().map(|n| format!("network {}", text(&n["id"]))).collect();
        left.extend(self.addresses().iter().map(|ip| format!("ip {}", text(&ip["ipaddress"]))));
        left.extend(self.servers().iter().map(|m| format!("{} {}", text(&m["allocation"]["role"]), text(&m["id"]))));
        left
    }

    /// Node networks of all projects.
    pub fn networks(&self) -> Vec<Value> {
        let all = self.all("networks");
        all.into_iter().filter(|network| network["parentnetworkid"].as_str().is_some_and(|id| !id.is_empty())).collect()
    }

    /// Addresses that no machine acquired by itself.
    pub fn addresses(&self) -> Vec<Value> {
        let acquired = |ip: &Value| ip["description"] == "autoassigned";
        self.all("ips").into_iter().filter(|ip| !acquired(ip)).collect()
    }

    /// Allocated machines and firewalls.
    pub fn servers(&self) -> Vec<Value> {
        self.all("machines").into_iter().filter(|machine| machine["allocation"].is_object()).collect()
    }

    pub fn servers_of(&self, role: &str) -> Vec<Value> {
        self.servers().into_iter().filter(|machine| machine["allocation"]["role"] == role).collect()
    }

    fn all(&self, kind: &str) -> Vec<Value> {
        self.sim.state()[kind].as_array().cloned().unwrap_or_default()
    }

    /// The one server of this role.
    #[track_caller]
    pub fn only(&self, role: &str) -> Value {
        let mut servers = self.servers_of(role);
        assert_eq!(servers.len(), 1, "{role}: {servers:#?}");
        servers.remove(0)
    }

    /// Calls that changed something, `created network <id>` and the like.
    pub fn effects(&self) -> Vec<String> {
        self.sim.calls().into_iter().filter_map(|call| call.effect).collect()
    }

    /// Effects that begin so.
    pub fn count(&self, prefix: &str) -> usize {
        self.effects().iter().filter(|effect| effect.starts_with(prefix)).count()
    }

    /// Calls that would change something, answered or not.
    pub fn writes(&self) -> Vec<Call> {
        self.sim.calls().into_iter().filter(|call| !is_read(call)).collect()
    }

    pub fn calls_of(&self, method: &str, ending: &str) -> usize {
        self.sim.calls().iter().filter(|call| call.method == method && call.path.ends_with(ending)).count()
    }

    #[track_caller]
    pub fn until_nothing_is_left(&self) {
        self.until("nothing is allocated", || {
            let left = self.left();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
    }

    pub fn incident(&self, machine: &str, incident: &MachineIncident) {
        self.sim.machine_incident(machine, incident).unwrap_or_else(|e| panic!("{machine}: {e}"));
    }

    /// A call of an administrator.
    #[track_caller]
    pub fn metal(&self, method: &str, path: &str, body: &Value) -> Value {
        crate::administrator::call(&self.sim, method, path, body)
    }

    /// A node network of a project, with these labels; its id.
    #[track_caller]
    pub fn given_network(&self, project: &str, labels: &Value) -> String {
        let body = json!({
            "projectid": project, "partitionid": PARTITION, "name": "given", "labels": labels, "addressfamily": "IPv4",
        });
        text(&self.metal("POST", "/v1/network/allocate", &body)["id"])
    }

    /// An address of the internet; itself.
    #[track_caller]
    pub fn given_address(&self, project: &str, kind: &str, tags: &[&str]) -> String {
        let body = json!({
            "projectid": project, "networkid": "internet", "name": "given", "type": kind, "tags": tags,
            "addressfamily": "IPv4",
        });
        text(&self.metal("POST", "/v1/ip/allocate", &body)["ipaddress"])
    }

    /// A machine in this network; its id.
    #[track_caller]
    pub fn given_machine(&self, project: &str, network: &str, tags: &[String]) -> String {
        let body = json!({
            "projectid": project, "partitionid": PARTITION, "sizeid": "n1-medium-x86",
            "imageid": "capms-ubuntu-1.34.2", "name": "given", "hostname": "given", "tags": tags,
            "networks": [{"networkid": network, "autoacquire": true}], "ips": [], "ssh_pub_keys": [],
        });
        text(&self.metal("POST", "/v1/machine/allocate", &body)["id"])
    }

    /// A firewall of this network and the internet; its id.
    #[track_caller]
    pub fn given_firewall(&self, network: &str, tags: &[String]) -> String {
        let rule = json!({"ports": [443], "protocol": "TCP", "to": ["0.0.0.0/0"]});
        let networks = [network, "internet"].map(|id| json!({"networkid": id, "autoacquire": true}));
        let body = json!({
            "projectid": PROJECT, "partitionid": PARTITION, "sizeid": "n1-medium-x86",
            "imageid": "firewall-ubuntu-3.0.20251001", "name": "given", "hostname": "given", "tags": tags,
            "networks": networks, "ips": [], "ssh_pub_keys": [],
            "firewall_rules": {"egress": [rule], "ingress": []},
        });
        text(&self.metal("POST", "/v1/firewall/allocate", &body)["id"])
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Lists, finds and gets.
fn is_read(call: &Call) -> bool {
    call.method == "GET" || call.path.ends_with("/find") || call.path.ends_with("/capacity")
}
