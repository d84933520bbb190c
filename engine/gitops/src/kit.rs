//! A branch in a cache, without a remote: people's commits and engine commits as tests need them.

use crate::engine::Memory;
use crate::holds::Hold;
use crate::message::{Change, Facts, message};
use crate::output::Found;
use crate::view::{Before, Memos, View};
use git::{Author, Credentials, Oid, Options, RemoteUrl, Repo, Timeouts};
use model::request::Done;
use model::{ClusterId, Sink, Timestamp};
use plan::Said;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub(crate) const SHOP: &str = "default.shop";
pub(crate) const LEGACY: &str = "default.legacy";
pub(crate) const SHOP_LOCK: &str = "stages/development/clusters/shop/cluster.lock.yaml";
pub(crate) const SHOP_POOLS: &str = "rendered/mgmt-muc/default/shop/pools.yaml";
pub(crate) const SHOP_DEFINITION: &str = "stages/development/clusters/shop/cluster.yaml";

/// When the first commit was made; each is a minute after the one before.
pub(crate) const BEGAN: i64 = 1_760_000_000;

pub(crate) struct Branch {
    pub(crate) repo: Repo,
    cache: tempfile::TempDir,
    pub(crate) tip: Oid,
    pub(crate) memory: Memory,
    commits: i64,
    held: BTreeMap<ClusterId, Hold>,
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fleet-example")
}

pub(crate) fn id(cluster: &str) -> ClusterId {
    cluster.parse().unwrap()
}

impl Branch {
    /// The example fleet's definitions; no engine has seen them.
    pub(crate) fn new() -> Self {
        let cache = tempfile::tempdir().unwrap();
        let options = Options {
            url: RemoteUrl::parse(cache.path().join("remote.git").to_str().unwrap()).unwrap(),
            branch: "main".to_owned(),
            cache_dir: cache.path().join("cache"),
            credentials: Credentials::default(),
            timeouts: Timeouts::default(),
        };
        let repo = Repo::open(options).unwrap();
        let mut draft = repo.draft_root();
        for path in files(&example()).into_iter().filter(|path| !crate::is_engine_owned(path)) {
            draft.put(&path, &std::fs::read(example().join(&path)).unwrap()).unwrap();
        }
        let tip = repo.commit(draft, "the fleet", &ada(), BEGAN).unwrap();
        Self { repo, cache, tip, memory: Memory::default(), commits: 1, held: BTreeMap::new() }
    }

    fn now(&self) -> i64 {
        BEGAN + 60 * self.commits
    }

    pub(crate) fn clock(&self) -> Timestamp {
        Timestamp::from_second(self.now()).unwrap()
    }

    /// A person's commit; None removes a file.
    pub(crate) fn person(&mut self, message: &str, changes: &[(&str, Option<&str>)]) -> Oid {
        let mut draft = self.repo.draft(self.tip);
        for (path, text) in changes {
            match text {
                Some(text) => draft.put(path, text.as_bytes()).unwrap(),
                None => draft.remove(path).unwrap(),
            }
        }
        self.landed(self.repo.commit(draft, message, &ada(), self.now()).unwrap())
    }

    /// A person's commit that makes these paths what they were.
    pub(crate) fn back_to(&mut self, message: &str, then: Oid, is_meant: impl Fn(&str) -> bool) -> Oid {
        let mut draft = self.repo.draft(self.tip);
        let before = self.repo.tree(then).unwrap();
        for path in self.repo.diff_paths(then, self.tip).unwrap().iter().filter(|path| is_meant(path)) {
            match before.entry(path) {
                Some(entry) => draft.put(path, &before.read(&entry.id, usize::MAX).unwrap()).unwrap(),
                None => draft.remove(path).unwrap(),
            }
        }
        self.landed(self.repo.commit(draft, message, &ada(), self.now()).unwrap())
    }

    /// `git revert COMMIT`.
    pub(crate) fn revert(&mut self, commit: Oid) -> Oid {
        let info = self.repo.commit_info(commit).unwrap();
        let changed = self.repo.changed_paths(commit).unwrap();
        let text = format!("Revert \"x\"\n\nThis reverts commit {commit}.\n");
        self.back_to(&text, info.parents[0], |path| changed.iter().any(|p| p == path))
    }

    /// A merge: what one commit has, with these paths as another one has them.
    pub(crate) fn merge(&mut self, parents: [Oid; 2], base: Oid, (other, is_its): (Oid, fn(&str) -> bool)) -> Oid {
        self.tip = base;
        let tree = self.back_to("only for its tree", other, is_its);
        // The cache's own folder: this side never merges.
        let mut folders = vec![self.cache.path().to_owned()];
        let found = std::iter::from_fn(|| {
            let folder = folders.pop()?;
            let below = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
            folders.extend(below.filter(|path| path.is_dir()));
            Some(folder)
        });
        let git = found.filter_map(|folder| git2::Repository::open_bare(folder).ok()).next().unwrap();
        let commit = |id: Oid| git.find_commit(git2::Oid::from_bytes(&id.0).unwrap()).unwrap();
        let parents = parents.map(commit);
        let author = git2::Signature::new("Ada", "ada@example.com", &git2::Time::new(self.now(), 0)).unwrap();
        let parents: Vec<_> = parents.iter().collect();
        let id = git.commit(None, &author, &author, "Merge", &commit(tree).tree().unwrap(), &parents).unwrap();
        self.landed(id.to_string().parse().unwrap())
    }

