use super::*;
use crate::stub::{Answer, Stub};
use std::sync::Mutex;

#[derive(Default)]
struct Counted(Mutex<Vec<(Op, &'static str)>>);

impl Observe for Counted {
    fn call(&self, op: Op, code: &'static str, _: Duration) {
        self.0.lock().unwrap().push((op, code));
    }
}

fn project(n: u8) -> ProjectId {
    ProjectId::parse(&format!("00000000-0000-0000-0000-00000000000{n}")).unwrap()
}

#[tokio::test]
async fn r16_nothing_is_sent_about_a_project_that_the_fleet_does_not_list() {
    let stub = Stub::start(|_, _| Answer::Plain(200, "[]".into())).await;
    let counted = Arc::new(Counted::default());
    let metal = Guarded::new(stub.client(), [project(1)], Arc::clone(&counted) as Arc<dyn Observe>);
    let (other, tags) = (project(2), Tags::new());
    let (address, machine) = ("198.18.0.1".parse().unwrap(), MachineId::parse(MachineId::EXAMPLE).unwrap());
    let network = NetworkId::parse("n").unwrap();
    let refused = [
        metal.project(&other).await.err(),
        metal.networks(&other, &tags).await.err(),
        metal.ips(&other, &tags).await.err(),
        metal.machines(&other, None, &tags).await.err(),
        metal.capacity(&other).await.err(),
        metal.get_network(&other, &network).await.err(),
        metal.get_ip(&other, address).await.err(),
        metal.get_machine(&other, &machine).await.err(),
        metal.allocate_network(&network_request(&other)).await.err(),
        metal.allocate_ip(&ip_request(&other)).await.err(),
        metal.update_ip(&other, &IpUpdate { address, kind: None, tags: None }).await.err(),
        metal.allocate_machine(&machine_request(&other)).await.err(),
        metal.allocate_firewall(&firewall_request(&other)).await.err(),
        metal.free_network(&other, &network).await.err(),
        metal.free_ip(&other, address).await.err(),
        metal.free_machine(&other, &machine).await.err(),
    ];
    for error in refused {
        let error = error.unwrap();
        assert!(matches!(&error, Error::Outside { call } if call.project.as_ref() == Some(&other)), "{error}");
        assert!(!error.outcome_unknown() && !error.is_retryable_later());
    }
    assert!(stub.seen().is_empty());
    assert!(counted.0.lock().unwrap().iter().all(|(_, code)| *code == "outside"));
}

#[tokio::test]
async fn who_only_looks_sends_nothing_that_changes_anything() {
    let stub = Stub::start(|_, _| Answer::Plain(200, "[]".into())).await;
    let metal = Guarded::new(stub.client(), [project(1)], Arc::new(Unobserved)).read_only();
    let (one, address) = (project(1), "198.18.0.1".parse().unwrap());
    let (machine, network) = (MachineId::parse(MachineId::EXAMPLE).unwrap(), NetworkId::parse("n").unwrap());
    let refused = [
        metal.allocate_network(&network_request(&one)).await.err(),
        metal.allocate_ip(&ip_request(&one)).await.err(),
        metal.update_ip(&one, &IpUpdate { address, kind: None, tags: None }).await.err(),
        metal.allocate_machine(&machine_request(&one)).await.err(),
        metal.allocate_firewall(&firewall_request(&one)).await.err(),
        metal.free_network(&one, &network).await.err(),
        metal.free_ip(&one, address).await.err(),
        metal.free_machine(&one, &machine).await.err(),
    ];
    for error in refused {
        let error = error.unwrap();
        assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
        assert!(!error.outcome_unknown() && !error.is_retryable_later());
    }
    assert!(stub.seen().is_empty());
    assert_eq!(metal.ips(&one, &Tags::new()).await.unwrap(), []);
}

#[tokio::test]
async fn every_call_is_counted_with_its_class() {
    let stub = Stub::start(|_, before| match before {
        0 => Answer::Plain(200, "[]".into()),
        _ => Answer::Plain(403, "\"tenant  not allowed\"".into()),
    })
    .await;
    let counted = Arc::new(Counted::default());
    let metal = Guarded::new(stub.client(), [project(1)], Arc::clone(&counted) as Arc<dyn Observe>);
    metal.ips(&project(1), &Tags::new()).await.unwrap();
    metal.free_ip(&project(1), "198.18.0.1".parse().unwrap()).await.unwrap_err();
    metal.sizes().await.unwrap_err();
    let calls = counted.0.lock().unwrap().clone();
    assert_eq!(calls, [(Op::IpFind, "ok"), (Op::IpFree, "denied"), (Op::SizeList, "denied")]);
}

fn network_request(project: &ProjectId) -> NetworkRequest {
    NetworkRequest {
        project: project.clone(),
        partition: PartitionId::parse("muc-a").unwrap(),
        name: String::new(),
        description: String::new(),
        family: model::AddressFamily::V4,
        length: None,
        labels: Tags::new(),
    }
}

fn ip_request(project: &ProjectId) -> IpRequest {
    IpRequest {
        project: project.clone(),
        network: NetworkId::parse("internet").unwrap(),
        address: None,
        family: model::AddressFamily::V4,
        kind: model::metal::IpKind::Static,
        name: String::new(),
        description: String::new(),
        tags: Tags::new(),
    }
}

fn machine_request(project: &ProjectId) -> MachineRequest {
    MachineRequest {
        project: project.clone(),
        partition: PartitionId::parse("muc-a").unwrap(),
        name: String::new(),
        hostname: String::new(),
        description: String::new(),
        size: SizeId::parse("n1-medium-x86").unwrap(),
        image: model::ImageId::parse("ubuntu-24.4").unwrap(),
        networks: Vec::new(),
        ips: Vec::new(),
        ssh_public_keys: Vec::new(),
        user_data: None,
        tags: Tags::new(),
        placement_tags: Vec::new(),
        uuid: None,
        filesystem_layout: None,
        dns_servers: Vec::new(),
        ntp_servers: Vec::new(),
    }
}

fn firewall_request(project: &ProjectId) -> FirewallRequest {
    FirewallRequest {
        project: project.clone(),
        partition: PartitionId::parse("muc-a").unwrap(),
        name: String::new(),
        hostname: String::new(),
        description: String::new(),
        size: SizeId::parse("n1-medium-x86").unwrap(),
        image: model::ImageId::parse("firewall-ubuntu-3.0").unwrap(),
        networks: Vec::new(),
        ips: Vec::new(),
        egress: Vec::new(),
        ingress: Vec::new(),
        ssh_public_keys: Vec::new(),
        tags: Tags::new(),
    }
}
