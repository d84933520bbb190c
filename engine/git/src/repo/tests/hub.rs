//! The server in this process behaves as `git` does, as far as a client can tell.

use crate::*;
use model::Sink;
use std::collections::BTreeMap;
use tempfile::TempDir;

const MAIN: &str = "refs/heads/main";

fn ada() -> Author {
    Author { name: "Ada".to_owned(), email: "ada@example.com".to_owned() }
}

struct Bed {
    dir: TempDir,
    hub: Hub,
}

impl Bed {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hub = Hub::open(&dir.path().join("hub")).unwrap();
        let bed = Self { dir, hub };
        bed.person("cluster.yaml", "one");
        bed
    }

    fn person(&self, path: &str, text: &str) -> Oid {
        let changes = BTreeMap::from([(path.to_owned(), Some(text.as_bytes().to_vec()))]);
        let commit = self.hub.commit(self.hub.find(MAIN), &changes, "a change", &ada(), 1).unwrap();
        self.hub.set("ada", MAIN, Some(commit));
        commit
    }

    fn client(&self, name: &str, fate: impl Fn(&Asked) -> Fate + Send + 'static) -> Repo {
        self.hub.client(name, "main", &self.dir.path().join(name), move |asked| fate(asked)).unwrap()
    }

    fn well(&self, name: &str) -> Repo {
        self.client(name, |_| Fate::Serve)
    }
}

fn commit(repo: &mut Repo, tip: Oid, text: &str) -> Oid {
    repo.fetch(tip).unwrap();
    let mut draft = repo.draft(tip);
    draft.put("cluster.lock.yaml", text.as_bytes()).unwrap();
    repo.commit(draft, "a lock", &ada(), 2).unwrap()
}

#[test]
fn fetches_reads_and_pushes() {
    let bed = Bed::new();
    let mut repo = bed.well("a");
    let tip = repo.tip().unwrap().unwrap();
    let pushed = commit(&mut repo, tip, "x");
    assert_eq!(repo.push(pushed, MAIN, Expect::Id(tip)), Push::Landed);
    assert_eq!(bed.hub.find(MAIN), Some(pushed));
    let tree = bed.hub.tree(pushed).unwrap();
    let paths: Vec<&str> = tree.entries().iter().map(|e| e.path.as_str()).collect();
    assert_eq!(paths, ["cluster.lock.yaml", "cluster.yaml"]);
    let mut other = bed.well("b");
    other.fetch(pushed).unwrap();
    assert_eq!(other.commit_info(pushed).unwrap().parents, [tip]);
    assert_eq!(bed.hub.moves(1)[0].by, "a");
}

#[test]
fn compares_before_it_swaps() {
    let bed = Bed::new();
    let (mut a, mut b) = (bed.well("a"), bed.well("b"));
    let tip = a.tip().unwrap().unwrap();
    let (first, second) = (commit(&mut a, tip, "a"), commit(&mut b, tip, "b"));
    assert_eq!(a.push(first, MAIN, Expect::Id(tip)), Push::Landed);
    assert_eq!(b.push(second, MAIN, Expect::Id(tip)), Push::Stale { found: Some(first) });
    assert_eq!(b.delete_ref(MAIN, tip), Push::Stale { found: Some(first) });
    assert_eq!(b.push_forced(second, "refs/x/y", Expect::Absent), Push::Landed);
    assert_eq!(b.delete_ref("refs/x/y", second), Push::Landed);
    assert_eq!(bed.hub.refs(), [(MAIN.to_owned(), first)]);
}

#[test]
fn each_fate_is_what_a_client_makes_of_it() {
    let fate =
        |fate: Fate| move |asked: &Asked| if let Asked::Push { .. } = asked { fate.clone() } else { Fate::Serve };
    let pushed = |name: &str, how: Fate| {
        let bed = Bed::new();
        let mut repo = bed.client(name, fate(how));
        let tip = repo.tip().unwrap().unwrap();
        let new = commit(&mut repo, tip, "x");
        (repo.push(new, MAIN, Expect::Id(tip)), bed.hub.find(MAIN) == Some(new))
    };
    assert!(matches!(pushed("before", Fate::DropBefore), (Push::Unknown(_), false)));
    assert!(matches!(pushed("after", Fate::DropAfter), (Push::Unknown(_), true)));
    assert!(matches!(pushed("hang", Fate::Hang), (Push::Unknown(_), false)));
    assert!(matches!(pushed("twice", Fate::Twice), (Push::Stale { found: Some(_) }, true)));
    let hook = Fate::Refuse("pre-receive hook declined".to_owned());
    assert!(matches!(pushed("hook", hook), (Push::Refused(refusal), false) if refusal.kind == RefusalKind::Policy));
}

#[test]
fn what_is_not_there_is_missing() {
    let bed = Bed::new();
    let mut repo = bed.well("a");
    assert_eq!(repo.tip().unwrap(), bed.hub.find(MAIN));
    assert!(matches!(repo.fetch(Oid([7; 20])), Err(Error::Missing { .. })));
}
