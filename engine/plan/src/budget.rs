//! `limits.freesPerHour` (R16): what deletions may free within an hour without a person's word.

use crate::Said;
use model::{ClusterId, Fleet, ProjectId, Reason};

/// What is left of the hour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FreeBudget<'a> {
    left: u32,
    limit: u32,
    said: &'a Said,
}

impl<'a> FreeBudget<'a> {
    pub(crate) fn new(fleet: &Fleet, said: &'a Said) -> Self {
        let limit = fleet.spec.limits.frees_per_hour;
        Self { left: limit.saturating_sub(said.freed_within_hour), limit, said }
    }

    pub(crate) fn left(&self) -> u32 {
        self.left
    }

    /// Takes one free of a cluster; the refusal's words when nothing is left and nobody acknowledged it.
    pub(crate) fn spend(&mut self, cluster: &ClusterId, project: &ProjectId) -> Result<(), (Reason, String)> {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return Ok(());
        }
        let reason = Reason::BudgetExceeded;
        if self.said.is_acknowledged(reason, cluster) || self.said.is_acknowledged(reason, project) {
            return Ok(());
        }
        let limit = self.limit;
        let message = format!(
            "{limit} resources may be freed within an hour (fleet.yaml, limits.freesPerHour); the rest waits until the \
             hour is over, or for `ferrofleet ack {reason} {cluster}`"
        );
        Err((reason, message))
    }
}
