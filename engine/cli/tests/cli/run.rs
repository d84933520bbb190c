use crate::plan::{definition, push, remote};
use crate::support::{Running, Simulator, collected, git, output, until};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex};

fn claims(home: &Path) -> String {
    git(home, &["-C", "fleet.git", "for-each-ref", "refs/ferrofleet"])
}

fn engine_commits(home: &Path) -> usize {
    git(home, &["-C", "fleet.git", "log", "--format=%an", "main"]).lines().filter(|a| *a == "Ferrofleet").count()
}

#[test]
fn once_shows_where_every_cluster_stands() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sim = Simulator::start(home);
    let url = remote(home, &sim);
    let ran = output(sim.command(home).args(["run", "--once", "--repo", &url])).expect(0);
    let rows: Vec<Vec<_>> = ran.stdout.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..4], ["CLUSTER", "PHASE", "NETWORK", "VIP"]);
    assert_eq!(rows[1][..2], ["default.shop", "Rendered"]);
    // Quiet: a one-shot logs nothing when nothing is wrong.
    assert_eq!(ran.stderr, "");
    let json = output(sim.command(home).args(["run", "--once", "--repo", &url, "-o", "json"])).expect(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["complete"], &json["commits"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(json["clusters"][0]["phase"], "Rendered");
    assert_eq!(engine_commits(home), 1);
    assert_eq!(claims(home), "");
}

#[test]
fn a_finding_makes_once_fail_after_the_others_were_committed() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sim = Simulator::start(home);
    let url = remote(home, &sim);
    definition(home, "broken", "  pool: []\n");
    push(home, "Broken");
    let ran = output(sim.command(home).args(["run", "--once", "--repo", &url])).expect(1);
    assert!(ran.stderr.contains("error[unknown-field]"), "{}", ran.stderr);
    assert!(ran.stdout.contains("default.shop"), "{}", ran.stdout);
    assert_eq!(engine_commits(home), 1);
}

/// Keeps the engine, its log and where it listens.
struct Engine {
    process: Running,
    address: String,
    log: Arc<Mutex<String>>,
}

impl Engine {
    fn start(sim: &Simulator, home: &Path, args: &[&str]) -> Self {
        let mut process = Running::spawn(sim.command(home).args(["run", "--listen", "127.0.0.1:0"]).args(args));
        let mut log = BufReader::new(process.0.stderr.take().unwrap());
        let mut seen = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "ended: {seen}");
            if let Some((_, rest)) = line.split_once("address=") {
                break rest.split_whitespace().next().unwrap().to_owned();
            }
            seen += &line;
        };
        Self { process, address, log: collected(log) }
    }

    fn ask(&self, request: &str) -> (String, String) {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(&self.address).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
    }
}

