//! Slots: the things a cluster needs exactly once (I1), and who owns what fills them (I12).

use crate::NetworkId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// One thing a cluster needs exactly once. The order is the order of allocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    Network,
    Vip,
    /// One static address per network (R17).
    Egress(NetworkId),
    /// Generations are one slot (design, "Why one of each holds" 2); they count from 1.
    Firewall(u32),
}

impl Slot {
    /// Whether both are the same slot: the generations of a firewall are.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Firewall(_), Self::Firewall(_)) => true,
            (Self::Network | Self::Vip | Self::Egress(_) | Self::Firewall(_), _) => self == other,
        }
    }
}

/// As it stands in the tag `fleet.metal-stack.io/slot`.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network => f.write_str("network"),
            Self::Vip => f.write_str("vip"),
            Self::Egress(network) => write!(f, "egress.{network}"),
            Self::Firewall(generation) => write!(f, "firewall.{generation}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no slot: network, vip, egress.<network> or firewall.<generation from 1>")]
pub struct SlotError(String);

impl FromStr for Slot {
    type Err = SlotError;

    fn from_str(s: &str) -> Result<Self, SlotError> {
        let refused = || SlotError(s.to_owned());
        match s.split_once('.') {
            None if s == "network" => Ok(Self::Network),
            None if s == "vip" => Ok(Self::Vip),
            Some(("egress", network)) => NetworkId::parse(network).map(Self::Egress).map_err(|_| refused()),
            Some(("firewall", generation)) => {
                generation.parse().ok().filter(|g| *g > 0).map(Self::Firewall).ok_or_else(refused)
            }
            _ => Err(refused()),
        }
    }
}

impl Serialize for Slot {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a committed value came from, which decides who may free it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// By the engine; freed on a confirmed deletion.
    Allocated,
    /// Supplied by a person; never freed.
    Adopted,
    /// Allocated by the provider; read back, then committed.
    Delegated,
    /// Written in the definition.
    Spec,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_reads_back_what_it_prints() {
        let internet = NetworkId::parse("internet").unwrap();
        for slot in [Slot::Network, Slot::Vip, Slot::Egress(internet), Slot::Firewall(3)] {
            assert_eq!(slot.to_string().parse::<Slot>().unwrap(), slot);
        }
        for bad in ["", "vips", "egress", "egress.", "firewall.0", "firewall.x", "network.1"] {
            assert!(bad.parse::<Slot>().is_err(), "{bad}");
        }
    }

    #[test]
    fn generations_of_a_firewall_are_one_slot() {
        assert!(Slot::Firewall(1).same(&Slot::Firewall(2)));
        assert!(!Slot::Vip.same(&Slot::Network));
    }
}
