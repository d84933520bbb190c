//! Firewall rules as metal-api takes them.

use crate::Cidr;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    #[default]
    #[serde(rename = "TCP", alias = "tcp")]
    Tcp,
    #[serde(rename = "UDP", alias = "udp")]
    Udp,
}

/// A port, 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Port(u16);

impl Port {
    pub const fn new(port: u16) -> Option<Self> {
        if port == 0 { None } else { Some(Self(port)) }
    }

    pub const fn get(self) -> u16 {
        self.0
    }

    /// The port of the Kubernetes API on kubeadm flavors.
    pub const API: Self = Self(443);
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let port = u16::deserialize(deserializer)?;
        Self::new(port).ok_or_else(|| serde::de::Error::custom("a port is between 1 and 65535"))
    }
}

impl JsonSchema for Port {
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "integer", "minimum": 1, "maximum": 65535, "description": "A port, 1 to 65535."})
    }
}

/// What a rule is for. metal-api refuses digits and anything but letters, `-`, `_` and blanks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RuleComment(String);

impl RuleComment {
    pub const MAX_LEN: usize = 100;

    pub fn parse(text: &str) -> Result<Self, RuleCommentError> {
        let good = |c: char| c.is_ascii_alphabetic() || matches!(c, '-' | '_' | ' ');
        if text.len() <= Self::MAX_LEN && text.chars().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RuleCommentError(text.to_owned()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no rule comment: letters, `-`, `_` and blanks, at most 100 (no digits)")]
pub struct RuleCommentError(String);

impl<'de> Deserialize<'de> for RuleComment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Cow::<str>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for RuleComment {
    fn schema_name() -> Cow<'static, str> {
        "RuleComment".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "What the rule is for: letters, `-`, `_` and blanks, at most 100 (no digits: metal-api refuses them).",
            "pattern": "^[-a-zA-Z_ ]*$",
            "maxLength": 100,
        })
    }
}

/// Traffic from the nodes to the outside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<RuleComment>,
    pub ports: Vec<Port>,
    #[serde(default)]
    pub protocol: Protocol,
    /// All of one address family.
    pub to: Vec<Cidr>,
}

/// Traffic from the outside to the nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IngressRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<RuleComment>,
    pub ports: Vec<Port>,
    #[serde(default)]
    pub protocol: Protocol,
    /// All of one address family.
    pub from: Vec<Cidr>,
    /// Where to; empty: anywhere behind the firewall. Only the provider's firewalls have it, no definition does.
    #[serde(skip)]
    pub to: Vec<Cidr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r21_a_comment_has_no_digits() {
        assert!(RuleComment::parse("allow HTTP_and-HTTPS").is_ok());
        assert!(RuleComment::parse("port 443").is_err());
        assert!(RuleComment::parse(&"a".repeat(101)).is_err());
    }
}
