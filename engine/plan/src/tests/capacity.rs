//! Whether there are machines enough: who is served first, and what is said to the others.

use super::samples::*;
use crate::{CapacityLine, Plan};
use model::metal::{Capacity, Gap, GapReason, MachineRole};
use model::want::Setting;
use model::{ClusterId, Have, ImageId, PartitionId, Reason, SizeId, Tags, Want, tags};

/// A metal-api with so many free machines of the only size.
fn free(machines: u32) -> Have {
    let mut have = have();
    let (partition, size) = (PartitionId::parse("muc-a").unwrap(), size("n1-medium-x86"));
    project(&mut have).capacity = Some(vec![Capacity { partition, size, total: 100, allocated: 0, free: machines }]);
    have
}

fn size(text: &str) -> SizeId {
    SizeId::parse(text).unwrap()
}

/// A machine of a cluster, with its control plane's image or its pool's.
fn machine(have: &mut Have, n: u32, cluster: &str, is_control_plane: bool, image: &str) {
    let mut machine = firewall(n, cluster, 1, 0);
    let tags = Tags::new().with(tags::CLUSTER_RESOURCE, cluster);
    machine.tags = if is_control_plane { tags.with(tags::PURPOSE, tags::PURPOSE_CONTROL_PLANE) } else { tags };
    (machine.role, machine.image) = (MachineRole::Machine, ImageId::parse(image).unwrap());
    project(have).machines.push(machine);
}

/// `need/free-reserve` and who waits.
fn line(plan: &Plan) -> String {
    let [CapacityLine { partition: _, size: _, need, free, reserve, waiting }] = &plan.capacity[..] else {
        panic!("one size, one line: {:?}", plan.capacity)
    };
    let waiting: Vec<String> = waiting.iter().map(ClusterId::to_string).collect();
    format!("{need}/{free}-{reserve} {}", waiting.join(" ")).trim_end().to_owned()
}

/// The notes of a cluster about capacity.
fn notes(plan: &Plan, cluster: &str) -> Vec<String> {
    let notes = &plan.clusters[&cluster.parse::<ClusterId>().unwrap()].notes;
    notes.iter().filter(|n| n.reason == Reason::WaitingForCapacity).map(|n| n.message.clone()).collect()
}

fn locked(id: &str) -> Want {
    let mut want = want(&[id]);
    lock(&mut want, id, values("n1", "198.18.0.1", 1));
    want
}

const IMAGE: &str = "capms-ubuntu-1.34.2";
const OLD: &str = "capms-ubuntu-1.33.6";

#[test]
fn firewalls_and_control_planes_of_all_clusters_go_before_pools() {
    let want = want(&["default.a", "default.b"]);
    for (machines, expected, a, b) in [
        (6, "6/6-0", "", ""),
        (5, "6/5-0 default.b", "", "pools"),
        (4, "6/4-0 default.a default.b", "pools", "pools"),
        (3, "6/3-0 default.b default.a", "pools", "control plane, pools"),
        (1, "6/1-0 default.b default.a", "control plane, pools", "firewall, control plane, pools"),
    ] {
        let plan = super::planned(&want, &free(machines));
        assert_eq!(line(&plan), expected);
        let roles = |cluster| {
            let notes = notes(&plan, cluster);
            notes.iter().map(|n| n.split(':').next().unwrap().to_owned()).collect::<Vec<_>>().join(", ")
        };
        assert_eq!((roles("default.a").as_str(), roles("default.b").as_str()), (a, b), "{machines} free");
    }
    let plan = super::planned(&want, &free(5));
    let expected = "pools: 1 more of size `n1-medium-x86` are needed in partition `muc-a`, and 0 can be had (5 free)";
    assert_eq!(notes(&plan, "default.b"), [expected]);
}

#[test]
fn what_a_cluster_has_it_does_not_need_again() {
    let want = locked("default.a");
    for (own, expected) in [(vec![], "2/9-0"), (vec![true], "1/9-0"), (vec![true, false], "0/9-0")] {
        let mut have = free(9);
        stock(&mut have, "default.a", &values("n1", "198.18.0.1", 1));
        for (n, is_control_plane) in (50..).zip(own) {
            machine(&mut have, n, "default.a", is_control_plane, IMAGE);
        }
        machine(&mut have, 60, "default.b", true, IMAGE);
        assert_eq!(line(&super::planned(&want, &have)), expected);
    }
}

