//! Cluster API's managers as plain processes: their manifests with webhooks that lead to loopback.
//!
//! Deployments, services, certificates and roles are left out: the processes are started here and act as administrator.

use super::client::base64_of;
use super::crds::{documents, manifests};
use super::processes::{Processes, free_ports};
use super::{Apply, ControlPlane, ObjectRef};
use crate::peers::{Installed, Peer, Skip, installed};
use serde_json::{Value, json};
use std::path::Path;

/// One manager.
pub(super) struct Manager {
    name: &'static str,
    program: Installed,
    /// Its folder of the module.
    config: &'static str,
    arguments: &'static [&'static str],
}

/// What CAPMS asks for: `EXP_KUBEADM_BOOTSTRAP_FORMAT_IGNITION=true` at `clusterctl init`.
const IGNITION: &[&str] = &["--feature-gates=KubeadmBootstrapFormatIgnition=true"];

pub(super) fn installed_managers() -> Result<Vec<Manager>, Skip> {
    // In the order in which they are installed.
    let managers = [
        (Peer::CapiCore, "capi-core", "core/config", &[][..]),
        (Peer::CapiKubeadmBootstrap, "capi-kubeadm-bootstrap", "bootstrap/kubeadm/config", IGNITION),
        (Peer::CapiKubeadmControlPlane, "capi-kubeadm-control-plane", "controlplane/kubeadm/config", IGNITION),
    ];
    let manager = |(peer, name, config, arguments)| Ok(Manager { name, program: installed(peer)?, config, arguments });
    managers.into_iter().map(manager).collect()
}

/// Starts all of them at once, then waits.
pub(super) fn start(plane: &mut ControlPlane, managers: &[Manager]) {
    let kubeconfig = plane.kubeconfig();
    let ControlPlane { processes, client, pki, .. } = plane;
    Processes::until_started("Cluster API", || {
        let mut health_urls = Vec::new();
        for manager in managers {
            let [webhook_port, health_port, diagnostics_port] = free_ports();
            let manifests = loopback(&manager.program.share.join(manager.config), &pki.ca, webhook_port);
            client.apply_crds(&manifests.crds);
            for object in &manifests.others {
                let applied = client.apply(object, Apply::by("managers").forced());
                applied.unwrap_or_else(|e| panic!("{}: {e}", ObjectRef::of(object)));
            }
            let mut command = processes.command(&manager.program.binary);
            command.env("POD_NAMESPACE", &manifests.namespace).env("POD_NAME", manager.name);
            command.env("POD_UID", "00000000-0000-0000-0000-000000000000");
            command.arg("--kubeconfig").arg(&kubeconfig).args(["--webhook-cert-dir", "."]);
            command.args(["--webhook-port", &webhook_port.to_string(), "--v", "2"]);
            command.args(["--health-addr", &format!("127.0.0.1:{health_port}")]);
            command.args(["--diagnostics-address", &format!("127.0.0.1:{diagnostics_port}"), "--insecure-diagnostics"]);
            command.args(manager.arguments);
            processes.spawn(manager.name, &mut command);
            health_urls.push(format!("http://127.0.0.1:{health_port}/readyz"));
        }
        let names: Vec<_> = managers.iter().map(|manager| manager.name).collect();
        processes.wait(&names, || health_urls.iter().all(|url| client.is_healthy(url)))
    });
}

struct Manifests {
    namespace: String,
    crds: Vec<Value>,
    /// The namespace first, then the webhooks.
    others: Vec<Value>,
}

/// What `kustomize build DIR/default` gives of CRDs and webhooks, with `clientConfig` as a URL on loopback.
fn loopback(dir: &Path, ca: &str, port: u16) -> Manifests {
    let overlay = only(documents(&dir.join("default/kustomization.yaml")));
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{overlay}")).to_owned();
    let (namespace, prefix) = (text(&overlay["namespace"]), text(&overlay["namePrefix"]));
    let client_config =
        |path: &str| json!({"url": format!("https://127.0.0.1:{port}{path}"), "caBundle": base64_of(ca)});

    let mut crds = manifests(&dir.join("crd/bases"));
    let contracts = only(documents(&dir.join("crd/kustomization.yaml")));
    for crd in &mut crds {
        for pairs in [&contracts["labels"][0]["pairs"], &overlay["labels"][0]["pairs"]] {
            for (key, value) in pairs.as_object().into_iter().flatten() {
                crd["metadata"]["labels"][key] = value.clone();
            }
        }
        let webhook = json!({"conversionReviewVersions": ["v1"], "clientConfig": client_config("/convert")});
        crd["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": webhook});
    }

    let mut others = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})];
    for mut webhooks in documents(&dir.join("webhook/manifests.yaml")) {
        webhooks["metadata"]["name"] = format!("{prefix}{}", text(&webhooks["metadata"]["name"])).into();
        for webhook in webhooks["webhooks"].as_array_mut().into_iter().flatten() {
            let path = text(&webhook["clientConfig"]["service"]["path"]);
            webhook["clientConfig"] = client_config(&path);
        }
        others.push(webhooks);
    }
    Manifests { namespace, crds, others }
}

fn only(mut documents: Vec<Value>) -> Value {
    assert_eq!(documents.len(), 1, "one document");
    documents.remove(0)
}