#[test]
fn a_lasting_engine_watches_serves_and_ends() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sim = Simulator::start(home);
    let url = remote(home, &sim);
    let mut engine = Engine::start(&sim, home, &["--repo", &url, "--git-interval", "1h"]);
    until("ready", || engine.ask("GET /readyz").0 == "200");
    until("the first commit", || engine_commits(home) == 1);
    // The interval is an hour: only the watch of the local remote brings this one.
    git(home, &["-C", "f", "pull", "-q", "../fleet.git", "main"]);
    definition(home, "cart", "");
    push(home, "Add cart");
    until("the second commit", || engine_commits(home) == 2);
    until("counted", || {
        engine.ask("GET /metrics").1.contains("ferrofleet_push_total{fleet=\"f\",outcome=\"landed\"} 2")
    });
    let (_, metrics) = engine.ask("GET /metrics");
    for line in [
        "ferrofleet_clusters{fleet=\"f\",phase=\"Rendered\"} 2",
        "ferrofleet_slots{fleet=\"f\",slot=\"vip\",origin=\"allocated\"} 2",
        "ferrofleet_metal_requests_total{op=\"firewall_allocate\",code=\"ok\"} 2",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    // I7
    assert!(!metrics.contains("metal-admin"), "{metrics}");
    until("both firewalls are up", || {
        let metrics = engine.ask("GET /metrics").1;
        metrics.lines().filter(|l| l.starts_with("ferrofleet_firewall_healthy{") && l.ends_with("} 1")).count() == 2
    });
    // So does a signal: a turn ends, and has nothing to do.
    let quiet = |engine: &Engine| {
        let line = engine.ask("GET /metrics").1;
        let line =
            line.lines().find(|l| l.starts_with("ferrofleet_turns_total") && l.contains("none")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let before = quiet(&engine);
    engine.process.signal("HUP");
    until("a turn after SIGHUP", || quiet(&engine) > before);
    assert_eq!(engine.ask("POST /pause").0, "202");
    definition(home, "wiki", "");
    git(home, &["-C", "f", "pull", "-q", "../fleet.git", "main"]);
    push(home, "Add wiki");
    assert_eq!(engine.ask("GET /readyz").1, "paused\n");
    assert_eq!(engine.ask("POST /resume").0, "202");
    until("the third commit", || engine_commits(home) == 3);
    engine.process.signal("TERM");
    assert_eq!(engine.process.wait(), Some(0));
    assert_eq!(claims(home), "");
}

#[test]
fn i4_a_finding_is_logged_when_it_comes_and_when_it_goes() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sim = Simulator::start(home);
    let url = remote(home, &sim);
    let mut engine = Engine::start(&sim, home, &["--repo", &url, "--git-interval", "20ms"]);
    until("the first commit", || engine_commits(home) == 1);
    git(home, &["-C", "f", "pull", "-q", "../fleet.git", "main"]);
    definition(home, "broken", "  pool: []\n");
    push(home, "Break it");
    let turns = |engine: &Engine| {
        let metrics = engine.ask("GET /metrics").1;
        let of = metrics.lines().filter(|l| l.starts_with("ferrofleet_turns_total"));
        of.map(|l| l.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    until("the finding", || engine.log.lock().unwrap().contains("unknown-field"));
    let before = turns(&engine);
    until("ten more turns", || turns(&engine) > before + 10);
    assert_eq!(engine.log.lock().unwrap().matches("unknown-field").count(), 1);
    std::fs::remove_dir_all(home.join("f/stages/development/clusters/broken")).unwrap();
    push(home, "Mend it");
    until("no finding", || engine.log.lock().unwrap().contains("no findings any more"));
    engine.process.signal("TERM");
    assert_eq!(engine.process.wait(), Some(0));
}

#[test]
fn several_fleets_of_a_file_and_a_missing_one_delays_nobody() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sim = Simulator::start(home);
    let url = remote(home, &sim);
    let config = format!(
        "fleets: [{{repo: {url}, gitInterval: 1h}}, {{repo: {}}}]\ncacheDir: cache\nmetal: {{default: {{url: x, hmacFile: y}}}}\n",
        home.join("nowhere.git").display()
    );
    std::fs::write(home.join("ferrofleet.yaml"), config).unwrap();
    let ran = output(sim.command(home).args(["run", "--once", "--config", "ferrofleet.yaml"])).expect(1);
    assert!(ran.stdout.contains("default.shop"), "{}", ran.stdout);
    assert!(ran.stderr.contains("nowhere.git"), "{}", ran.stderr);
    assert!(home.join("cache").is_dir());
    definition(home, "cart", "");
    git(home, &["-C", "f", "pull", "-q", "../fleet.git", "main"]);
    push(home, "Add cart");
    let mut engine = Engine::start(&sim, home, &["--config", "ferrofleet.yaml"]);
    until("the second commit", || engine_commits(home) == 2);
    // A repository that is down is not our unreadiness.
    until("ready", || engine.ask("GET /readyz").0 == "200");
    engine.process.signal("INT");
    assert_eq!(engine.process.wait(), Some(0));
}

#[test]
fn i7_credentials_are_in_no_output() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sim = Simulator::start(home);
    let url = remote(home, &sim);
    let mut command = sim.command(home);
    command.args([
        "run",
        "--once",
        "--repo",
        &url,
        "--timeout",
        "5s",
        "--log",
        "trace",
        "--git-username",
        "canary-user",
    ]);
    command.env("METAL_API_HMAC", "canary-hmac").env("FERROFLEET_GIT_PASSWORD", "canary-password");
    let refused = output(&mut command).expect(1);
    assert!(refused.stderr.contains("TRACE"));
    for text in [&refused.stdout, &refused.stderr, &git(home, &["-C", "fleet.git", "log", "-p", "--all"])] {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn a_signal_ends_once_and_leaves_no_claim() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sim = Simulator::start(home);
    let url = remote(home, &sim);
    let metal = &sim.env.iter().find(|(name, _)| name == "METAL_API_URL").unwrap().1;
    let address = metal.strip_prefix("http://").unwrap().strip_suffix("/metal").unwrap();
    hang(address, "*/network/allocate");
    let mut once = Running::spawn(sim.command(home).args(["run", "--once", "--repo", &url, "--claim-time", "3s"]));
    until("the claim is held", || !claims(home).is_empty());
    once.signal("TERM");
    assert_eq!(once.wait(), Some(1));
    assert_eq!(claims(home), "");
}

/// Calls of this path get no answer, and nothing happens.
fn hang(address: &str, path: &str) {
    use std::io::{Read as _, Write as _};
    let body = format!("[{{\"path\": \"{path}\", \"effect\": \"hang\"}}]");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head =
        format!("PUT /_sim/faults HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
}
