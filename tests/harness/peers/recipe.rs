//! What to build for each peer.

use super::Peer;

const KUBERNETES: &str = concat!(
    "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1 ",
    "-X k8s.io/component-base/version.gitMinor=36 -X k8s.io/component-base/version.gitTreeState=clean ",
    "-X k8s.io/component-base/version.gitCommit=0000000000000000000000000000000000000000 ",
    "-X k8s.io/component-base/version.buildDate=1970-01-01T00:00:00Z ",
    "-X k8s.io/client-go/pkg/version.gitVersion=v1.36.3",
);

const CAPI: &str = concat!(
    "-s -w -X sigs.k8s.io/cluster-api/version.gitVersion=v1.14.2 -X sigs.k8s.io/cluster-api/version.gitMajor=1 ",
    "-X sigs.k8s.io/cluster-api/version.gitMinor=14 -X sigs.k8s.io/cluster-api/version.gitTreeState=clean",
);

const ARGOCD: &str = "-s -w -X github.com/argoproj/argo-cd/v3/common.version=3.2.11";

/// The folder below `tests/peers` with go.mod and sources. Programs of one module share one.
pub(super) fn folder(peer: Peer) -> &'static str {
    match peer {
        Peer::KubeApiserver | Peer::KubeControllerManager => "kube",
        Peer::CapiCore | Peer::CapiKubeadmBootstrap | Peer::CapiKubeadmControlPlane => "capi",
        Peer::KustomizeController => "flux-kustomize",
        Peer::Gitea | Peer::MetalGoProbe | Peer::Etcd | Peer::ArgoCd | Peer::Kustomize | Peer::Redis => of(peer).name,
    }
}

/// How a peer is built.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    pub name: &'static str,
    /// The package with `main`, as `go build` takes it.
    pub package: &'static str,
    /// Whether a C compiler takes part.
    pub cgo: bool,
    pub tags: &'static str,
    pub ldflags: &'static str,
    /// A module, and the folders of it that the program reads at run time.
    pub share: Option<(&'static str, &'static [&'static str])>,
}

pub(super) fn of(peer: Peer) -> Recipe {
    match peer {
        // Without the tag `bindata` there is no npm build: templates and locales are read from the folders beside the
        // binary, and pages have no styles. SQLite comes as C.
        Peer::Gitea => Recipe {
            name: "gitea",
            package: "code.gitea.io/gitea",
            cgo: true,
            tags: "sqlite,sqlite_unlock_notify",
            ldflags: "-s -w -X main.Version=1.26.0",
            share: Some(("code.gitea.io/gitea", &["templates", "options", "public"])),
        },
        Peer::MetalGoProbe => {
            Recipe { name: "metal-go-probe", package: ".", cgo: false, tags: "", ldflags: "-s -w", share: None }
        }
        Peer::Etcd => pure("etcd", "go.etcd.io/etcd/server/v3", "-s -w"),
        Peer::KubeApiserver => pure("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", KUBERNETES),
        Peer::KubeControllerManager => {
            pure("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", KUBERNETES)
        }
        Peer::CapiCore => capi("capi-core", "sigs.k8s.io/cluster-api/core", &["core/config"]),
        Peer::CapiKubeadmBootstrap => {
            capi("capi-kubeadm-bootstrap", "sigs.k8s.io/cluster-api/bootstrap/kubeadm", &["bootstrap/kubeadm/config"])
        }
        Peer::CapiKubeadmControlPlane => capi(
            "capi-kubeadm-control-plane",
            "sigs.k8s.io/cluster-api/controlplane/kubeadm",
            &["controlplane/kubeadm/config"],
        ),
        Peer::ArgoCd => Recipe {
            share: Some(("github.com/argoproj/argo-cd/v3", &["manifests/crds", "manifests/base/config"])),
            ..pure("argocd", "github.com/argoproj/argo-cd/v3/cmd", ARGOCD)
        },
        Peer::KustomizeController => Recipe {
            share: Some(("github.com/fluxcd/kustomize-controller", &["config/crd/bases"])),
            ..pure("kustomize-controller", "github.com/fluxcd/kustomize-controller", "-s -w")
        },
        Peer::Kustomize => pure("kustomize", "sigs.k8s.io/kustomize/kustomize/v5", "-s -w"),
        Peer::Redis => pure("redis", ".", "-s -w"),
    }
}

/// A program without C and without files of its own.
fn pure(name: &'static str, package: &'static str, ldflags: &'static str) -> Recipe {
    Recipe { name, package, cgo: false, tags: "", ldflags, share: None }
}

/// A manager of Cluster API with its manifests. Versions are compared, so they are stamped.
fn capi(name: &'static str, package: &'static str, manifests: &'static [&'static str]) -> Recipe {
    Recipe { share: Some(("sigs.k8s.io/cluster-api", manifests)), ..pure(name, package, CAPI) }
}
