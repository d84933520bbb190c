//! From facts to findings: pure, one module per subject.

mod cluster_api;
mod clusters;
mod kinds;
mod metal;
mod one_provider;
mod server;

use super::facts::{Facts, Unread};
use serde::Serialize;
use std::fmt;

pub(super) use cluster_api::KINDS as CLUSTER_API_KINDS;
pub(super) use kinds::policy_name;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    pub(super) check: &'static str,
    /// Which of several: a kind, a cluster, a Deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) about: Option<String>,
    pub(super) state: State,
    pub(super) why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mend: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum State {
    Ok,
    /// The provider works, but not as one would expect.
    Warning,
    /// The provider, or a cluster, does not work.
    Failed,
    /// Nothing is known about it.
    Skipped,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        })
    }
}

impl Check {
    fn new(check: &'static str, state: State, why: impl Into<String>, mend: Option<String>) -> Self {
        Self { check, about: None, state, why: why.into(), mend }
    }

    pub(super) fn ok(check: &'static str, why: impl Into<String>) -> Self {
        Self::new(check, State::Ok, why, None)
    }

    pub(super) fn warning(check: &'static str, why: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(check, State::Warning, why, Some(mend.into()))
    }

    fn failed(check: &'static str, why: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(check, State::Failed, why, Some(mend.into()))
    }

    fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Self::new(check, State::Skipped, why, None)
    }

    /// What could not be read: a user who may not is no fault of the cluster, everything else may hide one.
    fn unread(check: &'static str, what: &str, unread: &Unread) -> Self {
        let why = format!("{what} cannot be read: {}", unread.why);
        if unread.forbidden {
            let mend = "run doctor as a user who may, or with the kubeconfig of the provider";
            Self { mend: Some(mend.to_owned()), ..Self::skipped(check, why) }
        } else {
            Self::failed(check, why, "see to the API server, then run doctor again")
        }
    }

    pub(super) fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }
}

/// All checks, in the order in which one would mend.
pub(super) fn examine(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![server::check(facts)];
    match &facts.plane {
        Some(plane) => {
            checks.extend(cluster_api::checks(plane));
            checks.extend(kinds::checks(plane));
            checks.extend(one_provider::checks(plane, facts.now));
        }
        None => {
            let names = [cluster_api::NAMES.as_slice(), &kinds::NAMES, &one_provider::NAMES].concat();
            checks.extend(names.into_iter().map(|name| Check::skipped(name, "the API server does not answer")));
        }
    }
    checks.extend(metal::checks(facts));
    match &facts.plane {
        Some(plane) => checks.extend(clusters::checks(plane, &facts.metals)),
        None => checks.push(Check::skipped(clusters::NAME, "the API server does not answer")),
    }
    checks
}

/// `a, b and 2 more`
fn some(names: &[String]) -> String {
    const SHOWN_MAX: usize = 4;
    match names.len() {
        ..=SHOWN_MAX => names.join(", "),
        many => format!("{} and {} more", names[..SHOWN_MAX].join(", "), many - SHOWN_MAX),
    }
}

#[cfg(test)]
mod tests;
