//! `ferrofleet orphans`: marked resources that no definition and no lock names, and freeing those of one cluster.

use crate::args::{AccessArgs, Format, RepoArgs};
use crate::exit::{Exit, Refused, Usage};
use crate::output::{self, count, plain, styles, table::Table, talk};
use crate::source::Remote;
use crate::words;
use ::plan::Orphan;
use clap::Args;
use model::request::FreeOutcome;
use model::{ProjectId, Slot};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _};

/// Resources that carry this fleet's mark and that no definition and no lock names
///
/// The engine never frees them. --free does, for one cluster, after its name was typed; each is read again just before.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet orphans --repo https://git.example.com/fleet.git\n  \
    ferrofleet orphans --free default.old --repo https://git.example.com/fleet.git\n  \
    ferrofleet orphans --free default.old --confirm default.old --repo https://git.example.com/fleet.git")]
pub(crate) struct OrphansArgs {
    /// Free those of this cluster, <namespace>.<name>
    #[arg(long, value_name = "CLUSTER")]
    free: Option<String>,
    /// The cluster's name once more, in place of typing it on the terminal
    #[arg(long, value_name = "NAME", requires = "free")]
    confirm: Option<String>,
    /// How they are shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    repo: RepoArgs,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    cluster: &'a str,
    slot: &'a Slot,
    id: &'a str,
    project: &'a ProjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

pub(crate) async fn orphans(args: OrphansArgs) -> anyhow::Result<Exit> {
    let mut remote = Remote::with_metal("orphans", &args.repo, &AccessArgs::default())?;
    let plan = remote.engine.plan().await?.plan;
    if plan.incomplete {
        talk::warning("part of metal-api did not answer: there may be more");
    }
    for (project, why) in &plan.suspect {
        talk::warning(&format!("project {project} is suspect, nothing in it counts as an orphan: {why}"));
    }
    let Some(cluster) = &args.free else {
        let shown: Vec<_> = plan.orphans.iter().map(|orphan| Shown::of(orphan, None)).collect();
        output::show(args.output, &shown, || text(&shown))?;
        return Ok(if plan.incomplete { Exit::Failed } else { Exit::Done });
    };
    let meant = of_cluster(&plan.orphans, cluster)?;
    let listed: Vec<_> = meant.iter().map(|orphan| Shown::of(orphan, None)).collect();
    // What the person reads before the name is typed; data is what becomes of them.
    talk::say(text(&listed).trim_end());
    confirmed(cluster, args.confirm.as_deref(), meant.len())?;
    // Those that were shown and no other.
    let ids: Vec<_> = meant.iter().map(|orphan| orphan.id.clone()).collect();
    let freed = remote.engine.free_orphans(cluster, Some(&ids)).await?;
    let shown: Vec<_> = freed.iter().map(|(orphan, outcome)| Shown::of(orphan, Some(outcome))).collect();
    output::show(args.output, &shown, || text(&shown))?;
    let is_gone = |(_, outcome): &(Orphan, FreeOutcome)| matches!(outcome, FreeOutcome::Freed | FreeOutcome::Gone);
    Ok(if freed.len() == ids.len() && freed.iter().all(is_gone) { Exit::Done } else { Exit::Failed })
}

fn of_cluster<'a>(orphans: &'a [Orphan], cluster: &str) -> Result<Vec<&'a Orphan>, Refused> {
    let found: Vec<_> = orphans.iter().filter(|orphan| orphan.cluster == cluster).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let known: BTreeSet<_> = orphans.iter().map(|orphan| orphan.cluster.as_str()).collect();
    let hint = words::hint(cluster, known, "`ferrofleet orphans` lists what there is");
    Err(Refused::new(format!("there are no orphans of a cluster {cluster}"), hint))
}

/// Freeing cannot be taken back: the name is typed, or given a second time.
fn confirmed(cluster: &str, given: Option<&str>, number: usize) -> Result<(), Usage> {
    let typed = match given {
        Some(given) => given.to_owned(),
        None if std::io::stdin().is_terminal() => {
            let what = count(number, "resource");
            talk::say(&format!("This frees {what} for ever. Type {} to go on:", styles::bold(cluster)));
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            read.map_err(|error| Usage::new(format!("nothing was typed: {error}"), "use --confirm NAME"))?;
            line.trim().to_owned()
        }
        None => {
            let what = "freeing cannot be taken back, and nobody is at a terminal to type the cluster's name";
            return Err(Usage::new(what, format!("say --confirm {cluster}")));
        }
    };
    if typed == cluster {
        return Ok(());
    }
    Err(Usage::new(format!("`{typed}` is not {cluster}: nothing was freed"), format!("type {cluster} exactly")))
}

impl<'a> Shown<'a> {
    fn of(orphan: &'a Orphan, outcome: Option<&'a FreeOutcome>) -> Self {
        let Orphan { project, cluster, slot, id, .. } = orphan;
        let (outcome, message) = outcome.map_or((None, ""), |outcome| {
            let (word, message) = said(outcome);
            (Some(word), message)
        });
        Self { cluster, slot, id, project, outcome, message }
    }
}

fn said(outcome: &FreeOutcome) -> (&'static str, &str) {
    match outcome {
        FreeOutcome::Freed => ("freed", ""),
        FreeOutcome::Gone => ("gone", ""),
        FreeOutcome::NotYet { message } => ("not yet", message),
        FreeOutcome::Changed { message } => ("changed", message),
        FreeOutcome::Failed { message } => ("failed", message),
    }
}

fn text(shown: &[Shown<'_>]) -> String {
    if shown.is_empty() {
        return "no orphans\n".to_owned();
    }
    let mut table = Table::new(["CLUSTER", "SLOT", "ID", "PROJECT", "OUTCOME", "MESSAGE"]).elastic("MESSAGE");
    for Shown { cluster, slot, id, project, outcome, message } in shown {
        let slot = slot.to_string();
        let cells = [cluster, slot.as_str(), id, project.as_str(), outcome.unwrap_or_default(), message];
        table.row(cells.map(|cell| plain(cell).replace('\n', " ")));
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orphan(cluster: &str, id: &str) -> Orphan {
        let project = ProjectId::parse("00000000-0000-0000-0000-000000000001").unwrap();
        Orphan { project, cluster: cluster.to_owned(), slot: Slot::Network, id: id.to_owned() }
    }

    #[test]
    fn only_of_exactly_this_cluster_and_only_when_its_name_was_given_again() {
        let all = [orphan("default.old", "a"), orphan("default.older", "b"), orphan("default.old", "c")];
        let ids: Vec<_> = of_cluster(&all, "default.old").unwrap().iter().map(|o| o.id.as_str()).collect();
        assert_eq!(ids, ["a", "c"]);
        let unknown = of_cluster(&all, "default.ol").unwrap_err();
        assert!(unknown.hint().contains("default.old"), "{}", unknown.hint());
        assert!(confirmed("default.old", Some("default.old"), 2).is_ok());
        for wrong in ["", "old", "default.older", "yes"] {
            assert!(confirmed("default.old", Some(wrong), 2).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_became_of_each_is_told() {
        let one = orphan("default.old", "a");
        let waits = FreeOutcome::NotYet { message: "has ips".to_owned() };
        let shown = text(&[Shown::of(&one, Some(&FreeOutcome::Freed)), Shown::of(&one, Some(&waits))]);
        let plain = anstream::adapter::strip_str(&shown).to_string();
        assert!(plain.contains("freed") && plain.contains("not yet  has ips"), "{plain}");
        assert_eq!(text(&[]), "no orphans\n");
    }
}
