//! Brings up kustomize-controller.

use super::NAMESPACE;
use crate::peers::Installed;
use crate::peers::control_plane::processes::{Processes, free_ports};
use crate::peers::control_plane::{Apply, ControlPlane};
use serde_json::{Value, json};

const CONTROLLER: &str = "kustomize-controller";

pub(super) fn start(plane: &ControlPlane, controller: &Installed) -> Processes {
    let client = plane.client();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let applied = client.apply(&namespace, Apply::by("flux-install").forced());
    applied.unwrap_or_else(|e| panic!("namespace {NAMESPACE}: {e}"));
    client.apply_crds(&[unused("Bucket", "buckets"), unused("OCIRepository", "ocirepositories")]);
    let mut processes = Processes::new();
    Processes::until_started(CONTROLLER, || {
        let [metrics, health] = free_ports();
        let mut command = processes.command(&controller.binary);
        command.env("KUBECONFIG", plane.kubeconfig()).env("RUNTIME_NAMESPACE", NAMESPACE);
        command.args(["--metrics-addr", &format!("127.0.0.1:{metrics}"), "--health-addr"]);
        command.arg(format!("127.0.0.1:{health}"));
        // As Flux is installed, save that what waits for something looks every second.
        command.args(["--watch-all-namespaces=true", "--no-remote-bases=true", "--requeue-dependency", "1s"]);
        processes.spawn(CONTROLLER, &mut command);
        let ready = format!("http://127.0.0.1:{health}/readyz");
        processes.wait(&[CONTROLLER], || client.is_healthy(&ready))
    });
    processes
}

/// A kind of source that nobody uses here; the controller ends where it cannot watch it.
fn unused(kind: &str, plural: &str) -> Value {
    let group = "source.toolkit.fluxcd.io";
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
}
