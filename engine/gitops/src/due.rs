//! When to look again (design, "The engine's loop"), from what a pass left open. Pure.

use crate::outcome::Due;
use model::Timestamp;
use model::lock::DeletionPhase;
use plan::Deleting;
use std::time::Duration;

/// A firewall that is on its way is looked at this often (R5).
pub(crate) const FIREWALL: Duration = Duration::from_secs(5);

/// What was refused is tried again after this, doubled each time.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// A deletion that waits for something that nobody announces is looked at this often.
pub(crate) const DELETION: Duration = Duration::from_secs(15);

/// After a free metal-api takes a moment to let go of machines and addresses.
const RELEASE: Duration = Duration::from_secs(2);

/// What a pass left open.
#[derive(Debug, Default)]
pub(crate) struct Open {
    /// Somebody else holds the claim, or nothing may be freed under ours yet.
    pub(crate) claim: Option<Duration>,
    /// An allocation may still complete.
    pub(crate) unknown: Option<Duration>,
    /// Something was refused, or is not freed yet.
    pub(crate) retry: Option<Duration>,
    /// A firewall has not phoned home yet.
    pub(crate) firewall: bool,
    /// A firewall was refused beside the one that serves.
    pub(crate) beside: Option<Duration>,
    pub(crate) deletions: Vec<Due>,
}

impl Open {
    pub(crate) fn dues(self) -> Vec<Due> {
        let Self { claim, unknown, retry, firewall, beside, deletions } = self;
        let work = |after| Due { after, is_work: true, for_claim: false, reads_metal: true };
        let mut dues = deletions;
        dues.extend(claim.map(|after| Due { for_claim: true, ..work(after) }));
        dues.extend(unknown.map(work));
        dues.extend(retry.map(work));
        dues.extend(firewall.then(|| Due { is_work: false, ..work(FIREWALL) }));
        dues.extend(beside.map(|after| Due { is_work: false, ..work(after) }));
        dues
    }
}

/// The first of them; of the same time the one that asks for more.
pub(crate) fn soonest(dues: impl IntoIterator<Item = Due>) -> Option<Due> {
    dues.into_iter().reduce(|a, b| {
        let (first, second) = if b.after < a.after { (b, a) } else { (a, b) };
        Due { reads_metal: first.reads_metal || first.after == second.after && second.reads_metal, ..first }
    })
}

/// One deletion, as far as it decides when it is looked at again.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    pub(crate) deleting: &'a Deleting,
    /// What its management cluster shows, where it answered.
    pub(crate) has_cluster: Option<bool>,
    /// This run freed something of it.
    pub(crate) freed: bool,
}

impl Waiting<'_> {
    /// None where a person must act.
    pub(crate) fn due(&self, now: Timestamp) -> Option<Due> {
        let Self { deleting, has_cluster, freed } = self;
        let wait = |after, reads_metal| Due { after, is_work: false, for_claim: false, reads_metal };
        if *freed {
            return Some(Due { is_work: true, ..wait(RELEASE, true) });
        }
        if deleting.refused.is_some() {
            return None;
        }
        // Where something else is waited for too, nobody says when that is over.
        let only_time = deleting.until.filter(|_| deleting.waits.len() <= 1);
        let after = only_time.map_or(DELETION, |until| {
            let left = u64::try_from(until.as_second().saturating_sub(now.as_second())).unwrap_or(0);
            // A second more: the times of commits are whole ones.
            Duration::from_secs(left.saturating_add(1))
        });
        let is_of_metal = match deleting.phase {
            // While the Cluster is there, metal-api has nothing to say.
            Some(DeletionPhase::Confirmed | DeletionPhase::Removing) => *has_cluster != Some(true),
            Some(DeletionPhase::Freeing) | None => true,
        };
        Some(wait(after, is_of_metal))
    }
}

#[cfg(test)]
mod tests;
