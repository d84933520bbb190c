//! `ferrofleet init`: the documents with which a minimal definition is complete.

use crate::exit::{Exit, Usage};
use crate::output::{self, styles, talk};
use anyhow::Context as _;
use clap::Args;
use model::FleetName;
use std::path::{Path, PathBuf};

/// With what the policy offers, this is a whole cluster.
const DEFINITION: &str = include_str!("init/cluster.yaml");
const DEFINITION_PATH: &str = "stages/development/clusters/NAME/cluster.yaml";

/// Start a fleet repository: fleet.yaml, a policy, a stage, and schemas wired for editors
///
/// Nothing that is there already is overwritten. The names in the files are those of the simulator (`ferrofleet
/// metal-sim`); put in those of your metal-api.
#[derive(Args, Debug)]
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
    let files = files(&name)?;
    let there: Vec<_> = files.iter().map(|(path, _)| path.as_str()).filter(|p| args.dir.join(p).exists()).collect();
    if !there.is_empty() {
        let what = format!("{} is a fleet repository already: it has {}", args.dir.display(), there.join(", "));
        return Err(Usage::new(what, "take another folder; `ferrofleet validate` checks this one").into());
    }
    for (path, text) in &files {
        write(&args.dir.join(path), text)?;
    }
    let mut listed: Vec<_> = files.into_iter().map(|(path, _)| args.dir.join(path).display().to_string()).collect();
    listed.push(String::new());
    output::data(&listed.join("\n"))?;
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

/// Paths and texts.
fn files(name: &FleetName) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = vec![
        ("fleet.yaml".to_owned(), include_str!("init/fleet.yaml").replace("NAME", name.as_str())),
        ("policies/default.yaml".to_owned(), include_str!("init/policy.yaml").to_owned()),
    ];
    for (file, schema) in fleet::schemas() {
        files.push((format!("schemas/{file}"), serde_json::to_string_pretty(&schema)? + "\n"));
    }
    Ok(files)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(cannot)?;
    }
    std::fs::write(path, text).with_context(cannot)
}

fn next_steps() {
    talk::say("");
    talk::say(&format!("{} put your project, partition and networks into fleet.yaml and", styles::bold("Next:")));
    talk::say("policies/default.yaml, commit, and push a first cluster, for example as");
    talk::say(&format!("{}:", DEFINITION_PATH.replace("NAME", "first")));
    talk::say("");
    for line in DEFINITION.lines() {
        talk::say(&format!("  {line}"));
    }
    talk::say("");
    talk::say("Then: ferrofleet validate; ferrofleet plan; ferrofleet run --repo URL --once");
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::tree::MemoryTree;
    use model::{ClusterId, Timestamp};

    #[test]
    fn with_what_init_writes_a_minimal_definition_is_complete() {
        let mut tree = MemoryTree::default();
        for (path, text) in files(&FleetName::parse("mine").unwrap()).unwrap() {
            tree.files.insert(path, text.into_bytes());
        }
        tree.files.insert(DEFINITION_PATH.replace("NAME", "first"), DEFINITION.as_bytes().to_vec());
        let loaded = fleet::load(&tree.tree(), &mut fleet::Memo::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(loaded.findings, []);
        let first = &loaded.want.clusters[&"default.first".parse::<ClusterId>().unwrap()];
        assert_eq!(first.blocked, None);
        assert_eq!(first.identity.fleet.as_str(), "mine");
    }
}
