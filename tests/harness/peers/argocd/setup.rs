//! Brings up Argo CD.

use super::NAMESPACE;
use crate::peers::Installed;
use crate::peers::control_plane::processes::{Processes, free_ports};
use crate::peers::control_plane::{Apply, Client, ControlPlane, ObjectRef, manifests};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

pub(super) struct Programs {
    pub(super) argocd: Installed,
    pub(super) kustomize: Installed,
    pub(super) redis: Installed,
}

const REDIS: &str = "redis";
const REPO_SERVER: &str = "argocd-repo-server";
const CONTROLLER: &str = "argocd-application-controller";

pub(super) fn start(plane: &ControlPlane, programs: &Programs) -> Processes {
    install(plane.client(), &programs.argocd.share.join("manifests"));
    let mut processes = Processes::new();
    // Known hosts and authorities of repositories. There are none; the folders have to be there.
    for folder in ["ssh", "tls"] {
        fs::create_dir(processes.dir().join(folder)).expect("a folder");
    }
    fs::write(processes.dir().join("ssh/ssh_known_hosts"), "").expect("a file");
    Processes::until_started("Argo CD", || {
        let [redis, repo, repo_metrics, metrics] = free_ports();
        let (redis, repo) = (format!("127.0.0.1:{redis}"), repo.to_string());

        let mut command = processes.command(&programs.redis.binary);
        processes.spawn(REDIS, command.arg(&redis));

        let mut command = role(&processes, programs, REPO_SERVER);
        command.args(["--address", "127.0.0.1", "--port", &repo, "--metrics-address", "127.0.0.1"]);
        command.args(["--metrics-port", &repo_metrics.to_string(), "--redis", &redis, "--disable-tls"]);
        processes.spawn(REPO_SERVER, &mut command);

        let mut command = role(&processes, programs, CONTROLLER);
        command.env("KUBECONFIG", plane.kubeconfig());
        command.args(["--namespace", NAMESPACE, "--metrics-port", &metrics.to_string(), "--redis", &redis]);
        command.args(["--repo-server", &format!("127.0.0.1:{repo}"), "--repo-server-plaintext"]);
        processes.spawn(CONTROLLER, &mut command);

        let health = [repo_metrics, metrics].map(|port| format!("http://127.0.0.1:{port}/healthz"));
        processes.wait(&[REDIS, REPO_SERVER, CONTROLLER], || health.iter().all(|url| plane.client().is_healthy(url)))
    });
    processes
}

/// One binary, which looks at a name to know what it is.
fn role(processes: &Processes, programs: &Programs, role: &str) -> Command {
    let mut command = processes.command(&programs.argocd.binary);
    let beside = programs.kustomize.binary.parent().unwrap_or(Path::new("/"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([beside.to_owned()].into_iter().chain(std::env::split_paths(&path)));
    command.env("PATH", path.expect("folders without a colon"));
    command.env("ARGOCD_BINARY_NAME", role).env("ARGOCD_GPG_ENABLED", "false");
    // `https://kubernetes.default.svc` is the API server of the kubeconfig.
    command.env("ARGOCD_FAKE_IN_CLUSTER", "true");
    // Nothing runs here that would have to notice a wave before the next.
    command.env("ARGOCD_SYNC_WAVE_DELAY", "0");
    command.env("ARGOCD_SSH_DATA_PATH", "ssh").env("ARGOCD_TLS_DATA_PATH", "tls");
    command
}

/// Its kinds and the settings of its own manifests, with what the API server of Argo CD would make.
fn install(client: &Client, manifests_dir: &Path) {
    client.install_crds(&manifests_dir.join("crds"));
    put(client, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}));
    for mut settings in manifests(&manifests_dir.join("base/config")) {
        if settings["kind"] == "Kustomization" {
            continue;
        }
        settings["metadata"]["namespace"] = NAMESPACE.into();
        if settings["kind"] == "Secret" {
            settings["stringData"] = json!({"server.secretkey": "loopback-only"});
        }
        put(client, &settings);
    }
    put(
        client,
        &json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "default", "namespace": NAMESPACE},
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [{"server": "*", "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            },
        }),
    );
}

fn put(client: &Client, object: &Value) {
    let applied = client.apply(object, Apply::by("argocd-install").forced());
    applied.unwrap_or_else(|e| panic!("{}: {e}", ObjectRef::of(object)));
}
