//! Ids of Git objects.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// The id of a Git object: SHA-1, twenty bytes. Written as forty hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub [u8; 20]);

impl Oid {
    /// What the protocol writes where there is no object.
    pub(crate) const ZERO: Self = Self([0; 20]);

    pub(crate) fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not forty hex digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a Git object id (40 hex digits): {0:?}")]
pub struct OidError(String);

impl FromStr for Oid {
    type Err = OidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 20];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(OidError(text.chars().take(64).collect())),
        }
    }
}

impl Serialize for Oid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Oid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl TryFrom<git2::Oid> for Oid {
    type Error = OidError;

    fn try_from(id: git2::Oid) -> Result<Self, Self::Error> {
        id.as_bytes().try_into().map(Self).map_err(|_| OidError(id.to_string()))
    }
}

impl From<Oid> for model::BlobId {
    fn from(id: Oid) -> Self {
        Self(id.0)
    }
}

/// libgit2's own form of an id.
pub(crate) fn raw(bytes: &[u8; 20]) -> Result<git2::Oid, git2::Error> {
    git2::Oid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        let id: Oid = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Oid>(&json).unwrap(), id);
        for bad in ["", "0123", &format!("{text}00"), "zz23456789abcdef0123456789abcdef01234567"] {
            assert!(bad.parse::<Oid>().is_err(), "{bad}");
        }
    }
}
