//! The pages of words that findings and conditions use.

use super::markdown::{GENERATED, cell};
use model::condition::{Reason, ReasonKind};

/// Every reason of a condition, by what happens next.
pub(crate) fn conditions() -> String {
    let mut out = format!(
        "{GENERATED}# Conditions\n\n\
         A lock has the conditions that change with its content. `Resolved` says whether every slot of the cluster is\n\
         known, `Rendered` whether the output is what definition and lock say. `plan`, `run` and the metrics name the same\n\
         reasons.\n"
    );
    let kinds = [
        (ReasonKind::Stalled, "Stalled", "A person must act. `run --once` exits 1."),
        (ReasonKind::Waiting, "Waiting", "Time or hardware will tell; the engine looks again by itself."),
        (ReasonKind::Intended, "Intended", "A person wanted it so, or knows of it; `run --once` does not fail by it."),
        (ReasonKind::Good, "Good", "Nothing is left to do."),
    ];
    let mut shown = 0;
    for (kind, title, text) in kinds {
        out += &format!("\n## {title}\n\n{text}\n\n| reason | meaning |\n|---|---|\n");
        for reason in Reason::ALL.iter().filter(|reason| reason.kind() == kind) {
            out += &format!("| `{reason}` | {} |\n", cell(reason.doc()));
            shown += 1;
        }
    }
    assert_eq!(shown, Reason::ALL.len(), "a kind of reasons has no section");
    out
}

/// Every reason of the provider's conditions, each with an anchor: the runbook.
pub(crate) fn provider() -> String {
    let mut out = format!(
        "{GENERATED}# The provider's conditions\n\n\
         `kubectl describe` shows them on MetalStackClusters, MetalStackMachines and MetalStackFirewallDeployments, and an\n\
         Event for each transition. `Ready` repeats the first that is not well. Programs compare reasons; they stay.\n"
    );
    for reason in provider::Reason::ALL {
        let provider::Entry { meaning, mend } = reason.entry();
        out += &format!("\n## {reason}\n\n{meaning}\n");
        if !mend.is_empty() {
            out += &format!("\n{mend}\n");
        }
    }
    out
}

/// What a change of each field of a definition does.
pub(crate) fn changes() -> String {
    let mut out = format!(
        "{GENERATED}# Changing a field\n\n\
         What a change of a [ClusterDefinition](clusterdefinition.md) does to a cluster that has a complete lock. What replaces\n\
         machines or the firewall is done only where `rollout.allowReplacement` is `always`; what is immutable is refused with\n\
         `Immutable`. A policy, an overlay, a stage or the fleet that changes the value changes it all the same.\n\
         [Change a cluster](../src/guides/changing-a-cluster.md) has the steps.\n\n\
         | field | a change | what else |\n|---|---|---|\n"
    );
    for fleet::Change { field, mutability, says } in fleet::CHANGES {
        out += &format!("| `{field}` | {mutability} | {} |\n", cell(says));
    }
    out
}

/// Every rule that a finding can name.
pub(crate) fn rules() -> String {
    let mut out = format!(
        "{GENERATED}# Rules\n\n\
         What must hold. A finding names its rule by the id; ids stay, so filters can use them. `ferrofleet validate` shows\n\
         all findings of a work tree.\n\n| rule | what must hold |\n|---|---|\n"
    );
    for rule in fleet::rules::ALL {
        out += &format!("| `{}` | {} |\n", rule.id, cell(rule.says));
    }
    out
}
