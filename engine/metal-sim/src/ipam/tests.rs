use super::*;
use proptest::prelude::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ipam(prefix: &str) -> (Ipam, IpNet) {
    let mut ipam = Ipam::default();
    ipam.create(net(prefix));
    (ipam, net(prefix))
}

#[test]
fn children_are_best_fit() {
    let (mut ipam, parent) = ipam("10.0.0.0/16");
    let mut child = |length| ipam.acquire_child(parent, length).unwrap().to_string();
    assert_eq!(child(22), "10.0.0.0/22");
    assert_eq!(child(22), "10.0.4.0/22");
    assert_eq!([child(22), child(22)], ["10.0.8.0/22", "10.0.12.0/22"]);
    assert_eq!(child(26), "10.0.16.0/26");
    assert_eq!(child(22), "10.0.20.0/22");
    ipam.release_child(net("10.0.4.0/22")).unwrap();
    assert_eq!(ipam.acquire_child(parent, 22).unwrap(), net("10.0.4.0/22"));
}

#[test]
fn addresses_begin_at_one_and_are_reused_at_once() {
    let (mut v4, prefix) = ipam("10.0.0.0/22");
    assert_eq!(v4.acquire_ip(prefix).unwrap().to_string(), "10.0.0.1");
    assert_eq!(v4.acquire_ip(prefix).unwrap().to_string(), "10.0.0.2");
    v4.release_ip(prefix, "10.0.0.1".parse().unwrap()).unwrap();
    assert_eq!(v4.acquire_ip(prefix).unwrap().to_string(), "10.0.0.1");

    let (mut v6, prefix) = ipam("2001:db8:0:10::/96");
    assert_eq!(v6.acquire_ip(prefix).unwrap().to_string(), "2001:db8:0:10::1");
}

#[test]
fn a_slash_30_yields_two() {
    let (mut ipam, prefix) = ipam("10.0.0.0/30");
    assert!(ipam.acquire_ip(prefix).is_ok() && ipam.acquire_ip(prefix).is_ok());
    assert_eq!(ipam.acquire_ip(prefix), Err(IpamError::NoIp(prefix)));
}

#[test]
fn usage_counts_sizes_and_reserved_addresses() {
    let (mut v4, prefix) = ipam("10.0.0.0/22");
    let usage = |ips, prefixes, used_ips, used_prefixes| PrefixUsage {
        available_ips: ips,
        available_prefixes: prefixes,
        used_ips,
        used_prefixes,
    };
    assert_eq!(v4.usage(prefix), usage(1024, 256, 2, 0));
    v4.acquire_ip(prefix).unwrap();
    assert_eq!(v4.usage(prefix), usage(1024, 256, 3, 0));

    let (mut parent, prefix) = ipam("10.0.0.0/16");
    parent.acquire_child(prefix, 22).unwrap();
    assert_eq!(parent.usage(prefix), usage(65536, 16384 - 256, 2, 1));

    let (v6, prefix) = ipam("2001:db8:0:10::/64");
    assert_eq!(v6.usage(prefix), usage(COUNT_MAX, COUNT_MAX, 1, 0));
}

#[test]
fn a_prefix_has_children_or_addresses() {
    let (mut ipam, parent) = ipam("10.0.0.0/16");
    let child = ipam.acquire_child(parent, 22).unwrap();
    assert_eq!(ipam.acquire_ip(parent), Err(IpamError::HasChildrenNoIp(parent)));
    ipam.acquire_ip(child).unwrap();
    assert_eq!(ipam.acquire_child(child, 24), Err(IpamError::HasIpsNoChild(child)));
    assert_eq!(ipam.release_child(child), Err(IpamError::HasIps(child)));
    assert_eq!(ipam.delete(parent), Err(IpamError::HasChildren(parent)));
}

#[test]
fn given_addresses_are_free_unreserved_and_inside() {
    let (mut ipam, prefix) = ipam("10.0.0.0/24");
    let mut take = |ip: &str| ipam.acquire_specific(prefix, ip.parse().unwrap());
    assert_eq!(take("10.0.0.7"), Ok(()));
    for taken in ["10.0.0.7", "10.0.0.0", "10.0.0.255"] {
        assert_eq!(take(taken), Err(IpamError::Taken(taken.parse().unwrap())));
    }
    assert!(matches!(take("10.0.1.1"), Err(IpamError::Outside { .. })));
}

#[test]
fn a_v6_child_with_one_address_is_half_released() {
    let (mut ipam, parent) = ipam("2001:db8::/64");
    let child = ipam.acquire_child(parent, 96).unwrap();
    ipam.acquire_ip(child).unwrap();
    assert_eq!(ipam.release_child(child), Err(IpamError::HasIps(child)));
    assert_eq!(ipam.acquire_child(parent, 96), Err(IpamError::AlreadyCreated(child)));
    assert_ne!(ipam.acquire_child(parent, 96).unwrap(), child);
}

#[derive(Clone, Debug)]
enum Op {
    Child(u8),
    Release(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(
        prop_oneof![2 => (17u8..=28).prop_map(Op::Child), 1 => any::<usize>().prop_map(Op::Release)],
        1..120,
    )
}

proptest! {
    #[test]
    fn children_never_overlap_and_space_returns(ops in ops(), v6 in any::<bool>()) {
        let (mut ipam, parent) = ipam(if v6 { "2001:db8::/64" } else { "10.0.0.0/16" });
        let before = ipam.usage(parent);
        let mut held: Vec<IpNet> = Vec::new();
        for op in ops {
            match op {
                Op::Child(length) => {
                    if let Ok(child) = ipam.acquire_child(parent, if v6 { length + 68 } else { length }) {
                        prop_assert!(parent.contains(&child) && child.addr() == child.network());
                        prop_assert!(held.iter().all(|other| !other.contains(&child) && !child.contains(other)));
                        held.push(child);
                    }
                }
                Op::Release(at) if !held.is_empty() => {
                    ipam.release_child(held.swap_remove(at % held.len())).unwrap();
                }
                Op::Release(_) => {}
            }
        }
        for child in held {
            ipam.release_child(child).unwrap();
        }
        prop_assert_eq!(ipam.usage(parent), before);
        prop_assert_eq!(ipam.acquire_child(parent, parent.prefix_len() + 1).unwrap().addr(), parent.addr());
    }

    #[test]
    fn addresses_are_the_lowest_free_one(takes in prop::collection::vec(any::<Option<u8>>(), 1..100)) {
        let (mut ipam, prefix) = ipam("10.0.0.0/26");
        let mut held = BTreeSet::new();
        for take in takes {
            match take {
                None => {
                    let lowest = prefix.hosts().find(|ip| !held.contains(ip));
                    prop_assert_eq!(ipam.acquire_ip(prefix).ok(), lowest);
                    held.extend(lowest);
                }
                Some(at) => {
                    let ip = prefix.hosts().nth(usize::from(at) % 62).unwrap();
                    prop_assert_eq!(ipam.release_ip(prefix, ip).is_ok(), held.remove(&ip));
                }
            }
        }
    }
}
