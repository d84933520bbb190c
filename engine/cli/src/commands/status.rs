//! `ferrofleet status`: where clusters stand, and what to do where they do not go on.

use crate::args::{AccessArgs, Format, RepoArgs};
use crate::exit::{Exit, Usage};
use crate::output::status::{self, ClusterStatus, FleetStatus};
use crate::output::{self, talk, width};
use crate::source;
use crate::words;
use clap::Args;
use std::path::PathBuf;

/// Where every cluster stands: a table; or one of them with its conditions, what they mean and what to do
///
/// What Git says, with what metal-api has of it. Without a configured metal-api it is what Git says alone.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet status --repo https://git.example.com/fleet.git\n  \
    ferrofleet status shop --repo https://git.example.com/fleet.git\n  \
    ferrofleet status --dir platform -o json")]
pub(crate) struct StatusArgs {
    /// Only this cluster, with everything: its name, or <namespace>.<name>
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,
    /// A work tree of a fleet repository, in place of --repo [default: the folder here]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How it is shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    repo: RepoArgs,
    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) async fn status(args: StatusArgs) -> anyhow::Result<Exit> {
    let standing = source::standing(args.dir.as_deref(), &args.repo, &args.access).await?;
    let fleet = FleetStatus::new(&standing);
    beside(&fleet);
    match &args.cluster {
        Some(name) => {
            let one = chosen(&fleet.clusters, name)?;
            output::show(args.output, one, || status::tree(one))?;
        }
        None => output::show(args.output, &fleet, || text(&fleet))?,
    }
    Ok(if fleet.incomplete { Exit::Failed } else { Exit::Done })
}

/// What is no data.
fn beside(fleet: &FleetStatus) {
    if !fleet.metal {
        talk::warning("no metal-api is configured: this is what Git says, and metal-api may have something else");
    }
    if fleet.incomplete {
        talk::warning("part of metal-api did not answer: what it has may have changed");
    }
    fleet.suspect.iter().for_each(|line| talk::warning(line));
}

fn text(fleet: &FleetStatus) -> String {
    if fleet.clusters.is_empty() {
        return "no cluster is defined\n".to_owned();
    }
    let table = fleet.table();
    if let Some(left_out) = width().map(|width| table.left_out(width)).filter(|names| !names.is_empty()) {
        talk::note(&format!("this terminal is too narrow for {}", left_out.join(", ")));
    }
    let problems = fleet.problems();
    let gap = if problems.is_empty() { "" } else { "\n" };
    format!("{}{gap}{problems}", table.text())
}

fn chosen<'a>(clusters: &'a [ClusterStatus], name: &str) -> Result<&'a ClusterStatus, Usage> {
    let named = |status: &&ClusterStatus| status.cluster.to_string() == name || status.cluster.name().as_str() == name;
    let found: Vec<_> = clusters.iter().filter(named).collect();
    let ids: Vec<_> = clusters.iter().map(|status| status.cluster.to_string()).collect();
    match &found[..] {
        [only] => Ok(only),
        [] => {
            let hint = words::hint(name, ids.iter().map(String::as_str), "`ferrofleet status` lists all");
            Err(Usage::new(format!("there is no cluster {name}"), hint))
        }
        several => {
            let same: Vec<_> = several.iter().map(|status| status.cluster.to_string()).collect();
            Err(Usage::new(format!("several clusters are named {name}"), format!("take one of {}", same.join(", "))))
        }
    }
}
