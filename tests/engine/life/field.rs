//! What other systems broke under (competitors.md, tests at its end).

use super::{CLUSTER, bed_with_nothing, bed_with_shop, shop_path, start, start_at, write_shop};
use ferrofleet_tests::bed::{Bed, LIMIT, definition, folder};
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn sixty_four_allocations_of_one_project_at_once_are_sixty_four_values() {
    let bed = Bed::new();
    // Every answer comes late by as much: the calls of all engines are under way together.
    bed.sim.set_faults(json!([{"path": "*/allocate", "effect": {"delayMs": 50}}]));
    let names: Vec<String> = (0..64).map(|n| format!("c{n:02}")).collect();
    for name in &names {
        bed.ada.write(&format!("{}/cluster.yaml", folder(name)), &definition(name));
    }
    bed.ada.push("Sixty-four");
    let _ = bed.run_once().expect(0);
    let mut vips = BTreeSet::new();
    for name in &names {
        bed.assert_one_of_each(&format!("default.{name}"), &folder(name));
        vips.extend(bed.live(&format!("default.{name}"), "vip"));
    }
    assert_eq!(vips.len(), 64);
}

#[test]
fn i1_renamed_between_claim_and_commit_leaks_nothing() {
    let bed = bed_with_nothing();
    write_shop(&bed.ada, &definition("shop"));
    bed.ada.push("A shop");
    // The rename lands when everything is allocated and the commit that says so is on its way.
    bed.ada.remove(&shop_path());
    bed.ada.write(&format!("{}/cluster.yaml", folder("store")), &definition("store"));
    bed.ada.commit("It is called store");
    bed.ada.run(["push", "-q", "origin", "HEAD:refs/heads/next"]);
    bed.remote.hook(
        "pre-receive",
        "#!/bin/sh\nwhile read old new ref; do\n  if [ \"$ref\" = refs/heads/main ] && [ ! -e renamed ]; then\n    : > renamed\n    \
         env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main refs/heads/next\n  fi\ndone\n",
    );
    let _ = bed.run_once().expect(0);
    assert!(bed.remote.path.join("renamed").exists(), "the engine pushed");
    bed.assert_one_of_each("default.store", &folder("store"));
    for slot in ["network", "vip", "firewall"] {
        assert_eq!(bed.live(CLUSTER, slot), Vec::<String>::new(), "{slot}");
    }
}

#[test]
fn i4_a_published_cluster_is_looked_at_a_thousand_times() {
    let bed = bed_with_shop();
    bed.until_phoned_home();
    let _ = bed.run_once().expect(0);
    let tip = bed.remote.tip();
    bed.sim.forget_calls();
    let engine = start_at(&bed, "1ms", "1ms", &[]);
    let finds = |bed: &Bed| bed.sim.calls().iter().filter(|c| c.path.ends_with("/ip/find")).count();
    for times in [250, 500, 750, 1000] {
        bed.until(&format!("{times} readings"), |bed| finds(bed) >= times);
    }
    engine.signal("TERM");
    let _ = engine.finish(LIMIT);
    assert_eq!((bed.writes(), bed.remote.tip()), (Vec::new(), tip));
}

#[test]
fn an_edit_on_the_remote_twice_within_a_second_lands_whole() {
    let bed = bed_with_shop();
    let engine = start(&bed, &[]);
    let bob = bed.person("bob");
    for round in 0..3 {
        for (person, replicas) in [(&bed.ada, 3 + round), (&bob, 6 + round)] {
            write_shop(person.pull(), &definition("shop").replace("replicas: 1", &format!("replicas: {replicas}")));
            person.push("Again");
        }
        let wanted = format!("replicas: {}", 6 + round);
        bed.until("the last edit came back", |bed| {
            bed.remote.read("rendered/mgmt/default/shop/pools.yaml").contains(&wanted)
        });
    }
    engine.signal("TERM");
    let _ = engine.finish(LIMIT);
    bed.assert_one_of_each(CLUSTER, &folder("shop"));
}

#[test]
fn i6_a_hung_partition_holds_nobody_else_up() {
    let bed = bed_with_nothing();
    let far = definition("far").replace("spec:\n", "spec:\n  metal: {partition: muc-b}\n");
    bed.ada.write(&format!("{}/cluster.yaml", folder("far")), &far);
    write_shop(&bed.ada, &definition("shop"));
    bed.ada.push("Two partitions");
    // The first allocation of a network hangs for ever: the other cluster is committed all the same.
    bed.sim.set_faults(json!([{"path": "*/network/allocate", "times": 1, "effect": "hang"}]));
    let engine = start(&bed, &[]);
    bed.until("one of them is locked while the other hangs", |bed| {
        bed.remote.paths().iter().any(|path| path.ends_with("control-plane.yaml"))
    });
    bed.until("both are there in the end", |bed| {
        bed.remote.paths().iter().filter(|path| path.ends_with("control-plane.yaml")).count() == 2
    });
    engine.signal("TERM");
    let _ = engine.finish(LIMIT);
    let _ = bed.run_once().expect(0);
    bed.assert_one_of_each(CLUSTER, &folder("shop"));
    bed.assert_one_of_each("default.far", &folder("far"));
}
