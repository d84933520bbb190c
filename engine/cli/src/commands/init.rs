//! `ferrofleet init`: the documents with which a minimal definition is complete.

use crate::exit::{Exit, Usage};
use crate::output::{self, styles, talk};
use anyhow::Context as _;
use clap::Args;
use model::FleetName;
use std::path::{Path, PathBuf};

/// Start a fleet repository: fleet.yaml, a policy, a stage, and schemas wired for editors
///
/// Nothing that is there already is overwritten. The names in the files are those of the simulator (`ferrofleet
/// metal-sim`); put in those of your metal-api.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet init platform\n  \
    ferrofleet init --name platform")]
pub(crate) struct InitArgs {
    /// Made when it is missing
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// The fleet's name, which is also its tag in metal-api [default: the folder's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

pub(crate) fn init(args: &InitArgs) -> anyhow::Result<Exit> {
    let name = fleet_name(args)?;
    if args.dir.join("fleet.yaml").exists() {
        let what = format!("{} is a fleet repository already: it has a fleet.yaml", args.dir.display());
        return Err(Usage::new(what, "take another folder; `ferrofleet validate` checks this one").into());
    }
    let mut written = String::new();
    for (path, text) in fleet::init::files(&name) {
        let path = args.dir.join(path);
        if path.exists() {
            talk::note(&format!("kept {}", path.display()));
            continue;
        }
        write(&path, &text)?;
        written += &format!("{}\n", path.display());
    }
    output::data(&written)?;
    next_steps();
    Ok(Exit::Done)
}

fn fleet_name(args: &InitArgs) -> anyhow::Result<FleetName> {
    if let Some(name) = &args.name {
        return Ok(FleetName::parse(name).map_err(|e| Usage::new(e.to_string(), "give another --name"))?);
    }
    // The folder may not be there yet, and `.` has a name only when it is made absolute.
    let absolute = std::path::absolute(&args.dir)?;
    let folder = absolute.components().next_back().map(|c| c.as_os_str().to_string_lossy().to_lowercase());
    let folder = folder.and_then(|name| FleetName::parse(&name).ok());
    Ok(folder.map_or_else(|| FleetName::parse("fleet"), Ok)?)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(cannot)?;
    }
    std::fs::write(path, text).with_context(cannot)
}

fn next_steps() {
    let next = styles::bold("Next:");
    talk::say(&format!("\n{next} put your project, partition and networks into fleet.yaml and policies/default.yaml,"));
    talk::say("copy stages/development/cluster.yaml.example to stages/development/clusters/<name>/cluster.yaml,");
    talk::say("commit, push to a bare repository, and:\n");
    talk::say("  ferrofleet validate");
    talk::say("  ferrofleet plan --repo URL");
    talk::say("  ferrofleet run --repo URL --once");
}
