//! A cluster's whole life through Git alone: it changes, is lost and found, is held, is deleted and comes back.

mod changing;
mod day;
mod deleting;
mod field;
mod firewall;
mod hazards;
mod losing;

use ferrofleet_tests::bed::{Bed, LIMIT, definition, folder};
use ferrofleet_tests::binary::{Finished, Process};
use ferrofleet_tests::repo::Person;
use serde_json::{Value, json};

const CLUSTER: &str = "default.shop";

/// A fleet whose deletions wait for nothing but what is seen, with the shop resolved.
fn bed_with_shop() -> Bed {
    let bed = bed_with_nothing();
    write_shop(&bed.ada, &definition("shop"));
    bed.ada.push("A shop");
    let _ = bed.run_once().expect(0);
    bed.ada.pull();
    bed
}

fn bed_with_nothing() -> Bed {
    let bed = Bed::new();
    fleet(&bed, "  deletion: {vipHold: 0s, syncDelay: 0s}\n");
    bed
}

/// More of the fleet's `spec`.
fn fleet(bed: &Bed, more: &str) {
    let text = bed.ada.pull().read("fleet.yaml");
    bed.ada.write("fleet.yaml", &format!("{text}{more}"));
    bed.ada.push("Settings");
}

fn shop_path() -> String {
    format!("{}/cluster.yaml", folder("shop"))
}

fn write_shop(person: &Person, text: &str) {
    person.write(&shop_path(), text);
}

/// Pushes the shop's definition with more in its `spec`.
fn change_shop(bed: &Bed, more: &str, message: &str) -> String {
    bed.ada.pull();
    write_shop(&bed.ada, &format!("{}{more}", definition("shop")));
    bed.ada.push(message)
}

fn remove_shop(bed: &Bed) -> String {
    bed.ada.pull().remove(&shop_path());
    bed.ada.push("No shop any more")
}

/// A command against the remote, with an empty cache.
fn command(bed: &Bed, args: &[&str]) -> Finished {
    let cache = tempfile::tempdir_in(bed.path()).unwrap().keep().display().to_string();
    let url = bed.remote.url();
    let all: Vec<&str> = args.iter().copied().chain(["--repo", &url, "--cache-dir", &cache]).collect();
    Process::spawn(&mut bed.command(&all)).finish(LIMIT)
}

fn plan(bed: &Bed) -> Finished {
    command(bed, &["plan"])
}

fn lock(bed: &Bed) -> Value {
    serde_yaml::from_str(&bed.remote.read(&format!("{}/cluster.lock.yaml", folder("shop")))).unwrap()
}

fn has_lock(bed: &Bed) -> bool {
    bed.remote.paths().contains(&format!("{}/cluster.lock.yaml", folder("shop")))
}

/// Everything in metal-api that carries a mark of ours, as `slot id`.
fn marked(bed: &Bed, cluster: &str) -> Vec<String> {
    let of = |slot: &str| bed.live(cluster, slot).into_iter().map(move |id| format!("{slot} {id}")).collect::<Vec<_>>();
    ["network", "vip", "firewall"].iter().flat_map(|slot| of(slot)).collect()
}

/// The faults of one kind of call, `times` times.
fn fault(bed: &Bed, method: &str, path: &str, times: u32, effect: &Value) {
    bed.sim.set_faults(json!([{"method": method, "path": path, "times": times, "effect": effect}]));
}

/// A long-running engine that reads metal-api every half second.
fn start(bed: &Bed, more: &[&str]) -> Process {
    start_at(bed, "200ms", "500ms", more)
}

/// One that looks at Git and at metal-api so often.
fn start_at(bed: &Bed, git: &str, metal: &str, more: &[&str]) -> Process {
    let cache = tempfile::tempdir_in(bed.path()).unwrap().keep().display().to_string();
    let url = bed.remote.url();
    let mut args = vec!["run", "--repo", &url, "--claim-time", "2s", "--cache-dir", &cache];
    args.extend(["--git-interval", git, "--metal-interval", metal]);
    args.extend(more);
    Process::spawn(&mut bed.command(&args))
}
