//! What a template asks for.

use super::fixture::*;
use crate::api::*;
use crate::conditions::Conditions;
use crate::firewall::observed::{Action, Observed};
use crate::firewall::template::{baseline, hostname};
use crate::names;
use crate::reason::{ConditionType as Of, Reason};
use model::metal::{FirewallRequest, RequestNetwork};
use model::rules::Protocol;

fn request(observed: Observed) -> FirewallRequest {
    let mut observed = observed.annotated(names::ATTEMPT, ATTEMPT).searched(at(0));
    observed.memory.attempt_is_mine = true;
    match observed.decide(0).action() {
        Action::Allocate(blueprint) => blueprint.request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_as_capms_makes_it_with_our_marks() {
    let request = request(observed());
    assert_eq!((request.name.as_str(), request.hostname.as_str()), ("pay-firewall", "pay-firewall"));
    assert_eq!(request.description, "shop/pay-fw for cluster shop/pay");
    assert_eq!((request.project.as_str(), request.partition.as_str()), (PROJECT, "muc-a"));
    assert_eq!((request.size.as_str(), request.image.as_str()), ("n1-medium-x86", "firewall-ubuntu-3.0"));
    let network = |id: &str| RequestNetwork { network: id.parse().unwrap(), autoacquire: true };
    assert_eq!(request.networks, [network("internet"), network(NODES)]);
    assert_eq!(request.ssh_public_keys, ["ssh-ed25519 AAAA ops"]);
    assert_eq!(request.egress[0].protocol, Protocol::Tcp);
    assert_eq!(request.ingress[0].to, ["198.18.0.7/32".parse().unwrap()]);
    let tags = [
        "cluster.metal-stack.io/id=nodes-1",
        "firewall.metal-stack.io/managed-by=cluster-api-provider-metal-stack",
        "fleet.metal-stack.io/attempt=11111111-0000-4000-8000-000000000001",
        &format!("fleet.metal-stack.io/firewall-baseline={}", digest()),
        "fleet.metal-stack.io/managed-by=provider",
        "fleet.metal-stack.io/slot=firewall.1",
        "metal-stack.infrastructure.cluster.x-k8s.io/cluster-resource=shop.pay",
        "metal-stack.infrastructure.cluster.x-k8s.io/firewall-deployment-resource=shop.pay-fw",
    ];
    assert_eq!(request.tags.to_strings(), tags);
}

/// D63: the cluster's count, not the template's.
#[test]
fn d63_partition_and_project_are_the_clusters_and_it_is_said() {
    let mut observed = observed();
    observed.wanted().partition = "muc-b".to_owned();
    observed.wanted().networks = vec![NODES.to_owned(), "internet".to_owned(), "internet".to_owned()];
    let request = request(observed);
    assert_eq!(request.partition.as_str(), "muc-a");
    assert_eq!(request.networks.len(), 2, "each once");
}

#[test]
fn what_metal_api_would_refuse_is_refused_with_its_place() {
    type Vary = fn(&mut FirewallRules);
    let cases: [(Vary, &str); 6] = [
        (|r| r.egress[0].ports = vec![0], "spec.initialRuleSet.egress[0].ports: `0` is no port"),
        (|r| r.egress[0].ports = vec![70_000], "spec.initialRuleSet.egress[0].ports: `70000` is no port"),
        (|r| r.egress[0].comment = Some("port 80".to_owned()), "spec.initialRuleSet.egress[0].comment: "),
        (
            |r| r.ingress[0].protocol = "ICMP".to_owned(),
            "spec.initialRuleSet.ingress[0].protocol: `ICMP` is no protocol",
        ),
        (|r| r.ingress[0].from = vec!["any".to_owned()], "spec.initialRuleSet.ingress[0].from: `any` is no CIDR"),
        (|r| r.ingress[0].to = vec!["::/0".to_owned()], "spec.initialRuleSet.ingress[0]: metal-api takes IPv4 or IPv6"),
    ];
    for (vary, what) in cases {
        let mut observed = observed();
        vary(observed.wanted().initial_rule_set.as_mut().unwrap());
        let said = observed.decide(0);
        assert_eq!(said.says(Of::FirewallAllocated).1, Reason::InvalidSpec);
        let message = said.message(Of::FirewallAllocated);
        assert!(message.starts_with(&format!("MetalStackFirewallTemplate pay-fw, {what}")), "{message}");
    }
}

/// What CAPMS admits: no protocol, lower case, host bits.
#[test]
fn what_metal_api_takes_is_taken() {
    let mut observed = observed();
    let rules = observed.wanted().initial_rule_set.as_mut().unwrap();
    rules.egress[0].protocol = String::new();
    rules.egress[0].to = vec!["10.1.2.3/8".to_owned()];
    rules.ingress[0].protocol = "udp".to_owned();
    let request = request(observed);
    assert_eq!((request.egress[0].protocol, request.ingress[0].protocol), (Protocol::Tcp, Protocol::Udp));
    assert_eq!(request.egress[0].to, ["10.0.0.0/8".parse().unwrap()]);
}

/// D68.
#[test]
fn d68_a_host_name_is_short_enough_and_of_one_cluster() {
    let of = |namespace: &str, name: &str| {
        let mut cluster = MetalStackCluster::new(name, MetalStackClusterSpec::default());
        cluster.metadata.namespace = Some(namespace.to_owned());
        hostname(&cluster)
    };
    let longest = "c".repeat(54);
    assert_eq!(of("shop", &longest), format!("{longest}-firewall"));
    let names =
        [of("shop", &"c".repeat(55)), of("other", &"c".repeat(55)), of("shop", &format!("{}.d", "c".repeat(60)))];
    for name in &names {
        assert!(name.len() <= 63 && name.ends_with("-firewall") && !name.contains('.'), "{name}");
    }
    assert!(names[0] != names[1] && names[1] != names[2]);
    assert!(!of("shop", "a.b").contains('.'));
}

/// D63, D67: said, and nothing else comes of it.
#[test]
fn fields_without_effect_and_rules_that_pass_nothing_are_said() {
    let mut observed = observed().running().has([firewall(1, 1)]);
    observed.wanted().rate_limits = vec![RateLimit { network_id: "internet".to_owned(), rate: 10 }];
    observed.wanted().controller_version = Some("v2".to_owned());
    let said = observed.decide(0);
    assert_eq!(said.says(Of::FirewallUpToDate), (ConditionStatus::True, Reason::FieldsWithoutEffect));
    assert!(said.message(Of::FirewallUpToDate).contains("rateLimits, controllerVersion;"), "{said:?}");
    observed.wanted().rate_limits.clear();
    observed.wanted().controller_version = None;
    observed.wanted().initial_rule_set = Some(FirewallRules::default());
    let digest = baseline(observed.wanted());
    let said = observed.annotated(names::FIREWALL_BASELINE, &digest).decide(0);
    assert_eq!(said.says(Of::FirewallUpToDate), (ConditionStatus::True, Reason::UpToDate));
    assert!(said.message(Of::FirewallUpToDate).contains("nothing passes"));
}

/// Another binary must come to the same digest, or every firewall is replaced on the day of its roll-out.
#[test]
fn a_baseline_stays_over_binaries_and_changes_with_what_it_is_of() {
    assert_eq!(digest(), "v1:sha256:5d0dc014f3ed99f90223a03e1ff21ab7c81d69fd079a8a9b08a4f9c701d47a81");
    let mut same = template().spec;
    same.networks = vec!["internet".to_owned(), "internet".to_owned()];
    (same.partition, same.project, same.dry_run) = ("muc-b".to_owned(), "other".to_owned(), Some(true));
    assert_eq!(baseline(&same), digest());
    type Vary = fn(&mut MetalStackFirewallTemplateSpec);
    let changes: [Vary; 7] = [
        |t| t.size.push('x'),
        |t| t.image.push('x'),
        |t| t.networks.push("mpls".to_owned()),
        |t| t.ssh_public_keys.clear(),
        |t| t.initial_rule_set = None,
        |t| t.initial_rule_set.as_mut().unwrap().egress[0].ports.push(53),
        |t| t.initial_rule_set.as_mut().unwrap().ingress[0].to.clear(),
    ];
    for change in changes {
        let mut other = template().spec;
        change(&mut other);
        assert_ne!(baseline(&other), digest());
    }
}

/// Conditions are whole seconds and one of a type.
#[test]
fn conditions_of_capms_go_and_those_of_others_stay() {
    let mut observed = observed().running().has([firewall(1, 1)]);
    let mut conditions = Conditions::default();
    conditions.is(Of::Ready, Reason::Provisioned, "");
    let mut old = conditions.over(&[], None, at(0));
    old.extend(
        ["FirewallDeploymentReady", "example.com/Backup"]
            .map(|of| Condition { type_: of.to_owned(), ..old[0].clone() }),
    );
    observed.object().status = Some(MetalStackFirewallDeploymentStatus { conditions: old, ..Default::default() });
    let said = observed.decide(0);
    let types: Vec<_> = said.status().conditions.iter().map(|c| c.type_.as_str()).collect();
    let expected =
        ["FirewallAllocated", "FirewallHealthy", "FirewallUpToDate", "Paused", "Ready", "example.com/Backup"];
    assert_eq!(types, expected);
}
