use super::*;
use model::metal::{
    FirewallRequest, IpRequest, IpUpdate, MachineRequest, NetworkRequest, RequestNetwork, SizeDetail, UserData,
};
use model::{AddressFamily, rules};
use serde_json::{Value, json};

const PROJECT: &str = "00000000-0000-0000-0000-000000000001";

fn ours<W: serde::de::DeserializeOwned, T>(wire: Value) -> Result<T, Odd>
where
    Ours<T>: TryFrom<W, Error = Odd>,
{
    Ours::try_from(serde_json::from_value::<W>(wire).unwrap()).map(|Ours(value)| value)
}

fn id<T: std::str::FromStr<Err = NameError>>(text: &str) -> T {
    text.parse().unwrap()
}

#[test]
fn a_network_keeps_what_plans_need() {
    let network: Network = ours::<wire::Network, _>(json!({
        "id": "9d1a0a33-6e6b-4b0a-8d53-4f2f0d1f2a01", "name": "shop", "projectid": PROJECT, "partitionid": "muc-a",
        "parentnetworkid": "super-muc-a", "prefixes": ["10.0.4.0/22"], "destinationprefixes": ["10.0.0.5/22"],
        "networktype": "child", "labels": {"cluster.metal-stack.io/id": "default.shop"},
        "created": "2026-02-28T14:30:45.5+02:00", "additionalAnnouncableCIDRs": null,
    }))
    .unwrap();
    assert_eq!(network.kind, NetworkKind::Child);
    assert_eq!(network.destination_prefixes[0].to_string(), "10.0.0.0/22", "host bits are echoed, not meant");
    assert_eq!(network.labels.cluster(), Some("default.shop"));
    assert_eq!(network.created.unwrap().to_string(), "2026-02-28T12:30:45.5Z");
}

#[test]
fn the_kind_of_a_network_without_type_follows_from_its_flags() {
    let kind = |flags: Value| network_kind(&serde_json::from_value(flags).unwrap());
    assert_eq!(kind(json!({"privatesuper": true})), NetworkKind::Super);
    assert_eq!(kind(json!({"underlay": true})), NetworkKind::Underlay);
    assert_eq!(kind(json!({"parentnetworkid": "super"})), NetworkKind::Child);
    assert_eq!(kind(json!({"parentnetworkid": "super", "shared": true})), NetworkKind::ChildShared);
    assert_eq!(kind(json!({"parentnetworkid": null, "networktype": null})), NetworkKind::External);
    assert_eq!(kind(json!({"networktype": "super-namespaced"})), NetworkKind::Super);
}

#[test]
fn i6_one_odd_row_does_not_take_the_others_along() {
    let row = |address: &str| {
        json!({"ipaddress": address, "allocationuuid": "", "networkid": "internet", "projectid": PROJECT,
               "type": "static", "tags": ["a=1", "plain"]})
    };
    let rows = json!([row("198.18.0.1"), row("nonsense"), row("2001:db8::1")]);
    let ips: Vec<Ip> = all(serde_json::from_value::<Vec<wire::Ip>>(rows).unwrap());
    assert_eq!(ips.len(), 2);
    assert_eq!((ips[1].address.to_string().as_str(), ips[1].kind), ("2001:db8::1", IpKind::Static));
    assert_eq!((ips[0].tags.get("a"), ips[0].allocation.as_str()), (Some("1"), "none"));
}

#[test]
fn small_answers() {
    let image: Image = ours::<wire::Image, _>(
        json!({"id": "firewall-ubuntu-3.0.20251101", "features": ["firewall"], "expirationDate": "0001-01-01T00:00:00Z"}),
    )
    .unwrap();
    assert_eq!((image.for_firewalls, image.for_machines, image.expires), (true, false, None));
    let project: Project = ours::<wire::Project, _>(json!({"meta": {"id": PROJECT}, "name": "p"})).unwrap();
    assert_eq!(project.id.as_str(), PROJECT);
    assert_eq!(ours::<wire::Project, Project>(json!({})).err(), Some(Odd::NoId));
    let capacity: Vec<Capacity> = ours::<wire::PartitionCapacity, _>(
        json!({"id": "muc-a", "servers": [{"size": "n1-medium-x86", "total": 3, "free": 2}, {"size": "c1-large-x86"}]}),
    )
    .unwrap();
    assert_eq!(capacity.iter().map(|c| (c.total, c.free)).collect::<Vec<_>>(), [(3, 2), (0, 0)]);
}

