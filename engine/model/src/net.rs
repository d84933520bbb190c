//! CIDRs as people write them, and what must hold between them.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, net::IpAddr, str::FromStr};

/// A CIDR whose host bits are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(IpNet);

impl Cidr {
    pub fn net(&self) -> IpNet {
        self.0
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Whether `other` lies within.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }

    pub fn family(&self) -> AddressFamily {
        match self.0 {
            IpNet::V4(_) => AddressFamily::V4,
            IpNet::V6(_) => AddressFamily::V6,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    #[error("`{0}` is no CIDR, for example `10.240.0.0/13`")]
    Syntax(String),
    #[error("`{value}` has host bits; the network is `{network}`")]
    HostBits { value: String, network: IpNet },
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(s: &str) -> Result<Self, CidrError> {
        let net: IpNet = s.parse().map_err(|_| CidrError::Syntax(s.to_owned()))?;
        if net.addr() != net.network() {
            return Err(CidrError::HostBits { value: s.to_owned(), network: net.trunc() });
        }
        Ok(Self(net))
    }
}

impl From<IpNet> for Cidr {
    /// Host bits are dropped.
    fn from(net: IpNet) -> Self {
        Self(net.trunc())
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Cidr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Cidr {
    fn schema_name() -> Cow<'static, str> {
        "Cidr".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A network in CIDR notation, host bits zero.",
            "pattern": "^[0-9a-fA-F:.]+/[0-9]{1,3}$",
            "examples": ["10.240.0.0/13"],
        })
    }
}

/// Always sent to metal-api (R11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AddressFamily {
    #[default]
    #[serde(rename = "IPv4")]
    V4,
    #[serde(rename = "IPv6")]
    V6,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_named_with_their_network() {
        let error = "10.240.0.5/13".parse::<Cidr>().unwrap_err();
        assert_eq!(error.to_string(), "`10.240.0.5/13` has host bits; the network is `10.240.0.0/13`");
    }

    #[test]
    fn overlap_is_either_way() {
        let (a, b): (Cidr, Cidr) = ("10.0.0.0/8".parse().unwrap(), "10.240.0.0/13".parse().unwrap());
        assert!(a.overlaps(&b) && b.overlaps(&a) && a.covers(&b) && !b.covers(&a));
        assert!(!a.overlaps(&"11.0.0.0/8".parse().unwrap()));
    }
}
