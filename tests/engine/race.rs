//! Many engines and people on one branch: all lands, history is linear, nothing twice.

use ferrofleet_tests::bed::{Bed, LIMIT, definition, folder};
use git::{Author, Credentials, Expect, Oid, Options, Push, RemoteUrl, Repo, Timeouts};
use model::Sink as _;
use std::path::Path;

#[test]
fn ten_engines_and_a_person_on_fifty_clusters() {
    let bed = Bed::new();
    for n in 0..50 {
        let name = format!("c{n:02}");
        bed.ada.write(&format!("{}/cluster.yaml", folder(&name)), &definition(&name));
    }
    bed.ada.push("Fifty clusters");
    let engines: Vec<_> = (0..10).map(|_| bed.spawn_once()).collect();
    let bob = bed.person("bob");
    for n in 0..20 {
        bob.write(&format!("notes/{n}.md"), &format!("note {n}\n"));
        bob.push(&format!("Note {n}"));
    }
    for engine in engines {
        let _ = engine.finish(LIMIT).expect(0);
    }
    let _ = bed.run_once().expect(0);
    for n in 0..50 {
        bed.assert_one_of_each(&format!("default.c{n:02}"), &folder(&format!("c{n:02}")));
    }
    for n in 0..20 {
        assert_eq!(bed.remote.read(&format!("notes/{n}.md")), format!("note {n}"));
    }
    assert_eq!(bed.remote.git(["rev-list", "--merges", "--count", "main"]), "0");
    assert_eq!(bed.remote.claims(), Vec::<String>::new());
}

/// What an engine does when it loses a race: again, on the new tip.
fn push_often(url: &str, cache: &Path, who: &str, times: usize) -> Vec<Oid> {
    let url = RemoteUrl::parse(url).unwrap();
    let (credentials, timeouts) = (Credentials::default(), Timeouts::default());
    let cache_dir = cache.to_owned();
    let mut repo = Repo::open(Options { url, branch: "main".to_owned(), cache_dir, credentials, timeouts }).unwrap();
    let author = Author { name: who.to_owned(), email: format!("{who}@example.com") };
    let mut landed = Vec::new();
    while landed.len() < times {
        let tip = repo.tip().unwrap().unwrap();
        if repo.fetch(tip).is_err() {
            continue;
        }
        let mut draft = repo.draft(tip);
        draft.put(&format!("{who}/{}", landed.len()), b"x\n").unwrap();
        let commit = repo.commit(draft, "One more", &author, 1_700_000_000).unwrap();
        match repo.push(commit, "refs/heads/main", Expect::Id(tip)) {
            Push::Landed => landed.push(commit),
            Push::Stale { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    landed
}

#[test]
fn two_engines_and_plain_git_push_two_hundred_times_each_and_no_commit_is_missing() {
    const TIMES: usize = 200;
    let bed = Bed::new();
    let (url, bob) = (bed.remote.url(), bed.person("bob"));
    let mut landed = std::thread::scope(|scope| {
        let engines = ["one", "two"].map(|who| {
            let (url, cache) = (&url, bed.path().join(who));
            scope.spawn(move || push_often(url, &cache, who, TIMES))
        });
        for n in 0..TIMES {
            bob.write(&format!("bob/{n}"), "x\n").push("Mine");
        }
        engines.map(|engine| engine.join().unwrap()).concat()
    });
    landed.sort_unstable();
    landed.dedup();
    assert_eq!(landed.len(), 2 * TIMES);
    let log: Vec<String> = bed.remote.log().into_iter().map(|(id, _, _)| id).collect();
    assert!(landed.iter().all(|id| log.contains(&id.to_string())), "a commit that landed is gone");
    assert_eq!(log.len(), 3 * TIMES + 1);
    assert_eq!(bed.remote.git(["rev-list", "--merges", "--count", "main"]), "0");
    for who in ["one", "two", "bob"] {
        let files = bed.remote.paths().into_iter().filter(|p| p.starts_with(&format!("{who}/"))).count();
        assert_eq!(files, TIMES, "{who}");
    }
}
