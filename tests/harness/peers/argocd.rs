//! A running Argo CD without its API server: repository server, application controller and cache, as plain processes
//! that act on the API server they run beside.

mod setup;

use super::control_plane::{Client, ControlPlane, ObjectRef};
use super::{Peer, Skip, installed};
use crate::peers::control_plane::processes::Processes;
use serde_json::{Value, json};

/// Where Argo CD and its Applications live.
pub const NAMESPACE: &str = "argocd";

/// An Argo CD of its own. It ends with this value; its logs are shown when the test fails.
#[derive(Debug)]
pub struct ArgoCd {
    processes: Processes,
}

impl ArgoCd {
    /// Installs its CRDs, its settings and the project `default`, starts it and waits until it is ready: two seconds.
    pub fn start(plane: &ControlPlane) -> Result<Self, Skip> {
        let programs = setup::Programs {
            argocd: installed(Peer::ArgoCd)?,
            kustomize: installed(Peer::Kustomize)?,
            redis: installed(Peer::Redis)?,
        };
        Ok(Self { processes: setup::start(plane, &programs) })
    }

    /// Makes it look at an Application's source and objects again; a hard one also renders the source again.
    #[track_caller]
    pub fn refresh(&self, client: &Client, name: &str, how: Refresh) {
        let how = match how {
            Refresh::Normal => "normal",
            Refresh::Hard => "hard",
        };
        let patch = json!({"metadata": {"annotations": {REFRESH: how}}});
        client.merge_patch(&application(name), "", &patch).unwrap_or_else(|e| panic!("refresh of {name}: {e}"));
    }

    /// Whether the refresh that was asked for last is over: Argo CD takes the annotation away.
    pub fn is_refreshed(application: &Value) -> bool {
        application["metadata"]["annotations"].get(REFRESH).is_none()
    }

    /// The ends of all logs, for a test that shares this value.
    pub fn logs(&self) -> String {
        self.processes.logs()
    }
}

/// How much is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    Normal,
    Hard,
}

const REFRESH: &str = "argocd.argoproj.io/refresh";

/// Names an Application.
pub fn application(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "argoproj.io/v1alpha1".to_owned(),
        kind: "Application".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: name.to_owned(),
    }
}
