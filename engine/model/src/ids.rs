//! Ids and names, parsed once at the border. Each declares its rule, an example and its JSON Schema in one place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, str::FromStr};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is no {what}: {rule}, for example `{example}`")]
pub struct NameError {
    pub value: String,
    pub what: &'static str,
    pub rule: &'static str,
    pub example: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $example:literal, $pattern:literal, $max:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            pub const RULE: &'static str = $rule;
            pub const EXAMPLE: &'static str = $example;

            pub fn parse(value: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if !value.is_empty() && value.len() <= $max && check(value) {
                    Ok(Self(value.into()))
                } else {
                    Err(NameError { value: value.to_owned(), what: $what, rule: $rule, example: $example })
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(s: &str) -> Result<Self, NameError> {
                Self::parse(s)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": concat!("A ", $what, ": ", $rule, "."),
                    "pattern": $pattern,
                    "minLength": 1,
                    "maxLength": $max,
                    "examples": [$example],
                })
            }
        }
    };
}

/// RFC 1123: lower-case letters, digits and `-`, a letter or digit at both ends.
fn is_dns_label(s: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    s.bytes().all(|b| plain(b) || b == b'-')
        && s.bytes().next().is_some_and(plain)
        && s.bytes().next_back().is_some_and(plain)
}

/// What metal-stack uses as id of networks, sizes, images and partitions; also a safe tag value.
fn is_metal_id(s: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric();
    s.bytes().all(|b| plain(b) || matches!(b, b'-' | b'_' | b'.'))
        && s.bytes().next().is_some_and(plain)
        && s.bytes().next_back().is_some_and(plain)
}

fn is_uuid(s: &str) -> bool {
    s.len() == 36
        && s.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

name_type!(
    /// The name of a cluster inside its namespace.
    ClusterName, "cluster name", "lower-case letters, digits and `-`, at most 61 characters", "billing",
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", 61, is_dns_label
);
name_type!(
    /// A Kubernetes namespace.
    Namespace, "namespace", "lower-case letters, digits and `-`, at most 61 characters", "payments",
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", 61, is_dns_label
);
name_type!(
    /// The name of a fleet, which is also its tag on metal-api resources.
    FleetName, "fleet name", "lower-case letters, digits and `-`, at most 63 characters", "example",
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", 63, is_dns_label
);
name_type!(
    /// The name of a Secret.
    SecretName, "secret name", "lower-case letters, digits, `-` and `.`, at most 253 characters", "registry-login",
    "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", 253, |s| s.split('.').all(is_dns_label)
);
name_type!(
    /// Any other name that becomes part of a Kubernetes object's name: pools, stages, policies, management clusters.
    Label, "name", "lower-case letters, digits and `-`, at most 63 characters", "general",
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", 63, is_dns_label
);
name_type!(
    /// The id of a metal-stack project.
    ProjectId, "project id", "a UUID in lower case", "00000000-0000-0000-0000-000000000001",
    "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", 36, is_uuid
);
name_type!(
    /// The id of a metal-stack partition.
    PartitionId, "partition id", "letters, digits, `-`, `_` and `.`", "muc-a",
    "^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$", 128, is_metal_id
);
name_type!(
    /// The id of a metal-stack network: a word for shared ones, a UUID for node networks.
    NetworkId, "network id", "letters, digits, `-`, `_` and `.`", "internet",
    "^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$", 128, is_metal_id
);
name_type!(
    /// The id of a machine size.
    SizeId, "size", "letters, digits, `-`, `_` and `.`", "n1-medium-x86",
    "^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$", 128, is_metal_id
);
name_type!(
    /// The id of an image, or the short form that names its newest patch.
    ImageId, "image", "letters, digits, `-`, `_` and `.`", "capms-ubuntu-1.34.2",
    "^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$", 128, is_metal_id
);
name_type!(
    /// The id of a machine (its hardware UUID).
    MachineId, "machine id", "a UUID in lower case", "00000000-0000-4000-8000-0000000000f1",
    "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", 36, is_uuid
);
name_type!(
    /// metal-api's allocation UUID: an address or a machine id alone can belong to somebody else by now.
    Allocation, "allocation id", "letters, digits, `-`, `_` and `.`", "7d9c2f0e-93d4-4a51-9a3e-6c7c9d0f1b11",
    "^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$", 128, is_metal_id
);
name_type!(
    /// Drawn once per process; every allocation carries it (design, "Why one of each holds" 3).
    Attempt, "attempt", "a UUID in lower case", "7d9c2f0e-93d4-4a51-9a3e-6c7c9d0f1b11",
    "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", 36, is_uuid
);

/// The identity of a cluster: `<namespace>.<name>`, never a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId {
    namespace: Namespace,
    name: ClusterName,
}

impl ClusterId {
    /// With the dot, so that the id is a label value.
    pub const MAX_LEN: usize = 63;
    const RULE: &'static str = "namespace and name have at most 63 characters together, with the dot between them";

    pub fn new(namespace: Namespace, name: ClusterName) -> Result<Self, NameError> {
        let id = Self { namespace, name };
        let len = id.namespace.as_str().len() + 1 + id.name.as_str().len();
        if len > Self::MAX_LEN {
            return Err(NameError {
                value: id.to_string(),
                what: "cluster id",
                rule: Self::RULE,
                example: "payments.billing",
            });
        }
        Ok(id)
    }

    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub fn name(&self) -> &ClusterName {
        &self.name
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.namespace, self.name)
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl FromStr for ClusterId {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let (namespace, name) = s.split_once('.').ok_or_else(|| NameError {
            value: s.to_owned(),
            what: "cluster id",
            rule: "namespace, a dot, name",
            example: "payments.billing",
        })?;
        Self::new(Namespace::parse(namespace)?, ClusterName::parse(name)?)
    }
}

impl Serialize for ClusterId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClusterId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_parse() {
        ClusterName::parse(ClusterName::EXAMPLE).unwrap();
        ProjectId::parse(ProjectId::EXAMPLE).unwrap();
        NetworkId::parse(NetworkId::EXAMPLE).unwrap();
        ImageId::parse(ImageId::EXAMPLE).unwrap();
        MachineId::parse(MachineId::EXAMPLE).unwrap();
        Attempt::parse(Attempt::EXAMPLE).unwrap();
    }

    #[test]
    fn names_that_would_not_survive_as_labels_are_refused() {
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "ä", &"a".repeat(62)] {
            assert!(ClusterName::parse(bad).is_err(), "{bad}");
        }
        assert!(ProjectId::parse("00000000-0000-0000-0000-00000000000G").is_err());
        assert!(NetworkId::parse("a/b").is_err());
        assert!(NetworkId::parse("../x").is_err());
    }

    #[test]
    fn a_cluster_id_fits_a_label_value() {
        let id: ClusterId = "payments.billing".parse().unwrap();
        assert_eq!((id.namespace().as_str(), id.name().as_str()), ("payments", "billing"));
        let long = format!("{}.{}", "n".repeat(32), "c".repeat(31));
        assert!(long.parse::<ClusterId>().is_err());
        assert!(long[1..].parse::<ClusterId>().is_ok());
    }
}
