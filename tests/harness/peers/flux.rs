//! Flux's kustomize-controller as a plain process, and what stands in for its source-controller, which is not to be had
//! as a module: a branch of a Git repository as an archive on loopback, and the status that says so.

mod artifacts;
mod setup;

use super::control_plane::{Client, ControlPlane, ObjectRef};
use super::{Peer, Skip, installed};
use crate::peers::control_plane::processes::Processes;
use artifacts::Artifacts;
use serde_json::{Value, json};

/// Where Flux and its objects live.
pub const NAMESPACE: &str = "flux-system";

/// A Flux of its own. It ends with this value; its log is shown when the test fails.
#[derive(Debug)]
pub struct Flux {
    processes: Processes,
    artifacts: Artifacts,
}

impl Flux {
    /// Starts it and waits until it is ready: a second. Its kinds are there already.
    pub fn start(plane: &ControlPlane) -> Result<Self, Skip> {
        let controller = installed(Peer::KustomizeController)?;
        let processes = setup::start(plane, &controller);
        let artifacts = Artifacts::start(&processes.dir().join("artifacts"));
        Ok(Self { processes, artifacts })
    }

    /// What source-controller does when it looks at a GitRepository: what the branch is at becomes its artifact. Gives
    /// the revision.
    #[track_caller]
    pub fn fetch(&self, client: &Client, repository: &str) -> String {
        let object = named("source.toolkit.fluxcd.io/v1", "GitRepository", repository);
        let found = client.get(&object).unwrap_or_else(|e| panic!("{object}: {e}"));
        let spec = found.unwrap_or_else(|| panic!("there is no {object}"))["spec"].clone();
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{spec}")).to_owned();
        let artifact = self.artifacts.pack(&text(&spec["url"]), &text(&spec["ref"]["branch"]));
        let ready = json!({
            "type": "Ready", "status": "True", "reason": "Succeeded", "lastTransitionTime": artifact.time,
            "message": format!("stored artifact for revision '{}'", artifact.revision),
        });
        let stored = json!({
            "url": artifact.url, "path": artifact.path, "revision": artifact.revision, "digest": artifact.digest,
            "size": artifact.size, "lastUpdateTime": artifact.time,
        });
        let status = json!({"status": {"artifact": stored, "conditions": [ready]}});
        client.merge_patch(&object, "/status", &status).unwrap_or_else(|e| panic!("{object}: {e}"));
        artifact.revision
    }

    /// Has a Kustomization reconciled, whatever its interval says. `request` is a word that was not used before.
    #[track_caller]
    pub fn reconcile(&self, client: &Client, name: &str, request: &str) {
        let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": request}}});
        client.merge_patch(&kustomization(name), "", &patch).unwrap_or_else(|e| panic!("reconcile {name}: {e}"));
    }

    /// The end of the log, for a test that shares this value.
    pub fn logs(&self) -> String {
        self.processes.logs()
    }
}

/// Names a Kustomization.
pub fn kustomization(name: &str) -> ObjectRef {
    named("kustomize.toolkit.fluxcd.io/v1", "Kustomization", name)
}

fn named(api_version: &str, kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: name.to_owned(),
    }
}