#[test]
fn r11_the_family_is_always_sent_save_with_a_given_address() {
    let wanted = NetworkRequest {
        project: id(PROJECT),
        partition: id("muc-a"),
        name: "shop".into(),
        description: String::new(),
        family: AddressFamily::V4,
        length: Some(22),
        labels: Tags::new().with("k", "v"),
    };
    assert_eq!(
        serde_json::to_value(network(&wanted)).unwrap(),
        json!({"name": "shop", "partitionid": "muc-a", "projectid": PROJECT, "labels": {"k": "v"},
               "length": {"IPv4": 22}, "addressfamily": "IPv4"}),
    );
    let mut wanted = IpRequest {
        project: id(PROJECT),
        network: id("internet"),
        address: None,
        family: AddressFamily::V4,
        kind: IpKind::Ephemeral,
        name: "vip".into(),
        description: "d".into(),
        tags: Tags::new().with("k", "v"),
    };
    assert_eq!(
        serde_json::to_value(ip(&wanted)).unwrap(),
        json!({"networkid": "internet", "projectid": PROJECT, "type": "ephemeral", "tags": ["k=v"], "name": "vip",
               "description": "d", "addressfamily": "IPv4"}),
    );
    wanted.address = Some("198.18.0.9".parse().unwrap());
    assert_eq!(ip(&wanted).addressfamily, None);
}

#[test]
fn a_firewall_with_rules_and_an_address_of_its_own() {
    let rule = |text: &str| text.parse().unwrap();
    let wanted = FirewallRequest {
        project: id(PROJECT),
        partition: id("muc-a"),
        name: "fw".into(),
        hostname: "fw-1".into(),
        description: String::new(),
        size: id("n1-medium-x86"),
        image: id("firewall-ubuntu-3.0"),
        networks: vec![RequestNetwork { network: id("internet"), autoacquire: false }],
        ips: vec!["198.18.0.9".parse().unwrap()],
        egress: vec![rules::EgressRule {
            comment: rules::RuleComment::parse("dns").ok(),
            ports: vec![rules::Port::new(53).unwrap()],
            protocol: rules::Protocol::Udp,
            to: vec![rule("0.0.0.0/0")],
        }],
        ingress: vec![rules::IngressRule {
            comment: None,
            ports: vec![rules::Port::API],
            protocol: rules::Protocol::Tcp,
            from: vec![rule("10.0.0.0/8")],
            to: vec![rule("10.128.0.0/14")],
        }],
        ssh_public_keys: vec!["ssh-ed25519 k".into()],
        tags: Tags::new().with("k", "v"),
    };
    assert_eq!(
        serde_json::to_value(firewall(&wanted)).unwrap(),
        json!({
            "name": "fw", "hostname": "fw-1", "projectid": PROJECT, "partitionid": "muc-a",
            "sizeid": "n1-medium-x86", "imageid": "firewall-ubuntu-3.0", "ssh_pub_keys": ["ssh-ed25519 k"],
            "tags": ["k=v"],
            "networks": [{"networkid": "internet", "autoacquire": false}], "ips": ["198.18.0.9"],
            "firewall_rules": {
                "egress": [{"protocol": "udp", "ports": [53], "to": ["0.0.0.0/0"], "comment": "dns"}],
                "ingress": [{"protocol": "tcp", "ports": [443], "to": ["10.128.0.0/14"], "from": ["10.0.0.0/8"],
                             "comment": ""}],
            },
        }),
    );
}

#[test]
fn machines_are_filtered_by_the_server() {
    let find = find_machines(&id(PROJECT), Some(model::metal::MachineRole::Firewall), &Tags::new().with("k", "v"));
    assert_eq!(
        serde_json::to_value(find).unwrap(),
        json!({"allocation_project": PROJECT, "allocation_role": "firewall", "tags": ["k=v"]}),
    );
    let all = find_networks(&id(PROJECT), &Tags::new());
    assert_eq!(serde_json::to_value(all).unwrap(), json!({"projectid": PROJECT}));
}

