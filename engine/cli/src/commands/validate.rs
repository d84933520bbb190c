//! `ferrofleet validate`: every finding of every document of a work tree, offline.

use crate::exit::Exit;
use crate::output::findings::{self, Counts};
use crate::output::{self, count, plain, styles, table::Table};
use crate::source::Fleet;
use crate::wiring::{MetalSettings, SystemClock};
use crate::{args::Format, worktree};
use clap::{Args, ValueEnum};
use model::{Clock as _, ClusterId, Finding, Tree};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Check the documents of a fleet repository; offline unless --metal is given
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet validate\n  \
    ferrofleet validate platform --metal\n  \
    ferrofleet validate -o github\n  \
    ferrofleet validate --against origin/main")]
pub(crate) struct ValidateArgs {
    /// A work tree of a fleet repository
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Also what metal-api knows: partitions, images, announceable ranges (METAL_API_URL and METAL_API_HMAC)
    #[arg(long)]
    metal: bool,
    /// Say which clusters are touched by policies and overlays that differ from this commit, branch or tag [default: HEAD]
    #[arg(long, value_name = "REV")]
    against: Option<String>,
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
    /// Policies and overlays that differ from what is committed, with the clusters that this changes. Absent where the
    /// folder is in no Git work tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    touched: Option<BTreeMap<String, Vec<ClusterId>>>,
}

pub(crate) fn validate(args: &ValidateArgs) -> anyhow::Result<Exit> {
    let Fleet { tree, want, mut findings } = Fleet::of(worktree::tree(&args.dir)?);
    if args.metal {
        findings.extend(fleet::placed(super::block_on(from_metal(&want))?, &tree));
    }
    let is_definition = |path: &str| path.rsplit('/').next() == Some("cluster.yaml") && !gitops::is_engine_owned(path);
    let definitions = tree.entries().iter().filter(|entry| is_definition(&entry.path)).count();
    let touched = touched(args, &tree)?;
    let validated = Validated { definitions, counts: Counts::of(&findings), findings: &findings, touched };
    match args.output {
        FindingsFormat::Text => output::data(&text(&validated, args.against.as_deref().unwrap_or("HEAD")))?,
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
    let is_whole = have.gaps.iter().all(|gap| gap.kind == model::metal::Gap::CAPACITY);
    anyhow::ensure!(is_whole, "metal-api did not answer everything, so not everything was checked");
    Ok(fleet::metal_findings(want, &have, now))
}

/// What a reviewer does not see in a diff: a line of a policy may change every cluster.
fn touched(args: &ValidateArgs, tree: &Tree) -> anyhow::Result<Option<BTreeMap<String, Vec<ClusterId>>>> {
    let Some(before) = worktree::committed::tree(&args.dir, args.against.as_deref(), tree)? else { return Ok(None) };
    Ok(Some(fleet::touched(&before, tree, &mut fleet::Memo::default(), SystemClock.now())))
}

fn text(validated: &Validated<'_>, against: &str) -> String {
    let Validated { definitions, counts, findings, touched } = validated;
    let mut out = findings::text(findings);
    if let Some(touched) = touched.as_ref().filter(|touched| !touched.is_empty()) {
        let mut table = Table::plain(2);
        for (path, clusters) in touched {
            let clusters = match &clusters[..] {
                [] => "touches no cluster".to_owned(),
                some => {
                    let names: Vec<_> = some.iter().map(ToString::to_string).collect();
                    format!("touches {}: {}", count(some.len(), "cluster"), names.join(", "))
                }
            };
            table.row([plain(path).into_owned(), clusters]);
        }
        out += &format!("{}\n{}\n", styles::bold(format!("Changed since {against}:")), table.text());
    }
    let definitions = styles::dim(format!("in {}", count(*definitions, "definition")));
    out + &format!("{} {definitions}\n", counts.text("no findings"))
}
