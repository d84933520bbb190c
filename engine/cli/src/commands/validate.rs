//! `ferrofleet validate`: every finding of every document of a work tree, offline.

use crate::exit::Exit;
use crate::output::findings::{self, Counts};
use crate::output::{self, count, styles};
use crate::source::Fleet;
use crate::wiring::{MetalSettings, SystemClock};
use crate::{args::Format, worktree};
use clap::{Args, ValueEnum};
use model::{Clock as _, Finding};
use serde::Serialize;
use std::path::PathBuf;

/// Check the documents of a fleet repository; offline unless --metal is given
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet validate\n  \
    ferrofleet validate platform --metal\n  \
    ferrofleet validate -o github")]
pub(crate) struct ValidateArgs {
    /// A work tree of a fleet repository
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Also what metal-api knows: partitions, images, announceable ranges (METAL_API_URL and METAL_API_HMAC)
    #[arg(long)]
    metal: bool,
    /// How findings are shown
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: FindingsFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FindingsFormat {
    /// For people
    Text,
    Json,
    Yaml,
    /// For code scanning
    Sarif,
    /// Annotations of GitHub Actions
    Github,
}

#[derive(Debug, Serialize)]
struct Validated<'a> {
    /// Files, readable or not.
    definitions: usize,
    #[serde(flatten)]
    counts: Counts,
    findings: &'a [Finding],
}

pub(crate) fn validate(args: &ValidateArgs) -> anyhow::Result<Exit> {
    let Fleet { tree, want, mut findings } = Fleet::of(worktree::tree(&args.dir)?);
    if args.metal {
        findings.extend(fleet::placed(super::block_on(from_metal(&want))?, &tree));
    }
    let is_definition = |path: &str| path.rsplit('/').next() == Some("cluster.yaml") && !gitops::is_engine_owned(path);
    let definitions = tree.entries().iter().filter(|entry| is_definition(&entry.path)).count();
    let validated = Validated { definitions, counts: Counts::of(&findings), findings: &findings };
    match args.output {
        FindingsFormat::Text => output::data(&text(&validated))?,
        FindingsFormat::Json => output::show(Format::Json, &validated, String::new)?,
        FindingsFormat::Yaml => output::show(Format::Yaml, &validated, String::new)?,
        FindingsFormat::Sarif => output::show(Format::Json, &findings::sarif::log(&findings), String::new)?,
        FindingsFormat::Github => output::data(&findings::github::text(&findings))?,
    }
    Ok(if validated.counts.errors > 0 { Exit::Failed } else { Exit::Done })
}

async fn from_metal(want: &model::Want) -> anyhow::Result<Vec<Finding>> {
    let Some(fleet) = want.fleet.as_deref() else { return Ok(Vec::new()) };
    let metal = MetalSettings::new(None)?.client(fleet.spec.metal.credentials.as_str())?;
    let now = SystemClock.now();
    let have = metal_api::gather(&*metal, &want.projects(), now, metal_api::GATHER_DEADLINE).await;
    for gap in &have.gaps {
        output::talk::warning(&format!("metal-api, {}: {}", gap.kind, gap.message));
    }
    anyhow::ensure!(have.gaps.is_empty(), "metal-api did not answer everything, so not everything was checked");
    Ok(fleet::metal_findings(want, &have, now))
}

fn text(validated: &Validated<'_>) -> String {
    let Validated { definitions, counts, findings } = validated;
    let definitions = styles::dim(format!("in {}", count(*definitions, "definition")));
    format!("{}{} {definitions}\n", findings::text(findings), counts.text("no findings"))
}
