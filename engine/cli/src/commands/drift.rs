//! `ferrofleet drift`: what is not as the engine committed it.

use crate::args::{AccessArgs, Format, RepoArgs};
use crate::exit::Exit;
use crate::output::plan::words;
use crate::output::{self, count, plain, styles};
use crate::source::Remote;
use ::plan::{Loss, Plan, PlanView};
use clap::Args;
use model::{ClusterId, Slot};
use serde::Serialize;
use std::fmt::Write as _;

/// What is not as the engine committed it: lost values, duplicates, orphans, engine-owned files that people changed
///
/// Nothing is written. Exits 2 when there is any drift, 1 when part of metal-api did not answer.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet drift --repo https://git.example.com/fleet.git\n  \
    ferrofleet drift --repo https://git.example.com/fleet.git -o json")]
pub(crate) struct DriftArgs {
    /// How it is shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    repo: RepoArgs,
    #[command(flatten)]
    access: AccessArgs,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Drift {
    incomplete: bool,
    losses: Vec<LossView>,
    duplicates: Vec<String>,
    orphans: Vec<String>,
    suspect: Vec<String>,
    /// Engine-owned files that a person changed; the next run puts them right.
    changed_files: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LossView {
    cluster: ClusterId,
    slot: Slot,
    id: String,
    /// False after one reading: nothing is concluded from it (R15).
    concluded: bool,
    what: String,
}

pub(crate) async fn drift(args: DriftArgs) -> anyhow::Result<Exit> {
    let mut remote = Remote::with_metal("drift", &args.repo, &args.access)?;
    let planned = remote.engine.plan().await?;
    let drift = Drift::new(&planned.plan, planned.put_right);
    output::show(args.output, &drift, || drift.text())?;
    Ok(drift.exit())
}

impl Drift {
    fn new(plan: &Plan, changed_files: Vec<String>) -> Self {
        let PlanView { incomplete, mut frees, duplicates, orphans, suspect, .. } = plan.view();
        // What a deletion or a replacement frees is no drift.
        let is_duplicate = |free: &model::request::Free| match free.why {
            model::request::FreeReason::Duplicate { .. } => true,
            model::request::FreeReason::Replaced { .. }
            | model::request::FreeReason::Unwanted
            | model::request::FreeReason::Leftover
            | model::request::FreeReason::Deletion
            | model::request::FreeReason::Orphan => false,
        };
        let mut duplicate = plan.frees.iter().map(is_duplicate);
        frees.retain(|_| duplicate.next().unwrap_or_default());
        let losses = plan.losses.iter().map(LossView::of).collect();
        let duplicates = frees.into_iter().chain(duplicates).collect();
        Self { incomplete, losses, duplicates, orphans, suspect, changed_files }
    }

    fn exit(&self) -> Exit {
        if self.incomplete {
            return Exit::Failed;
        }
        if self.total() == 0 { Exit::Done } else { Exit::Pending }
    }

    fn total(&self) -> usize {
        let Self { incomplete: _, losses, duplicates, orphans, suspect, changed_files } = self;
        losses.len() + duplicates.len() + orphans.len() + suspect.len() + changed_files.len()
    }

    fn text(&self) -> String {
        let Self { incomplete, losses, duplicates, orphans, suspect, changed_files } = self;
        let mut out = String::new();
        let mut section = |name: String, lines: &[String]| {
            for line in lines {
                let _ = writeln!(out, "{name} {}", plain(line));
            }
        };
        section(styles::bad("suspect"), suspect);
        for LossView { what, concluded, .. } in losses {
            let name = if *concluded { styles::bad("lost") } else { styles::warn("missing") };
            section(name, std::slice::from_ref(what));
        }
        section(styles::warn("duplicate"), duplicates);
        section(styles::warn("orphan"), orphans);
        section(styles::accent("changed"), changed_files);
        let mut parts = match self.total() {
            0 => vec!["none".to_owned()],
            _ => vec![
                format!("{} lost or missing", losses.len()),
                count(duplicates.len(), "duplicate"),
                count(orphans.len(), "orphan"),
                format!("{} changed", count(changed_files.len(), "file")),
            ],
        };
        if *incomplete {
            parts.push(styles::bad("incomplete: part of metal-api did not answer"));
        }
        let _ = writeln!(out, "{} {}", styles::bold("Drift:"), parts.join(", "));
        out
    }
}

impl LossView {
    fn of(loss: &Loss) -> Self {
        let Loss { cluster, slot, id, .. } = loss;
        let concluded = loss.is_concluded();
        Self { cluster: cluster.clone(), slot: slot.clone(), id: id.clone(), concluded, what: words::loss(loss) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::plan::LossKind;
    use model::request::{Free, FreeReason, Target};
    use model::{NetworkId, ProjectId};

    fn plan() -> Plan {
        let cluster: ClusterId = "default.shop".parse().unwrap();
        let project = ProjectId::parse("00000000-0000-0000-0000-000000000001").unwrap();
        let free = |id: &str, why| Free {
            cluster: cluster.clone(),
            slot: Slot::Network,
            project: project.clone(),
            target: Target::Network(NetworkId::parse(id).unwrap()),
            why,
        };
        let loss = |kind| Loss {
            cluster: cluster.clone(),
            project: project.clone(),
            slot: Slot::Vip,
            id: "198.18.0.1".to_owned(),
            kind,
        };
        Plan {
            frees: vec![
                free("of-deletion", FreeReason::Deletion),
                free("twin", FreeReason::Duplicate { of: "first".to_owned() }),
            ],
            losses: vec![loss(LossKind::Missing), loss(LossKind::Gone)],
            ..Plan::default()
        }
    }

    #[test]
    fn what_a_deletion_frees_is_no_drift() {
        let drift = Drift::new(&plan(), vec!["rendered/mgmt-muc/default/shop/pools.yaml".to_owned()]);
        assert_eq!((drift.exit(), drift.total()), (Exit::Pending, 4));
        insta::assert_snapshot!("drift", anstream::adapter::strip_str(&drift.text()).to_string());
        let none = Drift::new(&Plan::default(), Vec::new());
        assert_eq!((none.exit(), none.text().contains("none")), (Exit::Done, true));
        let incomplete = Drift { incomplete: true, ..none };
        assert_eq!(incomplete.exit(), Exit::Failed);
    }
}