#[test]
fn a_rollout_takes_its_surge_for_a_while() {
    let with = |want: &Want, control_plane: &str, pool: &str| {
        let mut have = free(9);
        stock(&mut have, "default.a", &values("n1", "198.18.0.1", 1));
        machine(&mut have, 50, "default.a", true, control_plane);
        machine(&mut have, 51, "default.a", false, pool);
        line(&super::planned(want, &have))
    };
    let want = locked("default.a");
    assert_eq!(with(&want, IMAGE, IMAGE), "0/9-0");
    assert_eq!(with(&want, OLD, IMAGE), "1/9-0", "under way");
    assert_eq!(with(&want, OLD, OLD), "2/9-0");

    // New with this tree: what the lock recorded of the pool is not what is wanted now.
    let mut changed = locked("default.a");
    let id: ClusterId = "default.a".parse().unwrap();
    let wanted = changed.clusters.get_mut(&id).unwrap();
    let lock = std::sync::Arc::make_mut(wanted.lock.as_mut().unwrap());
    lock.rendered = model::want::input_digests(wanted.id.name(), &wanted.effective, &lock.values);
    wanted.digest = model::Digest::of(&"changed");
    assert_eq!(with(&changed, IMAGE, IMAGE), "0/9-0", "changed, but no machine is made anew");
    change(&mut changed, "default.a", |e| {
        e.pools[0].machines.image.id = ImageId::parse("capms-ubuntu-1.34.3").unwrap()
    });
    assert_eq!(with(&changed, IMAGE, "capms-ubuntu-1.34.3"), "1/9-0");
    change(&mut changed, "default.a", |e| e.pools[0].max_surge = Setting::built_in(0));
    assert_eq!(with(&changed, IMAGE, "capms-ubuntu-1.34.3"), "0/9-0");
}

#[test]
fn another_size_needs_all_machines_anew_and_its_own_line() {
    let mut want = locked("default.a");
    change(&mut want, "default.a", |e| e.pools[0].machines.size = Setting::built_in(size("c1-large-x86")));
    let mut have = free(9);
    stock(&mut have, "default.a", &values("n1", "198.18.0.1", 1));
    machine(&mut have, 50, "default.a", true, IMAGE);
    machine(&mut have, 51, "default.a", false, IMAGE);
    let plan = super::planned(&want, &have);
    let lines: Vec<_> = plan.capacity.iter().map(|line| (line.size.as_str(), line.need, line.free)).collect();
    assert_eq!(lines, [("c1-large-x86", 1, 0), ("n1-medium-x86", 0, 9)], "the partition has none of that size");
    assert_eq!(notes(&plan, "default.a").len(), 1);
}

#[test]
fn an_autoscaled_pool_needs_its_least_and_the_policys_reserve_stays_free() {
    let mut want = locked("default.a");
    change(&mut want, "default.a", |e| {
        e.pools[0].autoscale = Some(model::want::Autoscale { min: 3, max: 9 });
        e.pools[0].machines.reserve = 2;
    });
    let mut have = free(5);
    stock(&mut have, "default.a", &values("n1", "198.18.0.1", 1));
    let plan = super::planned(&want, &have);
    assert_eq!(line(&plan), "4/5-2 default.a");
    let expected = "pools: 3 more of size `n1-medium-x86` are needed in partition `muc-a`, and 2 can be had (5 free, 2 of \
                    which the policy reserves)";
    assert_eq!(notes(&plan, "default.a"), [expected]);
}

#[test]
fn unknown_capacity_says_nothing_and_stops_nothing() {
    let want = want(&["default.a"]);
    let mut have = have();
    have.gaps.push(Gap {
        project: Some(project_id()),
        kind: Gap::CAPACITY,
        why: GapReason::Unreachable,
        message: "no".into(),
    });
    let plan = super::planned(&want, &have);
    assert_eq!((plan.capacity.len(), notes(&plan, "default.a").len()), (0, 0));
    assert!(plan.incomplete, "never green");
    assert_eq!(plan.allocations().count(), 3);

    let mut gap = free(0);
    gap.gaps.push(Gap { project: None, kind: "images", why: GapReason::Failed, message: "no".into() });
    assert_eq!(super::planned(&want, &gap).capacity, [], "what it has was not read either");
}

#[test]
fn a_shortage_takes_nothing_back() {
    let plan = super::planned(&want(&["default.a"]), &free(0));
    assert_eq!(plan.allocations().count(), 3);
    assert_eq!(line(&plan), "3/0-0 default.a");
}
