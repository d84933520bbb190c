//! A bare repository behind the HTTP server, and the room `git` on it.

use ferrofleet_tests::git_http::GitHttp;
use ferrofleet_tests::repo::Bare;
use git::{Author, Credentials, Oid, Options, RemoteUrl, Repo, Timeouts};
use model::Sink;
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const MAIN: &str = "refs/heads/main";
pub(crate) const CLAIM: &str = "refs/ferrofleet/claim/main";

pub(crate) struct Bed {
    pub(crate) dir: TempDir,
    pub(crate) bare: Bare,
    pub(crate) server: GitHttp,
}

impl Bed {
    /// One commit on `main`, with one file `a.yaml` that says `one`.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bare = Bare::init(&dir.path().join("fleet.git"), dir.path());
        let bed = Self { server: GitHttp::start(dir.path()), dir, bare };
        bed.commit("one");
        bed
    }

    /// A person's commit on `main`.
    pub(crate) fn commit(&self, text: &str) -> Oid {
        let file = self.dir.path().join("text");
        std::fs::write(&file, text).unwrap();
        let blob = self.bare.git(["hash-object", "-w", file.to_str().unwrap()]);
        self.bare.git(["read-tree", "--empty"]);
        self.bare.git(["update-index", "--add", "--cacheinfo", &format!("100644,{blob},a.yaml")]);
        let tree = self.bare.git(["write-tree"]);
        let who = ["-c", "user.name=A Person", "-c", "user.email=person@example.com"];
        let parent = self.bare.git(["for-each-ref", "--format=-p %(objectname)", MAIN]);
        let parent: Vec<&str> = parent.split_whitespace().collect();
        let commit = self.bare.git([&who[..], &["commit-tree", &tree, "-m", text], &parent].concat());
        self.bare.git(["update-ref", MAIN, &commit]);
        commit.parse().unwrap()
    }

    pub(crate) fn tip(&self) -> Oid {
        self.bare.tip().parse().unwrap()
    }

    pub(crate) fn options(&self, credentials: Credentials) -> Options {
        let url = self.server.url("fleet.git");
        self.options_at(&url, credentials)
    }

    pub(crate) fn options_at(&self, url: &str, credentials: Credentials) -> Options {
        Options {
            url: RemoteUrl::parse(url).unwrap(),
            branch: "main".to_owned(),
            cache_dir: self.dir.path().join("cache"),
            credentials,
            timeouts: Timeouts { idle: Duration::from_millis(500), ..Timeouts::default() },
        }
    }

    pub(crate) fn repo(&self) -> Repo {
        Repo::open(self.options(Credentials::default())).unwrap()
    }

    /// With the tip fetched, and the requests for that forgotten.
    pub(crate) fn fetched(&self) -> (Repo, Oid) {
        let mut repo = self.repo();
        let tip = repo.tip().unwrap().unwrap();
        repo.fetch(tip).unwrap();
        self.server.take_seen();
        (repo, tip)
    }
}

pub(crate) fn author() -> Author {
    Author { name: "Ferrofleet".to_owned(), email: "ferrofleet@localhost".to_owned() }
}

/// A commit on `parent` that writes one file.
pub(crate) fn change(repo: &Repo, parent: Oid, text: &str) -> Oid {
    let mut draft = repo.draft(parent);
    draft.put("x", text.as_bytes()).unwrap();
    repo.commit(draft, "engine: a change\n", &author(), 1_700_000_000).unwrap()
}
