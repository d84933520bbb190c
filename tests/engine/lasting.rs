//! The long-running engine: pushes come back, quiet costs nothing, signals end it, one fleet's trouble is not another's.

use ferrofleet_tests::bed::{Bed, LIMIT, definition, folder};
use ferrofleet_tests::binary::Process;
use ferrofleet_tests::git_http::GitHttp;
use std::time::{Duration, Instant};

fn start(bed: &Bed, more: &[&str]) -> Process {
    let cache = bed.path().join("lasting-cache").display().to_string();
    let url = bed.remote.url();
    let mut args = vec!["run", "--repo", &url, "--claim-time", "5s", "--cache-dir", &cache];
    args.extend(more);
    Process::spawn(&mut bed.command(&args))
}

fn shop_is_locked(bed: &Bed) -> bool {
    bed.remote.paths().contains(&format!("{}/cluster.lock.yaml", folder("shop")))
}

#[test]
fn a_push_comes_back_without_waiting_for_the_interval() {
    let bed = Bed::new();
    let engine = start(&bed, &["--git-interval", "10m"]);
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop"));
    bed.ada.push("A shop");
    bed.until("the first push came back", shop_is_locked);
    bed.ada.pull().write(&format!("{}/cluster.yaml", folder("bar")), &definition("bar"));
    bed.ada.push("A bar");
    bed.until("the second push came back", |bed| {
        bed.remote.paths().contains(&format!("{}/cluster.lock.yaml", folder("bar")))
    });
    bed.assert_one_of_each("default.shop", &folder("shop"));
    bed.assert_one_of_each("default.bar", &folder("bar"));
    engine.signal("TERM");
    let _ = engine.finish(LIMIT).expect(0);
    assert_eq!(bed.remote.claims(), Vec::<String>::new());
}

#[test]
fn sighup_makes_it_look_now() {
    let bed = Bed::new();
    let http = GitHttp::start(bed.path());
    // Over HTTP nothing tells the engine of a push, and its interval is long.
    let url = http.url("fleet.git");
    let cache = bed.path().join("cache").display().to_string();
    let args = ["run", "--repo", &url, "--git-interval", "10m", "--cache-dir", &cache, "--claim-time", "5s"];
    let engine = Process::spawn(&mut bed.command(&args));
    bed.until("it looked once", |_| http.take_seen().iter().any(|s| s.method == "POST"));
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop"));
    bed.ada.push("A shop");
    bed.until("SIGHUP made it look", |bed| {
        engine.signal("HUP");
        shop_is_locked(bed)
    });
    engine.signal("TERM");
    let _ = engine.finish(LIMIT).expect(0);
}

#[test]
fn i4_an_unchanged_tip_costs_one_small_request() {
    let bed = Bed::new();
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop"));
    bed.ada.push("A shop");
    let http = GitHttp::start(bed.path());
    let url = http.url("fleet.git");
    let cache = bed.path().join("cache").display().to_string();
    let args = ["run", "--repo", &url, "--once", "--cache-dir", &cache, "--claim-time", "5s"];
    let run = || Process::spawn(&mut bed.command(&args)).finish(LIMIT).expect(0);
    let _ = run();
    let (tip, _) = (bed.remote.tip(), http.take_seen());
    bed.sim.forget_calls();
    let quiet = run();
    let seen = http.take_seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].bytes_in + seen[0].bytes_out < 1024, "{seen:?}");
    assert_eq!((bed.remote.tip(), bed.writes()), (tip, Vec::new()));
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_hung_remote_delays_no_other_fleet_and_readiness_stays() {
    let bed = Bed::new();
    bed.ada.write(&format!("{}/cluster.yaml", folder("shop")), &definition("shop"));
    bed.ada.push("A shop");
    let http = GitHttp::start(bed.path());
    http.script(|_| Some(ferrofleet_tests::git_http::Fault::Hang));
    let [(_, metal), (_, key), _] = bed.sim.env();
    let hmac = bed.path().join("hmac");
    std::fs::write(&hmac, key).unwrap();
    let config = bed.path().join("ferrofleet.yaml");
    let text = format!(
        "fleets:\n- {{repo: '{}', branch: main}}\n- {{repo: '{}', branch: main, gitInterval: 1s}}\nmetal:\n  default: {{url: '{metal}', \
         hmacFile: '{}', authType: Metal-Admin}}\ncacheDir: '{}'\n",
        http.url("fleet.git"),
        bed.remote.url(),
        hmac.display(),
        bed.path().join("cache").display(),
    );
    std::fs::write(&config, text).unwrap();
    let path = config.display().to_string();
    let began = Instant::now();
    let engine = Process::spawn(&mut bed.command(&["run", "--config", &path, "--claim-time", "5s"]));
    bed.until("the healthy fleet came back", shop_is_locked);
    assert!(began.elapsed() < Duration::from_secs(30), "it waited for the hung one");
    engine.signal("TERM");
    let _ = engine.finish(LIMIT).expect(0);
}
