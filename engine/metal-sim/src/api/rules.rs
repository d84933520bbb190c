//! Firewall rules as metal-api takes them: normalised to lower-case protocols, one address family per rule.

use crate::refusal::Refusal;
use ipnet::IpNet;
use metal_api::wire::{EgressRule, FirewallRules, IngressRule};

const COMMENT_MAX: usize = 100;
const PORT_MAX: i32 = 65_535;

pub(super) fn normalise(rules: FirewallRules) -> Result<FirewallRules, Refusal> {
    let egress = rules.egress.into_iter().map(|rule| {
        check(&rule.ports, &rule.comment, &[&rule.to])?;
        Ok(EgressRule { protocol: protocol(&rule.protocol)?, ..rule })
    });
    let ingress = rules.ingress.into_iter().map(|rule| {
        check(&rule.ports, &rule.comment, &[&rule.to, &rule.from])?;
        Ok(IngressRule { protocol: protocol(&rule.protocol)?, ..rule })
    });
    Ok(FirewallRules {
        egress: egress.collect::<Result<_, Refusal>>()?,
        ingress: ingress.collect::<Result<_, Refusal>>()?,
    })
}

fn protocol(text: &str) -> Result<String, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "" | "tcp" => Ok("tcp".to_owned()),
        "udp" => Ok("udp".to_owned()),
        _ => Err(Refusal::bad_request(format!("invalid protocol: {text}"))),
    }
}

fn check(ports: &[i32], comment: &str, cidrs: &[&Vec<String>]) -> Result<(), Refusal> {
    if ports.iter().any(|port| !(0..=PORT_MAX).contains(port)) {
        return Err(Refusal::bad_request("port is out of range"));
    }
    if comment.chars().any(|c| !(c.is_ascii_alphabetic() || "_- ".contains(c))) {
        return Err(Refusal::bad_request(
            "illegal character in comment found, only: \"abcdefghijklmnopqrstuvwxyz_- \" allowed",
        ));
    }
    if comment.len() > COMMENT_MAX {
        return Err(Refusal::bad_request(format!("comments can not exceed {COMMENT_MAX} characters")));
    }
    let mut family = None;
    for text in cidrs.iter().flat_map(|cidrs| cidrs.iter()) {
        let net: IpNet = text.parse().map_err(|_| Refusal::bad_request(format!("invalid cidr: {text}")))?;
        let v4 = net.addr().is_ipv4();
        if *family.get_or_insert(v4) != v4 {
            return Err(Refusal::bad_request(format!("mixed address family in one rule is not supported:{cidrs:?}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(protocol: &str, ports: &[i32], to: &[&str], comment: &str) -> Result<String, String> {
        let rule = EgressRule {
            protocol: protocol.into(),
            ports: ports.into(),
            to: to.iter().map(ToString::to_string).collect(),
            comment: comment.into(),
        };
        let rules = FirewallRules { egress: vec![rule], ingress: Vec::new() };
        normalise(rules).map(|rules| rules.egress[0].protocol.clone()).map_err(|refusal| refusal.message)
    }

    #[test]
    fn protocols_are_lowered_and_default_to_tcp() {
        assert_eq!(egress("UDP", &[53], &["0.0.0.0/0"], "allow dns").unwrap(), "udp");
        assert_eq!(egress("", &[443], &["0.0.0.0/0"], "").unwrap(), "tcp");
        assert_eq!(egress("icmp", &[1], &[], "").unwrap_err(), "invalid protocol: icmp");
    }

    #[test]
    fn comments_ports_and_families_are_checked() {
        let message = |ports: &[i32], to: &[&str], comment: &str| egress("tcp", ports, to, comment).unwrap_err();
        assert!(message(&[1], &[], "port 443").starts_with("illegal character in comment found"));
        assert!(message(&[1], &[], &"a".repeat(101)).starts_with("comments can not exceed"));
        assert_eq!(message(&[65_536], &[], ""), "port is out of range");
        assert!(message(&[1], &["10.0.0.0"], "").starts_with("invalid cidr"));
        assert!(
            message(&[1], &["0.0.0.0/0", "::/0"], "").starts_with("mixed address family in one rule is not supported")
        );
    }
}