#[test]
fn r19_a_machine_with_everything_and_its_user_data_as_base64() {
    let bare = MachineRequest {
        project: id(PROJECT),
        partition: id("muc-a"),
        name: "shop-cp-0".into(),
        hostname: "shop-cp-0".into(),
        description: String::new(),
        size: id("n1-medium-x86"),
        image: id("capms-ubuntu-1.34.1"),
        networks: vec![RequestNetwork { network: id("node"), autoacquire: true }],
        ips: Vec::new(),
        ssh_public_keys: Vec::new(),
        user_data: None,
        tags: Tags::from_strings(["k=v", "bare"]),
        placement_tags: Vec::new(),
        uuid: None,
        filesystem_layout: None,
        dns_servers: Vec::new(),
        ntp_servers: Vec::new(),
    };
    assert_eq!(
        serde_json::to_value(machine(&bare)).unwrap(),
        json!({
            "name": "shop-cp-0", "hostname": "shop-cp-0", "projectid": PROJECT, "partitionid": "muc-a",
            "sizeid": "n1-medium-x86", "imageid": "capms-ubuntu-1.34.1", "ssh_pub_keys": [],
            "tags": ["bare", "k=v"], "networks": [{"networkid": "node", "autoacquire": true}],
        }),
    );
    let full = MachineRequest {
        ips: vec!["10.0.0.7".parse().unwrap()],
        ssh_public_keys: vec!["ssh-ed25519 k".into()],
        user_data: Some(UserData::new(*b"#cloud-config canary")),
        placement_tags: vec!["c=shop".into()],
        uuid: Some(id("00000000-0000-0000-0000-00000000000a")),
        filesystem_layout: Some("raid".into()),
        dns_servers: vec!["1.1.1.1".parse().unwrap()],
        ntp_servers: vec!["ntp.example.com".into()],
        ..bare
    };
    assert!(!format!("{full:?}").contains("canary"));
    let sent = serde_json::to_value(machine(&full)).unwrap();
    for (field, value) in [
        ("ips", json!(["10.0.0.7"])),
        ("ssh_pub_keys", json!(["ssh-ed25519 k"])),
        ("user_data", json!("I2Nsb3VkLWNvbmZpZyBjYW5hcnk=")),
        ("placement_tags", json!(["c=shop"])),
        ("uuid", json!("00000000-0000-0000-0000-00000000000a")),
        ("filesystemlayoutid", json!("raid")),
        ("dns_servers", json!([{"ip": "1.1.1.1"}])),
        ("ntp_servers", json!([{"address": "ntp.example.com"}])),
    ] {
        assert_eq!(sent[field], value, "{field}");
    }
}

#[test]
fn an_update_of_an_address_sends_what_changes() {
    let address = "198.18.0.9".parse().unwrap();
    let sent = |kind, tags| serde_json::to_value(ip_update(&IpUpdate { address, kind, tags })).unwrap();
    assert_eq!(sent(None, None), json!({"ipaddress": "198.18.0.9"}));
    assert_eq!(
        sent(Some(IpKind::Static), Some(Tags::new().with("k", "v"))),
        json!({"ipaddress": "198.18.0.9", "type": "static", "tags": ["k=v"]}),
    );
    assert_eq!(sent(None, Some(Tags::new())), json!({"ipaddress": "198.18.0.9", "tags": []}), "cleared");
}

#[test]
fn what_a_machine_of_a_size_has_at_least() {
    let detail = |constraints: Value| -> SizeDetail {
        ours::<wire::Size, _>(json!({"id": "n1-medium-x86", "constraints": constraints})).unwrap()
    };
    let both = detail(json!([
        {"type": "cores", "min": 4, "max": 8}, {"type": "memory", "min": 64_000_000_000_u64, "max": 70_000_000_000_u64},
        {"type": "storage", "min": 1, "max": 2},
    ]));
    assert_eq!((both.cpu_cores, both.memory_bytes), (Some(4), Some(64_000_000_000)));
    let vague = detail(json!([{"type": "cores", "min": 0, "max": 8}]));
    assert_eq!((vague.cpu_cores, vague.memory_bytes), (None, None));
}
