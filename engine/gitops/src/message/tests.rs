use super::*;
use model::lock::{ClusterTombstone, Deletion, DeletionPhase, Successor};
use model::request::{Free, FreeReason, Target};
use model::{Allocation, ClusterLock, MachineId, NetworkId, Slot};

const SHOP: &str = "default.shop";

#[derive(Default)]
struct Case {
    done: Done,
    said: Said,
    held: BTreeMap<ClusterId, Hold>,
    ended: BTreeSet<String>,
    template: Option<&'static str>,
    put_right: Vec<String>,
}

fn id(cluster: &str) -> ClusterId {
    cluster.parse().unwrap()
}

fn oid() -> Oid {
    "1234567890123456789012345678901234567890".parse().unwrap()
}

/// The lock that the example fleet has.
fn lock() -> ClusterLock {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fleet-example");
    let bytes = std::fs::read(root.join("stages/development/clusters/shop/cluster.lock.yaml")).unwrap();
    let path = "cluster.lock.yaml".to_owned();
    let entry = model::Entry { path, id: model::digest::blob_id(&bytes), kind: model::EntryKind::File };
    let tree = model::Tree::new(vec![entry], std::sync::Arc::new(One(bytes)));
    let loaded = fleet::load(&tree, &mut fleet::Memo::default(), model::Timestamp::UNIX_EPOCH);
    loaded.want.orphan_locks.into_values().next().unwrap().lock.as_ref().clone()
}

struct One(Vec<u8>);

impl model::ReadBlob for One {
    fn read(&self, _: &model::BlobId, _: usize) -> Result<Vec<u8>, model::ReadError> {
        Ok(self.0.clone())
    }
}

fn said(case: &Case, before: Option<&ClusterLock>, after: Option<&ClusterLock>) -> String {
    let clusters = BTreeMap::from([(id(SHOP), Change::new(before, after))]);
    said_of(case, &clusters)
}

fn said_of(case: &Case, clusters: &BTreeMap<ClusterId, Change<'_>>) -> String {
    message(&Facts {
        run: "0f0e",
        fleet: "example",
        template: case.template,
        source: oid(),
        clusters,
        done: &case.done,
        put_right: &case.put_right,
        parent: None,
        output: None,
        said: &case.said,
        held: &case.held,
        ended: &case.ended,
        plan: None,
    })
}

/// Title and reason.
fn why(case: &Case, before: Option<&ClusterLock>, after: Option<&ClusterLock>) -> (String, String) {
    let text = said(case, before, after);
    (text.lines().next().unwrap().to_owned(), trailers(&text).unwrap().reason)
}

#[test]
fn i8_the_engine_reads_its_own_trailers_and_nobody_elses() {
    let text = said_of(&Case::default(), &BTreeMap::new());
    assert!(text.starts_with("Render engine-owned files\n\n"), "{text}");
    let says = trailers(&text).unwrap();
    assert_eq!((says.run.as_str(), says.fleet.as_deref(), says.source), ("0f0e", Some("example"), Some(oid())));
    assert_eq!(trailers("Quote\n\nFleet-Run: 1\n\nbut that was not me"), None);
    assert_eq!(trailers(""), None);
}

#[test]
fn i8_each_reason_has_its_words() {
    let case = Case::default();
    let whole = lock();
    let expect = |before: Option<&ClusterLock>, after: Option<&ClusterLock>, title: &str, reason: &str| {
        assert_eq!(why(&case, before, after), (title.to_owned(), reason.to_owned()));
    };
    expect(None, Some(&whole), "Resolve default.shop", "resolve");
    expect(Some(&whole), Some(&whole), "Render default.shop", "render");
    let mut half = whole.clone();
    half.values.firewall = None;
    expect(Some(&half), Some(&whole), "Resolve default.shop", "resolve");
    let mut changed = whole.clone();
    changed.source.digest = Digest::of_bytes(b"other");
    expect(Some(&whole), Some(&changed), "Change default.shop", "change");
    let mut replacing = whole.clone();
    let firewall = replacing.values.firewall.as_mut().unwrap();
    firewall.successor = Some(Successor {
        id: MachineId::parse("00000000-0000-0000-0000-00000000000a").unwrap(),
        allocation: firewall.allocation.clone(),
        generation: 2,
        image: firewall.image.clone(),
        inputs: None,
    });
    expect(Some(&whole), Some(&replacing), "Replace the firewall of default.shop", "replace");
    let mut deleting = whole.clone();
    let phase = DeletionPhase::Confirmed;
    let confirmed_in = model::CommitId::parse(&oid().to_string()).unwrap();
    deleting.deletion = Some(Deletion { confirmed_in, phase, grace_period: None });
    expect(Some(&whole), Some(&deleting), "Delete default.shop", "delete");
    expect(Some(&deleting), None, "Delete default.shop", "delete");
    expect(Some(&deleting), Some(&whole), "Change default.shop", "change");
    let repair = Case { put_right: vec!["rendered/x\n\nFleet-Run: y".to_owned()], ..Case::default() };
    assert_eq!(why(&repair, Some(&whole), Some(&whole)).1, "repair");
    assert_eq!(trailers(&said(&repair, Some(&whole), Some(&whole))).unwrap().run, "0f0e");
}

