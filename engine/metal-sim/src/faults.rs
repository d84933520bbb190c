//! Faults: which calls go wrong, and how.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// One entry of the list; the first that matches a call applies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// None: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// With or without base path; `*` matches any characters, `/` and none included. None: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// None: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Of the generator behind `probability`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// 0 to 1; without it every matching call. A call it spares goes on to the next entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    pub effect: FaultEffect,
}

/// What happens to the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FaultEffect {
    Silent(Silence),
    /// Refused before anything else, in metal-api's error shape.
    Status(StatusFault),
    /// Real milliseconds before the effect. The effect happens even when the caller has gone.
    Delay(DelayFault),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusFault {
    pub status: u16,
    #[serde(default)]
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DelayFault {
    pub delay_ms: u64,
}

/// No answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Silence {
    /// The connection is closed, nothing happened.
    DropBefore,
    /// It happened, the connection is closed instead of an answer.
    DropAfter,
    /// Nothing happens, the connection stays open.
    Hang,
    /// It happens, the connection stays open.
    HangAfter,
}

impl Default for FaultEffect {
    fn default() -> Self {
        Self::Status(StatusFault { status: 500, message: String::new() })
    }
}

impl From<Silence> for FaultEffect {
    fn from(silence: Silence) -> Self {
        Self::Silent(silence)
    }
}

/// A whole list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultList(pub Vec<Fault>);

impl From<Vec<Fault>> for FaultList {
    fn from(faults: Vec<Fault>) -> Self {
        Self(faults)
    }
}

impl From<serde_json::Value> for FaultList {
    /// # Panics
    /// When the JSON is no list of faults: it is a literal of a test.
    #[track_caller]
    fn from(faults: serde_json::Value) -> Self {
        match serde_json::from_value(faults) {
            Ok(faults) => Self(faults),
            Err(error) => panic!("not a list of faults: {error}"),
        }
    }
}

impl Fault {
    /// `effect` for calls of a method and path; either may be narrowed to `times`.
    pub fn new(method: &str, path: &str, effect: impl Into<FaultEffect>) -> Self {
        Self { method: Some(method.to_owned()), path: Some(path.to_owned()), effect: effect.into(), ..Self::default() }
    }

    /// The same, only so many times.
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }
}

impl FaultEffect {
    pub fn status(status: u16, message: &str) -> Self {
        Self::Status(StatusFault { status, message: message.to_owned() })
    }

    pub fn delay_ms(delay_ms: u64) -> Self {
        Self::Delay(DelayFault { delay_ms })
    }
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Vec<(Fault, Rng)>,
}

impl Faults {
    pub(crate) fn set(&mut self, list: Vec<Fault>) {
        self.list = list.into_iter().map(|fault| (fault.clone(), Rng::with_seed(fault.seed.unwrap_or(0)))).collect();
    }

    /// With what is left of `times`.
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.list.iter().map(|(fault, _)| fault.clone()).collect()
    }

    /// The effect on a call, counted.
    pub(crate) fn strike(&mut self, method: &str, path: &str) -> Option<FaultEffect> {
        let (fault, _) =
            self.list.iter_mut().find_map(|(fault, rng)| applies(fault, rng, method, path).then_some((fault, rng)))?;
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        Some(fault.effect.clone())
    }
}

fn applies(fault: &Fault, rng: &mut Rng, method: &str, path: &str) -> bool {
    let below = path.strip_prefix("/metal").unwrap_or(path);
    fault.times != Some(0)
        && fault.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
        && fault.path.as_ref().is_none_or(|pattern| matches(pattern, path) || matches(pattern, below))
        && fault.probability.is_none_or(|probability| rng.f64() < probability)
}

/// `*` matches any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_characters() {
        let yes = [("*", "/v1/ip"), ("/v1/ip", "/v1/ip"), ("/v1/*", "/v1/"), ("*/allocate", "/metal/v1/ip/allocate")];
        let no =
            [("/v1/ip", "/v1/ip/find"), ("*/allocate", "/v1/ip/allocate/1.2.3.4"), ("/v1/*/free", "/v1/ip/free/x")];
        assert!(yes.iter().all(|(pattern, path)| matches(pattern, path)));
        assert!(no.iter().all(|(pattern, path)| !matches(pattern, path)));
        assert!(matches("/v1/*/m*/free", "/v1/a/machine/x/free") && !matches("a*a", "a"));
    }

    #[test]
    fn the_first_match_wins_and_is_counted() {
        let mut faults = Faults::default();
        faults.set(vec![
            Fault::new("POST", "/v1/ip/*", FaultEffect::status(500, "x")).times(1),
            Fault { effect: Silence::Hang.into(), ..Fault::default() },
        ]);
        assert_eq!(faults.strike("POST", "/metal/v1/ip/find"), Some(FaultEffect::status(500, "x")));
        assert_eq!(faults.strike("POST", "/metal/v1/ip/find"), Some(Silence::Hang.into()));
        assert_eq!(faults.list()[0].times, Some(0));
    }

    #[test]
    fn a_seed_makes_chance_repeatable() {
        let run = |seed| {
            let mut faults = Faults::default();
            let fault = Fault { probability: Some(0.5), seed: Some(seed), ..Fault::default() };
            faults.set(vec![fault]);
            (0..64).map(|_| faults.strike("GET", "/v1/ip").is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!(run(7).contains(&true) && run(7).contains(&false));
    }

    #[test]
    fn effects_read_as_the_design_writes_them() {
        let read = |json: &str| serde_json::from_str::<Fault>(json).map(|fault| fault.effect).ok();
        assert_eq!(read(r#"{"effect": {"status": 500, "message": "m"}}"#), Some(FaultEffect::status(500, "m")));
        assert_eq!(read(r#"{"effect": {"delayMs": 20}}"#), Some(FaultEffect::delay_ms(20)));
        assert_eq!(read(r#"{"effect": "dropAfter", "times": 1}"#), Some(Silence::DropAfter.into()));
        assert_eq!(read(r#"{"effect": "explode"}"#), None);
        assert_eq!(read(r#"{"pfad": "x", "effect": "hang"}"#), None);
    }
}
