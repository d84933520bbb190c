//! Whatever is expected of whatever is there: nothing of another project, nothing of the engine's and no other
//! allocation is ever freed, and nothing without a proof.

use super::{Bed, ONE, TWO, id, ip_request, machine_request};
use crate::metal::Expected;
use metal_sim::Resources;
use model::{Allocation, Tags};
use proptest::prelude::*;
use std::collections::BTreeMap;

const TAGS: [&str; 5] =
    ["fleet.metal-stack.io/managed-by=engine", "fleet.metal-stack.io/managed-by=provider", "c=shop", "c=other", "bare"];

/// Tags by number, a key more than once too, and whose they are.
#[derive(Clone, Debug)]
struct There {
    tags: Vec<usize>,
    other_project: bool,
}

/// An expectation of the n-th resource that has something of another one.
#[derive(Clone, Debug)]
struct Hope {
    of: usize,
    allocation: Option<usize>,
    tags: Vec<usize>,
    without: Vec<usize>,
    says_other_project: bool,
    through_other_door: bool,
}

fn tags_of(numbers: &[usize]) -> Tags {
    Tags::from_address_strings(numbers.iter().map(|n| TAGS[*n]))
}

fn some_tags() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..TAGS.len(), 0..4)
}

fn there() -> impl Strategy<Value = There> {
    (some_tags(), any::<bool>()).prop_map(|(tags, other_project)| There { tags, other_project })
}

fn hope() -> impl Strategy<Value = Hope> {
    let flags = (proptest::bool::weighted(0.3), proptest::bool::weighted(0.3));
    (0..4usize, proptest::option::of(0..4usize), some_tags(), some_tags(), flags).prop_map(
        |(of, allocation, tags, without, (says_other_project, through_other_door))| Hope {
            of,
            allocation,
            tags,
            without,
            says_other_project,
            through_other_door,
        },
    )
}

/// Id, project, allocation and tags of every allocated machine and every address for people.
type Rows = BTreeMap<String, (String, String, Tags)>;

fn rows(resources: &Resources) -> Rows {
    let machines = resources.machines.iter().filter_map(|machine| {
        let allocation = machine.allocation.as_ref()?;
        let row =
            (allocation.project.clone(), allocation.allocationuuid.clone(), Tags::from_address_strings(&machine.tags));
        Some((machine.id.clone(), row))
    });
    let ips = resources.ips.iter().filter(|ip| ip.networkid == "internet").map(|ip| {
        (ip.ipaddress.clone(), (ip.projectid.clone(), ip.allocationuuid.clone(), Tags::from_address_strings(&ip.tags)))
    });
    machines.chain(ips).collect()
}

async fn run(machines: Vec<There>, ips: Vec<There>, hopes: Vec<(bool, Hope)>) -> Result<(), TestCaseError> {
    let bed = Bed::new().await;
    let (one, two) = (bed.door(), bed.door_of(TWO));
    let mut ids: [Vec<(String, Allocation)>; 2] = Default::default();
    let networks = [bed.network(&one, &["c=shop"]).await, bed.network(&two, &["c=shop"]).await];
    for There { tags, other_project } in machines {
        let (door, project) = if other_project { (&two, TWO) } else { (&one, ONE) };
        let mut request = machine_request(project, &networks[usize::from(other_project)], &[]);
        request.tags = tags_of(&tags);
        let machine = door.allocate_machine(&request).await.unwrap();
        ids[0].push((machine.id.to_string(), machine.allocation.clone()));
    }
    for There { tags, other_project } in ips {
        let (door, project) = if other_project { (&two, TWO) } else { (&one, ONE) };
        let mut request = ip_request(project, &[]);
        request.tags = tags_of(&tags);
        let ip = door.allocate_ip(&request).await.unwrap();
        ids[1].push((ip.address.to_string(), ip.allocation.clone()));
    }
    for (is_ip, hope) in hopes {
        let known = &ids[usize::from(is_ip)];
        let (named, _) = &known[hope.of % known.len()];
        let allocation = hope.allocation.map(|n| known[n % known.len()].1.clone());
        let project = if hope.says_other_project { TWO } else { ONE };
        let (door, door_project) = if hope.through_other_door { (&two, TWO) } else { (&one, ONE) };
        let (tags, without) = (tags_of(&hope.tags), tags_of(&hope.without));
        let before = rows(&bed.sim.resources());
        let outcome = if is_ip {
            let expected =
                Expected { project: id(project), id: id(named), allocation: allocation.clone(), tags, without };
            door.free_ip(&expected).await.unwrap()
        } else {
            let expected =
                Expected { project: id(project), id: id(named), allocation: allocation.clone(), tags, without };
            door.free_machine(&expected).await.unwrap()
        };
        let after = rows(&bed.sim.resources());
        let freed: Vec<_> = before.iter().filter(|(id, _)| !after.contains_key(*id)).collect();
        for (freed, (its_project, its_allocation, its_tags)) in &freed {
            prop_assert_eq!(*freed, named);
            prop_assert!(its_project == project && its_project == door_project, "{:?}", hope);
            prop_assert!(allocation.as_ref().is_none_or(|a| a.as_str() == its_allocation), "{:?}", hope);
            prop_assert!(allocation.is_some() || !hope.tags.is_empty(), "without a proof: {:?}", hope);
            prop_assert!(!its_tags.has("fleet.metal-stack.io/managed-by", "engine"), "{:?}", hope);
            prop_assert!(tags_of(&hope.tags).iter().all(|(key, value)| its_tags.has(key, value)), "{:?}", hope);
            prop_assert!(!tags_of(&hope.without).iter().any(|(key, value)| its_tags.has(key, value)), "{:?}", hope);
        }
        // What is said to be freed was, and by this call.
        prop_assert_eq!(outcome == crate::metal::FreeOutcome::Freed, !freed.is_empty(), "{:?}: {:?}", hope, outcome);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_of_others_is_ever_freed(
        machines in proptest::collection::vec(there(), 1..5),
        ips in proptest::collection::vec(there(), 1..5),
        hopes in proptest::collection::vec((any::<bool>(), hope()), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(machines, ips, hopes))?;
    }
}

/// The property above would hold for a door that frees nothing.
#[tokio::test]
async fn what_is_proven_is_freed() {
    let bed = Bed::new().await;
    let ip = bed.door().allocate_ip(&ip_request(ONE, &["c=shop"])).await.unwrap();
    let expected = Expected { tags: tags_of(&[2]), ..Expected::new(&id(ONE), ip.address) };
    assert_eq!(bed.door().free_ip(&expected).await.unwrap(), crate::metal::FreeOutcome::Freed);
}
