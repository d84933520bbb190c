//! What a firewall's state means.

use super::observed::{Observed, Project};
use crate::api::ConditionStatus;
use crate::conditions::{Conditions, since};
use crate::reason::{ConditionType, Reason};
use crate::step::{Rest, passed};
use model::Timestamp;
use model::metal::Machine;
use std::time::Duration;

/// The longest that an installation takes.
const INSTALLED_BY: Duration = Duration::from_secs(45 * 60);

/// How a firewall does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    /// It never phoned home so far.
    OnItsWay,
    /// It has not phoned home since it was installed again, or never did and should have.
    NotReady,
    CrashLoop,
    NotAlive,
}

impl Health {
    pub(super) fn of(observed: &Observed, firewall: &Machine, now: Timestamp) -> Self {
        match firewall {
            _ if firewall.crash_loop => Self::CrashLoop,
            // A server that is installed is not always heard of.
            _ if is_on_its_way(firewall, now) && !observed.was_ready() => Self::OnItsWay,
            _ if !firewall.alive => Self::NotAlive,
            _ if !firewall.phoned_home => Self::NotReady,
            _ => Self::Good,
        }
    }

    pub(super) fn is_dead(self) -> bool {
        matches!(self, Self::CrashLoop | Self::NotAlive)
    }

    /// How soon it may be another.
    pub(super) fn rest(self) -> Rest {
        match self {
            Self::OnItsWay => Rest::Soon,
            Self::Good | Self::NotReady | Self::CrashLoop | Self::NotAlive => Rest::Interval,
        }
    }

    /// Unknown while it is on its way: False is what the time until a replacement is counted from.
    pub(super) fn say(self, conditions: &mut Conditions, firewall: &Machine) {
        let (of, id) = (ConditionType::FirewallHealthy, &firewall.id);
        match self {
            Self::Good => conditions.is(of, Reason::Healthy, format!("Firewall {id} is alive.")),
            Self::OnItsWay => conditions.is_unknown(
                of,
                Reason::WaitingForPhoneHome,
                format!("Firewall {id} is being installed and has not phoned home yet."),
            ),
            Self::NotReady => conditions.is_not(
                of,
                Reason::FirewallNotReady,
                format!(
                    "Firewall {id} has not phoned home since it was installed; nothing passes until it has. Look at its \
                     console when that lasts: metalctl machine console {id}."
                ),
            ),
            Self::CrashLoop => conditions.is_not(
                of,
                Reason::CrashLoop,
                format!("Firewall {id} is in a crash loop; look at its console: metalctl machine console {id}."),
            ),
            Self::NotAlive => conditions.is_not(
                of,
                Reason::NotAlive,
                format!("Firewall {id} is not alive; look at it: metalctl machine describe {id}."),
            ),
        }
    }

    /// Whether it has been dead for so long that another one is due (R4): by the object, which outlives this process,
    /// and by what this process saw, which no pause or downtime counts for.
    pub(super) fn is_dead_for_long(self, observed: &Observed, project: &Project, now: Timestamp) -> bool {
        let unhealthy = since(observed.existing(), ConditionType::FirewallHealthy, ConditionStatus::False);
        let is_long = |since| passed(since, now, observed.terms.health_timeout);
        self.is_dead() && unhealthy.is_some_and(is_long) && project.dead_since.is_some_and(is_long)
    }
}

/// Whether it is worth a look every few seconds. Without a time of its allocation it may be.
pub(super) fn is_on_its_way(firewall: &Machine, now: Timestamp) -> bool {
    !firewall.phoned_home && !firewall.created.is_some_and(|created| passed(created, now, INSTALLED_BY))
}
