//! Times as Go writes them: RFC 3339, 0 to 9 digits of fraction, any offset, year 1 for "never".

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time; `None` is Go's zero time, `0001-01-01T00:00:00Z` on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Option<Timestamp>);

impl Time {
    const ZERO: &'static str = "0001-01-01T00:00:00Z";
}

impl From<Timestamp> for Time {
    fn from(timestamp: Timestamp) -> Self {
        Self(Some(timestamp))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(timestamp) => serializer.collect_str(timestamp),
            None => serializer.serialize_str(Self::ZERO),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        if text.is_empty() || text.starts_with("0001-01-01T00:00:00") {
            return Ok(Self(None));
        }
        text.parse().map(|t| Self(Some(t))).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_writes() {
        let read = |json: &str| serde_json::from_str::<Time>(json).unwrap().0.map(|t| t.to_string());
        assert_eq!(read(r#""0001-01-01T00:00:00Z""#), None);
        assert_eq!(read("null"), None);
        assert_eq!(read(r#""2026-02-28T14:30:45+02:00""#).as_deref(), Some("2026-02-28T12:30:45Z"));
        assert_eq!(read(r#""2026-02-28T14:30:45.123456789Z""#).as_deref(), Some("2026-02-28T14:30:45.123456789Z"));
        assert!(serde_json::from_str::<Time>(r#""yesterday""#).is_err());
    }

    #[test]
    fn never_is_year_one() {
        assert_eq!(serde_json::to_string(&Time::default()).unwrap(), r#""0001-01-01T00:00:00Z""#);
        let time = Time(Some("2026-02-28T14:30:45.5Z".parse().unwrap()));
        assert_eq!(serde_json::to_string(&time).unwrap(), r#""2026-02-28T14:30:45.5Z""#);
    }
}
