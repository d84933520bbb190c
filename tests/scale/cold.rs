//! Load, validate, plan and render cold, by CPU time and peak memory of a process of its own:
//! `cargo bench -p ferrofleet-tests --bench cold`.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and ends where it cannot go on")]

mod fleet_of;

use model::metal::{Image, Ip, IpKind, Machine, MachineRole, MachineState, Network, NetworkKind};
use model::tags::allocation_tags;
use model::{Attempt, Have, Sink, SinkError, Slot, Timestamp};
use std::process::Command;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|a| a == "--test") {
        return;
    }
    if let Some(at) = args.iter().position(|a| a == "--child") {
        return child(&args[at + 1]);
    }
    println!("{:>9} {:>10} {:>14} {:>10} {:>10}", "clusters", "CPU ms", "µs per cluster", "peak MiB", "files");
    for clusters in [100, 1_000, 5_000] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let remote = fleet_of::repository(dir.path(), clusters);
        let child = Command::new(std::env::current_exe().expect("this program"))
            .arg("--child")
            .arg(&remote.path)
            .output()
            .expect("it starts");
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        let text = String::from_utf8_lossy(&child.stdout);
        let mut numbers = text.split_whitespace().map(|n| n.parse::<f64>().expect("a number"));
        let [cpu, peak, files] = [(); 3].map(|()| numbers.next().expect("three numbers"));
        let each = cpu * 1000.0 / clusters as f64;
        println!("{clusters:>9} {cpu:>10.0} {each:>14.0} {peak:>10.1} {files:>10.0}");
    }
}

/// Hashes and forgets: what a real sink does before it writes.
#[derive(Default)]
struct Count {
    files: usize,
}

impl Sink for Count {
    fn put(&mut self, _: &str, bytes: &[u8]) -> Result<(), SinkError> {
        std::hint::black_box(model::digest::blob_id(bytes));
        self.files += 1;
        Ok(())
    }

    fn remove(&mut self, _: &str) -> Result<(), SinkError> {
        Ok(())
    }
}

fn child(path: &str) {
    let cache = tempfile::tempdir().expect("a cache");
    let url = git::RemoteUrl::parse(path).expect("a path");
    let options = git::Options {
        url,
        branch: "main".to_owned(),
        cache_dir: cache.path().to_owned(),
        credentials: git::Credentials::default(),
        timeouts: git::Timeouts::default(),
    };
    let mut repo = git::Repo::open(options).expect("it opens");
    let tip = repo.tip().expect("it answers").expect("a branch");
    repo.fetch(tip).expect("it fetches");
    let before = cpu_ms();
    let tree = repo.tree(tip).expect("a tree");
    let now = Timestamp::from_second(1_800_000_000).expect("a time");
    let loaded = fleet::load(&tree, &mut fleet::Memo::default(), now);
    assert!(!loaded.findings.iter().any(model::Finding::is_error), "{:?}", loaded.findings.first());
    let attempt = Attempt::parse(Attempt::EXAMPLE).expect("an attempt");
    let have = have(&loaded.want, &attempt);
    let unknown = plan::Unknown::default();
    let plan = plan::plan(&loaded.want, &have, &unknown.setting(&attempt, now));
    assert!(!plan.writes_metal());
    let locks = plan::settle(&loaded.want, &plan, &model::request::Done::default());
    assert_eq!(locks.len(), loaded.want.clusters.len());
    let mut sink = Count::default();
    let edited = render::edit(
        &loaded.want,
        render::Settled::live(&locks),
        &tree,
        &tree,
        &mut render::Memo::default(),
        &mut sink,
    );
    assert_eq!(edited.expect("it renders").changed.len(), locks.len());
    println!("{} {} {}", cpu_ms() - before, peak_mib(), sink.files);
}

/// A metal-api that has one of each for every cluster, as an earlier run left it.
fn have(want: &model::Want, attempt: &Attempt) -> Have {
    let fleet = &want.fleet.as_ref().expect("a fleet").metadata.name;
    let mut have = Have::default();
    let created = Timestamp::from_second(1_700_000_000).ok();
    for (n, (id, wanted)) in want.clusters.iter().enumerate() {
        let project = &wanted.identity.project;
        let had = have.projects.entry(project.clone()).or_default();
        let n = u32::try_from(n).expect("a small fleet");
        let tags = |slot: &Slot| allocation_tags(id, fleet, slot, attempt);
        let partition = wanted.identity.partition.clone();
        let uuid = format!("00000000-0000-4000-8000-{n:012}");
        let net = ipnet::Ipv4Net::new((0x0A00_0000 + n * 1024).into(), 22).expect("a prefix");
        had.networks.push(Network {
            id: model::NetworkId::parse(&uuid).expect("an id"),
            name: String::new(),
            kind: NetworkKind::Child,
            project: Some(project.clone()),
            partition: Some(partition.clone()),
            parent: None,
            prefixes: vec![ipnet::IpNet::V4(net).into()],
            destination_prefixes: vec![],
            announceable: vec![],
            labels: tags(&Slot::Network),
            created,
        });
        had.ips.push(Ip {
            address: std::net::Ipv4Addr::from(0xC612_0000 + n).into(),
            allocation: model::Allocation::parse(&uuid).expect("an id"),
            network: wanted.effective.vip.network.value.clone(),
            project: project.clone(),
            kind: IpKind::Static,
            name: String::new(),
            tags: tags(&Slot::Vip),
            created,
        });
        had.firewalls.push(Machine {
            id: model::MachineId::parse(&uuid).expect("an id"),
            allocation: model::Allocation::parse(&uuid).expect("an id"),
            project: project.clone(),
            partition,
            size: wanted.effective.firewall.size.value.clone(),
            image: model::ImageId::parse("firewall-ubuntu-3.0.20251101").expect("an image"),
            role: MachineRole::Firewall,
            hostname: String::new(),
            rack: String::new(),
            state: MachineState::Available,
            state_description: String::new(),
            tags: tags(&Slot::Firewall(1)),
            created,
            networks: vec![],
            alive: true,
            crash_loop: false,
            failed_reclaim: false,
            phoned_home: true,
            asn: None,
            last_event: None,
        });
    }
    have.images.push(Image {
        id: model::ImageId::parse("firewall-ubuntu-3.0.20251101").expect("an image"),
        expires: None,
        for_machines: false,
        for_firewalls: true,
    });
    have
}

/// User and system time of this process.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after = stat.rsplit(')').next().expect("a name in brackets");
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|t| t.parse::<f64>().expect("ticks")).sum();
    // USER_HZ is 100 on every Linux that Rust knows.
    ticks * 10.0
}

fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("kilobytes") / 1024.0
}
