//! The API server of all tests of this binary.

use ferrofleet_tests::peers::control_plane::{Client, ControlPlane, manifests};
use ferrofleet_tests::peers::{Skip, need, skipped};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Folders of CRDs whose programs do not run here.
const OTHER_CRDS: [&str; 3] = ["caaph", "argocd", "flux"];

/// The API server with everything that rendered files need, or `None` where the test is skipped.
pub(super) fn server() -> Option<&'static Client> {
    static SERVER: OnceLock<Result<ControlPlane, Skip>> = OnceLock::new();
    let Some(crds) = crds() else {
        skipped("no CRDs in /work/shared/data or FERROFLEET_SHARED_DATA");
        return None;
    };
    let started = SERVER.get_or_init(|| {
        let plane = ControlPlane::start()?.with_capi_managers()?;
        install(plane.client(), &crds);
        Ok(plane)
    });
    let found = started.as_ref().map_err(|skip| Skip { name: skip.name, why: skip.why.clone() });
    need(found).map(ControlPlane::client)
}

fn crds() -> Option<PathBuf> {
    let data = std::env::var_os("FERROFLEET_SHARED_DATA").map_or_else(|| "/work/shared/data".into(), PathBuf::from);
    let crds = data.join("crds");
    crds.is_dir().then_some(crds)
}

fn install(client: &Client, crds: &Path) {
    for folder in OTHER_CRDS {
        client.install_crds(&crds.join(folder));
    }
    let mut infrastructure = manifests(&crds.join("capms"));
    for crd in &mut infrastructure {
        // What its kustomization adds: the contracts that the kinds keep.
        crd["metadata"]["labels"] =
            json!({"cluster.x-k8s.io/v1beta2": "v1alpha1", "cluster.x-k8s.io/v1beta1": "v1alpha1"});
    }
    client.apply_crds(&infrastructure);
}
