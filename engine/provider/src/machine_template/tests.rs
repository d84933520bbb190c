use super::*;
use crate::reason::Reason;
use model::SizeId;
use serde_json::json;
use std::time::Duration;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn place() -> Place {
    Place { project: ProjectId::parse(ProjectId::EXAMPLE).unwrap(), credentials: None }
}

fn template() -> Observed {
    let object = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1", "kind": "MetalStackMachineTemplate",
        "metadata": {"namespace": "default", "name": "shop"},
        "spec": {"template": {"spec": {"image": "capms-ubuntu-1.34.2", "size": "n1-medium-x86"}}},
    });
    let object = Arc::new(serde_json::from_value(object).unwrap());
    Observed { object, paused: false, place: Some(place()), sizes: None, memory: Memory::default() }
}

fn size(id: &str, cpu_cores: Option<u64>, memory_bytes: Option<u64>) -> SizeDetail {
    SizeDetail { id: SizeId::parse(id).unwrap(), cpu_cores, memory_bytes }
}

#[test]
fn the_size_is_read_once_and_its_capacity_written() {
    let mut o = template();
    assert_eq!(decide(&o, now()), Decision::act(Action::ReadSizes(place())));
    o.sizes = Some(vec![size("c1", Some(1), None), size("n1-medium-x86", Some(8), Some(64 * GIB))]);
    let Decision { step: Step::Rest(Rest::Change), status: Some(status) } = decide(&o, now()) else { panic!() };
    let wanted = [("cpu", "8"), ("memory", "64Gi")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(status.capacity, wanted.into());
    assert_eq!(status.node_info.as_ref().unwrap().operating_system.as_deref(), Some("linux"));
    Arc::make_mut(&mut o.object).status = Some(status);
    o.sizes = None;
    assert_eq!(decide(&o, now()), Decision::leave(), "nothing is read again");
}

#[test]
fn a_size_that_says_nothing_leaves_no_status() {
    for sizes in [vec![], vec![size("c1", Some(1), Some(GIB))], vec![size("n1-medium-x86", None, None)]] {
        let mut o = template();
        o.sizes = Some(sizes);
        assert_eq!(decide(&o, now()), Decision::leave());
    }
}

#[test]
fn memory_is_said_in_the_largest_unit_that_fits() {
    for (bytes, said) in [(GIB, "1Gi"), (GIB + MIB, "1025Mi"), (MIB + 1, "1048577")] {
        assert_eq!(capacity(&size("c1", None, Some(bytes))), BTreeMap::from([("memory".to_owned(), said.to_owned())]));
    }
}

#[test]
fn paused_deleted_without_cluster_or_without_size_nothing_is_asked() {
    let mut paused = template();
    paused.paused = true;
    let mut deleted = template();
    let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now());
    Arc::make_mut(&mut deleted.object).metadata.deletion_timestamp = Some(time);
    let mut alone = template();
    alone.place = None;
    let mut empty = template();
    Arc::make_mut(&mut empty.object).spec.template.spec = None;
    for o in [paused, deleted, alone, empty] {
        assert_eq!(decide(&o, now()), Decision::leave());
    }
}

#[test]
fn a_refusal_is_waited_out() {
    let mut o = template();
    let failure = Failure { reason: Reason::Unauthorized, message: String::new(), unknown_outcome: false, after: None };
    o.memory.failed(failure, now(), Duration::from_secs(60));
    let waits = Decision { step: Step::Rest(Rest::After(Duration::from_secs(2))), status: None };
    assert_eq!(decide(&o, now()), waits);
}
