use super::*;
use crate::wiring::{self, Common, FleetSettings};
use gitops::FleetStatus;
use model::Timestamp;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

struct Bed {
    address: SocketAddr,
    status: watch::Sender<FleetStatus>,
    paused: Arc<watch::Sender<bool>>,
    _stop: watch::Sender<bool>,
    dir: tempfile::TempDir,
}

impl Bed {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("token");
        std::fs::write(&token, "canary-token\n").unwrap();
        let settings = FleetSettings {
            outputs: Vec::new(),
            url: wiring::remote("https://git.example.com/fleet.git").unwrap(),
            branch: "main".to_owned(),
            credentials: git::Credentials::default(),
            git_interval: Duration::from_secs(15),
            metal_interval: Duration::from_secs(300),
        };
        let common = Common::new(Duration::from_secs(30), dir.path().join("cache")).unwrap();
        let (status, receiver) = watch::channel(FleetStatus::default());
        let fleet = Handle::new(&settings, &common).with_status(receiver);
        let paused = Arc::new(watch::Sender::new(false));
        let metal = Arc::new(MetalCounters::default());
        let server = Server::new([fleet].into(), metal, paused.clone(), Some(token));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let service = router(server).into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(crate::life::asked_to_end(stopped));
        tokio::spawn(async move { serving.await });
        Self { address, status, paused, _stop, dir }
    }

    /// Status code and body.
    async fn ask(&self, request: &str, headers: &str) -> (u16, String) {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let text = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (code, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    fn turn(&self, seconds_ago: i64, writing: Option<i64>) {
        let ago = |seconds: i64| Timestamp::now() - jiff::SignedDuration::from_secs(seconds);
        self.status.send_modify(|status| {
            status.last_turn = Some(ago(seconds_ago));
            status.writing_since = writing.map(ago);
            status.error = Some("the repository is down".to_owned());
        });
    }
}

#[tokio::test]
async fn ready_is_that_turns_end_and_writes_are_settled() {
    let bed = Bed::new().await;
    assert_eq!(bed.ask("GET /healthz", "").await, (200, "ok\n".to_owned()));
    assert_eq!(bed.ask("GET /readyz", "").await.0, 503);
    // A repository that is down is not our unreadiness.
    bed.turn(3, None);
    assert_eq!(bed.ask("GET /readyz", "").await, (200, "ready\n".to_owned()));
    bed.turn(3600, None);
    let (code, why) = bed.ask("GET /readyz", "").await;
    assert_eq!(code, 503);
    assert!(why.starts_with("https://git.example.com/fleet.git#main: no turn ended for 3600 s"), "{why}");
    bed.turn(3, Some(3600));
    let (code, why) = bed.ask("GET /readyz", "").await;
    assert!(code == 503 && why.contains("a write is not confirmed after 3600 s"), "{why}");
    bed.paused.send_replace(true);
    assert_eq!(bed.ask("GET /readyz", "").await.0, 200);
}

#[tokio::test]
async fn control_is_for_this_machine_or_the_token() {
    let bed = Bed::new().await;
    assert_eq!(bed.ask("POST /reconcile", "").await.0, 202);
    // A web page in a browser on this machine, and a proxy on it, speak for others.
    for foreign in
        ["Origin: https://evil.example\r\n", "X-Forwarded-For: 192.0.2.1\r\n", "Forwarded: for=192.0.2.1\r\n"]
    {
        assert_eq!(bed.ask("POST /pause", foreign).await.0, 403, "{foreign}");
        let with = |token: &str| format!("{foreign}Authorization: Bearer {token}\r\n");
        assert_eq!(bed.ask("POST /reconcile", &with("wrong")).await.0, 403);
        assert_eq!(bed.ask("POST /reconcile", &with("canary-token")).await.0, 202);
    }
    assert!(!*bed.paused.borrow());
    assert_eq!(bed.ask("POST /pause", "").await.0, 202);
    assert!(*bed.paused.borrow());
    assert_eq!(bed.ask("POST /resume", "").await.0, 202);
    assert!(!*bed.paused.borrow());
    // An emptied file lets nobody in, not everybody.
    std::fs::write(bed.dir.path().join("token"), "\n").unwrap();
    assert_eq!(bed.ask("POST /pause", "Origin: x\r\nAuthorization: Bearer \r\n").await.0, 403);
    assert_eq!(bed.ask("GET /pause", "").await.0, 405);
}

#[tokio::test]
async fn metrics_of_a_fleet() {
    let bed = Bed::new().await;
    bed.turn(0, None);
    bed.status.send_modify(|status| {
        status.fleet = Some("example".to_owned());
        status.counters.pushes_landed = 2;
        status.counters.allocations = 9;
        status.ran = Some(Arc::default());
    });
    let (code, text) = bed.ask("GET /metrics", "").await;
    assert_eq!(code, 200);
    for line in [
        "ferrofleet_build_info{version=\"0.1.0\"} 1",
        "ferrofleet_push_total{fleet=\"example\",outcome=\"landed\"} 2",
        "ferrofleet_allocations_total{fleet=\"example\"} 9",
        "ferrofleet_duplicates{fleet=\"example\"} 0",
        "ferrofleet_paused 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(!text.contains("canary"));
}

#[tokio::test]
async fn metrics_of_a_life() {
    use ::plan::{CapacityLine, Deleting, Loss, LossKind, Next};
    use model::lock::{DeletionPhase, Successor};
    let bed = Bed::new().await;
    let lock = include_str!("../../../../fleet-example/stages/development/clusters/shop/cluster.lock.yaml");
    let mut lock: model::ClusterLock = serde_saphyr::from_str(lock).unwrap();
    let project = lock.identity.project.clone();
    let firewall = lock.values.firewall.as_mut().unwrap();
    let (id, allocation, image) = (firewall.id.clone(), firewall.allocation.clone(), firewall.image.clone());
    firewall.successor = Some(Successor { id, allocation, generation: 2, image, inputs: None });
    let cluster: model::ClusterId = "default.shop".parse().unwrap();
    let mut ran = gitops::Ran::default();
    let state = gitops::ClusterState {
        path: String::new(),
        phase: gitops::Phase::Rendered,
        lock: Some(Arc::new(lock)),
        problem: None,
        notes: vec![(model::Reason::WaitingForCapacity, "2 of 4".to_owned())],
        firewall_ready: Some(true),
        commit: None,
    };
    ran.clusters.insert(cluster.clone(), state);
    let loss = |kind| Loss {
        cluster: cluster.clone(),
        project: project.clone(),
        slot: model::Slot::Vip,
        id: "a".to_owned(),
        kind,
    };
    ran.plan.losses = vec![loss(LossKind::Gone), loss(LossKind::Missing), loss(LossKind::Missing)];
    ran.plan.budget_left = 7;
    let (partition, size) = ("muc-a".parse().unwrap(), "c1-large-x86".parse().unwrap());
    ran.plan.capacity = vec![CapacityLine { partition, size, need: 4, free: 2, reserve: 0, waiting: Vec::new() }];
    let old: model::ClusterId = "default.old".parse().unwrap();
    let (phase, next) = (Some(DeletionPhase::Removing), Next::Wait);
    let deleting = Deleting {
        project: project.clone(),
        phase,
        next,
        waits: Vec::new(),
        until: None,
        refused: None,
        ends: false,
        gone: Vec::new(),
    };
    ran.plan.deletions.insert(old.clone(), deleting);
    ran.phase_since.insert(old, Timestamp::now() - jiff::SignedDuration::from_secs(7200));
    bed.status.send_modify(|status| {
        status.fleet = Some("example".to_owned());
        status.ran = Some(Arc::new(ran));
    });
    let (_, text) = bed.ask("GET /metrics", "").await;
    for line in [
        "ferrofleet_lost{fleet=\"example\"} 1",
        "ferrofleet_missing{fleet=\"example\"} 2",
        "ferrofleet_budget_left{fleet=\"example\"} 7",
        "ferrofleet_capacity_free{fleet=\"example\",partition=\"muc-a\",size=\"c1-large-x86\"} 2",
        "ferrofleet_capacity_need{fleet=\"example\",partition=\"muc-a\",size=\"c1-large-x86\"} 4",
        "ferrofleet_firewall_healthy{fleet=\"example\",cluster=\"default.shop\"} 1",
        "ferrofleet_firewalls_live{fleet=\"example\",cluster=\"default.shop\"} 2",
        "ferrofleet_condition{fleet=\"example\",cluster=\"default.shop\",type=\"Noted\",reason=\"WaitingForCapacity\"} 1",
        "ferrofleet_observing 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    let waited = text.lines().find_map(|l| {
        l.strip_prefix("ferrofleet_deletions_waiting_seconds{fleet=\"example\",cluster=\"default.old\"} ")
    });
    assert!((7200..7260).contains(&waited.unwrap().parse::<i64>().unwrap()), "{text}");
    // Every family says what it is.
    let nameless =
        text.lines().filter(|l| l.starts_with("# HELP ") && l.trim_end_matches([' ', '.']).split(' ').count() < 4);
    assert_eq!(nameless.collect::<Vec<_>>(), Vec::<&str>::new());
}
