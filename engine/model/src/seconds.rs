//! Lengths of time as people write them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length of time in whole seconds, written as `90s`, `40m` or `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(u32);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no length of time, for example `90s`, `40m` or `1h30m`")]
pub struct SecondsError(String);

impl Seconds {
    pub const fn new(seconds: u32) -> Self {
        Self(seconds)
    }

    pub const fn minutes(minutes: u32) -> Self {
        Self(minutes * 60)
    }

    pub const fn get(self) -> u32 {
        self.0
    }

    pub fn parse(text: &str) -> Result<Self, SecondsError> {
        let refused = || SecondsError(text.to_owned());
        let (mut rest, mut total, mut units) = (text, 0_u32, &[('h', 3600), ('m', 60), ('s', 1)][..]);
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number: u32 = rest[..digits].parse().map_err(|_| refused())?;
            let unit = rest[digits..].chars().next().ok_or_else(refused)?;
            let at = units.iter().position(|(name, _)| *name == unit).ok_or_else(refused)?;
            total = number.checked_mul(units[at].1).and_then(|n| total.checked_add(n)).ok_or_else(refused)?;
            units = &units[at + 1..];
            rest = &rest[digits + 1..];
        }
        if text.is_empty() { Err(refused()) } else { Ok(Self(total)) }
    }
}

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(all) = *self;
        let parts = [(all / 3600, 'h'), (all / 60 % 60, 'm'), (all % 60, 's')];
        if all == 0 {
            return f.write_str("0s");
        }
        parts.iter().filter(|(n, _)| *n > 0).try_for_each(|(n, unit)| write!(f, "{n}{unit}"))
    }
}

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&std::borrow::Cow::<str>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Seconds {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A length of time.",
            "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
            "minLength": 2,
            "examples": ["40m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_as_people_write_them() {
        for (text, seconds, shown) in
            [("90s", 90, "1m30s"), ("40m", 2400, "40m"), ("1h30m", 5400, "1h30m"), ("0s", 0, "0s")]
        {
            let parsed = Seconds::parse(text).unwrap();
            assert_eq!((parsed.get(), parsed.to_string().as_str()), (seconds, shown));
        }
        for bad in ["", "5", "m", "1m1h", "1m1m", "-1s", "1d", "99999999h", "1.5h"] {
            assert!(Seconds::parse(bad).is_err(), "{bad}");
        }
    }
}
