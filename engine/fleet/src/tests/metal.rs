//! What metal-api says against the example.

use super::kit::{BILLING, Edit, example, loaded, now, shown};
use crate::metal_findings;
use model::metal::{HaveProject, Image, Network, NetworkKind};
use model::{Have, NetworkId, PartitionId, ProjectId, Reason, SizeId, Tags, Timestamp};

pub(super) const RULES: &[&str] = &["pods-not-announceable", "unknown-in-metal", "image-gone", "image-expires"];

fn network(id: &str, kind: NetworkKind, partition: Option<&str>) -> (NetworkId, Network) {
    let id = NetworkId::parse(id).unwrap();
    let announced = "10.240.0.0/12".parse().unwrap();
    let network = Network {
        id: id.clone(),
        name: id.to_string(),
        kind,
        project: None,
        partition: partition.map(|p| PartitionId::parse(p).unwrap()),
        parent: None,
        prefixes: vec![],
        destination_prefixes: vec![],
        announceable: if kind == NetworkKind::Super { vec![announced] } else { vec![] },
        labels: Tags::new(),
        created: None,
    };
    (id, network)
}

fn image(id: &str, expires: Option<&str>) -> Image {
    let firewall = id.starts_with("firewall");
    Image {
        id: id.parse().unwrap(),
        expires: expires.map(|e| e.parse::<Timestamp>().unwrap()),
        for_machines: !firewall,
        for_firewalls: firewall,
    }
}

/// The default landscape, as far as it is looked at.
fn landscape() -> Have {
    let partition = |p| PartitionId::parse(p).unwrap();
    Have {
        projects: [(ProjectId::parse(ProjectId::EXAMPLE).unwrap(), HaveProject::default())].into(),
        shared_networks: [
            network("internet", NetworkKind::External, None),
            network("mpls-muc-a", NetworkKind::External, None),
            network("super-a", NetworkKind::Super, Some("muc-a")),
            network("super-b", NetworkKind::Super, Some("muc-b")),
            network("underlay-a", NetworkKind::Underlay, Some("muc-a")),
        ]
        .into(),
        partitions: [partition("muc-a"), partition("muc-b")].into(),
        sizes: ["n1-medium-x86", "c1-large-x86"].map(|s| SizeId::parse(s).unwrap()).into(),
        images: vec![
            image("capms-ubuntu-1.34.2", None),
            image("capms-ubuntu-1.33.6", None),
            image("capms-ubuntu-1.32.9", None),
            image("firewall-ubuntu-3.0.20251001", None),
            image("firewall-ubuntu-3.0.20251101", None),
        ],
        ..Have::default()
    }
}

#[test]
fn the_example_fits_the_default_landscape() {
    assert_eq!(ProjectId::EXAMPLE, "00000000-0000-0000-0000-000000000001");
    assert_eq!(shown(&metal_findings(&loaded(&example()).want, &landscape(), now())), "");
}

#[test]
fn what_metal_api_does_not_have() {
    let mut tree = example();
    tree.edit(BILLING, "    nodes:", "    pods: [10.0.0.0/16]\n    nodes:");
    let mut have = landscape();
    have.sizes.remove("c1-large-x86");
    have.shared_networks.remove("mpls-muc-a");
    have.partitions.remove("muc-b");
    have.images.remove(2);
    have.images[0].expires = Some("2026-12-01T00:00:00Z".parse().unwrap());
    have.images[2].for_firewalls = false;
    have.images[3].for_firewalls = false;
    let findings = metal_findings(&loaded(&tree).want, &have, now());
    insta::assert_snapshot!(shown(&findings));
    for rule in RULES {
        assert!(findings.iter().any(|f| f.rule == *rule), "{rule}");
    }
    let reasons: Vec<_> = findings.iter().filter_map(|f| f.reason).collect();
    assert!(reasons.contains(&Reason::PodCIDRNotAnnounceable) && reasons.contains(&Reason::ImageGone));
}

#[test]
fn r15_nothing_is_concluded_from_a_gap() {
    let mut have = landscape();
    have.sizes.clear();
    have.gaps.push(model::metal::Gap {
        project: None,
        kind: "sizes",
        why: model::metal::GapReason::Unreachable,
        message: "no answer".to_owned(),
    });
    assert_eq!(metal_findings(&loaded(&example()).want, &have, now()), []);
}
