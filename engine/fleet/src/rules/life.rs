//! What a cluster is for, and who manages it.

use super::SHARED_PRODUCTION;
use crate::resolve::Case;
use model::fleet::{ManagementRole, Purpose};

/// Whoever loses such a management cluster loses metal-api with it.
pub(super) fn shared_production(case: &mut Case<'_>) {
    let name = &case.identity.management_cluster;
    let role = case.around.fleet.management_cluster(name.as_str()).map(|m| m.role);
    if role == Some(ManagementRole::Shared) && case.effective.purpose.value == Purpose::Production {
        let message = format!("a production cluster managed by `{name}`, which also runs metal-api");
        case.report
            .error(SHARED_PRODUCTION, "spec.purpose", message)
            .mend("manage it by a cluster of role kclm")
            .warning();
    }
}
