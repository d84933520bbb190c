//! What a cluster is for, who manages it, and how it ends.

use super::{CONFIRM, SHARED_PRODUCTION};
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

/// I9: a deletion that names another cluster was copied from it, and one that is protected was not meant.
pub(super) fn confirmed(case: &mut Case<'_>) {
    const FIELD: &str = "spec.deletion.confirm";
    let deletion = &case.definition.spec.deletion;
    let Some(confirm) = &deletion.confirm else { return };
    let name = &case.identity.name;
    if confirm != name.as_str() {
        let message = format!("this confirms the deletion of `{confirm}`, and the cluster is called `{name}`");
        case.report.error(CONFIRM, FIELD, message).mend(format!("remove it; write `{name}` to delete this cluster"));
    } else if deletion.protect == Some(true) {
        let message = "this confirms a deletion that spec.deletion.protect refuses";
        case.report
            .error(CONFIRM, FIELD, message)
            .mend("remove it; to delete the cluster, remove `protect` in a commit before");
    }
}
