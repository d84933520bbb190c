//! What may be wrong with a machine.

use super::{Answer, Ctx, Reply, find};
use crate::{refusal::Refusal, world::MachineRow};
use metal_api::wire::{MachineIssue, MachineIssues, MachineIssuesRequest};

/// A kind of issue, and when a machine has it.
pub(super) struct Issue {
    id: &'static str,
    description: &'static str,
    severity: Severity,
    holds: fn(&MachineRow) -> bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Minor,
    Major,
    Critical,
}

impl Severity {
    const ALL: [Self; 3] = [Self::Minor, Self::Major, Self::Critical];

    fn as_str(self) -> &'static str {
        match self {
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

const ISSUES: [Issue; 5] = [
    Issue {
        id: "liveliness-dead",
        description: "the machine is not sending events anymore",
        severity: Severity::Major,
        holds: |row| row.wire.liveliness == "Dead",
    },
    Issue {
        id: "liveliness-unknown",
        description: "the machine is not sending LLDP alive messages anymore",
        severity: Severity::Major,
        holds: |row| row.wire.liveliness == "Unknown",
    },
    Issue {
        id: "failed-machine-reclaim",
        description: "machine phones home but not allocated",
        severity: Severity::Critical,
        holds: |row| row.wire.events.failed_machine_reclaim,
    },
    Issue {
        id: "crash-loop",
        description: "machine is in a provisioning crash loop (⭕)",
        severity: Severity::Major,
        holds: |row| row.wire.events.crash_loop,
    },
    Issue {
        id: "last-event-error",
        description: "the machine had an error during the provisioning lifecycle",
        severity: Severity::Minor,
        holds: |row| row.wire.events.last_error_event.is_some(),
    },
];

pub(super) fn of(row: &MachineRow) -> impl Iterator<Item = &'static Issue> + '_ {
    ISSUES.iter().filter(|issue| (issue.holds)(row))
}

pub(super) fn list(ctx: &mut Ctx<'_>) -> Answer {
    let issue = |issue: &Issue| MachineIssue {
        id: issue.id.into(),
        description: issue.description.into(),
        severity: issue.severity.as_str().into(),
        ref_url: format!("https://docs.metal-stack.io/stable/installation/troubleshoot/#{}", issue.id),
        details: String::new(),
    };
    ctx.shuffled(ISSUES.iter().map(issue).collect())
}

pub(super) fn evaluate(ctx: &mut Ctx<'_>) -> Answer {
    let request: MachineIssuesRequest = ctx.body()?;
    let severity = match request.severity.as_deref().filter(|severity| !severity.is_empty()) {
        Some(asked) => {
            let known = Severity::ALL.into_iter().find(|severity| severity.as_str() == asked);
            known.ok_or_else(|| Refusal::bad_request(format!("unknown issue severity: {asked}")))?
        }
        None => Severity::Minor,
    };
    let only = request.only.unwrap_or_default();
    let omit = request.omit.unwrap_or_default();
    let wanted = |issue: &&Issue| {
        let id = issue.id.to_owned();
        issue.severity >= severity && (only.is_empty() || only.contains(&id)) && !omit.contains(&id)
    };
    let ids = find::machines(ctx.world, &request.find.unwrap_or_default(), None);
    let rows = ids.iter().filter_map(|id| ctx.world.machines.get(id));
    let found = rows.map(|row| MachineIssues {
        machineid: row.wire.id.clone(),
        issues: of(row).filter(wanted).map(|issue| issue.id.to_owned()).collect(),
    });
    let found: Vec<MachineIssues> = found.filter(|found| !found.issues.is_empty()).collect();
    match found.is_empty() {
        // Go's nil slice.
        true => Reply::ok(&()),
        false => ctx.shuffled(found),
    }
}
