//! What to build for each peer.

use super::Peer;

/// How a peer is built from the folder `tests/peers/<name>`.
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
    }
}
