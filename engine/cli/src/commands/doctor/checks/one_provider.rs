//! Whether the provider would be the only one, and may do what it does.

use super::cluster_api::scale;
use super::{Check, some};
use crate::commands::doctor::facts::{Lease, Plane, Right};
use crate::commands::doctor::managers::Role;
use model::Timestamp;
use provider::names::LEASE;

const ONE_NAME: &str = "one-provider";
const RIGHTS_NAME: &str = "rights";
pub(super) const NAMES: [&str; 2] = [ONE_NAME, RIGHTS_NAME];

/// The provider says so of itself in a lease: its pod's name, or this.
const OURS: &str = "ferrofleet";
/// A holder that was not heard of for longer is gone; clocks differ by less.
const HELD_SECONDS: i64 = 120;

pub(super) fn checks(plane: &Plane, now: Timestamp) -> Vec<Check> {
    let mut checks = others(plane, now);
    if checks.is_empty() {
        checks.push(Check::ok(ONE_NAME, "no other provider runs"));
    }
    checks.push(rights(plane));
    checks
}

/// CAPMS's Deployments that run, and holders of its lease.
fn others(plane: &Plane, now: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    match &plane.managers {
        Ok(managers) => {
            let running = managers.iter().filter(|manager| manager.role == Role::Capms && manager.replicas > 0);
            checks.extend(running.map(|capms| {
                let why = format!("Deployment {} of CAPMS runs: two providers would act at once", capms.id());
                Check::warning(ONE_NAME, why, format!("{}, before the provider is started", scale(capms, 0)))
            }));
        }
        Err(unread) => checks.push(Check::unread(ONE_NAME, "Deployments", unread)),
    }
    match &plane.leases {
        Ok(leases) => checks.extend(leases.iter().filter_map(|lease| held(lease, now))),
        Err(unread) => checks.push(Check::unread(ONE_NAME, "Leases", unread)),
    }
    checks
}

fn held(lease: &Lease, now: Timestamp) -> Option<Check> {
    let Lease { namespace, holder, renewed } = lease;
    let age = now.as_second() - renewed.as_ref()?.as_second();
    let is_other = !holder.is_empty() && !holder.contains(OURS) && age < HELD_SECONDS;
    is_other.then(|| {
        let name = LEASE;
        let why = format!(
            "{holder} holds the Lease {namespace}/{name} since its last word {} s ago: two providers would act at once",
            age.max(0)
        );
        Check::warning(ONE_NAME, why, "stop it, or start the provider with --leader-elect in the same namespace")
    })
}

fn rights(plane: &Plane) -> Check {
    match &plane.denied {
        Err(unread) => Check::unread(RIGHTS_NAME, "what this user may", unread),
        Ok(denied) if denied.is_empty() => Check::ok(RIGHTS_NAME, "this user may do what the provider does"),
        Ok(denied) => {
            let named = |right: &Right| {
                let Right { group, resource, verb } = right;
                if group.is_empty() { format!("{verb} {resource}") } else { format!("{verb} {resource}.{group}") }
            };
            let denied: Vec<_> = denied.iter().map(named).collect();
            let why = format!("this user may not {}, which the provider does", some(&denied));
            Check::failed(RIGHTS_NAME, why, "grant it, or run doctor with the kubeconfig of the provider")
        }
    }
}