#[test]
fn i8_values_are_told_before_and_after() {
    let before = lock();
    let mut after = before.clone();
    after.values.node_network.as_mut().unwrap().id = NetworkId::parse("other").unwrap();
    let mut case = Case::default();
    case.said.recover.insert((id(SHOP), Slot::Network), plan::Recover::New);
    let text = said(&case, Some(&before), Some(&after));
    let network = &before.values.node_network.as_ref().unwrap().id;
    assert!(text.contains(&format!("default.shop: network {network} ")), "{text}");
    assert!(text.contains(" → other "), "{text}");
    assert!(text.starts_with("Recover default.shop\n"), "{text}");
    let mut freed = before.clone();
    freed.values.vip = None;
    assert!(said(&Case::default(), Some(&before), Some(&freed)).contains(" → none"));
}

#[test]
fn what_is_kept_for_a_grace_period_is_said() {
    let lock = lock();
    let confirmed_in = model::CommitId::parse(&oid().to_string()).unwrap();
    let deletion = Deletion { confirmed_in, phase: DeletionPhase::Freeing, grace_period: None };
    let mut values = lock.values.clone();
    values.firewall = None;
    let tombstone = ClusterTombstone {
        api_version: lock.api_version,
        kind: model::lock::TombstoneKind::ClusterTombstone,
        identity: lock.identity.clone(),
        values,
        deletion: deletion.clone(),
    };
    let deleting = ClusterLock { deletion: Some(deletion), ..lock };
    let change = Change { before: Some(Version::from(&deleting)), after: Some(Version::from(&tombstone)) };
    let text = said_of(&Case::default(), &BTreeMap::from([(id(SHOP), change)]));
    assert!(text.contains("deletion freeing → done but for the grace period"), "{text}");
    assert!(text.starts_with("Delete default.shop\n"), "{text}");
}

#[test]
fn frees_and_holds_and_ended_answers_come_back() {
    let free = |why| Free {
        cluster: id(SHOP),
        slot: Slot::Vip,
        project: lock().identity.project,
        target: Target::Ip { address: "10.0.0.1".parse().unwrap(), allocation: lock().values.vip.unwrap().allocation },
        why,
    };
    let mut case = Case::default();
    case.done.frees = vec![
        (free(FreeReason::Deletion), FreeOutcome::Freed),
        (free(FreeReason::Duplicate { of: "x".to_owned() }), FreeOutcome::Freed),
        (free(FreeReason::Deletion), FreeOutcome::Gone),
    ];
    let digest = Digest::of_bytes(b"inputs");
    case.held.insert(id(SHOP), Hold { digest: digest.clone(), by: Some(oid()) });
    case.ended.insert("BudgetExceeded default.shop".to_owned());
    let says = trailers(&said_of(&case, &BTreeMap::new())).unwrap();
    let freed: Vec<_> = says.freed.iter().map(|freed| (freed.text.as_str(), freed.is_deletion)).collect();
    assert_eq!(freed, [("default.shop vip 10.0.0.1 deletion", true), ("default.shop vip 10.0.0.1 duplicate", false)]);
    assert_eq!(says.held, [HeldTrailer { cluster: id(SHOP), digest, by: Some(oid()) }]);
    assert_eq!(says.ended, ["BudgetExceeded default.shop"]);
    assert_eq!(says.reason, "delete");
}

#[test]
fn older_engines_did_not_say_why_they_freed() {
    let says =
        trailers("x\n\nFleet-Run: 1\nFleet-Freed: default.shop vip 10.0.0.1\nFleet-Held: default.shop\n").unwrap();
    assert!(!says.freed[0].is_deletion && says.freed[0].slot == Slot::Vip);
    assert_eq!(says.held, []);
}

#[test]
fn a_template_makes_the_title_and_forges_no_trailer() {
    let title = |template| {
        let case = Case { template: Some(template), ..Case::default() };
        let text = said(&case, None, Some(&lock()));
        assert_eq!(trailers(&text).unwrap().run, "0f0e", "{text}");
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(title("fleet({{fleet}}): {{title}} [skip ci]"), "fleet(example): Resolve default.shop [skip ci]");
    assert_eq!(title("{{reason}} {{clusters}}"), "resolve default.shop");
    assert_eq!(title("Fleet-Run: forged"), "Fleet-Run: forged");
    for refused in ["{{who}}", "a\n\nFleet-Run: forged", ""] {
        assert_eq!(title(refused), "Resolve default.shop", "{refused:?}");
    }
}

#[test]
fn many_clusters_make_a_short_title() {
    let lock = lock();
    let clusters: BTreeMap<_, _> =
        (0..50).map(|n| (id(&format!("default.c{n:02}")), Change::new(None::<&ClusterLock>, Some(&lock)))).collect();
    let text = said_of(&Case::default(), &clusters);
    assert_eq!(text.lines().next(), Some("Resolve default.c00, default.c01 and 48 more"));
    assert_eq!(trailers(&text).unwrap().clusters.len(), 50);
}

#[test]
fn an_allocation_that_is_gone_is_no_new_value() {
    let before = lock();
    let mut after = before.clone();
    after.values.vip.as_mut().unwrap().allocation = Allocation::parse("00000000-0000-0000-0000-0000000000ff").unwrap();
    let change = Change::new(Some(&before), Some(&after));
    assert_eq!(change.replaced(), BTreeSet::from([Slot::Vip]));
    assert!(Change::new(Some(&before), Some(&before)).replaced().is_empty());
}
