//! Many engines and people on one branch: all lands, history is linear, nothing twice.

use ferrofleet_tests::bed::{Bed, LIMIT, definition, folder};

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