    /// A person's commit that changes nothing.
    pub(crate) fn empty(&mut self, message: &str) -> Oid {
        let id = self.repo.commit_tree_of(self.tip, message, &ada(), self.now()).unwrap();
        self.landed(id)
    }

    /// An engine's commit of these clusters, as the example fleet has them, with `more` at the end of each file.
    pub(crate) fn engine(&mut self, clusters: &[&str], more: &str) -> Oid {
        let facts = Made { fleet: "example", clusters, ended: &[], more };
        self.engine_says(&facts)
    }

    /// An engine's commit of one file.
    pub(crate) fn engine_writes(&mut self, cluster: &str, path: &str, text: &str) -> Oid {
        let mut draft = self.repo.draft(self.tip);
        draft.put(path, text.as_bytes()).unwrap();
        let text = format!("Change\n\nFleet-Run: x\nFleet-Source: {}\nFleet-Cluster: {cluster}\n", self.tip);
        self.landed(self.repo.commit(draft, &text, &ada(), self.now()).unwrap())
    }

    pub(crate) fn read(&self, path: &str) -> String {
        let tree = self.repo.tree(self.tip).unwrap();
        String::from_utf8(tree.read(&tree.entry(path).unwrap().id, 1 << 20).unwrap()).unwrap()
    }

    /// Minutes pass, or the clock is set back.
    pub(crate) fn minutes(&mut self, minutes: i64) {
        self.commits += minutes;
    }

    pub(crate) fn engine_says(&mut self, made: &Made<'_>) -> Oid {
        let mut draft = self.repo.draft(self.tip);
        for cluster in made.clusters {
            let (namespace, name) = cluster.split_once('.').unwrap();
            let is_of = |path: &&String| {
                path.ends_with(&format!("clusters/{name}/cluster.lock.yaml"))
                    || path.contains(&format!("/{namespace}/{name}/"))
            };
            for path in files(&example()).iter().filter(is_of).filter(|path| crate::is_engine_owned(path)) {
                let mut bytes = std::fs::read(example().join(path)).unwrap();
                bytes.extend(made.more.as_bytes());
                draft.put(path, &bytes).unwrap();
            }
        }
        let clusters = made.clusters.iter().map(|cluster| (id(cluster), Change::default())).collect();
        let (done, said) = (Done::default(), Said::default());
        let ended: BTreeSet<_> = made.ended.iter().map(|text| (*text).to_owned()).collect();
        let text = message(&Facts {
            run: "run",
            fleet: made.fleet,
            template: None,
            source: self.tip,
            clusters: &clusters,
            done: &done,
            put_right: &[],
            parent: None,
            output: None,
            said: &said,
            held: &self.held,
            ended: &ended,
            plan: None,
        });
        let id = match draft.is_empty() {
            true => self.repo.commit_tree_of(self.tip, &text, &ada(), self.now()).unwrap(),
            false => self.repo.commit(draft, &text, &ada(), self.now()).unwrap(),
        };
        self.landed(id)
    }

    pub(crate) fn landed(&mut self, id: Oid) -> Oid {
        self.commits += 1;
        self.tip = id;
        id
    }

    /// As an engine sees the tip that goes on.
    pub(crate) fn view(&mut self) -> View {
        let found = Found { before: Before::Here, lost: None, accepted: false, says: None, record: false };
        let now = self.clock();
        let Memory { history, load, judged, .. } = &mut self.memory;
        let mut memos = Memos { load, judged };
        history.belongs_to("example");
        let view = View::load(&mut self.repo, history, &mut memos, self.tip, None, &found, now).unwrap();
        self.held.clone_from(&view.held);
        view
    }

    /// As another engine sees it, that starts now.
    pub(crate) fn view_anew(&mut self) -> View {
        self.memory = Memory::default();
        self.view()
    }

    pub(crate) fn said(&mut self) -> Said {
        let now = self.clock();
        self.view().said(&BTreeSet::new(), now)
    }
}

pub(crate) struct Made<'a> {
    pub(crate) fleet: &'a str,
    pub(crate) clusters: &'a [&'a str],
    pub(crate) ended: &'a [&'a str],
    pub(crate) more: &'a str,
}

fn ada() -> Author {
    Author { name: "Ada".to_owned(), email: "ada@example.com".to_owned() }
}

/// Below a folder, relative to it.
fn files(root: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
