//! metal-go, metal-api's official client, against the simulator: what it cannot decode or does not get, no client of
//! metal-api would.

use ferrofleet_tests::peers::{Peer, binary, need};
use metal_sim::{Clock, Landscape, Sim};
use std::process::Command;
use tokio::runtime::Runtime;

/// Arrays of the simulator come in an order drawn from this.
const SEEDS: [u64; 2] = [1, 2];

#[test]
fn the_official_client_understands_the_simulator() {
    let Some(probe) = need(binary(Peer::MetalGoProbe)) else { return };
    let runtime = Runtime::new().unwrap();
    for (seed, base_path) in SEEDS.into_iter().zip(["/metal", ""]) {
        let sim = Sim::new(&Landscape::default(), Clock::real(1.0), seed).unwrap();
        let running = runtime.block_on(sim.serve()).unwrap();
        let url = format!("http://{}{base_path}", running.address());
        let [_, (_, hmac), (_, auth_type)] = running.env();
        let walked = Command::new(&probe)
            .env_clear()
            .envs([("METAL_URL", url), ("METAL_HMAC", hmac), ("METAL_AUTH_TYPE", auth_type)])
            .args(["--project", "00000000-0000-0000-0000-000000000001", "--partition", "muc-a"])
            .args(["--external", "internet", "--size", "n1-medium-x86"])
            .args(["--machine-image", "capms-ubuntu-1.34.2", "--firewall-image", "firewall-ubuntu-3.0.20251101"])
            .output()
            .unwrap();
        let facts = String::from_utf8_lossy(&walked.stdout);
        let calls: Vec<String> =
            sim.calls().iter().rev().take(3).map(|c| format!("{} {} {:?}", c.method, c.path, c.status)).collect();
        assert!(walked.status.success(), "seed {seed}:\n{facts}\nlast calls, newest first: {calls:#?}");
        assert!(facts.ends_with("done\n"), "{facts}");
    }
}
