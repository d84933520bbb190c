//! kube-vip's static pod: every control-plane machine announces the VIP to its own FRR by BGP.

use model::rules::Port;
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// The OS image puts the machine's ASN in its place at boot, in the text of every static pod.
pub(crate) const ASN_TOKEN: &str = "METAL_MACHINE_ASN";

/// `image` is the one that the OS image holds (R24), unless a policy rewrites it: then it is pulled at boot, and the
/// control plane waits for the registry.
pub(crate) fn pod(vip: Ipv4Addr, port: Port, image: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kube-vip", "namespace": "kube-system"},
        "spec": {
            "containers": [{
                "name": "kube-vip",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "args": ["manager"],
                "env": environment(vip, port),
                "resources": {},
                "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]}},
                "volumeMounts": [{"name": "kubeconfig", "mountPath": "/etc/kubernetes/admin.conf"}],
            }],
            "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["kubernetes"]}],
            "hostNetwork": true,
            "volumes": [{"name": "kubeconfig", "hostPath": {"path": "/etc/kubernetes/admin.conf"}}],
        },
    })
}

fn environment(vip: Ipv4Addr, port: Port) -> Value {
    json!([
        {"name": "vip_arp", "value": "false"},
        {"name": "port", "value": port.get().to_string()},
        {"name": "vip_interface", "value": "lo"},
        {"name": "cp_enable", "value": "true"},
        {"name": "cp_namespace", "value": "kube-system"},
        {"name": "bgp_enable", "value": "true"},
        {"name": "bgp_routerid", "value": "127.0.0.1"},
        {"name": "bgp_as", "value": ASN_TOKEN},
        {"name": "bgp_peeraddress", "value": "127.0.0.1"},
        {"name": "bgp_peerpass"},
        {"name": "bgp_peeras", "value": ASN_TOKEN},
        {"name": "address", "value": vip},
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asn_is_a_string_also_after_the_image_filled_it_in() {
        let pod = pod(Ipv4Addr::new(198, 18, 0, 5), Port::API, "ghcr.io/kube-vip/kube-vip:v0.8.10");
        let booted = crate::emit::text(&[pod]).replace(ASN_TOKEN, "4210000123");
        let booted: Value = serde_yaml::from_str(&booted).unwrap();
        let env = booted["spec"]["containers"][0]["env"].as_array().unwrap();
        let value = |name: &str| env.iter().find(|e| e["name"] == name).map(|e| e["value"].clone()).unwrap();
        assert_eq!((value("bgp_as"), value("bgp_peeras")), (json!("4210000123"), json!("4210000123")));
        assert_eq!((value("address"), value("port")), (json!("198.18.0.5"), json!("443")));
    }
}
