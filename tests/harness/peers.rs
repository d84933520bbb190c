//! Peers: other people's programs that tests run for real, built from the Go module proxy once per machine.
//!
//! | `FERROFLEET_PEERS` | what a test that needs a peer does |
//! |---|---|
//! | unset | uses the peer when an earlier build of it is there; else it is skipped and says so |
//! | `install` | builds what is missing; a peer that cannot be had fails the test, so nothing is skipped |
//!
//! Binaries are kept outside of the tree: in `$FERROFLEET_PEERS_DIR`, else `$XDG_CACHE_HOME/ferrofleet-peers`, else
//! `$HOME/.cache/ferrofleet-peers`. A folder there is named by the content of everything that goes into the build
//! (the peer's folder in `tests/peers/`, flags), so a changed version is another folder and an old binary is never taken for
//! a new one.
//!
//! A new peer is a variant of [`Peer`], a recipe, and a folder in `tests/peers/` with a complete `go.mod` and `go.sum`.

pub mod argocd;
mod build;
pub mod control_plane;
pub mod flux;
pub mod gitea;
mod recipe;

use std::io::Write as _;
use std::path::PathBuf;

/// A program that tests can need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A real forge, for pushes over HTTP and SSH, branch protection and the API. Two to three minutes to build.
    Gitea,
    /// A walk through metal-api with metal-go, the official client. Ten seconds to build, a minute on an empty Go cache.
    MetalGoProbe,
    /// Storage of [`Peer::KubeApiserver`]. Half a minute to build.
    Etcd,
    /// Schemas, CEL rules, server-side apply and webhooks as in production. Three minutes to build.
    KubeApiserver,
    /// Garbage collection by owner references and the end of namespaces. A minute to build.
    KubeControllerManager,
    /// Cluster API's core manager, with its CRDs and webhooks. A minute and a half to build.
    CapiCore,
    /// Its kubeadm bootstrap provider.
    CapiKubeadmBootstrap,
    /// Its kubeadm control plane provider.
    CapiKubeadmControlPlane,
    /// All roles of Argo CD in one binary, with its CRDs. Three and a half minutes to build.
    ArgoCd,
    /// Flux's kustomize-controller, with its CRD and those of its sources. Two minutes to build.
    KustomizeController,
    /// What Argo CD calls for folders with a `kustomization.yaml`. Ten seconds to build.
    Kustomize,
    /// The cache of Argo CD. Two seconds to build.
    Redis,
}

/// Why a peer is not there.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {why}")]
pub struct Skip {
    pub name: &'static str,
    pub why: String,
}

/// What is installed of a peer.
#[derive(Clone, Debug)]
pub struct Installed {
    pub binary: PathBuf,
    /// Folder of the files that the program reads at run time; empty where it needs none.
    pub share: PathBuf,
}

/// The peer's binary, built when `FERROFLEET_PEERS=install` and not there yet.
pub fn binary(peer: Peer) -> Result<PathBuf, Skip> {
    installed(peer).map(|installed| installed.binary)
}

/// The peer's binary and its files, built when `FERROFLEET_PEERS=install` and not there yet.
pub fn installed(peer: Peer) -> Result<Installed, Skip> {
    build::installed(recipe::folder(peer), &recipe::of(peer), installs())
}

/// Takes what a test needs. When it is not there, the test says so on stderr past libtest's capture, as a line that begins
/// `skipped:`, and gets `None`; under `FERROFLEET_PEERS=install` it fails instead, by its own name.
///
/// ```ignore
/// let Some(gitea) = peers::need(gitea::Server::start()) else { return };
/// ```
#[track_caller]
pub fn need<T>(found: Result<T, Skip>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(skip) => {
            skipped(&skip.to_string());
            None
        }
    }
}

/// Says that this test is skipped, and fails it where nothing may be. Also for tools that are not peers, such as `sshd`.
#[track_caller]
pub fn skipped(why: &str) {
    assert!(!installs(), "nothing may be skipped with FERROFLEET_PEERS=install, but {why}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Not `eprintln!`: that is captured and not shown for a test that passes.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

fn installs() -> bool {
    match std::env::var("FERROFLEET_PEERS").as_deref() {
        Ok("install") => true,
        Ok("") | Err(_) => false,
        Ok(other) => panic!("FERROFLEET_PEERS is {other:?}; it is unset or \"install\""),
    }
}
