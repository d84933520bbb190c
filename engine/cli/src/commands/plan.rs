//! `ferrofleet plan`: what a run would do, and nothing of it done.

use crate::args::{AccessArgs, Format, RepoArgs};
use crate::exit::Exit;
use crate::output::plan::{self as shown, Report, View};
use crate::output::{self, findings, talk};
use crate::source;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What a run would do; nothing is written. Exits 2 when changes are pending
///
/// Per cluster what is allocated, freed or refused and why; for every machine whether it stays, changes in place or is
/// replaced; whether enough machines are free; what deletions wait for; and which files change. A plan made while part
/// of metal-api does not answer says so first and exits 1.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet plan\n  \
    ferrofleet plan --diff\n  \
    ferrofleet plan --repo https://git.example.com/fleet.git --branch main -o json\n  \
    ferrofleet plan --repo https://git.example.com/fleet.git -o markdown > comment.md")]
pub(crate) struct PlanArgs {
    /// A work tree of a fleet repository, in place of --repo
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Also the lines that change
    #[arg(long)]
    diff: bool,
    /// How the plan is shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: PlanFormat,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    repo: RepoArgs,
    #[command(flatten)]
    access: AccessArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum PlanFormat {
    /// For people
    #[default]
    Text,
    Json,
    Yaml,
    /// For a comment on a pull request
    Markdown,
}

pub(crate) async fn plan(args: PlanArgs) -> anyhow::Result<Exit> {
    let report = source::plan(args.dir.as_deref(), &args.repo, &args.access).await?;
    if args.output == PlanFormat::Text {
        said_beside(&report);
    }
    let as_data = |format| output::show(format, &View::new(&report, args.diff), String::new);
    match args.output {
        PlanFormat::Text => output::data(&shown::text(&report, args.diff))?,
        PlanFormat::Json => as_data(Format::Json)?,
        PlanFormat::Yaml => as_data(Format::Yaml)?,
        PlanFormat::Markdown => output::data(&shown::markdown(&report, args.diff))?,
    }
    Ok(report.exit())
}

/// What is no data of the plan.
fn said_beside(report: &Report) {
    if !report.findings.is_empty() {
        talk::say(findings::text(&report.findings).trim_end());
        talk::say("");
    }
    for unknown in &report.unknown {
        talk::warning(unknown);
    }
}
